"""What the operating system refuses: a sentence with a way out, a failed row, never a traceback, never a lost batch."""

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from alliance_longitudinal.errors import ReportError
from alliance_longitudinal.reporting import Batch, run_batch
from inside.reporting_batch import claimed, cluster
from inside.reporting_batch import run as batch_run
from inside.reporting_record import Outcome, make_folder, trouble, trouble_in, words_of
from inside.reporting_run import _explain
from inside.reporting_run import report as report_module
from reporting import tiny
from reporting.conftest import Lab

REFUSALS = [
    (errno.ENOSPC, "The disk is full. Free some space, then repeat the command."),
    (errno.EMFILE, "Too many files are open at a time on this machine."),
    (errno.ENAMETOOLONG, "The path is too long for this file system."),
    (errno.EROFS, "The disk is read-only. Choose another folder."),
    (errno.EACCES, "You have no permission to write there."),
    (errno.ENOMEM, "The machine has too little free memory."),
    (errno.EIO, "The operating system refused: Input/output error."),
]


def _grid(folder: Path, values: str = "[one, two, three]") -> Path:
    tiny.write_study(folder / "a")
    path = folder / "grid.yaml"
    path.write_text(
        f"study: a/study.yaml\nnotebook: tiny\nparameters: {{label: {values}}}\n", encoding="utf-8"
    )
    return path


def _batch(lab: Lab, folder: Path, **options: Any) -> Batch:
    return run_batch(_grid(folder), folder / "out", registry=tiny.REGISTRY, notebooks=lab.folder, **options)


@pytest.mark.parametrize(("number", "sentence"), REFUSALS)
def test_each_refusal_has_its_sentence(number: int, sentence: str) -> None:
    assert words_of(OSError(number, os.strerror(number), "/home/somebody/secret")).startswith(sentence)
    assert "secret" not in words_of(OSError(number, os.strerror(number), "/home/somebody/secret"))


def test_the_number_is_read_from_an_errors_text() -> None:
    assert trouble_in("OSError: [Errno 28] No space left on device: 'x'") == trouble(errno.ENOSPC)
    assert trouble_in("[Errno 5] Input/output error") is None
    assert trouble_in("28 clients") is None


def test_a_cell_that_meets_a_full_disk_says_so() -> None:
    outcome = _explain("OSError", "[Errno 28] No space left on device: 'x'", 7)
    assert outcome.message == (
        "Cell 7 of the notebook stopped. The disk is full. Free some space, then repeat the command."
    )
    assert "unexpected OSError" in _explain("OSError", "[Errno 5] Input/output error", 7).message


@pytest.mark.parametrize(("number", "sentence"), REFUSALS)
def test_a_report_that_is_refused_says_why(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    def refuse(*_: Any, **__: Any) -> Outcome:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(report_module, "supervise", refuse)
    with pytest.raises(ReportError) as caught:
        lab.report(tmp_path / "out")
    assert str(caught.value).startswith(f"The report could not be made. {sentence}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", ["x" * 300, "/".join(["deep" * 10] * 120)], ids=["name", "path"])
def test_a_path_too_long_for_the_disk(lab: Lab, tmp_path: Path, out: str) -> None:
    with pytest.raises(
        ReportError, match=r"The path is too long for this file system\. Choose a shorter name"
    ):
        lab.report(tmp_path / out)
    with pytest.raises(ReportError, match="cannot be made: The path is too long"):
        run_batch(_grid(tmp_path), tmp_path / out, registry=tiny.REGISTRY, notebooks=lab.folder)


RAISED: list[tuple[str, Exception, str]] = [
    ("full", OSError(errno.ENOSPC, "No space left on device"), "The disk is full."),
    ("taken", FileExistsError(errno.EEXIST, "File exists"), "A file has the name that a folder needs."),
    ("thread", RuntimeError("can't start new thread"), "Unexpected RuntimeError in the batch itself."),
    ("canary", ValueError("canary-4711"), "Unexpected ValueError in the batch itself."),
    ("refused", ReportError("It was refused."), "It was refused."),
]


def test_whatever_one_report_raises_is_its_row(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, errors = cluster.run_request, {label: error for label, error, _ in RAISED}

    def sometimes(request: Any, *args: Any, **options: Any) -> Any:
        label = request.provenance["parameters"]["label"]
        if label in errors:
            raise errors[label]
        return real(request, *args, **options)

    monkeypatch.setattr(cluster, "run_request", sometimes)
    grid = _grid(tmp_path, f"[one, {', '.join(errors)}, two]")
    batch = run_batch(grid, tmp_path / "out", jobs=2, registry=tiny.REGISTRY, notebooks=lab.folder)
    assert [row["status"] for row in batch.rows] == ["complete", *["failed"] * len(RAISED), "complete"]
    for row, (_, _, sentence) in zip(batch.rows[1:], RAISED, strict=False):
        assert row["error"].startswith(sentence)
    assert json.loads((batch.folder / "batch.json").read_text(encoding="utf-8"))["reports"] == list(
        batch.rows
    )
    assert "canary-4711" not in batch.page.read_text(encoding="utf-8")


def test_an_index_that_cannot_be_written_ends_no_report(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(batch_run, "write_index", full)
    events: list[Any] = []
    with pytest.raises(ReportError, match=r"The index in .* cannot be written: The disk is full"):
        _batch(lab, tmp_path, on_event=events.append)
    assert [event["status"] for event in events] == ["complete"] * 3


def test_an_error_of_whoever_listens_is_told_at_the_end(lab: Lab, tmp_path: Path) -> None:
    def listen(event: Any) -> None:
        raise KeyError(event["label"])

    with pytest.raises(KeyError, match="label one"):
        run_batch(
            _grid(tmp_path, "[one, two]"),
            tmp_path / "out",
            on_event=listen,
            registry=tiny.REGISTRY,
            notebooks=lab.folder,
        )
    rows = json.loads((tmp_path / "out" / "batch.json").read_text(encoding="utf-8"))["reports"]
    assert [row["status"] for row in rows] == ["complete"] * 2


def test_a_folder_that_others_remove_is_made_all_the_same(tmp_path: Path) -> None:
    """Several threads make and remove one shared folder; without the second look this fails within seconds."""
    shared, stop, errors = tmp_path / "a" / "claims", threading.Event(), []

    def work(key: str) -> None:
        try:
            for _ in range(400):
                with claimed(shared, key, stop) as mine:
                    assert mine
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"key{k}",)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert not shared.exists()


def test_a_folder_that_vanished_between_two_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, left = Path.mkdir, [FileExistsError(17, "File exists"), FileNotFoundError(2, "No such file")]

    def racing(self: Path, *args: Any, **options: Any) -> None:
        if left:
            raise left.pop(0)
        real(self, *args, **options)

    monkeypatch.setattr(Path, "mkdir", racing)
    make_folder(tmp_path / "new")
    assert (tmp_path / "new").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")
