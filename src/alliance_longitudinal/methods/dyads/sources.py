"""The same relation seen by different raters: same-source and cross-source correlations, and what agreement allows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.frames import Codes, Floats, groups
from alliance_longitudinal.methods.basics.rows import check_varies, complete_rows
from alliance_longitudinal.sentences import say

#: A correlation of raters below this says nothing of what they have in common.
_NO_AGREEMENT = 0.05
#: Estimates that are correlations themselves, whose limits are Fisher's.
_CORRELATIONS = ("r_", "same", "cross", "agreement_")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class BySource(Estimates):
    """Correlations of ``x`` and ``y`` by who rated them.

    Attributes
    ----------
    pair : pair of str
        Raters of ``x`` and ``y`` behind ``cross``.
    n, clusters, n_dropped : int
        Rows used, clusters, rows left out for a missing value.
    """

    pair: tuple[str, str]
    n: int
    clusters: int
    n_dropped: int

    def _title(self) -> str:
        return "Correlations by source"

    def _facts(self) -> list[str]:
        return [f"{self.n} rows in {self.clusters} clusters, {self.n_dropped} rows without a value"]

    def _limits(self, alpha: float) -> pd.DataFrame:
        """Correlations on Fisher's scale, the others by t."""
        plain = Estimates._limits(self, alpha)
        t = float(distributions.t.ppf(1 - alpha / 2, self.clusters - 1))
        for name, value in self.params.items():
            if str(name).startswith(_CORRELATIONS) and abs(value) < 1:
                half = t * float(self.bse[name]) / (1 - value**2)
                plain.loc[name] = np.tanh([np.arctanh(value) - half, np.arctanh(value) + half])
        return plain


def by_source(
    frame: pd.DataFrame,
    x: Mapping[str, str],
    y: Mapping[str, str],
    adjust: Sequence[str] = (),
    group: str | None = None,
    cluster: str | None = None,
) -> BySource:
    """Correlate ``x`` and ``y`` for every pair of raters, in the same rows.

    A rater's mood or style (halo) raises the correlation of two ratings by the same person: ``same`` is that of
    the first rater. ``cross`` has two raters: the first rater's ``x`` with another's ``y`` or, if ``y`` has one
    rater only, another's ``x`` with the first rater's ``y``. It is free of what one rater adds to both, but
    *not* unbiased: it is lowered by everything that raters see differently. ``corrected`` divides it by the
    square root of the raters' agreement. With two raters of both,

    ``corrected = sqrt(r(x1, y2) r(x2, y1) / (r(x1, x2) r(y1, y2)))``,

    which does not need equally valid raters, only errors that are independent between them (Campbell & Fiske
    1959, doi 10.1037/h0046016; Spearman's correction). With two raters on one side only, it is ``cross``
    divided by the square root of that side's agreement. This assumes that both raters are equally valid, and
    leaves the other side uncorrected. It is a bound rather than an estimate: raters who share errors, such as
    knowledge of the same events, agree more and are corrected less; raters who truly see different things are
    corrected too much.

    All correlations are partial: given ``adjust`` and, with ``group``, within groups. Their covariance is that
    of the estimating functions ``u v - r (u^2 + v^2) / 2``, summed by cluster (Steiger & Hakstian 1982,
    doi 10.1111/j.2044-8317.1982.tb00653.x, without clusters; no normal distribution is assumed). Tests and
    intervals use t, with the number of clusters minus one as degrees of freedom.

    Parameters
    ----------
    frame : DataFrame
        One row per case. Not changed. Rows with a missing value in any of the columns are left out.
    x, y : mapping of str to str
        Rater to column. A rater with the same name in both is the same person; the first rater must be the same
        in both.
    adjust : sequence of str
        Columns that are held constant.
    group : str, optional
        Column of groups (therapists): correlations are within them.
    cluster : str, optional
        Column of independent units; by default ``group``, or the rows if neither is given.

    Returns
    -------
    BySource
        ``params``: ``r_<rater of x>_<rater of y>``; ``agreement_x`` and ``agreement_y`` of the first two raters
        where there are two; ``same, cross, difference, corrected``. ``corrected`` is missing if raters hardly
        agree or if it would lie outside -1 to 1.

    Raises
    ------
    DataError
        If columns are missing or do not vary, there is one rater only, the first raters differ, or rows or clusters are too few.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> rng = np.random.default_rng(1)
    >>> alliance, halo, noise = rng.normal(size=500), rng.normal(size=500), rng.normal(size=(500, 3))
    >>> gain = 0.5 * alliance + rng.normal(size=500)
    >>> ratings = pd.DataFrame({"a_client": alliance + halo, "a_therapist": alliance + noise[:, 0],
    ...                         "y_client": gain + halo, "y_clinician": gain + noise[:, 1]})
    >>> found = methods.by_source(ratings, {"client": "a_client", "therapist": "a_therapist"},
    ...                           {"client": "y_client", "clinician": "y_clinician"})
    >>> found.params[["same", "cross", "corrected"]].round(2).tolist()
    [0.73, 0.18, 0.44]
    """
    if len(x) + len(y) < 3:
        raise DataError("x and y have one rater each. A comparison of sources needs a second rater of one.")
    first = next(iter(x), ""), next(iter(y), "")
    if first[0] != first[1] or not first[0]:
        raise DataError(
            f"The first rater of x is {first[0]!r} and that of y is {first[1]!r}. The first has to be the same person in both."
        )
    data, codes, clusters, dropped = _rows(frame, x, y, adjust, group, cluster)
    names = [*(f"x_{k}" for k in range(len(x))), *(f"y_{k}" for k in range(len(y)))]
    given = data[[f"adjust_{k}" for k in range(len(adjust))]].to_numpy(float)
    z, fitted = _standard(data[names].to_numpy(float), given, codes, [*x.values(), *y.values()])
    if clusters.max() < 3 or len(z) < fitted + 5:
        n = int(clusters.max()) + 1
        raise DataError(
            f"{len(z)} complete rows in {n} cluster{'' if n == 1 else 's'} are too few for correlations with an interval."
        )
    return _result(z, fitted, clusters, tuple(x), tuple(y), dropped)


def _rows(
    frame: pd.DataFrame,
    x: Mapping[str, str],
    y: Mapping[str, str],
    adjust: Sequence[str],
    group: str | None,
    cluster: str | None,
) -> tuple[pd.DataFrame, Codes | None, Codes, int]:
    """Complete rows under plain names, their groups and clusters from 0, and how many were left out."""
    numeric = {f"x_{k}": c for k, c in enumerate(x.values())} | {
        f"y_{k}": c for k, c in enumerate(y.values())
    }
    numeric |= {f"adjust_{k}": c for k, c in enumerate(adjust)}
    ids = {"group": group} if group is not None else {}
    ids |= {"cluster": cluster} if cluster is not None else {}
    rows = complete_rows(frame, numeric, {k: v for k, v in ids.items() if v is not None}, least=10)
    for name, column in numeric.items():
        check_varies(rows.values(name), column, "A correlation needs values that differ.")
    data = rows.data
    codes = groups(data, "group")[0] if group is not None else None
    if cluster is not None:
        clusters = groups(data, "cluster")[0]
    else:
        clusters = np.arange(len(data), dtype=np.int64) if codes is None else codes
    return data, codes, clusters, rows.n_dropped


def _standard(values: Floats, adjust: Floats, codes: Codes | None, columns: list[str]) -> tuple[Floats, int]:
    """Standardised residuals of each column, and how many coefficients were fitted (with one for each group)."""
    count = 1 if codes is None else int(codes.max()) + 1
    code = np.zeros(len(values), dtype=np.int64) if codes is None else codes
    size = np.bincount(code, minlength=count)[:, None]

    def centred(v: Floats) -> Floats:
        sums = np.column_stack([np.bincount(code, column, count) for column in v.T])
        return np.asarray(v - (sums / size)[code], dtype=np.float64)

    rest = centred(values)
    rank = 0
    if adjust.shape[1]:
        basis = centred(adjust)
        rank = int(np.linalg.matrix_rank(basis))
        rest = rest - basis @ np.linalg.lstsq(basis, rest, rcond=None)[0]
    sd = np.sqrt((rest**2).mean(axis=0))
    flat = [c for c, s, v in zip(columns, sd, values.T, strict=True) if s <= 1e-9 * np.std(v)]
    if flat:
        raise DataError(
            f"Nothing of {flat[0]!r} is left within groups and given the adjustment. Leave one of them out."
        )
    return rest / sd, count + rank


def _result(
    z: Floats, fitted: int, clusters: Codes, x: tuple[str, ...], y: tuple[str, ...], dropped: int
) -> BySource:
    nx = len(x)
    places = {f"r_{a}_{b}": (i, nx + k) for i, a in enumerate(x) for k, b in enumerate(y)}
    if nx > 1:
        places["agreement_x"] = (0, 1)
    if len(y) > 1:
        places["agreement_y"] = (nx, nx + 1)
    r = {name: float((z[:, i] * z[:, k]).mean()) for name, (i, k) in places.items()}
    scores = np.column_stack(
        [z[:, i] * z[:, k] - r[name] * (z[:, i] ** 2 + z[:, k] ** 2) / 2 for name, (i, k) in places.items()]
    )
    total = int(clusters.max()) + 1
    sums = np.column_stack([np.bincount(clusters, c, total) for c in scores.T])
    n = len(z)
    cov = sums.T @ sums / n**2 * total / (total - 1) * n / (n - fitted)
    rows, values, pair, findings = _derived(r, x, y)
    turn = np.vstack([np.eye(len(r)), rows])
    return BySource(
        params=pd.Series([*r.values(), *values.values()], index=[*r, *values], name="estimate"),
        covariance=turn @ cov @ turn.T,
        dof=float(total - 1),
        findings=findings,
        pair=pair,
        n=n,
        clusters=total,
        n_dropped=dropped,
    )


def _derived(
    r: dict[str, float], x: tuple[str, ...], y: tuple[str, ...]
) -> tuple[Floats, dict[str, float], tuple[str, str], tuple[Finding, ...]]:
    """Same, cross, difference and corrected: their slopes by the correlations, and values."""
    names = list(r)
    same = f"r_{x[0]}_{y[0]}"
    pair = (x[0], y[1]) if len(y) > 1 else (x[1], y[0])
    cross = f"r_{pair[0]}_{pair[1]}"

    def unit(**weights: float) -> Floats:
        return np.array([weights.get(name, 0.0) for name in names])

    agreed = [name for name in ("agreement_x", "agreement_y") if name in r]
    top = [cross, f"r_{x[1]}_{y[0]}"] if len(agreed) == 2 else [cross]
    corrected, slope = float("nan"), np.full(len(names), np.nan)
    findings: tuple[Finding, ...] = ()
    # With two raters of both: the root of the product; its logarithm has the derivatives 1 / (2 r).
    share = 0.5 if len(top) == 2 else 1.0
    signs = {float(np.sign(r[name])) for name in top}
    if min(r[name] for name in agreed) >= _NO_AGREEMENT and len(signs) == 1 and 0.0 not in signs:
        size = np.prod([abs(r[t]) ** share for t in top]) / np.sqrt(np.prod([r[a] for a in agreed]))
        if size < 1:
            corrected = float(signs.pop() * size)
            weights = {t: share / r[t] for t in top} | {a: -0.5 / r[a] for a in agreed}
            slope = corrected * unit(**weights)
    if np.isnan(corrected):
        message = say(
            "The cross-source correlation cannot be corrected for what raters do not see alike: they hardly agree, the correlations "
            "differ in sign, or the correction leads beyond one."
        )
        findings = (Finding("not_corrected", "info", message),)
    values = {"same": r[same], "cross": r[cross], "difference": r[same] - r[cross], "corrected": corrected}
    slopes = [unit(**{same: 1}), unit(**{cross: 1}), unit(**{same: 1, cross: -1}), slope]
    return np.vstack(slopes), values, pair, findings
