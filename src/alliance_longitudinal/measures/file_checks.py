"""Contradictions within an instrument file, each with its place in the file."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from alliance_longitudinal.measures.instrument import COMPUTED, MEMORY, TOTAL, UNKNOWN

if TYPE_CHECKING:
    from alliance_longitudinal.measures.instrument_file import InstrumentFile

Mistake = tuple[tuple[str | int, ...], str]

_MARKS = (MEMORY, UNKNOWN, COMPUTED)
#: Facts without which items cannot be scored.
KEYS = ("items", "response range", "reverse key")


def file_mistakes(file: "InstrumentFile") -> list[Mistake]:
    """Everything in which the file contradicts itself, as place and sentence."""
    return [
        *_item_mistakes(file),
        *_partition_mistakes(file),
        *_scale_mistakes(file),
        *_response_mistakes(file),
        *_total_mistakes(file),
        *_missing_mistakes(file),
        *_evidence_mistakes(file),
        *_status_mistakes(file),
        *_reliability_mistakes(file),
    ]


def _item_mistakes(file: "InstrumentFile") -> Iterator[Mistake]:
    """Items that the form does not have, or that a list names twice."""
    lists: list[tuple[str, tuple[str | int, ...], list[int]]] = [
        (name, ("subscales", name), scale.items or []) for name, scale in file.scales.items()
    ]
    lists.append(("reverse", ("reverse",), file.reverse.items or []))
    if file.recode:
        lists.append(("recode", ("recode",), file.recode.items or []))
    if file.safety_items:
        lists.append(("safety_items", ("safety_items",), file.safety_items.items))
    others = [item for other in file.response.other for item in other.items]
    lists.append(("response.other", ("response", "other"), others))
    for name, place, items in lists:
        count = file.items.count
        strangers = [] if count is None else sorted(set(items) - set(range(1, count + 1)))
        if strangers:
            yield place, f"{name!r} names items {strangers}, but the form has items 1 to {count}."
        if len(set(items)) < len(items):
            yield place, f"{name!r} names an item twice."
    both = sorted(set(file.reverse.items or []) & set((file.recode and file.recode.items) or []))
    if both:
        yield (
            ("recode",),
            f"items {both} are named both in 'reverse' and in 'recode'; one would undo the other.",
        )


def _partition_mistakes(file: "InstrumentFile") -> Iterator[Mistake]:
    if file.partition:
        listed = [scale.items for scale in file.scales.values()]
        covered = sorted(item for items in listed for item in items or [])
        if None in listed or file.items.count is None or covered != [*range(1, file.items.count + 1)]:
            yield (
                ("partition",),
                "the subscales do not cover every item exactly once, though 'partition' says so.",
            )
    for name, scale in file.scales.items():
        if scale.items is not None and scale.count not in (None, len(scale.items)):
            sentence = (
                f"the subscale {name!r} has {len(scale.items)} items, but its 'count' is {scale.count}."
            )
            yield ("subscales", name), sentence


def _scale_mistakes(file: "InstrumentFile") -> Iterator[Mistake]:
    """Facts about scales that there are not."""
    scales = {TOTAL, *file.scales, *file.derived}
    named: list[tuple[tuple[str | int, ...], str]] = [
        *((("cutoffs", k), fact.scale) for k, fact in enumerate(file.cutoffs)),
        *((("reliable_change", k), fact.scale) for k, fact in enumerate(file.reliable_change)),
        *((("important_change", k), fact.scale) for k, fact in enumerate(file.important_change)),
        *((("reliability", k), fact.scale) for k, fact in enumerate(file.reliability)),
    ]
    named += [(("scale_bands", name), name) for name in file.scale_bands]
    named += [(("missing", "scales"), name) for name in file.missing.scales]
    for place, name in named:
        if name not in scales:
            yield place, f"the scale {name!r} is neither 'total' nor a subscale."
    if TOTAL in {*file.scales, *file.derived}:
        yield ("subscales",), "no scale may be called 'total'; that is the score of all items."
    for name in sorted(set(file.scales) & set(file.derived)):
        yield ("derived", name), f"the scale {name!r} is there twice, as a subscale and as a derived one."
    for name, derived in file.derived.items():
        strangers = sorted(set(derived.of) - {TOTAL, *file.scales})
        if strangers or (TOTAL in derived.of and len(derived.of) > 1):
            sentence = f"the scale {name!r} must be derived of subscales, or of 'total' alone."
            yield ("derived", name), sentence


def _response_mistakes(file: "InstrumentFile") -> Iterator[Mistake]:
    low, high = file.response.min, file.response.max
    if (low is None) != (high is None):
        yield ("response",), "'min' and 'max' of the response are either both known or both unknown."
    elif low is not None and high is not None and low >= high:
        yield ("response",), f"the response range {low:g} to {high:g} is empty."
    for k, other in enumerate(file.response.other):
        if other.min >= other.max:
            place = ("response", "other", k)
            yield place, f"the response range {other.min:g} to {other.max:g} is empty."
    if file.recode:
        if file.recode.items is not None and len(file.recode.items) != file.recode.count:
            yield (
                ("recode",),
                f"'recode' names {len(file.recode.items)} items, but its 'count' is {file.recode.count}.",
            )
        if low is not None and high is not None and len(file.recode.points) != high - low + 1:
            options = f"{high - low + 1:g}"
            yield (
                ("recode",),
                f"'recode' gives points to {len(file.recode.points)} answer options, but the response has {options}.",
            )


def _total_mistakes(file: "InstrumentFile") -> Iterator[Mistake]:
    total = file.total
    if (total.min is None) != (total.max is None):
        yield ("total",), "'min' and 'max' of the total are either both known or both unknown."
        return
    if total.rule == "none" and total.min is not None:
        yield ("total",), "a form whose rule is 'none' has no total and no range of it."
    expected = _computed_range(file)
    if expected is None:
        return
    if total.min is None or total.max is None:
        yield (
            ("total",),
            f"'min' and 'max' of the total are missing; they are {expected[0]:g} and {expected[1]:g}.",
        )
    elif not (math.isclose(expected[0], total.min) and math.isclose(expected[1], total.max)):
        yield (
            ("total",),
            f"the total ranges from {total.min:g} to {total.max:g}, but {file.items.count} items of "
            f"{file.response.min:g} to {file.response.max:g} under the rule {total.rule!r} give "
            f"{expected[0]:g} to {expected[1]:g}.",
        )


def _computed_range(file: "InstrumentFile") -> tuple[float, float] | None:
    """Range of the total that follows from items and rule; None where something for it is not known."""
    low, high, count = file.response.min, file.response.max, file.items.count
    if low is None or high is None or low >= high or count is None or file.total.rule in ("none", "unknown"):
        return None
    others = [(o.min, o.max, len(o.items)) for o in file.response.other]
    if file.recode:
        others.append((min(file.recode.points), max(file.recode.points), file.recode.count))
    plain = count - sum(n for _, _, n in others)
    lowest = low * plain + sum(a * n for a, _, n in others)
    highest = high * plain + sum(b * n for _, b, n in others)
    factor = {"sum": 1.0, "mean": 1 / count, "mean_x10": 10 / count}[file.total.rule]
    return lowest * factor, highest * factor


def _missing_mistakes(file: "InstrumentFile") -> Iterator[Mistake]:
    missing, count = file.missing, file.items.count
    if count is not None and (missing.max_missing or 0) >= count:
        yield ("missing",), "'missing.max_missing' must leave at least one answered item."
    for name, most in missing.scales.items():
        size = _scale_size(file, name)
        if size is not None and most >= size:
            yield ("missing",), f"'missing.scales' must leave at least one answered item of {name!r}."
    if missing.scales and missing.rule != "mean_of_answered":
        yield ("missing",), "'missing.scales' goes with the rule 'mean_of_answered' alone."
    if missing.rule == "subscale_mean_rounded" and not file.partition:
        yield (
            ("missing",),
            "the rule 'subscale_mean_rounded' needs subscales that cover every item ('partition').",
        )


def _scale_size(file: "InstrumentFile", name: str) -> int | None:
    names = file.derived[name].of if name in file.derived else [name]
    sizes = [len(file.scales[n].items or []) for n in names if n in file.scales]
    return sum(sizes) or None


def _evidence_mistakes(file: "InstrumentFile") -> Iterator[Mistake]:
    known = {*_MARKS, *file.sources}
    for name, (place, marks) in file.facts().items():
        strangers = sorted(set(marks) - known)
        if strangers:
            yield (
                place,
                f"the evidence of {name!r} names {', '.join(strangers)}, which is neither a key of "
                f"'sources' nor one of {', '.join(_MARKS)}.",
            )
    blanks = {
        "items": file.items.count,
        "response range": file.response.min,
        "reverse key": file.reverse.items,
        **{f"subscale {name}": scale.items for name, scale in file.scales.items()},
    }
    for name, value in blanks.items():
        place, marks = file.facts()[name]
        if value is None and UNKNOWN not in marks:
            yield place, f"{name!r} is unknown, but its evidence does not say so."


def _status_mistakes(file: "InstrumentFile") -> Iterator[Mistake]:
    facts = file.facts()
    blank = [name for name in KEYS if UNKNOWN in facts[name][1]]
    if file.recode and file.recode.items is None:
        blank.append("recoded items")
    if blank and file.status != "incomplete":
        yield ("status",), f"'status' must be incomplete while {', '.join(blank)} is unknown."
    if file.status == "verified" and file.total.rule == UNKNOWN:
        yield ("status",), "'status' cannot be verified while the rule of the total is unknown."


def _reliability_mistakes(file: "InstrumentFile") -> Iterator[Mistake]:
    for k, known in enumerate(file.reliability):
        given = (known.value is not None, known.low is not None, known.high is not None)
        if given not in ((True, False, False), (False, True, True)):
            yield ("reliability", k), "a reliability has either one 'value', or 'low' and 'high'."
    for k, change in enumerate(file.important_change):
        if (change.points is None) == (change.percent_of_baseline is None):
            yield ("important_change", k), "give either 'points' or 'percent_of_baseline'."
