"""The study file resolved: instruments found, item headers spelled out, texts that stay as they were written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.study_file.format import MeasureBlock, StudyFile
from alliance_longitudinal.data.study_file.measure import Measure, PlannedMeasure
from alliance_longitudinal.data.study_file.scale_view import scale_view, scales_of
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.measures.instrument import Instrument
from alliance_longitudinal.measures.registry import load_instruments
from alliance_longitudinal.measures.score import why_not_from_items
from alliance_longitudinal.strict_yaml import (
    Document,
    Location,
    examine,
    nearest,
    raise_mistakes,
    read_document,
)


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What is to be read, and how."""

    path: Path
    file: StudyFile
    dialect: Dialect
    measures: Mapping[str, PlannedMeasure]
    simulated: Mapping[str, Any] | None


def read_plan(path: Path) -> StudyPlan:
    """Read the study file and everything that it names except the tables.

    Raises
    ------
    StudyError
        Listing every mistake with its line.
    """
    plan, mistakes, document = examine_plan(path)
    raise_mistakes(document, "study file", mistakes)
    assert plan is not None  # else there was a mistake
    return plan


def examine_plan(path: Path) -> tuple[StudyPlan | None, list[tuple[Location, str]], Document]:
    """The plan, all mistakes of the study file, and the file itself.

    With mistakes, the plan is that of the entries that are right, if they make one: a help to find more mistakes.

    Raises
    ------
    StudyError
        If the file, or an instrument file or file of true parameters that it names, cannot be read.
    """
    document = read_document(path, "study file")
    file, found = examine(document, StudyFile, "study file")
    if file is None:
        return None, found, document
    folders = [] if file.instruments is None else [path.parent / file.instruments]
    registry = load_instruments(folders)
    mistakes = list(found)
    measures = {name: _plan_measure(name, block, registry, mistakes) for name, block in file.measures.items()}
    unreadable = _dialect_mistakes(file)
    mistakes += unreadable
    mistakes += _name_mistakes({n: p for n, p in measures.items() if p is not None}, file)
    if unreadable:  # nor can the tables be looked at
        return None, mistakes, document
    plan = StudyPlan(
        path=path,
        file=file,
        dialect=declared_dialect(file),
        measures={name: plan for name, plan in measures.items() if plan is not None},
        simulated=None if mistakes else _simulated(path, file),
    )
    return plan, mistakes, document


def declared_dialect(file: StudyFile) -> Dialect:
    """How the tables are written, as the study file says."""
    block = file.dialect
    return Dialect(
        block.separator, block.decimal, block.thousands, block.encoding, block.dates, tuple(block.missing)
    )


def _plan_measure(
    name: str, block: MeasureBlock, registry: Mapping[str, Instrument], mistakes: list[tuple[Location, str]]
) -> PlannedMeasure | None:
    here = ("measures", name)
    instrument = registry.get(block.instrument)
    if instrument is None:
        hint = nearest(block.instrument, list(registry))
        mistakes.append(((*here, "instrument"), f"there is no instrument {block.instrument!r}. {hint}"))
        return None
    if block.construct_ not in (None, instrument.construct):
        sentence = f"{instrument.label} measures {instrument.construct}, not {block.construct_}."
        mistakes.append(((*here, "construct"), sentence))
    complaint = _rater_mistake(block, instrument)
    if complaint:
        mistakes.append(((*here, "rater"), complaint))
    seen = instrument
    if block.scale is not None:
        if block.scale not in scales_of(instrument):
            hint = nearest(block.scale, scales_of(instrument)) or "It has none."
            mistakes.append(((*here, "scale"), f"{instrument.label} has no scale {block.scale!r}. {hint}"))
            return None
        seen = scale_view(instrument, block.scale)
    if seen.total_rule == "none" or seen.direction == "unknown":
        mistakes.append(((*here, "instrument"), _no_measure(seen)))
    items, headers, complaint = _headers(block, instrument)
    if complaint:
        mistakes.append(((*here, "items"), complaint))
    measure = Measure(name, instrument.construct, block.rater, seen, block.timing)
    points, complaint = _points(block, instrument, seen)
    if complaint:
        mistakes.append(((*here, "total_is"), complaint))
    return PlannedMeasure(measure, block, instrument, items, headers, points)


#: How many points one point of the items' mean is, for n items.
_OF_MEAN: Mapping[str, Callable[[int], float]] = {
    "sum": float,
    "mean": lambda _: 1.0,
    "mean_x10": lambda _: 10.0,
}


def _points(block: MeasureBlock, instrument: Instrument, seen: Instrument) -> tuple[float, str]:
    """Points of the instrument in one unit of the table's total, and what is wrong, as a sentence."""
    if block.total_is is None:
        return 1.0, ""
    if seen.total_rule not in _OF_MEAN:
        return 1.0, f"how a total of {seen.label} is made is not known, so 'total_is' cannot be used."
    listed = instrument.subscales.get(block.scale) if block.scale is not None else None
    n = len(listed) if listed is not None else (instrument.n_items if block.scale is None else None)
    if n is None:
        return 1.0, f"how many items {seen.label} has is not known, so 'total_is' cannot be used."
    of_mean = _OF_MEAN[seen.total_rule](n)
    return (of_mean if block.total_is == "mean" else of_mean / n), ""


def _rater_mistake(block: MeasureBlock, instrument: Instrument) -> str:
    """What is wrong with who filled in a measure, as a sentence; empty if nothing is."""
    forms = " or ".join(instrument.raters)
    if block.form is not None:
        if block.form not in instrument.raters:
            return f"{instrument.label} has no form for the {block.form}; it has one for the {forms}."
        if block.rater in instrument.raters and block.rater != block.form:
            return f"{instrument.label} has a form for the {block.rater}; take out 'form'."
        return ""
    if block.rater in instrument.raters:
        return ""
    who = block.rater.replace("_", " ")
    return (
        f"{instrument.label} is filled in by the {forms}; the form of the {who} is another instrument and needs an "
        f"instrument file of its own. If the {who} filled in one of these forms, say which: 'form: "
        f"{instrument.raters[0]}'."
    )


def _no_measure(instrument: Instrument) -> str:
    """Why an instrument gives no single score that a model could take."""
    if instrument.total_rule == "none":
        return (
            f"{instrument.label} has no total, only the scales {', '.join(instrument.subscales)}. Name one of them, "
            f"such as 'scale: {next(iter(instrument.subscales), 'NAME')}'."
        )
    return (
        f"whether a higher score of {instrument.label} is better or worse is not known. Add an instrument file "
        "with the direction from the manual."
    )


def _headers(block: MeasureBlock, instrument: Instrument) -> tuple[tuple[int, ...], tuple[str, ...], str]:
    """Item numbers of a measure's columns, their headers, and what is wrong with them."""
    if block.total is not None:
        return (), (block.total,), ""
    headers = tuple(block.items or ())
    reason = why_not_from_items(instrument)
    if block.scale is not None and block.scale not in instrument.subscales:
        reason = (
            f"{instrument.label}: which items make the scale {block.scale!r} is not known. Give its totals."
        )
    if reason or instrument.n_items is None:
        return (), headers, reason
    every = tuple(range(1, instrument.n_items + 1))
    wanted = every if block.scale is None else instrument.subscales[block.scale]
    if len(headers) == 1 and "{item" in headers[0]:
        try:
            headers = tuple(headers[0].format(item=number) for number in wanted)
        except (KeyError, IndexError, ValueError):
            return (), headers, f"{headers[0]!r} is not a pattern; write it as 'wai_{{item}}'."
    numbers = every if len(headers) == len(every) else wanted
    if len(headers) != len(numbers):
        also = "" if block.scale is None else f" ({len(wanted)} in the scale {block.scale})"
        return (
            numbers,
            headers,
            f"{instrument.label} has {instrument.n_items} items{also}, but {len(headers)} columns are named.",
        )
    twice = sorted({h for h in headers if headers.count(h) > 1})
    if twice:
        return numbers, headers, f"the column {twice[0]!r} is named for two items."
    return numbers, headers, ""


def _dialect_mistakes(file: StudyFile) -> list[tuple[Location, str]]:
    try:
        "".encode(file.dialect.encoding)
    except (LookupError, ValueError):  # unknown; or one of Python's own that is no encoding of texts
        sentence = f"there is no encoding {file.dialect.encoding!r}; common ones are utf-8, cp1252, utf-16."
        return [(("dialect", "encoding"), sentence)]
    return []


def _name_mistakes(planned: Mapping[str, PlannedMeasure], file: StudyFile) -> list[tuple[Location, str]]:
    """Names that the package gives to columns of its own: a measure's subscales, and the number of its raters."""
    mistakes: list[tuple[Location, str]] = []
    for name, plan in planned.items():
        whole = bool(plan.items) and plan.block.scale is None
        own = [f"{name}_{part}" for part in (*plan.form.subscales, *plan.form.derived)] if whole else []
        own += [f"{name}_raters"] if plan.block.average else []
        for kind, taken in (("measures", file.measures), ("baseline", file.baseline)):
            for other in sorted(set(own) & set(taken)):
                sentence = f"{other!r} is the name of a column that comes with {name!r}; choose another name."
                mistakes.append(((kind, other), sentence))
    return mistakes


def _simulated(path: Path, file: StudyFile) -> Mapping[str, Any] | None:
    if file.simulated is None:
        return None
    truth: Any = {}
    if file.simulated.truth is not None:
        document = read_document(path.parent / file.simulated.truth, "file of true parameters")
        truth = document.data
        if not isinstance(truth, dict):
            raise StudyError(f"The file of true parameters {document.path.name} holds no 'key: value' lines.")
    return {"note": file.simulated.note, "truth": truth}
