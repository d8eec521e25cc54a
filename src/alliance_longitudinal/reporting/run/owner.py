"""Who a folder belongs to that is of use only while its maker runs, and whether that is gone."""

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

#: The file that names the maker.
OWNER = "owner"
#: How temporary folders of reports begin.
PREFIX = "al-"
#: An empty folder of this age has no maker any more: it was killed before it could leave its name, or while it removed the folder.
_UNMARKED_SECONDS = 10.0


def this_process() -> str:
    """Name of the running process, as no other on any machine is called."""
    return " ".join((_machine(), str(os.getpid()), _born(os.getpid())))


def is_gone(owner: str) -> bool:
    """Whether ``owner``, in the words of :func:`this_process`, was a process of this machine that is gone."""
    machine, _, process = owner.partition(" ")
    number, _, born = process.partition(" ")
    return machine == _machine() and number.isdigit() and _born(int(number)) != born


def _machine() -> str:
    """Name of the machine since it was started, and on Linux of its set of process numbers (a container has its own)."""
    import platform

    parts = [platform.node() or "host"]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return "/".join("".join(c if c.isalnum() or c == "-" else "_" for c in part) for part in parts)


def _born(number: int) -> str:
    """When a process began, on a clock that does not jump where there is one; empty if there is none of this number."""
    if Path("/proc/self/stat").is_file():
        try:
            line = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        state, *rest = line.rpartition(")")[2].split()
        return "" if state == "Z" else rest[18]
    try:
        return str(psutil.Process(number).create_time())
    except psutil.Error:
        return ""


def temporary_folder() -> Path:
    """A new private folder with a short path, as sockets need it, that names this process as its maker."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    (folder / OWNER).write_text(this_process(), encoding="utf-8")
    return folder


def remove(folder: Path) -> None:
    """Remove a temporary folder, the name of its maker last: what is left if this is cut short, the next report sweeps away."""
    mark = folder / OWNER
    with suppress(OSError):
        owner = mark.read_text(encoding="utf-8")
        for path in folder.iterdir():
            if path.name != OWNER and path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != OWNER:
                path.unlink(missing_ok=True)
        mark.unlink()
        try:
            folder.rmdir()
        except OSError:  # a process that is about to end has put something there meanwhile
            mark.write_text(owner, encoding="utf-8")


def sweep() -> None:
    """Remove what reports left among the temporary files whose maker was killed on this machine."""
    place = Path(tempfile.gettempdir())
    for owner in place.glob(f"{PREFIX}*/{OWNER}"):
        with suppress(OSError):
            if is_gone(owner.read_text(encoding="utf-8")):
                shutil.rmtree(owner.parent, ignore_errors=True)
    for folder in place.glob(f"{PREFIX}????????"):
        with suppress(OSError):  # not empty, or another user's
            if time.time() - folder.stat().st_mtime > _UNMARKED_SECONDS:
                folder.rmdir()
