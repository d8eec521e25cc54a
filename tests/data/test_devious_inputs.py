"""Files that look broken and are not: read cell by cell as they were meant, and left as they are."""

import datetime
import decimal
import sqlite3
import unicodedata

import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from alliance_longitudinal.data import load_study
from alliance_longitudinal.errors import DataError
from data.broken_files import TEXT, file, made
from data.builders import STUDY, write
from data.devious_inputs import (
    BASE,
    arrow,
    dialect,
    episodes,
    other_order,
    prefixed,
    put,
    sqlite,
    statistics,
    study,
    text,
    workbook,
)
from inside.data_readers import excel, is_one_select

#: Client, session, date and score of the sound text table and of the typed rows, in the order of the study.
SOUND = [
    ("007", 1, "2024-03-01", 12.0),
    ("007", 2, "2024-03-08", 11.0),
    ("1E5", 1, "2024-03-03", 9.0),
    ("1E5", 2, "2024-03-10", None),
    ("NA", 1, "2024-03-02", 20.0),
    ("NA", 2, "2024-03-09", 18.0),
]
TYPED = [("a", 1, "2024-03-01", 12.0), ("a", 2, "2024-03-08", 11.5), ("b", 1, "2024-03-02", None)]


def cells(path):
    """Client, session, date and score of each row of a study."""
    sessions = load_study(path).sessions
    frame = sessions[["client", "session", "date", "phq9"]].astype(object)
    frame["date"] = pd.Series(
        [None if pd.isna(day) else f"{day:%Y-%m-%d}" for day in sessions["date"]], dtype=object
    )
    return list(frame.where(frame.notna(), None).itertuples(index=False, name=None))


def replaced(old, new, rows=SOUND):
    """``rows`` with the client ``old`` under another name, in the order of the study."""
    return sorted((new if client == old else client, *rest) for client, *rest in rows)


LONG = "x" * 400
HIDDEN = "old"


def _hidden_sheet(sheet):
    other = sheet.parent.create_sheet(HIDDEN, 0)
    other.append(list(BASE.columns))
    other.append(["z", "T", 1, "2020-01-01", 3])
    other.sheet_state = "veryHidden"


def _far_format(sheet):
    from openpyxl.styles import Font

    sheet["ZZ20000"].font = Font(bold=True)


def _title(sheet):
    sheet.insert_rows(1, 2)
    sheet["A1"] = "Clinic"
    sheet.merge_cells("A1:E1")


RIGHT = {
    "header_that_begins_with_pk": (
        study("client: client", "client: PKZ", TEXT.replace("client", "PKZ", 1)),
        SOUND,
    ),
    **{
        f"utf-8_called_{name}": (
            dialect(f"encoding: {name}", TEXT.replace("007", "Ü7")),
            replaced("007", "Ü7"),
        )
        for name in ("utf-8-sig", "U8", "cp65001")
    },
    "byte_order_mark_twice": (lambda folder: write(folder, table="\ufeff\ufeff" + TEXT), SOUND),
    "unseen_mark_after_an_id": (text("007,T1,2", "007\u200b,T1,2"), SOUND),
    "decomposed_name_in_the_study_file": (
        study(
            "total: phq9",
            f"total: {unicodedata.normalize('NFD', 'Größe')}",
            TEXT.replace("phq9", "Größe", 1),
        ),
        SOUND,
    ),
    "old_line_ends": (lambda folder: write(folder, table=TEXT.replace("\n", "\r")), SOUND),
    "clock_of_twelve_hours": (
        dialect("dates: month-first", TEXT.replace("2024-03-08", "03/08/2024 11:15 PM")),
        SOUND,
    ),
    "zone": (text("2024-03-08", "2024-03-08T23:15:00+02"), SOUND),
    "mark_of_the_separator": (
        study(
            "sessions.csv",
            "sessions.csv\n    header_row: 2",
            "sep=,\n" + TEXT,
        ),
        SOUND,
    ),
    "title_with_another_separator": (
        study("sessions.csv", "sessions.csv\n    header_row: 2", "Clinic; 2024\n" + TEXT),
        SOUND,
    ),
    "last_row_without_its_end": (file("s.csv", TEXT.rstrip("\n").encode()), SOUND),
    "decimal128": (
        arrow(phq9=lambda pa: pa.array([decimal.Decimal("12.00"), decimal.Decimal("11.50"), None])),
        TYPED,
    ),
    "dictionary": (arrow(client=lambda pa: pa.array(["a", "a", "b"]).dictionary_encode()), TYPED),
    "time_in_a_zone": (
        arrow(
            date=lambda pa: pa.array(
                [datetime.datetime(2024, 2, 29, 23, 30), datetime.datetime(2024, 3, 8), None],
                pa.timestamp("ns", tz="Europe/Berlin"),
            )
        ),
        [TYPED[0], TYPED[1], ("b", 1, None, None)],
    ),
    "single_precision": (arrow(phq9=lambda pa: pa.array([12.0, 11.5, None], pa.float32())), TYPED),
    "bytes_that_are_no_text": (
        arrow(client=lambda pa: pa.array([b"\xfe", b"\xfe", b"\xff"])),
        [("0xfe", *TYPED[0][1:]), ("0xfe", *TYPED[1][1:]), ("0xff", *TYPED[2][1:])],
    ),
    "large_whole_numbers": (
        arrow(client=lambda pa: pa.array([2**63, 2**63, 2**64 - 1], pa.uint64())),
        sorted((str({"a": 2**63, "b": 2**64 - 1}[client]), *rest) for client, *rest in TYPED),
    ),
    "types_mixed_in_a_column": (
        sqlite(
            "insert into t values(7,'T',1,'2024-03-01',12),('7','T','2','2024-03-08','11.5'),"
            "(7.0,'T',3.0,'2024-03-09 10:00:00',x'39')"
        ),
        [("7", 1, "2024-03-01", 12.0), ("7", 2, "2024-03-08", 11.5), ("7", 3, "2024-03-09", 9.0)],
    ),
    "remark_and_semicolon_in_a_query": (
        sqlite(
            "insert into t values(7,'T',1,'2024-03-01',12)",
            ask="query: |\n      -- all; of them\n      select * from t where therapist <> 'a;b' and date <> '1:2' and phq9 % 2 = 0",
        ),
        [("7", 1, "2024-03-01", 12.0)],
    ),
    "hidden_first_sheet": (workbook(_hidden_sheet), TYPED),
    "names_with_prefixes": (workbook(lambda _: None, prefixed), TYPED),
    "other_order_of_attributes": (workbook(lambda _: None, other_order), TYPED),
    "format_far_away": (workbook(_far_format), TYPED),
    "merged_title": (workbook(_title, extra="\n    header_row: 3"), TYPED),
    "percent": (workbook(put("E2", 12, "0%")), TYPED),
    "long_names": (
        statistics("s.sav", BASE.assign(client=[f"{LONG}a", f"{LONG}a", f"{LONG}b"])),
        [(f"{LONG}a", *TYPED[0][1:]), (f"{LONG}a", *TYPED[1][1:]), (f"{LONG}b", *TYPED[2][1:])],
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_odd_files_are_read_cell_by_cell(name, tmp_path):
    build, expected = RIGHT[name]
    path = build(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert cells(path) == expected
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_names_that_are_words_of_sql(tmp_path):
    def save(path):
        with sqlite3.connect(path) as connection:
            connection.execute('create table "order" ("select", therapist, "a""b", date, phq9)')
            connection.execute("insert into \"order\" values (7, 'T', 1, '2024-03-01', 12)")
        connection.close()

    path = made("s.sqlite", save, "\n    table: order")(tmp_path)
    words = path.read_text().replace("client: client", "client: select")
    path.write_text(words.replace("session: session", "session: 'a\"b'"))
    assert cells(path) == [("7", 1, "2024-03-01", 12.0)]


def test_a_database_with_a_log_gets_no_files_beside_it(tmp_path):
    path = sqlite("pragma journal_mode = wal", "insert into t values(7,'T',1,'2024-03-01',12)")(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert cells(path) == [("7", 1, "2024-03-01", 12.0)]
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    with sqlite3.connect(tmp_path / "s.sqlite") as other:  # an open program's rows count too
        other.execute("insert into t values(7,'T',2,'2024-03-08',11)")
        other.commit()
        assert len(cells(path)) == 2
    other.close()


def test_a_value_far_away_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(excel, "MOST_CELLS", 1000)
    with pytest.raises(DataError, match=r"'Sheet' reaches to column 52 and row 100, far beyond any table"):
        load_study(workbook(put("AZ100", 1))(tmp_path))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_intake_and_first_session_of_one_day_are_one_episode(order, tmp_path):
    rows = ["a,T,0,2024-01-01,1", "a,T,1,2024-01-01,2", "a,T,2,2024-01-08,3"]
    table = "client,therapist,session,date,phq9\n" + "\n".join(rows[i] for i in order) + "\n"
    path = write(tmp_path, study=STUDY + "episodes: {at_intake: true}\n", table=table)
    sessions = load_study(path).sessions
    assert_array_equal(sessions[["episode", "session", "phq9"]], [[1, 0, 1], [1, 1, 2], [1, 2, 3]])


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
@pytest.mark.parametrize(
    "rows",
    [
        ("a,T,1,2,1", "a,T,2,2,2", "a,T,1,10,3", "a,T,2,10,4"),  # numbers: 2 before 10
        ("a,T,1,spring,1", "a,T,2,spring,2", "a,T,3,autumn,3", "a,T,4,autumn,4"),  # sessions count on
    ],
)
def test_episodes_without_dates_do_not_depend_on_the_order_of_rows(rows, order, tmp_path):
    sessions = load_study(episodes(*(rows[i] for i in order))(tmp_path)).sessions
    assert sessions["client"].tolist() == ["a", "a", "a (episode 2)", "a (episode 2)"]
    assert_array_equal(sessions[["session", "phq9"]], [[1, 1], [2, 2], [1, 3], [2, 4]])


def test_an_intake_long_before_does_not_move_the_session_numbers(tmp_path):
    table = "client,therapist,session,date,phq9\na,T,0,2023-01-01,1\na,T,1,2024-01-01,2\na,T,2,2024-01-08,3\n"
    path = write(tmp_path, study=STUDY + "episodes: {after_days: 100, analyse: last}\n", table=table)
    assert_array_equal(load_study(path).sessions["session"], [1, 2])


def test_longest_counts_sessions_and_not_raters(tmp_path):
    rated = STUDY.replace("session: session, date: date", "session: session, rater: who").replace(
        "instrument: phq_9, total: phq9", "instrument: wai_36, rater: observer, total: o, average: true"
    )
    table = "client,therapist,session,who,o\n" + "".join(f"a,T,1,{who},100\n" for who in "vwxyz")
    path = write(tmp_path, study=rated + "transfers: longest\n", table=table + "a,U,2,x,90\na,U,3,x,90\n")
    loaded = load_study(path)
    assert loaded.clients["therapist"].tolist() == ["U"]
    moved = next(f.message for f in loaded.findings if f.code == "transfers")
    assert "therapist with most sessions counts; 1 session was held by another" in moved


def test_sessions_without_time_are_counted_once_for_all_raters(tmp_path):
    rated = STUDY.replace("date: date", "date: date, rater: who").replace(
        "instrument: phq_9, total: phq9", "instrument: wai_36, rater: observer, total: o, average: true"
    )
    table = "client,therapist,session,date,who,o\na,T,1,2024-01-01,x,90\na,T,2,,x,90\na,T,2,,y,90\n"
    messages = [f.message for f in load_study(write(tmp_path, study=rated, table=table)).findings]
    assert "1 session has no date or week, so its time is not known." in messages


@pytest.mark.parametrize(
    ("query", "one"),
    [
        ("select 1", True),
        ("  -- all; of it\n(SELECT 1) union (select 2)", True),
        ("/* remark */ with a as (select 1) select * from a", True),
        ("values (1), (2)", True),
        ("select \";\" from a where b = 'it''s; so'", True),
        ("", False),
        ("/* remark */ select ';'", False),  # where remarks end is not the same everywhere
        ("delete from a", False),
        ("selectable", False),
        ("select 1; delete from a", False),
        ("select 1 -- it's\n; delete from a -- '", False),
        ("select E'\\' ; delete from a --'", False),
        ("select $$ ' $$ ; delete from a -- '", False),
        ("/* /* */ select ' */ ; delete from a -- '", False),
    ],
)
def test_only_one_select_is_one(query, one):
    assert is_one_select(query) == one


def test_empty_clinics_and_families_are_no_clinics_and_families(tmp_path):
    columns = STUDY.replace("client: client", "client: client, family: f, clinic: c")
    table = (
        "client,therapist,session,date,phq9,f,c\na,T,1,2024-01-01,9,,\na,T,2,2024-01-02,9,F1,N\n"
        "a,T,3,2024-01-03,9,F2,N\nb,T,1,2024-01-03,9,F2,N\nc,T,1,2024-01-03,9,,\n"
    )
    study = load_study(write(tmp_path, study=columns, table=table))
    assert study.clients["family"].fillna("?").tolist() == ["F1", "F2", "?"]
    assert study.clients["clinic"].fillna("?").tolist() == ["N", "N", "?"]
    assert study.sessions["clinic"].fillna("?").tolist() == ["?", "N", "N", "N", "?"]
    said = {f.code: f.message for f in study.findings}
    assert said["client_in_several_families"].startswith("1 client has more than one family")
    assert said["sessions_without_clinic"].startswith("2 sessions have no clinic and are left out")
    assert not {"client_in_several_clinics", "therapist_in_several_clinics"} & set(said)


def test_two_endings_of_a_client(tmp_path):
    ends = (
        STUDY.replace("client: client", "client: client, ending: e")
        + "ending: {planned: [p], dropout: [d]}\n"
    )
    table = "client,therapist,session,date,phq9,e\na,T,1,2024-01-01,9,p\na,T,2,2024-01-02,9,d\n"
    with pytest.raises(
        DataError, match=r"(?s)ends in more than one way.*row 3, column 'e': 'd'.*see 'episodes'"
    ):
        load_study(write(tmp_path, study=ends, table=table))


def test_a_first_session_without_a_date_is_said(tmp_path):
    table = "client,therapist,session,date,phq9\na,T,1,,5\na,T,2,2024-01-09,5\na,T,3,,5\nb,T,1,2024-01-09,5\n"
    messages = [f.message for f in load_study(write(tmp_path, table=table)).findings]
    assert (
        "2 sessions have no date or week, so their time is not known. For 1 client this is the first session, so weeks count "
        "from the first session with a date."
    ) in messages
