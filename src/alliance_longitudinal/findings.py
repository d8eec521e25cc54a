"""A finding: trouble or context that must reach the reader of a result. Imports nothing of the package."""

from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["info", "caution", "underpowered", "failed"]

#: From harmless to grave; a report's status badge shows the gravest one.
SEVERITIES: tuple[Severity, ...] = ("info", "caution", "underpowered", "failed")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that readers of the result need to know, in words that clinicians understand.

    Attributes
    ----------
    code : str
        Stable short name, such as ``few_therapists``.
    severity : {"info", "caution", "underpowered", "failed"}
        ``info`` is context; ``caution`` limits what the numbers mean; ``underpowered`` means that the
        data cannot answer the question; ``failed`` means that a number must not be used.
    message : str
        One or two plain sentences: what was found and what follows from it.
    where : str
        What it is about: a model, a column, an instrument; empty for the whole analysis.
    reference : str
        Source of the rule, if it has one.
    """

    code: str
    severity: Severity
    message: str
    where: str = ""
    reference: str = ""

    def to_dict(self) -> dict[str, str]:
        """Plain data for ``results.json``."""
        return asdict(self)


def gravest(findings: tuple[Finding, ...]) -> Severity:
    """The gravest severity among ``findings``; ``"info"`` when there are none."""
    return max((f.severity for f in findings), key=SEVERITIES.index, default="info")
