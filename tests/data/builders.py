"""A small sound study, and what writes it changed."""

from collections.abc import Callable
from pathlib import Path

STUDY = """\
study: Broken clinic
tables:
  sessions:
    file: sessions.csv
    columns: {client: client, therapist: therapist, session: session, date: date}
measures:
  phq9: {instrument: phq_9, total: phq9}
"""

HEADER = "client,therapist,session,date,phq9"
ROWS = (
    "007,T1,1,2024-03-01,12",
    "007,T1,2,2024-03-08,11",
    "NA,T1,1,2024-03-02,20",
    "NA,T1,2,2024-03-09,18",
    "1E5,T2,1,2024-03-03,9",
    "1E5,T2,2,2024-03-10,",
)

Builder = Callable[[Path], Path]


def write(
    folder: Path, *, study: str = STUDY, table: str | bytes | None = None, name: str = "sessions.csv"
) -> Path:
    """Write a study file and its sessions table; without changes the study is sound."""
    folder.mkdir(parents=True, exist_ok=True)
    content = table if table is not None else "\n".join([HEADER, *ROWS]) + "\n"
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    path = folder / "study.yaml"
    path.write_text(study, encoding="utf-8")
    return path
