"""Broken studies, each small and each with one thing wrong, and the words that must tell its owner so.

``BROKEN[name] = (build, expected)``: ``build(folder)`` writes the study into ``folder`` and returns the path of
the study file; every phrase in ``expected`` has to stand in the message. ``ERRORS[name]`` is the error class.
"""

from pathlib import Path

from alliance_longitudinal.errors import AllianceError, DataError, StudyError
from data import devious_inputs
from data.broken_files import FILES, MISTAKES
from data.builders import HEADER, ROWS, STUDY, Builder, write


def rows(*lines: str, header: str = HEADER) -> Builder:
    """A study whose table has these lines."""
    return lambda folder: write(folder, table="\n".join([header, *lines]) + "\n")


def changed(old: str, new: str) -> Builder:
    """A study whose table differs from the sound one by one replacement."""
    text = "\n".join([HEADER, *ROWS]) + "\n"
    assert old in text, old
    return lambda folder: write(folder, table=text.replace(old, new, 1))


def studied(old: str, new: str, table: str | bytes | None = None) -> Builder:
    """A study whose study file differs from the sound one by one replacement."""
    assert old in STUDY, old
    return lambda folder: write(folder, study=STUDY.replace(old, new, 1), table=table)


def _no_table(folder: Path) -> Path:
    path = write(folder)
    (folder / "sessions.csv").rename(folder / "session.csv")
    return path


def _false_excel(folder: Path) -> Path:
    return write(folder, study=STUDY.replace("sessions.csv", "sessions.xlsx"), name="sessions.xlsx")


def _truncated_excel(folder: Path) -> Path:
    from openpyxl import Workbook

    folder.mkdir(parents=True, exist_ok=True)
    Workbook().save(folder / "whole.xlsx")
    content = (folder / "whole.xlsx").read_bytes()[:2000]
    return write(
        folder, study=STUDY.replace("sessions.csv", "sessions.xlsx"), table=content, name="sessions.xlsx"
    )


def _folder_as_table(folder: Path) -> Path:
    path = write(folder, study=STUDY.replace("sessions.csv", "tables.csv"))
    (folder / "tables.csv").mkdir(exist_ok=True)
    return path


DATA: dict[str, tuple[Builder, tuple[str, ...]]] = {
    "duplicate_session": (
        changed("007,T1,2,", "007,T1,1,"),
        ("same session in more than one row", "row 3", "client 007, session 1, already in row 2"),
    ),
    "two_rows_of_a_day": (
        studied("session: session, ", "", "client,therapist,date,phq9\na,T,2024-03-01,9\na,T,2024-03-01,8\n"),
        ("two rows of the same date", "row 3", "client a, 2024-03-01"),
    ),
    "two_therapists": (
        changed("007,T1,2,", "007,T2,2,"),
        ("more than one therapist", "row 3", "client 007: T1, T2", "transfers: first"),
    ),
    "recycled_client_id": (
        rows(*ROWS, "007,T2,1,2024-05-01,5", "007,T2,2,2024-05-08,4"),
        (
            "different people",
            "row 8",
            "T1 (sessions 1 to 2), T2 (sessions 1 to 2)",
            "client_ids: within-therapist",
        ),
    ),
    "outside_range": (
        changed(",20\n", ",28\n"),
        ("outside the range of PHQ-9 (the total: 0 to 27)", "row 4, column 'phq9': '28'", "missing codes"),
    ),
    "out_of_order": (
        changed("2024-03-08", "2024-02-08"),
        ("an earlier date than the session before it", "row 3", "2024-02-08 after 2024-03-01 in row 2"),
    ),
    "no_time_passes": (
        rows(*(f"{c},T1,{k},2024-05-0{c},{k + c}" for c in (1, 2, 3) for k in (1, 2, 3))),
        ("each client's sessions all have the same date", "session numbers stand for time"),
    ),
    "no_week_passes": (
        studied(
            "date: date",
            "week: date",
            "client,therapist,session,date,phq9\n" + "a,T,1,0,9\na,T,2,0,8\n"
            "b,T,1,0,9\nb,T,2,0,8\nc,T,1,0,9\nc,T,2,0,8\n",
        ),
        ("each client's sessions all have the same time", "leave this column out of 'columns'"),
    ),
    "not_a_number": (
        changed(",12\n", ",twelve\n"),
        ("is not a number", "row 2, column 'phq9': 'twelve'", "decimal mark '.'"),
    ),
    "decimal_comma": (
        changed(",12\n", ',"12,5"\n'),
        ("is not a number", "row 2, column 'phq9': '12,5'", "decimal mark '.'"),
    ),
    "wrong_date_order": (
        studied("measures:", "dialect: {dates: day-first}\nmeasures:", HEADER + "\n1,T1,1,03/14/2024,9\n"),
        ("cannot be read in the declared order (day-first)", "row 2", "'03/14/2024'", "dates: month-first"),
    ),
    "impossible_date": (
        changed("2024-03-08", "2024-02-30"),
        ("a date cannot be read", "row 3, column 'date': '2024-02-30'"),
    ),
    "excel_serial_date": (
        changed("2024-03-08", "45359"),
        ("a date cannot be read", "row 3", "Excel's internal dates"),
    ),
    "empty_file": (lambda folder: write(folder, table=""), ("sessions.csv: the file is empty",)),
    "header_only": (rows(), ("no rows below the column names in row 1",)),
    "missing_column": (
        studied("total: phq9", "total: phq_9"),
        ("no column 'phq_9'", "Did you mean 'phq9'?"),
    ),
    "missing_file": (_no_table, ("there is no file 'sessions.csv'", "Did you mean 'session.csv'?")),
    "folder_without_tables": (
        _folder_as_table,
        ("tables.csv: no file there can be read as a table", ".xlsx"),
    ),
    "wrong_encoding": (
        lambda folder: write(folder, table=(HEADER + "\nMüller,T1,1,2024-03-01,9\n").encode("cp1252")),
        ("not in the encoding 'utf-8'", "row 2", "encoding: cp1252"),
    ),
    "wrong_encoding_declared": (
        studied(
            "measures:", "dialect: {encoding: cp1252}\nmeasures:", HEADER + "\nMüller,T1,1,2024-03-01,9\n"
        ),
        ("the file is UTF-8 text, but 'cp1252' is declared",),
    ),
    "wrong_separator": (
        lambda folder: write(folder, table="\n".join([HEADER, *ROWS]).replace(",", ";")),
        ("separator is the comma ','", "it has the semicolon ';'", 'separator: ";"'),
    ),
    "two_header_rows": (
        rows("Client,Therapist,Session,Date,PHQ-9 total", *ROWS),
        ("looks like a second header row", "row 2"),
    ),
    "header_further_down": (
        lambda folder: write(folder, table="Export of 2024,,,,\n" + "\n".join([HEADER, *ROWS]) + "\n"),
        ("are not in the header row but in row 2", "header_row: 2"),
    ),
    "duplicate_headers": (
        rows("1,T1,1,2024-03-01,9,8", header=HEADER + ",phq9"),
        ("the column name 'phq9' is there 2 times (columns 5, 6)",),
    ),
    "missing_client": (changed("007,T1,1", ",T1,1"), ("the client id is missing", "row 2, column 'client'")),
    "missing_therapist": (
        changed("007,T1,1", "007,,1"),
        ("the therapist id is missing", "row 2, column 'therapist'"),
    ),
    "missing_session": (changed("007,T1,2,", "007,T1,,"), ("the session number is missing", "row 3")),
    "session_not_whole": (changed("007,T1,2,", "007,T1,2a,"), ("not a whole number from 0", "row 3", "'2a'")),
    "too_many_fields": (
        changed("2024-03-08,11", "2024-03-08,11,5"),
        ("more fields than the header, which has 5", "row 3: '6 fields'"),
    ),
    "open_quote": (changed("NA,T1,2", '"NA,T1,2'), ("opened and never closed", "row 5")),
    "nul_character": (changed("007,T1,2", "00\0,T1,2"), ("NUL character", "row 3")),
    "false_excel": (_false_excel, ("sessions.xlsx: the file is not a real Excel workbook",)),
    "truncated_excel": (_truncated_excel, ("sessions.xlsx: the file is not a real Excel workbook",)),
    "excel_called_text": (
        lambda folder: write(folder, table=b"PK\x03\x04rest"),
        ("called text but is an Excel or zip file",),
    ),
    "unknown_type": (
        lambda folder: write(folder, study=STUDY.replace(".csv", ".ods"), name="sessions.ods"),
        ("files that end in '.ods' cannot be read", "export the table as .csv or .xlsx"),
    ),
}

STUDY_FILE: dict[str, tuple[Builder, tuple[str, ...]]] = {
    "unknown_key": (
        studied("measures:", "early_windw: [1, 4]\nmeasures:"),
        ("line 6", "unknown key 'early_windw'", "Did you mean 'early_window'?"),
    ),
    "unknown_nested_key": (
        studied("total: phq9", "total: phq9, ratr: client"),
        ("line 7", "unknown key 'measures.phq9.ratr'", "Did you mean 'rater'?"),
    ),
    "duplicate_key": (studied("measures:", "study: again\nmeasures:"), ("line 6", "'study' is given twice")),
    "unknown_instrument": (
        studied("phq_9,", "phq9,"),
        ("line 7", "no instrument 'phq9'", "Did you mean 'phq_9'?"),
    ),
    "wrong_construct": (
        studied("total: phq9", "construct: alliance, total: phq9"),
        ("PHQ-9 measures symptoms, not alliance",),
    ),
    "wrong_rater": (studied("total: phq9", "rater: therapist, total: phq9"), ("filled in by the client",)),
    "item_count": (
        studied("total: phq9", "items: [a, b]"),
        ("PHQ-9 has 9 items, but 2 columns are named",),
    ),
    "items_and_total": (
        studied("total: phq9", "total: phq9, items: 'p{item}'"),
        ("either 'items' or 'total'",),
    ),
    "no_therapist_where_ids_start_again": (
        studied(
            STUDY[: STUDY.index("session: session")],
            STUDY[: STUDY.index("therapist")].replace("study:", "client_ids: within-therapist\nstudy:"),
        ),
        ("'client_ids: within-therapist' needs a 'therapist' column",),
    ),
    "no_order": (
        studied(", session: session, date: date", ""),
        ("'columns' must name 'session' or 'date'",),
    ),
    "window_backwards": (
        studied("measures:", "early_window: [5, 1]\nmeasures:"),
        ("runs backwards: [5, 1]",),
    ),
    "wrong_choice": (
        studied("measures:", "transfers: frist\nmeasures:"),
        ("'transfers' is 'frist'", "'first'"),
    ),
    "unknown_encoding": (
        studied("measures:", "dialect: {encoding: utf-9}\nmeasures:"),
        ("line 6", "no encoding 'utf-9'"),
    ),
    "reserved_name": (studied("  phq9:", "  week:"), ("the name 'week' is taken",)),
    "not_yaml": (studied("measures:", "measures: ["), ("not valid YAML at line",)),
    "missing_instruments": (
        studied("measures:", "instruments: mine\nmeasures:"),
        ("mine does not exist", "Correct 'instruments'"),
    ),
}

DATA |= FILES | devious_inputs.DATA
STUDY_FILE |= MISTAKES | devious_inputs.STUDY_FILE
BROKEN = DATA | STUDY_FILE
ERRORS: dict[str, type[AllianceError]] = {
    **dict.fromkeys(DATA, DataError),
    **dict.fromkeys(STUDY_FILE, StudyError),
}
