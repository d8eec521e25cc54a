"""``alliance open``: a report's state as a copy that gives the same numbers; the report itself stays as it is."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from alliance_longitudinal import cli
from alliance_longitudinal.errors import ReportError, UsageError
from alliance_longitudinal.reporting import Report, read_manifest, reopen
from inside.reporting_record import altered_files, data_hash
from reporting import tiny


@pytest.fixture
def copy(good: Report, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good.folder, tmp_path / "copy"))


def test_running_the_copy_gives_the_numbers_of_the_report(
    good: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = reopen(good.folder, tmp_path / "work")
    assert opened.notes == ()
    assert opened.notebook == tmp_path / "work" / "tiny.ipynb"
    notebook = nbformat.read(opened.notebook, as_version=4)
    assert "The state of the report `good`" in notebook.cells[0].source
    assert any(cell.get("outputs") for cell in notebook.cells)  # as the report left them
    stage = tmp_path / "stage"
    stage.mkdir()
    monkeypatch.setenv("ALLIANCE_REPORT_STAGE", str(stage))
    NotebookClient(notebook, timeout=60).execute()
    assert (stage / "results.json").read_bytes() == (good.folder / "results.json").read_bytes()
    assert altered_files(good.folder, read_manifest(good.folder)) == []


def test_work_in_a_copy_is_never_written_over(copy: Path) -> None:
    opened = reopen(copy)
    assert opened.notebook == copy.with_name("copy.open") / "tiny.ipynb"
    assert not opened.kept
    opened.notebook.write_text("mine", encoding="utf-8")
    again = reopen(copy)
    assert again.kept
    assert opened.notebook.read_text(encoding="utf-8") == "mine"


def test_what_has_changed_since_is_said(copy: Path, tmp_path: Path) -> None:
    study = tiny.write_study(tmp_path / "data", (1.0, 2.0, 9.0))
    manifest = read_manifest(copy) | {"study": str(study), "package_sha256": "0" * 64}
    manifest["versions"] = manifest["versions"] | {"numpy": "0.1"}
    manifest["manifest_sha256"] = data_hash(manifest)
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    notes = reopen(copy).notes
    assert (
        notes[0]
        == "The study file or its data have changed since the report was made, so the numbers may differ."
    )
    assert notes[1] == "The report was made with another version of this package."
    assert notes[2].startswith("Packages have changed: numpy 0.1 (now ")
    study.unlink()
    assert reopen(copy).notes[0].startswith("The study cannot be read any more: ")


def test_a_report_for_outsiders_needs_its_study(copy: Path, tmp_path: Path) -> None:
    manifest = read_manifest(copy) | {"study": "STUDY.yaml"}
    manifest["parameters"] = {**manifest["parameters"], "audience": "shareable"}
    manifest["manifest_sha256"] = data_hash(manifest)
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(UsageError, match=r"alliance open DIR --study STUDY\.yaml"):
        reopen(copy)
    study = tiny.write_study(tmp_path / "data")
    opened = reopen(copy, study=study)
    cells = json.loads(opened.notebook.read_text(encoding="utf-8"))["cells"]
    injected = next(c for c in cells if "injected-parameters" in c["metadata"].get("tags", ()))
    assert f"study = {str(study)!r}" in injected["source"]


def test_what_has_no_state_is_refused(copy: Path, troubles: dict[str, Report], tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="failed when it was made, so there is no state to open"):
        reopen(troubles["bug"].folder)
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(ReportError, match="cannot be written"):
        reopen(copy, blocked / "below")
    (copy / "report.ipynb").write_text("{}", encoding="utf-8")
    with pytest.raises(ReportError, match=r"report\.ipynb was changed or removed"):
        reopen(copy)


def test_the_command_starts_jupyterlab_with_the_copy(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        started.append(command)
        return subprocess.CompletedProcess(command, 0)

    notebook = copy.with_name("copy.open") / "tiny.ipynb"
    monkeypatch.setattr("subprocess.run", run)
    assert cli.main(["open", str(copy)]) == 0
    assert started == [[sys.executable, "-m", "jupyterlab", str(notebook)]]
    assert cli.main(["open", str(copy), "--no-lab"]) == 0
    assert "was there already and was left as it is" in capsys.readouterr().err
    assert cli.main(["open", str(copy), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notebook"] == str(notebook)
    assert len(started) == 1
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert cli.main(["open", str(copy)]) == 2
    assert "JupyterLab is not installed. Install it with" in capsys.readouterr().err
