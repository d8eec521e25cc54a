"""One report: complete, or failed in each way that was thought of; whole folders only."""

import json
import os
import shutil
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from alliance_longitudinal.errors import ReportError, StudyError, UsageError
from alliance_longitudinal.reporting import Report, read_manifest
from inside.reporting_record import altered_files, file_hash
from reporting import tiny
from reporting.conftest import CELL_SECONDS, TROUBLES, Lab

HOSTILE = "\"'; import os; os.abort() #\n\\ {0} {study.__class__} $x_$ ../../etc \x00 </script> \u202e {{ 7*7 }} =cmd()"


def test_a_finished_report_is_the_folder_of_the_contract(good: Report) -> None:
    files = {p.relative_to(good.folder).as_posix() for p in good.folder.rglob("*") if p.is_file()}
    assert files == {
        "report.html",
        "report.ipynb",
        "results.json",
        "manifest.json",
        "tables/effects.csv",
        *(f"figures/{name}.svg" for name in ("trajectories", "forest", "specification")),
    }


def test_the_manifest_says_what_ran_on_what(good: Report, lab: Lab) -> None:
    manifest = read_manifest(good.folder)
    assert manifest["status"] == "complete"
    assert manifest["error"] is None
    assert manifest["parameters"] == tiny.TinyParams().to_dict()
    assert manifest["inputs"] == {
        "study.yaml": file_hash(lab.study),
        "sessions.csv": file_hash(lab.study.parent / "sessions.csv"),
    }
    assert manifest["notebook"]["sha256"] == file_hash(lab.folder / "tiny.ipynb")
    assert manifest["seed"] == 20240501
    assert manifest["result_status"]["code"] == "underpowered"
    assert {"numpy", "papermill", "alliance-longitudinal"} <= manifest["versions"].keys()
    assert set(manifest["environment"]["threads"].values()) == {"1"}
    assert (
        f"--notebook tiny -p label=plain -p window=1,5 -p scale=1.0 --out {good.folder}"
        in manifest["command"]
    )
    assert altered_files(good.folder, manifest) == []


def test_the_notebook_got_the_parameters_and_ran(good: Report, lab: Lab) -> None:
    results = json.loads((good.folder / "results.json").read_text(encoding="utf-8"))
    assert results["estimates"][0]["estimate"] == pytest.approx(7 / 3)
    cells = json.loads((good.folder / "report.ipynb").read_text(encoding="utf-8"))["cells"]
    injected = next(c for c in cells if "injected-parameters" in c["metadata"].get("tags", ()))
    assert f'study = "{lab.study}"\n' in injected["source"]
    assert all(c["execution_count"] for c in cells if c["cell_type"] == "code")


def test_hostile_values_arrive_as_values(lab: Lab, tmp_path: Path) -> None:
    report = lab.report(tmp_path / "out", parameters={"label": HOSTILE})
    assert report.ok, report.error
    results = json.loads((report.folder / "results.json").read_text(encoding="utf-8"))
    assert results["parameters"]["label"] == HOSTILE
    page = report.page.read_text(encoding="utf-8")
    assert "{{ 7*7 }} =cmd()" in page
    assert "<script" not in page


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (
            "killed",
            "ended in cell 3 without an error message. The machine has probably run out of",
        ),
        ("slow", f"Cell 3 of the notebook took longer than {CELL_SECONDS} seconds and was stopped."),
        ("own error", "Three therapists are too few for this model. Ask for more data."),
        ("data error", "sessions.csv, row 4: canary-4711 is not a number."),
        (
            "bug",
            "Cell 3 of the notebook stopped with an unexpected KeyError. The details are in the private log.",
        ),
        ("silent", "published no results. Its last code cell must be `al.publish(result)`."),
        ("odd results", "not in the agreed form:\n  status/code: breaks the rule 'enum'"),
    ],
)
def test_each_trouble_has_its_sentence(troubles: dict[str, Report], trouble: str, sentence: str) -> None:
    assert not troubles[trouble].ok
    assert sentence in troubles[trouble].error


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_failed_run_never_looks_finished(troubles: dict[str, Report], trouble: str) -> None:
    folder = troubles[trouble].folder
    assert {p.name for p in folder.iterdir()} == {"manifest.json", "private"}
    manifest = read_manifest(folder)
    assert manifest["status"] == "failed"
    assert manifest["error"]["message"]
    # Values and tracebacks are for the owner alone.
    assert "canary" not in (folder / "manifest.json").read_text(encoding="utf-8")
    assert "Traceback" not in (folder / "manifest.json").read_text(encoding="utf-8")
    if os.name == "posix":
        assert stat.S_IMODE((folder / "private" / "log.txt").stat().st_mode) == 0o600
        assert stat.S_IMODE((folder / "private").stat().st_mode) == 0o700


def test_the_private_log_has_the_traceback(troubles: dict[str, Report]) -> None:
    log = (troubles["bug"].folder / "private" / "log.txt").read_text(encoding="utf-8")
    assert "KeyError" in log
    assert "canary-4711" in log


def test_nothing_is_left_beside_the_reports(troubles: dict[str, Report], good: Report) -> None:
    for folder in (troubles["bug"].folder.parent, good.folder.parent):
        assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []


def test_the_deadline_of_the_whole_report(lab: Lab, tmp_path: Path) -> None:
    began = time.monotonic()
    report = lab.report(tmp_path / "out", parameters={"trouble": "slow"}, deadline=4)
    assert time.monotonic() - began < 8
    assert report.error.startswith("The report was not complete after 4 seconds and was stopped.")


def test_a_failed_renewal_keeps_the_good_report(lab: Lab, good: Report, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(good.folder, out)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    failed = lab.report(out, parameters={"trouble": "own error"})
    assert failed.folder == tmp_path / "out.failed"
    assert read_manifest(failed.folder)["status"] == "failed"
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    renewed = lab.report(out)
    assert renewed.ok, renewed.error
    assert not failed.folder.exists()
    # On one machine the numbers come out to the last bit.
    assert (out / "results.json").read_bytes() == before[out / "results.json"]


def test_a_folder_that_is_not_a_report_is_left_alone(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(ReportError, match="is not empty and is not a report, so nothing was written"):
        lab.report(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.docx"]


def test_inputs_that_change_meanwhile_are_noticed(lab: Lab, tmp_path: Path) -> None:
    study = tiny.write_study(tmp_path / "data")

    def touch(event: dict[str, Any]) -> None:
        if event["event"] == "rendering":
            tiny.write_study(tmp_path / "data", (9.0, 9.0))

    report = lab.report(tmp_path / "out", study=study, on_event=touch)
    assert report.error.startswith("A data file or the study file was changed while the report was made.")


@pytest.mark.parametrize(
    ("parameters", "error", "sentence"),
    [
        ({"windw": "1,5"}, UsageError, "There is no parameter 'windw'. Did you mean 'window'?"),
        ({"import os; x": "1"}, UsageError, "There is no parameter 'import os; x'"),
    ],
)
def test_wrong_parameters_stop_before_anything_runs(
    lab: Lab, tmp_path: Path, parameters: dict[str, str], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence.replace("?", r"\?")):
        lab.report(tmp_path / "out", parameters=parameters)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_study_file(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="does not exist"):
        lab.report(tmp_path / "out", study=tmp_path / "no.yaml")
