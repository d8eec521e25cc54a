"""A batch's events as JSON lines, for programs that watch it: one object a line, written at once."""

import json
import statistics
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alliance_longitudinal.errors import ReportError
from alliance_longitudinal.reporting.record.troubles import words_of
from alliance_longitudinal.reporting.run.process import OnEvent


@contextmanager
def event_file(path: str | Path | None) -> Iterator[OnEvent]:
    """A function that appends each event with its time (UTC) to the file at ``path``; does nothing without a path.

    Raises
    ------
    ReportError
        If the file cannot be opened.
    """
    if path is None:
        yield lambda _: None
        return
    target = Path(path).expanduser()
    try:
        file = target.open("a", encoding="utf-8")
    except OSError as error:
        raise ReportError(f"The events cannot be written to {target}: {words_of(error)}") from None
    lock = threading.Lock()

    def write(event: Mapping[str, Any]) -> None:
        line = json.dumps(
            {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **event}, ensure_ascii=False
        )
        with lock:
            file.write(line + "\n")
            file.flush()

    with file:
        yield write


class TimeLeft:
    """How long a batch will still take, from the reports that it has made."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._seconds: list[float] = []

    def made(self, seconds: float | None) -> None:
        """A report was made; None for one that was there already."""
        if seconds:
            self._seconds.append(seconds)

    def left(self, reports: int) -> float | None:
        """Seconds for so many reports more; None before the first one."""
        if not self._seconds:
            return None
        return round(reports * statistics.median(self._seconds) / self._jobs, 1)
