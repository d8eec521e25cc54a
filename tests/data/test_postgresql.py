"""A real PostgreSQL server: typed results, a transaction that cannot write, and a password that is never shown."""

import traceback

import keyring
import pytest
from keyring.backend import KeyringBackend
from pandas.testing import assert_frame_equal

from alliance_longitudinal.data import load_study, table_hashes
from alliance_longitudinal.errors import DataError, StudyError
from data.builders import ROWS, STUDY, write
from data.conftest import PASSWORD, USER

NAME = "ALLIANCE_TEST_PASSWORD"


@pytest.fixture(scope="module")
def clinic(postgresql):
    """A server with the sound study in the table ``visits``, and one in a schema of its own."""
    postgresql.run(
        "create table visits (client text, therapist varchar(9), session smallint, date timestamptz, "
        "phq9 numeric(4,1), note jsonb)"
    )
    for row in ROWS:
        client, therapist, session, date, phq = row.split(",")
        values = f"'{client}', '{therapist}', {session}, '{date} 12:00', {phq or 'null'}, '{{\"a\": 1}}'"
        postgresql.run(f"insert into visits values ({values})")
    postgresql.run('create schema "Klinik Süd"; create view "Klinik Süd"."v;x" as select * from visits')
    postgresql.run(f'grant usage on schema "Klinik Süd" to {USER}')
    postgresql.run(f'grant select, insert, delete on visits, "Klinik Süd"."v;x" to {USER}')
    postgresql.run("create materialized view kept as select * from visits")
    postgresql.run(f"grant select on kept to {USER}")
    postgresql.run("create table secret (x int)")
    return postgresql


def study_file(folder, server, asked="table: visits", password="{env: " + NAME + "}", **changes):
    block = {"host": "127.0.0.1", "port": server.port, "database": "postgres", "user": USER} | changes
    lines = "".join(f"      {key}: {value}\n" for key, value in block.items())
    lines += f"      password: {password}\n" if password else ""
    path = folder / "study.yaml"
    path.write_text(
        STUDY.replace("    file: sessions.csv\n", f"    database:\n{lines}    {asked}\n"), encoding="utf-8"
    )
    return path


def refusal(path):
    """The message of the error, which with its whole chain and data does not hold the password."""
    with pytest.raises(DataError) as caught:
        load_study(path)
    everything = "".join(traceback.format_exception(caught.value)) + repr(caught.value.problems)
    assert PASSWORD not in everything
    assert "canary" not in everything
    return str(caught.value)


@pytest.mark.parametrize(
    "asked",
    [
        "table: visits",
        "table: Klinik Süd.v;x",
        "table: kept",
        "query: \"select client, therapist, session, date::date as date, phq9 from visits where client like '%'\"",
    ],
)
def test_table_view_and_query(asked, clinic, tmp_path, monkeypatch):
    monkeypatch.setenv(NAME, PASSWORD)
    study = load_study(study_file(tmp_path, clinic, asked))
    assert_frame_equal(study.sessions, load_study(write(tmp_path / "canonical")).sessions)
    source = study.sources[1]
    assert (source.name, source.rows, len(source.sha256)) == ("database postgres", 6, 64)
    assert PASSWORD not in repr(study)
    [(name, digest)] = table_hashes(tmp_path / "study.yaml").items()
    assert name.startswith("database postgres: ")
    assert digest == source.sha256


def test_password_from_the_key_store(clinic, tmp_path, monkeypatch):
    class Store(KeyringBackend):
        priority = 1

        def get_password(self, service, username):
            return PASSWORD if (service, username) == ("clinic", USER) else None

        def set_password(self, service, username, password):
            raise NotImplementedError

    monkeypatch.setattr(keyring.core, "_keyring_backend", Store())
    assert len(load_study(study_file(tmp_path, clinic, password="{keyring: clinic}")).sessions) == 6
    message = refusal(study_file(tmp_path, clinic, password="{keyring: other}"))
    assert "the key store has no password for the service and user" in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"asked": "table: visit"}, "there is no table or view 'visit'. Did you mean 'visits'?"),
        ({"asked": "table: visits; drop table visits"}, "there is no table or view"),
        ({"asked": "table: 'visits\" where true --'"}, "there is no table or view"),
        ({"asked": "query: delete from visits"}, "not a single SELECT"),
        ({"asked": "query: select 1; delete from visits"}, "not a single SELECT"),
        (
            {"asked": "query: with gone as (delete from visits returning *) select * from gone"},
            "the query writes",
        ),
        ({"asked": "query: select * from secret"}, "the query writes, leaves the database, or reads what"),
        ({"asked": "query: select nothing from visits"}, "the database cannot run the query"),
        ({"asked": "query: select * from visits where false"}, "the table has no rows"),
        ({"port": 1}, "no server answers at that host and port"),
        ({"user": "nobody"}, "the server refused the user or the password"),
        ({"database": "nowhere"}, "the server has no such database or user"),
        ({"password": ""}, "the server asks for a password, and none is given"),
        ({"password": "{env: NOT_SET_AT_ALL}"}, "the environment variable"),
        ({"sslmode": "require"}, "no encrypted connection could be made"),
    ],
)
def test_refusals_are_sentences_without_the_password(changes, words, clinic, tmp_path, monkeypatch):
    monkeypatch.setenv(NAME, PASSWORD)
    assert words in refusal(study_file(tmp_path, clinic, **changes))
    assert len(load_study(study_file(tmp_path, clinic)).sessions) == 6  # nothing was deleted


def test_wrong_password_is_not_shown(clinic, tmp_path, monkeypatch):
    monkeypatch.setenv(NAME, PASSWORD + "x")
    assert "the server refused the user or the password" in refusal(study_file(tmp_path, clinic))


SECRET = "hunter2-canary"


@pytest.mark.parametrize(
    "block",
    [
        f"database: {{host: h, database: d, user: u, password: {SECRET}}}\n    table: t",
        f"database: {{host: h, database: d, user: u, password: {{env: {SECRET}}}}}\n    table: t",
        f"database: {{host: h, database: d, user: u, password: {{value: {SECRET}}}}}\n    table: t",
        f"database: {{host: h, database: d, user: u, password: [{SECRET}]}}\n    table: t",
        f"database: {{url: 'postgresql://u:{SECRET}@h/d'}}\n    table: t",
        f"database: {{host: 'u:{SECRET}@h', database: d, user: u}}\n    table: t",
        f"database: {{host: h, database: 'd?password={SECRET}', user: u}}\n    table: t",
        f"database: 'postgresql://u:{SECRET}@h/d'\n    table: t",
        f"file: 'postgresql://u:{SECRET}@h/d'",
    ],
)
def test_password_in_the_study_file_is_refused_and_not_repeated(block, tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(STUDY.replace("file: sessions.csv", block))
    with pytest.raises(StudyError) as caught:
        load_study(path)
    everything = "".join(traceback.format_exception(caught.value))
    assert SECRET not in everything, everything
    assert "password" in str(caught.value) or "database" in str(caught.value)
