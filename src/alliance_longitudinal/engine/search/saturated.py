"""Designs whose effects can follow every row exactly, so that nothing is left for the residual."""

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.errors import FitError

#: Most rows for which ranks are computed: a design of more rows with as many effects is refused term by term.
MOST_ROWS = 2000
#: Variance of random effects relative to the residual's (internal units) above which the residual's may run to zero.
RUNAWAY = 1e4


def refuse_unbounded(design: Design) -> None:
    """Stop before a fit by maximum likelihood that has no maximum.

    Where fixed and random effects together fit every response exactly (``rank (X Z) = n > rank Z``), the deviance falls
    without end as the residual variance goes to zero: its part ``(n - rank Z) log s`` goes to minus infinity, and all else
    stays finite.

    Raises
    ------
    FitError
        With the numbers of rows and effects.
    """
    if follows_every_row(design) and np.linalg.matrix_rank(_spread(design)) < len(design.y):
        raise FitError(
            f"{_counts(design)} can fit every row exactly, so that the likelihood grows without end as the residual variance "
            "goes to zero. Fit with reml=True, or leave out a term."
        )


def refuse_runaway(design: Design, relative: tuple[Array, ...]) -> None:
    """Stop after a fit whose residual variance has run to zero because the effects follow every row.

    Raises
    ------
    FitError
        With the numbers of rows and effects.
    """
    largest = max((float(np.abs(d).max(initial=0.0)) for d in relative), default=0.0)
    if largest > RUNAWAY and follows_every_row(design):
        raise FitError(
            f"{_counts(design)} can fit every row exactly, and the residual variance goes to zero. Leave out a term or use a "
            "coarser grouping."
        )


def follows_every_row(design: Design) -> bool:
    """Whether fixed and random effects span all responses; of small designs only."""
    given: object = design
    if not isinstance(given, Design):  # made of batches, without rows
        return False
    n, p = design.x.shape
    if n > MOST_ROWS or p + _effects(design) < n:
        return False
    return bool(np.linalg.matrix_rank(np.concatenate([_unit(design.x), _spread(design)], axis=1)) == n)


def _effects(design: Design) -> int:
    return sum(design.factors[t.factor].size * len(t.names) for t in design.terms)


def _counts(design: Design) -> str:
    return f"{design.x.shape[1]} fixed and {_effects(design)} random effects of {len(design.y)} rows"


def _spread(design: Design) -> Array:
    """Random effects spread over the groups, each term's columns made orthonormal over the rows."""
    parts = []
    for term in design.terms:
        factor = design.factors[term.factor]
        shares = np.zeros((len(design.y), factor.size))
        row, member = np.nonzero(factor.members >= 0)
        share = np.ones(len(row)) if factor.weights is None else factor.weights[row, member]
        np.add.at(shares, (row, factor.members[row, member]), share)
        z = _unit(term.z)
        parts.append((shares[:, :, None] * z[:, None, :]).reshape(len(z), -1))
    return np.concatenate(parts, axis=1)


def _unit(columns: Array) -> Array:
    """An orthonormal basis of columns, times the root of their length."""
    return np.asarray(np.linalg.qr(columns)[0] * np.sqrt(len(columns)))
