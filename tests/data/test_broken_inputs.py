"""Each broken study is refused with its sentence, and with nothing but its sentence."""

import re

import pytest

from alliance_longitudinal.data import load_study
from alliance_longitudinal.errors import DataError, StudyError
from data.broken_inputs import BROKEN, DATA, ERRORS, changed
from data.builders import STUDY, write


@pytest.mark.parametrize("name", BROKEN)
def test_broken_study_gets_its_sentence(name, tmp_path):
    build, expected = BROKEN[name]
    path = build(tmp_path)
    with pytest.raises(ERRORS[name]) as caught:
        load_study(path)
    message = str(caught.value)
    for phrase in expected:
        assert phrase in message, message


@pytest.mark.parametrize("name", DATA)
def test_one_thing_wrong_is_one_kind_of_problem(name, tmp_path):
    with pytest.raises(DataError) as caught:
        load_study(DATA[name][0](tmp_path))
    assert len({problem["rule"] for problem in caught.value.problems}) == 1, str(caught.value)
    for problem in caught.value.problems:
        assert set(problem) == {"file", "row", "column", "value", "rule", "message", "remedy"}
        assert problem["remedy"]


def test_sound_study_is_read_with_identifiers_as_written(tmp_path):
    sessions = load_study(write(tmp_path)).sessions
    assert list(sessions["client"].unique()) == ["007", "1E5", "NA"]
    assert sessions["phq9"].isna().sum() == 1  # the empty cell


def test_all_problems_come_at_once(tmp_path):
    table = (
        "client,therapist,session,date,phq9\n"
        "1,T1,1,2024-03-01,99\n"
        "1,T1,1,2024-03-08,11\n"
        "2,T1,one,2024-03-08,11\n"
        "2,T2,2,08.03.2024,x\n"
    )
    with pytest.raises(DataError) as caught:
        load_study(write(tmp_path, table=table))
    found = {(p["rule"], p["row"]) for p in caught.value.problems}
    assert found == {
        ("out_of_range", 2),
        ("duplicate_session", 3),
        ("session_number", 4),
        ("date", 5),
        ("not_a_number", 5),
    }
    assert "5 problems" in str(caught.value)


def test_all_mistakes_of_a_study_file_come_at_once(tmp_path):
    study = STUDY.replace("study:", "studdy:").replace("file:", "fil:") + "small_cells: many\n"
    with pytest.raises(StudyError) as caught:
        load_study(write(tmp_path, study=study))
    message = str(caught.value)
    lines = [int(n) for n in re.findall(r"line (\d+):", message)]
    assert lines == sorted(lines)
    for phrase in (
        "unknown key 'studdy'",
        "'study' is missing",
        "unknown key 'tables.sessions.fil'",
        "'small_cells'",
    ):
        assert phrase in message


def test_repeated_problems_are_grouped_and_all_kept(tmp_path):
    lines = [f"{client},T1,1,2024-03-01,99" for client in range(1200)]
    with pytest.raises(DataError) as caught:
        load_study(write(tmp_path, table="client,therapist,session,date,phq9\n" + "\n".join(lines)))
    message = str(caught.value)
    assert "1200 problems" in message
    assert "... and 1195 more" in message
    assert message.count("row ") == 5
    assert len(caught.value.problems) == 1000


def test_problems_of_both_tables_come_together(tmp_path):
    study = STUDY.replace(
        "measures:", "  clients: {file: clients.csv, columns: {client: id}}\nbaseline: [age]\nmeasures:"
    )
    path = write(tmp_path, study=study, table="")
    (tmp_path / "clients.csv").write_text("nr;age\n1;30\n")
    with pytest.raises(
        DataError, match=r"(?s)sessions.csv: the file is empty.*clients.csv: the declared separator"
    ):
        load_study(path)


def test_clients_table_is_checked(tmp_path):
    study = STUDY.replace("therapist: therapist, ", "").replace(
        "measures:",
        "  clients: {file: clients.csv, columns: {client: id, therapist: th}}\nbaseline: [age]\nmeasures:",
    )
    path = write(tmp_path, study=study)
    (tmp_path / "clients.csv").write_text("id,th,age\n007,T1,30\n007,T1,31\nNA,,forty\n8,T1,50\n")
    with pytest.raises(DataError) as caught:
        load_study(path)
    found = {(p["rule"], p["file"], p["row"]) for p in caught.value.problems}
    assert found == {
        ("duplicate_client", "clients.csv", 2),
        ("duplicate_client", "clients.csv", 3),
        ("not_a_number", "clients.csv", 4),
        ("unknown_client", "sessions.csv", 6),
        ("unknown_client", "sessions.csv", 7),
    }


def test_baseline_that_changes_is_refused(tmp_path):
    study = STUDY + "baseline: {age: phq9}\n"
    with pytest.raises(DataError, match="more than one value for the same client"):
        load_study(write(tmp_path, study=study))


def test_week_that_runs_back_is_refused(tmp_path):
    study = STUDY.replace("date: date", "week: week")
    table = "client,therapist,session,week,phq9\n1,T1,1,0,9\n1,T1,2,3,9\n1,T1,3,2.5,9\n1,T1,4,x,9\n"
    with pytest.raises(DataError) as caught:
        load_study(write(tmp_path, study=study, table=table))
    assert "earlier week" in str(caught.value)
    assert "session 3: 2.5 after 3 in row 3" in str(caught.value)
    assert "a week is not a number" in str(caught.value)


def test_missing_date_matters_where_it_decides_the_order(tmp_path):
    path = changed("2024-03-08", "")(tmp_path)
    assert "sessions_without_time" in [f.code for f in load_study(path).findings]
    path.write_text(STUDY.replace("session: session, ", ""))
    with pytest.raises(DataError, match="the date is missing, and without a session number"):
        load_study(path)


@pytest.mark.parametrize(
    ("content", "phrase"),
    [
        (None, "does not exist"),
        (b"", "is empty or is not a list"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"study: [1, 2]\n\tx: 1", "not valid YAML"),
    ],
)
def test_study_file_that_cannot_be_read(content, phrase, tmp_path):
    path = tmp_path / "study.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StudyError, match=phrase):
        load_study(path)


def test_folder_in_place_of_the_study_file(tmp_path):
    with pytest.raises(StudyError, match="is a folder"):
        load_study(tmp_path)
