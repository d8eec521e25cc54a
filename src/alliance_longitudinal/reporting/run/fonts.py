"""Matplotlib's list of the machine's fonts, which takes a second to make, kept between reports.

Each report has a matplotlib folder of its own, so that nothing of the user's settings or of another report's run
changes a figure. Only the list of fonts is taken from where matplotlib keeps it, and left there if it was new.
"""

import json
import os
import secrets
import shutil
import sys
from contextlib import suppress
from pathlib import Path

_PATTERN = "fontlist-v*.json"


def lend_fonts(folder: Path) -> None:
    """Copy the list of fonts, if there is one, into a report's own matplotlib ``folder``."""
    # No home folder, or none that can be read: matplotlib makes a new list.
    with suppress(OSError, RuntimeError):
        for known in _kept_in().glob(_PATTERN):
            shutil.copyfile(known, folder / known.name)


def keep_fonts(folder: Path) -> None:
    """Put a list of fonts that a report had to make where the next one finds it."""
    with suppress(OSError, RuntimeError, ValueError):
        kept = _kept_in()
        for made in folder.glob(_PATTERN):
            if not (kept / made.name).exists():
                # A process that was killed may have left half of it.
                json.loads(made.read_text(encoding="utf-8"))
                kept.mkdir(parents=True, exist_ok=True)
                draft = kept / f".{made.name}-{secrets.token_hex(4)}"
                shutil.copyfile(made, draft)
                draft.replace(kept / made.name)


def _kept_in() -> Path:
    """Matplotlib's own folder for it, found as matplotlib finds it."""
    chosen = os.environ.get("MPLCONFIGDIR")
    if chosen:
        return Path(chosen)
    if sys.platform.startswith(("linux", "freebsd")):
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "matplotlib"
    return Path.home() / ".matplotlib"
