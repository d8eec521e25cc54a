"""The blocks of an instrument file. Every fact stands beside its evidence."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from alliance_longitudinal.measures.instrument import (
    TOTAL,
    UNKNOWN,
    Direction,
    MissingHow,
    Operator,
    Rater,
    ReliabilityKind,
    ScaleRule,
    TotalRule,
)

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
ItemNumber = Annotated[int, Field(ge=1)]
Items = Annotated[list[ItemNumber], Field(min_length=1)]


def _unknown_to_none(value: Any) -> Any:
    return None if value == UNKNOWN else value


def _list_to_raters(value: Any) -> Any:
    return {"who": value} if isinstance(value, list) else value


def _or_unknown(**known: Any) -> tuple[BeforeValidator, WithJsonSchema]:
    """The word ``unknown`` in place of a value, in the model (as None) and in the JSON Schema."""
    return BeforeValidator(_unknown_to_none), WithJsonSchema({"anyOf": [known, {"const": UNKNOWN}]})


_ITEMS = {"type": "array", "items": {"type": "integer", "minimum": 1}}
NumberOrUnknown = Annotated[float | None, *_or_unknown(type="number")]
CountOrUnknown = Annotated[Annotated[int, Field(ge=1)] | None, *_or_unknown(type="integer", minimum=1)]
ItemsOrUnknown = Annotated[list[ItemNumber] | None, *_or_unknown(**_ITEMS)]
OperatorOrUnknown = Annotated[Operator | None, *_or_unknown(enum=[">=", ">", "<=", "<"])]


STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)


class Part(BaseModel):
    """A block of the file."""

    model_config = STRICT


class Fact(Part):
    """A block that has to say where its fact is from."""

    evidence: Annotated[
        list[str],
        Field(min_length=1, description="Keys of `sources`, or memory, computed, unknown."),
    ]


class Raters(Part):
    """Who fills the form in; a plain list where no source is needed for it."""

    who: Annotated[list[Rater], Field(min_length=1)]
    evidence: list[str] = []


_WHO = {"type": "array", "items": {"enum": list(get_args(Rater))}, "minItems": 1}
_MARKS = {"type": "array", "items": {"type": "string"}}
_BLOCK = {
    "type": "object",
    "properties": {"who": _WHO, "evidence": _MARKS},
    "required": ["who"],
    "additionalProperties": False,
}
RatersOrList = Annotated[Raters, BeforeValidator(_list_to_raters), WithJsonSchema({"anyOf": [_WHO, _BLOCK]})]


class ItemCount(Fact):
    """How many items the form has."""

    count: CountOrUnknown


class Range(Part):
    """Items whose answers run over another range than most."""

    items: Items
    min: float
    max: float


class Response(Fact):
    """Range of one item as it is filled in, before any reversal."""

    min: NumberOrUnknown
    max: NumberOrUnknown
    other: list[Range] = []
    no_zero: Annotated[bool, Field(description="0 is within the range but is not a response option.")] = False
    not_applicable: Annotated[
        bool, Field(description="'Not applicable' is a response option; it counts as unanswered.")
    ] = False
    answers: Annotated[str, Field(description="What the lowest and highest answer mean.")] = ""


class Reverse(Fact):
    """Items to be reversed; ``unknown`` when the key is not known."""

    items: ItemsOrUnknown


class Recoded(Fact):
    """Items whose answer options earn other points than the options' numbers."""

    items: ItemsOrUnknown
    count: Annotated[int, Field(ge=1)]
    points: Annotated[list[float], Field(min_length=2, description="Points of each option, lowest first.")]


class Subscale(Fact):
    """Items of one subscale, or how many they are where they are not known."""

    items: Annotated[
        Annotated[list[ItemNumber], Field(min_length=1)] | None, *_or_unknown(**_ITEMS, minItems=1)
    ]
    count: Annotated[int, Field(ge=1)] | None = None
    direction: Literal["higher_better", "higher_worse"] | None = None


def _null_to_unknown(schema: dict[str, Any]) -> None:
    schema["anyOf"] = [{"const": UNKNOWN} if s == {"type": "null"} else s for s in schema["anyOf"]]


SubscalesOrUnknown = Annotated[
    dict[Identifier, Subscale] | None,
    BeforeValidator(_unknown_to_none),
    Field(json_schema_extra=_null_to_unknown),
]


class SubscaleRule(Fact):
    """How a subscale is scored, where that differs from the total."""

    rule: ScaleRule


class DerivedScale(Fact):
    """A scale made of other scales, or of the total, multiplied by ``times``."""

    of: Annotated[list[Identifier], Field(min_length=1)]
    times: Annotated[float, Field(gt=0)] = 1.0


class Total(Fact):
    """How items become the total, and the range of the total (none without a total)."""

    rule: TotalRule
    min: NumberOrUnknown = None
    max: NumberOrUnknown = None
    over_raters: Annotated[
        str, Field(description="How ratings of several raters of one session are combined.")
    ] = ""


class WhichWay(Fact):
    """Whether a higher total is better or worse."""

    value: Direction


class Missing(Fact):
    """What happens to a form with unanswered items."""

    rule: MissingHow
    max_missing: Annotated[Annotated[int, Field(ge=0)] | None, *_or_unknown(type="integer", minimum=0)] = None
    scales: dict[Identifier, Annotated[int, Field(ge=0)]] = {}
    whole_form: Annotated[
        bool, Field(description="Beyond max_missing, the form has no scale scores either.")
    ] = False


class Threshold(Fact):
    """A published cut-off on the total or a scale."""

    value: float
    operator: OperatorOrUnknown
    name: str
    scale: str = TOTAL
    metric: Literal["points", "t_score"] = "points"


class Change(Fact):
    """Points of reliable change on the total or a scale, and what they were computed from."""

    points: float
    operator: OperatorOrUnknown
    basis: str
    scale: str = TOTAL
    sd: Annotated[float, Field(gt=0)] | None = None
    reliability: Annotated[float, Field(ge=0, le=1)] | None = None
    reliability_kind: ReliabilityKind | None = None
    z: Annotated[float, Field(gt=0)] | None = None
    population: str = ""


class Important(Fact):
    """Smallest change that matters to people."""

    points: float | None = None
    percent_of_baseline: float | None = None
    basis: str
    population: str = ""
    scale: str = TOTAL


class PublishedReliability(Fact):
    """A published reliability: one ``value``, or ``low`` and ``high``."""

    kind: ReliabilityKind
    value: float | None = None
    low: float | None = None
    high: float | None = None
    sample: str
    scale: str = TOTAL


class Bands(Fact):
    """Severity bands, each by its lower bound."""

    lower_bounds: dict[str, float]


class SafetyItems(Fact):
    """Items about risk."""

    items: list[ItemNumber]
