"""What one report run is told: the small file from the supervisor to its child."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from alliance_longitudinal.language import ENGLISH

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
    hidden : mapping
        Texts that must not stand in the report, with what stands there instead.
    formats : sequence of str
        Further documents beside the page.
    language : str
        Of the report's sentences.
    """

    notebook: str
    parameters: Mapping[str, Any]
    stage: str
    run_folder: str
    cell_timeout: float
    provenance: Mapping[str, Any]
    hidden: Mapping[str, str] = field(default_factory=dict)
    formats: Sequence[str] = ()
    language: str = ENGLISH

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), ensure_ascii=False), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "RunSpec":
        """Read what :meth:`write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))
