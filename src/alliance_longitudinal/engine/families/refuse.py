"""Generalised models that are refused before a fit."""

import numpy as np

from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.design.groups import parents
from alliance_longitudinal.engine.families.response import Response
from alliance_longitudinal.engine.statistics.checks import refuse_groupings
from alliance_longitudinal.errors import FitError

#: More nodes than this add nothing but rounding.
MOST_NODES = 51


def refuse_impossible(design: Design, response: Response, crossed: bool) -> None:
    """Stop where no answer would mean what the user asked.

    Raises
    ------
    FitError
        Too few rows, an effect for every row of 0/1 or ordered responses, multiple membership, and what
        `refuse_groupings` refuses.
    """
    n, p = design.x.shape
    if n <= p + response.family.n_aux:
        raise FitError(
            f"{n} complete rows are too few to estimate {p + response.family.n_aux} fixed effects and thresholds. Leave out terms."
        )
    if any(f.codes.ndim == 2 for f in design.factors):
        raise FitError(
            "Multiple membership is not available for generalised models. Give each row one group, for example the one "
            "with the greatest share."
        )
    for term in design.terms:
        count = design.factors[term.factor].size * len(term.names)
        carried = response.size.max() > 1 or response.family.name == "poisson"
        if count > n or (count == n and not carried):
            raise FitError(
                f"The random term ({' + '.join(term.names)} | {term.group}) has {count} random "
                f"effects for {n} rows; one response cannot have an effect of its own. Use fewer "
                "effects or a coarser grouping."
            )
    refuse_groupings(design, crossed)


def refuse_nodes(design: Design, n_agq: int) -> None:
    """Stop where quadrature is not available.

    Raises
    ------
    FitError
        The number of nodes is even, not whole, or out of range; or the random effects are not scalars of one factor
        or of two nested ones.
    """
    if (
        isinstance(n_agq, bool)
        or not isinstance(n_agq, int | np.integer)
        or not 1 <= n_agq <= MOST_NODES
        or n_agq % 2 == 0
    ):
        raise FitError(
            f"n_agq={n_agq!r} is not available; the number of nodes is odd, from 1 (Laplace's method) to {MOST_NODES}. "
            "With an odd number one node lies at the mode."
        )
    if n_agq == 1:
        return
    if not has_quadrature(design):
        raise FitError(
            f"n_agq={n_agq} is for one random effect over one grouping, or one over each of two nested groupings: with "
            "slopes, crossed groupings or more levels the number of points grows too fast. Fit with n_agq=1 (Laplace's "
            "method)."
        )


def has_quadrature(design: Design) -> bool:
    """Whether the random effects are one scalar over one factor, or over each of two nested ones."""
    factors = sorted(design.factors, key=lambda f: -f.size)
    nested = len(factors) == 1 or (
        len(factors) == 2 and parents(factors[0].codes, factors[1].codes, factors[0].size) is not None
    )
    return nested and len(design.terms) == len(factors) and all(len(t.names) == 1 for t in design.terms)
