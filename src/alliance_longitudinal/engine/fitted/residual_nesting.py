"""Whether one residual structure is a special case of another."""

from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.search.residual import FittedResidual
from alliance_longitudinal.engine.statistics.structured.structure import CAR1, in_words, position_of
from alliance_longitudinal.errors import FitError


def special_case(small: MixedFit, large: MixedFit) -> bool:
    """Whether the larger fit has the smaller one's residuals at some value of its own structure's parameters.

    Independence is every correlation's case of ``phi = 0``, one variance that of ratios of one. The same correlation
    needs the same innermost groups.
    """
    if small.residual is None:
        return True
    if large.residual is None:
        return False
    a, b = small.residual.model.pattern.structure, large.residual.model.pattern.structure
    if a.strata is not None and a.strata != b.strata:
        return False
    if position_of(a) is None:
        return True
    same = type(a) is type(b) and position_of(a) == position_of(b)
    return same and _innermost(small, small.residual) == _innermost(large, large.residual)


def adds_boundary(small: MixedFit, large: MixedFit) -> bool:
    """Whether the larger fit adds nothing but the ``phi`` of a `CAR1`, which cannot be negative."""
    if large.residual is None or large.n_parameters - small.n_parameters != 1:
        return False
    before = None if small.residual is None else position_of(small.residual.model.pattern.structure)
    return isinstance(large.residual.model.pattern.structure, CAR1) and before is None


def refuse_structure(fit: MixedFit, what: str, instead: str) -> None:
    """Stop where something is not worked out for residual structures.

    Raises
    ------
    FitError
        Naming what to do instead.
    """
    if fit.residual is not None:
        structure = in_words(fit.residual.model.pattern.structure)
        raise FitError(f"{what} not available for a fit with residual={structure}. {instead}")


def _innermost(fit: MixedFit, residual: FittedResidual) -> frozenset[str]:
    term = fit.design.terms[residual.model.levels[0].terms[0]]
    return frozenset(fit.design.factors[term.factor].columns)
