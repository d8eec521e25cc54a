"""Files from somebody else that are made to hurt: each is refused with a sentence, in little time and memory."""

import io
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import psutil
import pytest
from openpyxl import Workbook

import alliance_longitudinal as al
from inside.data_readers import database, files

STUDY = """\
study: A trap
tables:
  sessions: {{{table}, columns: {{client: client, therapist: therapist, session: session, week: week}}}}
measures:
  alliance: {{instrument: wai_sr, total: wai}}
  symptoms: {{instrument: phq_9, total: phq9}}
"""
HEADER = b"client,therapist,session,week,wai,phq9\na,t,1,0,33,4\n"
ENDLESS = "with recursive t(x) as (select 1 union all select x + 1 from t) select {} from t"
#: Ten entities, each ten times the one before: three thousand million letters.
LAUGHS = b'<!DOCTYPE x [<!ENTITY l0 "lol">%s]>' % b"".join(
    b'<!ENTITY l%d "%s">' % (i, b"&l%d;" % (i - 1) * 10) for i in range(1, 10)
)
OUTSIDE = b'<!DOCTYPE x [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>'


def _study(folder: Path, table: str) -> Path:
    path = folder / "study.yaml"
    path.write_text(STUDY.format(table=table), encoding="utf-8")
    return path


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml"])
@pytest.mark.parametrize("trap", [LAUGHS, OUTSIDE], ids=["laughs", "outside"])
def test_a_workbook_whose_text_unfolds_or_reaches_outside_is_refused(
    tmp_path: Path, part: str, trap: bytes
) -> None:
    plain, book = io.BytesIO(), Workbook()
    book.active.append(["client", "therapist", "session", "week", "wai", "phq9"])
    book.save(plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(tmp_path / "s.xlsx", "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == part:
                cell = b'<sheetData><row r="9"><c r="A9" t="inlineStr"><is><t>&l9;</t></is></c></row>'
                content = trap + content.replace(b"<sheetData>", cell).replace(
                    b'name="Sheet"', b'name="&l9;"'
                )
            target.writestr(name, content)
    with pytest.raises(al.DataError, match="the file is damaged or is not an Excel workbook"):
        al.load_study(_study(tmp_path, "file: s.xlsx"))


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory as Linux counts it")
@pytest.mark.parametrize("start", [b"", HEADER + b'"'], ids=["whole", "quoted"])
def test_a_line_of_500_mb_is_refused_without_being_read(tmp_path: Path, start: bytes) -> None:
    size = 500_000_000
    with (tmp_path / "s.csv").open("wb") as file:
        file.write(start)
        file.truncate(size)  # a hole: NUL letters that take no room on the disk
    code = (
        "import resource, sys\n"
        "import alliance_longitudinal as al\n"
        "al.load_study\n"
        "import pandas, pyarrow\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: al.load_study(sys.argv[1])\n"
        "except al.DataError as error: print(error)\n"
        "print('MiB', (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(_study(tmp_path, "file: s.csv"))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (
        f"the line is longer than {files.LONGEST_LINE >> 20} MB, so the file is not a table; it was not read."
        in done.stdout
    )
    row = 1 + start.count(b"\n")
    assert f"row {row}" in done.stdout
    assert int(done.stdout.split("MiB ")[1]) < 120


def test_a_long_line_that_is_a_table_is_read_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file above the limit whose lines are short."""
    monkeypatch.setattr(files, "LONGEST_LINE", 64)
    rows = b"".join(b"a,t,%d,%d,33,4\n" % (i, i) for i in range(2, 200))
    (tmp_path / "s.csv").write_bytes(HEADER + rows)
    assert len(al.load_study(_study(tmp_path, "file: s.csv")).sessions) == 199


@pytest.mark.parametrize("ending", ["sqlite", "duckdb"])
@pytest.mark.parametrize(
    ("what", "seconds", "sentence"),
    [
        ("x", 600, r"the query gives more than 1,000 rows, or has no end\."),
        ("count(*)", 0.3, r"the query was not finished after 0\.3 seconds and was stopped\."),
    ],
)
def test_a_query_without_an_end_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, what: str, seconds: float, sentence: str
) -> None:
    if ending == "duckdb":
        pytest.importorskip("duckdb").connect(str(tmp_path / "s.duckdb")).close()
        # DuckDB works a recursion out before it gives the first row.
        what, seconds, sentence = (
            "count(*)",
            0.3,
            r"the query was not finished after 0\.3 seconds and was stopped\.",
        )
    else:
        sqlite3.connect(tmp_path / "s.sqlite").execute("create table t (x int)").connection.close()
    monkeypatch.setattr(database, "MOST_ROWS", 1000)
    monkeypatch.setattr(database, "QUERY_SECONDS", seconds)
    with pytest.raises(al.DataError, match=sentence):
        al.load_study(_study(tmp_path, f"file: s.{ending}, query: '{ENDLESS.format(what)}'"))


def test_the_limits_of_a_query_are_those_of_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "study_file.md").read_text(encoding="utf-8")
    limits = f"A query may take {database.QUERY_SECONDS} seconds and give {database.MOST_ROWS:,}\nrows"
    assert limits in page


def test_more_rows_than_a_study_has_are_refused_in_duckdb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("duckdb").connect(str(tmp_path / "s.duckdb")).close()
    monkeypatch.setattr(database, "MOST_ROWS", 1000)
    with pytest.raises(al.DataError, match=r"the query gives more than 1,000 rows"):
        al.load_study(_study(tmp_path, "file: s.duckdb, query: 'select * from range(1001) as t(client)'"))


def test_a_file_that_is_no_database_is_closed_again(tmp_path: Path) -> None:
    (tmp_path / "s.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(al.DataError, match="not a database") as caught:
        al.load_study(_study(tmp_path, "file: s.sqlite, table: t"))
    opened = [Path(file.path).name for file in psutil.Process().open_files()]
    assert "s.sqlite" not in opened, caught
