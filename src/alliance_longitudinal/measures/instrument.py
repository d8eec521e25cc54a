"""What the package knows about a questionnaire: how it is scored, and how sure we are of each fact."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Construct = Literal[
    "alliance",
    "symptoms",
    "group_climate",
    "attachment",
    "empathy",
    "influence",
    "self_esteem",
    "expectancy",
    "real_relationship",
]
Rater = Literal["client", "therapist", "observer", "clinician", "caregiver", "child", "adolescent"]
TotalRule = Literal["sum", "mean", "mean_x10", "none", "unknown"]
ScaleRule = Literal["sum", "mean", "mean_x10", "sum_x2"]
Direction = Literal["higher_better", "higher_worse", "by_scale", "unknown"]
MissingHow = Literal["mean_of_answered", "subscale_mean_rounded", "complete_only", "unknown"]
Status = Literal["verified", "check", "incomplete"]
Operator = Literal[">=", ">", "<=", "<"]
ReliabilityKind = Literal["alpha", "retest", "icc"]

#: Evidence marks that are not the key of a source.
MEMORY, UNKNOWN, COMPUTED = "memory", "unknown", "computed"
#: The scale that all items make together.
TOTAL = "total"


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
    scales : mapping of str to int
        The same for single scales, under ``mean_of_answered``; a scale not named has to be complete.
    whole_form : bool
        Whether a form with more than ``max_missing`` unanswered items has no scale scores either.
    """

    how: MissingHow
    max_missing: int | None
    scales: Mapping[str, int] = field(default_factory=dict)
    whole_form: bool = False

    @property
    def allowed(self) -> int:
        """Most unanswered items that the package accepts: 0 wherever the rule is not completely known."""
        return (self.max_missing or 0) if self.how in ("mean_of_answered", "subscale_mean_rounded") else 0

    def allowed_in(self, scale: str) -> int:
        """Most unanswered items of one scale that the package accepts."""
        return self.scales.get(scale, 0) if self.how == "mean_of_answered" else 0


@dataclass(frozen=True, slots=True)
class Cutoff:
    """A published threshold: a person is beyond it when ``score operator value`` holds.

    ``operator`` is None where the publication or our source does not say whether the value itself counts;
    ``metric`` is ``t_score`` where the value is on a norm table's scale and not in points.
    """

    value: float
    operator: Operator | None
    name: str
    scale: str = TOTAL
    metric: Literal["points", "t_score"] = "points"


@dataclass(frozen=True, slots=True)
class ReliableChange:
    """Points of change beyond measurement error, and where the number comes from.

    ``sd``, ``reliability`` (of the kind ``reliability_kind``), ``z`` and ``population`` are those that the
    number was published with; None or empty where they are not known.
    """

    points: float
    operator: Operator | None
    basis: str
    scale: str = TOTAL
    sd: float | None = None
    reliability: float | None = None
    reliability_kind: ReliabilityKind | None = None
    z: float | None = None
    population: str = ""


@dataclass(frozen=True, slots=True)
class ImportantChange:
    """Smallest change that matters to people: points, or percent of the score at the start."""

    points: float | None
    percent_of_baseline: float | None
    basis: str
    population: str = ""
    scale: str = TOTAL


@dataclass(frozen=True, slots=True)
class Reliability:
    """A published reliability, exact (``low == high``) or a range, and whose."""

    kind: ReliabilityKind
    low: float
    high: float
    sample: str
    scale: str = TOTAL


@dataclass(frozen=True, slots=True)
class OtherRange:
    """Items whose answers run over another range than most."""

    items: tuple[int, ...]
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class Recode:
    """Items whose answers earn other points: the k-th answer option earns ``points[k]``.

    ``items`` is None where only their number, ``count``, is known.
    """

    items: tuple[int, ...] | None
    count: int
    points: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Derived:
    """A scale made of other scales (``of``), or of the total, multiplied by ``times``."""

    of: tuple[str, ...]
    times: float = 1.0


@dataclass(frozen=True, slots=True)
class Instrument:
    """A questionnaire version: enough to score it and to say how far the score can be trusted.

    Attributes
    ----------
    id, label, name : str
        Short name for files (``phq_9``), for people (``PHQ-9``), and in full.
    construct : str
        What it measures, see :data:`Construct`; ``symptoms`` also stands for functioning and distress.
    raters : tuple of str
        Who fills this version in; another rater's form is another instrument.
    n_items : int or None
        None = not known.
    response_min, response_max : float or None
        Range of one item *before* reversal; reversed = min + max - x. None = not known.
    reverse : tuple of int or None
        Item numbers (from 1) that are reversed; None = not known, items cannot be scored.
    subscales : mapping of str to tuple of int
        Item numbers of each subscale whose items are known.
    partition : bool
        Whether the subscales cover every item exactly once.
    total_rule : str
        ``none``: the scales are kept apart; ``unknown``: not known to us.
    total_min, total_max : float or None
        Range of the total, in its own points; None without a total or where it is not known.
    direction : str
        ``by_scale``: see ``scale_directions``.
    missing : MissingRule
    cutoffs, reliable_changes, important_changes, reliabilities : tuple
    bands : mapping of str to float
        Severity bands of the total by their lower bound; ``scale_bands`` holds those of subscales.
    safety_items : tuple of int
        Items about risk, which a total must not hide.
    status : {"verified", "check", "incomplete"}
        ``verified``: consistent sources, not the manual; ``check``: at least one fact rests on memory;
        ``incomplete``: a fact that scoring needs is unknown.
    evidence : mapping of str to tuple of str
        Fact -> source keys, ``memory``, ``computed`` or ``unknown``.
    sources : mapping of str to str
        Source key -> address.
    citations, notes : tuple of str
    subscale_rule : str or None
        How a subscale is scored where that differs from the total.
    unlisted_subscales : mapping of str to (int or None)
        Subscales whose items are not known, with their number of items if that is known.
    derived : mapping of str to Derived
    scale_directions : mapping of str to str
    other_ranges : tuple of OtherRange
    recode : Recode or None
    no_zero : bool
        Whether 0 is no possible answer although it lies within the range.
    not_applicable : bool
        Whether the form offers "not applicable", which counts as unanswered.
    answers : str
        What the lowest and highest answer mean, or how the answer is given.
    over_raters : str
        What is done with several raters of one session, if the instrument says so.
    replaces_shipped : bool
        Whether this file of a user stands in for the package's own.
    """

    id: str
    label: str
    name: str
    construct: Construct
    raters: tuple[str, ...]
    n_items: int | None
    response_min: float | None
    response_max: float | None
    reverse: tuple[int, ...] | None
    subscales: Mapping[str, tuple[int, ...]]
    partition: bool
    total_rule: TotalRule
    total_min: float | None
    total_max: float | None
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
    subscale_rule: ScaleRule | None = None
    unlisted_subscales: Mapping[str, int | None] = field(default_factory=dict)
    derived: Mapping[str, Derived] = field(default_factory=dict)
    scale_directions: Mapping[str, Direction] = field(default_factory=dict)
    other_ranges: tuple[OtherRange, ...] = ()
    recode: Recode | None = None
    no_zero: bool = False
    not_applicable: bool = False
    answers: str = ""
    over_raters: str = ""
    important_changes: tuple[ImportantChange, ...] = ()
    reliabilities: tuple[Reliability, ...] = ()
    scale_bands: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    replaces_shipped: bool = False

    @property
    def reliable_change(self) -> ReliableChange | None:
        """Reliable change of the total, if exactly one is known; between several the user has to choose."""
        known = [r for r in self.reliable_changes if r.scale == TOTAL]
        return known[0] if len(known) == 1 else None

    @property
    def total_range(self) -> tuple[float, float] | None:
        """Lowest and highest possible total, if there is a total and its range is known."""
        return None if self.total_min is None or self.total_max is None else (self.total_min, self.total_max)

    def item_range(self, item: int, *, prescored: bool = False) -> tuple[float, float] | None:
        """Lowest and highest answer to item number ``item``; None where the response format is not known."""
        if prescored and self.recode and item in (self.recode.items or ()):
            return min(self.recode.points), max(self.recode.points)
        for other in self.other_ranges:
            if item in other.items:
                return other.min, other.max
        if self.response_min is None or self.response_max is None:
            return None
        return self.response_min, self.response_max

    def facts_marked(self, mark: str) -> tuple[str, ...]:
        """Names of the facts that carry evidence mark ``mark``."""
        return tuple(fact for fact, marks in self.evidence.items() if mark in marks)
