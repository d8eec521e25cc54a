"""One therapist with many clients, rated from both sides: variances by role and reciprocity."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Number
from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.curvature import hessian, jacobian, lowest
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.frames import (
    Codes,
    Floats,
    check_columns,
    groups,
    names_of,
    numbers,
)
from alliance_longitudinal.methods.basics.two_scores import TwoScores, solve, two_scores
from alliance_longitudinal.methods.dyads.profile import profile_limits
from alliance_longitudinal.sentences import say

#: Below this share of the whole variance a component counts as zero.
_ZERO = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class OneWithMany(Estimates):
    """Means, variances and reciprocities.

    Attributes
    ----------
    roles : tuple of str
        The two roles in the order of the estimates.
    variances : DataFrame
        By level (``therapist, client``, and ``session`` with sessions): a column for each role, ``cov`` and ``cor``. Without sessions
        the client's level holds all that is not the therapist's.
    llf : float
        Restricted log-likelihood.
    n, therapists, clients, n_dropped : int
        Ratings, therapists, clients, and rows left out for a missing value.
    """

    roles: tuple[str, str]
    variances: pd.DataFrame
    llf: float
    n: int
    therapists: int
    clients: int
    n_dropped: int
    _data: TwoScores = field(repr=False)
    _roots: Floats = field(repr=False)

    @property
    def recip_general(self) -> float:
        """Correlation of therapists' two effects: whether therapists who rate high have clients who rate high."""
        return float(self.params["recip_general"])

    @property
    def recip_dyadic(self) -> float:
        """Correlation of the pair's two effects: whether both see the same alliances as better than the therapist's others."""
        return float(self.params["recip_dyadic"])

    def profile(self, name: str, alpha: float = 0.05) -> tuple[float, float]:
        """Profile-likelihood limits of ``recip_general``, ``recip_dyadic`` or, with sessions, ``recip_session``.

        Raises
        ------
        DataError
            Another name.
        """
        # From the lowest level, as the roots are ordered.
        names = ["recip_session", "recip_dyadic", "recip_general"][-len(self.variances) :]
        if name not in names:
            known = ", ".join(names[:-1]) + f" or {names[-1]}"
            raise DataError(f"name is {name!r}; profile limits are those of {known}.")
        level = names.index(name)
        covs = covariances(self._roots)
        return profile_limits(self._data, covs, level, float(self.params[name]), -2 * self.llf, alpha)

    def _title(self) -> str:
        return "One with many"

    def _facts(self) -> list[str]:
        table = self.variances.to_string(float_format=lambda v: f"{v:.4g}")
        return [
            f"{self.n} ratings of {self.clients} clients by {self.therapists} therapists and by the clients",
            "",
            table,
        ]

    def _limits(self, alpha: float) -> pd.DataFrame:
        """Means by t; variances on the log scale, correlations on Fisher's scale."""
        z = float(distributions.norm.ppf(1 - alpha / 2))
        plain = Estimates._limits(self, alpha)
        for name, value in self.params.items():
            se = float(self.bse[name])
            if str(name).startswith("var_"):
                half = np.exp(z * se / value) if value > 0 and np.isfinite(se) else np.nan
                plain.loc[name] = [value / half, value * half]
            elif str(name).startswith("recip_"):
                half = z * se / (1 - value**2) if abs(value) < 1 and np.isfinite(se) else np.nan
                plain.loc[name] = (
                    np.tanh([np.arctanh(value) - half, np.arctanh(value) + half])
                    if np.isfinite(half)
                    else np.nan
                )
        return plain


def one_with_many(
    frame: pd.DataFrame, rating: str, role: str, therapist: str, client: str, session: str | None = None
) -> OneWithMany:
    """Split both raters' ratings into parts due to the therapist, the pair, and the session.

    The model ``y_ijr = m_r + u_jr + d_ijr (+ e_ijtr)`` for role r, client i, therapist j and session t has a 2
    by 2 covariance matrix of the roles at every level. It is fitted by REML (Marcus, Kashy & Baldwin 2009,
    doi 10.1037/a0017679; Kenny, Kashy & Cook 2006, chapter 10). The correlations are reciprocities:
    ``recip_general`` for therapists, ``recip_dyadic`` for clients. Without sessions, a client has one rating
    from each side, and the client-level covariance is that of everything the therapist does not explain.

    Parameters
    ----------
    frame : DataFrame
        One row per rating. Not changed. Rows without a rating are left out.
    rating, role, therapist, client : str
        Columns; ``role`` has two values, one for each rater.
    session : str, optional
        Column of sessions, if clients have several ratings from each side.

    Returns
    -------
    OneWithMany
        ``params``: ``mean_<role>, var_therapist_<role>, var_client_<role>, recip_general, recip_dyadic`` (with sessions
        also ``var_session_<role>`` and ``recip_session``).

    Raises
    ------
    DataError
        If columns are missing, there are not two roles, a client has several therapists, a rating occurs twice,
        or there are too few ratings.
    FitError
        If the model does not converge.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> rng = np.random.default_rng(1)
    >>> therapist, client = np.repeat(range(40), 8), np.arange(320)
    >>> u, d = rng.normal(size=(40, 2))[therapist], rng.normal(size=(320, 2)) + rng.normal(size=(320, 1))
    >>> ratings = pd.concat([pd.DataFrame({"role": r, "therapist": therapist, "client": client, "rating": 5 + u[:, k] + d[:, k]})
    ...                      for k, r in enumerate(("client", "therapist"))])
    >>> found = methods.one_with_many(ratings, "rating", "role", "therapist", "client")
    >>> round(found.recip_dyadic, 2)
    0.45
    """
    ids = [role, therapist, client, *([] if session is None else [session])]
    names_of([rating, *ids], "the arguments")
    check_columns(frame, [rating, *ids])
    values = numbers(frame, rating)
    coded = {name: groups(frame, name) for name in ids}
    roles = tuple(str(r) for r in coded[role][1])
    if len(roles) != 2:
        raise DataError(f"Column {role!r} holds {len(roles)} roles. One with many needs two: who rates.")
    there = ~np.isnan(values)
    wide = _wide(values, coded, ids, there)
    data, sizes = _sums(wide, therapist, client, session is not None)
    roots = _fit(data)
    return _result(data, roots, roles, int(there.sum()), sizes, int((~there).sum()))


def _wide(
    values: Floats,
    coded: "dict[str, tuple[Codes, list[object]]]",
    ids: list[str],
    there: Floats,
) -> pd.DataFrame:
    """One row per unit: therapist, client, session and the two scores."""
    role, therapist, client, *session = ids
    rows = pd.DataFrame(
        {"role": coded[role][0], "therapist": coded[therapist][0], "client": coded[client][0]}
    )
    rows["session"] = coded[session[0]][0] if session else 0
    rows["value"] = values
    rows = rows[there]
    keys = ["therapist", "client", "session"]
    twice = rows.duplicated([*keys, "role"])
    if twice.any():
        what = f"{client} and {session[0]}" if session else client
        n = int(twice.sum())
        raise DataError(
            f"{n} rating{' repeats' if n == 1 else 's repeat'} a role of one {what}. Keep one"
            f"{'' if session else ', or name the column of sessions'}."
        )
    return rows.set_index([*keys, "role"])["value"].unstack("role").reindex(columns=[0, 1]).reset_index()


def _sums(
    wide: pd.DataFrame, therapist: str, client: str, sessions: bool
) -> tuple[TwoScores, tuple[int, int]]:
    pairs = wide[["client", "therapist"]].drop_duplicates()
    if pairs["client"].duplicated().any():
        raise DataError(
            f"A {client} has several values of {therapist!r}. Where ids start again at each {therapist}, join both columns first."
        )
    top, tops = pd.factorize(wide["therapist"])
    low, lows = pd.factorize(wide["client"])
    n_top, n_low = len(tops), len(lows)
    if n_top < 3:
        raise DataError(
            f"There {'is' if n_top == 1 else 'are'} {n_top} {therapist}{'' if n_top == 1 else 's'} with ratings. At least three are needed."
        )
    both = wide[[0, 1]].notna().all(axis=1)
    enough = both & (
        wide.groupby("client")["session"].transform("size") > 1
        if sessions
        else wide.groupby("therapist")["client"].transform("size") > 1
    )
    if enough.sum() < 4:
        unit = f"{client} with several sessions" if sessions else f"{therapist} with several {client}s"
        raise DataError(
            f"Too few ratings from both sides: no {unit} rated by both. Check the column of roles."
        )
    first, second = wide[0].to_numpy(float), wide[1].to_numpy(float)
    ones = np.ones((n_top, 1))
    if not sessions:
        return two_scores(first, second, top.astype(np.int64), (), ones), (n_top, n_low)
    parent = np.zeros(n_low, dtype=np.int64)
    parent[low] = top
    return two_scores(first, second, low.astype(np.int64), (parent,), ones), (n_top, n_low)


def covariances(roots: Floats) -> "list[Floats]":
    """Covariances from Cholesky roots ``l11, l21, l22`` a level, lowest first."""
    out = []
    for a, b, c in roots.reshape(-1, 3):
        out.append(np.array([[a * a, a * b], [a * b, b * b + c * c]]))
    return out


def _deviance(data: TwoScores, roots: Floats) -> float:
    unit, *levels = covariances(roots)
    return solve(data, unit, levels, reml=True).deviance


def _starts(data: TwoScores) -> "list[Floats]":
    n, s = data.counts.sum(axis=0), data.squares
    total = data.sums.sum(axis=0)
    sd1 = np.sqrt(max((s[0] + s[3]) / (n[0] + n[1]) - ((total[0] + total[2]) / (n[0] + n[1])) ** 2, 1e-12))
    sd2 = np.sqrt(max((s[2] + s[4]) / (n[0] + n[2]) - ((total[1] + total[3]) / (n[0] + n[2])) ** 2, 1e-12))
    parts = data.levels + 1
    return [
        np.tile([w * sd1, 0.2 * w * sd2, w * sd2], parts)
        * np.r_[np.full(3, 1.0), np.full(3 * (parts - 1), shrink)]
        for w, shrink in ((0.6, 0.7), (0.8, 0.2))
    ]


def _fit(data: TwoScores) -> Floats:
    starts = _starts(data)
    scale = float(np.abs(starts[0]).max())
    return scale * lowest(
        lambda r: _deviance(data, r * scale), [s / scale for s in starts], "The one-with-many model"
    )


def _describe(roots: Floats) -> Floats:
    """Variances of both roles and correlation at each level, lowest first: shape (3 levels,)."""
    out: list[float] = []
    for cov in covariances(roots):
        v1, v2 = cov[0, 0], cov[1, 1]
        out += [v1, v2, cov[0, 1] / np.sqrt(v1 * v2) if v1 * v2 > 0 else np.nan]
    return np.array(out)


def _result(
    data: TwoScores, roots: Floats, roles: tuple[str, str], n: int, sizes: tuple[int, int], dropped: int
) -> OneWithMany:
    levels = ["session", "client", "therapist"][-(data.levels + 1) :]
    unit, *covs = covariances(roots)
    solved = solve(data, unit, covs, reml=True)
    described = _describe(roots)
    total = described[0::3].sum() + described[1::3].sum()
    zero = [i for i in range(len(levels)) if min(described[3 * i : 3 * i + 2]) < _ZERO * total]
    for i in zero:
        described[3 * i + 2] = np.nan
    spread = np.full((len(described),) * 2, np.nan)
    perfect = [i for i in range(len(levels)) if i not in zero and abs(described[3 * i + 2]) > 1 - 1e-5]
    if not zero and not perfect:
        information = hessian(partial(_deviance, data), roots) / 2
        slope = jacobian(_describe, roots)
        spread = slope @ np.linalg.pinv(information, hermitian=True) @ slope.T
    recip = {"session": "recip_session", "client": "recip_dyadic", "therapist": "recip_general"}
    names, places = [], []
    for i in reversed(range(len(levels))):
        names += [f"var_{levels[i]}_{role}" for role in roles]
        places += [3 * i, 3 * i + 1]
    for i in reversed(range(len(levels))):
        names.append(recip[levels[i]])
        places.append(3 * i + 2)
    cov = np.zeros((2 + len(places),) * 2)
    cov[:2, :2] = solved.cov
    cov[2:, 2:] = spread[np.ix_(places, places)]
    table = pd.DataFrame(
        [
            [*described[3 * i : 3 * i + 2], covariances(roots)[i][0, 1], described[3 * i + 2]]
            for i in reversed(range(len(levels)))
        ],
        index=pd.Index(levels[::-1], name="level"),
        columns=[*roles, "cov", "cor"],
    )
    return OneWithMany(
        params=pd.Series(
            [*solved.beta[:, 0], *described[places]],
            index=[*(f"mean_{r}" for r in roles), *names],
            name="estimate",
        ),
        covariance=cov,
        dof=np.r_[np.full(2, sizes[0] - 1.0), np.full(len(places), np.inf)],
        findings=_findings([levels[i] for i in (*zero, *perfect)], sizes[0]),
        roles=roles,
        variances=table,
        llf=-solved.deviance / 2,
        n=n,
        therapists=sizes[0],
        clients=sizes[1],
        n_dropped=dropped,
        _data=data,
        _roots=roots,
    )


def _findings(boundary: list[str], therapists: int) -> tuple[Finding, ...]:
    found = []
    if boundary:
        message = say(
            "At the level of the {levels} a variance is zero or the roles correlate perfectly. Standard errors of the variances are not "
            "available; profile limits of the correlations are.",
            levels=" and the ".join(boundary),
        )
        found.append(Finding("boundary", "caution", message))
    if therapists < 20:
        message = say(
            "There are {n:noun}. Variances and correlations between so few are very uncertain.",
            n=Number(therapists, "integer", "therapist"),
        )
        found.append(Finding("few_therapists", "caution", message))
    return tuple(found)
