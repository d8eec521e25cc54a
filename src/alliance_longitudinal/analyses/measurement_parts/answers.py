"""The item answers that a study keeps, in scored direction."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from alliance_longitudinal.data.study import Measure, Study


@dataclass(frozen=True, slots=True)
class Answers:
    """Item answers of one measure.

    Attributes
    ----------
    frame : DataFrame
        ``client, therapist, session`` and one float column an item; rows without any answer are left out.
    items : tuple of str
        Names of the item columns that vary; ``constant`` are those that do not.
    groups : mapping of subscale to its items
        Subscales of at least two items that cover different items; empty without such.
    """

    frame: pd.DataFrame
    items: tuple[str, ...]
    constant: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]


def item_answers(study: Study, sessions: pd.DataFrame, measure: Measure) -> Answers | None:
    """The answers of ``measure`` in the rows of ``sessions``; None if the study has no items of it.

    They are taken from ``study.items(name)`` where the study offers it, else from columns ``<name>_item_<k>`` of the
    sessions, which an instrument file makes that names its items as subscales ``item_1``, ``item_2``, ...
    """
    table = _from_study(study, measure.name)
    if table is None:
        prefix = f"{measure.name}_item_"
        own = [c for c in sessions if str(c).startswith(prefix) and str(c)[len(prefix) :].isdigit()]
        if not own:
            return None
        table = sessions[["client", "session", *own]].rename(
            columns={c: f"item {str(c)[len(prefix) :]}" for c in own}
        )
    columns = [c for c in table if c not in ("client", "therapist", "session")]
    keys = sessions[["client", "therapist", "session"]]
    frame = keys.merge(table[["client", "session", *columns]], on=["client", "session"], how="inner")
    frame = frame[frame[columns].notna().any(axis=1)].reset_index(drop=True)
    if frame.empty:
        return None
    spread = frame[columns].max() - frame[columns].min()
    varying = tuple(c for c in columns if spread[c] > 0)
    return Answers(frame, varying, tuple(c for c in columns if c not in varying), _groups(measure, varying))


def _from_study(study: Any, name: str) -> pd.DataFrame | None:
    """What ``study.items`` holds, if this study has it: client, session and a column an item, in item order."""
    offered = getattr(study, "items", None)
    if offered is None:
        return None
    try:
        table = offered(name) if callable(offered) else offered[name]
    except KeyError:
        return None
    if table is None:
        return None
    columns = [c for c in table if c not in ("client", "therapist", "session")]
    return table.rename(columns={c: f"item {k}" for k, c in enumerate(columns, start=1)})


def _groups(measure: Measure, varying: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Subscales of two or more varying items, none of which belongs to another one."""
    named = {
        name: tuple(f"item {k}" for k in numbers if f"item {k}" in varying)
        for name, numbers in measure.instrument.subscales.items()
    }
    named = {name: own for name, own in named.items() if len(own) >= 2}
    every = [item for own in named.values() for item in own]
    return named if len(every) == len(set(every)) else {}
