"""Who, with whom, where, when: the key columns of each client session, parsed and checked one by one."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.dialect import Dialect
from alliance_longitudinal.data.layout import SessionCells
from alliance_longitudinal.data.problems import Column, Problems
from alliance_longitudinal.data.study_file import StudyFile
from alliance_longitudinal.data.tables import RawTable

NO_DAY = np.datetime64("NaT", "D")


@dataclass(frozen=True, slots=True)
class ClientRows:
    """The clients table, one row each: text columns of shape (m,), indexed by client id."""

    table: RawTable
    frame: pd.DataFrame


def read_keys(
    cells: SessionCells, clients: ClientRows | None, spec: StudyFile, dialect: Dialect, problems: Problems
) -> pd.DataFrame:
    """One row per client session, aligned with ``cells``.

    Columns ``client, therapist, clinic`` (text, empty = missing), ``session`` and ``week`` (float), ``day``
    (datetime64, NaT = missing), and ``row`` (row in the file). Everything unreadable is in ``problems``.
    """
    keys = cells.keys
    frame = pd.DataFrame({"row": keys["client"].rows, "client": keys["client"].text})
    _need(keys["client"], "missing_client", "the client id is missing.", problems)
    for role in ("therapist", "clinic"):
        if role in keys:
            frame[role] = keys[role].text
    if "therapist" in keys:
        _need(keys["therapist"], "missing_therapist", "the therapist id is missing.", problems)
    if spec.client_ids == "within-therapist":
        frame["client"] = within_therapist(frame["therapist"], frame["client"])
    if clients is not None:
        _from_clients(frame, keys["client"], clients, problems)
    frame["session"] = _sessions(keys, dialect, problems)
    frame["day"] = _days(keys, dialect, problems)
    frame["week"] = _weeks(keys, dialect, problems)
    return frame


def read_clients(table: RawTable, spec: StudyFile, problems: Problems) -> ClientRows:
    """The clients table with its keys checked: an id in every row, and none twice."""
    block = spec.tables.clients
    assert block is not None
    column = table.column(block.columns.client)
    _need(column, "missing_client", "the client id is missing.", problems)
    frame = pd.DataFrame({"client": column.text})
    for role, header in (("therapist", block.columns.therapist), ("clinic", block.columns.clinic)):
        if header is not None:
            frame[role] = table.column(header).text
    if block.columns.therapist is not None:
        _need(
            table.column(block.columns.therapist),
            "missing_therapist",
            "the therapist id is missing.",
            problems,
        )
    if spec.client_ids == "within-therapist":
        frame["client"] = within_therapist(frame["therapist"], frame["client"])
    twice = frame["client"].duplicated(keep=False).to_numpy() & (column.text != "")
    problems.add_cells(
        "duplicate_client",
        column,
        twice,
        "a client stands in more than one row of the clients table.",
        "keep one row per client.",
    )
    return ClientRows(table, frame.set_index("client"))


def within_therapist(therapist: "pd.Series[str]", client: "pd.Series[str]") -> NDArray[np.object_]:
    """Ids that are unique in the study, for client ids that start again at each therapist."""
    return np.asarray(therapist.astype(object) + "/" + client.astype(object), dtype=object)


def _need(column: Column, rule: str, message: str, problems: Problems) -> None:
    problems.add_cells(
        rule,
        column,
        column.text == "",
        message,
        "fill it in, or take the row out; identifiers are only missing when the cell is empty.",
    )


def _from_clients(frame: pd.DataFrame, client: Column, clients: ClientRows, problems: Problems) -> None:
    """Add the therapist and clinic that stand in the clients table; ``frame`` is the caller's own."""
    known = clients.frame.loc[~clients.frame.index.duplicated()]
    absent = ~frame["client"].isin(known.index).to_numpy() & (client.text != "")
    for role in ("therapist", "clinic"):
        if role in known and role not in frame:
            frame[role] = frame["client"].map(known[role]).fillna("")
            if role == "therapist":
                problems.add_cells(
                    "unknown_client",
                    client,
                    absent,
                    f"the client is not in {clients.table.file}, so the therapist is not known.",
                    "add the client there, or correct the id (they are compared as text: 7 is not 007).",
                )


def _sessions(keys: Mapping[str, Column], dialect: Dialect, problems: Problems) -> NDArray[np.float64]:
    if "session" not in keys:
        return np.full(len(keys["client"].rows), np.nan)
    column = keys["session"]
    values, bad = dialect.numbers(column.text)
    bad = bad | (~np.isnan(values) & ((values < 0) | (values != np.floor(values))))
    problems.add_cells(
        "session_number",
        column,
        bad,
        "a session number is not a whole number from 0.",
        "number the sessions 0 (intake), 1, 2, ...; put remarks into another column.",
    )
    problems.add_cells(
        "missing_session",
        column,
        np.isnan(values) & ~bad,
        "the session number is missing.",
        "fill it in; or name only the date, and sessions are numbered by date.",
    )
    return np.where(bad, np.nan, values)


def _days(keys: Mapping[str, Column], dialect: Dialect, problems: Problems) -> NDArray[np.datetime64]:
    if "date" not in keys:
        return np.full(len(keys["client"].rows), NO_DAY)
    column = keys["date"]
    days, bad = dialect.days(column.text)
    problems.add_cells(
        "date",
        column,
        bad,
        f"a date cannot be read in the declared order ({dialect.dates}).",
        _date_remedy(column, bad, dialect),
    )
    if "session" not in keys:
        problems.add_cells(
            "missing_date",
            column,
            np.isnat(days) & ~bad,
            "the date is missing, and without a session number it decides the order.",
            "fill it in, or name a 'session' column.",
        )
    return days


def _date_remedy(column: Column, bad: NDArray[np.bool_], dialect: Dialect) -> str:
    if not bad.any():
        return ""
    fitting = dialect.orders_that_read(column.text)
    if fitting:
        return f"every date in this column can be read as {fitting[0]}: write 'dialect: {{dates: {fitting[0]}}}'."
    if any(text.isdigit() and 20000 < int(text) < 60000 for text in column.text[bad][:100]):
        return (
            "numbers such as 45000 are Excel's internal dates; format the column as a date and export again."
        )
    return "correct these dates, or list texts that mean 'no date' under 'dialect: missing'."


def _weeks(keys: Mapping[str, Column], dialect: Dialect, problems: Problems) -> NDArray[np.float64]:
    if "week" not in keys:
        return np.full(len(keys["client"].rows), np.nan)
    column = keys["week"]
    values, bad = dialect.numbers(column.text)
    problems.add_cells("week", column, bad, "a week is not a number.", number_remedy(dialect))
    return values


def number_remedy(dialect: Dialect) -> str:
    """What to do about text where a number belongs."""
    marks = f"decimal mark {dialect.decimal!r}"
    marks += f", thousands mark {dialect.thousands!r}" if dialect.thousands else ", no thousands mark"
    return (
        f"correct the value, list texts that mean 'nothing' under 'dialect: missing', or correct the declared "
        f"marks ({marks})."
    )
