"""How much memory a report's processes use, and how much they may: a report that wants all of it ends before the machine does."""

import os
from contextlib import suppress
from pathlib import Path

import psutil

GIGABYTE = 1e9
#: Bytes of a page of memory.
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
#: Share of the machine's memory that one report may use when nothing is said.
_SHARE = 0.8
#: What a report and its notebook take of a study of some ten thousand sessions, of their own.
_REPORT_GIGABYTES = 0.5
_CONTROL_GROUPS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def allowed_bytes(gigabytes: float | None) -> float:
    """What a report may use: so many gigabytes, or by default four fifths of the machine's or its container's memory."""
    return gigabytes * GIGABYTE if gigabytes is not None else _SHARE * _machine_bytes()


def usual_jobs() -> int:
    """How many reports at a time keep this machine busy: one more than its processors, because each waits now and then.

    Fewer where the free memory does not hold so many.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores + 1, int(_free_bytes() / (_REPORT_GIGABYTES * GIGABYTE))))


def uses_more(number: int, most: float) -> bool:
    """Whether the process ``number`` and all that it started use more than ``most`` bytes.

    What they share, such as imported packages, counts once where that is known; that takes longer to find out, so it is asked
    only if the plain sum is too large.
    """
    with suppress(OSError, ValueError):  # a process that ends while it is looked at
        family = [number, *_descendants(number)]
        return sum(map(_resident, family)) > most and sum(map(_own_part, family)) > most
    return False


def _descendants(number: int) -> list[int]:
    """Numbers of the processes that a process started, and those started."""
    tasks = Path(f"/proc/{number}/task")
    if (tasks / str(number) / "children").is_file():
        found: list[int] = []
        with suppress(OSError):
            for task in tasks.iterdir():
                for child in (task / "children").read_text(encoding="ascii").split():
                    found += [int(child), *_descendants(int(child))]
        return found
    with suppress(psutil.Error):
        return [child.pid for child in psutil.Process(number).children(recursive=True)]
    return []


def _resident(number: int) -> float:
    with suppress(OSError, ValueError, IndexError):
        pages = Path(f"/proc/{number}/statm").read_text(encoding="ascii").split()[1]
        return float(pages) * PAGE
    with suppress(psutil.Error):
        return float(psutil.Process(number).memory_info().rss)
    return 0.0


def _own_part(number: int) -> float:
    """Memory of one process, with its part of what it shares with others."""
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{number}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return float(line.split()[1]) * 1024
    return _resident(number)


def _free_bytes() -> float:
    return min(float(psutil.virtual_memory().available), _machine_bytes())


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
