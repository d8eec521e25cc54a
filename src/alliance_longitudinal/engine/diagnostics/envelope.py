"""What residuals and modes would look like if the model were true: simulation envelopes.

Atkinson (1981), Biometrika 68:13-20. Responses are drawn from the fitted model; each is treated as the observed one was.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions as stats
from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.diagnostics.refit import refit_design
from alliance_longitudinal.engine.diagnostics.residuals import standing
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.options import generator
from alliance_longitudinal.engine.resampling.bootstrap import simulate
from alliance_longitudinal.errors import FitError


@dataclass(frozen=True, slots=True)
class Envelope:
    """Observed values beside simulated ones.

    Attributes
    ----------
    kind : str
    frame : DataFrame
        One row a value in rising order: ``theoretical`` quantile (normal; uniform for ``"quantile"``), ``observed``,
        and of the simulated values of the same rank ``median, lower, upper`` (pointwise).
    outside : float
        Share of observed values outside their limits; about ``alpha`` is expected, with a large spread.
    statistic : float
        Kolmogorov's distance of the observed values (centred and scaled by their own mean and spread) from the normal
        distribution, of ``"quantile"`` from the uniform.
    p : float
        Monte Carlo p-value of the statistic: share of simulated values at least as large, the observed one counted in.
    n : int
        Simulated responses used.
    refitted : bool
        Whether each was refitted; otherwise coefficients and modes were estimated anew and the variances held.
    n_failed : int
        Simulated responses left out because the optimum of their refit was not verified.
    """

    kind: str
    frame: pd.DataFrame
    outside: float
    statistic: float
    p: float
    n: int
    refitted: bool
    n_failed: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What is drawn: a kind of residual, ``"quantile"``, or ``"modes"`` of one effect (term, position)."""

    kind: str
    effect: tuple[int, int] | None = None

    def values(self, fit: MixedFit, responses: Array) -> Array:
        """Values for responses (n, N) at the variances of a fit."""
        ready = standing(fit)
        if self.effect is not None:
            return ready.modes(*self.effect, responses)
        return ready.residuals(self.kind, responses)


def asked_of(fit: MixedFit, kind: str, group: str | None, effect: str | None) -> Asked:
    """Read what a user asks for.

    Raises
    ------
    FitError
        Modes without a known group and effect, or a group for something else.
    """
    if kind != "modes":
        if group is not None or effect is not None:
            raise FitError(f"group= and effect= belong to kind='modes', not to {kind!r}.")
        return Asked(kind)
    there = [(t.group, name) for t in fit.design.terms for name in t.names]
    wanted = [pair for pair in there if group in (None, pair[0]) and effect in (None, pair[1])]
    if len(wanted) != 1:
        names = ", ".join(f"group={g!r}, effect={e!r}" for g, e in there)
        raise FitError(f"Name one random effect for kind='modes': {names}.")
    term = next(
        t for t, x in enumerate(fit.design.terms) if x.group == wanted[0][0] and wanted[0][1] in x.names
    )
    return Asked(kind, (term, fit.design.terms[term].names.index(wanted[0][1])))


def envelope(fit: MixedFit, asked: Asked, n: int, seed: int | None, refit: bool, alpha: float) -> Envelope:
    """Simulate, treat every response alike, and set the observed values beside the simulated.

    Raises
    ------
    FitError
        Fewer than 19 simulations, or no refit with a verified optimum.
    """
    if n < 19:
        raise FitError(f"An envelope needs at least 19 simulations, not {n}; 99 or more for a p-value.")
    rng = generator(seed)
    drawn = simulate(fit, n, int(rng.integers(2**31))).to_numpy()
    if asked.kind == "quantile":
        return _summarised(asked, _quantiles(np.column_stack([fit.design.y, drawn]), rng), False, 0, alpha)
    known = 0.0 if fit.design.offset is None else fit.design.offset[:, None]
    observed = asked.values(fit, fit.design.centred[:, None])
    if not refit:
        values = asked.values(fit, drawn - known)
        return _summarised(asked, np.concatenate([observed, values], axis=1), False, 0, alpha)
    columns = [observed]
    for response in drawn.T:
        again = refit_design(fit, response, False)
        if again.converged:
            columns.append(asked.values(again, again.design.centred[:, None]))
    if len(columns) == 1:
        raise FitError("No refit to a simulated response has a verified optimum; use refit=False.")
    return _summarised(asked, np.concatenate(columns, axis=1), True, n + 1 - len(columns), alpha)


def _quantiles(responses: Array, rng: np.random.Generator) -> Array:
    """Randomised rank of every response among all of its row's (Dunn and Smyth 1996): uniform if the model is true."""
    order = np.argsort(np.argsort(responses, axis=1, kind="stable"), axis=1)
    return np.asarray((order + rng.random(responses.shape)) / responses.shape[1])


def _summarised(asked: Asked, values: Array, refitted: bool, failed: int, alpha: float) -> Envelope:
    """The observed column first, simulated ones after it."""
    uniform = asked.kind == "quantile"
    ordered = np.sort(values, axis=0)
    distance = np.array([_distance(column, uniform) for column in ordered.T])
    places = (np.arange(len(ordered)) + 0.5) / len(ordered)
    low, middle, high = np.quantile(ordered[:, 1:], [alpha / 2, 0.5, 1 - alpha / 2], axis=1)
    observed = ordered[:, 0]
    frame = pd.DataFrame(
        {
            "theoretical": places if uniform else stats.norm.ppf(places),
            "observed": observed,
            "median": middle,
            "lower": low,
            "upper": high,
        }
    )
    return Envelope(
        asked.kind,
        frame,
        float(((observed < low) | (observed > high)).mean()),
        float(distance[0]),
        float((distance >= distance[0]).mean()),
        ordered.shape[1] - 1,
        refitted,
        failed,
    )


def _distance(ordered: Array, uniform: bool) -> float:
    """Kolmogorov's distance of values in rising order."""
    n = len(ordered)
    spread = ordered.std()
    if uniform:
        expected = ordered
    elif spread == 0:
        return 1.0
    else:
        expected = stats.norm.cdf((ordered - ordered.mean()) / spread)
    steps = np.arange(n + 1) / n
    return float(max((steps[1:] - expected).max(), (expected - steps[:-1]).max()))
