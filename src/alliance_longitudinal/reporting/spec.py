"""What one report run is told and what it answers: the two small files between supervisor and child."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

#: Environment variable that tells ``publish`` in the notebook where the report is being built.
STAGE_VARIABLE = "ALLIANCE_REPORT_STAGE"


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Everything that the child process needs for one report.

    Attributes
    ----------
    notebook : str
        Absolute path of the notebook to run.
    parameters : mapping
        Plain literals for the notebook's parameters cell, ``study`` among them.
    stage : str
        Folder that becomes the report's folder once it is complete.
    run_folder : str
        Private folder (0700) for sockets, caches and the log; never published.
    cell_timeout : float
        Seconds that one cell may take.
    provenance : mapping
        The manifest so far; the report page prints it.
    """

    notebook: str
    parameters: Mapping[str, Any]
    stage: str
    run_folder: str
    cell_timeout: float
    provenance: Mapping[str, Any]

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), ensure_ascii=False), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "RunSpec":
        """Read what :meth:`write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended, as the child tells it, or as the supervisor finds when the child cannot tell.

    Attributes
    ----------
    ok : bool
    kind : str
        Class of the error; empty if there was none.
    message : str
        Sentence for the person who started the report.
    public_message : str
        The same without any value from the data: for the manifest and the batch's index.
    environment : mapping
        Numerical libraries and threads of the run.
    status : mapping
        The results' own status, shown as the badge.
    seed : int or None
        Seed that the analysis used.
    """

    ok: bool
    kind: str = ""
    message: str = ""
    public_message: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), ensure_ascii=False, default=str), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Outcome":
        """Read what :meth:`write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def failure(kind: str, message: str, public_message: str | None = None) -> Outcome:
    """Outcome of a failed run; ``public_message`` defaults to ``message``."""
    return Outcome(False, kind, message, message if public_message is None else public_message)
