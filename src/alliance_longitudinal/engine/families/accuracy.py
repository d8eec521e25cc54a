"""What an optimum is worth: whether the approximation holds there, and whether a variance goes to infinity."""

import numpy as np

from alliance_longitudinal.counts import Number
from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.families.criterion import Criterion
from alliance_longitudinal.engine.families.refuse import has_quadrature
from alliance_longitudinal.engine.families.search import GeneralisedOptimum
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import Sentence, say

#: Nodes of the better approximation, over one factor and over two nested ones.
NODES, NESTED_NODES = 25, 9
#: Rows times points beyond which it is not tried.
MOST_POINTS = 20_000_000
#: Deviance beyond which the difference of two approximations drowns in rounding; both are exact there.
MOST_DEVIANCE = 1e8
#: Standard errors that the better approximation may move the estimates by, before it is said.
ROUGH = 0.25
#: Standard deviation of the random part of a linear predictor that is looked at more closely: responses are then as good
#: as certain in nearly all groups.
WIDE = 8.0


def rough(design: Design, criterion: Criterion, best: GeneralisedOptimum, hessian: Array) -> Finding | None:
    """Whether quadrature with more nodes has its optimum elsewhere.

    One Newton step from this optimum on the better approximation, measured by the covariance of the estimates: its length
    is the square root of half the Newton decrement.
    """
    used = sum(best.face.ranks)
    if not has_quadrature(design) or not used or not best.certificate.holds:
        return None
    nodes = max(NODES if used == 1 else NESTED_NODES, 2 * criterion.n_agq + 1)
    if len(criterion.problem.y) * nodes**used > MOST_POINTS or abs(best.value) > MOST_DEVIANCE:
        return None
    gradient = Criterion(criterion.problem, nodes).evaluate(best.face, best.params)[1]
    decrement = float(gradient @ np.linalg.solve(hessian, gradient))
    if not decrement > 2 * ROUGH**2:
        return None
    distance = float(np.sqrt(decrement / 2))
    return Finding("rough_approximation", "caution", _rough_words(criterion.n_agq, nodes, distance))


def _rough_words(used: int, nodes: int, distance: float) -> Sentence:
    """What is said of an approximation with ``used`` nodes, from which one with more ``nodes`` is so far off."""
    method: str = "Laplace's method"
    if used > 1:
        method = say("Quadrature with {n:noun}", n=Number(used, "integer", "node"))
    more: str = "The data do not determine the variance of such groups. Do not report it."
    if used < NODES:
        more = say("Fit with n_agq={nodes}.", nodes=f"{nodes}")
    return say(
        "{method} is not accurate enough for these data: with {nodes:noun} the estimates would "
        "change by about {distance} standard errors. {more}",
        method=method,
        nodes=Number(nodes, "integer", "node"),
        distance=f"{distance:.1f}",
        more=more,
    )


def runaway(criterion: Criterion, best: GeneralisedOptimum) -> bool:
    """Whether random and fixed effects together tell every response, with a variance that has run off.

    All linear predictors then lie on the right side, and multiplied together by any number they do so ever more clearly:
    the likelihood rises as the standard deviations go to infinity, and what the search found is where the approximation
    gave out.
    """
    problem = criterion.problem
    if problem.family.name not in ("binomial", "ordinal"):
        return False
    _, aux, theta = criterion.split(best.params)
    spread = sum(float(np.trace(d)) for d in best.face.covariances(theta))
    if not spread > WIDE**2:
        return False
    eta = criterion.modes(best.face, best.params).eta
    if problem.family.name == "binomial":
        right = np.where(eta > 0, problem.y == problem.size, problem.y == 0)
        return bool(right.all())
    cuts, k = np.concatenate([[-np.inf], aux, [np.inf]]), problem.y.astype(np.intp)
    return bool(((cuts[k] < eta) & (eta < cuts[k + 1])).all())
