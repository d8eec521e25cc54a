"""A report's folder: built out of sight, put in place whole, never over something that is not a report."""

import errno
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from alliance_longitudinal.errors import ReportError
from alliance_longitudinal.reporting.record.hashing import MANIFEST
from alliance_longitudinal.reporting.record.troubles import words_of

_STAGE = ".stage-"
_ASIDE = ".replaced-"
_STALE_SECONDS = 24 * 3600
#: How often a folder that others remove at the same time is made again.
_ATTEMPTS = 100
#: Left behind by file managers and editors; not the user's work.
_LITTER = {".DS_Store", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints"}


def check_destination(out: Path) -> Path:
    """The resolved folder for a report, after making sure that a report may be put there.

    Raises
    ------
    ReportError
        If it is a file, or a folder that is not a report, or a report to which files were added.
    """
    try:
        out = out.expanduser().resolve()
        if out.exists() and not out.is_dir():
            raise ReportError(f"{out} is a file. Name a folder for the report with --out.")
        _restore(out)
        if out.is_dir():
            with suppress(FileNotFoundError):  # another run has just moved it, so it is a report
                _refuse_foreign_files(out)
        make_folder(out.parent)
    except OSError as error:
        raise ReportError(f"The folder {out} cannot be used: {words_of(error)}") from None
    if not os.access(out.parent, os.W_OK):
        raise ReportError(f"The folder {out.parent} cannot be written to. Choose another with --out.")
    return out


def _refuse_foreign_files(out: Path, looks: int = 5) -> None:
    present = own_files(out)
    if not present:
        return
    try:
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        own = {MANIFEST, "private/log.txt", *manifest["outputs"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, FileNotFoundError) and looks > 1:  # another run may have just moved the folder
            _refuse_foreign_files(out, looks - 1)
            return
        raise ReportError(
            f"The folder {out} is not empty and is not a report, so nothing was written. Choose "
            "another with --out."
        ) from None
    added = sorted(present - own)
    if added:
        raise ReportError(
            f"The report in {out} would be replaced, but files were added to it: {', '.join(added[:5])}. "
            "Move them elsewhere, or choose another folder with --out."
        )


def own_files(folder: Path) -> set[str]:
    """Names of the files under ``folder``, with forward slashes, without what file managers leave behind."""
    return {
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.is_file() and not _LITTER & set(p.relative_to(folder).parts)
    }


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A new folder beside ``out`` to build the report in; whatever is left of it is removed at the end."""
    _sweep(out.parent)
    stage = out.parent / f"{_STAGE}{_host()}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        stage.mkdir()
    except OSError as error:
        raise ReportError(f"Nothing can be written in {out.parent}: {words_of(error)}") from None
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def publish_folder(stage: Path, out: Path) -> None:
    """Put ``stage`` in place as ``out``. An earlier report stands until the new one takes its name.

    Windows and POSIX alike refuse to rename over a folder that is not empty, so the old one steps aside first;
    if the machine stops between the two renames, the next run puts it back (:func:`check_destination`).

    Raises
    ------
    ReportError
        If another run put its report there at the same moment; that one stays.
    """
    for path in stage.rglob("*"):
        _sync(path)
    _sync(stage)
    aside = _aside(out)
    try:
        if out.exists():
            shutil.rmtree(aside, ignore_errors=True)
            with _others_may_be_faster():
                out.rename(aside)
        stage.rename(out)
    except OSError as error:
        _restore(out)
        raise ReportError(f"The report could not be put in place as {out}: {words_of(error)}") from None
    _sync(out.parent)
    shutil.rmtree(aside, ignore_errors=True)


def failed_folder(out: Path) -> Path:
    """Where a failed attempt to renew the good report in ``out`` is told."""
    return out.parent / f"{out.name}.failed"


def forget_failure(out: Path) -> None:
    """Remove the news of an earlier failed attempt, now that ``out`` is good."""
    folder = failed_folder(out)
    if (folder / MANIFEST).is_file():
        shutil.rmtree(folder, ignore_errors=True)


def _restore(out: Path) -> None:
    aside = _aside(out)
    if aside.is_dir() and not out.exists():
        with _others_may_be_faster():
            aside.rename(out)


@contextmanager
def _others_may_be_faster() -> Iterator[None]:
    """Nothing is wrong if another run has just moved the folder, or has put its own in the new place."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY):
            raise


def make_folder(folder: Path) -> None:
    """Make ``folder`` and those above it, also while other processes make and remove the same ones.

    ``Path.mkdir(exist_ok=True)`` fails if the folder that it met is gone before it looks again.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    for _ in range(_ATTEMPTS):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            if folder.exists():
                raise
        except FileNotFoundError:
            continue
        else:
            return
    folder.mkdir(parents=True, exist_ok=True)


def _aside(out: Path) -> Path:
    return out.parent / f"{_ASIDE}{out.name}"


def _sweep(folder: Path) -> None:
    """Remove stages whose maker is gone: dead on this machine, or a day old."""
    for stage in folder.glob(f"{_STAGE}*"):
        host, _, rest = stage.name.removeprefix(_STAGE).rpartition("-")[0].rpartition("-")
        ours = host == _host() and rest.isdigit()
        with suppress(OSError):
            # The time of day decides only about other machines: it may jump while a report is made here.
            if (
                not psutil.pid_exists(int(rest))
                if ours
                else time.time() - stage.stat().st_mtime > _STALE_SECONDS
            ):
                shutil.rmtree(stage, ignore_errors=True)


def _host() -> str:
    import platform

    return "".join(c if c.isalnum() else "_" for c in platform.node())[:40] or "host"


def _sync(path: Path) -> None:
    """Ask the disk to hold ``path``; folders cannot be synced on Windows, and some network disks refuse."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
