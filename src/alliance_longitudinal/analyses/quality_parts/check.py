"""One check of the data: what was looked at, by which rule, what was found, and what to do."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.labels import number

Verdict = Literal["fine", "look", "problem", "not checked"]
#: From harmless to grave.
VERDICTS: tuple[Verdict, ...] = ("not checked", "fine", "look", "problem")
_NOBODY = np.empty(0, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check.

    Attributes
    ----------
    id : str
        Name of the check, such as ``jumps``; the same for every measure.
    title : str
    about : str
        Measure or column that was looked at; empty for the whole table.
    unit : str
        What is counted, in the singular.
    n, found : int
        How many were looked at, and how many of them the rule found.
    verdict : {"fine", "look", "problem", "not checked"}
    rule : str
        When the check says ``look`` or ``problem``, and why there.
    do : str
        What to do about it.
    means : str
        A sentence without counts on what the outcome means; may be empty.
    reference : str
    rows : int array
        Rows of ``study.sessions`` that the rule found. Never part of a report.
    who : tuple of str
        Ids of the therapists or clients that the rule found, where it looks at those. Never part of a report.
    """

    id: str
    title: str
    about: str
    unit: str
    n: int
    found: int
    verdict: Verdict
    rule: str
    do: str
    means: str = ""
    reference: str = ""
    rows: NDArray[np.intp] = field(default_factory=lambda: _NOBODY, repr=False, compare=False)
    who: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def key(self) -> str:
        """Name that no other check of a study has."""
        return f"{self.id}-{self.about}" if self.about else self.id

    @property
    def share(self) -> float:
        """Part of those looked at that the rule found; missing where nothing was looked at."""
        return self.found / self.n if self.n else float("nan")

    @property
    def result(self) -> str:
        """The outcome as a sentence."""
        if self.verdict == "not checked":
            return self.means
        units = f"{number(self.n, 'integer')} {self.unit}s"
        if not self.found:
            counted = f"None of {units}"
        else:
            share = "under 0.1 %" if self.share < 0.0005 else number(self.share, "percent")
            counted = f"{number(self.found, 'integer')} of {units} ({share})"
        return f"{counted}.{' ' + self.means if self.means else ''}"


def verdict_of(share: float, look: float, problem: float) -> Verdict:
    """``look`` above the first share, ``problem`` above the second."""
    return "problem" if share > problem else "look" if share > look else "fine"


def coarse(check: Check, smallest: int) -> Check:
    """For outsiders: what is counted from one session to the next, in multiples of ``smallest``.

    A client has one change, or pause, less than scores, or sessions. Beside these, the exact number would tell how many
    clients have any, and so how few have none.
    """
    if check.unit not in ("change", "pause") or check.n < smallest:
        return check
    return replace(check, n=max(round(check.n / smallest) * smallest, check.found))


def not_checked(id: str, title: str, about: str, why: str, do: str = "") -> Check:
    """A check that this study does not allow."""
    return Check(id, title, about, "form", 0, 0, "not checked", "", do, why)
