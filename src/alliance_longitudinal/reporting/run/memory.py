"""How much memory a report's processes use, and how much they may: a report that wants all of it ends before the machine does."""

from contextlib import suppress
from pathlib import Path

import psutil

GIGABYTE = 1e9
#: Share of the machine's memory that one report may use when nothing is said.
_SHARE = 0.8
_CONTROL_GROUPS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def allowed_bytes(gigabytes: float | None) -> float:
    """What a report may use: so many gigabytes, or by default four fifths of the machine's or its container's memory."""
    return gigabytes * GIGABYTE if gigabytes is not None else _SHARE * _machine_bytes()


def used_bytes(number: int) -> float:
    """Memory of the process ``number`` and of all that it started, in bytes; what they share counts once where that is known."""
    family: list[psutil.Process] = []
    with suppress(psutil.Error):
        process = psutil.Process(number)
        family = [process, *process.children(recursive=True)]
    return sum(_of(member) for member in family)


def _of(process: psutil.Process) -> float:
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return float(line.split()[1]) * 1024
    with suppress(psutil.Error):
        return float(process.memory_info().rss)
    return 0.0


def _machine_bytes() -> float:
    most = float(psutil.virtual_memory().total)
    for limit in _CONTROL_GROUPS:
        with suppress(OSError, ValueError):  # none, or "max"
            most = min(most, float(limit.read_text(encoding="ascii")))
    return most


def offer_to_the_system() -> None:
    """Let the system end this process before others if memory runs out all the same; on Linux, where it may be asked."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
