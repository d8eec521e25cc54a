"""Folders: put in place whole, never over somebody's files, cleaned up after a crash."""

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from alliance_longitudinal.errors import ReportError
from alliance_longitudinal.reporting import Report
from inside.reporting_batch import claimed
from inside.reporting_record import check_destination, publish_folder, staged
from inside.reporting_run import sweep, temporary_folder


def _folder(path: Path, word: str) -> Path:
    path.mkdir()
    (path / "manifest.json").write_text('{"outputs": {"a.txt": ""}}')
    (path / "a.txt").write_text(word)
    return path


def test_a_new_folder_replaces_the_old_one(tmp_path: Path) -> None:
    old, new = _folder(tmp_path / "out", "old"), _folder(tmp_path / "stage", "new")
    publish_folder(new, old)
    assert (old / "a.txt").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_report_put_there_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, stage = tmp_path / "out", _folder(tmp_path / "stage", "mine")
    exists = Path.exists

    def other_run_is_faster(self: Path, **options: bool) -> bool:
        before = exists(self, **options)
        if self == out and not before:
            _folder(out, "theirs")
        return before

    monkeypatch.setattr(Path, "exists", other_run_is_faster)
    with pytest.raises(ReportError, match=r"The report could not be put in place as .*out: "):
        publish_folder(stage, out)
    assert (out / "a.txt").read_text() == "theirs"


def test_the_old_report_comes_back_if_the_new_one_cannot_be_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, stage = _folder(tmp_path / "out", "old"), _folder(tmp_path / "stage", "new")
    rename = Path.rename

    def no_room(self: Path, target: Path) -> Path:
        if self == stage:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", no_room)
    with pytest.raises(ReportError, match=r"The report could not be put in place as .*out: "):
        publish_folder(stage, out)
    assert (out / "a.txt").read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "stage"]


def test_a_report_that_stepped_aside_comes_back_after_a_crash(tmp_path: Path) -> None:
    _folder(tmp_path / ".replaced-out", "old")
    check_destination(tmp_path / "out")
    assert (tmp_path / "out" / "a.txt").read_text() == "old"


def test_added_files_stop_the_replacement(tmp_path: Path) -> None:
    out = _folder(tmp_path / "out", "old")
    (out / ".ipynb_checkpoints").mkdir()
    (out / ".ipynb_checkpoints" / "x.ipynb").write_text("")
    assert check_destination(out) == out
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ReportError, match=r"files were added to it: notes\.txt\. Move them elsewhere"):
        check_destination(out)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(ReportError, match=r"is a file\. Name a folder for the report with --out"):
        check_destination(tmp_path / "out")


def test_a_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot be used: A file has the name that a folder needs"):
        check_destination(tmp_path / "file" / "out")


def test_stages_of_the_dead_are_swept_and_others_stay(tmp_path: Path) -> None:
    with staged(tmp_path / "out") as own:
        host = own.name.removeprefix(".stage-").split("-")[0]
        dead = _folder(tmp_path / f".stage-{host}-999999999-aa", "")
        elsewhere = _folder(tmp_path / ".stage-elsewhere-999999999-bb", "")
        ancient = _folder(tmp_path / ".stage-elsewhere-1-cc", "")
        os.utime(ancient, (0, 0))
        with staged(tmp_path / "out") as second:
            assert own.is_dir()
            assert second.is_dir()
            assert not dead.exists()
            assert not ancient.exists()
            assert elsewhere.is_dir()
    assert [p.name for p in tmp_path.iterdir()] == [elsewhere.name]


def test_three_that_put_one_report_in_place_at_once(tmp_path: Path) -> None:
    """Case: one run moves the old report aside while another does; only 'could not be put in place' may come of it."""
    import threading

    out, errors = tmp_path / "out", []

    def work(who: int) -> None:
        for i in range(30):
            try:
                with staged(check_destination(out)) as stage:
                    (stage / "a.txt").write_text(f"{who} {i}")
                    (stage / "manifest.json").write_text('{"outputs": {"a.txt": ""}}')
                    publish_folder(stage, out)
            except ReportError as error:
                if "could not be put in place" not in str(error):
                    errors.append(error)
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=work, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(p.name for p in out.iterdir()) == ["a.txt", "manifest.json"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY])
def test_another_run_has_just_moved_the_old_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    old, new = _folder(tmp_path / "out", "old"), _folder(tmp_path / "stage", "new")
    rename = Path.rename

    def slower(self: Path, target: Path) -> Path:
        if self == old:
            raise OSError(number, "another was faster")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", slower)
    with pytest.raises(ReportError, match="could not be put in place"):
        publish_folder(new, old)
    assert (old / "a.txt").read_text() == "old"


def test_a_claim_is_waited_for_and_released(tmp_path: Path) -> None:
    order: list[str] = []
    stop = threading.Event()

    def second() -> None:
        with claimed(tmp_path / "claims", "k" * 64, stop) as mine:
            order.append(f"second {mine}")

    with claimed(tmp_path / "claims", "k" * 64, stop) as mine:
        order.append(f"first {mine}")
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.5)
        order.append("first ends")
    thread.join(timeout=5)
    assert order == ["first True", "first ends", "second True"]
    assert list(tmp_path.iterdir()) == []


def test_waiting_for_a_claim_can_be_stopped_and_stale_claims_fall(tmp_path: Path) -> None:
    stop = threading.Event()
    claim = tmp_path / "claims" / ("k" * 16)
    claim.mkdir(parents=True)
    stop.set()
    with claimed(tmp_path / "claims", "k" * 64, stop) as mine:
        assert not mine
    with claimed(tmp_path / "claims", "k" * 64, threading.Event(), stale=0.4) as mine:
        assert mine


@pytest.mark.skipif(os.name != "posix", reason="a process that ends by fork")
def test_the_claim_of_a_process_that_is_gone_falls_at_once(tmp_path: Path) -> None:
    code = (
        "import os, threading, sys; from pathlib import Path\n"
        "from inside.reporting_batch import claimed\n"
        "with claimed(Path(sys.argv[1]), 'k' * 64, threading.Event()): os._exit(0)"
    )
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "claims")],
        env=os.environ | {"PYTHONPATH": paths},
        check=True,
    )
    assert (tmp_path / "claims" / ("k" * 16)).is_dir()
    began = time.monotonic()
    with claimed(tmp_path / "claims", "k" * 64, threading.Event()) as mine:
        assert mine
    assert time.monotonic() - began < 3
    assert list(tmp_path.iterdir()) == []


def test_temporary_files_of_a_killed_run_go_and_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case: a report ended in the moment in which its batch was killed, and nobody removed its temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    own, dead, other = temporary_folder(), temporary_folder(), temporary_folder()
    words = (own / "owner").read_text(encoding="utf-8").split()
    (dead / "owner").write_text(f"{words[0]} 999999999 {words[2]}", encoding="utf-8")
    (other / "owner").write_text(f"elsewhere 999999999 {words[2]}", encoding="utf-8")
    (tmp_path / "al-else").mkdir()
    sweep()
    assert {p.name for p in tmp_path.iterdir()} == {own.name, other.name, "al-else"}


def test_a_claim_that_was_taken_over_is_left_to_its_new_holder(tmp_path: Path) -> None:
    """Case: a batch that had slept ended, and took away the claim of the batch that had gone on for it; then a third one began as well."""
    claim = tmp_path / "claims" / ("k" * 16)
    with claimed(tmp_path / "claims", "k" * 64, threading.Event()) as mine:
        assert mine
        assert (claim / "owner").read_text(encoding="utf-8")
        claim.rename(tmp_path / "taken")
        claim.mkdir()
        (claim / "owner").write_text("another-machine 12 34", encoding="utf-8")
    assert (claim / "owner").read_text(encoding="utf-8") == "another-machine 12 34"


@pytest.mark.parametrize("jump", [-86400, 3600, 10 * 86400])
def test_a_clock_that_jumps_takes_no_claim_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    """Case: the age of a claim was taken from the time of day, so a batch lost its claim, or waited for a day."""
    now, stop, got = time.time, threading.Event(), []
    with claimed(tmp_path / "claims", "k" * 64, threading.Event()) as mine, staged(tmp_path / "out") as stage:
        monkeypatch.setattr(time, "time", lambda: now() + jump)
        claim = tmp_path / "claims" / ("k" * 16)

        def other() -> None:
            with claimed(tmp_path / "claims", "k" * 64, stop, stale=1.0) as its:
                got.append(its)

        thread = threading.Thread(target=other)
        thread.start()
        for _ in range(6):  # renewed, with times as the jumping clock gives them
            time.sleep(0.3)
            os.utime(claim, (now() + jump, now() + jump + _ * 1e-3))
        with staged(tmp_path / "out"):
            assert stage.is_dir()
        stop.set()
        thread.join(timeout=5)
        assert (mine, got) == (True, [False])
        assert claim.is_dir()


def test_a_finished_report_may_be_renewed(good: Report) -> None:
    assert check_destination(good.folder) == good.folder
