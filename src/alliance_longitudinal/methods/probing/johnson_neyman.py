"""Johnson-Neyman: at which values of a moderator a slope is clearly not zero."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.adjust import benjamini_hochberg
from alliance_longitudinal.methods.basics.estimates import Estimates, check_alpha
from alliance_longitudinal.methods.basics.frames import Floats, is_number

#: Values at which the search looks for changes of significance; they are dense where the slope changes.
GRID = 801

Rows = Callable[[Floats], tuple[Floats, Floats, Floats]]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class JohnsonNeyman(Estimates):
    """Where the slope ``b1 + b3 m`` of a focal predictor is significant along a moderator ``m``.

    Attributes
    ----------
    roots : tuple of float
        Values of the moderator at which significance begins or ends, ascending; empty where it never changes.
    outside : bool
        Whether the slope is significant beyond the roots on both sides. Without roots: whether it is significant everywhere
        (else it is nowhere).
    alpha : float
        Level of the test at each value.
    params : Series
        ``focal`` (the slope where the moderator is 0) and ``interaction``.
    """

    roots: tuple[float, ...]
    outside: bool
    alpha: float
    rows: Rows

    @property
    def where(self) -> Literal["outside", "between", "everywhere", "nowhere"]:
        """Where the slope is significant: outside the roots, between them, everywhere or nowhere."""
        if self.roots:
            return "outside" if self.outside else "between"
        return "everywhere" if self.outside else "nowhere"

    def slopes(self, at: "float | Sequence[float] | Floats") -> pd.DataFrame:
        """Slope of the focal predictor at values of the moderator.

        Returns
        -------
        DataFrame
            One row per value, which is the index: ``estimate, se, df, t, p, lower, upper``. The degrees of freedom are
            those of the slope at that value.
        """
        values = _values(at)
        estimate, se, df = self.rows(values)
        t = estimate / se
        half = distributions.t.ppf(1 - self.alpha / 2, df) * se
        columns = {
            "estimate": estimate,
            "se": se,
            "df": df,
            "t": t,
            "p": 2 * distributions.t.sf(np.abs(t), df),
            "lower": estimate - half,
            "upper": estimate + half,
        }
        return pd.DataFrame(columns, index=pd.Index(values, name="at"))

    def fdr(self, values: "Sequence[float] | Floats") -> pd.DataFrame:
        """Slopes at several values with the false discovery rate controlled over all of them.

        A plot of the slope over a moderator tests it at every value; Esarey & Sumner (2018, doi 10.1177/0010414017730080)
        adjust by Benjamini & Hochberg (1995).

        Returns
        -------
        DataFrame
            As that of ``slopes``, with ``q`` (adjusted p) and ``significant`` (q at most ``alpha``).
        """
        table = self.slopes(values)
        q = benjamini_hochberg(table["p"].to_numpy())
        return table.assign(q=q, significant=q <= self.alpha)

    def _title(self) -> str:
        return (
            f"Johnson-Neyman: slope of {self.params.index[0]} along the moderator of {self.params.index[1]}"
        )

    def _facts(self) -> list[str]:
        if not self.roots:
            return [f"The slope is significant {self.where} (alpha {self.alpha:g})."]
        places = " and ".join(f"{root:.4g}" for root in self.roots)
        return [f"The slope is significant {self.where} the values {places} (alpha {self.alpha:g})."]


def johnson_neyman(
    params: Any,
    cov: Any = None,
    focal: str | int | None = None,
    interaction: str | int | None = None,
    df: float | None = None,
    alpha: float = 0.05,
    *,
    moderator: str | None = None,
) -> JohnsonNeyman:
    """Find where the slope of a predictor is significant along its moderator.

    The slope at the value m is ``b1 + b3 m`` with variance ``V11 + 2 m V13 + m^2 V33``; the roots solve
    ``(b1 + b3 m)^2 = t^2 (V11 + 2 m V13 + m^2 V33)`` (Johnson & Neyman 1936; Bauer & Curran 2005,
    doi 10.1207/s15327906mbr4003_5). For a fitted model, the critical t has the degrees of freedom of the slope
    at each value. These differ along the moderator, so the roots are found by search.

    Parameters
    ----------
    params : Series, mapping, sequence, or a fitted model's results
        Coefficients. With results of `MixedModel.fit` (or of `pool`) give ``focal`` and ``moderator`` only.
    cov : DataFrame or ndarray
        Covariance of the coefficients, in their order.
    focal, interaction : str or int
        Name or place of the predictor's coefficient and of its product with the moderator.
    df : float
        Degrees of freedom, the same at all values; infinite for the normal distribution.
    alpha : float
        Level of the test.
    moderator : str
        Name of the moderator in the model. The model must contain its product with ``focal``.

    Returns
    -------
    JohnsonNeyman
        ``roots``, ``outside``, ``slopes(at)``, ``fdr(values)``.

    Raises
    ------
    DataError
        If a coefficient is unknown, the covariance has the wrong shape or is not a covariance matrix, or the
        model has no such product.

    Examples
    --------
    Social status of pupils, moderated by that of their school:

    >>> from alliance_longitudinal import methods
    >>> cov = [[0.016409143, 0.002314268], [0.002314268, 0.101632983]]
    >>> found = methods.johnson_neyman({"ses": 2.197762, "ses:mean": 0.2854407}, cov, "ses", "ses:mean", df=float("inf"))
    >>> [round(root, 4) for root in found.roots], found.where
    ([-2.407, 6.4106], 'between')
    >>> found.slopes([-1, 0, 1])["estimate"].round(3).tolist()
    [1.912, 2.198, 2.483]
    """
    check_alpha(alpha)
    if hasattr(params, "contrast"):
        return _of_model(params, focal, moderator, alpha)
    if moderator is not None:
        raise DataError(
            "moderator goes with a fitted model. With params and cov, name the interaction instead."
        )
    return _of_numbers(params, cov, focal, interaction, df, alpha)


def _of_numbers(params: Any, cov: Any, focal: Any, interaction: Any, df: Any, alpha: float) -> JohnsonNeyman:
    """With one number for the degrees of freedom: the roots of a quadratic."""
    series = _coefficients(params)
    places = [_place(series, name, what) for name, what in ((focal, "focal"), (interaction, "interaction"))]
    if cov is None or df is None:
        raise DataError(
            "With params, johnson_neyman needs cov, focal, interaction and df; df=inf is the normal."
        )
    if not is_number(df) or not df > 0:
        raise DataError(
            f"df is {df!r}; degrees of freedom are above 0, and infinite for the normal distribution."
        )
    if isinstance(cov, pd.DataFrame) and set(cov.index) == set(cov.columns) == set(series.index):
        cov = cov.loc[series.index, series.index]
    try:
        matrix = np.asarray(cov, dtype=float)
    except (TypeError, ValueError):
        raise DataError("cov has to hold numbers: the covariance of params.") from None
    if matrix.shape != (len(series), len(series)):
        raise DataError(
            f"cov has the shape {matrix.shape}; for {len(series)} params it needs {(len(series),) * 2}."
        )
    v = matrix[np.ix_(places, places)]
    b = series.iloc[places].to_numpy(dtype=float)
    if not (np.isfinite(b).all() and np.isfinite(v).all()) or not _is_covariance(v):
        raise DataError(
            "cov is not a covariance of these two coefficients. Check its order and that nothing is missing."
        )

    def rows(at: Floats) -> tuple[Floats, Floats, Floats]:
        variance = v[0, 0] + 2 * at * v[0, 1] + at**2 * v[1, 1]
        return b[0] + b[1] * at, np.sqrt(variance), np.full(len(at), float(df))

    t2 = float(distributions.t.ppf(1 - alpha / 2, df)) ** 2
    a, half, c = b[1] ** 2 - t2 * v[1, 1], b[0] * b[1] - t2 * v[0, 1], b[0] ** 2 - t2 * v[0, 0]
    found = pd.Series(b, index=[str(series.index[p]) for p in places])
    roots = _quadratic(a, half, c)
    outside = bool(a > 0) if a else bool(c > 0)
    return JohnsonNeyman(
        params=found, covariance=v, dof=float(df), roots=roots, outside=outside, alpha=alpha, rows=rows
    )


def _of_model(result: Any, focal: Any, moderator: Any, alpha: float) -> JohnsonNeyman:
    """With the degrees of freedom of the slope at each value: a search over the whole line."""
    names = [str(name) for name in result.params.index]
    if focal is None or moderator is None:
        raise DataError(
            "With a fitted model, johnson_neyman needs focal= and moderator=, the names of two terms."
        )
    if focal not in names:
        raise DataError(f"The model has no coefficient {focal!r}. There are: {', '.join(names)}.")
    product = next((n for n in (f"{focal}:{moderator}", f"{moderator}:{focal}") if n in names), None)
    if product is None:
        raise DataError(
            f"The model has no product of {focal!r} and {moderator!r}; write {focal} * {moderator} in its formula. "
            f"Coefficients: {', '.join(names)}."
        )
    first, second = names.index(focal), names.index(product)

    def rows(at: Floats) -> tuple[Floats, Floats, Floats]:
        weights = np.zeros((len(at), len(names)))
        weights[:, first], weights[:, second] = 1.0, at
        table = result.contrast(weights)
        df = table["df"].to_numpy(dtype=float) if "df" in table else np.full(len(at), np.inf)
        return table["estimate"].to_numpy(dtype=float), table["se"].to_numpy(dtype=float), df

    places = [first, second]
    v = np.asarray(result.cov_params(), dtype=float)[np.ix_(places, places)]
    roots, outside = _search(rows, v, alpha)
    ends = np.array([[float(i == p) for i in range(len(names))] for p in places])
    table = result.contrast(ends)
    dof = table["df"].to_numpy(dtype=float) if "df" in table else np.full(2, np.inf)
    found = result.params.iloc[places].rename(None)
    return JohnsonNeyman(
        params=found, covariance=v, dof=dof, roots=roots, outside=outside, alpha=alpha, rows=rows
    )


def _search(rows: Rows, v: Floats, alpha: float) -> tuple[tuple[float, ...], bool]:
    """Changes of significance over the whole line, by signs on a grid of angles and then by Brent's method."""
    from scipy.optimize import brentq

    centre, scale = -v[0, 1] / v[1, 1], float(np.sqrt(np.linalg.det(v))) / v[1, 1]

    def excess(angle: Floats) -> Floats:
        estimate, se, df = rows(centre + scale * np.tan(angle))
        return np.asarray(np.abs(estimate / se) / distributions.t.ppf(1 - alpha / 2, df) - 1)

    edge = np.pi / 2 * (1 - 1e-7)
    grid = np.linspace(-edge, edge, GRID)
    beyond = excess(grid)
    changes = np.flatnonzero(np.sign(beyond[:-1]) != np.sign(beyond[1:]))
    angles = [
        brentq(lambda a: float(excess(np.array([a]))[0]), grid[i], grid[i + 1], xtol=1e-14) for i in changes
    ]
    return tuple(float(centre + scale * np.tan(a)) for a in angles), bool(beyond[0] > 0)


def _quadratic(a: float, half: float, c: float) -> tuple[float, ...]:
    """Real roots of ``a m^2 + 2 half m + c``, ascending, without loss of digits."""
    if a == 0:
        return () if half == 0 else (-c / (2 * half),)
    inner = half**2 - a * c
    if inner <= 0:
        return ()
    q = -(half + np.copysign(np.sqrt(inner), half))
    return tuple(sorted((float(q / a), float(c / q))))


def _is_covariance(v: Floats) -> bool:
    return bool(np.isclose(v[0, 1], v[1, 0]) and v[0, 0] > 0 and v[1, 1] > 0 and np.linalg.det(v) > 0)


def _coefficients(params: Any) -> pd.Series:
    """Numbers by name, or by place."""
    try:
        series = pd.Series(
            params if isinstance(params, Mapping | pd.Series) else np.asarray(params), dtype=float
        )
    except (TypeError, ValueError):
        raise DataError("params has to hold numbers: the coefficients of a model.") from None
    if not series.index.is_unique:
        raise DataError("params holds two coefficients of one name. Names have to differ.")
    return series


def _place(series: pd.Series, name: Any, what: str) -> int:
    if name in series.index:
        return int(np.flatnonzero(series.index == name)[0])
    raise DataError(
        f"{what} is {name!r}; there is no such coefficient. There are: {', '.join(map(str, series.index))}."
    )


def _values(at: Any) -> Floats:
    try:
        values = np.atleast_1d(np.asarray(at, dtype=float))
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if values.ndim != 1 or not np.isfinite(values).all() or not len(values):
        raise DataError(
            "Values of the moderator are one or several numbers, none of them missing or infinite."
        )
    return values
