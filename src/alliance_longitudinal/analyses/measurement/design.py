"""The item answers that a study keeps, in scored direction."""

from dataclasses import dataclass

import pandas as pd

from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.measures.instrument import Instrument


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

    They are the study's forms (``load_study(path, forms=True)``) where it has them, else columns ``<name>_item_<k>`` of the
    sessions, which an instrument file makes that names its items as subscales ``item_1``, ``item_2``, ...
    """
    table = _from_study(study, measure)
    if table is None:
        prefix = f"{measure.name}_item_"
        own = [c for c in sessions if str(c).startswith(prefix) and str(c)[len(prefix) :].isdigit()]
        if not own:
            return None
        table = sessions[["client", "session", *own]].rename(
            columns={c: f"item {str(c)[len(prefix) :]}" for c in own}
        )
    columns = [c for c in table if c not in ("client", "therapist", "session")]
    keys = sessions[[c for c in ("client", "therapist", "session") if c in sessions]]
    frame = keys.merge(table[["client", "session", *columns]], on=["client", "session"], how="inner")
    frame = frame[frame[columns].notna().any(axis=1)].reset_index(drop=True)
    if frame.empty:
        return None
    spread = frame[columns].max() - frame[columns].min()
    varying = tuple(c for c in columns if spread[c] > 0)
    return Answers(frame, varying, tuple(c for c in columns if c not in varying), _groups(measure, varying))


def _from_study(study: Study, measure: Measure) -> pd.DataFrame | None:
    """Answers that the study keeps (``load_study(path, forms=True)``), turned into the scored direction.

    Columns client, session and one an item, in item order; None without items, or where they earn points by a table.
    """
    instrument, forms = measure.instrument, study.forms
    if forms is None or measure.name not in forms.answers or instrument.recode is not None:
        return None
    values = forms.answers[measure.name].copy()
    for column, item in enumerate(forms.items[measure.name]):
        if item in forms.reversed[measure.name]:
            values[:, column] = sum(_range(instrument, item)) - values[:, column]
    keys = study.sessions[["client", "session"]].iloc[forms.session].reset_index(drop=True)
    names = [f"item {k}" for k in forms.items[measure.name]]
    table = keys.join(pd.DataFrame(values, columns=names))
    answered = table[table[names].notna().any(axis=1)]
    # Several raters of one session: their mean, as the score is.
    return answered.groupby(["client", "session"], observed=True, as_index=False).mean()


def _range(instrument: Instrument, item: int) -> tuple[float, float]:
    """Lowest and highest answer of an item; reversed items have a known range, or they could not be scored."""
    for other in instrument.other_ranges:
        if item in other.items:
            return other.min, other.max
    return float(instrument.response_min or 0.0), float(instrument.response_max or 0.0)


def _groups(measure: Measure, varying: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Subscales of two or more varying items, none of which belongs to another one."""
    named = {
        name: tuple(f"item {k}" for k in numbers if f"item {k}" in varying)
        for name, numbers in measure.instrument.subscales.items()
    }
    named = {name: own for name, own in named.items() if len(own) >= 2}
    every = [item for own in named.values() for item in own]
    return named if len(every) == len(set(every)) else {}
