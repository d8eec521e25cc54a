"""Damaged text tables: a sentence or the right numbers, never a traceback and never a changed file."""

import csv
import datetime
import io
import re
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alliance_longitudinal.data import load_study
from alliance_longitudinal.errors import AllianceError, DataError
from data import broken_files
from data.builders import HEADER, ROWS, write
from inside.data_cells import Problems
from inside.data_readers import csv_text

SOUND = (
    "\r\n".join([HEADER, *ROWS, '"M, üller",T3,1,2024-05-01,4', "x y,T3,1,2024-05-01 10:00,4.0"])
).encode()
BITS = [
    b",",
    b"\n",
    b"\r",
    b'"',
    b"\0",
    b";",
    b".",
    b"-",
    b"9",
    b"0",
    b" ",
    b"\xff",
    b"\xc3\xbc",
    b"e5",
    b"NA",
    b"\t",
]


@st.composite
def damaged(draw):
    """The bytes of a sound table after up to four cuts, insertions and repetitions."""
    content = SOUND
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 12)))
        what = draw(st.sampled_from(["cut", "put", "repeat", "swap", "end"]))
        if what == "cut":
            content = content[:start] + content[end:]
        elif what == "put":
            content = content[:start] + draw(st.sampled_from(BITS) | st.binary(max_size=3)) + content[start:]
        elif what == "repeat":
            content = content[:end] + content[start:end] + content[end:]
        elif what == "swap":
            lines = content.split(b"\r\n")
            at = start % len(lines)
            content = b"\r\n".join([*lines[at:], *lines[:at]]) if at > 1 else content
        else:
            content = content[:start]
    return content


def simple_reader(content: bytes) -> pd.DataFrame:
    """What a few lines of the standard library make of the table; no part of the package is used."""
    lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    header, *rows = [[unicodedata.normalize("NFC", cell).strip() for cell in line] for line in lines]
    found = []
    for row in rows:
        cells = dict(zip(header, row + [""] * len(header), strict=False))
        if not any(row):
            continue
        day = re.split(r"[-/.]", re.split("[ T]", cells["date"])[0])
        found.append(
            {
                "client": cells["client"],
                "therapist": cells["therapist"],
                "session": int(float(cells["session"])),
                "date": pd.NaT if cells["date"] in ("", "NA") else datetime.datetime(*map(int, day)),
                "phq9": np.nan
                if cells["phq9"] in ("", "NA")
                else float(cells["phq9"].replace("\u2212", "-")),
            }
        )
    frame = pd.DataFrame(found).astype({"client": str, "therapist": str, "session": "int64", "phq9": float})
    frame["date"] = pd.to_datetime(frame["date"])
    return frame.sort_values(["client", "session"], ignore_index=True)


def check(path: Path, content: bytes) -> bool:
    """Whether the table was accepted; if so, its numbers are those of the simple reader."""
    (path.parent / "sessions.csv").write_bytes(content)
    try:
        sessions, said = load_study(path).sessions, None
    except AllianceError as error:
        sessions, said = None, error
    assert (path.parent / "sessions.csv").read_bytes() == content
    if sessions is None:
        assert str(said)
        assert not isinstance(said, DataError) or said.problems
        return False
    expected = simple_reader(content)
    for name in ("client", "therapist", "session", "phq9"):
        np.testing.assert_array_equal(sessions[name].to_numpy(), expected[name].to_numpy())
    np.testing.assert_array_equal(
        sessions["date"].to_numpy("datetime64[D]"), expected["date"].to_numpy("datetime64[D]")
    )
    return True


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write(tmp_path_factory.mktemp("fuzz"))


def test_the_sound_table_is_accepted(path):
    assert check(path, SOUND)
    assert len(simple_reader(SOUND)) == 8


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(content=damaged())
def test_damaged_tables_give_a_sentence_or_the_right_numbers(path, content):
    check(path, content)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(
            st.sampled_from(["a", "b ", "", "1,5", "ü", "e\u0301", "NA", " ", "x"]), min_size=3, max_size=3
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from(["none", "all", "some"]),
)
def test_quick_and_patient_reader_give_the_same_texts(rows, separator, end, ends, quoted):
    marks = {"none": lambda _: "", "all": lambda _: '"', "some": lambda cell: '"' if "," in cell else ""}[
        quoted
    ]
    lines = [separator.join(f"{marks(cell)}{cell}{marks(cell)}" for cell in row) for row in rows]
    text = end.join(lines) + (end if ends else "")
    plain, problems = text.encode(), Problems("x")
    first = text.split("\n", 1)[0]
    quick = csv_text._parsed_fast(plain, separator, first)
    patient = csv_text._parsed("x.csv", text, separator, 1, problems)
    assert not problems
    assert patient is not None
    assert quick is not None
    assert [list(c.spread()) for c in quick] == [list(c.spread()) for c in patient]


@settings(max_examples=60, deadline=None)
@given(
    content=st.binary(min_size=1, max_size=60),
    ending=st.sampled_from([".csv", ".xlsx", ".parquet", ".feather"]),
)
def test_any_bytes_under_any_ending_give_a_sentence(tmp_path_factory, content, ending):
    folder = tmp_path_factory.getbasetemp() / "bytes"
    path = write(folder)
    path.write_text(path.read_text().replace("sessions.csv", f"sessions{ending}"))
    (folder / f"sessions{ending}").write_bytes(content)
    with pytest.raises(AllianceError):
        load_study(path)


SAVED = {
    "s.parquet": (broken_files._parquet, ""),
    "s.feather": (broken_files._feather, ""),
    "s.sav": (broken_files._sav(broken_files.FRAME), ""),
    "s.dta": (broken_files._dta, ""),
    "s.xlsx": (broken_files._workbook(lambda _: None), ""),
    "s.sqlite": (broken_files._sqlite, "\n    table: visits"),
    "s.duckdb": (broken_files._duckdb, "\n    table: visits"),
}


@pytest.mark.parametrize("name", SAVED)
def test_damaged_files_of_every_kind_are_read_or_refused(name, tmp_path):
    """A few bytes changed, or the end cut off: an error is always one of ours, and the file stays as it is."""
    save, extra = SAVED[name]
    path = broken_files.made(name, save, extra)(tmp_path)
    whole = (tmp_path / name).read_bytes()
    rng = np.random.default_rng(len(whole))
    refused = 0
    for _ in range(15):
        content = np.frombuffer(whole, dtype=np.uint8).copy()
        content[rng.integers(0, len(whole), 3)] = rng.integers(0, 256, 3)
        damaged = content.tobytes()[: len(whole) if rng.random() < 0.7 else rng.integers(1, len(whole))]
        (tmp_path / name).write_bytes(damaged)
        try:
            load_study(path)
        except AllianceError:
            refused += 1
        assert (tmp_path / name).read_bytes() == damaged
    assert refused > 0
