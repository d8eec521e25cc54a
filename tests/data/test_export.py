"""The scored data for SPSS and R: read back by pyreadstat and, byte for byte, as R writes them."""

import csv
import gzip
import json
import stat
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from alliance_longitudinal import Study, cli
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.errors import StudyError, UsageError
from alliance_longitudinal.simulation import ClinicTruth
from analyses.declared import with_covariates
from inside.data_writers import Variable, spss_names, write_rds, write_sav


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
