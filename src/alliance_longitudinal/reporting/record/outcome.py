"""How one report run ended."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


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
