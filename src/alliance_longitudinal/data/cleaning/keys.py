"""Who, with whom, where, when: the key columns of each client session, parsed and checked one by one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.cells.columns import Column
from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.cells.texts import Texts, paired
from alliance_longitudinal.data.cleaning.layout import SessionCells
from alliance_longitudinal.data.readers.tables import RawTable
from alliance_longitudinal.data.study_file.format import StudyFile
from alliance_longitudinal.data.study_file.table_blocks import TIME_UNITS

NO_DAY = np.datetime64("NaT", "D")
#: Years in which a session can have been held; another is a slip of the pen or an empty date of some program.
FIRST_DAY, LAST_DAY = np.datetime64("1950-01-01", "D"), np.datetime64("2099-12-31", "D")
#: The highest session number that can be a count; a higher one is a visit's number in some database, or a date.
LAST_SESSION = 9999
#: What Excel writes into a cell whose formula failed; no identifier.
EXCEL_ERRORS = ("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!")


#: Key columns that are text and may be missing, beside the client.
TEXT_ROLES = ("therapist", "clinic", "group", "family", "rater", "episode", "ending", "mode")
#: Of them, those that may stand in the clients table in place of the sessions table.
CLIENT_ROLES = ("therapist", "clinic", "family", "ending")


@dataclass(frozen=True, slots=True)
class ClientRows:
    """The clients table, one row each: text columns of shape (m,), indexed by client id."""

    table: RawTable
    frame: pd.DataFrame


def read_keys(
    cells: SessionCells, clients: ClientRows | None, spec: StudyFile, dialect: Dialect, problems: Problems
) -> pd.DataFrame:
    """One row per row of ``cells``, aligned with it by position.

    Columns ``client, therapist, clinic, group, family, rater, episode, ending, mode`` (categorical text in alphabetical
    order, empty = missing; those that the study names), ``session`` and ``week`` (float), ``day`` (datetime64,
    NaT = missing). Everything unreadable is in ``problems``.
    """
    keys = cells.keys
    client = keys["client"].text
    _need(keys["client"], "missing_client", "the client id is missing.", problems)
    if "therapist" in keys:
        _need_therapist(keys["therapist"], client, spec, problems)
    if "rater" in keys:
        _need(keys["rater"], "missing_rater", "who filled in the row is missing.", problems)
    if spec.client_ids == "within-therapist":
        client = paired(keys["therapist"].text, client, "/")
    frame = pd.DataFrame({"client": client.categorical()})
    for role in TEXT_ROLES:
        if role in keys:
            frame[role] = keys[role].text.categorical()
    if clients is not None:
        _from_clients(frame, keys["client"], clients, problems)
    if "therapist" not in frame:  # nobody names one
        frame["therapist"] = Texts.constant("", len(frame)).categorical()
    frame["session"] = _sessions(keys, spec.sessions, dialect, problems)
    frame["day"] = _days(keys, dialect, problems)
    frame["week"] = _weeks(keys, dialect, problems)
    return frame


def read_clients(table: RawTable, spec: StudyFile, problems: Problems) -> ClientRows:
    """The clients table with its keys checked: an id in every row, and none twice."""
    block = spec.tables.clients
    assert block is not None
    column = table.column(block.columns.client)
    _need(column, "missing_client", "the client id is missing.", problems)
    client = column.text
    if block.columns.therapist is not None:
        therapist = table.column(block.columns.therapist)
        _need_therapist(therapist, client, spec, problems)
        if spec.client_ids == "within-therapist":
            client = paired(therapist.text, client, "/")
    frame = pd.DataFrame({"client": client.spread()})
    for role in CLIENT_ROLES:
        header = getattr(block.columns, role)
        if header is not None:
            frame[role] = table.column(header).text.spread()
    twice = frame["client"].duplicated(keep=False).to_numpy() & ~column.text.empty
    problems.add_cells(
        "duplicate_client",
        column,
        twice,
        "a client is in more than one row of the clients table.",
        "keep one row per client.",
    )
    return ClientRows(table, frame.set_index("client"))


def _need(column: Column, rule: str, message: str, problems: Problems) -> None:
    problems.add_cells(
        rule,
        column,
        column.text.empty,
        message,
        "fill it in, or remove the row; an identifier is missing only if the cell is empty.",
    )
    _no_excel_error(column, problems)


def _need_therapist(column: Column, client: Texts, spec: StudyFile, problems: Problems) -> None:
    """Report rows without a therapist, unless none of the client's rows has one: such clients have no therapist."""
    empty = column.text.empty
    if empty.any() and spec.client_ids == "unique":
        has_one = np.zeros(len(client.words), dtype=bool)
        has_one[client.codes[~empty]] = True
        bad = empty & has_one[client.codes] & ~client.empty
        message = "the therapist id is missing, though other rows of the client have one."
        remedy = "fill it in. A client without a therapist, such as one in an arm without therapy, has no id in any row."
        problems.add_cells("missing_therapist", column, bad, message, remedy)
        _no_excel_error(column, problems)
    else:
        _need(column, "missing_therapist", "the therapist id is missing.", problems)


def _no_excel_error(column: Column, problems: Problems) -> None:
    if set(column.text.words) & set(EXCEL_ERRORS):
        problems.add_cells(
            "excel_error",
            column,
            column.text.where(lambda word: word in EXCEL_ERRORS),
            "a cell has one of Excel's error values instead of an identifier.",
            "correct the formula or the cell and save the file again.",
        )


def _from_clients(frame: pd.DataFrame, client: Column, clients: ClientRows, problems: Problems) -> None:
    """Add the therapist and clinic that stand in the clients table; ``frame`` is the caller's own."""
    known = clients.frame.loc[~clients.frame.index.duplicated()]
    ids = frame["client"].cat.categories
    absent = ~frame["client"].isin(known.index).to_numpy() & ~client.text.empty
    codes = frame["client"].cat.codes.to_numpy()
    for role in CLIENT_ROLES:
        if role in known and role not in frame:
            of_id = Texts.of(known[role].reindex(ids).fillna("").astype(object))
            frame[role] = Texts(of_id.codes[codes], of_id.words).categorical()
            if role == "therapist":
                problems.add_cells(
                    "unknown_client",
                    client,
                    absent,
                    f"the client is not in {clients.table.file}, so the therapist is not known.",
                    "add the client there, or correct the id (they are compared as text: 7 is not 007).",
                )


def _sessions(
    keys: Mapping[str, Column], names: Mapping[str, int], dialect: Dialect, problems: Problems
) -> NDArray[np.float64]:
    if "session" not in keys:
        return np.full(len(keys["client"].places), np.nan)
    column = keys["session"]
    numbered = column.text.replaced(lambda word: str(names[word]) if word in names else word)
    values, bad = dialect.numbers(numbered if names else column.text)
    bad = bad | (~np.isnan(values) & ((values < 0) | (values != np.floor(values))))
    problems.add_cells(
        "session_number",
        column,
        bad,
        "a session number is not a whole number from 0.",
        "number the sessions 0 (intake), 1, 2, ...; if sessions have names, give their numbers: "
        "'sessions: {pre: 0, post: 99}'; write remarks in another column.",
    )
    odd = values > LAST_SESSION
    problems.add_cells(
        "implausible_session",
        column,
        odd & ~bad,
        f"a session number is higher than {LAST_SESSION}.",
        "number the sessions of each client 0 (intake), 1, 2, ...; if these numbers only "
        "distinguish visits, name the date instead of the session, then sessions are numbered by "
        "date.",
    )
    bad = bad | odd
    problems.add_cells(
        "missing_session",
        column,
        np.isnan(values) & ~bad,
        "the session number is missing.",
        "fill it in; or name only the date, then sessions are numbered by date.",
    )
    return np.where(bad, np.nan, values)


def _days(keys: Mapping[str, Column], dialect: Dialect, problems: Problems) -> NDArray[np.datetime64]:
    if "date" not in keys:
        return np.full(len(keys["client"].places), NO_DAY)
    column = keys["date"]
    days, bad = dialect.days(column.text)
    problems.add_cells(
        "date",
        column,
        bad,
        f"a date cannot be read in the declared order ({dialect.dates}).",
        _date_remedy(column, bad, dialect),
    )
    odd = (days < FIRST_DAY) | (days > LAST_DAY)
    problems.add_cells(
        "implausible_date",
        column,
        odd,
        "a date lies before 1950 or after 2099.",
        "correct it; dates such as 1900-01-01 or 9999-12-31 often mean 'unknown': list them under "
        "'dialect: missing'.",
    )
    days = np.where(odd, NO_DAY, days)
    bad = bad | odd
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
    if len(fitting) > 1:
        either = " or ".join(f"'dialect: {{dates: {order}}}'" for order in fitting)
        return f"every date in this column can be read as {' and as '.join(fitting)}. Find out which it is, and write {either}."
    if fitting:
        return f"every date in this column can be read as {fitting[0]}: write 'dialect: {{dates: {fitting[0]}}}'."
    wrong = column.text.take(bad).present()[:100]
    if any(re.fullmatch("[0-9]{5}", text) and 20000 < int(text) < 60000 for text in wrong):
        return (
            "numbers such as 45000 are Excel's internal dates; format the column as a date and export again."
        )
    return "correct these dates, or list texts that mean 'no date' under 'dialect: missing'."


def _weeks(keys: Mapping[str, Column], dialect: Dialect, problems: Problems) -> NDArray[np.float64]:
    unit = next((unit for unit in TIME_UNITS if unit in keys), None)
    if unit is None:
        return np.full(len(keys["client"].places), np.nan)
    column = keys[unit]
    values, bad = dialect.numbers(column.text)
    problems.add_cells("week", column, bad, f"a {unit} is not a number.", number_remedy(dialect))
    if "session" not in keys and "date" not in keys:
        message = f"the {unit} is missing, and without a session number it decides the order."
        remedy = "fill it in, or name a 'session' column."
        problems.add_cells("missing_date", column, np.isnan(values) & ~bad, message, remedy)
    return values * TIME_UNITS[unit]


def number_remedy(dialect: Dialect) -> str:
    """What to do about text where a number belongs."""
    marks = f"decimal mark {dialect.decimal!r}"
    marks += f", thousands mark {dialect.thousands!r}" if dialect.thousands else ", no thousands mark"
    return (
        f"correct the value, list texts that mean 'nothing' under 'dialect: missing', or correct the declared "
        f"marks ({marks})."
    )
