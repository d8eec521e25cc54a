"""One check of the data: what was looked at, by which rule, what was found, and what to do."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.analyses.kit import Count, Number, Sentence, Share, joined, say, short

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
    cites : tuple of str
        Keys of the sources of the rule.
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
    cites: tuple[str, ...] = ()
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
    def of_people(self) -> bool:
        """Whether people or their rows are counted, and not therapists or numbers of sessions."""
        return self.unit not in ("therapist", "session number", "planned time")

    @property
    def reference(self) -> str:
        """Source of the rule; empty without one."""
        return short(*self.cites)

    @property
    def result(self) -> str:
        """The outcome as a sentence."""
        if self.verdict == "not checked":
            return self.means
        n, found = (self._counted(k) for k in (self.n, self.found))
        if (
            not self.n and self.verdict == "problem"
        ):  # nobody has the form, so there is nothing of which it could be missing
            counted = Sentence("There is none at all.")
        elif not self.found:
            counted = say("None of {n:noun}.", n=n)
        else:
            share = Share(self.found, self.n) if self.of_people else Number(self.share, "percent")
            tiny = self.share < 0.0005
            counted = say(
                "{found} of {n:noun} ({share}).", found=found, n=n, share="under 0.1 %" if tiny else share
            )
        return joined([counted, self.means]) if self.means else counted

    def _counted(self, n: int) -> Count | Number:
        return Count(n, self.unit) if self.of_people else Number(n, "integer", self.unit)


def verdict_of(share: float, look: float, problem: float) -> Verdict:
    """``look`` above the first share, ``problem`` above the second."""
    return "problem" if share > problem else "look" if share > look else "fine"


def not_checked(id: str, title: str, about: str, why: str, do: str = "") -> Check:
    """A check that this study does not allow."""
    return Check(id, title, about, "form", 0, 0, "not checked", "", do, why)
