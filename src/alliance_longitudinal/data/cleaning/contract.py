"""The table contract between rows: who may appear twice, with whom, and in which order."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.cells.columns import Places
from alliance_longitudinal.data.cells.problems import KEPT, Problems, some
from alliance_longitudinal.data.study_file.format import StudyFile

#: So many clients with several sessions, none with two times, are no chance: the column holds something else.
STILL = 3


def check_contract(keys: pd.DataFrame, places: Places, spec: StudyFile, problems: Problems) -> None:
    """Report clients with several therapists, repeated sessions, and sessions out of order.

    Parameters
    ----------
    keys : DataFrame
        As of :func:`alliance_longitudinal.data.cleaning.keys.read_keys`, sessions numbered; its index counts the rows of
        ``places``. Rows without an id or a session are reported elsewhere and left out here.
    places : Places
    """
    if _nothing_to_report(keys, spec):
        return
    known = keys[(keys["client"] != "") & keys["session"].notna()]
    with_one = known.loc[
        known["therapist"] != "", "client"
    ]  # where only some rows have one, that is reported elsewhere
    known = known[(known["therapist"] != "") | ~known["client"].isin(with_one)]
    known = known.astype(dict.fromkeys(("client", "therapist"), str))
    recycled = _recycled_ids(known, places, problems)
    rest = known[~known["client"].isin(recycled)]
    columns = spec.tables.sessions.columns
    if spec.tables.sessions.layout == "long" and columns.session is None:
        _same_day(rest, places, "week" if columns.date is None else "day", problems)
    _duplicates(rest, places, problems)
    if spec.transfers == "refuse":
        _transfers(rest, places, problems)
    _order(rest, places, problems)
    _still(rest, places, problems)


def session_order(keys: pd.DataFrame) -> NDArray[np.intp]:
    """Order of the rows by client and session, shape (n,)."""
    client = keys["client"].cat.codes.to_numpy().astype(np.int64)
    session = keys["session"].to_numpy()
    first = np.nanmin(session, initial=0)
    width = np.nanmax(session, initial=0) - first + 2
    if len(keys) and width * (client.max() + 1) < 2**62:
        place = client * int(width) + np.nan_to_num(session - first, nan=width - 1).astype(np.int64)
        if (np.diff(place) >= 0).all():
            return np.arange(len(keys))
        return np.argsort(place, kind="stable")
    return np.lexsort((session, client))


def _nothing_to_report(keys: pd.DataFrame, spec: StudyFile) -> bool:
    """Whether one look along the sorted rows finds nothing that the rules below could object to."""
    by_column = spec.tables.sessions.layout == "wide" or spec.tables.sessions.columns.session is not None
    if not by_column or keys["session"].isna().any():
        return False
    order = session_order(keys)
    sorted_already = len(order) == 0 or bool((np.diff(order) == 1).all())

    def along(values: Any) -> Any:
        return values if sorted_already else values[order]

    client = along(keys["client"].cat.codes.to_numpy())
    therapist = along(keys["therapist"].cat.codes.to_numpy())
    session = along(keys["session"].to_numpy())
    same = client[1:] == client[:-1]
    if (same & (session[1:] == session[:-1])).any() or (same & (therapist[1:] != therapist[:-1])).any():
        return False
    if "" in keys["client"].cat.categories:
        return False
    time = along(keys["day"].to_numpy() if keys["day"].notna().any() else keys["week"].to_numpy())
    if pd.isna(time).any() and not pd.isna(time).all():
        return False
    if same.sum() >= STILL and not (same & (time[1:] != time[:-1])).any():
        return False
    return not bool((same & (time[1:] < time[:-1])).any())


def _recycled_ids(keys: pd.DataFrame, places: Places, problems: Problems) -> set[str]:
    """Clients whose session numbers start again under another therapist: most likely two people."""
    one_each = keys.drop_duplicates(["client", "session", "therapist"])
    again = one_each[one_each.duplicated(["client", "session"])].drop_duplicates("client")
    shown = keys[keys["client"].isin(again["client"].iloc[:KEPT])].groupby("client", sort=False)
    clients = again["client"].to_numpy()

    def value(place: int) -> str:
        parts = shown.get_group(clients[place]).groupby("therapist", sort=False)["session"]
        spans = [f"{name} (sessions {part.min():.0f} to {part.max():.0f})" for name, part in parts]
        return f"client {clients[place]}: {some(spans)}"

    problems.add_rows(
        "recycled_client_id",
        "a client id has the same session numbers under different therapists, so it seems to "
        "belong to different people.",
        "if ids start again at each therapist, write 'client_ids: within-therapist'; if one person "
        "changed therapist, continue the session numbers and write 'transfers: first' (or last, "
        "longest); if the person came back for another treatment, see 'episodes'.",
        places=places,
        at=again.index.to_numpy(),
        column="client",
        value=value,
    )
    return set(clients)


def _duplicates(keys: pd.DataFrame, places: Places, problems: Problems) -> None:
    twice = keys[keys.duplicated(["client", "session"])]
    first = keys.drop_duplicates(["client", "session"])[["client", "session"]].reset_index(names="first")
    shown = twice.iloc[:KEPT].merge(first, on=["client", "session"], how="left")

    def value(place: int) -> str:
        at = shown.iloc[place]
        before = places.say(int(at["first"]), int(twice.index[place]))
        return f"client {at['client']}, session {at['session']:.0f}, already in {before}"

    problems.add_rows(
        "duplicate_session",
        "a client has the same session in more than one row.",
        "keep one row per client and session; number a second session of the same day on. If several people rated "
        "the session, name the column that says who under 'columns: rater'.",
        places=places,
        at=twice.index.to_numpy(),
        column="session",
        value=value,
    )


def _same_day(keys: pd.DataFrame, places: Places, column: str, problems: Problems) -> None:
    """Where the date (or the day, week or month) numbers the sessions, two rows of one day cannot be told from a row exported twice."""
    twice = keys[keys.duplicated(["client", column])]
    what = "date" if column == "day" else "time"
    problems.add_rows(
        "duplicate_session",
        f"a client has two rows of the same {what}, and only the {what} numbers the sessions.",
        "keep one row per session; or name a 'session' column if there were two sessions that day.",
        places=places,
        at=twice.index.to_numpy(),
        column=what,
        value=lambda place: f"client {twice['client'].iloc[place]}, {_shown(twice[column].iloc[place])}",
    )


def _transfers(keys: pd.DataFrame, places: Places, problems: Problems) -> None:
    pairs = keys.drop_duplicates(["client", "therapist"])
    second = pairs[pairs.duplicated("client")].drop_duplicates("client")
    names = pairs[pairs["client"].isin(second["client"].iloc[:KEPT])].groupby("client", sort=False)[
        "therapist"
    ]
    clients = second["client"].to_numpy()
    problems.add_rows(
        "transfer",
        "a client has more than one therapist.",
        "say which therapist counts: 'transfers: first', 'last' or 'longest' in the study file; if "
        "client ids start again at each therapist, write 'client_ids: within-therapist'; or "
        "correct the therapist.",
        places=places,
        at=second.index.to_numpy(),
        column="therapist",
        value=lambda place: f"client {clients[place]}: {some(list(names.get_group(clients[place])))}",
    )


def _order(keys: pd.DataFrame, places: Places, problems: Problems) -> None:
    """Sessions must not run backwards in time, by date or, without dates, by week."""
    ordered = keys.sort_values(["client", "session"], kind="stable")
    column, what = ("day", "date") if keys["day"].notna().any() else ("week", "week")
    timed = ordered.loc[ordered[column].notna(), ["client", "session", column]]
    earlier = timed.shift().assign(place=timed.index.to_series().shift())
    back = (timed["client"] == earlier["client"]) & (timed[column] < earlier[column])
    late, before = timed[back], earlier[back]

    def value(place: int) -> str:
        at, previous = late.iloc[place], before.iloc[place]
        where = places.say(int(previous["place"]), int(late.index[place]))
        return (
            f"client {at['client']}, session {at['session']:.0f}: {_shown(at[column])} after "
            f"{_shown(previous[column])} in {where}"
        )

    problems.add_rows(
        "out_of_order",
        f"a session has an earlier {what} than the session before it.",
        f"correct the {what} or the session number; or name only the date, then sessions are "
        "numbered by date.",
        places=places,
        at=late.index.to_numpy(),
        column=what,
        value=value,
    )


def _still(keys: pd.DataFrame, places: Places, problems: Problems) -> None:
    """Time must pass for somebody; a date of export, or a column of zeros, is the same at all of a client's sessions."""
    column, what = ("day", "date") if keys["day"].notna().any() else ("week", "time")
    times = keys.dropna(subset=[column]).groupby("client", sort=False)[column]
    if (times.size() > 1).sum() < STILL or (times.max() > times.min()).any():
        return
    problems.add(
        "no_time_passes",
        f"each client's sessions all have the same {what}, so no time passes between them.",
        f"name the column that holds the {what} of each session; or leave this column out of 'columns', then session numbers "
        "stand for time.",
        file=places.file(int(keys.index[0])),
    )


def _shown(value: object) -> str:
    return f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else f"{value:g}"
