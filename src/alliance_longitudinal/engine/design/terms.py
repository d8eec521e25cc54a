"""Syntax tree to the ordered list of random terms: ``/`` and ``||`` are written out here."""

from dataclasses import dataclass

from alliance_longitudinal.engine.design.formula import ParsedFormula, RandomPart


@dataclass(frozen=True, slots=True)
class RandomTerm:
    """One grouping factor and the effects that vary over it.

    Attributes
    ----------
    effects : str
        Formula of the effects, for formulaic.
    columns : tuple of str
        Columns whose combination forms the groups, innermost first.
    group : str
        Name of the grouping: the columns joined by ``:``.
    correlated : bool
        Whether the effects have a full covariance matrix or variances only.
    """

    effects: str
    columns: tuple[str, ...]
    group: str
    correlated: bool


def expand(parsed: ParsedFormula) -> tuple[RandomTerm, ...]:
    """Random terms of a formula, the finer grouping of ``a/b`` first and named ``b:a``, as lme4 does."""
    return tuple(term for part in parsed.random for term in _expand_part(part))


def _expand_part(part: RandomPart) -> list[RandomTerm]:
    terms = []
    for depth in range(len(part.factors), 0, -1):
        if depth == 1:
            columns = part.factors[0]
        else:
            columns = tuple(name for factor in reversed(part.factors[:depth]) for name in factor)
        terms.append(RandomTerm(part.effects, columns, ":".join(columns), part.correlated))
    return terms
