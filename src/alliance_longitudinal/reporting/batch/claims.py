"""Claims: two batches that work on the same folder do not make the same report twice.

A claim is a folder, because making a folder is the one step that no file system does twice. It only saves work:
correctness comes from renaming whole reports into place. Who holds a claim renews it; whether that stopped is measured with a
clock that nobody can set, because those of two machines differ and the time of day jumps.
"""

import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from alliance_longitudinal.reporting.record.folder import make_folder
from alliance_longitudinal.reporting.run.owner import OWNER, is_gone, this_process

_HEARTBEAT_SECONDS = 2.0
#: A claim that was not renewed while somebody watched it for so long belongs to a batch that is gone.
_STALE_SECONDS = 20.0
_POLL_SECONDS = 0.3


@contextmanager
def claimed(
    folder: Path, key: str, stop: threading.Event, *, stale: float = _STALE_SECONDS
) -> Iterator[bool]:
    """Hold the claim to ``key`` for the block; waits while another batch holds it.

    Parameters
    ----------
    folder : Path
        Where the claims of the batch are.
    key : str
        What is claimed.
    stop : Event
        Ends the waiting.
    stale : float
        Seconds after which a claim that nobody renews is taken over; at once if its process is of this machine and gone.

    Yields
    ------
    bool
        False if ``stop`` was set while waiting; the block must then do nothing.
    """
    make_folder(folder)
    claim = claim_of(folder, key)
    watch = _Watch(claim, stale)
    while not _take(claim, watch):
        if stop.wait(_POLL_SECONDS):
            yield False
            return
    done = threading.Event()
    threading.Thread(target=_keep, args=(claim, done), daemon=True).start()
    try:
        yield True
    finally:
        done.set()
        if _is_own(claim):
            shutil.rmtree(claim, ignore_errors=True)
        with suppress(OSError):
            folder.rmdir()


def claim_of(folder: Path, key: str) -> Path:
    """The folder that is there as long as ``key`` is claimed."""
    return folder / key[:16]


def _take(claim: Path, watch: "_Watch") -> bool:
    try:
        claim.mkdir()
    except FileNotFoundError:  # another batch has just removed the empty folder of claims
        make_folder(claim.parent)
        return False
    except FileExistsError:
        if watch.is_left():
            _remove(claim)
        return False
    with suppress(OSError):  # without it the claim counts as one of another machine
        (claim / OWNER).write_text(this_process(), encoding="utf-8")
    return True


def _is_own(claim: Path) -> bool:
    """Whether nobody took the claim over, as happens to a batch that was held up, such as on a laptop that slept."""
    try:
        return (claim / OWNER).read_text(encoding="utf-8") == this_process()
    except FileNotFoundError:
        return True  # this process could not leave its name
    except OSError:
        return False


def _remove(claim: Path) -> None:
    """Take the claim away in one step, so that of two batches that wait only one does."""
    aside = claim.with_name(f"{claim.name}-{secrets.token_hex(4)}")
    with suppress(OSError):
        claim.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


class _Watch:
    """Watches a claim of another batch until it is plain that nobody renews it."""

    def __init__(self, claim: Path, stale: float) -> None:
        self._claim = claim
        self._stale = stale
        self._seen: tuple[int, int] | None = None
        self._since = 0.0

    def is_left(self) -> bool:
        """Whether who held the claim is gone."""
        try:
            state = self._claim.stat()
            owner = self._read_owner()
        except OSError:
            return False
        seen = (state.st_ino, state.st_mtime_ns)
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        return is_gone(owner) or time.monotonic() - self._since > self._stale

    def _read_owner(self) -> str:
        with suppress(FileNotFoundError):
            return (self._claim / OWNER).read_text(encoding="utf-8")
        return ""


def _keep(claim: Path, done: threading.Event) -> None:
    while not done.wait(_HEARTBEAT_SECONDS):
        with suppress(OSError):
            if _is_own(claim):
                os.utime(claim)
