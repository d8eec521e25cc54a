"""Profile likelihood intervals: the values that a likelihood-ratio test does not reject (Venzon and Moolgavkar 1988).

A coefficient, threshold or log dispersion is a linear function of the internal parameters. A standard deviation is one
too when its effect comes first and the term's internal units are triangular the other way round: then it is the first
entry of the covariance's Cholesky factor times a constant.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import linalg

from alliance_longitudinal.engine import distributions as stats
from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.families.criterion import Criterion
from alliance_longitudinal.engine.generalised_fit import GeneralisedFit, face_of, reported
from alliance_longitudinal.engine.search.newton import Stationary, minimise
from alliance_longitudinal.engine.search.theta import Face
from alliance_longitudinal.errors import FitError

#: Variance, in internal units, that a covariance on its boundary gets to start from.
_LEAVE_BOUNDARY = 0.02
#: How near to the cut, in signed roots of the deviance, a limit lies.
_NEAR = 1e-6
_MAX_STEPS = 40


@dataclass(frozen=True, slots=True)
class Line:
    """A parameter as a linear function of the internal ones.

    Attributes
    ----------
    criterion : Criterion
    face : Face
    row : ndarray
        The parameter is ``row @ internal``.
    best : ndarray
        Internal parameters at the optimum.
    deviance : float
        Criterion there.
    lowest : float
        Lower end of the parameter's range.
    """

    criterion: Criterion
    face: Face
    row: Array
    best: Array
    deviance: float
    lowest: float

    def at(self, value: float, start: Array) -> tuple[Stationary, Array, float]:
        """Best fit with the parameter held, its internal parameters, and the slope of its criterion in the parameter."""
        along = self.row / (self.row @ self.row)
        free = linalg.null_space(self.row[None, :])

        def objective(nu: Array, order: int) -> tuple[float, Array, Array]:
            found, gradient, hessian = self.criterion.objective(self.face, free @ nu + value * along, order)
            return found, free.T @ gradient, free.T @ hessian @ free

        here = minimise(objective, free.T @ start, polish=False)
        params = free @ here.theta + value * along
        gradient = self.criterion.evaluate(self.face, params)[1]
        return here, params, float(gradient @ along)


def profile_intervals(fit: GeneralisedFit, alpha: float, which: list[str] | None) -> pd.DataFrame:
    """Limits ``lower, upper, note`` of coefficients, thresholds and standard deviations (``sd(effect)|group``).

    Raises
    ------
    FitError
        ``which`` names something else; the optimum is not verified.
    """
    if not fit.converged:
        raise FitError(
            "Profile intervals need a verified optimum. The attribute convergence says what is "
            "wrong with this one."
        )
    sds = [(t, k) for t, term in enumerate(fit.design.terms) for k in range(len(term.names))]
    names = [*fit.names, *(_sd_name(fit, t, k) for t, k in sds)]
    wanted = names if which is None else list(which)
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise FitError(
            f"There is no parameter {', '.join(map(repr, unknown))} to profile. There are: {', '.join(names)}."
        )
    rows = {}
    for i, name in enumerate(names):
        if name not in wanted:
            continue
        if i < len(fit.names):
            line, estimate, se = _coefficient(fit, i), float(fit.params[i]), float(np.sqrt(fit.cov[i, i]))
        else:
            t, k = sds[i - len(fit.names)]
            line, estimate = _standard_deviation(fit, t, k), float(np.sqrt(fit.psi[t][k, k]))
            se = max(estimate / 3, 0.1 / np.abs(line.row).max() if estimate == 0 else 0.0)
        rows[name] = _interval(line, estimate, se, alpha)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["lower", "upper", "note"])


def _sd_name(fit: GeneralisedFit, t: int, k: int) -> str:
    term = fit.design.terms[t]
    return f"sd({term.names[k]})|{term.group}"


def _inside(face: Face, found: list[Array]) -> Array:
    """Covariance parameters on the whole cone, away from its boundary."""
    return face.pack(
        [d + (_LEAVE_BOUNDARY * np.eye(len(d)) if np.linalg.eigvalsh(d)[0] < 1e-8 else 0.0) for d in found]
    )


def _coefficient(fit: GeneralisedFit, i: int) -> Line:
    criterion, best = Criterion(fit.problem, fit.n_agq), fit.record.best
    beta, aux, theta = criterion.split(best.params)
    row = reported(fit.problem, fit.units, beta, aux)[1][i]
    face = face_of(fit.units)
    inside = _inside(face, best.face.covariances(theta))
    start = np.concatenate([best.params[: criterion.n_fixed], inside])
    return Line(criterion, face, np.concatenate([row, np.zeros(face.dimension)]), start, best.value, -np.inf)


def _standard_deviation(fit: GeneralisedFit, t: int, k: int) -> Line:
    """The same likelihood with the effect first, and internal units in which nothing else moves it."""
    best, q = fit.record.best, len(fit.psi[t])
    order = [k, *(j for j in range(q) if j != k)]
    effects = np.linalg.inv(fit.units.b[t])[order]  # user's effects, this one first, from internal ones
    lower = np.linalg.cholesky(effects @ effects.T)
    turn = np.linalg.solve(lower, effects)  # orthogonal: internal effects to new internal effects
    z = list(fit.problem.z)
    z[t] = z[t] @ turn.T
    criterion = Criterion(replace(fit.problem, z=tuple(z)), fit.n_agq)
    face = face_of(fit.units)
    fixed, theta = best.params[: criterion.n_fixed], best.params[criterion.n_fixed :]
    found = best.face.covariances(theta)
    found[t] = turn @ found[t] @ turn.T
    row = np.zeros(criterion.n_fixed + face.dimension)
    row[criterion.n_fixed + sum(len(face.places(s)) for s in range(t))] = lower[0, 0]
    start = np.concatenate([fixed, _inside(face, found)])
    return Line(criterion, face, row, start, best.value, 0.0)


def _interval(line: Line, estimate: float, se: float, alpha: float) -> tuple[float, float, str]:
    cut = float(stats.norm.ppf(1 - alpha / 2))
    ends, notes = [], []
    for side in (-1, 1):
        end, note = _end(line, estimate, se, side, cut)
        ends.append(end)
        notes.append(note)
    return ends[0], ends[1], "; ".join(filter(None, notes))


def _end(line: Line, estimate: float, se: float, side: int, cut: float) -> tuple[float, str]:
    """Newton steps on the signed root of the deviance, whose slope is that of the deviance (envelope theorem)."""
    if side < 0 and estimate <= line.lowest:
        return line.lowest, "zero is the estimate"
    value, start = estimate + side * cut * se, line.best
    inner, outer = estimate, np.inf * side
    for _ in range(_MAX_STEPS):
        if value <= line.lowest:
            here, _, _ = line.at(line.lowest, start)
            if here.value - line.deviance <= cut**2:
                return line.lowest, "zero is not excluded"
            outer, value = max(outer, line.lowest), 0.5 * (inner + line.lowest)
        here, params, slope = line.at(value, start)
        if not np.isfinite(here.value) or here.decrement > 1e-6:
            outer, value = value, 0.5 * (inner + value)
            continue
        root = float(np.sqrt(max(here.value - line.deviance, 0.0)))
        if abs(root - cut) < _NEAR:
            return value, ""
        start = params
        if root < cut:
            inner = value
        else:
            outer = value
        step = (cut - root) * 2 * root / slope if root > 0 and slope * side > 0 else side * se
        value += float(np.clip(step, -4 * se, 4 * se))
        low, high = min(inner, outer), max(inner, outer)
        if not low < value < high:
            value = 0.5 * (inner + outer) if np.isfinite(outer) else inner + side * 2 * se
    return (
        side * np.inf if side > 0 or line.lowest < 0 else line.lowest
    ), "the deviance does not reach the cut"
