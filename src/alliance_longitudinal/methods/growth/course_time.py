"""Time in an expected course: what the mean course is made of, and in what persons differ from it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import Floats

CourseShape = Literal["log", "linear", "spline3"]
#: Where the knots of the spline are among the times of the scores: equally spaced quantiles between 5 and 95 %, the default for four knots of
#: Harrell's own program (R, Hmisc, rcspline.eval).
_PLACES = (0.05, 0.35, 0.65, 0.95)


@dataclass(frozen=True, slots=True)
class CourseTime:
    """Functions of time of a shape.

    Attributes
    ----------
    shape : {"log", "linear", "spline3"}
    column : str
        Column of times, for messages.
    knots : tuple of float
        Of the spline; none for other shapes.
    """

    shape: CourseShape
    column: str
    knots: tuple[float, ...] = ()

    @classmethod
    def of(cls, shape: CourseShape, t: Floats, column: str) -> "CourseTime":
        """The shape for an archive with scores at times ``t``.

        Raises
        ------
        DataError
            Times below 0 where persons differ in a logarithm of time, or too few different times for a spline.
        """
        if shape != "spline3":
            return cls(shape, column)
        different = np.unique(t)
        if len(different) < 4:
            raise DataError(
                f"{column!r} holds {len(different)} different times. The spline3 shape needs at least four."
            )
        knots = np.quantile(t, _PLACES)
        if len(np.unique(knots)) < 4:  # most scores are at the same few times
            knots = np.quantile(different, _PLACES)
        return cls(shape, column, tuple(map(float, knots)))

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of the mean course."""
        return ("s1", "s2", "s3") if self.knots else ("f",)

    def own(self, t: Floats) -> Floats:
        """What persons differ in: ``log(t + 1)``, or ``t`` in the linear shape.

        Raises
        ------
        DataError
            Times below 0 in the other shapes.
        """
        if self.shape == "linear":
            return t
        if len(t) and t.min() < 0:
            raise DataError(
                f"{self.column!r} goes down to {t.min():g}. The {self.shape} shape needs times from 0 on."
            )
        return np.asarray(np.log1p(t))

    def mean(self, t: Floats) -> Floats:
        """Columns of the mean course, shape (n, len(names))."""
        return natural_spline(t, self.knots) if self.knots else self.own(t)[:, None]


def natural_spline(t: Floats, knots: tuple[float, ...]) -> Floats:
    """Natural cubic spline, straight before the first knot and after the last; shape (n, knots - 1), without a constant.

    The truncated powers of Stone & Koo (1985) as in Harrell (2015, section 2.4.5), divided by the squared distance of the outer knots.
    """
    k = np.asarray(knots)
    cubes = np.clip(t[:, None] - k, 0.0, None) ** 3
    last, before = k[-1], k[-2]
    bent = (
        cubes[:, :-2]
        - cubes[:, -2:-1] * (last - k[:-2]) / (last - before)
        + cubes[:, -1:] * (before - k[:-2]) / (last - before)
    )
    return np.column_stack([t, bent / (last - k[0]) ** 2])
