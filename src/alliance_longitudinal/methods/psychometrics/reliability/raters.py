"""Agreement of several raters of the same targets: the six coefficients of Shrout and Fleiss."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.errors import DataError

Floats = NDArray[np.float64]
ICC_KINDS = ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)")


def rater_agreement(ratings: pd.DataFrame) -> pd.DataFrame:
    """Intraclass correlations of k raters of n targets, each with its 95 % interval.

    (1): each target has different raters; (2): raters are a sample, and differences between their means count
    as error; (3): these raters only. (., 1): for one rater; (., k): for the mean of all k. ICC(2,k) is the
    reliability of observers' mean score. All come from the two-way analysis of variance (Shrout & Fleiss 1979;
    intervals as there and in McGraw & Wong 1996).

    Parameters
    ----------
    ratings : DataFrame
        One row per target, one column per rater. Targets that lack a rater's rating are not used. Not changed.

    Returns
    -------
    DataFrame
        ``kind, estimate, low, high, n`` (targets).

    Raises
    ------
    DataError
        If fewer than three targets or two raters are left, or targets do not differ.

    Examples
    --------
    The example of Shrout and Fleiss (1979): six targets, four raters.

    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> found = methods.rater_agreement(pd.DataFrame(ratings)).set_index("kind")["estimate"]
    >>> found.round(2).tolist()
    [0.17, 0.29, 0.71, 0.44, 0.62, 0.91]
    """
    x = ratings.dropna().to_numpy(dtype=float)
    n, k = x.shape
    if n < 3 or k < 2:
        raise DataError(
            f"Agreement needs at least 3 targets that 2 raters rated; there are {n} targets with {k} rater"
            f"{'' if k == 1 else 's'}."
        )
    rows, columns = x.mean(axis=1), x.mean(axis=0)
    ms_target = k * float(((rows - x.mean()) ** 2).sum()) / (n - 1)
    ms_rater = n * float(((columns - x.mean()) ** 2).sum()) / (k - 1)
    rest = x - rows[:, None] - columns + x.mean()
    ms_error = float((rest**2).sum()) / ((n - 1) * (k - 1))
    ms_within = float(((x - rows[:, None]) ** 2).sum()) / (n * (k - 1))
    if ms_target <= 0 or ms_error <= 0:
        raise DataError(
            "Agreement cannot be computed: the targets, or the raters' disagreements, do not vary at all."
        )
    found = {
        "1": _from_f(ms_target / ms_within, n - 1, n * (k - 1), k),
        "2": _two_way(ms_target, ms_rater, ms_error, n, k),
        "3": _from_f(ms_target / ms_error, n - 1, (n - 1) * (k - 1), k),
    }
    single = [(f"ICC({c},1)", *values) for c, values in found.items()]
    mean = [(f"ICC({c},k)", *(_spearman_brown(v, k) for v in values)) for c, values in found.items()]
    out = pd.DataFrame([*single, *mean], columns=["kind", "estimate", "low", "high"])
    return out.assign(n=n)


def _from_f(f: float, df1: float, df2: float, k: int) -> tuple[float, float, float]:
    """Coefficient and exact interval of a one-way (or consistency) ICC from its F."""
    from alliance_longitudinal.engine import distributions as stats

    low = f / float(stats.f.ppf(0.975, df1, df2))
    high = f * float(stats.f.ppf(0.975, df2, df1))
    one, two, three = ((v - 1) / (v + k - 1) for v in (f, low, high))
    return one, two, three


def _two_way(target: float, rater: float, error: float, n: int, k: int) -> tuple[float, float, float]:
    """ICC(2,1) and its interval by Satterthwaite's degrees of freedom (Shrout & Fleiss 1979, p. 424)."""
    from alliance_longitudinal.engine import distributions as stats

    value = (target - error) / (target + (k - 1) * error + k * (rater - error) / n)
    fj = rater / error
    top = (k - 1) * (n - 1) * (k * value * fj + n * (1 + (k - 1) * value) - k * value) ** 2
    bottom = (n - 1) * k**2 * value**2 * fj**2 + (n * (1 + (k - 1) * value) - k * value) ** 2
    df = top / bottom
    f_high, f_low = float(stats.f.ppf(0.975, n - 1, df)), float(stats.f.ppf(0.975, df, n - 1))
    shared = k * rater + (k * n - k - n) * error
    low = n * (target - f_high * error) / (f_high * shared + n * target)
    high = n * (f_low * target - error) / (shared + n * f_low * target)
    return value, low, high


def _spearman_brown(value: float, k: int) -> float:
    return k * value / (1 + (k - 1) * value)
