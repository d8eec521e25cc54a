"""The scored data for SPSS and R: read back by pyreadstat and, byte for byte, as R writes them."""

import csv
import errno
import gzip
import json
import signal
import stat
import struct
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from alliance_longitudinal import Study, cli
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.errors import StudyError, UsageError
from alliance_longitudinal.simulation import ClinicTruth
from analyses.declared import with_covariates
from inside.data_writers import RDS_MODULE, Variable, spss_names, write_rds, write_sav


@pytest.fixture(scope="module")
def study() -> Study:
    """Three tables: categories, an order, missing values."""
    return with_covariates(simulated_study(3, ClinicTruth(therapists=6, clients=30)))


@pytest.fixture(scope="module")
def folder(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "new"
    written = study.export(folder)
    names = [f"{t}.{f}" for t in ("sessions", "clients", "therapists") for f in ("sav", "rds")]
    assert [p.name for p in written] == [*names, "codebook.csv"]
    return folder


@pytest.mark.parametrize("table", ["sessions", "clients", "therapists"])
def test_spss_has_every_value_with_its_label(folder: Path, study: Study, table: str) -> None:
    want = getattr(study, table)
    found, about = pyreadstat.read_sav(str(folder / f"{table}.sav"), apply_value_formats=True)
    assert list(found.columns) == list(want.columns)
    for name in want.columns:
        if pd.api.types.is_numeric_dtype(want[name]):
            np.testing.assert_array_equal(found[name].to_numpy(float), want[name].to_numpy(float))
        else:
            words = [None if pd.isna(v) or v == "" else str(v) for v in found[name]]
            assert words == [None if pd.isna(v) else str(v) for v in want[name]], name
    assert about.column_names_to_labels["therapist"].startswith("Therapist")
    assert about.file_label.startswith("Simulated")


def test_the_same_data_give_the_same_bytes_at_any_time(folder: Path, study: Study, tmp_path: Path) -> None:
    time.sleep(1.1 - time.time() % 1)  # the header of an SPSS file has seconds
    for path in study.export(tmp_path / "again"):
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name
    _, about = pyreadstat.read_sav(str(folder / "sessions.sav"))
    assert about.creation_time.year == 1980


def test_labels_say_what_a_column_is(folder: Path) -> None:
    _, sessions = pyreadstat.read_sav(str(folder / "sessions.sav"))
    labels = sessions.column_names_to_labels
    assert labels["alliance"] == "WAI-SR (client), 12 to 60, higher is better"
    assert labels["phq9"] == "PHQ-9 (client), 0 to 27, higher is worse"
    assert labels["week"] == "Weeks since the client's first row"
    assert (labels["adherence"], labels["arm"]) == ("adherence", "Treatment arm")
    assert sessions.variable_value_labels == {"arm": {1.0: "CBT", 2.0: "IPT"}}
    assert sessions.original_variable_types["session"] == "F8.0"
    _, clients = pyreadstat.read_sav(str(folder / "clients.sav"))
    assert clients.variable_value_labels["education"] == {1.0: "low", 2.0: "middle", 3.0: "high"}
    assert (clients.variable_measure["education"], clients.variable_measure["arm"]) == ("ordinal", "nominal")
    with (folder / "codebook.csv").open(encoding="utf-8-sig", newline="") as file:
        book = {(r["table"], r["variable"]): r for r in csv.DictReader(file)}
    assert book["clients", "education"]["values"] == "1 = low; 2 = middle; 3 = high"
    assert book["sessions", "alliance"]["label"] == labels["alliance"]


@pytest.mark.skipif(sys.platform == "win32", reason="files have other rights there")
def test_only_the_owner_can_read_the_files(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_r_files_are_those_that_r_writes(tmp_path: Path, root: Path) -> None:
    """`make_rds.R` made the same frame in R: but for the version of R in the head, every byte is the same."""
    words = ("Therapieübersicht", "CBT")
    frame = pd.DataFrame(
        {
            "client": ["007", "NA", None, "ä"],
            "session": [0.0, 1.0, np.nan, 3.0],
            "date": pd.to_datetime(["2024-02-29 00:00", None, "1969-12-31 23:00", "2030-01-01 12:00"]),
            "arm": ["CBT", None, words[0], "CBT"],
            "education": pd.Categorical(
                ["low", "high", None, "high"], ["low", "middle", "high"], ordered=True
            ),
        }
    )
    variables = [
        Variable("client", "Client", "text"),
        Variable("session", "Session number", "number"),
        Variable("date", "Date", "date"),
        Variable("arm", "Treatment arm", "category", words),
        Variable("education", "Schooling", "order", ("low", "middle", "high")),
    ]
    write_rds(tmp_path / "a.rds", frame, variables, "A study")
    ours = gzip.decompress((tmp_path / "a.rds").read_bytes())
    theirs = gzip.decompress((root / "tests" / "reference" / "small" / "labelled.rds").read_bytes())
    assert ours[:6] == theirs[:6]
    assert ours[14:] == theirs[14:]
    write_rds(tmp_path / "b.rds", frame, variables, "A study")
    assert (tmp_path / "a.rds").read_bytes() == (tmp_path / "b.rds").read_bytes()


def test_names_that_spss_does_not_take_are_changed(tmp_path: Path) -> None:
    names = ["Größe (cm)", "größe cm", "with", "1st", "_", "x" * 80, "x" * 70]
    short = spss_names(names)
    assert short == ["Größe_cm", "größe_cm_2", "with_1", "v_1st", "v", "x" * 60, f"{'x' * 60}_2"]
    frame = pd.DataFrame({n: [1.0, 2.0] for n in names})
    write_sav(tmp_path / "a.sav", frame, [Variable(n, n * 9, "number") for n in names], "Ä" * 60)
    found, about = pyreadstat.read_sav(str(tmp_path / "a.sav"))
    assert list(found.columns) == short
    assert about.file_label == "Ä" * 32
    assert about.column_names_to_labels[short[0]] == ("Größe (cm)" * 9)


def test_a_shareable_export_is_refused(study: Study, tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        study.export(tmp_path / "x", audience="shareable")
    assert str(caught.value) == (
        "An export has the rows of single clients, so it is for internal use only. To pass results on, make a "
        "report with --audience shareable; its tables come as .xlsx and .parquet."
    )
    assert not (tmp_path / "x").exists()


def test_a_format_that_is_not_known(study: Study, tmp_path: Path) -> None:
    for formats, sentence in (
        (["xpt"], "There is no format 'xpt' for an export. Choose from: sav, rds."),
        ([], "The export needs a format. Choose from: sav, rds."),
    ):
        with pytest.raises(UsageError) as caught:
            study.export(tmp_path / "x", formats)
        assert str(caught.value) == sentence


def test_without_pyreadstat_r_is_still_there(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyreadstat", None)
    with pytest.raises(UsageError) as caught:
        study.export(tmp_path / "x")
    assert str(caught.value) == (
        "Writing SPSS files needs pyreadstat, which is not installed. Install it with: pip install "
        "'alliance-longitudinal[spss]'. Or choose only rds."
    )
    assert len(study.export(tmp_path / "x", ["rds"])) == 4


def test_the_studys_own_data_are_never_replaced(study: Study, tmp_path: Path) -> None:
    """A study read from SPSS has its own sessions.sav; one from REDCap its own codebook.csv."""
    raw = pd.DataFrame({"client": ["A"], "phq9": [9.0]})
    pyreadstat.write_sav(raw, str(tmp_path / "sessions.sav"))
    (tmp_path / "codebook.csv").write_text("Variable,Label\nphq9,PHQ-9\n")
    (tmp_path / "clients.rds").write_bytes(gzip.compress(b"X\n of another program"))
    (tmp_path / "therapists.rds").mkdir()
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    with pytest.raises(StudyError) as caught:
        study.export(tmp_path)
    assert str(caught.value) == (
        f"The folder {tmp_path} already has sessions.sav, clients.rds, therapists.rds and codebook.csv, which no "
        "export has made. So nothing was written. Name another folder."
    )
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before


def test_an_earlier_export_is_replaced_and_other_files_stay(study: Study, tmp_path: Path) -> None:
    first = study.export(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    before = {p: p.read_bytes() for p in first}
    smaller = with_covariates(simulated_study(4, ClinicTruth(therapists=6, clients=30)))
    assert smaller.export(tmp_path) == first
    assert all(p.read_bytes() != before[p] for p in first if p.name != "codebook.csv")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*(p.name for p in first), "mine.txt"])


@pytest.mark.skipif(sys.platform == "win32", reason="no limit to the size of a file")
@pytest.mark.parametrize("kind", ["sav", "rds"])
def test_a_full_disk_leaves_the_earlier_export_whole(study: Study, tmp_path: Path, kind: str) -> None:
    import resource

    before = {p: p.read_bytes() for p in study.export(tmp_path, [kind])}
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, usual[1]))
    try:
        with pytest.raises(StudyError) as caught:
            study.export(tmp_path, [kind])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        signal.signal(signal.SIGXFSZ, handler)
    assert str(caught.value).startswith(f"The export cannot be written to {tmp_path}: ")
    assert str(caught.value).endswith(". Name another folder.")
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_tables_of_two_exports_never_stand_side_by_side(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {p: p.read_bytes() for p in study.export(tmp_path, ["rds"])}

    def no_room(path: Path, **given: Any) -> None:
        if ".clients" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_rds(path, **given)

    monkeypatch.setattr(RDS_MODULE, "write_rds", no_room)
    with pytest.raises(StudyError, match=r"No space left on device\. Name another folder"):
        simulated_study(4, ClinicTruth(therapists=6, clients=30)).export(tmp_path, ["rds"])
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_words_that_other_programs_choke_on(tmp_path: Path) -> None:
    """Quotes, line breaks, scripts, a NUL, long names, categories that are no text, days of another century."""
    ids = ["q\"u'o\\te\nnew", "Ä" * 300, "a\0b", None]
    frame = pd.DataFrame(
        {
            "id": ids,
            "code": pd.Categorical([1, 2, None, 1]),
            "day": pd.to_datetime(["1899-12-31", "2024-02-29", None, "2024-03-01"]),
            "none": pd.Series([None] * 4, dtype=object),
            "some": pd.array([1, None, 3, 4], dtype="Int64"),
            "yes": pd.array([True, None, False, True], dtype="boolean"),
        }
    )
    kinds = ["text", "category", "date", "text", "number", "number"]
    variables = [
        Variable(n, f'"{n}"\n' + "ü" * 200, k, ("1", "2") if n == "code" else ())
        for n, k in zip(frame, kinds, strict=True)
    ]
    write_sav(tmp_path / "a.sav", frame, variables, 'A "title"')
    found, about = pyreadstat.read_sav(str(tmp_path / "a.sav"), apply_value_formats=True)
    assert found["id"].tolist() == [ids[0], ids[1], "ab", ""]
    assert [None if pd.isna(v) else v for v in found["code"]] == ["1", "2", None, "1"]
    assert [str(v) for v in found["day"]] == ["1899-12-31", "2024-02-29", "nan", "2024-03-01"]
    np.testing.assert_array_equal(found["some"], [1, np.nan, 3, 4])
    np.testing.assert_array_equal(found["yes"], [1, np.nan, 0, 1])
    assert about.column_names_to_labels["id"] == '"id"\n' + "ü" * 125
    write_rds(tmp_path / "a.rds", frame, variables, 'A "title"')
    inside = gzip.decompress((tmp_path / "a.rds").read_bytes())
    assert b"ab" in inside
    assert b"a\0b" not in inside
    levels = struct.pack(">iiiii", 0x30D, 4, 1, 2, -(2**31)) + struct.pack(">i", 1)
    assert levels in inside


def test_names_alike_in_their_first_64_bytes_stay_apart() -> None:
    short = spss_names([f"{'ä' * 40}{k}" for k in range(1200)])
    assert len({name.upper() for name in short}) == 1200
    assert max(len(name.encode()) for name in short) <= 64


def test_the_codebook_runs_no_formula(study: Study, tmp_path: Path) -> None:
    named = replace(
        study,
        measures={
            k: replace(m, instrument=replace(m.instrument, label="=1+2")) for k, m in study.measures.items()
        },
    )
    *_, book = named.export(tmp_path, ["rds"])
    labels = [row["label"] for row in csv.DictReader(book.read_text(encoding="utf-8-sig").splitlines())]
    assert sum(label.startswith("'=1+2") for label in labels) >= 2
    assert not any(label.startswith("=") for label in labels)


def test_a_folder_that_cannot_be_used(study: Study, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StudyError) as caught:
        study.export(tmp_path / "file", ["rds"])
    assert str(caught.value).startswith(f"The export cannot be written to {tmp_path / 'file'}: ")
    assert str(caught.value).endswith("Name another folder.")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "demo", "--format", "rds", "--out", str(tmp_path), "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert [Path(f).name for f in files] == ["sessions.rds", "clients.rds", "therapists.rds", "codebook.csv"]
    assert cli.main(["export", "demo", "--audience", "shareable", "--out", str(tmp_path)]) == 1
    assert "for internal use only" in capsys.readouterr().err
