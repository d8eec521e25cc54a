"""What becomes of sound tables: long and wide, text and Excel, items and totals, dates and weeks."""

import datetime

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from openpyxl import Workbook
from pandas.testing import assert_frame_equal

from alliance_longitudinal.data import describe_study, load_study
from alliance_longitudinal.errors import DataError, StudyError
from data.builders import HEADER, ROWS, STUDY, write

NAN = np.nan


def codes(study):
    return [finding.code for finding in study.findings]


def canonical(folder):
    """The sound study of ``broken_inputs`` as a frame."""
    return load_study(write(folder / "canonical")).sessions


def test_long_table_becomes_one_ordered_frame(tmp_path):
    study = load_study(write(tmp_path))
    expected = pd.DataFrame(
        {
            "client": ["007", "007", "1E5", "1E5", "NA", "NA"],
            "therapist": ["T1", "T1", "T2", "T2", "T1", "T1"],
            "session": [1, 2, 1, 2, 1, 2],
            "week": [0.0, 1.0, 0.0, 1.0, 0.0, 1.0],
            "date": pd.to_datetime(
                ["2024-03-01", "2024-03-08", "2024-03-03", "2024-03-10", "2024-03-02", "2024-03-09"]
            ),
            "phq9": [12.0, 11.0, 9.0, NAN, 20.0, 18.0],
        }
    )
    assert_frame_equal(study.sessions, expected, check_dtype=False)
    assert study.sessions["session"].dtype == "int64"
    assert study.sessions["date"].dtype.kind == "M"
    assert_frame_equal(
        study.clients,
        pd.DataFrame({"client": ["007", "1E5", "NA"], "therapist": ["T1", "T2", "T1"]}),
        check_dtype=False,
    )
    assert study.early_window == (1, 5)
    assert [(s.name, s.rows) for s in study.sources] == [("study.yaml", 0), ("sessions.csv", 6)]


def test_the_study_is_not_changed_through_its_frames(tmp_path):
    study = load_study(write(tmp_path))
    sessions, clients = study.sessions, study.clients
    sessions.loc[0, "phq9"] = -1
    clients.loc[0, "client"] = "x"
    assert study.sessions.loc[0, "phq9"] == 12
    assert study.clients.loc[0, "client"] == "007"


def test_dialect_gives_the_same_numbers(tmp_path):
    """Semicolons, day-first dates, decimal commas, codes for missing, Windows encoding, byte order mark."""
    study = STUDY.replace(
        "measures:",
        'dialect: {separator: ";", decimal: ",", thousands: ".", dates: day-first, encoding: ENC, '
        "missing: ['', -99, k.A.]}\nmeasures:",
    )
    lines = [
        HEADER.replace(",", ";"),
        "007;T1;1;01.03.2024;12,0",
        "007;T1;2;8.3.24;11",
        "NA;T1;1;02/03/2024 14:30;20",
        "NA;T1;2;2024-03-09;18",
        "1E5;T2;1;03.03.2024;9",
        "1E5;T2;2;10.03.2024;-99,0",
        ";;;;",
    ]
    text = "\r\n".join(lines)
    expected = canonical(tmp_path)
    for encoding in ("cp1252", "utf-8", "utf-16"):
        table = ("\ufeff" + text if encoding == "utf-8" else text).encode(encoding)
        path = write(tmp_path / encoding, study=study.replace("ENC", encoding), table=table)
        loaded = load_study(path)
        assert_frame_equal(loaded.sessions, expected)
        steps = [(s.step, s.rows_in, s.rows_out) for s in loaded.flow.steps]
        assert steps == [("rows read from sessions.csv", 7, 7), ("rows that are not empty", 7, 6)]


def test_thousands_mark_and_minus_sign(tmp_path):
    study = (
        STUDY.replace("measures:", "dialect: {decimal: ',', thousands: '.'}\nmeasures:")
        + "baseline: [income]\n"
    )
    table = 'client,therapist,session,date,phq9,income\na,T,1,2024-01-01,1,"1.234,5"\nb,T,1,2024-01-01,1,\u221220\n'
    assert_array_equal(load_study(write(tmp_path, study=study, table=table)).clients["income"], [1234.5, -20])


def test_excel_gives_the_same_frame(tmp_path):
    expected = canonical(tmp_path)
    book = Workbook()
    book.active.title = "Notes"
    sheet = book.create_sheet("Sessions")
    sheet.append(HEADER.split(","))
    for line in ROWS:
        client, therapist, session, date, phq = line.split(",")
        sheet.append(
            [client, therapist, int(session), datetime.date.fromisoformat(date), float(phq) if phq else None]
        )
    (tmp_path / "xl").mkdir()
    book.save(tmp_path / "xl" / "sessions.xlsx")
    study = STUDY.replace("file: sessions.csv", "file: sessions.xlsx\n    sheet: Sessions")
    path = tmp_path / "xl" / "study.yaml"
    # A decimal comma is declared for the text in the file; Excel's own numbers are numbers all the same.
    path.write_text(study.replace("measures:", "dialect: {decimal: ',', dates: day-first}\nmeasures:"))
    assert_frame_equal(load_study(path).sessions, expected)
    path.write_text(study.replace("sheet: Sessions", "sheet: sessions"))
    with pytest.raises(DataError, match="no sheet 'sessions'; the workbook has Notes, Sessions"):
        load_study(path)
    path.write_text(study.replace("sheet: Sessions", "sheet: Notes"))
    with pytest.raises(DataError, match="the sheet 'Notes' is empty"):
        load_study(path)


def test_excel_values_become_the_text_that_is_seen(tmp_path):
    """Number ids lose no digit and gain no .0; half points get the decimal mark; 1904 dates are moved."""
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    book = Workbook()
    book.epoch = CALENDAR_MAC_1904
    sheet = book.active
    sheet.append(["client", "therapist", "session", "date", "phq9"])
    sheet.append([7.0, True, 1, datetime.datetime(2024, 3, 4, 10, 30), 12.5])
    sheet.append([7.0, True, 2, datetime.datetime(2024, 4, 3), "11,5"])
    book.save(tmp_path / "s.xlsx")
    path = tmp_path / "study.yaml"
    path.write_text(
        STUDY.replace("sessions.csv", "s.xlsx").replace("measures:", "dialect: {decimal: ','}\nmeasures:")
    )
    sessions = load_study(path).sessions
    assert sessions["client"].tolist() == ["7", "7"]
    assert sessions["therapist"].tolist() == ["TRUE", "TRUE"]
    assert sessions["date"].dt.strftime("%Y-%m-%d").tolist() == ["2024-03-04", "2024-04-03"]
    assert_array_equal(sessions["phq9"], [12.5, 11.5])


WIDE = """\
study: Wide
tables:
  sessions:
    file: sessions.csv
    layout: wide
    wide: {pattern: "{column}_s{session}"}
    columns: {client: id, therapist: th, date: when}
measures:
  phq9: {instrument: phq_9, total: phq}
  gad7: {instrument: gad_7, items: "g{item}"}
baseline: [age]
"""


def test_wide_table(tmp_path):
    items = [f"g{i}_s{s}" for s in (0, 2) for i in range(1, 8)]
    header = ",".join(["id", "th", "age", "when_s0", "when_s02", "phq_s0", "phq_s1", "phq_s02", *items])
    header = header.replace("_s02", "_s2")
    rows = [
        ",".join(["a", "T1", "30", "2024-01-01", "2024-01-15", "10", "9", "8", *"0123012", *"1111111"]),
        ",".join(["b", "T1", "40", "2024-01-02", "", "20", "", "", *"3333333", *[""] * 7]),
    ]
    study = load_study(write(tmp_path, study=WIDE, table="\n".join([header, *rows])))
    sessions = study.sessions
    assert sessions[["client", "session"]].values.tolist() == [["a", 0], ["a", 1], ["a", 2], ["b", 0]]
    assert_array_equal(sessions["phq9"], [10, 9, 8, 20])
    assert_array_equal(sessions["gad7"], [9, NAN, 7, 21])
    assert_array_equal(sessions["week"], [0, NAN, 2, 0])  # session 1 has no date column
    assert_array_equal(study.clients["age"], [30, 40])
    last = study.flow.steps[-1]
    assert (last.step, last.rows_in, last.rows_out, last.clients_out) == ("client sessions", 6, 4, 2)


def test_problems_of_a_wide_table_name_the_column_of_the_session(tmp_path):
    study = WIDE.replace(", date: when", "").replace('  gad7: {instrument: gad_7, items: "g{item}"}\n', "")
    table = "id,th,age,phq_s1,phq_s2\n,T1,30,1,28\nb,T1,30,x,2\n"
    with pytest.raises(DataError) as caught:
        load_study(write(tmp_path, study=study, table=table))
    found = {(p["rule"], p["row"], p["column"], p["value"]) for p in caught.value.problems}
    assert found == {
        ("missing_client", 2, "id", ""),
        ("out_of_range", 2, "phq_s2", "28"),
        ("not_a_number", 3, "phq_s1", "x"),
    }
    assert "3 problems" in str(caught.value)
    with pytest.raises(
        DataError, match=r"no column of 'phq' fits the pattern .* a column 'phq_s1' was expected"
    ):
        load_study(write(tmp_path, study=study, table="id,th,age,phq1\nb,T1,30,2\n"))


@pytest.mark.parametrize(
    ("old", "new", "phrase"),
    [
        ("{column}_s{session}", "s{session}", "must contain {column} and {session}"),
        ("    layout: wide\n", "", "belong together"),
        ("client: id,", "client: id, session: nr,", "the session number comes from the pattern"),
    ],
)
def test_wide_blocks_that_do_not_fit(old, new, phrase, tmp_path):
    with pytest.raises(StudyError) as caught:
        load_study(write(tmp_path, study=WIDE.replace(old, new)))
    assert phrase in str(caught.value)


TRANSFERS = (
    "client,therapist,session,date,phq9\n"
    "a,T1,1,2024-01-01,9\na,T1,2,2024-01-08,8\na,T2,3,2024-01-15,7\na,T2,4,2024-01-22,6\na,T2,5,2024-01-29,5\n"
    "b,T2,1,2024-01-01,3\n"
)


@pytest.mark.parametrize(
    ("rule", "therapist", "elsewhere"), [("first", "T1", 3), ("last", "T2", 2), ("longest", "T2", 2)]
)
def test_transfers(rule, therapist, elsewhere, tmp_path):
    study = load_study(write(tmp_path, study=STUDY + f"transfers: {rule}\n", table=TRANSFERS))
    assert study.sessions["therapist"].tolist() == [therapist] * 5 + ["T2"]
    assert study.sessions["seen_by"].tolist() == ["T1"] * 2 + ["T2"] * 4
    assert study.clients["therapist"].tolist() == [therapist, "T2"]
    message = next(f.message for f in study.findings if f.code == "transfers")
    assert message.startswith("1 client changed therapist")
    assert f"{elsewhere} sessions were held by another" in message


def test_ids_that_start_again_at_each_therapist(tmp_path):
    table = "client,therapist,session,date,phq9\n1,A,1,2024-01-01,9\n1,B,1,2024-01-01,8\n1,A,2,2024-01-08,7\n"
    study = STUDY.replace(
        "measures:", "  clients: {file: c.csv, columns: {client: id, therapist: th}}\nmeasures:"
    )
    path = write(tmp_path, study=study + "client_ids: within-therapist\nbaseline: [age]\n", table=table)
    (tmp_path / "c.csv").write_text("id,th,age\n1,A,30\n1,B,40\n")
    loaded = load_study(path)
    assert loaded.sessions["client"].tolist() == ["A/1", "A/1", "B/1"]
    assert_array_equal(loaded.clients["age"], [30, 40])
    path.write_text(study.replace(", therapist: th}", "}") + "client_ids: within-therapist\n")
    with pytest.raises(StudyError, match="every table must name its 'therapist' column"):
        load_study(path)


def test_sessions_are_numbered_by_date(tmp_path):
    study = STUDY.replace("session: session, ", "")
    table = (
        "client,therapist,date,phq9\na,T,2024-01-15,1\na,T,2024-01-01,2\nb,T,2024-02-01,3\na,T,2024-01-11,4\n"
    )
    sessions = load_study(write(tmp_path, study=study, table=table)).sessions
    assert_array_equal(sessions["session"], [1, 2, 3, 1])
    assert_array_equal(sessions["phq9"], [2, 4, 1, 3])
    np.testing.assert_allclose(sessions["week"], [0, 10 / 7, 2, 0], rtol=1e-15)


def test_time_without_dates_is_the_session_number_and_says_so(tmp_path):
    study = load_study(write(tmp_path, study=STUDY.replace(", date: date", "")))
    assert_array_equal(study.sessions["week"], [0, 1] * 3)
    assert "time_is_session_number" in codes(study)


def test_weeks_are_counted_from_the_first_row(tmp_path):
    table = "client,therapist,session,date,phq9\na,T,0,-1,1\na,T,1,0.5,2\nb,T,3,4,3\nb,T,4,,3\n"
    study = load_study(write(tmp_path, study=STUDY.replace("date: date", "week: date"), table=table))
    assert_array_equal(study.sessions["week"], [0, 1.5, 0, NAN])
    assert "sessions_without_time" in codes(study)


def test_sessions_with_nothing_filled_in_are_kept(tmp_path):
    study = load_study(write(tmp_path, table=HEADER + "\na,T,1,2024-01-01,\na,T,2,2024-01-08,NA\n"))
    assert len(study.sessions) == 2
    assert study.sessions["phq9"].isna().all()


def test_header_row_that_is_not_the_first(tmp_path):
    study = STUDY.replace("sessions.csv", "sessions.csv\n    header_row: 3")
    table = "Export;2024\n,,,,\n" + "\n".join([HEADER, *ROWS])
    with pytest.raises(DataError, match="declared separator"):
        load_study(write(tmp_path / "x", study=study, table="Export;2024\n\n" + HEADER))
    table = table.replace("Export;2024", "Export,,,,")
    assert_frame_equal(load_study(write(tmp_path, study=study, table=table)).sessions, canonical(tmp_path))
    with pytest.raises(DataError) as caught:
        load_study(write(tmp_path, study=study, table=table.replace(",12\n", ",99\n")))
    assert caught.value.problems[0]["row"] == 4


def test_clients_in_one_table_only_are_counted(tmp_path):
    study = STUDY.replace(
        "measures:", "  clients: {file: c.csv, columns: {client: id}}\nbaseline: [age, sex]\nmeasures:"
    )
    path = write(tmp_path, study=study)
    (tmp_path / "c.csv").write_text("id,age,sex\n007,30,f\nNA,,NA\n9,50,m\n8,51,m\n")
    loaded = load_study(path)
    assert_array_equal(loaded.clients["age"], [30, NAN, NAN])
    assert loaded.clients["sex"].isna().tolist() == [False, True, True]
    messages = {f.code: f.message for f in loaded.findings}
    assert messages["clients_without_sessions"].startswith("2 clients")
    assert messages["clients_without_baseline"].startswith("1 client ")


def test_findings_about_measures(tmp_path):
    study = STUDY.replace("{instrument: phq_9, total: phq9}", '{instrument: wai_sr, items: "w{item:02d}"}')
    study += "  phq: {instrument: phq_9, total: phq9}\n"
    header = HEADER + "," + ",".join(f"w{i:02d}" for i in range(1, 13))
    table = f"{header}\na,T,1,2024-01-01,9,{','.join('3' * 12)}\na,T,2,2024-01-02,9,{','.join('3' * 11)},\n"
    loaded = load_study(write(tmp_path, study=study, table=table))
    assert_array_equal(loaded.sessions["phq9"], [36, NAN])
    assert codes(loaded) == ["unscored_forms", "instrument_status", "total_as_given"]
    messages = [f.message for f in loaded.findings]
    assert messages[0].startswith(
        "1 of 2 forms of WAI-SR (client) have unanswered items and therefore no score"
    )
    assert "missing: {rule: mean_of_answered, max_missing: 2}" in messages[0]
    assert "direction" in messages[1]
    assert "missing-item rule" not in messages[1]  # a given total does not rest on it
    own = study.replace('{item:02d}"}', '{item:02d}", missing: {rule: mean_of_answered, max_missing: 1}}')
    loaded = load_study(write(tmp_path, study=own, table=table))
    assert_array_equal(loaded.sessions["phq9"], [36, 36])
    assert codes(loaded)[0] == "completed_forms"


@pytest.mark.parametrize("entry", ["raw", "prescored"])
def test_items_that_run_the_wrong_way_are_noticed(entry, tmp_path):
    """CORE-10 typed from a form that prints reversed values, under each declaration."""
    rng = np.random.default_rng(7)
    level = rng.integers(0, 5, 60)
    lines = [f"{i},T,1,2024-01-01," + ",".join([str(v)] * 10) for i, v in enumerate(level)]
    header = "client,therapist,session,date," + ",".join(f"c{i}" for i in range(1, 11))
    study = STUDY.replace(
        "{instrument: phq_9, total: phq9}", f'{{instrument: core_10, items: "c{{item}}", entry: {entry}}}'
    )
    loaded = load_study(write(tmp_path, study=study, table="\n".join([header, *lines])))
    assert ("reverse_key_doubt" in codes(loaded)) == (entry == "raw")
    if entry == "raw":
        message = next(f.message for f in loaded.findings if f.code == "reverse_key_doubt")
        assert "items 2, 3 correlate negatively" in message
        assert "entry: prescored" in message


def test_identifiers_that_deserve_a_second_look(tmp_path):
    study = STUDY.replace("session: session", "session: session, clinic: site")
    table = (
        "client,therapist,session,date,phq9,site\n"
        "NA,t1,1,2024-01-01,1,North\nb,T1,1,2024-01-01,1,North\nb,T1,2,2024-01-02,1,South\n"
    )
    loaded = load_study(write(tmp_path, study=study, table=table))
    assert codes(loaded)[:4] == [
        "id_is_missing_code",
        "ids_nearly_alike",
        "client_in_several_clinics",
        "therapist_in_several_clinics",
    ]
    assert loaded.clients["clinic"].tolist() == ["North", "North"]


def test_simulated_study_says_so_and_carries_its_truth(tmp_path):
    path = write(tmp_path, study=STUDY + "simulated: {note: Not real., truth: truth.yaml}\n")
    (tmp_path / "truth.yaml").write_text("within: -0.02\n")
    study = load_study(path)
    assert study.simulated == {"note": "Not real.", "truth": {"within": -0.02}}
    assert study.findings[0].code == "simulated"
    assert describe_study(study)[1] == "SIMULATED: Not real."
    (tmp_path / "truth.yaml").write_text("- 1\n")
    with pytest.raises(StudyError, match=r"truth\.yaml holds no 'key: value' lines"):
        load_study(path)
    (tmp_path / "truth.yaml").unlink()
    with pytest.raises(StudyError, match=r"The file of true parameters .* does not exist"):
        load_study(path)


def test_text_is_kept_as_written_in_the_study_file(tmp_path):
    """YAML 1.2, and text where text is wanted: a column called NO or 007, a missing code -99."""
    study = STUDY.replace("client: client", "client: 007").replace("therapist: therapist", "therapist: NO")
    study = study.replace("measures:", "dialect: {missing: [-99, 1E5]}\nmeasures:")
    table = "007,NO,session,date,phq9\na,T,1,2024-01-01,-99\n"
    assert load_study(write(tmp_path, study=study, table=table)).sessions["phq9"].isna().all()


def test_description_is_aggregated(tmp_path):
    lines = describe_study(load_study(write(tmp_path)))
    assert lines[0] == "Broken clinic"
    assert "3 clients of 2 therapists; 6 sessions." in lines
    assert any(
        line.startswith("phq9: PHQ-9 (client), symptoms, 0 to 27; filled in at 83% of the sessions")
        for line in lines
    )
    assert not any("007" in line or "1E5" in line for line in lines)


@pytest.mark.parametrize(
    "value",
    [
        "=cmd()",
        "</script>",
        "{{ 7*7 }}",
        "../x",
        "\u202eabc",
        "a\x1b[31mb",
        "Zoe\u0301",
        '"quoted, text"',
        "x" * 300,
    ],
)
def test_hostile_identifiers_are_text(value, tmp_path):
    cell = '"' + value.strip('"') + '"'
    study = load_study(write(tmp_path, table=f"{HEADER}\n{cell},T,1,2024-01-01,3\n"))
    expected = value.strip('"').replace("e\u0301", "\xe9")
    assert study.sessions["client"].tolist() == [expected]
    with pytest.raises(DataError) as caught:
        load_study(write(tmp_path, table=f"{HEADER}\n" + f"{cell},T,1,2024-01-01,3\n" * 2))
    shown = str(caught.value)
    assert not any(c in shown for c in "\x1b\u202e")
    assert max(map(len, shown.splitlines())) < 300
