"""A specification curve: estimates of one effect under many choices, and what permutations say of all together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Number
from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.estimates import Text
from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.sentences import say

FIGURES = ("estimate", "se", "df", "n")
#: What the table adds to the choices of a specification.
ADDED = (*FIGURES, "t", "p", "lower", "upper", "significant")
ALPHA = 0.05
STATISTICS = ["median", "n_significant", "mean_t"]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SpecificationCurve:
    """Estimates of one effect under many specifications.

    Attributes
    ----------
    table : DataFrame
        One row per specification, in the order given: its choices, ``estimate, se, df, n, t, p, lower, upper, significant``
        (5 %, two-sided).
    median : float
        Median estimate.
    n_significant : int
        Specifications that are significant in the direction of the median.
    share_same_sign : float
        Share of the estimates with the sign of the median.
    mean_t : float
        Mean of estimates by their standard errors.
    p_median, p_significant, p_mean_t : float
        Share of permutations whose median (mean t) is as far from zero, or that have as many significant specifications in the
        direction of their own median: ``(1 + exceedances) / (1 + n_perm)``. NaN without permutations.
    expected_significant : float
        Mean number of significant specifications under permutation.
    permuted : DataFrame
        ``median, n_significant, mean_t`` of each permutation.
    findings : tuple of Finding
    draws : ndarray, shape (n_perm, specifications, 4)
        ``estimate, se, df, n`` of each specification in each permutation.
    """

    table: pd.DataFrame
    median: float
    n_significant: int
    share_same_sign: float
    mean_t: float
    p_median: float
    p_significant: float
    p_mean_t: float
    expected_significant: float
    permuted: pd.DataFrame
    findings: tuple[Finding, ...] = ()
    draws: Floats = field(default_factory=lambda: np.empty((0, 0, 4)))

    def tidy(self) -> pd.DataFrame:
        """The table in the order of the estimates: the curve."""
        return self.table.sort_values("estimate", kind="stable")

    def part(self, rows: Any) -> "SpecificationCurve":
        """The curve of some of the specifications alone, judged by the same permutations.

        Specifications that ask another question (bond for the whole alliance, say) are curves of their own.

        Parameters
        ----------
        rows : array-like
            Truth values for the rows of the table, or their places.

        Raises
        ------
        DataError
            If none of them could be estimated.
        """
        places = np.arange(len(self.table))[np.asarray(rows)]
        own = self.table.iloc[places].reset_index(drop=True)
        choices = own.drop(columns=list(ADDED))
        return curve_of(choices, own[list(FIGURES)].to_numpy(float), self.draws[:, places])

    def null_band(self, level: float = 0.95) -> pd.DataFrame:
        """Where the sorted estimates lie in permuted data: ``lower, upper`` in the order of `tidy`, estimable ones only."""
        known = self.table["estimate"].notna().to_numpy()
        drawn = np.sort(self.draws[:, known, 0], axis=1)
        if not len(drawn):
            return pd.DataFrame({"lower": [np.nan] * int(known.sum()), "upper": np.nan})
        lower, upper = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return pd.DataFrame({"lower": lower, "upper": upper})

    def by_choice(self) -> pd.DataFrame:
        """How much of the differences between estimates each choice makes: ``choice, options, share``.

        The share is eta squared: what is lost of the explained squares when the choice is left out of a model with the main
        effects of all choices, by the total.
        """
        known = self.table.dropna(subset=["estimate"])
        names = [c for c in self.table.columns if c not in ADDED and len(set(known[c].map(repr))) > 1]
        y = known["estimate"].to_numpy(float) - known["estimate"].mean()
        codes = {name: pd.factorize(known[name].map(repr))[0] for name in names}

        def explained(used: list[str]) -> float:
            x = np.column_stack([np.ones(len(y)), *(np.eye(codes[c].max() + 1)[codes[c]] for c in used)])
            return float(np.sum((x @ np.linalg.lstsq(x, y, rcond=None)[0]) ** 2))

        total, whole = float(y @ y), explained(names)
        rows = [
            (
                name,
                codes[name].max() + 1,
                (whole - explained([c for c in names if c != name])) / total if total else 0.0,
            )
            for name in names
        ]
        return pd.DataFrame(rows, columns=["choice", "options", "share"])

    def summary(self) -> str:
        """The curve as text."""
        n = len(self.table)
        lines = [
            f"Specification curve of {n} specifications",
            f"Median estimate {self.median:.4g}; {100 * self.share_same_sign:.0f} % have its sign; {self.n_significant} of {n} are "
            "significant in its direction",
        ]
        if len(self.permuted):
            lines += [
                f"Against {len(self.permuted)} permutations: p = {self.p_median:.3g} (median), {self.p_significant:.3g} (number "
                f"significant, {self.expected_significant:.1f} expected), {self.p_mean_t:.3g} (mean t)"
            ]
        lines += ["", self.tidy().to_string(index=False, float_format=lambda v: f"{v:.4g}")]
        return Text("\n".join([*lines, *(f"{f.severity}: {f.message}" for f in self.findings)]))

    def __repr__(self) -> str:
        return f"<SpecificationCurve: {len(self.table)} specifications, median {self.median:.4g}; use .summary()>"


def curve_of(choices: pd.DataFrame, cells: Floats, draws: Floats) -> SpecificationCurve:
    """Put a curve together.

    Parameters
    ----------
    choices : DataFrame
        One row per specification.
    cells : ndarray, shape (specifications, 4)
        ``estimate, se, df, n``; the estimate is missing where it cannot be made.
    draws : ndarray, shape (n_perm, specifications, 4)
        The same in permuted data; no rows without permutations.
    """
    table = _table(choices, cells)
    if table["estimate"].isna().all():
        raise DataError("No specification could be estimated; all estimates are missing.")
    own = statistics(cells[None])
    median, significant, mean_t = (float(v) for v in own[0])
    null = pd.DataFrame(statistics(draws), columns=STATISTICS).astype({"n_significant": int})
    signs = np.sign(cells[:, 0][~np.isnan(cells[:, 0])])
    return SpecificationCurve(
        table=table,
        median=median,
        n_significant=int(significant),
        share_same_sign=float(np.mean(signs == np.sign(median))),
        mean_t=mean_t,
        p_median=_joint(null["median"].abs(), abs(median)),
        p_significant=_joint(null["n_significant"], significant),
        p_mean_t=_joint(null["mean_t"].abs(), abs(mean_t)),
        expected_significant=float(null["n_significant"].mean()) if len(null) else float("nan"),
        permuted=null,
        findings=_findings(table),
        draws=draws,
    )


def statistics(cells: Floats) -> Floats:
    """Median, number significant in its direction and mean t of curves, shape (k, 3), from figures of shape (k, specifications, 4).

    Specifications without an estimate are not counted.
    """
    out = np.zeros((len(cells), 3))
    known = ~np.isnan(cells[:, :, 0])
    some = known.any(axis=1)
    if not some.any():
        return out
    cells, known = cells[some], known[some]
    t, p = _t_and_p(cells)
    median = np.nanmedian(cells[:, :, 0], axis=1)
    along = known & (p < ALPHA) & (np.sign(t) == np.sign(median)[:, None])
    there = known & ~np.isnan(t)
    total = np.where(there, t, 0.0).sum(axis=1)
    out[some] = np.column_stack([median, along.sum(axis=1), total / np.maximum(there.sum(axis=1), 1)])
    return out


def _t_and_p(cells: Floats) -> tuple[Floats, Floats]:
    estimate, se, df = cells[..., 0], cells[..., 1], cells[..., 2]
    t = np.divide(estimate, se, out=np.full(estimate.shape, np.nan), where=se > 0)
    return t, np.asarray(2 * distributions.t.sf(np.abs(t), df))


def _joint(null: pd.Series, own: float) -> float:
    """Permutation p; a difference by rounding counts as equal."""
    if null.empty or np.isnan(own):
        return float("nan")
    return float((1 + np.sum(null >= own * (1 - 1e-12))) / (1 + len(null)))


def _table(choices: pd.DataFrame, cells: Floats) -> pd.DataFrame:
    t, p = _t_and_p(cells)
    half = distributions.t.ppf(1 - ALPHA / 2, cells[:, 2]) * cells[:, 1]
    figures = dict(zip(FIGURES, cells.T, strict=True)) | {"t": t, "p": p}
    figures |= {"lower": cells[:, 0] - half, "upper": cells[:, 0] + half, "significant": p < ALPHA}
    return choices.assign(**figures)


def choices_of(given: Sequence[Any]) -> pd.DataFrame:
    """What was given for each specification as columns: mappings by their keys, anything else as ``specification``."""
    return pd.DataFrame([dict(one) if isinstance(one, Mapping) else {"specification": one} for one in given])


def _findings(table: pd.DataFrame) -> tuple[Finding, ...]:
    lost = int(table["estimate"].isna().sum())
    if not lost:
        return ()
    return (
        Finding(
            "not_estimated",
            "caution",
            say(
                "{n:noun} could not be estimated and {n:is|are} not counted.",
                n=Number(lost, "integer", "specification"),
            ),
        ),
    )
