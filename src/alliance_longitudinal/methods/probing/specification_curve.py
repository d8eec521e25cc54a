"""One question answered under every defensible choice, and all answers judged together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Number
from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.estimates import Text
from alliance_longitudinal.methods.basics.frames import (
    Codes,
    Floats,
    check_columns,
    groups,
    is_number,
    names_of,
)
from alliance_longitudinal.sentences import say

Run = Callable[[pd.DataFrame, Any], Any]
Permute = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]
FIGURES = ("estimate", "se", "df", "n")
#: What the table adds to the choices of a specification.
ADDED = (*FIGURES, "t", "p", "lower", "upper", "significant")
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a curve is judged by, of the data or of one permutation."""

    median: float
    n_significant: int
    mean_t: float


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

    def tidy(self) -> pd.DataFrame:
        """The table in the order of the estimates: the curve."""
        return self.table.sort_values("estimate", kind="stable")

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


def specification_curve(
    frame: pd.DataFrame,
    specifications: "Sequence[Any] | pd.DataFrame",
    run: Run,
    permute: Permute | None = None,
    n_perm: int = 500,
    seed: int = 0,
) -> SpecificationCurve:
    """Estimate an effect under every specification, and test all of them together by permutation.

    Simonsohn, Simmons & Nelson (2020, doi 10.1038/s41562-020-0912-z). The same specifications are run on permuted data, in
    which there is no effect but all that the specifications share; the curve of the data is compared with those.

    Parameters
    ----------
    frame : DataFrame
        Not changed.
    specifications : sequence or DataFrame
        What ``run`` is given one after the other: mappings of choices (or the rows of a frame) become columns of the table,
        anything else the column ``specification``.
    run : callable
        ``run(frame, specification)`` returns ``estimate, se, df, n``: a tuple in this order, a mapping, or an object with these
        names. Where a specification cannot be estimated, its estimate is NaN.
    permute : callable, optional
        ``permute(frame, rng)`` returns a frame without the effect; `permuter` makes one. Without it there is no joint test.
    n_perm : int
        Number of permutations.
    seed : int

    Returns
    -------
    SpecificationCurve

    Raises
    ------
    DataError
        If there is no specification, ``run`` does not return its four numbers, none can be estimated, or ``n_perm`` is no
        number of permutations.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> rng = np.random.default_rng(1)
    >>> data = pd.DataFrame({"a": rng.normal(size=60), "g": np.repeat(range(6), 10)})
    >>> data["y"] = -0.5 * data["a"] + rng.normal(size=60)
    >>> def run(rows, choice):
    ...     rows = rows[rows["a"].abs() < choice["within"]]
    ...     return methods.clustered_slope(rows["y"], np.column_stack([np.ones(len(rows)), rows["a"]]), rows["g"])
    >>> choices = [{"within": limit} for limit in (1.5, 2.0, 9.0)]
    >>> curve = methods.specification_curve(data, choices, run, methods.permuter("a", within="g"), n_perm=99)
    >>> curve.n_significant, curve.p_median
    (3, 0.02)
    """
    given = _specifications(specifications)
    if isinstance(n_perm, bool) or not is_number(n_perm) or n_perm < 1 or n_perm != int(n_perm):
        raise DataError(f"n_perm is {n_perm!r}; it is the number of permutations, 1 or more.")
    cells = np.array([_figures(run(frame, one), one) for one in given])
    table = _table(given, cells)
    if table["estimate"].isna().all():
        raise DataError("No specification could be estimated; all estimates are missing.")
    own = _statistics(cells)
    signs = np.sign(cells[:, 0][~np.isnan(cells[:, 0])])
    drawn: list[Statistics] = []
    if permute is not None:
        rng = np.random.default_rng(seed)
        for _ in range(int(n_perm)):
            permuted = permute(frame, rng)
            drawn.append(_statistics(np.array([_figures(run(permuted, one), one) for one in given])))
    null = pd.DataFrame(
        [(s.median, s.n_significant, s.mean_t) for s in drawn], columns=["median", "n_significant", "mean_t"]
    )
    return SpecificationCurve(
        table=table,
        median=own.median,
        n_significant=own.n_significant,
        share_same_sign=float(np.mean(signs == np.sign(own.median))),
        mean_t=own.mean_t,
        p_median=_joint(null["median"].abs(), abs(own.median)),
        p_significant=_joint(null["n_significant"], own.n_significant),
        p_mean_t=_joint(null["mean_t"].abs(), abs(own.mean_t)),
        expected_significant=float(null["n_significant"].mean()) if drawn else float("nan"),
        permuted=null,
        findings=_findings(table),
    )


def permuter(columns: str | Sequence[str], within: str | None = None) -> Permute:
    """A function for `specification_curve` that shuffles columns together over the rows, within groups if they are named.

    The columns of a row stay together, so that all specifications see the same person's history; what they have in common
    with the groups stays.

    Parameters
    ----------
    columns : str or sequence of str
    within : str, optional
        Column of the groups.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> rows = pd.DataFrame({"early": [1, 2, 3, 4], "late": [1, 2, 3, 4], "therapist": list("aabb")})
    >>> methods.permuter(["early", "late"], within="therapist")(rows, np.random.default_rng(2))["early"].tolist()
    [1, 2, 4, 3]
    """
    names = names_of(columns)

    def permute(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        check_columns(frame, names if within is None else (*names, within))
        codes = np.zeros(len(frame), dtype=np.int64) if within is None else _codes(frame, within)
        places = np.argsort(codes, kind="stable")
        source = np.empty(len(frame), dtype=np.int64)
        source[places] = np.lexsort((rng.random(len(frame)), codes))
        return frame.assign(**{name: frame[name].array[source] for name in names})

    return permute


def _codes(frame: pd.DataFrame, within: str) -> Codes:
    """Codes of the groups: quickly, since it is done for each permutation; ids that need care are read with it."""
    codes = pd.factorize(frame[within])[0]
    return groups(frame, within)[0] if (codes < 0).any() else codes.astype(np.int64)


def _specifications(given: Any) -> list[Any]:
    found = given.to_dict("records") if isinstance(given, pd.DataFrame) else list(given)
    if not found:
        raise DataError("There is no specification. Give at least one.")
    taken = sorted({str(k) for one in found if isinstance(one, Mapping) for k in one if k in ADDED})
    if taken:
        raise DataError(f"A choice is called {taken[0]!r}, which is a column of the table. Rename it.")
    return found


def _figures(cell: Any, specification: Any) -> Floats:
    """The four numbers of one specification, shape (4,)."""
    if isinstance(cell, Mapping):
        found = [cell.get(name) for name in FIGURES]
    elif all(hasattr(cell, name) for name in FIGURES):
        found = [getattr(cell, name) for name in FIGURES]
    else:
        found = list(cell) if isinstance(cell, tuple | list | np.ndarray) else []
    if len(found) != 4 or not all(is_number(value) for value in found):
        raise DataError(
            f"run has to return estimate, se, df and n; for {specification!r} it returned {cell!r}."
        )
    return np.asarray(found, dtype=float)


def _t_and_p(cells: Floats) -> tuple[Floats, Floats]:
    t = np.divide(cells[:, 0], cells[:, 1], out=np.full(len(cells), np.nan), where=cells[:, 1] > 0)
    return t, np.asarray(2 * distributions.t.sf(np.abs(t), cells[:, 2]))


def _statistics(cells: Floats) -> Statistics:
    known = cells[~np.isnan(cells[:, 0])]
    if not len(known):
        return Statistics(0.0, 0, 0.0)
    t, p = _t_and_p(known)
    median = float(np.median(known[:, 0]))
    along = (p < ALPHA) & (np.sign(t) == np.sign(median))
    there = t[~np.isnan(t)]
    return Statistics(median, int(along.sum()), float(there.mean()) if len(there) else 0.0)


def _joint(null: pd.Series, own: float) -> float:
    """Permutation p; a difference by rounding counts as equal."""
    if null.empty or np.isnan(own):
        return float("nan")
    return float((1 + np.sum(null >= own * (1 - 1e-12))) / (1 + len(null)))


def _table(given: list[Any], cells: Floats) -> pd.DataFrame:
    choices = [dict(one) if isinstance(one, Mapping) else {"specification": one} for one in given]
    t, p = _t_and_p(cells)
    half = distributions.t.ppf(1 - ALPHA / 2, cells[:, 2]) * cells[:, 1]
    figures = dict(zip(FIGURES, cells.T, strict=True)) | {"t": t, "p": p}
    figures |= {"lower": cells[:, 0] - half, "upper": cells[:, 0] + half, "significant": p < ALPHA}
    return pd.DataFrame(choices).assign(**figures)


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
