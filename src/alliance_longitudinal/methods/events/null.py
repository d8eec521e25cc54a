"""Series that only fluctuate: what they look like, and how often a rule fires on them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.events.ratings import Ratings
from alliance_longitudinal.methods.events.rules import Rule, look

#: Simulated ratings in memory at a time.
_AT_A_TIME = 1_000_000
#: Limits of the estimated correlation of neighbours.
_LOWEST, _HIGHEST = -0.9, 0.95


@dataclass(frozen=True, slots=True)
class Fluctuation:
    """A stationary normal series of each person around the person's mean.

    Attributes
    ----------
    rho : float
        Correlation of ratings one session apart, ``rho ** d`` of ratings ``d`` sessions apart; the same for all.
    mean : ndarray, shape (persons,)
    variance : ndarray, shape (persons,)
        Each person's estimate, NaN with one rating.
    dof : ndarray, shape (persons,)
        Degrees of freedom of each estimate, fewer because ratings are correlated.
    prior_variance, prior_dof : float
        The distribution of the true variances, ``prior_dof * prior_variance / chi2``; an infinite ``prior_dof`` means that persons
        do not differ.
    """

    rho: float
    mean: Floats
    variance: Floats
    dof: Floats
    prior_variance: float
    prior_dof: float

    def draw_sd(self, rng: np.random.Generator, n: int) -> Floats:
        """Standard deviations of the persons, drawn from what is known of them: shape (persons, n)."""
        if not np.isfinite(self.prior_dof):
            return np.full((len(self.mean), n), np.sqrt(self.prior_variance))
        known = np.where(np.isnan(self.variance), 0.0, self.dof)
        dof = self.prior_dof + known
        total = self.prior_dof * self.prior_variance + known * np.nan_to_num(self.variance)
        return np.sqrt(total[:, None] / rng.chisquare(dof[:, None], (len(dof), n)))


def fluctuation(r: Ratings) -> Fluctuation:
    """Estimate the correlation of neighbours and the persons' variances by moments that are right for short series.

    The squared differences of consecutive sessions have the expectation ``2 s2 (1 - rho)``, and a person's sum of squares around the
    own mean ``s2 (n - 1'R1 / n)`` with ``R`` the correlations of its ratings; their ratio gives ``rho``, free of the bias
    that correlations of short centred series have. Variances are shrunken towards each other as far as they differ by no more than
    chance (method of moments; Smyth 2004, doi 10.2202/1544-6115.1027, for the distribution).
    """
    mean = r.sums(r.score) / r.size
    squares = r.sums((r.score - mean[r.code]) ** 2)
    steps = r.gap == 1
    drops = float((np.diff(r.score, prepend=r.score[0])[steps] ** 2).mean()) if steps.any() else np.nan
    rho = _rho(r, float(squares.sum()), drops)
    trace, dof = _effective(r, rho)
    several = r.size > 1
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(several, squares / trace, np.nan)
    pooled = float(squares[several].sum() / trace[several].sum())
    spread = _spread(variance[several], dof[several], pooled)
    prior_dof = 4 + 2 / spread if spread > 0 else np.inf
    prior = pooled * (prior_dof - 2) / prior_dof if np.isfinite(prior_dof) else pooled
    return Fluctuation(rho, mean, variance, dof, prior, prior_dof)


def _rho(r: Ratings, squares: float, drops: float) -> float:
    """The correlation at which both moments agree; 0 without consecutive sessions or without fluctuation."""
    from scipy import optimize

    if not squares > 0 or np.isnan(drops):
        return 0.0
    by_gap = _pairs(r)

    def excess(rho: float) -> float:
        free = len(r.code) - len(r.size) - float(by_gap @ rho ** np.arange(len(by_gap)))
        return float(2 * (1 - rho) * squares - drops * free)

    if excess(_LOWEST) <= 0:
        return _LOWEST
    if excess(_HIGHEST) >= 0:
        return _HIGHEST
    return float(optimize.brentq(excess, _LOWEST, _HIGHEST, xtol=1e-10))


def _pairs(r: Ratings) -> Floats:
    """By distance in sessions: twice the number of pairs of a person's ratings, over the person's ratings; summed."""
    out = np.zeros(int((r.session - r.session[r.start][r.code]).max()) + 1)
    for here, there, same in r.later(int(r.size.max()) - 1):
        far = (r.session[there] - r.session[here])[same].astype(np.int64)
        out += np.bincount(far, weights=2 / r.size[r.code[here]][same], minlength=len(out))
    return out


def _effective(r: Ratings, rho: float) -> tuple[Floats, Floats]:
    """Expectation of each person's sum of squares per unit of variance, and its degrees of freedom; equal patterns once."""
    seen: dict[bytes, tuple[float, float]] = {}
    out = np.zeros((len(r.size), 2))
    for i, (first, n) in enumerate(zip(r.start, r.size, strict=True)):
        at = r.session[first : first + n] - r.session[first]
        key = at.tobytes()
        if key not in seen:
            corr = np.asarray(rho, dtype=float) ** np.abs(at[:, None] - at)
            centred = corr - corr.mean(axis=0)
            trace = float(np.trace(centred))
            seen[key] = trace, trace**2 / max(float(np.sum(centred * centred.T)), 1e-300)
        out[i] = seen[key]
    return out[:, 0], out[:, 1]


def _spread(variance: Floats, dof: Floats, pooled: float) -> float:
    """Squared coefficient of variation of the true variances; at least 0."""
    if not pooled > 0:
        return 0.0
    second = float(np.sum(dof * (variance / pooled) ** 2) / np.sum(dof * (1 + 2 / dof)))
    return max(second - 1, 0.0)


def simulate(r: Ratings, model: Fluctuation, n: int, rng: np.random.Generator) -> Floats:
    """``n`` sets of scores at the same sessions, shape (ratings, n)."""
    noise = rng.standard_normal((len(r.code), n))
    lagged = np.where(r.follows, np.asarray(model.rho, dtype=float) ** r.gap, 0.0)
    fresh = np.sqrt(1 - lagged**2)
    noise *= fresh[:, None]
    for k in range(1, int(r.size.max())):
        rows = np.flatnonzero(r.place == k)
        noise[rows] += lagged[rows, None] * noise[rows - 1]
    return np.asarray(model.mean[r.code][:, None] + model.draw_sd(rng, n)[r.code] * noise)


def null_events(
    r: Ratings,
    rule: Rule,
    n: int,
    seed: int,
    limits: tuple[float, float] | None = None,
    step: float | None = None,
) -> pd.DataFrame:
    """Events in ``n`` sets of series that only fluctuate, found as in the data: ``events, persons, repaired``, a row each.

    Parameters
    ----------
    limits : pair of float, optional
        Lowest and highest possible score; simulated ones beyond are set to them.
    step : float, optional
        Scores are rounded to multiples of it.
    """
    model, rng = fluctuation(r), np.random.default_rng(seed)
    rows = []
    batch = max(1, _AT_A_TIME // len(r.code))
    for begin in range(0, n, batch):
        x = simulate(r, model, min(batch, n - begin), rng)
        if step is not None:
            x = np.round(x / step) * step
        if limits is not None:
            x = np.clip(x, *limits)
        seen = look(r, x, rule)
        persons = (r.sums(seen.hits.astype(float)) > 0).sum(axis=0)
        rows.append(np.column_stack([seen.hits.sum(axis=0), persons, seen.repaired.sum(axis=0)]))
    return pd.DataFrame(np.vstack(rows), columns=["events", "persons", "repaired"])
