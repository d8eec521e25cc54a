"""A study that needs a package of an extra says which, where the package is not installed; other studies load."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import pyreadstat
import pytest

from data.test_formats import FRAME, study_in

#: Loads a study in an interpreter in which the named packages cannot be imported.
LOAD_WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
import alliance_longitudinal as al
try:
    print(len(al.load_study({path!r}).sessions))
except al.DataError as error:
    print(error)
"""

SERVER = """\
study: Ward
tables:
  sessions:
    database: {host: 127.0.0.1, database: routine, user: reader, password: {PLACE}}
    table: visits
    columns: {client: client, therapist: therapist, session: session}
measures:
  phq9: {instrument: phq_9, total: phq9}
"""


def said(path: Path, blocked: tuple[str, ...]) -> str:
    code = LOAD_WITHOUT.format(path=str(path), blocked=set(blocked))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def sav(folder: Path) -> Path:
    pyreadstat.write_sav(FRAME, str(folder / "sessions.sav"))
    return study_in(folder, "sessions.sav")


def dta(folder: Path) -> Path:
    pyreadstat.write_dta(FRAME, str(folder / "sessions.dta"))
    return study_in(folder, "sessions.dta")


def sqlite(folder: Path) -> Path:
    with sqlite3.connect(folder / "sessions.db") as connection:
        FRAME.astype({"date": str}).to_sql("visits", connection, index=False)
    connection.close()
    return study_in(folder, "sessions.db", extra="\n    table: visits")


def duck(folder: Path) -> Path:
    with duckdb.connect(str(folder / "sessions.duckdb")) as connection:
        connection.register("frame", FRAME.astype({"date": str}))
        connection.execute("create table visits as select * from frame")
    return study_in(folder, "sessions.duckdb", extra="\n    table: visits")


def server(folder: Path, place: str = "{env: CLINIC_PASSWORD}") -> Path:
    path = folder / "study.yaml"
    path.write_text(SERVER.replace("{PLACE}", place), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("make", "package", "what", "extra"),
    [
        (sav, "pyreadstat", "Reading SPSS files", "spss"),
        (dta, "pyreadstat", "Reading Stata files", "spss"),
        (sqlite, "sqlalchemy", "Reading SQLite files", "databases"),
        (duck, "duckdb", "Reading DuckDB files", "databases"),
        (server, "sqlalchemy", "Reading PostgreSQL databases", "databases"),
        (server, "psycopg", "Reading PostgreSQL databases", "databases"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(tmp_path, make, package, what, extra):
    text = said(make(tmp_path), (package,))
    assert f": {what} needs {package}, which is not installed.\n" in text
    assert f"  What to do: Install it with: pip install 'alliance-longitudinal[{extra}]'.\n" in text


def test_a_password_of_the_key_store_needs_keyring(tmp_path):
    text = said(server(tmp_path, "{keyring: clinic-db}"), ("keyring",))
    assert "A password from the system's key store needs keyring, which is not installed." in text
    assert "pip install 'alliance-longitudinal[databases]'" in text


@pytest.mark.parametrize(
    ("make", "others"),
    [
        (lambda folder: study_in(folder, "sessions.csv"), ("pyreadstat", "duckdb", "sqlalchemy", "psycopg")),
        (sav, ("duckdb", "sqlalchemy", "psycopg", "keyring")),
        (duck, ("pyreadstat", "sqlalchemy", "psycopg", "keyring")),
        (sqlite, ("pyreadstat", "duckdb", "psycopg", "keyring")),
    ],
)
def test_a_study_loads_without_the_packages_that_it_does_not_need(tmp_path, make, others):
    FRAME.astype({"date": str}).to_csv(tmp_path / "sessions.csv", index=False)
    assert said(make(tmp_path), others) == "6\n"
