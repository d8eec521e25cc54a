"""Everything that a study is read from counts as an input of its reports."""

import json
import sqlite3

import pytest

from alliance_longitudinal import cli
from inside.data_demo import write_demo
from inside.reporting_record import input_hashes, size_note
from inside.strict_yaml import read_document


@pytest.fixture
def months(tmp_path):
    """The demonstration study with its sessions in a folder of files."""
    path = write_demo(tmp_path / "demo")
    rows = (path.parent / "sessions.csv").read_bytes().splitlines(keepends=True)
    folder = path.parent / "months"
    folder.mkdir()
    half = len(rows) // 2
    (folder / "a.csv").write_bytes(b"".join(rows[:half]))
    (folder / "b.csv").write_bytes(b"".join([rows[0], *rows[half:]]))
    text = path.read_text(encoding="utf-8").replace("file: sessions.csv", "file: months/*.csv")
    path.write_text(text, encoding="utf-8")
    return path


def test_files_of_a_pattern_are_inputs_and_a_new_one_changes_them(months):
    before = input_hashes(months)
    assert {"study.yaml", "clients.csv", "truth.yaml", "months/a.csv", "months/b.csv"} <= set(before)
    (months.parent / "months" / "c.csv").write_bytes((months.parent / "months" / "b.csv").read_bytes())
    after = input_hashes(months)
    assert set(after) - set(before) == {"months/c.csv"}


def test_a_changed_database_file_changes_the_inputs(tmp_path):
    base = tmp_path / "clinic.sqlite"
    with sqlite3.connect(base) as connection:
        connection.execute("create table sessions (client text, therapist text, session integer, phq9 real)")
        connection.execute("insert into sessions values ('a', 't', 1, 9)")
    connection.close()
    path = tmp_path / "study.yaml"
    path.write_text(
        "study: x\ntables:\n  sessions:\n    file: clinic.sqlite\n    table: sessions\n    columns: {client: client, "
        "therapist: therapist, session: session}\nmeasures:\n  phq9: {instrument: phq_9, rater: client, total: phq9}\n",
        encoding="utf-8",
    )
    before = input_hashes(path)
    with sqlite3.connect(base) as connection:
        connection.execute("update sessions set phq9 = 10")
    connection.close()
    after = input_hashes(path)
    assert set(before) == set(after) == {"study.yaml", "clinic.sqlite"}
    assert before["clinic.sqlite"] != after["clinic.sqlite"]


def test_a_wrong_study_file_still_has_its_own_hash(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("study: x\n", encoding="utf-8")
    assert list(input_hashes(path)) == ["study.yaml"]


def test_a_file_that_was_read_before_is_read_as_it_is_now(tmp_path):
    """What a text means is remembered, and nobody can change what is remembered."""
    path, twin = tmp_path / "study.yaml", tmp_path / "twin.yaml"
    path.write_text("study: A\nlist: [1, {deep: 2}]\n", encoding="utf-8")
    first = read_document(path, "study file")
    first.data["list"][1]["deep"] = "changed"
    first.lines.clear()
    twin.write_text("study: A\nlist: [1, {deep: 2}]\n", encoding="utf-8")
    second = read_document(twin, "study file")
    assert second.data == {"study": "A", "list": [1, {"deep": 2}]}
    assert (second.path, second.line(("list",))) == (twin, 2)
    path.write_text("study: B\n", encoding="utf-8")
    assert read_document(path, "study file").data == {"study": "B"}


def test_a_very_large_study_is_told_before_its_report_starts(tmp_path, capsys):
    """By the size of all files of sessions: two of 1.5 million rows each."""
    line = b"client_17,therapist_4,12,2024-03-01,9\n"
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(b"client,therapist,session,date,phq9\n" + line * 1_500_000)
    study = tmp_path / "study.yaml"
    study.write_text(json.dumps({"study": "x", "tables": {"sessions": {"file": "*.csv"}}}), encoding="utf-8")
    note = size_note(study)
    assert note == (
        "The sessions have about 3 million rows. With 1 million, reports took from half a minute to more than 15 minutes, and "
        "2.3 GB of memory or more; both grow with the rows. If this one is stopped, give it more (--deadline SECONDS, --memory GB), or make it "
        "for a clinic (-p clinic=NAME) or from a sample of the clients."
    )
    asked = ["report", str(study), "--notebook", "no_such_analysis", "--out", str(tmp_path / "out")]
    cli.main(asked)
    assert capsys.readouterr().err.startswith(note)
    cli.main([*asked, "--json"])
    assert note not in capsys.readouterr().err
    (tmp_path / "b.csv").unlink()
    assert size_note(study) == ""


def test_no_size_is_told_of_what_is_small_or_cannot_be_read(tmp_path):
    assert size_note("demo") == ""
    assert size_note(tmp_path / "nothing.yaml") == ""
    study = tmp_path / "study.yaml"
    for text in (
        "study: x",
        "- 1",
        "tables: {sessions: {file: [1, 2]}}",
        "tables: {sessions: {file: gone.csv}}",
        "{",
    ):
        study.write_text(text, encoding="utf-8")
        assert size_note(study) == ""
