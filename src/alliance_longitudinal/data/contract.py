"""The table contract between rows: who may appear twice, with whom, and in which order."""

import pandas as pd

from alliance_longitudinal.data.problems import KEPT, Problems, some
from alliance_longitudinal.data.study_file import StudyFile


def check_contract(keys: pd.DataFrame, file: str, spec: StudyFile, problems: Problems) -> None:
    """Report clients with several therapists, repeated sessions, and sessions out of order.

    Parameters
    ----------
    keys : DataFrame
        As of :func:`alliance_longitudinal.data.keys.read_keys`, sessions numbered. Rows without an id or a
        session are reported elsewhere and left out here.
    file : str
        Name of the sessions table.
    """
    known = keys[(keys["client"] != "") & (keys["therapist"] != "") & keys["session"].notna()]
    recycled = _recycled_ids(known, file, problems)
    rest = known[~known["client"].isin(recycled)]
    if spec.tables.sessions.layout == "long" and spec.tables.sessions.columns.session is None:
        _same_day(rest, file, problems)
    _duplicates(rest, file, problems)
    if spec.transfers == "refuse":
        _transfers(rest, file, problems)
    _order(rest, file, problems)


def _recycled_ids(keys: pd.DataFrame, file: str, problems: Problems) -> set[str]:
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
        "a client id has the same session numbers under different therapists: the id seems to stand for "
        "different people.",
        "if ids start again at each therapist, write 'client_ids: within-therapist'; if it is one person who "
        "changed therapist, number the sessions on and write 'transfers: first' (or last, longest).",
        file=file,
        column="client",
        rows=again["row"].to_numpy(),
        value=value,
    )
    return set(clients)


def _duplicates(keys: pd.DataFrame, file: str, problems: Problems) -> None:
    twice = keys[keys.duplicated(["client", "session"])]
    first = keys.drop_duplicates(["client", "session"])[["client", "session", "row"]]
    shown = twice.iloc[:KEPT].merge(first, on=["client", "session"], suffixes=("", "_first"))

    def value(place: int) -> str:
        at = shown.iloc[place]
        return f"client {at['client']}, session {at['session']:.0f}, already in row {at['row_first']}"

    problems.add_rows(
        "duplicate_session",
        "a client has the same session in more than one row.",
        "keep one row per client and session; number a second session of the same day on.",
        file=file,
        column="session",
        rows=twice["row"].to_numpy(),
        value=value,
    )


def _same_day(keys: pd.DataFrame, file: str, problems: Problems) -> None:
    """Where the date numbers the sessions, two rows of one day cannot be told from a row exported twice."""
    twice = keys[keys.duplicated(["client", "day"])]
    problems.add_rows(
        "duplicate_session",
        "a client has two rows of the same date, and only the date numbers the sessions.",
        "keep one row per session; or name a 'session' column if there were two sessions that day.",
        file=file,
        column="date",
        rows=twice["row"].to_numpy(),
        value=lambda place: f"client {twice['client'].iloc[place]}, {_shown(twice['day'].iloc[place])}",
    )


def _transfers(keys: pd.DataFrame, file: str, problems: Problems) -> None:
    pairs = keys.drop_duplicates(["client", "therapist"])
    second = pairs[pairs.duplicated("client")].drop_duplicates("client")
    names = pairs[pairs["client"].isin(second["client"].iloc[:KEPT])].groupby("client", sort=False)[
        "therapist"
    ]
    clients = second["client"].to_numpy()
    problems.add_rows(
        "transfer",
        "a client has more than one therapist.",
        "say under whom such clients are analysed: 'transfers: first', 'last' or 'longest' in the study file; "
        "if client ids start again at each therapist, write 'client_ids: within-therapist'; or correct the "
        "therapist.",
        file=file,
        column="therapist",
        rows=second["row"].to_numpy(),
        value=lambda place: f"client {clients[place]}: {some(list(names.get_group(clients[place])))}",
    )


def _order(keys: pd.DataFrame, file: str, problems: Problems) -> None:
    """Sessions must not run backwards in time, by date or, without dates, by week."""
    ordered = keys.sort_values(["client", "session"], kind="stable")
    column, what = ("day", "date") if keys["day"].notna().any() else ("week", "week")
    timed = ordered[ordered[column].notna()]
    earlier = timed.shift()
    back = (timed["client"] == earlier["client"]) & (timed[column] < earlier[column])
    late, before = timed[back], earlier[back]

    def value(place: int) -> str:
        at, previous = late.iloc[place], before.iloc[place]
        return (
            f"client {at['client']}, session {at['session']:.0f}: {_shown(at[column])} after "
            f"{_shown(previous[column])} in row {previous['row']:.0f}"
        )

    problems.add_rows(
        "out_of_order",
        f"a session has an earlier {what} than the session before it.",
        f"correct the {what} or the session number; or name only the date, and sessions are numbered by it.",
        file=file,
        column=what,
        rows=late["row"].to_numpy(),
        value=value,
    )


def _shown(value: object) -> str:
    return f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else f"{value:g}"
