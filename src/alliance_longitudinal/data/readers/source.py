"""What a table was read from, for the record of a report."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """An input file: name without folder, SHA-256, and the number of rows read (None where it may not be told)."""

    name: str
    sha256: str
    rows: int | None
