"""The effect of the alliance along a number: at each value, and where it is clearly not zero."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Fitted
from alliance_longitudinal.analyses.moderators.compute import Model


@dataclass(frozen=True, slots=True)
class Line:
    """The effect of the alliance along a number: where it is clearly not zero.

    Attributes
    ----------
    values : ndarray
        Evenly spaced from the lowest to the highest value in the data.
    slopes : DataFrame
        At them: ``estimate, se, df, lower, upper, q, significant`` (false discovery rate over the values).
    roots : tuple of float
        Values at which clearness begins or ends, within the data.
    clear : tuple of (float, float)
        Ranges within the data in which the effect is clear.
    outside : bool
        Whether it is clear beyond all roots of the whole line, inside the data or not.
    inside_data : int
        Clients in the clear ranges.
    """

    values: "np.ndarray[Any, np.dtype[np.float64]]"
    slopes: pd.DataFrame
    roots: tuple[float, ...]
    clear: tuple[tuple[float, float], ...]
    outside: bool
    inside_data: int

    @property
    def flag(self) -> str:
        """Where the effect is clear within the data, seen from the limits of significance there."""
        if not self.roots:
            return "everywhere" if self.clear else "nowhere"
        last = self.clear[-1][1] >= self.values[-1]
        if len(self.roots) == 1:
            return "above the limit" if last else "below the limit"
        return "beyond the limits" if last else "between the limits"

    @property
    def fdr(self) -> tuple[tuple[float, float], ...]:
        """Ranges in which the effect is clear with the false discovery rate controlled over the values."""
        return runs(self.values, self.slopes["significant"].to_numpy(bool))


class Probed:
    """A fitted model as ``johnson_neyman`` asks it, with an upper bound for degrees of freedom."""

    def __init__(self, fitted: Fitted, bound: float) -> None:
        self.fitted, self.bound = fitted, bound
        self.params = fitted.result.params

    def cov_params(self) -> pd.DataFrame:
        """Covariance of the coefficients."""
        return pd.DataFrame(self.fitted.result.cov_params())

    def contrast(self, weights: "np.ndarray[Any, np.dtype[np.float64]]") -> pd.DataFrame:
        """``estimate, se, df`` of each row."""
        if self.fitted.mixed:
            table = self.fitted.result.contrast(weights)
            return pd.DataFrame(table.assign(df=np.minimum(table["df"], self.bound)))
        covariance = np.asarray(self.cov_params())
        variance = np.einsum("ij,jk,ik->i", weights, covariance, weights)
        return pd.DataFrame(
            {
                "estimate": weights @ self.params.to_numpy(),
                "se": np.sqrt(variance),
                "df": min(float(self.fitted.result.df_resid), self.bound),
            }
        )


def line_of(model: Model, points: int = 81) -> Line | None:
    """The effect of the alliance along the moderator; None for categories and where it is not in the model."""
    from alliance_longitudinal.methods import johnson_neyman

    design = model.design
    focal, product = model.term(design.part), model.term(design.part, design.along)
    if design.categories or focal is None or product is None:
        return None
    probed = Probed(model.judged, model.bound(design.part, design.along))
    rest = product.replace(focal, "").strip(":") if focal in product else ""
    if f"{focal}:{rest}" != product and f"{rest}:{focal}" != product:
        probed.params = probed.params.rename({product: f"{focal}:{design.along}"})
        rest = design.along
    found = johnson_neyman(probed, focal=focal, moderator=rest)
    raw = design.clients["moderator"].to_numpy(float)
    low, high = float(raw.min()), float(raw.max())
    roots = tuple(r + design.centre for r in found.roots if low < r + design.centre < high)
    edges = [low, *roots, high]
    middles = np.array([(a + b) / 2 for a, b in pairwise(edges)]) - design.centre
    significant = found.slopes(middles)["p"].to_numpy() < found.alpha
    clear = tuple((a, b) for (a, b), yes in zip(pairwise(edges), significant, strict=True) if yes)
    values = np.linspace(low, high, points)
    inside = np.zeros(len(raw), dtype=bool)
    for a, b in clear:
        inside |= (raw >= a) & (raw <= b)
    table = found.fdr(values - design.centre)
    return Line(values, table, roots, clear, found.outside, int(inside.sum()))


def runs(
    values: "np.ndarray[Any, np.dtype[np.float64]]", yes: "np.ndarray[Any, np.dtype[np.bool_]]"
) -> tuple[tuple[float, float], ...]:
    """First and last value of each unbroken run of ``yes``.

    Examples
    --------
    >>> import numpy as np
    >>> runs(np.array([1.0, 2, 3, 4]), np.array([True, True, False, True]))
    ((1.0, 2.0), (4.0, 4.0))
    """
    padded = np.concatenate([[False], yes, [False]]).astype(int)
    steps = np.diff(padded)
    return tuple(
        (float(values[a]), float(values[b - 1]))
        for a, b in zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1), strict=True)
    )
