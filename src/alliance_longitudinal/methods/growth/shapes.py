"""Shapes of courses: straight, levelling off, curved, in phases; on average and person by person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import AllianceError, DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.estimates import Text
from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.basics.rows import check_varies, complete_rows
from alliance_longitudinal.methods.basics.values import real, several, whole
from alliance_longitudinal.methods.growth.confusion import Confusion, class_counts, confusion_of
from alliance_longitudinal.sentences import say

ShapeName = Literal["linear", "log", "quadratic", "piecewise"]


@dataclass(frozen=True, slots=True)
class TurningPoint:
    """The time at which an average quadratic course turns.

    Attributes
    ----------
    estimate : float
        ``-b1 / (2 b2)``.
    delta : pair of float
        Limits by the delta method.
    fieller : pair of float
        Limits by Fieller's method; infinite where the curve could as well be straight: then the values that are excluded lie
        between ``excluded``, if there are any.
    excluded : pair of float or None
        The values that the data exclude, where the limits are infinite.
    kind : {"lowest", "highest"}
        Whether the course is lowest (U) or highest there.
    """

    estimate: float
    delta: tuple[float, float]
    fieller: tuple[float, float]
    excluded: tuple[float, float] | None
    kind: str


def turning_point(
    b1: float, b2: float, v11: float, v12: float, v22: float, alpha: float = 0.05
) -> TurningPoint:
    """Turning point of ``b1 t + b2 t^2`` with limits from the normal quantile.

    Fieller's limits are the values t at which ``b1 + 2 t b2`` is not distinguishable from zero:
    ``(b1 + 2 t b2)^2 <= z^2 (v11 + 4 t v12 + 4 t^2 v22)`` (Fieller 1954; Hirschberg & Lye 2005). They hold an interval only if ``b2``
    differs from zero; otherwise they are everything outside two values, or everything.
    """
    z2 = float(distributions.norm.ppf(1 - alpha / 2)) ** 2
    at = -b1 / (2 * b2)
    # gradient of -b1 / (2 b2)
    g1, g2 = -1 / (2 * b2), b1 / (2 * b2**2)
    half = float(np.sqrt(z2 * (g1 * g1 * v11 + 2 * g1 * g2 * v12 + g2 * g2 * v22)))
    a, b, c = 4 * (b2**2 - z2 * v22), 4 * (b1 * b2 - z2 * v12), b1**2 - z2 * v11
    root = b * b - 4 * a * c
    excluded: tuple[float, float] | None = None
    if a > 0:
        limits = sorted([(-b - np.sqrt(root)) / (2 * a), (-b + np.sqrt(root)) / (2 * a)])
        fieller = (float(limits[0]), float(limits[1]))
    else:
        fieller = (-np.inf, np.inf)
        if root > 0 and a < 0:
            outside = sorted([(-b - np.sqrt(root)) / (2 * a), (-b + np.sqrt(root)) / (2 * a)])
            excluded = (float(outside[0]), float(outside[1]))
    return TurningPoint(
        float(at), (at - half, at + half), fieller, excluded, "lowest" if b2 > 0 else "highest"
    )


class LineTest(NamedTuple):
    """Test of a straight line: likelihood-ratio statistic, degrees of freedom, p."""

    statistic: float
    df: int
    p: float


@dataclass(frozen=True, repr=False, eq=False)
class GrowthShapes:
    """Fits of several shapes to the same courses.

    Attributes
    ----------
    table : DataFrame
        By ``shape``: ``llf, aic, bic, parameters``, best (by AIC) first, and ``delta_aic`` from the best.
    fits : mapping of str to MixedModelResults
    knots : tuple of float
        Of the piecewise shape.
    failed : mapping of str to str
        Shapes that could not be fitted, and why.
    n, persons, n_dropped : int
    """

    table: pd.DataFrame
    fits: Mapping[str, Any]
    knots: tuple[float, ...]
    failed: Mapping[str, str]
    n: int
    persons: int
    n_dropped: int
    _data: pd.DataFrame = field(repr=False)
    _center: float = 0.0

    @property
    def best(self) -> str:
        """Shape with the smallest AIC."""
        return str(self.table.index[0])

    def against_line(self) -> LineTest | None:
        """Likelihood-ratio test of a straight line against the best shape; None if the line is not in it.

        The line is a special case of the quadratic and the piecewise shape, with the same random part. The AIC prefers
        one of these to a true straight line in a fifth to a third of the studies. Here p is multiplied by the
        number of such shapes (Bonferroni), because the best of them is tested.
        """
        richer = [s for s in ("quadratic", "piecewise") if s in self.fits]
        if "linear" not in self.fits or self.best not in richer:
            return None
        best, line = self.table.loc[self.best], self.table.loc["linear"]
        statistic = max(float(2 * (best["llf"] - line["llf"])), 0.0)
        df = int(best["parameters"] - line["parameters"])
        p = float(distributions.chi2.sf(statistic, df)) * len(richer)
        return LineTest(statistic, df, min(p, 1.0))

    @cached_property
    def turning_point(self) -> TurningPoint:
        """Turning point of the quadratic shape, 95 % limits.

        Raises
        ------
        DataError
            If the quadratic shape was not fitted.
        """
        if "quadratic" not in self.fits:
            raise DataError("The turning point is that of the quadratic shape. Put 'quadratic' into shapes.")
        fit = self.fits["quadratic"]
        b, v = fit.params, fit.cov_params()
        found = turning_point(b["t"], b["t2"], v.loc["t", "t"], v.loc["t", "t2"], v.loc["t2", "t2"])
        move = self._center
        return TurningPoint(
            found.estimate + move,
            (found.delta[0] + move, found.delta[1] + move),
            (found.fieller[0] + move, found.fieller[1] + move),
            None if found.excluded is None else (found.excluded[0] + move, found.excluded[1] + move),
            found.kind,
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What a reader of the comparison has to know."""
        found = [f for fit in self.fits.values() for f in fit.findings]
        if "log" in self.fits and len(self.fits) > 1:
            message = say(
                "The log shape has a random slope of the logarithm of time, the others of time. Their AIC compares both at once."
            )
            found.append(Finding("other_random_part", "info", message))
        for shape, why in self.failed.items():
            message = say("The shape {shape} could not be fitted: {why}", shape=shape, why=why)
            found.append(Finding("shape_failed", "caution", message, shape))
        return tuple({(f.code, f.where): f for f in found}.values())

    def classify(self, min_ratings: int = 6) -> dict[str, int]:
        """Count persons whose own course is flat, straight, U-shaped or an inverted U.

        Least squares per person with a constant, a line and a parabola; the smallest AICc chooses, the parabola's sign names it.
        ``AICc = n log(RSS / n) + 2 k + 2 k (k + 1) / (n - k - 1)`` with ``k`` the coefficients and the variance (Hurvich & Tsai 1989,
        doi 10.1093/biomet/76.2.297). With few ratings most classes are noise: compare `confusion`.

        Parameters
        ----------
        min_ratings : int
            Ratings that a person needs, at least 6.

        Raises
        ------
        DataError
            If ``min_ratings`` is below 6.
        """
        least = whole(
            "min_ratings",
            min_ratings,
            "a number of ratings, at least 6: a parabola leaves nothing below",
            least=6,
        )
        return class_counts(self._data, least)

    def confusion(self, min_ratings: int = 6, n: int = 50, seed: int = 0) -> Confusion:
        """How often `classify` would be wrong for courses such as these.

        Courses of each class are simulated at the persons' own times: independent normal errors with the residual standard deviation of
        these data, slopes and parabolas of the size of the persons' true ones (their mean square less that of error), and are then
        classified in the same way. Errors that go together from rating to rating would be taken for courses even more often.

        Parameters
        ----------
        min_ratings : int
            As for `classify`.
        n, seed : int
            Simulated courses per person and class; seed of the random numbers.

        Returns
        -------
        Confusion
            ``matrix``, true class by class found, and ``wrong``, the share of each true class that is put into another one.

        Raises
        ------
        DataError
            If ``min_ratings`` is below 6 or ``n`` below 1.
        """
        least = whole(
            "min_ratings",
            min_ratings,
            "a number of ratings, at least 6: a parabola leaves nothing below",
            least=6,
        )
        times = whole("n", n, "a number of simulated courses, at least 1", least=1)
        return confusion_of(self._data, least, times, seed)

    def _repr_html_(self) -> str:
        return str(self.table.to_html())

    def summary(self) -> str:
        """The result as text."""
        lines = [
            "Shapes of growth",
            f"{self.n} rows of {self.persons} persons, {self.n_dropped} without a value",
            "",
            self.table.to_string(float_format=lambda v: f"{v:.2f}"),
            *(f"{f.severity}: {f.message}" for f in self.findings),
        ]
        return Text("\n".join(lines))

    def __repr__(self) -> str:
        return f"<GrowthShapes: {', '.join(map(str, self.table.index))}; best {self.best}; use .summary()>"


def growth_shapes(
    frame: pd.DataFrame,
    y: str,
    time: str,
    person: str,
    shapes: Sequence[ShapeName] = ("linear", "log", "quadratic", "piecewise"),
    knots: Sequence[float] | None = None,
) -> GrowthShapes:
    """Compare shapes of the average course by maximum likelihood.

    ``linear``: ``b0 + b1 t``; ``log``: ``b0 + b1 log(t + 1)``; ``quadratic``: ``b0 + b1 t + b2 t^2``;
    ``piecewise``: straight lines that meet at the knots. All have a random intercept and a random slope of
    time, with their covariance; in the log shape, the random slope is that of ``log(t + 1)``.

    Parameters
    ----------
    frame : DataFrame
        One row per person and time. Not changed. Rows with a missing value are left out.
    y, time, person : str
        Columns; for the log shape, no time may be below 0.
    shapes : sequence of {"linear", "log", "quadratic", "piecewise"}
    knots : sequence of float, optional
        Knots of the piecewise shape; by default the 1/3 and 2/3 quantiles of the distinct times.

    Returns
    -------
    GrowthShapes

    Raises
    ------
    DataError
        If columns are missing, a shape is unknown, the times do not allow a shape, or no shape can be fitted.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> rng = np.random.default_rng(2)
    >>> person, time = np.repeat(range(40), 8), np.tile(range(8), 40)
    >>> level, rate = 4 + rng.normal(size=40), 0.6 + 0.2 * rng.normal(size=40)
    >>> y = level[person] + rate[person] * np.log(time + 1) + 0.3 * rng.normal(size=320)
    >>> found = methods.growth_shapes(pd.DataFrame({"p": person, "t": time, "y": y}), "y", "t", "p")
    >>> found.best
    'log'
    """
    names = tuple([shapes] if isinstance(shapes, str) else shapes)
    unknown = [name for name in names if name not in get_args(ShapeName)]
    if unknown or not names:
        raise DataError(
            f"shapes holds {unknown[0]!r}; it holds some of {', '.join(get_args(ShapeName))}."
            if unknown
            else "shapes is empty. Name at least one shape."
        )
    rows = complete_rows(frame, {"y": y, "t": time}, {"person": person}, least=10)
    check_varies(rows.values("t"), time, "A course needs different times.")
    check_varies(rows.values("y"), y, "All shapes fit a course that never changes.")
    t = rows.values("t")
    if rows.data["person"].nunique() < 3 or not rows.data["person"].duplicated().any():
        raise DataError(
            f"Courses need at least three persons with several times each. Check {person!r} and {time!r}."
        )
    if "log" in names and t.min() < 0:
        raise DataError(f"{time!r} goes down to {t.min():g}. The log shape needs times from 0 on.")
    where = _knots(t, knots) if "piecewise" in names else ()
    data = rows.data
    center = float(t.mean())
    fits: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for name in dict.fromkeys(names):
        try:
            fits[name] = _fit(data, name, center, where)
        except AllianceError as problem:
            failed[name] = str(problem)
    if not fits:
        raise DataError(f"No shape can be fitted: {next(iter(failed.values()))}")
    return GrowthShapes(
        _table(fits),
        fits,
        where,
        failed,
        len(data),
        int(data["person"].nunique()),
        rows.n_dropped,
        data,
        center,
    )


def _knots(t: Floats, knots: Sequence[float] | None) -> tuple[float, ...]:
    """Knots, each with times on both sides and between.

    Raises
    ------
    DataError
        If there are too few times.
    """
    where = (
        tuple(float(np.quantile(np.unique(t), q)) for q in (1 / 3, 2 / 3))
        if knots is None
        else tuple(sorted({real("knots", k, "times within the course") for k in several(knots)}))
    )
    times = np.unique(t)
    beyond = np.bincount(np.searchsorted(where, times), minlength=len(where) + 1)
    if not where or min(beyond) < 1 or times.size < len(where) + 2 or where[0] <= t.min():
        raise DataError(
            f"The knots {', '.join(f'{k:g}' for k in where) or '(none)'} do not cut the times {t.min():g} to {t.max():g} into phases with "
            "values. Give other knots, or leave the piecewise shape out."
        )
    return where


def _fit(data: pd.DataFrame, shape: str, center: float, knots: tuple[float, ...]) -> Any:
    from alliance_longitudinal.engine import MixedModel

    t = data["t"].to_numpy(float)
    rows = data.assign(t=t - center)
    fixed, random = ["t"], "t"
    if shape == "log":
        rows = rows.assign(log_t=np.log1p(t))
        fixed, random = ["log_t"], "log_t"
    elif shape == "quadratic":
        rows = rows.assign(t2=(t - center) ** 2)
        fixed = ["t", "t2"]
    elif shape == "piecewise":
        rows = rows.assign(**{f"after{i + 1}": np.maximum(t - k, 0) for i, k in enumerate(knots)})
        fixed = ["t", *(f"after{i + 1}" for i in range(len(knots)))]
    return MixedModel.from_formula(f"y ~ {' + '.join(fixed)} + (1 + {random} | person)", rows).fit(
        reml=False, df="normal"
    )


def _table(fits: Mapping[str, Any]) -> pd.DataFrame:
    rows = [
        {"shape": name, "llf": fit.llf, "aic": fit.aic, "bic": fit.bic, "parameters": fit.fit.n_parameters}
        for name, fit in fits.items()
    ]
    table = pd.DataFrame(rows).set_index("shape").sort_values("aic", kind="stable")
    return table.assign(delta_aic=table["aic"] - table["aic"].iloc[0])
