"""Six indices of reliable change. Each is one line: how far a score after treatment lies from what was expected of it.

Every method expects ``intercept + slope * pre`` after treatment and measures the distance from it in standard errors
``se``; the methods differ in these three numbers only. M, SD: mean and standard deviation before treatment;
r: reliability; SEM = SD sqrt(1 - r).

====  ==================  ===========  ==========================================================================
JT    0                   1            SEM sqrt(2): Jacobson & Truax 1991
GLN   M (1 - r)           r            SD sqrt(1 - r^2): Gulliksen, Lord & Novick
HLL   M_post - r M        r            as GLN: Hsu, Linn & Lord; expects the *average change* of the sample
EN    M (1 - r)           r            SEM: Edwards & Nunnally, in the form of Speer 1992
NK    M (1 - r)           r            sqrt(r^2 SD^2 (1 - r) + SD^2 (1 - r_post)): Nunnally & Kotsch 1983
HA    -D (1 - r_dd)/r_dd  1            SEM sqrt(2) / sqrt(r_dd): Hageman & Arrindell 1999, D = mean change,
                                       r_dd = reliability of the differences; critical value 1.65 for 5 % one-sided
====  ==================  ===========  ==========================================================================

The seventh, by a mixed model (HLM), is in ``slopes.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.errors import DataError

Floats = NDArray[np.float64]
TWO_SIDED = NormalDist().inv_cdf(0.975)
ONE_SIDED = NormalDist().inv_cdf(0.95)


@dataclass(frozen=True, slots=True)
class Moments:
    """What the indices are made of, all in points of the instrument.

    Attributes
    ----------
    mean, sd : float
        Before treatment, of the sample or of the population that a norm is from.
    mean_post, sd_post, correlation : float
        After treatment, and between before and after; of the sample.
    reliability, reliability_post : float or None
    """

    mean: float
    sd: float
    mean_post: float
    sd_post: float
    correlation: float
    reliability: float | None = None
    reliability_post: float | None = None

    @property
    def sem(self) -> float:
        """Standard error of measurement, SD sqrt(1 - r)."""
        return self.sd * float(np.sqrt(1 - self.r))

    @property
    def s_diff(self) -> float:
        """Standard error of a difference of two scores, SEM sqrt(2)."""
        return self.sem * float(np.sqrt(2))

    @property
    def r(self) -> float:
        """The reliability; an error if it is not known."""
        if self.reliability is None:
            raise DataError(
                "The reliability of the instrument is not known. Give reliability=..., from the "
                "manual or from a study of similar clients. The methods 'points' and 'HLM' do not "
                "need it."
            )
        return self.reliability

    def true_reliability(self, sd: float) -> float:
        """Reliability in a group with standard deviation ``sd``, with SEM held constant (Hageman & Arrindell)."""
        if sd <= self.sem:
            raise DataError(
                f"Method HA cannot be used: a standard deviation of {sd:.3g} is no larger than the "
                f"measurement error of {self.sem:.3g} points. Check the reliability, or use another "
                "method."
            )
        return 1 - self.sem**2 / sd**2


@dataclass(frozen=True, slots=True)
class ChangeIndex:
    """``(post - intercept - slope * pre) / se``, and the size from which it is called reliable.

    ``inclusive``: whether the critical size itself is reliable; only where published points say so.
    """

    method: str
    intercept: float
    slope: float
    se: float
    critical: float
    inclusive: bool = False

    def of(self, pre: Floats, post: Floats) -> Floats:
        """The index of n clients from scores of shape (n,)."""
        return (post - self.intercept - self.slope * pre) / self.se

    def band(self, pre: Floats) -> tuple[Floats, Floats]:
        """Lowest and highest score after treatment that is no reliable change, for scores ``pre``."""
        centre, half = self.intercept + self.slope * pre, self.critical * self.se
        return centre - half, centre + half

    @property
    def points(self) -> float:
        """Half the width of the band, in points."""
        return self.critical * self.se


def points_index(points: float, inclusive: bool) -> ChangeIndex:
    """Published points in place of an index: so many of them are reliable change, wherever a client started."""
    return ChangeIndex("points", 0.0, 1.0, points, 1.0, inclusive)


def _jt(m: Moments) -> tuple[float, float, float]:
    return 0.0, 1.0, m.s_diff


def _gln(m: Moments) -> tuple[float, float, float]:
    return m.mean * (1 - m.r), m.r, m.sd * float(np.sqrt(1 - m.r**2))


def _hll(m: Moments) -> tuple[float, float, float]:
    return m.mean_post - m.r * m.mean, m.r, m.sd * float(np.sqrt(1 - m.r**2))


def _en(m: Moments) -> tuple[float, float, float]:
    return m.mean * (1 - m.r), m.r, m.sem


def _nk(m: Moments) -> tuple[float, float, float]:
    if m.reliability_post is None:
        raise DataError(
            "Method NK needs a second reliability, that of the scores after treatment. Give reliability_post=..."
        )
    variance = m.r**2 * m.sd**2 * (1 - m.r) + m.sd**2 * (1 - m.reliability_post)
    return m.mean * (1 - m.r), m.r, float(np.sqrt(variance))


def _ha(m: Moments) -> tuple[float, float, float]:
    r_dd = difference_reliability(m)
    if r_dd <= 0:
        raise DataError(
            f"Method HA cannot be used: with a reliability of {m.r:g}, measurement error alone "
            "would make the changes vary more than they do. Check the reliability, or use another "
            "method."
        )
    return -(m.mean_post - m.mean) * (1 - r_dd) / r_dd, 1.0, m.s_diff / float(np.sqrt(r_dd))


def difference_reliability(m: Moments) -> float:
    """Reliability of the differences post - pre (Hageman & Arrindell 1999), with SEM held constant."""
    both = m.sd**2 + m.sd_post**2 - 2 * m.sd * m.sd_post * m.correlation
    return 1 - 2 * m.sem**2 / both if both > 0 else 0.0


_INDICES: dict[str, tuple[Callable[[Moments], tuple[float, float, float]], float]] = {
    "JT": (_jt, TWO_SIDED),
    "GLN": (_gln, TWO_SIDED),
    "HLL": (_hll, TWO_SIDED),
    "EN": (_en, TWO_SIDED),
    "NK": (_nk, TWO_SIDED),
    "HA": (_ha, ONE_SIDED),
}


def change_index(method: str, moments: Moments, z: float | None = None) -> ChangeIndex:
    """The index of ``method``; ``z`` replaces its usual critical value (1.96, for HA 1.65).

    Raises
    ------
    DataError
        If something that the method needs is missing or impossible.
    """
    make, usual = _INDICES[method]
    intercept, slope, se = make(moments)
    if not se > 0:
        raise DataError(
            f"Method {method} cannot be used: its standard error is zero, because all clients have the same score before "
            "treatment or the reliability is 1. Give an SD and a reliability from the manual."
        )
    return ChangeIndex(method, intercept, slope, se, usual if z is None else z)
