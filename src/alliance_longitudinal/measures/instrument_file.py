"""The format of an instrument file, and the way from such a file to an :class:`Instrument`.

The same format serves the instruments that come with the package and those that a user adds. Every fact
stands beside its evidence, so that none can be added without saying where it comes from.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field

from alliance_longitudinal.measures import file_parts as parts
from alliance_longitudinal.measures.file_checks import file_mistakes
from alliance_longitudinal.measures.instrument import (
    UNKNOWN,
    Construct,
    Cutoff,
    Derived,
    ImportantChange,
    Instrument,
    MissingRule,
    OtherRange,
    Recode,
    Reliability,
    ReliableChange,
    Status,
)
from alliance_longitudinal.strict_yaml import raise_mistakes, read_document, validate

_WHAT = "instrument file"


class InstrumentFile(BaseModel):
    """One questionnaire in one version. No item texts: most are copyrighted."""

    model_config = parts.STRICT

    id: parts.Identifier
    replaces_shipped: Annotated[
        bool, Field(description="This file replaces the package's own of the same id.")
    ] = False
    label: Annotated[str, Field(description="Short name for people, such as PHQ-9.")]
    name: Annotated[str, Field(description="Name in full.")]
    construct_: Annotated[Construct, Field(alias="construct")]
    raters: parts.RatersOrList
    items: parts.ItemCount
    response: parts.Response
    reverse: parts.Reverse
    recode: parts.Recoded | None = None
    subscales: parts.SubscalesOrUnknown = {}
    partition: Annotated[bool, Field(description="The subscales cover every item exactly once.")] = False
    subscale_rule: parts.SubscaleRule | None = None
    derived: dict[parts.Identifier, parts.DerivedScale] = {}
    total: parts.Total
    direction: parts.WhichWay
    missing: parts.Missing
    cutoffs: list[parts.Threshold] = []
    reliable_change: list[parts.Change] = []
    important_change: list[parts.Important] = []
    reliability: list[parts.PublishedReliability] = []
    bands: parts.Bands | None = None
    scale_bands: dict[parts.Identifier, parts.Bands] = {}
    safety_items: parts.SafetyItems | None = None
    not_known: Annotated[list[str], Field(description="Other facts that no source gives.")] = []
    status: Status
    sources: Annotated[dict[str, str], Field(description="Source key -> address.")] = {}
    citations: list[str] = []
    notes: list[str] = []

    @property
    def scales(self) -> dict[str, parts.Subscale]:
        """The subscales that have a name."""
        return self.subscales or {}

    def facts(self) -> dict[str, tuple[tuple[str | int, ...], list[str]]]:
        """Every fact by the name under which it is reported: its place in the file, and its evidence."""
        found: dict[str, tuple[tuple[str | int, ...], list[str]]] = {
            "items": (("items",), self.items.evidence),
            "response range": (("response",), self.response.evidence),
            "reverse key": (("reverse",), self.reverse.evidence),
        }
        if self.raters.evidence:
            found["raters"] = (("raters",), self.raters.evidence)
        if self.recode:
            found["recoded items"] = (("recode",), self.recode.evidence)
        if self.subscales is None:
            found["subscales"] = (("subscales",), [UNKNOWN])
        for name, scale in self.scales.items():
            found[f"subscale {name}"] = (("subscales", name), scale.evidence)
        if self.subscale_rule:
            found["subscale rule"] = (("subscale_rule",), self.subscale_rule.evidence)
        for name, derived in self.derived.items():
            found[f"derived scale {name}"] = (("derived", name), derived.evidence)
        found["total"] = (("total",), self.total.evidence)
        found["direction"] = (("direction",), self.direction.evidence)
        found["missing-item rule"] = (("missing",), self.missing.evidence)
        found |= self._published()
        if self.bands:
            found["bands"] = (("bands",), self.bands.evidence)
        for name, bands in self.scale_bands.items():
            found[f"bands ({name})"] = (("scale_bands", name), bands.evidence)
        if self.safety_items:
            found["safety items"] = (("safety_items",), self.safety_items.evidence)
        return found | {fact: (("not_known",), [UNKNOWN]) for fact in self.not_known}

    def _published(self) -> dict[str, tuple[tuple[str | int, ...], list[str]]]:
        """Facts of which there may be several on one scale."""
        found: dict[str, tuple[tuple[str | int, ...], list[str]]] = {}
        for k, cutoff in enumerate(self.cutoffs):
            found[f"cut-off ({cutoff.scale}, {cutoff.name})"] = (("cutoffs", k), cutoff.evidence)
        for k, change in enumerate(self.reliable_change):
            alone = sum(c.scale == change.scale for c in self.reliable_change) == 1
            which = change.scale if alone else f"{change.scale}, {change.points:g} points"
            found[f"reliable change ({which})"] = (("reliable_change", k), change.evidence)
        for k, important in enumerate(self.important_change):
            which = f"{important.scale}, {important.basis}"
            found[f"important change ({which})"] = (("important_change", k), important.evidence)
        for k, known in enumerate(self.reliability):
            which = f"{known.kind}, {known.scale}, {known.sample}"
            found[f"reliability ({which})"] = (("reliability", k), known.evidence)
        return found


def read_instrument(path: Path) -> Instrument:
    """Read one instrument file.

    Raises
    ------
    StudyError
        If the file breaks the format or contradicts itself; every mistake with its line.
    """
    document = read_document(path, _WHAT)
    file = validate(document, InstrumentFile, _WHAT)
    raise_mistakes(document, _WHAT, file_mistakes(file))
    return _build(file)


def instrument_json_schema() -> dict[str, Any]:
    """JSON Schema of an instrument file, for editors; ``data_schema/instrument.schema.json`` holds it."""
    schema = InstrumentFile.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Instrument file"}


def _build(file: InstrumentFile) -> Instrument:
    scales, missing = file.scales, file.missing
    return Instrument(
        id=file.id,
        label=file.label,
        name=file.name,
        construct=file.construct_,
        raters=tuple(file.raters.who),
        n_items=file.items.count,
        response_min=file.response.min,
        response_max=file.response.max,
        reverse=None if file.reverse.items is None else tuple(file.reverse.items),
        subscales={name: tuple(s.items) for name, s in scales.items() if s.items is not None},
        partition=file.partition,
        total_rule=file.total.rule,
        total_min=file.total.min,
        total_max=file.total.max,
        direction=file.direction.value,
        missing=MissingRule(missing.rule, missing.max_missing, dict(missing.scales), missing.whole_form),
        cutoffs=tuple(Cutoff(c.value, c.operator, c.name, c.scale, c.metric) for c in file.cutoffs),
        reliable_changes=tuple(
            ReliableChange(**c.model_dump(exclude={"evidence"})) for c in file.reliable_change
        ),
        bands=dict(file.bands.lower_bounds) if file.bands else {},
        safety_items=tuple(file.safety_items.items) if file.safety_items else (),
        status=file.status,
        evidence={name: tuple(marks) for name, (_, marks) in file.facts().items()},
        sources=dict(file.sources),
        citations=tuple(file.citations),
        notes=tuple(file.notes),
        subscale_rule=file.subscale_rule.rule if file.subscale_rule else None,
        unlisted_subscales={name: s.count for name, s in scales.items() if s.items is None},
        derived={name: Derived(tuple(d.of), d.times) for name, d in file.derived.items()},
        scale_directions={name: s.direction for name, s in scales.items() if s.direction},
        other_ranges=tuple(OtherRange(tuple(o.items), o.min, o.max) for o in file.response.other),
        recode=_recode(file.recode),
        no_zero=file.response.no_zero,
        not_applicable=file.response.not_applicable,
        answers=file.response.answers,
        over_raters=file.total.over_raters,
        important_changes=tuple(
            ImportantChange(**c.model_dump(exclude={"evidence"})) for c in file.important_change
        ),
        reliabilities=tuple(_reliability(r) for r in file.reliability),
        scale_bands={name: dict(b.lower_bounds) for name, b in file.scale_bands.items()},
        replaces_shipped=file.replaces_shipped,
    )


def _recode(block: parts.Recoded | None) -> Recode | None:
    if block is None:
        return None
    return Recode(None if block.items is None else tuple(block.items), block.count, tuple(block.points))


def _reliability(block: parts.PublishedReliability) -> Reliability:
    low, high = (block.low, block.high) if block.value is None else (block.value, block.value)
    if low is None or high is None:  # pragma: no cover - the file's checks refuse it
        raise AssertionError
    return Reliability(block.kind, low, high, block.sample, block.scale)
