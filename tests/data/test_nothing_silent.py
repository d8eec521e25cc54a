"""Devices, addresses, codes of a wide SPSS file, measures without values: each is said at once."""

import os

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from alliance_longitudinal.data import load_study
from alliance_longitudinal.errors import DataError, StudyError
from data.small import findings, small_study, study_file

ROW = "c,t,n,p,q\n1,a,0,10,\n1,a,1,8,\n"


def link(folder):
    (folder / "x.csv").symlink_to("/dev/zero")
    return "x.csv"


def pipe(folder):
    os.mkfifo(folder / "x.csv")
    return "x.csv"


@pytest.mark.parametrize(
    "make", [link, pipe, lambda _: "/dev/zero", lambda _: "/dev/null", lambda _: "/dev/stdin"]
)
def test_a_device_or_pipe_is_refused_at_once(tmp_path, make):
    path = study_file(tmp_path, ROW)
    path.write_text(path.read_text().replace("file: s.csv", f"file: {make(tmp_path)}"))
    with pytest.raises(DataError, match=r"it is not a file with a table|cannot be opened|there is no file"):
        load_study(path)


def test_a_file_that_is_not_there_is_not_taken_for_a_folder_or_something_hidden(tmp_path):
    path = study_file(tmp_path, ROW)
    (tmp_path / ".hidden").touch()
    (tmp_path / "reports").mkdir()
    (tmp_path / "away").mkdir()
    for wrong, hint in (("zzz.txt", r"Known: [^\n]*'s\.csv'"), ("away/s.csv", r"The folder has no files\.")):
        text = path.read_text()
        path.write_text(text.replace("file: s.csv", f"file: {wrong}"))
        with pytest.raises(DataError, match=hint) as caught:
            load_study(path)
        assert "hidden" not in str(caught.value)
        assert "'reports'" not in str(caught.value)
        path.write_text(text)


@pytest.mark.parametrize(
    ("written", "error", "words"),
    [
        (
            '"C:\\data\\s.csv"',
            StudyError,
            r"line \d+, column \d+: inside double quotes a backslash begins a special",
        ),
        ('"C:\\users\\s.csv"', StudyError, "Write the path with / in place of"),
        (
            '"C:\\new\\table.csv"',
            DataError,
            "inside double quotes a backslash begins a special character. Write the path",
        ),
        ("away.csv", DataError, "away.csv: it is a link to 'gone.csv', and no file is there"),
        ("plain", DataError, "its name has no ending, so its format is not known"),
    ],
)
def test_a_table_s_path_that_leads_nowhere_says_why(tmp_path, written, error, words):
    (tmp_path / "away.csv").symlink_to(tmp_path / "gone.csv")
    (tmp_path / "plain").write_text("client,session\n1,1\n")
    path = study_file(tmp_path, ROW)
    path.write_text(path.read_text().replace("file: s.csv", f"file: {written}"))
    with pytest.raises(error, match=words):
        load_study(path)


@pytest.mark.parametrize("address", ["https://x.org/study.yaml", "s3://bucket/study.yaml"])
def test_a_study_file_on_an_address_is_not_read(address):
    with pytest.raises(StudyError, match=r"study\.yaml is on an address, and addresses are not read"):
        load_study(address)


def test_a_study_file_that_is_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "study.yaml")
    with pytest.raises(StudyError, match=r"is not a file\. Give the path of the study file"):
        load_study(tmp_path / "study.yaml")


def test_a_dictionary_that_is_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "d.csv")
    with pytest.raises(DataError, match="the data dictionary is not there"):
        load_study(study_file(tmp_path, ROW, sessions="redcap: {dictionary: d.csv}, "))


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("http://127.0.0.1:9/x.csv", "this is an address"),
        ("https://clinic.example/export.csv", "this is an address"),
        ("s3://bucket/x.csv", "this is an address"),
        ("ftp://clinic.example/x.csv", "this is an address"),
        ("postgresql://reader@host/db", "this is an address"),
        ("postgresql://reader:secret-canary@host/db", "a password does not belong into the study file"),
        ("sqlserver;password=secret-canary", "a password does not belong into the study file"),
    ],
)
def test_an_address_is_no_password(tmp_path, file, words):
    path = study_file(tmp_path, ROW)
    path.write_text(path.read_text().replace("file: s.csv", f"file: '{file}'"))
    with pytest.raises(StudyError) as caught:
        load_study(path)
    assert words in str(caught.value)
    assert "secret-canary" not in str(caught.value)
    if "address" in words:
        assert "password" not in str(caught.value)


def test_a_file_name_with_an_at_sign_is_a_file(tmp_path):
    path = study_file(tmp_path, ROW)
    (tmp_path / "s.csv").rename(tmp_path / "export@2024.csv")
    path.write_text(path.read_text().replace("s.csv", "export@2024.csv"))
    assert len(load_study(path).sessions) == 2


@pytest.mark.parametrize(
    ("values", "more", "empty"),
    [
        (["", ""], "", True),
        (["NA", ""], "", True),
        (["-99", "-99"], "dialect: {missing: ['', '-99']}", True),
        (["3", "3"], "dialect: {missing: ['', '3']}", True),  # a missing code that is an answer
        (["", "9"], "", False),
    ],
)
def test_a_measure_without_a_single_value_is_said(tmp_path, values, more, empty):
    table = "c,t,n,p,q\n" + "".join(f"1,a,{i},10,{value}\n" for i, value in enumerate(values))
    measures = "measures: {phq: {instrument: phq_9, total: p}, w: {instrument: gad_7, total: q}}"
    found = findings(small_study(tmp_path, table, more, measures=measures))
    assert ("measure_without_values" in found) == empty
    if empty:
        assert found["measure_without_values"].startswith(
            "GAD-7 (client) has no value in any row of column 'q'."
        )


@pytest.mark.parametrize(
    ("nord", "sued", "empty"),
    [("", "9", "Nord"), ("9", "", "Süd"), ("9", "9", None), ("NA", "7", "Nord")],
)
def test_a_measure_without_a_single_value_in_a_clinic_is_said(tmp_path, nord, sued, empty):
    table = f"c,t,k,n,p,q\n1,a,Nord,0,10,{nord}\n1,a,Nord,1,10,\n2,b,Süd,0,10,{sued}\n3,b,,0,10,\n"
    measures = "measures: {phq: {instrument: phq_9, total: p}, w: {instrument: gad_7, total: q}}"
    columns = "client: c, therapist: t, session: n, clinic: k"
    found = findings(small_study(tmp_path, table, measures=measures, columns=columns))
    if empty is None:
        assert "measure_without_values" not in found
    else:
        assert found["measure_without_values"].startswith(
            f"GAD-7 (client) has no value in any row of {empty}. If it was filled in there, check the export"
        )


def test_items_without_a_single_value_are_said(tmp_path):
    items = ",".join(f"i{k}" for k in range(1, 10))
    table = f"c,t,n,{items}\n1,a,0,{',' * 8}\n"
    found = findings(
        small_study(tmp_path, table, measures="measures: {phq: {instrument: phq_9, items: 'i{item}'}}")
    )
    assert "has no value in any row of its 9 columns" in found["measure_without_values"]


@pytest.mark.parametrize("layout", ["wide", "long"])
def test_declared_codes_of_an_spss_file_are_said_in_every_layout(tmp_path, layout):
    frame = pd.DataFrame({"c": ["1", "2"], "t": ["a", "a"], "p_0": [10.0, 999.0], "p_1": [998.0, 999.0]})
    ranges = {name: [998, 999] for name in ("p_0", "p_1")}
    if layout == "long":
        frame = pd.DataFrame(
            {"c": ["1", "1", "2"], "t": "a", "n": [0.0, 1.0, 1.0], "p": [999.0, 998.0, 999.0]}
        )
        ranges = {"p": [998, 999]}
    pyreadstat.write_sav(frame, str(tmp_path / "s.sav"), missing_ranges=ranges)
    wide = "layout: wide, wide: {pattern: '{column}_{session}'}, " if layout == "wide" else ""
    columns = "client: c, therapist: t" + ("" if wide else ", session: n")
    path = study_file(tmp_path, ROW, sessions=wide, columns=columns)
    path.write_text(path.read_text().replace("s.csv", "s.sav"))
    assert findings(load_study(path))["declared_missing_codes"].endswith("998 (1 time), 999 (2 times).")


@pytest.mark.parametrize(
    "written",
    [
        "02-Jan-2023",
        "2 January 2023",
        "Jan 2, 2023",
        "2. Januar 2023",
        "02-jan-23",
        "2 janv. 2023",
        "02/ene/2023",
    ],
)
def test_dates_that_name_their_month_need_no_declaration(tmp_path, written):
    if "janv" in written:
        written = written.replace("janv.", "janvier")
    table = f'c,t,when,p\n1,a,"{written}",10\n1,a,2023-01-09,8\n'
    study = small_study(tmp_path, table, columns="client: c, therapist: t, date: when")
    assert study.sessions["date"].to_numpy().astype("datetime64[D]").tolist() == [
        np.datetime64("2023-01-02").item(), np.datetime64("2023-01-09").item()
    ]  # fmt: skip


@pytest.mark.parametrize("written", ["31-Feb-2023", "02-Foo-2023", "Jan 2023", "2-Jan"])
def test_what_only_looks_like_such_a_date_is_refused(tmp_path, written):
    with pytest.raises(DataError, match="a date cannot be read in the declared order"):
        load_study(
            study_file(
                tmp_path, f"c,t,when,p\n1,a,{written},10\n", columns="client: c, therapist: t, date: when"
            )
        )
