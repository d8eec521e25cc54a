"""The same small study in every format that a clinic may have gives the same frame."""

import datetime
import re
import sqlite3
import zipfile

import duckdb
import numpy as np
import pandas as pd
import pyreadstat
import pytest
from numpy.testing import assert_array_equal
from openpyxl import Workbook
from pandas.testing import assert_frame_equal

from alliance_longitudinal.data import load_study, table_hashes
from alliance_longitudinal.errors import DataError
from data.builders import HEADER, ROWS, STUDY, write

FRAME = pd.DataFrame(
    {
        "client": ["007", "007", "NA", "NA", "1E5", "1E5"],
        "therapist": ["T1", "T1", "T1", "T1", "T2", "T2"],
        "session": [1, 2, 1, 2, 1, 2],
        "date": pd.to_datetime(
            ["2024-03-01", "2024-03-08", "2024-03-02", "2024-03-09", "2024-03-03", "2024-03-10"]
        ),
        "phq9": [12.0, 11.0, 20.0, 18.0, 9.0, np.nan],
    }
)


def canonical(folder):
    return load_study(write(folder / "canonical")).sessions


def study_in(folder, name, extra="", study=STUDY):
    folder.mkdir(exist_ok=True)
    path = folder / "study.yaml"
    path.write_text(study.replace("file: sessions.csv", f"file: {name}{extra}"), encoding="utf-8")
    return path


def messages(study):
    return {finding.code: finding.message for finding in study.findings}


def _sav(path):
    pyreadstat.write_sav(FRAME, str(path), compress=path.suffix == ".zsav")


def _dta(path):
    pyreadstat.write_dta(FRAME, str(path))


def _parquet(path):
    FRAME.to_parquet(path)


def _feather(path):
    FRAME.to_feather(path)


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("s.sav", _sav),
        ("s.zsav", _sav),
        ("s.dta", _dta),
        ("s.parquet", _parquet),
        ("s.feather", _feather),
    ],
)
def test_typed_files_give_the_same_frame(name, save, tmp_path):
    path = study_in(tmp_path, name)
    save(tmp_path / name)
    study = load_study(path)
    assert_frame_equal(study.sessions, canonical(tmp_path))
    assert [(s.name, s.rows) for s in study.sources][1] == (name, 6)


@pytest.mark.parametrize("decimal", [".", ","])
def test_decimals_dates_and_dictionaries_of_parquet(decimal, tmp_path):
    """Half points, decimals, categories, day columns; whatever decimal mark is declared for text."""
    import decimal as numbers

    frame = FRAME.assign(
        client=FRAME["client"].astype("category"),
        date=FRAME["date"].dt.date,
        phq9=[numbers.Decimal("12.5"), numbers.Decimal("11.00"), None, None, None, None],
    )
    study = STUDY.replace("measures:", f"dialect: {{decimal: '{decimal}'}}\nmeasures:")
    path = study_in(tmp_path, "s.parquet", study=study)
    frame.to_parquet(tmp_path / "s.parquet")
    sessions = load_study(path).sessions
    assert_array_equal(sessions["phq9"], [12.5, 11, np.nan, np.nan, np.nan, np.nan])
    assert sessions["date"].iloc[0] == datetime.datetime(2024, 3, 1)


def test_missing_codes_of_spss_are_missing_and_counted(tmp_path):
    frame = FRAME.assign(phq9=[12.0, 99.0, 98.0, -9.0, 9.0, 99.0], sex=[1.0, 1, 2, 2, 9, 9])
    pyreadstat.write_sav(
        frame,
        str(tmp_path / "s.sav"),
        missing_ranges={"phq9": [{"lo": 98, "hi": 99}, -9], "sex": [9]},
        variable_value_labels={"sex": {1: "female", 2: "male"}, "phq9": {99: "refused"}},
    )
    study = load_study(study_in(tmp_path, "s.sav", study=STUDY + "baseline: [sex]\n"))
    assert_array_equal(study.sessions["phq9"], [12, np.nan, 9, np.nan, np.nan, np.nan])
    assert study.clients["sex"].tolist()[0::2] == ["female", "male"]
    assert study.clients["sex"].isna().tolist() == [False, True, False]
    assert messages(study)["declared_missing_codes"] == (
        "s.sav defines these codes as missing values; they count as not filled in: -9 (1 time), 9 (2 times), "
        "98 (1 time), 99 (2 times)."
    )


def test_extended_missing_of_stata_is_missing_and_counted(tmp_path):
    frame = FRAME.assign(phq9=pd.Series([12.0, "a", "z", np.nan, 9.0, "a"], dtype=object))
    pyreadstat.write_dta(frame, str(tmp_path / "s.dta"), missing_user_values={"phq9": ["a", "z"]})
    study = load_study(study_in(tmp_path, "s.dta"))
    assert_array_equal(study.sessions["phq9"], [12, np.nan, 9, np.nan, np.nan, np.nan])
    assert ".a (2 times), .z (1 time)" in messages(study)["declared_missing_codes"]


def save_sqlite(path, frame=FRAME, table="visits"):
    with sqlite3.connect(path) as connection:
        frame.assign(date=frame["date"].dt.strftime("%Y-%m-%d")).to_sql(table, connection, index=False)
        connection.execute(f'create view "{table} seen" as select * from "{table}"')
    connection.close()


def save_duckdb(path, frame=FRAME, table="visits"):
    with duckdb.connect(str(path)) as connection:
        connection.register("source", frame)
        connection.execute(f'create table "{table}" as select * from source')
        connection.execute(f'create view "{table} seen" as select * from "{table}"')


@pytest.mark.parametrize(("name", "save"), [("s.sqlite", save_sqlite), ("s.duckdb", save_duckdb)])
@pytest.mark.parametrize(
    "asked",
    ["table: visits", "table: visits seen", "query: select * from visits where session < 100 order by date;"],
)
def test_database_files(name, save, asked, tmp_path):
    save(tmp_path / name)
    before = (tmp_path / name).read_bytes()
    path = study_in(tmp_path, name, f"\n    {asked}")
    assert_frame_equal(load_study(path).sessions, canonical(tmp_path))
    assert (tmp_path / name).read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["canonical", name, "study.yaml"]


def test_hash_of_a_database_is_that_of_its_rows(tmp_path):
    """Neither the order of rows and columns nor what else the file holds matters; a changed cell does."""
    hashes = []
    shuffled = FRAME.iloc[::-1][list(reversed(FRAME.columns))]
    for number, frame in enumerate([FRAME, shuffled, FRAME.assign(phq9=[12, 11, 20, 18, 9, 1.0])]):
        save_sqlite(tmp_path / f"{number}.sqlite", frame)
        study = load_study(study_in(tmp_path, f"{number}.sqlite", "\n    table: visits"))
        hashes.append(study.sources[1].sha256)
    assert hashes[0] == hashes[1] != hashes[2]
    assert len(hashes[0]) == 64


def test_months_in_a_folder(tmp_path):
    """Files of a folder or a pattern are one table, whatever their order and the order of their columns."""
    (tmp_path / "months").mkdir()
    (tmp_path / "months" / "2024-02.csv").write_text("\n".join([HEADER, *ROWS[:3]]))
    FRAME.iloc[3:].iloc[:, ::-1].to_parquet(tmp_path / "months" / "2024-01.parquet")
    (tmp_path / "months" / "~$lock.xlsx").write_text("x")
    (tmp_path / "months" / "readme.md").write_text("x")
    for named in ("months", "months/2024-*"):
        study = load_study(study_in(tmp_path, named))
        assert_frame_equal(study.sessions, canonical(tmp_path))
        assert [(s.name, s.rows) for s in study.sources][1:] == [("2024-01.parquet", 3), ("2024-02.csv", 3)]


def test_problems_in_several_files_name_theirs(tmp_path):
    (tmp_path / "m").mkdir()
    for number, lines in enumerate([ROWS[:3], [*ROWS[3:], "007,T1,1,2024-03-01,13", "8,T9,1,2024-03-01,99"]]):
        (tmp_path / "m" / f"{number}.csv").write_text("\n".join([HEADER, *lines]))
    with pytest.raises(DataError) as caught:
        load_study(study_in(tmp_path, "m"))
    found = {(p["rule"], p["file"], p["row"]) for p in caught.value.problems}
    assert found == {("duplicate_session", "1.csv", 5), ("out_of_range", "1.csv", 6)}
    assert "already in row 2 of 0.csv" in str(caught.value)


def test_overlapping_months(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "1.csv").write_text("\n".join([HEADER, *ROWS[:4]]))
    (tmp_path / "m" / "2.csv").write_text("\n".join([HEADER, *ROWS[2:]]))
    with pytest.raises(DataError, match="the same row is in more than one file, word for word") as caught:
        load_study(study_in(tmp_path, "m"))
    assert [(p["file"], p["row"]) for p in caught.value.problems] == [("2.csv", 2), ("2.csv", 3)]
    study = load_study(study_in(tmp_path, "m", "\n    overlap: drop"))
    assert_frame_equal(study.sessions, canonical(tmp_path))
    step = study.flow.steps[1]
    assert (step.rows_in, step.rows_out, step.reason) == (8, 6, "rows that are in an earlier file too")


def test_quoted_and_irregular_text_is_read_as_regular_text(tmp_path):
    """The quick reader for plain files and the patient one for all others give the same texts."""
    expected = canonical(tmp_path)
    quoted = "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in [HEADER, *ROWS])
    short = "\n".join([HEADER, *ROWS[:5], "1E5,T2,2,2024-03-10"])
    for table in (quoted, short, "\r".join([HEADER, *ROWS]), "\n".join([HEADER, *ROWS]) + "\n\n\n"):
        assert_frame_equal(load_study(write(tmp_path / "x", table=table)).sessions, expected)


def excel(tmp_path, change):
    """A workbook of the sound study after ``change`` of its sheet."""
    book = Workbook()
    sheet = book.active
    sheet.append(HEADER.split(","))
    for line in ROWS:
        sheet.append([cell or None for cell in line.split(",")])
    change(sheet)
    book.save(tmp_path / "s.xlsx")
    return study_in(tmp_path, "s.xlsx")


def test_merged_title_above_the_names_is_fine(tmp_path):
    def title(sheet):
        sheet.insert_rows(1)
        sheet["A1"] = "Export"
        sheet.merge_cells("A1:E1")

    path = excel(tmp_path, title)
    path.write_text(path.read_text().replace("s.xlsx", "s.xlsx\n    header_row: 2"))
    assert_frame_equal(load_study(path).sessions, canonical(tmp_path))


def test_formula_with_its_result_is_its_result(tmp_path):
    """openpyxl writes no results; put one into the sheet as Excel does."""

    def formula(sheet):
        sheet["E2"] = "=6+6"

    path = excel(tmp_path, formula)
    with zipfile.ZipFile(tmp_path / "s.xlsx") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    assert b"<f>6+6</f>" in parts[sheet]
    for empty in (b"<f>6+6</f><v />", b"<f>6+6</f><v></v>", b"<f>6+6</f><v/>"):
        parts[sheet] = parts[sheet].replace(empty, b"<f>6+6</f><v>12</v>")
    with zipfile.ZipFile(tmp_path / "s.xlsx", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert load_study(path).sessions["phq9"].iloc[0] == 12


@pytest.mark.parametrize(
    ("cell", "has_result"),
    [
        (
            b'<c r="E2" t="str"><f>6+6</f><v></v></c>',
            True,
        ),  # the empty text is the result of ="" and counts as missing
        (b'<c r="E2"><f>6+6</f><v></v></c>', False),
        (b'<c r="E2"><f>6+6</f><v/></c>', False),
        (b'<c r="E2" t="n"><f>6+6</f></c>', False),
    ],
)
def test_an_empty_result_of_a_formula_is_one_only_as_text(tmp_path, cell, has_result):
    def formula(sheet):
        sheet["E2"] = "=6+6"

    path = excel(tmp_path, formula)
    with zipfile.ZipFile(tmp_path / "s.xlsx") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet], found = re.subn(rb'<c r="E2"[^>]*>.*?</c>', cell, parts[sheet])
    assert found == 1
    with zipfile.ZipFile(tmp_path / "s.xlsx", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    if has_result:
        assert np.isnan(load_study(path).sessions["phq9"].iloc[0])
    else:
        with pytest.raises(DataError, match="hold a formula whose result is not in the file"):
            load_study(path)


def test_every_file_of_a_folder_is_hashed(tmp_path):
    (tmp_path / "m").mkdir()
    for number in (1, 2):
        (tmp_path / "m" / f"{number}.csv").write_text("\n".join([HEADER, *ROWS[3 * number - 3 : 3 * number]]))
    path = study_in(tmp_path, "m")
    before = table_hashes(path)
    assert list(before) == ["m/1.csv", "m/2.csv"]
    assert list(before.values()) == [s.sha256 for s in load_study(path).sources[1:]]
    (tmp_path / "m" / "3.csv").write_text("x")
    assert {name: digest for name, digest in table_hashes(path).items() if name != "m/3.csv"} == before
