"""Open files: how many a report needs, and how many this session allows."""

import errno

from alliance_longitudinal.errors import ReportError
from alliance_longitudinal.reporting.record.troubles import trouble

#: A report opens about 75 at a time: imports, the notebook's process and its sockets.
NEEDED, WANTED = 128, 1024


def refuse_few_handles() -> None:
    """Say before anything is written that a report would run out of open files.

    Raises
    ------
    ReportError
        If this session may not open enough.
    """
    allowed = _limits()
    if allowed is not None and allowed[1] < NEEDED:
        raise ReportError(f"The report could not be made. {trouble(errno.EMFILE)}")


def allow_handles() -> None:
    """Let this process open as many files as a report wants, as far as the session allows it."""
    allowed = _limits()
    if allowed is not None and allowed[0] < WANTED:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (min(WANTED, allowed[1]), allowed[1]))


def _limits() -> tuple[float, int] | None:
    """How many files may be open, and how many that may be raised to; None where the system has no such limit."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = resource.RLIM_INFINITY
    return (float("inf") if now == endless else now), (10**6 if most == endless else most)
