"""What a study with a given standard error can find."""

import math

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.given import desired_power, effect_to_find
from alliance_longitudinal.methods.basics.values import real
from alliance_longitudinal.methods.planning.closed_forms import ALPHA, two_sided

_SE = "a standard error, more than 0"
_DF = "degrees of freedom, more than 0; infinite for the normal distribution"


def power_effect(effect: float, se: float, df: float = math.inf) -> float:
    """Power of a two-sided t test at 5 % to detect an effect that is estimated with a given standard error.

    The power is ``P(|T| > t)`` under the noncentral t distribution with noncentrality ``effect / se``. The
    standard error is that of the design. Give an effect that matters, never the estimated one: its "observed
    power" only restates the p value (Hoenig & Heisey 2001, doi 10.1198/000313001300339897).

    Parameters
    ----------
    effect : float
        In the units of the standard error.
    se : float
        Standard error of the estimate.
    df : float
        Degrees of freedom of its test.

    Returns
    -------
    float
        A probability.

    Raises
    ------
    DataError
        If a value lies outside its limits.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> round(methods.power_effect(0.5, se=0.2, df=30), 3)
    0.677
    """
    effect = effect_to_find(effect)
    return two_sided(effect, real("se", se, _SE, above=0), _degrees(df))


def detectable_effect(se: float, df: float = math.inf, power: float = 0.8) -> float:
    """Smallest effect that a two-sided t test at 5 % detects with a given power (Bloom 1995, doi 10.1177/0193841X9501900504).

    This is the effect at which `power_effect` equals ``power``. It depends only on the standard error, not on
    the estimate.

    Parameters
    ----------
    se : float
        Standard error of the estimate.
    df : float
        Degrees of freedom of its test.
    power : float
        Desired probability of detecting the effect, above .05 and below 1.

    Returns
    -------
    float
        In the units of the standard error; above 0.

    Raises
    ------
    DataError
        If a value lies outside its limits.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> round(methods.detectable_effect(se=0.1), 4)
    0.2802
    >>> round(methods.detectable_effect(se=0.1, df=10), 3)
    0.311
    """
    from scipy.optimize import brentq

    se, df = real("se", se, _SE, above=0), _degrees(df)
    power = desired_power(power, level=ALPHA)
    top = 1.0
    while two_sided(top, 1.0, df) < power:
        top *= 2
    return se * float(brentq(lambda d: two_sided(d, 1.0, df) - power, 0.0, top, xtol=1e-12))


def _degrees(df: float) -> float:
    if df == math.inf:
        return df
    try:
        return real("df", df, _DF, above=0)
    except DataError:
        raise DataError(f"df is {df!r}; give {_DF}.") from None
