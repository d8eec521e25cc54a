"""Everything that is known of one instrument, as text for a terminal."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.measures.instrument import (
    COMPUTED,
    MEMORY,
    UNKNOWN,
    Cutoff,
    Instrument,
    MissingRule,
    ReliableChange,
)
from alliance_longitudinal.measures.instrument_file import read_instrument
from alliance_longitudinal.measures.registry import clash, shipped_file, total_range_in_words
from alliance_longitudinal.measures.score import range_in_words, why_not_from_items

WIDTH = 100
_STATUS = {
    "verified": "the sources below agree; not checked against the manual",
    "check": "some facts have no source yet; check them against the manual before you use scores",
    "incomplete": "a fact that scoring needs is not known",
}
_RULES = {
    "sum": "sum of the items",
    "sum_x2": "sum of the items times 2",
    "mean": "mean of the items",
    "mean_x10": "mean of the items times 10",
    "none": "none; there are only subscales",
    UNKNOWN: "not known",
}
_DIRECTIONS = {
    "higher_better": "higher is better",
    "higher_worse": "higher is worse",
    "by_scale": "differs by scale",
    UNKNOWN: "not known",
}

Fact = tuple[str, str, str]  # what is shown left, its value, and the name under which its evidence is kept


def describe_instrument(instrument: Instrument) -> list[str]:
    """Lines about ``instrument``: its facts with their evidence, what scoring would do, notes and sources."""
    lines = [f"{instrument.label} ({instrument.id})", instrument.name, ""]
    status = f"{instrument.status}: {_STATUS[instrument.status]}"
    lines += _row("Status", status) + _row("Measures", instrument.construct.replace("_", " "))
    if instrument.replaces_shipped:
        lines += _row("Origin", "a file of your own, instead of that of the package")
    for heading, facts in (
        ("The form", _form_facts(instrument)),
        ("Scores", _score_facts(instrument)),
        ("Published values", _published_facts(instrument)),
    ):
        rows = [line for fact in facts for line in _fact_lines(instrument, *fact)]
        lines += ["", heading, *rows] if rows else []
    lines += ["", "What scoring does", *_items(_scoring_sentences(instrument))]
    known = {fact for fact, marks in instrument.evidence.items() if set(marks) != {UNKNOWN}}
    others = [f for f in instrument.facts_marked(UNKNOWN) if f not in known]
    lines += ["", "Not known", *_items([", ".join(others) + "."])] if others else []
    for heading, texts in (("Notes", instrument.notes), ("Citations", instrument.citations)):
        lines += ["", heading, *_items(texts)] if texts else []
    if instrument.sources:
        lines += ["", "Sources", *(f"  {key:<5} {address}" for key, address in instrument.sources.items())]
    return lines


def check_instrument_file(path: Path) -> Instrument:
    """Read a user's instrument file as a study would.

    Raises
    ------
    StudyError
        Listing every mistake with its line, or saying that the id is taken.
    """
    instrument = read_instrument(path)
    complaint = clash(instrument, shipped_file(instrument.id))
    if complaint:
        raise StudyError(f"In {path}: {complaint}")
    return instrument


def evidence_in_words(marks: tuple[str, ...]) -> str:
    """Evidence marks for people, such as ``S9; from memory``."""
    words = {MEMORY: "no source yet", COMPUTED: "computed", UNKNOWN: "not known"}
    keys = [mark for mark in marks if mark not in words]
    return "; ".join([", ".join(keys)] * bool(keys) + [words[mark] for mark in marks if mark in words])


def missing_in_words(rule: MissingRule) -> str:
    """The missing-item rule as it is applied."""
    how = {
        "mean_of_answered": "an unanswered item counts as the mean of the answered ones",
        "subscale_mean_rounded": "an unanswered item counts as the rounded mean of its subscale",
        "complete_only": "only complete forms are scored",
        UNKNOWN: "not known",
    }[rule.how]
    if rule.how == "complete_only" or rule.how == UNKNOWN:
        return how
    most = "its limit is not known" if rule.max_missing is None else f"at most {rule.max_missing} in a form"
    scales = "".join(f", {n} in {name}" for name, n in rule.scales.items())
    beyond = "; with more, the form has no score" if rule.whole_form else ""
    return f"{how}; {most}{scales}{beyond}"


def _form_facts(i: Instrument) -> Iterator[Fact]:
    yield "filled in by", ", ".join(i.raters), "raters"
    yield "items", "not known" if i.n_items is None else str(i.n_items), "items"
    answers = range_in_words(i).replace(UNKNOWN, "not known")
    answers += f"; {i.answers}" if i.answers else ""
    answers += "; 'not applicable' counts as unanswered" if i.not_applicable else ""
    yield "answers", answers, "response range"
    yield "reversed items", "not known" if i.reverse is None else _numbers(i.reverse), "reverse key"
    if i.recode:
        which = f"{i.recode.count} items" if i.recode.items is None else f"items {_numbers(i.recode.items)}"
        points = ", ".join(f"{p:g}" for p in i.recode.points)
        yield "coded otherwise", f"{which}: {points} for the options from lowest to highest", "recoded items"
    if i.safety_items:
        yield (
            "safety items",
            f"{_numbers(i.safety_items)}; look at these answers regardless of the score",
            "safety items",
        )


def _score_facts(i: Instrument) -> Iterator[Fact]:
    total = _RULES[i.total_rule]
    total += f", {total_range_in_words(i)}" if i.total_range else ""
    yield "total", f"{total}; {i.over_raters}" if i.over_raters else total, "total"
    yield "direction", _DIRECTIONS[i.direction], "direction"
    if "subscales" in i.evidence:
        yield "subscales", "not known", "subscales"
    if i.subscale_rule:
        yield "subscale rule", _RULES[i.subscale_rule], "subscale rule"
    for name, items in i.subscales.items():
        yield name, f"items {_numbers(items)}{_direction_of(i, name)}", f"subscale {name}"
    for name, count in i.unlisted_subscales.items():
        size = "items" if count is None else f"{count} items, which ones is"
        yield name, f"{size} not known{_direction_of(i, name)}", f"subscale {name}"
    for name, derived in i.derived.items():
        times = f", times {derived.times:g}" if derived.times != 1 else ""
        yield name, f"made of {', '.join(derived.of)}{times}", f"derived scale {name}"
    yield "unanswered items", missing_in_words(i.missing), "missing-item rule"


def _published_facts(i: Instrument) -> Iterator[Fact]:
    for c in i.cutoffs:
        yield "cut-off", _cutoff_in_words(c), f"cut-off ({c.scale}, {c.name})"
    for change in i.reliable_changes:
        alone = sum(other.scale == change.scale for other in i.reliable_changes) == 1
        which = change.scale if alone else f"{change.scale}, {change.points:g} points"
        yield "reliable change", _change_in_words(change), f"reliable change ({which})"
    for important in i.important_changes:
        size = (
            f"{important.percent_of_baseline:g} % of the first score"
            if important.points is None
            else f"{important.points:g} points"
        )
        words = "; ".join(
            w for w in (f"{size} ({important.scale})", important.basis, important.population) if w
        )
        yield "important change", words, f"important change ({important.scale}, {important.basis})"
    for r in i.reliabilities:
        value = f"{r.low:g}" if r.low == r.high else f"{r.low:g} to {r.high:g}"
        name = f"reliability ({r.kind}, {r.scale}, {r.sample})"
        yield "reliability", f"{r.kind} {value} of {r.scale}; {r.sample}", name
    if i.bands:
        yield "bands from", _bands_in_words(i.bands), "bands"
    for scale, bands in i.scale_bands.items():
        yield "bands from", f"{scale}: {_bands_in_words(bands)}", f"bands ({scale})"


def _scoring_sentences(i: Instrument) -> Iterator[str]:
    reason = why_not_from_items(i)
    if reason:
        yield reason
        yield (
            "A total that your system computed is used as it is"
            + (f", within {total_range_in_words(i)}." if i.total_range else "; its range cannot be checked.")
            if i.total_rule != "none"
            else "It has no total."
        )
    else:
        yield (
            f"Items {_numbers(i.reverse)} are reversed first, unless the study file says 'entry: prescored'."
            if i.reverse
            else "No item is reversed."
        )
        scales = f" Each scale: {_RULES[i.subscale_rule or i.total_rule]}." if i.subscales else ""
        yield f"Total: {_RULES[i.total_rule]}.{scales}"
        yield _open_items_sentence(i.missing)
    if i.status != "verified":
        yield (
            f"Every report that uses it says that its status is {i.status!r} and names the facts to check."
        )
    if i.direction == UNKNOWN:
        yield "A study cannot use it as a measure, because its direction is not known."
    elif i.total_rule == "none":
        yield "A study cannot use it as a whole, because it has no total; name one of its scales."


def _open_items_sentence(rule: MissingRule) -> str:
    if rule.allowed or rule.scales:
        return f"Unanswered items: {missing_in_words(rule)}."
    if rule.how == "complete_only":
        return "Only complete forms are scored."
    return (
        "Only complete forms are scored, because the rule for unanswered items is not completely "
        "known. The study file can give one under 'missing'."
    )


def _direction_of(i: Instrument, scale: str) -> str:
    direction = i.scale_directions.get(scale)
    return f"; {_DIRECTIONS[direction]}" if direction and i.direction == "by_scale" else ""


def _cutoff_in_words(cutoff: Cutoff) -> str:
    operator = cutoff.operator or "near (side and equality not known)"
    scale = "T score of " * (cutoff.metric == "t_score") + cutoff.scale
    return f"{scale} {operator} {cutoff.value:g}: {cutoff.name}"


def _change_in_words(change: ReliableChange) -> str:
    operator = f"{change.operator} " if change.operator else ""
    made_of = [
        f"SD {change.sd:g}" if change.sd is not None else "",
        f"{change.reliability_kind or 'reliability'} {change.reliability:g}"
        if change.reliability is not None
        else "",
        f"z {change.z:g}" if change.z is not None else "",
    ]
    known = ", ".join(words for words in made_of if words) or "SD, reliability and z not known"
    parts = [f"{operator}{change.points:g} points of {change.scale}", change.basis, known, change.population]
    return "; ".join(part for part in parts if part)


def _bands_in_words(bands: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {low:g}" for name, low in bands.items())


def _numbers(items: tuple[int, ...]) -> str:
    return ", ".join(map(str, items)) or "none"


def _fact_lines(instrument: Instrument, label: str, value: str, fact: str) -> list[str]:
    marks = instrument.evidence.get(fact, ())
    says_so = set(marks) <= {UNKNOWN}  # then the value itself says that nothing is known
    return _row(label, value if says_so else f"{value} [{evidence_in_words(marks)}]")


def _row(label: str, text: str) -> list[str]:
    head = f"  {label.replace('_', ' '):<26}"
    indent = " " * max(len(head), 28)
    if len(head) > len(indent) - 1:
        head += " "
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=head,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _items(texts: Iterable[str]) -> list[str]:
    lines: list[str] = []
    for text in texts:
        lines += textwrap.wrap(
            text,
            WIDTH,
            initial_indent="  - ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines
