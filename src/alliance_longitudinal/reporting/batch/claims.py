"""Claims: two batches that work on the same folder do not make the same report twice.

A claim is a folder, because making a folder is the one step that no file system does twice. It only saves work:
correctness comes from renaming whole reports into place.
"""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from alliance_longitudinal.reporting.record.folder import make_folder

_HEARTBEAT_SECONDS = 2.0
#: A claim that was not renewed for so long belongs to a batch that is gone.
_STALE_SECONDS = 20.0
_POLL_SECONDS = 0.3


@contextmanager
def claimed(folder: Path, key: str, stop: threading.Event) -> Iterator[bool]:
    """Hold the claim to ``key`` for the block; waits while another batch holds it.

    Yields
    ------
    bool
        False if ``stop`` was set while waiting; the block must then do nothing.
    """
    make_folder(folder)
    claim = claim_of(folder, key)
    while not _take(claim):
        if stop.wait(_POLL_SECONDS):
            yield False
            return
    done = threading.Event()
    threading.Thread(target=_keep, args=(claim, done), daemon=True).start()
    try:
        yield True
    finally:
        done.set()
        shutil.rmtree(claim, ignore_errors=True)
        with suppress(OSError):
            folder.rmdir()


def claim_of(folder: Path, key: str) -> Path:
    """The folder that is there as long as ``key`` is claimed."""
    return folder / key[:16]


def _take(claim: Path) -> bool:
    try:
        claim.mkdir()
    except FileNotFoundError:  # another batch has just removed the empty folder of claims
        make_folder(claim.parent)
        return False
    except FileExistsError:
        with suppress(OSError):
            if time.time() - claim.stat().st_mtime > _STALE_SECONDS:
                claim.rmdir()
        return False
    return True


def _keep(claim: Path, done: threading.Event) -> None:
    while not done.wait(_HEARTBEAT_SECONDS):
        with suppress(OSError):
            os.utime(claim)
