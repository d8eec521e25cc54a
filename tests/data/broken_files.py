"""Broken files in every format, added to the corpus of ``broken_inputs``; built as in it."""

import io
import sqlite3
import zipfile
from pathlib import Path

import pandas as pd

from data.builders import HEADER, ROWS, STUDY, Builder, write

TEXT = "\n".join([HEADER, *ROWS]) + "\n"
FRAME = pd.read_csv(io.StringIO(TEXT), dtype=str, keep_default_na=False)


def file(name: str, content: bytes, extra: str = "") -> Builder:
    """A study whose table is a file of these bytes; ``extra`` are lines below its name."""
    return lambda folder: write(
        folder,
        study=STUDY.replace("file: sessions.csv", f"file: {name}{extra}"),
        table=content,
        name=name,
    )


def made(name: str, save: object, extra: str = "", cut: int | None = None) -> Builder:
    """A study whose table is saved by ``save(path)``, and then cut to its first ``cut`` bytes."""

    def build(folder: Path) -> Path:
        path = file(name, b"x", extra)(folder)
        (folder / name).unlink()
        save(folder / name)  # type: ignore[operator]
        if cut is not None:
            (folder / name).write_bytes((folder / name).read_bytes()[:cut])
        return path

    return build


def _workbook(change: object) -> object:
    def save(path: Path) -> None:
        from openpyxl import Workbook

        book = Workbook()
        sheet = book.active
        sheet.append(HEADER.split(","))
        for line in ROWS:
            sheet.append([cell or None for cell in line.split(",")])
        change(sheet)  # type: ignore[operator]
        book.save(path)

    return save


def _put(cell: str, value: object) -> object:
    return lambda sheet: sheet.__setitem__(cell, value)


def _bomb(path: Path) -> None:
    _workbook(lambda _: None)(path)  # type: ignore[operator]
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/media/x.bin", "w") as big,
    ):
        for _ in range(96):
            big.write(bytes(1 << 20))


def _no_sheet(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")


def _broken_xml(path: Path) -> None:
    whole = io.BytesIO()
    _workbook(lambda _: None)(whole)  # type: ignore[operator]
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content[: len(content) // 2] if "sheet1" in name else content)


def _parquet(path: Path) -> None:
    FRAME.to_parquet(path)


def _feather(path: Path) -> None:
    FRAME.to_feather(path)


def _sav(frame: pd.DataFrame) -> object:
    def save(path: Path) -> None:
        import pyreadstat

        pyreadstat.write_sav(frame, str(path))

    return save


def _dta(path: Path) -> None:
    import pyreadstat

    pyreadstat.write_dta(FRAME, str(path))


def _sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    FRAME.to_sql("visits", connection, index=False)
    FRAME.iloc[:0].to_sql("nothing", connection, index=False)
    connection.close()


def _duckdb(path: Path) -> None:
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.register("source", FRAME)
        connection.execute("create table visits as select * from source")


def months(**tables: str) -> Builder:
    """A study whose table is a folder of these files (``_`` stands for the dot of the ending)."""

    def build(folder: Path) -> Path:
        path = write(folder, study=STUDY.replace("file: sessions.csv", "file: months"))
        (folder / "months").mkdir(exist_ok=True)
        for name, text in tables.items():
            (folder / "months" / name.replace("_", ".")).write_text(text)
        return path

    return build


_FIRST, _REST = "\n".join([HEADER, *ROWS[:2]]), "\n".join([HEADER, *ROWS[2:]])
_ORDERED = "write one SELECT"

FILES: dict[str, tuple[Builder, tuple[str, ...]]] = {
    "truncated_parquet": (
        made("s.parquet", _parquet, cut=900),
        ("s.parquet: the file is damaged, or is not the kind of file that its ending says",),
    ),
    "text_called_parquet": (file("s.parquet", TEXT.encode()), ("s.parquet: the file is damaged",)),
    "truncated_feather": (made("s.feather", _feather, cut=700), ("s.feather: the file is damaged",)),
    "parquet_called_feather": (made("s.feather", _parquet), ("s.feather: the file is damaged",)),
    "truncated_sav": (made("s.sav", _sav(FRAME), cut=400), ("s.sav: the file is damaged",)),
    "text_called_sav": (file("s.sav", TEXT.encode()), ("s.sav: the file is damaged",)),
    "sav_without_rows": (made("s.sav", _sav(FRAME.iloc[:0])), ("s.sav: the table has no rows",)),
    "sav_called_dta": (made("s.dta", _sav(FRAME)), ("s.dta: the file is damaged",)),
    "truncated_dta": (made("s.dta", _dta, cut=700), ("s.dta: the file is damaged",)),
    "password_protected_excel": (
        file("s.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096)),
        ("s.xlsx: the file is an old (.xls) or a password-protected Excel file",),
    ),
    "web_page_called_excel": (file("s.xlsx", b"<html><table>"), ("the file is a web page or XML",)),
    "zip_bomb": (made("s.xlsx", _bomb), ("far larger when unpacked than any table", "it was not opened")),
    "word_called_excel": (
        made("s.xlsx", _no_sheet),
        ("s.xlsx: the file is damaged or is not an Excel workbook",),
    ),
    "sheet_cut_in_half": (
        made("s.xlsx", _broken_xml),
        ("s.xlsx: the file is damaged or is not an Excel workbook",),
    ),
    "excel_error_in_answer": (
        made("s.xlsx", _workbook(_put("E3", "#VALUE!"))),
        ("a value of PHQ-9 is not a number", "row 3, column 'phq9': '#VALUE!'"),
    ),
    "excel_error_in_id": (
        made("s.xlsx", _workbook(_put("A3", "#REF!"))),
        ("Excel's error values instead of an identifier", "row 3, column 'client': '#REF!'"),
    ),
    "formula_without_value": (
        made("s.xlsx", _workbook(_put("E4", "=E3+1"))),
        ("1 cells hold a formula whose result is not in the file (such as E4)", "row 4", "save it"),
    ),
    "merged_cells": (
        made("s.xlsx", _workbook(lambda sheet: sheet.merge_cells("A2:A3"))),
        ("cells are merged (A2:A3)", "row 2", "unmerge them"),
    ),
    "excel_serial_date_in_excel": (
        made("s.xlsx", _workbook(_put("D3", 45359))),
        ("a date cannot be read", "row 3, column 'date': '45359'", "Excel's internal dates"),
    ),
    "empty_workbook": (
        made("s.xlsx", lambda path: __import__("openpyxl").Workbook().save(path)),
        ("the sheet 'Sheet' is empty",),
    ),
    "two_header_rows_in_excel": (
        made("s.xlsx", _workbook(lambda s: (s.insert_rows(2), [s.cell(2, k, "label") for k in range(1, 6)]))),
        ("looks like a second header row", "row 2"),
    ),
    "no_table_named": (
        made("s.sqlite", _sqlite),
        ("a database needs 'table' or 'query'", "It has: nothing, visits"),
    ),
    "missing_table": (
        made("s.sqlite", _sqlite, "\n    table: visit"),
        ("there is no table or view 'visit'. Did you mean 'visits'?",),
    ),
    "table_that_looks_like_sql": (
        made("s.sqlite", _sqlite, "\n    table: 'visits; drop table visits --'"),
        ("there is no table or view 'visits; drop table visits --'",),
    ),
    "table_with_a_quotation_mark": (
        made("s.duckdb", _duckdb, "\n    table: 'visits\" union select 1 --'"),
        ("there is no table or view",),
    ),
    "query_that_writes": (
        made("s.sqlite", _sqlite, "\n    query: delete from visits"),
        ("the query is not a single SELECT", _ORDERED),
    ),
    "query_that_writes_in_a_with": (
        made("s.sqlite", _sqlite, "\n    query: with a as (select 1) delete from visits"),
        ("the query writes, leaves the database", _ORDERED),
    ),
    "two_queries": (
        made("s.duckdb", _duckdb, "\n    query: select 1; drop table visits"),
        ("the query is not a single SELECT", _ORDERED),
    ),
    "query_for_another_file": (
        made("s.duckdb", _duckdb, "\n    query: select * from read_csv('/etc/passwd')"),
        ("the query writes, leaves the database", _ORDERED),
    ),
    "wrong_query": (
        made("s.duckdb", _duckdb, "\n    query: select nobody from visits"),
        ("the database cannot run the query",),
    ),
    "query_without_rows": (
        made("s.sqlite", _sqlite, "\n    query: select * from visits where 0"),
        ("s.sqlite: the table has no rows",),
    ),
    "empty_table": (made("s.sqlite", _sqlite, "\n    table: nothing"), ("s.sqlite: the table has no rows",)),
    "text_called_sqlite": (
        file("s.sqlite", TEXT.encode() * 20, "\n    table: visits"),
        ("s.sqlite: the file is not a database of the kind that its ending says",),
    ),
    "sqlite_called_duckdb": (
        made("s.duckdb", _sqlite, "\n    table: visits"),
        ("s.duckdb: the file is not a database of the kind that its ending says",),
    ),
    "truncated_sqlite": (made("s.sqlite", _sqlite, "\n    table: visits", cut=5000), ("s.sqlite: ",)),
    "different_columns": (
        months(jan_csv=_FIRST, feb_csv=_REST.replace("phq9", "phq")),
        ("jan.csv: its columns are not those of feb.csv", "it lacks 'phq'", "it has 'phq9' in addition"),
    ),
    "overlapping_months": (
        months(jan_csv="\n".join([HEADER, *ROWS]), feb_csv=_REST),
        ("jan.csv: the same row is in more than one file, word for word", "row 4", "overlap: drop"),
    ),
    "same_session_in_two_months": (
        months(jan_csv=_FIRST, feb_csv=_REST + "\n007,T1,1,2024-03-01,5"),
        ("already in row 6 of feb.csv", "row 2"),
    ),
    "one_month_is_empty": (months(jan_csv=_FIRST, feb_csv=""), ("feb.csv: the file is empty",)),
    "folder_without_months": (months(readme_md="x"), ("months: no file there can be read as a table",)),
    "pattern_without_files": (
        lambda folder: write(folder, study=STUDY.replace("sessions.csv", "2024-*.csv")),
        ("2024-*.csv: no file there can be read",),
    ),
    "mixed_encodings": (
        file(
            "s.csv",
            (HEADER + "\nMüller,T1,1,2024-03-01,9\n").encode()
            + "Möller,T1,1,2024-03-01,9\n".encode("cp1252"),
        ),
        ("s.csv: the file is not in the encoding 'utf-8'", "row 3"),
    ),
    "utf16_not_declared": (
        file("s.csv", TEXT.encode("utf-16")),
        ("the encoding 'utf-8'", "encoding: utf-16"),
    ),
    "date_out_of_range": (
        file("s.csv", TEXT.replace("2024-03-08", "9999-12-31").encode()),
        ("a date lies before 1950 or after 2099", "row 3, column 'date': '9999-12-31'"),
    ),
    "date_of_an_empty_cell": (
        file("s.csv", TEXT.replace("2024-03-08", "1899-12-30").encode()),
        ("a date lies before 1950", "row 3"),
    ),
    "infinite_answer": (
        file("s.csv", TEXT.replace(",12\n", ",inf\n").encode()),
        ("is not a number", "row 2, column 'phq9': 'inf'"),
    ),
    "only_blanks": (file("s.csv", b" \n\t\n  "), ("s.csv: the file is empty",)),
    "only_separators": (file("s.csv", (HEADER + "\n,,,,\n,,,,\n").encode()), ("there are no rows below",)),
    "lone_quote_at_the_end": (file("s.csv", (TEXT + '"').encode()), ("opened and never closed",)),
    "redcap_form_that_is_not_there": (
        file("s.csv", TEXT.encode(), "\n    redcap: {instrument: visit}"),
        ("there is no column 'redcap_repeat_instrument'", "take out 'redcap: instrument'"),
    ),
    "redcap_dictionary_that_is_not_there": (
        file("s.csv", TEXT.encode(), "\n    redcap: {dictionary: d.csv}"),
        ("d.csv: the data dictionary is not there",),
    ),
}

MISTAKES: dict[str, tuple[Builder, tuple[str, ...]]] = {
    "password_in_the_study_file": (
        lambda folder: write(folder, study=_with_database("password: secret1")),
        ("a password does not belong into the study file", "password: {env: NAME}"),
    ),
    "address_with_a_password": (
        lambda folder: write(folder, study=_with_database("host: 'postgresql://u:secret1@h/d'")),
        ("a password does not belong into the study file",),
    ),
    "table_and_query": (
        file("s.sqlite", b"x", "\n    table: a\n    query: select 1"),
        ("give either 'table' or 'query'",),
    ),
    "file_and_database": (
        lambda folder: write(
            folder, study=STUDY.replace("file: s", "database: {host: h, database: d, user: u}\n    file: s")
        ),
        ("give either 'file' or 'database'",),
    ),
}


def _with_database(line: str) -> str:
    block = f"database:\n      user: u\n      database: d\n      {line}\n    table: t"
    return STUDY.replace(
        "file: sessions.csv", block if "host" in line else block.replace("user: u", "user: u\n      host: h")
    )
