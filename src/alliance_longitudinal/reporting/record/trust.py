"""Notebooks from somebody else: a notebook is code, so one that plainly came from elsewhere runs only when that is wanted."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from alliance_longitudinal.errors import UsageError

IS_CODE = (
    "A notebook is code that runs with your rights: it can read, change and send everything that you can."
)
#: What browsers and mail programs write beside a file that they save.
_DOWNLOADED_ON_LINUX = ("user.xdg.origin.url", "user.xdg.referrer.url")


def refuse_foreign(notebook: Path, *others: Path) -> None:
    """Refuse a notebook that is another user's or was downloaded, or whose report (``others``) was.

    Raises
    ------
    UsageError
        With what gave it away, and the option that runs it all the same.
    """
    for path in (notebook, *others):
        origin = came_from(path)
        if origin:
            raise UsageError(
                f"{path.name} {origin}. {IS_CODE} Read {notebook.name} first; then run it with --trust-notebook."
            )


def came_from(path: Path) -> str:
    """How a file came here if plainly from somebody else, as the end of a sentence; empty if nothing says so."""
    with suppress(OSError):
        if hasattr(os, "geteuid") and path.stat().st_uid not in (0, os.geteuid()):
            return "belongs to another user of this machine"
        if _is_marked(path):
            return "was downloaded"
    return ""


def _is_marked(path: Path) -> bool:
    if sys.platform == "win32":
        with suppress(OSError):
            return Path(f"{path}:Zone.Identifier").read_bytes() != b""
        return False
    if sys.platform == "darwin":
        command = ["/usr/bin/xattr", "-p", "com.apple.quarantine", str(path)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    for name in _DOWNLOADED_ON_LINUX:
        with suppress(OSError, AttributeError):
            if os.getxattr(path, name):
                return True
    return False
