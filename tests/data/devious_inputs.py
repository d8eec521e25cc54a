"""Devious tables and study files, added to the corpus of ``broken_inputs``; built as in it."""

import datetime
import re
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from data.broken_files import TEXT, file, made
from data.builders import HEADER, ROWS, STUDY, Builder, write

#: Three typed rows: client a twice, client b once without an answer.
BASE = pd.DataFrame(
    {
        "client": ["a", "a", "b"],
        "therapist": ["T", "T", "U"],
        "session": [1, 2, 1],
        "date": [datetime.date(2024, 3, 1), datetime.date(2024, 3, 8), datetime.date(2024, 3, 2)],
        "phq9": [12.0, 11.5, None],
    }
)
WIDE = STUDY.replace(
    "columns: {client: client, therapist: therapist, session: session, date: date}",
    'layout: wide\n    wide: {pattern: "{column}_s{session}"}\n    columns: {client: client, therapist: therapist}',
)
LABELLED = STUDY.replace("session: session, date: date", "session: session, episode: ep")


def text(old: str, new: str) -> Builder:
    """The sound table with one replacement."""
    assert old in TEXT, old
    return lambda folder: write(folder, table=TEXT.replace(old, new, 1))


def dialect(words: str, table: str | None = None) -> Builder:
    """A study with another dialect."""
    study = STUDY.replace("measures:", f"dialect: {{{words}}}\nmeasures:")
    return lambda folder: write(folder, study=study, table=table)


def study(old: str, new: str, table: str | None = None) -> Builder:
    """The sound study file with one replacement."""
    assert old in STUDY, old
    return lambda folder: write(folder, study=STUDY.replace(old, new, 1), table=table)


def arrow(**columns: object) -> Builder:
    """A Parquet file of the typed rows with other columns; ``columns`` are functions that make them."""

    def save(path: Path) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        table = pa.Table.from_pandas(BASE)
        for name, make in columns.items():
            table = table.set_column(table.column_names.index(name), name, make(pa))  # type: ignore[operator]
        parquet.write_table(table, path)

    return made("s.parquet", save)


def sqlite(
    *commands: str, ask: str = "table: t", columns: str = "client,therapist,session,date,phq9"
) -> Builder:
    """A SQLite file with the table t, after ``commands``."""

    def save(path: Path) -> None:
        connection = sqlite3.connect(path)
        for command in (f"create table t({columns})", *commands):
            connection.execute(command)
        connection.commit()
        connection.close()

    return made("s.sqlite", save, f"\n    {ask}")


def workbook(
    change: Callable[[Any], object], edit: Callable[[str], str] | None = None, extra: str = ""
) -> Builder:
    """A workbook of the typed rows after ``change(sheet)``; ``edit`` changes the XML of each of its parts."""

    def save(path: Path) -> None:
        from openpyxl import Workbook

        book = Workbook()
        book.active.append(list(BASE.columns))
        for row in BASE.astype(object).where(BASE.notna(), None).itertuples(index=False):
            book.active.append(list(row))
        change(book.active)
        book.save(path)
        if edit is not None:
            with zipfile.ZipFile(path) as old:
                parts = {name: old.read(name).decode() for name in old.namelist()}
            with zipfile.ZipFile(path, "w") as new:
                for name, content in parts.items():
                    new.writestr(name, edit(content) if name.endswith(".xml") else content)

    return made("s.xlsx", save, extra)


def put(cell: str, value: object, format: str | None = None) -> Callable[[Any], object]:
    """Puts one value, with a number format."""

    def change(sheet: Any) -> None:
        sheet[cell] = value
        if format is not None:
            sheet[cell].number_format = format

    return change


def prefixed(xml: str) -> str:
    """The XML of a sheet as programs write it that give every name a prefix."""
    if "<sheetData>" not in xml:
        return xml
    return re.sub(r"<(/?)([A-Za-z])", r"<\1x:\2", xml.replace("xmlns=", "xmlns:x="))


def other_order(xml: str) -> str:
    """The XML of a sheet with the attributes of a cell in another order and other quotation marks."""
    xml = re.sub(r'<c r="([A-Z]+\d+)"( [^>]*?)?(/?)>', r"<c\2 r='\1'\3>", xml)
    return re.sub(r'<mergeCell ref="([^"]+)"', r"<mergeCell ref='\1'", xml)


def statistics(name: str, frame: pd.DataFrame, **options: object) -> Builder:
    """An SPSS or Stata file."""

    def save(path: Path) -> None:
        import pyreadstat

        (pyreadstat.write_dta if name.endswith("dta") else pyreadstat.write_sav)(frame, str(path), **options)

    return made(name, save)


def _two_meanings(folder: Path) -> Path:
    import pyreadstat

    path = write(folder, study=STUDY.replace("sessions.csv", "months") + "baseline: [sex]\n")
    (folder / "months").mkdir(exist_ok=True)
    for name, client, labels in (("jan", "a", {1.0: "f", 2.0: "m"}), ("feb", "c", {1.0: "m", 2.0: "f"})):
        frame = BASE.iloc[:1].assign(client=client, sex=1.0)
        pyreadstat.write_sav(frame, str(folder / f"months/{name}.sav"), variable_value_labels={"sex": labels})
    return path


def episodes(*rows: str) -> Builder:
    """A study without dates, with a column that tells episodes apart."""
    table = "client,therapist,session,ep,phq9\n" + "\n".join(rows) + "\n"
    return lambda folder: write(folder, study=LABELLED + "episodes: {analyse: each}\n", table=table)


def _number(value: str) -> tuple[Builder, tuple[str, ...]]:
    return text(",12\n", f',"{value}"\n'), ("a value of PHQ-9 is not a number", "row 2, column 'phq9'")


NUMBERS = [
    "1.234,5",
    "12,0",
    "\u0661\u0662",
    "\uff11\uff12",
    "12%",
    "1_0",
    "0x1F",
    "nan",
    "1e400",
    "1.2.3",
    "- 5",
    "\u00bd",
]
PATH = ("s.parquet: ", "a value of PHQ-9 is not a number", "row 1, column 'phq9'")

DATA: dict[str, tuple[Builder, tuple[str, ...]]] = {
    **{f"no_number_{value}": _number(value) for value in NUMBERS},
    "digit_that_is_no_number": (
        text("2024-03-08", "\u00b2"),
        ("a date cannot be read", "row 3, column 'date': '\u00b2'"),
    ),
    "leap_day": (
        dialect("dates: day-first", TEXT.replace("2024-03-08", "29.02.2023")),
        ("a date cannot be read in the declared order (day-first)", "row 3, column 'date': '29.02.2023'"),
    ),
    "31_february": (
        dialect("dates: day-first", TEXT.replace("2024-03-08", "31/02/24")),
        ("a date cannot be read", "row 3, column 'date': '31/02/24'"),
    ),
    "session_beyond_counting": (
        text("007,T1,2", "007,T1,1e300"),
        ("a session number is higher than 9999", "row 3, column 'session': '1e300'", "name the date instead"),
    ),
    "number_of_a_visit": (text("007,T1,2", "007,T1,20240301"), ("a session number is higher than 9999", "row 3")),
    "mark_of_the_separator": (
        dialect("separator: ';'", "sep=;\n" + TEXT.replace(",", ";")),
        ("Excel's 'sep=' line", "header_row: 2", "dialect: {separator: \";\"}"),
    ),
    "separator_below_a_title": (
        study("sessions.csv", "sessions.csv\n    header_row: 2", "Clinic, 2024\n" + TEXT.replace(",", ";")),
        ("but line 2 has none; it has the semicolon ';'", "row 2"),
    ),
    "header_row_beyond_every_file": (
        study("sessions.csv", f"sessions.csv\n    header_row: {10**25}"),
        ("there are no rows below the column names in row 10000",),
    ),
    "trailing_separators": (
        file("s.csv", (HEADER + "\n" + "".join(f"{row},\n" for row in ROWS)).encode()),
        ("more fields than the header", "if every row ends in a separator, add one"),
    ),
    "session_twice_in_a_wide_table": (
        lambda folder: write(folder, study=WIDE, table="client,therapist,phq9_s1,phq9_s01\na,T,3,4\n"),
        ("two columns hold 'phq9' of session 1: 'phq9_s1' and 'phq9_s01'",),
    ),
    "header_twice_in_a_wide_table": (
        lambda folder: write(folder, study=WIDE, table="client,therapist,phq9_s1,phq9_s1\na,T,3,4\n"),
        ("two columns hold 'phq9' of session 1",),
    ),
    "header_of_two_columns_in_a_wide_table": (
        lambda folder: write(
            folder,
            study=WIDE.replace("_s{session}", "{session}").replace("total: phq9", "total: p1")
            + "  second: {instrument: phq_9, total: p11}\n",
            table="client,therapist,p11,p111\na,T,3,4\n",
        ),
        ("'p111' could be 'p1' of session 11 or 'p11' of session 1", "{column}_s{session}"),
    ),
    "file_name_too_long": (study("sessions.csv", "a" * 300 + ".csv"), ("cannot be opened", "check the path")),
    "date_beyond_every_calendar": (
        arrow(date=lambda pa: pa.array([0, 2**31 - 1, None], pa.int32()).cast(pa.date32())),
        ("s.parquet: a date or time in it lies outside of every calendar",),
    ),
    "list_in_a_cell": (arrow(phq9=lambda pa: pa.array([[1], [2, 3], None])), PATH),
    "record_in_a_cell": (arrow(phq9=lambda pa: pa.array([{"a": 1}, {"a": 2}, None])), PATH),
    "truth_value_as_answer": (arrow(phq9=lambda pa: pa.array([True, False, None])), PATH),
    "duration_as_answer": (arrow(phq9=lambda pa: pa.array([5, 6, None], pa.duration("s"))), PATH),
    "infinity_in_parquet": (arrow(phq9=lambda pa: pa.array([float("inf"), 1.0, None])), PATH),
    "seconds_as_date": (
        sqlite("insert into t values(7, 'T', 1, 1709251200, 12)"),
        ("a date cannot be read", "row 1, column 'date': '1709251200'"),
    ),
    "julian_day": (sqlite("insert into t values(7, 'T', 1, 2460370.5, 12)"), ("a date cannot be read", "2460370.5")),
    "column_twice_in_a_query": (
        sqlite("insert into t values(7, 'T', 1, '2024-03-01', 12)", ask="query: select *, phq9 from t"),
        ("the column name 'phq9' is there 2 times",),
    ),
    "damaged_text_in_a_database": (
        sqlite("insert into t values(cast(x'ff' as text), 'T', 1, '2024-03-01', 12)"),
        ("the database holds text that is damaged",),
    ),
    "merged_cells_with_prefixes": (
        workbook(lambda sheet: sheet.merge_cells("A2:A3"), prefixed),
        ("cells are merged (A2:A3)",),
    ),
    "merged_cells_in_other_quotes": (
        workbook(lambda sheet: sheet.merge_cells("A2:A3"), other_order),
        ("cells are merged (A2:A3)",),
    ),
    "formula_without_value_with_prefixes": (
        workbook(put("E3", "=E2+1"), prefixed),
        ("1 cells hold a formula whose result is not in the file (such as E3)", "row 3"),
    ),
    "strict_workbook": (
        workbook(
            lambda _: None,
            lambda xml: re.sub(r"schemas\.openxmlformats\.org/(\w+)/2006", r"purl.oclc.org/ooxml/\1", xml),
        ),
        ("no visible sheet with a table", "Strict Open XML"),
    ),
    "sheet_with_a_blank": (
        workbook(lambda _: None, extra="\n    sheet: ' Sheet'"),
        ("there is no sheet ' Sheet'", "Did you mean 'Sheet'?"),
    ),
    "division_by_zero": (workbook(put("E2", "#DIV/0!")), ("row 2, column 'phq9': '#DIV/0!'",)),
    "time_in_place_of_a_date": (workbook(put("D2", datetime.time(12, 30))), ("a date cannot be read", "row 2")),
    "date_beyond_excel": (workbook(put("D2", 9e9, "yyyy-mm-dd")), ("row 2, column 'date': '#VALUE!'",)),
    "date_before_excel": (workbook(put("D2", -5, "yyyy-mm-dd")), ("before 1950", "'1899-12-25'")),
    "truth_value_in_excel": (workbook(put("E2", True)), ("row 2, column 'phq9': 'TRUE'",)),
    "text_number_in_excel": (workbook(put("E2", "12,5")), ("row 2, column 'phq9': '12,5'",)),
    "session_with_a_fraction": (
        workbook(put("C2", 1.0000000001)),
        ("not a whole number from 0", "row 2, column 'session': '1.0000000001'"),
    ),
    "missing_code_as_client": (
        statistics("s.sav", BASE.assign(client=["a", "zz", "b"]), missing_ranges={"client": ["zz"]}),
        ("the client id is missing", "row 2"),
    ),
    "missing_letter_as_client": (
        statistics(
            "s.dta",
            BASE.assign(client=pd.Series([1.0, "a", 2.0], dtype=object)),
            missing_user_values={"client": ["a"]},
        ),
        ("the client id is missing", "row 2"),
    ),
    "two_meanings_of_a_code": (
        _two_meanings,
        ("in 'sex', the code 1 means 'f' here and 'm' in feb.sav", "the same meaning in all files"),
    ),
    "episodes_in_no_order": (
        episodes("a,T,1,spring,1", "a,T,2,spring,2", "a,T,1,autumn,3"),
        ("the order of a client's episodes is not known", "name a 'date' column"),
    ),
    "row_of_no_episode": (
        episodes("a,T,1,1,1", "a,T,2,,2", "a,T,3,2,3"),
        ("does not say to which it belongs", "row 3, column 'episode'"),
    ),
}  # fmt: skip

_ITEMS = "  alliance: {instrument: wai_sr, items: 'w{item}'}\n"
_DEEP = "x: " + "[" * 1100 + "]" * 1100 + "\n"  # deeper than Python recurses
_LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{own}: &{own} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, own in zip("abcdefgh", "bcdefghi", strict=True)
)

STUDY_FILE: dict[str, tuple[Builder, tuple[str, ...]]] = {
    "encoding_of_no_text": (dialect("encoding: undefined"), ("there is no encoding 'undefined'",)),
    "encoding_with_a_nul": (dialect('encoding: "utf-8\\0"'), ("there is no encoding",)),
    "thousands_mark_in_numbers": (dialect("thousands: '1'"), ("'thousands' is '1', which is part of numbers",)),
    "separator_in_texts": (dialect("separator: e"), ("'separator' is 'e', which is part of",)),
    "separator_that_ends_lines": (dialect('separator: "\\n"'), ("'separator' is '\\n', which is part of",)),
    "separator_of_two": (dialect("separator: ',,'"), ("it must have at most 1 characters",)),
    "blocks_without_end": (study("study:", _DEEP + "study:"), ("is nested too deeply, or its anchors",)),
    "alias_of_itself": (study("study:", "x: &x [*x]\nstudy:"), ("is nested too deeply, or its anchors",)),
    "aliases_of_aliases": (study("study:", _LAUGHS + "study:"), ("is nested too deeply, or its anchors",)),
    "two_documents": (study("study:", "a: b\n---\nstudy:"), ("another document",)),
    "python_in_yaml": (
        study("Broken clinic", "!!python/object/apply:os.system ['echo']"),
        ("could not determine a constructor",),
    ),
    "tab": (study("  sessions:", "\tsessions:"), ("a tab is used for indenting; use spaces",)),
    "key_that_is_nothing": (study("study:", "~: 5\nstudy:"), ("the key None is not text",)),
    "window_of_three": (study("study:", "early_window: [1, 2, 3]\nstudy:"), ("at most 2 values",)),
    "name_with_an_umlaut": (
        study("  phq9:", "  Ängste:"),
        ("the name 'Ängste' has to be of letters (a to z), digits and '_'",),
    ),
    "name_of_a_subscale": (
        study("  phq9:", f"{_ITEMS}  alliance_bond:"),
        ("'alliance_bond' is the name of a column that comes with 'alliance'",),
    ),
    "baseline_named_like_a_subscale": (
        lambda folder: write(folder, study=STUDY + _ITEMS + "baseline: {alliance_task: phq9}\n"),
        ("'alliance_task' is the name of a column that comes with 'alliance'",),
    ),
    "intake_without_dates": (
        lambda folder: write(folder, study=STUDY.replace(", date: date", "") + "episodes: {at_intake: true}\n"),
        ("'episodes: at_intake' needs a 'date' column",),
    ),
}  # fmt: skip
