"""A design in which some groupings are multiple memberships."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from alliance_longitudinal.engine.design.design import Design, DesignSpec, learn
from alliance_longitudinal.engine.design.membership import (
    MultipleMembership,
    member_factor,
    read_members,
    with_rows_numbered,
)
from alliance_longitudinal.errors import FitError, FormulaError


def learn_with_members(
    formula: str,
    frame: pd.DataFrame,
    membership: Mapping[str, MultipleMembership],
    weights: str | None = None,
    offset: str | None = None,
    extra: tuple[str, ...] = (),
) -> tuple[DesignSpec, Design]:
    """Read the formula against the data, see `design.learn`.

    Parameters
    ----------
    membership : mapping of str to MultipleMembership
        By the name of the grouping in the formula. Rows without any member are left out.

    Raises
    ------
    FormulaError, FitError
        As `learn` and `membership.read_members`; a membership that is no grouping, or is joined to others.
    """
    if not isinstance(frame, pd.DataFrame):
        raise FitError(f"The data must be a pandas DataFrame, not {type(frame).__name__}.")
    members = {}
    for name, how in membership.items():
        if not isinstance(how, MultipleMembership):
            raise FormulaError(
                f"membership[{name!r}] must be a MultipleMembership, not {type(how).__name__}."
            )
        members[name] = read_members(name, how, frame)
    for name, found in members.items():
        frame = with_rows_numbered(name, found, frame)
    spec, design = learn(formula, frame, weights, offset, extra)
    _refuse_misuse(spec, design, tuple(members))
    factors = tuple(member_factor(f, members[f.name]) if f.name in members else f for f in design.factors)
    return replace(spec, membership=tuple(membership.items())), replace(design, factors=factors)


def _refuse_misuse(spec: DesignSpec, design: Design, names: tuple[str, ...]) -> None:
    alone = {f.name for f in design.factors}
    for name in names:
        if any(name in f.columns and len(f.columns) > 1 for f in design.factors):
            raise FormulaError(
                f"The membership {name!r} cannot be joined to other groupings by '/' or ':'. Write (1 | {name}) + ..."
            )
        if name not in alone:
            raise FormulaError(
                f"The membership {name!r} is not a grouping of {spec.formula!r}. Write (1 | {name}) there."
            )
        effects = (
            c
            for used, term in zip(spec.used_random, spec.random, strict=True)
            for c in used[: -len(term.columns)]
        )
        if name in spec.used_fixed or name in effects:
            raise FormulaError(f"The membership {name!r} has no value of its own; it can only be a grouping.")
