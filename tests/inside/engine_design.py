"""Inside `engine.design`: designs for the oracles."""

from alliance_longitudinal.engine.design import design, groups, plain
from alliance_longitudinal.engine.design.design import learn
from alliance_longitudinal.engine.design.formula import parse
from alliance_longitudinal.engine.design.groups import Factor, factor, match
from alliance_longitudinal.engine.design.terms import expand
from alliance_longitudinal.engine.design.with_members import learn_with_members

__all__ = [
    "Factor",
    "design",
    "expand",
    "factor",
    "groups",
    "learn",
    "learn_with_members",
    "match",
    "parse",
    "plain",
]
