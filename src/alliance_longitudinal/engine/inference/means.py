"""Estimated marginal means and slopes: what the fixed part expects, averaged over a reference grid.

Searle, Speed and Milliken (1980), Am Stat 34:216-221; names and defaults as in emmeans.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Number
from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.design.design import DesignSpec
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.inference.adjust import adjusted, half_width
from alliance_longitudinal.engine.inference.grid import Grid, reference_grid
from alliance_longitudinal.engine.inference.protocol import Inference, contrast_table
from alliance_longitudinal.engine.options import Adjustment, MeanWeights, choose
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say

Names = str | Sequence[str] | None

#: A part of a function in a direction on which the data say nothing, above which it cannot be estimated.
_UNSEEN = 1e-8


@dataclass(frozen=True, slots=True, repr=False)
class MarginalMeans:
    """Marginal means or slopes.

    Attributes
    ----------
    frame : DataFrame
        The variables, then ``estimate, se, df, t, p, lower, upper``; missing where the data cannot tell (a combination of
        categories without rows). Standard errors and degrees of freedom are by the fit's own method.
    rows : ndarray, shape (r, p)
        Weights on the coefficients.
    findings : tuple of Finding
        That an average hides an interaction, or that something cannot be estimated.
    """

    frame: pd.DataFrame
    rows: Array
    unseen: Array
    specs: tuple[str, ...]
    by: tuple[str, ...]
    beta: Array
    inference: Inference
    findings: tuple[Finding, ...]

    def plot(self) -> Any:
        """The means as a matplotlib Figure: lines with bands over a number, else marks with intervals."""
        from alliance_longitudinal.present import plot

        return plot(self)

    def pairs(self, adjust: Adjustment = "tukey", *, alpha: float = 0.05) -> pd.DataFrame:
        """All differences, first minus second, within the levels of ``by``.

        Parameters
        ----------
        adjust : {"tukey", "holm", "none"}
            For the number of pairs within each level of ``by``. Limits are simultaneous: Tukey's, or Bonferroni's with
            ``"holm"``.

        Returns
        -------
        DataFrame
            The variables of ``by``, ``contrast, estimate, se, df, t, p, lower, upper, adjustment``; the last says in words
            what was done for the number of pairs.
        """
        choose("adjust", adjust, Adjustment)
        out = []
        blocks = (
            self.frame.groupby(list(self.by), observed=True, sort=False).indices if self.by else {(): None}
        )
        for places in blocks.values():
            at = np.arange(len(self.frame)) if places is None else np.asarray(places)
            if len(at) < 2:
                raise FitError(
                    "Differences need at least two means; there is one. Name the variable in specs=."
                )
            out.append(self._block(at, adjust, alpha))
        return pd.concat(out, ignore_index=True)

    def _block(self, at: Index, adjust: Adjustment, alpha: float) -> pd.DataFrame:
        first, second = np.array(list(combinations(at, 2))).T
        words = self.frame[list(self.specs)].astype(str).agg(" ".join, axis=1).to_numpy()
        labels = [f"{a} - {b}" for a, b in zip(words[first], words[second], strict=True)]
        table = _table(
            self.inference,
            self.beta,
            self.rows[first] - self.rows[second],
            self.unseen[first] - self.unseen[second],
            alpha,
        )
        t, df = table["t"].to_numpy(), table["df"].to_numpy()
        half = half_width(df, adjust, len(at), alpha) * table["se"]
        table = table.assign(
            p=adjusted(t, df, adjust, len(at)), lower=table["estimate"] - half, upper=table["estimate"] + half
        )
        table.insert(0, "contrast", labels)
        table["adjustment"] = _in_words(adjust, len(at))
        for name in reversed(self.by):
            table.insert(0, name, self.frame[name].iloc[at[0]])
        return table

    def __repr__(self) -> str:
        return str(self.frame)

    def _repr_html_(self) -> str:
        return str(self.frame.to_html(border=0, index=False))


def _in_words(adjust: Adjustment, means: int) -> str:
    """What was done for the number of pairs."""
    pairs = means * (means - 1) // 2
    if adjust == "none" or pairs == 1:
        return "none" if adjust == "none" else "none: one pair only"
    if adjust == "tukey":
        return f"Tukey, {means} means"
    return f"p: Holm, limits: Bonferroni, {pairs} pairs"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: variables, values of others, blocks, weights of what is averaged over, error rate."""

    specs: tuple[str, ...]
    by: tuple[str, ...]
    at: Mapping[str, Any]
    weights: str
    alpha: float

    @classmethod
    def of(
        cls, specs: Names, by: Names, at: Mapping[str, Any] | None, weights: MeanWeights, alpha: float
    ) -> "Question":
        """Read what a user passes."""
        choose("weights", weights, MeanWeights)
        blocks = tuple(dict.fromkeys(_names(by)))
        wanted = tuple(name for name in dict.fromkeys(_names(specs)) if name not in blocks)
        return cls(wanted, blocks, dict(at or {}), weights, alpha)


def _names(names: Names) -> tuple[str, ...]:
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)


def marginal_means(
    fit: MixedFit, spec: DesignSpec, inference: Inference, data: pd.DataFrame | None, asked: Question
) -> MarginalMeans:
    """Means over the reference grid; an offset is taken at its mean.

    Raises
    ------
    FitError
        Unknown variable or category, or a numeric variable without values.
    """
    if not asked.specs:
        raise FitError("Name the variables whose means are wanted: res.means('arm').")
    grid = _grid(fit, spec, data, asked)
    rows, unseen = grid.functions(grid.points)
    offset = 0.0 if fit.design.offset is None else float(fit.design.offset.mean())
    return _averaged(fit, inference, grid, asked, rows, unseen, offset, ())


def marginal_slopes(
    fit: MixedFit,
    spec: DesignSpec,
    inference: Inference,
    data: pd.DataFrame | None,
    variable: str,
    asked: Question,
) -> MarginalMeans:
    """Slopes of a numeric variable over the reference grid, by central differences of a thousandth of its range.

    Raises
    ------
    FitError
        Unknown or categorical variable.
    """
    grid = _grid(fit, spec, data, asked)
    if variable not in grid.points.columns or variable in grid.factors:
        numeric = [name for name in grid.points.columns if name not in grid.factors]
        raise FitError(
            f"{variable!r} is not a numeric variable of the fixed part. There are: {', '.join(numeric) or 'none'}."
        )
    step = 1e-3 * float(np.ptp(grid.rows[variable].to_numpy(dtype=float))) / 2
    ends = [
        grid.functions(grid.points.assign(**{variable: grid.points[variable].astype(float) + sign * step}))
        for sign in (1, -1)
    ]
    rows, unseen = ((up - down) / (2 * step) for up, down in zip(*ends, strict=True))
    return _averaged(fit, inference, grid, asked, rows, unseen, 0.0, (variable,))


def _grid(fit: MixedFit, spec: DesignSpec, data: pd.DataFrame | None, asked: Question) -> Grid:
    if data is None:
        raise FitError(
            "Marginal means and slopes need the data of the fit, which these results do not hold. Ask for weighted sums of "
            "the coefficients with contrast(), or fit the rows in memory with from_formula."
        )
    rows = data.loc[fit.design.kept]
    grid = reference_grid(spec, rows, asked.at)
    for name in (*asked.specs, *asked.by):
        if name not in grid.points.columns:
            there = ", ".join(map(str, grid.points.columns)) or "none"
            raise FitError(f"{name!r} is not a variable of the fixed part. There are: {there}.")
        if name not in grid.factors and name not in asked.at:
            raise FitError(
                f"{name!r} is numeric: give the values to compare, as in at={{{name!r}: [0, 10]}}."
            )
    return grid


def _averaged(
    fit: MixedFit,
    inference: Inference,
    grid: Grid,
    asked: Question,
    rows: Array,
    unseen: Array,
    offset: float,
    about: tuple[str, ...],
) -> MarginalMeans:
    """Average functions of the coefficients over everything that is not asked for."""
    kept = [*asked.by, *asked.specs]
    over = [name for name in grid.points.columns if name not in kept]
    weights = grid.weights(over, asked.weights)
    groups = _blocks(grid.points[kept])
    share = np.zeros((groups.max() + 1, len(rows)))
    share[groups, np.arange(len(rows))] = weights
    total = share.sum(axis=1, keepdims=True)
    share = np.where(total > 0, share / np.where(total > 0, total, 1.0), np.nan)
    table = _table(inference, fit.beta, share @ rows, share @ unseen, asked.alpha)
    table[["estimate", "lower", "upper"]] += offset
    if offset:
        table[["t", "p"]] = np.nan  # a test against zero would be about the offset
    first = np.unique(groups, return_index=True)[1]
    labels = grid.points[kept].iloc[first].reset_index(drop=True)
    frame = pd.concat([labels[[*asked.specs, *asked.by]], table], axis=1)
    findings = _findings(grid, asked, over, about, frame)
    return MarginalMeans(
        frame, share @ rows, share @ unseen, asked.specs, asked.by, fit.beta, inference, findings
    )


def _blocks(points: pd.DataFrame) -> Index:
    """Number of each point's combination of values, the first column's values varying slowest."""
    out = np.zeros(len(points), dtype=np.intp)
    for name in points.columns:
        codes, levels = pd.factorize(points[name])
        out = out * len(levels) + codes
    return np.asarray(np.unique(out, return_inverse=True)[1], dtype=np.intp)


def _table(inference: Inference, beta: Array, rows: Array, unseen: Array, alpha: float) -> pd.DataFrame:
    """Estimates and tests, missing where a function cannot be estimated."""
    size = np.maximum(np.abs(rows).max(axis=1, initial=0.0), 1e-300)
    known = (np.abs(unseen).max(axis=1, initial=0.0) < _UNSEEN * np.maximum(size, 1.0)) & rows.any(axis=1)
    known &= np.isfinite(rows).all(axis=1)
    out = pd.DataFrame(
        np.nan, index=range(len(rows)), columns=["estimate", "se", "df", "t", "p", "lower", "upper"]
    )
    if known.any():
        out.loc[known] = contrast_table(
            inference, beta, rows[known], [""] * int(known.sum()), alpha
        ).to_numpy()
    return out


def _findings(
    grid: Grid, asked: Question, over: list[str], about: tuple[str, ...], frame: pd.DataFrame
) -> tuple[Finding, ...]:
    out = []
    mine = {*asked.specs, *about}
    hidden = set()
    for term in grid.spec.fixed.terms:
        names = {str(n) for f in term.factors for n in grid.spec.fixed.factor_variables.get(f, ())}
        if names & mine and (names - mine) & set(over):
            hidden |= (names - mine) & set(over)
    hidden -= set(asked.at)
    if hidden:
        out.append(
            Finding(
                "averages_hide_interaction",
                "info",
                say(
                    "{mine} interacts with {hidden}, so an average over {them} may not apply to "
                    "anybody. Ask for each value with by= or at=.",
                    mine=", ".join(sorted(mine)),
                    hidden=", ".join(sorted(hidden)),
                    them="it" if len(hidden) == 1 else "them",
                ),
            )
        )
    lost = int(frame["estimate"].isna().sum())
    if lost:
        out.append(
            Finding(
                "not_estimable",
                "caution",
                say(
                    "{lost} of {all:noun} cannot be estimated: the data have no rows for some combination of categories.",
                    lost=Number(lost, "integer"),
                    all=Number(len(frame), "integer", "value"),
                ),
            )
        )
    return tuple(out)
