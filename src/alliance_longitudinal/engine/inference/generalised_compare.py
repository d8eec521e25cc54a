"""Likelihood-ratio tests of generalised fits that refuse what cannot be compared."""

import numpy as np

from alliance_longitudinal.engine.generalised_fit import GeneralisedFit
from alliance_longitudinal.engine.inference.compare import (
    LikelihoodRatio,
    effects_of,
    entries_of,
    same,
    verdict,
)
from alliance_longitudinal.engine.linalg.matrices import independent_columns
from alliance_longitudinal.errors import FitError


def likelihood_ratio(one: GeneralisedFit, other: GeneralisedFit) -> LikelihoodRatio:
    """Compare two fits, one nested in the other, given in either order.

    Where one random effect is tested, ``p`` is from the equal mixture of chi-squared with one degree of freedom less and
    as many (Stram and Lee 1994, Biometrics 50:1171-1177).

    Raises
    ------
    FitError
        Different rows, families or numbers of nodes; not nested.
    """
    small, large = sorted((one, other), key=lambda f: f.n_parameters)
    _refuse(small, large)
    statistic = max(small.deviance - large.deviance, 0.0)
    df = large.n_parameters - small.n_parameters
    more = len(effects_of(large.design)) - len(effects_of(small.design))
    return verdict(statistic, df, more == 1 and len(large.beta) == len(small.beta), bool(more))


def _refuse(small: GeneralisedFit, large: GeneralisedFit) -> None:
    a, b = small.response, large.response
    if (a.family.name, a.family.link) != (b.family.name, b.family.link):
        raise FitError(
            f"The models have different families or links ({a.family.name}, {a.family.link}; {b.family.name}, {b.family.link}); "
            "their likelihoods are not nested. Compare them by AIC."
        )
    if small.n_agq != large.n_agq:
        raise FitError(
            f"The likelihoods are approximated with {small.n_agq} and {large.n_agq} nodes, so their difference means nothing. "
            "Fit both with the same n_agq."
        )
    if len(a.y) != len(b.y) or not np.array_equal(a.y, b.y) or not np.array_equal(a.size, b.size):
        raise FitError(
            f"The models are not fitted to the same rows ({len(a.y)} and {len(b.y)}), response and trials. Drop rows with "
            "missing values in any used column first."
        )
    if not same(small.design.offset, large.design.offset):
        raise FitError("The models have different offsets, so that neither is a special case of the other.")
    if small.n_parameters == large.n_parameters:
        raise FitError("The models have the same number of parameters; there is nothing to test.")
    constant = np.ones((len(a.y), 1))
    own = np.concatenate([constant, large.design.x], axis=1)
    both = np.concatenate([own, small.design.x], axis=1)
    outside = len(independent_columns(both)) > len(independent_columns(own))
    if outside or not entries_of(small.design, large.design) <= entries_of(large.design):
        raise FitError(
            "The models are not nested: each has a term that the other lacks. Compare them by AIC instead."
        )
