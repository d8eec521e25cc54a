"""Says before a report starts that its study is very large, and what to do instead."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from alliance_longitudinal.data.readers.files import find_files
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.labels import number
from alliance_longitudinal.reporting.record.inputs import study_file
from alliance_longitudinal.strict_yaml import read_document

#: Rows of sessions from which a report takes minutes and gigabytes: see docs/benchmarks.md, "Very large studies".
LARGE = 2_000_000
#: The largest study that was measured, the minutes after which its slowest report was stopped, and memory of one that was made, in GB.
_MEASURED, _MINUTES, _MEMORY = 1_000_000, 15, 2.3
_TEXT = {".csv", ".tsv", ".txt"}
#: Bytes of a file from which the length of its lines is learnt.
_LOOK = 256 * 1024


def size_note(study: str | Path) -> str:
    """What to know of a study of more than `LARGE` rows of sessions before a report starts; empty if it is smaller.

    The number of rows is estimated from the size of text files and the length of their first lines. Other kinds of file are not
    looked at, and a study file that cannot be read is told later.
    """
    rows = 0.0
    with suppress(AllianceError, OSError, ValueError):
        rows = sum(map(_rows, _session_files(study_file(study))))
    if rows < LARGE:
        return ""
    return (
        f"The sessions have about {number(round(rows / 1e6), 'integer')} million rows. With {_MEASURED // 10**6} million, "
        f"reports took from half a minute to more than {_MINUTES} minutes, and {_MEMORY:g} GB of memory or more; both grow with the rows. "
        "If this one is stopped, give it more (--deadline SECONDS, --memory GB), or make it for a clinic (-p clinic=NAME) or "
        "from a sample of the clients."
    )


def _session_files(path: Path) -> Iterator[Path]:
    data: Any = read_document(path, "study file").data
    with suppress(KeyError, TypeError):
        yield from find_files(path.parent, str(data["tables"]["sessions"]["file"]))


def _rows(path: Path) -> float:
    if path.suffix.lower() not in _TEXT or not path.is_file():
        return 0.0
    with path.open("rb") as file:
        start = file.read(_LOOK)
    return path.stat().st_size * start.count(b"\n") / max(len(start), 1)
