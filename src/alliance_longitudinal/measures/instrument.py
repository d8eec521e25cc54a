"""What the package knows about a questionnaire: how it is scored, and how sure we are of each fact."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Construct = Literal["alliance", "symptoms"]
TotalRule = Literal["sum", "mean", "mean_x10"]
Direction = Literal["higher_better", "higher_worse"]
MissingHow = Literal["mean_of_answered", "subscale_mean_rounded", "complete_only", "unknown"]
Status = Literal["verified", "check", "incomplete"]
Operator = Literal[">=", ">", "<=", "<"]

#: Evidence marks that are not the key of a source.
MEMORY, UNKNOWN, COMPUTED = "memory", "unknown", "computed"


@dataclass(frozen=True, slots=True)
class MissingRule:
    """What happens to a form with unanswered items.

    Attributes
    ----------
    how : str
        ``mean_of_answered``: unanswered items count as the mean of the answered ones.
        ``subscale_mean_rounded``: as the mean of the answered items of the same subscale, rounded to the
        nearest whole number (halves up). ``complete_only``: such a form has no score. ``unknown``: the
        instrument's rule is not known to us, so such a form gets no score either.
    max_missing : int or None
        Most unanswered items that a scored form may have; None = not known, and then none is allowed.
    """

    how: MissingHow
    max_missing: int | None

    @property
    def allowed(self) -> int:
        """Most unanswered items that the package accepts: 0 wherever the rule is not completely known."""
        return (self.max_missing or 0) if self.how in ("mean_of_answered", "subscale_mean_rounded") else 0


@dataclass(frozen=True, slots=True)
class Cutoff:
    """A published threshold: a person is beyond it when ``score operator value`` holds."""

    value: float
    operator: Operator
    name: str
    scale: str = "total"


@dataclass(frozen=True, slots=True)
class ReliableChange:
    """Points of change beyond measurement error, and where the number comes from."""

    points: float
    operator: Operator
    basis: str
    scale: str = "total"


@dataclass(frozen=True, slots=True)
class Instrument:
    """A questionnaire version: enough to score it and to say how far the score can be trusted.

    Attributes
    ----------
    id, label, name : str
        Short name for files (``phq_9``), for people (``PHQ-9``), and in full.
    construct : {"alliance", "symptoms"}
    raters : tuple of str
        Who fills this version in; another rater's form is another instrument.
    n_items : int
    response_min, response_max : float
        Range of one item *before* reversal; reversed = min + max - x.
    reverse : tuple of int or None
        Item numbers (from 1) that are reversed; None = not known, items cannot be scored.
    subscales : mapping of str to tuple of int
        Item numbers of each subscale.
    partition : bool
        Whether the subscales cover every item exactly once.
    total_rule : {"sum", "mean", "mean_x10"}
    total_min, total_max : float
        Range of the total, in its own points.
    direction : {"higher_better", "higher_worse"}
    missing : MissingRule
    cutoffs : tuple of Cutoff
    reliable_changes : tuple of ReliableChange
    bands : mapping of str to float
        Severity bands by their lower bound.
    safety_items : tuple of int
        Items about risk, which a total must not hide.
    status : {"verified", "check", "incomplete"}
        ``verified``: consistent sources, not the manual; ``check``: at least one scoring fact rests on
        memory; ``incomplete``: at least one is unknown.
    evidence : mapping of str to tuple of str
        Fact -> source keys, ``memory``, ``computed`` or ``unknown``.
    sources : mapping of str to str
        Source key -> address.
    citations, notes : tuple of str
    """

    id: str
    label: str
    name: str
    construct: Construct
    raters: tuple[str, ...]
    n_items: int
    response_min: float
    response_max: float
    reverse: tuple[int, ...] | None
    subscales: Mapping[str, tuple[int, ...]]
    partition: bool
    total_rule: TotalRule
    total_min: float
    total_max: float
    direction: Direction
    missing: MissingRule
    cutoffs: tuple[Cutoff, ...]
    reliable_changes: tuple[ReliableChange, ...]
    bands: Mapping[str, float]
    safety_items: tuple[int, ...]
    status: Status
    evidence: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, str]
    citations: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def reliable_change(self) -> ReliableChange | None:
        """Reliable change of the total, if one is known."""
        return next((r for r in self.reliable_changes if r.scale == "total"), None)

    @property
    def total_range(self) -> tuple[float, float]:
        """Lowest and highest possible total."""
        return self.total_min, self.total_max

    def facts_marked(self, mark: str) -> tuple[str, ...]:
        """Names of the facts that carry evidence mark ``mark`` and no source."""
        return tuple(fact for fact, marks in self.evidence.items() if mark in marks)
