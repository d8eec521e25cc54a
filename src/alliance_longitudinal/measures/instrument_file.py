"""The format of an instrument file, and the way from such a file to an :class:`Instrument`.

The same format serves the instruments that come with the package and those that a user adds. Every fact
stands beside its evidence, so that none can be added without saying where it comes from.
"""

import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from alliance_longitudinal.measures.instrument import (
    COMPUTED,
    MEMORY,
    UNKNOWN,
    Construct,
    Cutoff,
    Direction,
    Instrument,
    MissingHow,
    MissingRule,
    Operator,
    ReliableChange,
    Status,
    TotalRule,
)
from alliance_longitudinal.strict_yaml import read_document, validate

_MARKS = (MEMORY, UNKNOWN, COMPUTED)

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
ItemNumber = Annotated[int, Field(ge=1)]


def _unknown_to_none(value: Any) -> Any:
    return None if value == UNKNOWN else value


OrUnknown = BeforeValidator(_unknown_to_none)


def _schema_or_unknown(known: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [known, {"const": UNKNOWN}]}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Fact(_Part):
    evidence: Annotated[
        list[str],
        Field(min_length=1, description="Keys of `sources`, or memory, computed, unknown."),
    ]


class ItemCount(_Fact):
    """How many items the form has."""

    count: Annotated[int, Field(ge=1)]


class Response(_Fact):
    """Range of one item as it is filled in, before any reversal."""

    min: float
    max: float


class Reverse(_Fact):
    """Items to be reversed; ``unknown`` when the key is not known."""

    items: Annotated[
        list[ItemNumber] | None,
        OrUnknown,
        Field(
            json_schema_extra={"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"const": UNKNOWN}]}
        ),
    ]


class Subscale(_Fact):
    """Items of one subscale."""

    items: Annotated[list[ItemNumber], Field(min_length=1)]


class Total(_Fact):
    """How items become the total, and the range of the total."""

    rule: TotalRule
    min: float
    max: float


class WhichWay(_Fact):
    """Whether a higher total is better or worse."""

    value: Direction


class Missing(_Fact):
    """What happens to a form with unanswered items."""

    rule: MissingHow
    max_missing: Annotated[
        Annotated[int, Field(ge=0)] | None,
        OrUnknown,
        WithJsonSchema(_schema_or_unknown({"type": "integer", "minimum": 0})),
    ] = None


class Threshold(_Fact):
    """A published cut-off on the total or a subscale."""

    value: float
    operator: Operator
    name: str
    scale: str = "total"


class Change(_Fact):
    """Points of reliable change on the total or a subscale."""

    points: float
    operator: Operator
    basis: str
    scale: str = "total"


class Bands(_Fact):
    """Severity bands, each by its lower bound."""

    lower_bounds: dict[str, float]


class SafetyItems(_Fact):
    """Items about risk."""

    items: list[ItemNumber]


class InstrumentFile(_Part):
    """One questionnaire in one version. No item texts: most are copyrighted."""

    id: Identifier
    label: Annotated[str, Field(description="Short name for people, such as PHQ-9.")]
    name: Annotated[str, Field(description="Name in full.")]
    construct_: Annotated[Construct, Field(alias="construct")]
    raters: Annotated[list[Literal["client", "therapist", "observer"]], Field(min_length=1)]
    items: ItemCount
    response: Response
    reverse: Reverse
    subscales: dict[Identifier, Subscale] = {}
    partition: Annotated[bool, Field(description="The subscales cover every item exactly once.")] = False
    total: Total
    direction: WhichWay
    missing: Missing
    cutoffs: list[Threshold] = []
    reliable_change: list[Change] = []
    bands: Bands | None = None
    safety_items: SafetyItems | None = None
    status: Status
    sources: Annotated[dict[str, str], Field(description="Source key -> address.")] = {}
    citations: list[str] = []
    notes: list[str] = []

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        problems = [*_item_problems(self), *_range_problems(self), *_evidence_problems(self)]
        if problems:
            raise ValueError(" ".join(problems))
        return self


def read_instrument(path: Path) -> Instrument:
    """Read one instrument file.

    Raises
    ------
    StudyError
        If the file breaks the format or contradicts itself.
    """
    document = read_document(path, "instrument file")
    return _build(validate(document, InstrumentFile, "instrument file"))


def instrument_json_schema() -> dict[str, Any]:
    """JSON Schema of an instrument file, for editors; ``data_schema/instrument.schema.json`` holds it."""
    schema = InstrumentFile.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Instrument file"}


def _build(file: InstrumentFile) -> Instrument:
    return Instrument(
        id=file.id,
        label=file.label,
        name=file.name,
        construct=file.construct_,
        raters=tuple(file.raters),
        n_items=file.items.count,
        response_min=file.response.min,
        response_max=file.response.max,
        reverse=None if file.reverse.items is None else tuple(file.reverse.items),
        subscales={name: tuple(scale.items) for name, scale in file.subscales.items()},
        partition=file.partition,
        total_rule=file.total.rule,
        total_min=file.total.min,
        total_max=file.total.max,
        direction=file.direction.value,
        missing=MissingRule(file.missing.rule, file.missing.max_missing),
        cutoffs=tuple(Cutoff(c.value, c.operator, c.name, c.scale) for c in file.cutoffs),
        reliable_changes=tuple(
            ReliableChange(c.points, c.operator, c.basis, c.scale) for c in file.reliable_change
        ),
        bands=dict(file.bands.lower_bounds) if file.bands else {},
        safety_items=tuple(file.safety_items.items) if file.safety_items else (),
        status=file.status,
        evidence={name: tuple(fact.evidence) for name, fact in _facts(file).items()},
        sources=dict(file.sources),
        citations=tuple(file.citations),
        notes=tuple(file.notes),
    )


def _facts(file: InstrumentFile) -> dict[str, _Fact]:
    """Every fact of the file by the name under which its evidence is reported."""
    facts: dict[str, _Fact] = {
        "items": file.items,
        "response range": file.response,
        "reverse key": file.reverse,
        **{f"subscale {name}": scale for name, scale in file.subscales.items()},
        "total": file.total,
        "direction": file.direction,
        "missing-item rule": file.missing,
        **{f"cut-off ({c.scale}, {c.name})": c for c in file.cutoffs},
        **{f"reliable change ({c.scale})": c for c in file.reliable_change},
    }
    if file.bands:
        facts["bands"] = file.bands
    if file.safety_items:
        facts["safety items"] = file.safety_items
    return facts


def _item_problems(file: InstrumentFile) -> list[str]:
    everyone = set(range(1, file.items.count + 1))
    lists: dict[str, list[int]] = {name: scale.items for name, scale in file.subscales.items()}
    lists["reverse"] = file.reverse.items or []
    lists["safety_items"] = file.safety_items.items if file.safety_items else []
    problems = []
    for name, items in lists.items():
        strangers = sorted(set(items) - everyone)
        if strangers:
            problems.append(
                f"{name!r} names items {strangers}, but the form has items 1 to {file.items.count}."
            )
        if len(set(items)) < len(items):
            problems.append(f"{name!r} names an item twice.")
    if file.partition:
        covered = sorted(item for scale in file.subscales.values() for item in scale.items)
        if covered != sorted(everyone):
            problems.append("the subscales do not cover every item exactly once, though 'partition' says so.")
    scales = {"total", *file.subscales}
    named = [*(c.scale for c in file.cutoffs), *(c.scale for c in file.reliable_change)]
    problems += [f"the scale {s!r} is neither 'total' nor a subscale." for s in named if s not in scales]
    return problems


def _range_problems(file: InstrumentFile) -> list[str]:
    low, high, count = file.response.min, file.response.max, file.items.count
    if low >= high:
        return [f"the response range {low:g} to {high:g} is empty."]
    factor = {"sum": count, "mean": 1, "mean_x10": 10}[file.total.rule]
    expected = (low * factor, high * factor)
    if not (math.isclose(expected[0], file.total.min) and math.isclose(expected[1], file.total.max)):
        return [
            f"the total ranges from {file.total.min:g} to {file.total.max:g}, but {count} items of "
            f"{low:g} to {high:g} under the rule {file.total.rule!r} give {expected[0]:g} to {expected[1]:g}."
        ]
    if (file.missing.max_missing or 0) >= count:
        return ["'missing.max_missing' must leave at least one answered item."]
    return []


def _evidence_problems(file: InstrumentFile) -> list[str]:
    known = {*_MARKS, *file.sources}
    problems = []
    for name, fact in _facts(file).items():
        strangers = sorted(set(fact.evidence) - known)
        if strangers:
            problems.append(
                f"the evidence of {name!r} names {', '.join(strangers)}, which is neither a key of "
                f"'sources' nor one of {', '.join(_MARKS)}."
            )
    scoring = ("items", "response range", "reverse key", "total")
    open_facts = [name for name in scoring if UNKNOWN in _facts(file)[name].evidence]
    if open_facts and file.status != "incomplete":
        problems.append(f"'status' must be incomplete while {', '.join(open_facts)} is unknown.")
    return problems
