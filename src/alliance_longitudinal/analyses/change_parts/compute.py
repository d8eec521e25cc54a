"""Every method that the known facts allow, on the same clients."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from alliance_longitudinal.analyses.change_parts.scores import ClientScores
from alliance_longitudinal.analyses.kit.norms import KnownNorms
from alliance_longitudinal.errors import AllianceError, DataError, FitError, StudyError
from alliance_longitudinal.methods.psychometrics.change.classify import (
    METHODS,
    ChangeCategories,
    by_index,
    by_slopes,
)


@dataclass(frozen=True, slots=True)
class AllMethods:
    """What each method says, and why those that say nothing do not.

    ``main`` is the method that the answer speaks of; ``direction`` is 1 if higher scores are better, else -1.
    """

    done: Mapping[str, ChangeCategories]
    refused: Mapping[str, str]
    main: str
    direction: int

    @property
    def chosen(self) -> ChangeCategories:
        """The main method's categories."""
        return self.done[self.main]


def all_methods(scores: ClientScores, known: KnownNorms, wanted: str | None, label: str) -> AllMethods:
    """Classify by every method; ``wanted`` is the main one, by default JT, else published points.

    Raises
    ------
    StudyError
        If the wanted method cannot be used, or neither reliability nor points are known.
    """
    done: dict[str, ChangeCategories] = {}
    refused: dict[str, str] = {}
    for method in METHODS:
        try:
            if method == "HLM":
                done[method] = by_slopes(scores.course, known.norms)
            else:
                done[method] = by_index(scores.ends, method, known.norms)
        except (DataError, FitError) as error:
            refused[method] = str(error)
    main = wanted or next((m for m in ("JT", "points") if m in done), None)
    if main is None:
        raise StudyError(
            f"Neither a reliability nor points of reliable change of {label} are known. Give one: reliability=0.85 (from "
            "the manual, for people like yours), or points=6."
        )
    if main not in done:
        raise StudyError(f"Parameter 'method': {main} cannot be used here. {refused[main]}")
    return AllMethods(done, refused, main, known.norms.direction)


def told_apart(methods: AllMethods, smallest: int) -> AllMethods:
    """The methods whose counts may stand side by side before outsiders; the main one always.

    One method's category often lies within another's, so that two counts that differ by a few clients tell how many lie
    between the two.
    """
    kept: dict[str, ChangeCategories] = {methods.main: methods.chosen}
    refused = dict(methods.refused)
    for name, change in methods.done.items():
        if name == methods.main:
            continue
        pairs = [(a, b) for other in kept.values() for a, b in _side_by_side(change, other)]
        if any(0 < abs(a - b) < smallest for a, b in pairs):
            refused[name] = (
                "Left out of what is shared: its counts are so near to those of another method that their difference would "
                "tell of a few clients."
            )
        else:
            kept[name] = change
    return replace(methods, done={m: kept[m] for m in methods.done if m in kept}, refused=refused)


def _side_by_side(one: ChangeCategories, other: ChangeCategories) -> list[tuple[int, int]]:
    """Counts of the same kind: clients, categories, and their sums over reliable change in either direction."""
    a, b = one.counts, other.counts
    sums = (("recovered", "improved"), ("deteriorated", "harmed"))
    pairs = [(one.n, other.n), *((a[k], b[k]) for k in a if k in b)]
    return pairs + [(sum(a.get(k, 0) for k in s), sum(b.get(k, 0) for k in s)) for s in sums]


def published(scores: ClientScores, known: KnownNorms, label: str) -> ChangeCategories:
    """Categories for joint recovery: published points before computed ones, as the services do.

    Raises
    ------
    StudyError
        If the measure has neither points nor a reliability.
    """
    problem: AllianceError | None = None
    for method in ("points", "JT"):
        try:
            return by_index(scores.ends, method, known.norms)
        except DataError as error:
            problem = error
    raise StudyError(
        f"Joint recovery needs points of reliable change or a reliability of {label}. Add them in an instrument file."
    ) from problem
