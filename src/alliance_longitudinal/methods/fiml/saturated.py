"""The unrestricted mean and covariance: what every model is compared with."""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.methods.fiml.likelihood import (
    deviance,
    independence_deviance,
    inverses,
    point,
    triangle,
)
from alliance_longitudinal.methods.fiml.patterns import Floats, Patterns


@dataclass(frozen=True, slots=True)
class Saturated:
    """The unrestricted mean (p,) and covariance (p, p), and their deviance: what every model is compared with."""

    mean: Floats
    cov: Floats
    deviance: float
    independence: float
    converged: bool


def saturated(data: Patterns) -> Saturated:
    """The unrestricted moments by maximum likelihood: at once without missing values, else by EM, ended by scoring."""
    own = independence_deviance(data)
    if data.complete:
        part = data.parts[0]
        return Saturated(part.mean, part.cov, deviance(data, part.mean, part.cov), own, True)
    mean, cov = data.mean.copy(), np.diag(data.variance)
    before = own
    for step in range(20_000):
        found = _em(data, mean, cov)
        if found is None:  # some columns determine others
            return Saturated(mean, cov, float("inf"), own, False)
        mean, cov = found
        if step == 19:
            scored = _score(data, mean, cov)
            if scored is not None:
                return Saturated(*scored, own, True)
        if step % 20 == 19:
            now = deviance(data, mean, cov)
            if before - now < 1e-7 or not np.isfinite(now):
                return Saturated(mean, cov, now, own, bool(np.isfinite(now)))
            before = now
    return Saturated(mean, cov, before, own, False)


def _em(data: Patterns, mean: Floats, cov: Floats) -> tuple[Floats, Floats] | None:
    """One step of EM for a multivariate normal distribution (Little & Rubin 2020, section 11.2)."""
    found = inverses(data, cov)
    if found is None:
        return None
    stack = data.stack
    regress = cov @ found[0]
    off = np.where(stack.seen, stack.mean - mean, 0.0)
    expected = mean + np.einsum("kij,kj->ki", regress, off)
    spread = cov - regress @ cov + regress @ stack.cov @ regress.transpose(0, 2, 1)
    new = stack.n @ expected / data.n
    apart = expected - new
    out = (np.einsum("k,kij->ij", stack.n, spread) + (apart * stack.n[:, None]).T @ apart) / data.n
    return new, (out + out.T) / 2


def _score(data: Patterns, mean: Floats, cov: Floats) -> tuple[Floats, Floats, float] | None:
    """Fisher scoring from where EM has come; None where a step does not help, so that EM goes on."""
    p = data.p
    i, j, place, times = triangle(p)
    here = point(data, mean, cov, "expected")
    for _ in range(50):
        gradient = np.concatenate([here.by_mean, here.by_cov[i, j] * times]) / 2
        try:
            step = -np.linalg.solve(here.information, gradient)
        except np.linalg.LinAlgError:
            return None
        if not -1e-6 <= (decrement := float(-2 * gradient @ step)) < np.inf:
            return None
        if decrement < 1e-9:
            return mean, cov, here.deviance
        mean, cov = mean + step[:p], cov + step[p:][place]
        then = point(data, mean, cov, "expected")
        if not then.deviance < here.deviance + 1e-9:
            return None
        here = then
    return None
