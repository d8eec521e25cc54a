"""The format of a study file: where the tables are, what the columns mean, how the text is to be read."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, ValidationInfo, model_validator

from alliance_longitudinal.data.cells.dialect import DateOrder
from alliance_longitudinal.data.study_file.blocks import Covariate, Covariates, Exclusion, Reporting
from alliance_longitudinal.data.study_file.checks import ARM, misfits
from alliance_longitudinal.data.study_file.parts import (
    Header,
    Name,
    Part,
    Word,
    block_to_list,
    keys_as_text,
    list_to_mapping,
    number_or_header,
    one_to_list,
)
from alliance_longitudinal.data.study_file.table_blocks import Tables
from alliance_longitudinal.measures.instrument import Construct, Rater
from alliance_longitudinal.strict_yaml import ALLOW_MISFITS, Misfits

Transfers = Literal["refuse", "first", "last", "longest"]
#: Raters for whom no questionnaire has a form of its own; a measure says whose form they filled in.
OtherRater = Literal["partner", "parent", "sibling", "family_member", "group_member", "supervisor"]


class DialectBlock(Part):
    """How the text of the tables is to be read."""

    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal[".", ","] = "."
    thousands: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    encoding: str = "utf-8"
    dates: DateOrder = "iso"
    missing: Annotated[list[Word], Field(default_factory=lambda: ["", "NA"])]

    @model_validator(mode="after")
    def _marks_differ(self) -> Self:
        if self.thousands == self.decimal:
            raise ValueError(
                "'decimal' and 'thousands' are the same mark, so numbers cannot be read. Give two "
                "different marks."
            )
        for key, mark in (("separator", self.separator), ("thousands", self.thousands)):
            if mark is not None and (mark.isalnum() or mark in '+-"\r\n\0'):
                raise ValueError(f"{key!r} is {mark!r}, which is part of numbers, texts or lines themselves.")
        return self


class MissingBlock(Part):
    """The study's own missing-item rule in place of the instrument's."""

    rule: Literal["mean_of_answered", "subscale_mean_rounded", "complete_only"]
    max_missing: Annotated[int, Field(ge=0)] = 0


class MeasureBlock(Part):
    """One instrument as one rater fills it in, from items or as a total."""

    instrument: str
    rater: Annotated[Rater | OtherRater, Field(description="Who filled it in.")] = "client"
    form: Annotated[
        Rater | None,
        Field(description="Whose form was used, if the instrument has no form for this rater."),
    ] = None
    scale: Annotated[Header | None, Field(description="One subscale instead of the total, such as bond.")] = (
        None
    )
    construct_: Annotated[Construct | None, Field(alias="construct")] = None
    items: Annotated[
        list[Header] | None,
        BeforeValidator(one_to_list),
        Field(description="One header per item, in item order; or one pattern such as wai_{item}."),
    ] = None
    total: Header | None = None
    total_is: Annotated[
        Literal["sum", "mean"] | None,
        Field(
            description="Whether the total is the sum or the mean of the items. If absent: as the instrument "
            "file says."
        ),
    ] = None
    entry: Annotated[
        Literal["raw", "prescored"], Field(description="prescored: items are already reversed.")
    ] = "raw"
    timing: Annotated[
        Literal["start", "end"], Field(description="Filled in before or after the session.")
    ] = "start"
    missing: MissingBlock | None = None
    rows: Annotated[
        list[Header] | None,
        BeforeValidator(one_to_list),
        Field(
            description="With 'columns.rater': the raters whose rows have this measure. If absent: all rows."
        ),
    ] = None
    average: Annotated[
        bool, Field(description="With 'columns.rater': the mean over the raters of a session.")
    ] = False

    @model_validator(mode="after")
    def _items_or_total(self) -> Self:
        if (self.items is None) == (self.total is None):
            raise ValueError("give either 'items' or 'total'.")
        if self.total is not None and (self.missing is not None or self.entry != "raw"):
            raise ValueError("'missing' and 'entry' are about items; a total is taken as given.")
        if self.total is None and self.total_is is not None:
            raise ValueError("'total_is' is about a total; the items are added up as the instrument says.")
        return self


class Episodes(Part):
    """When a client who comes back begins a new episode of care, and which episodes are analysed."""

    after_days: Annotated[
        int | None, Field(ge=1, description="A pause of more days than this begins a new episode.")
    ] = None
    at_intake: Annotated[bool, Field(description="Another row of session 0 begins a new episode.")] = False
    analyse: Annotated[
        Literal["first", "last", "each"],
        Field(description="each: every episode counts as a client."),
    ] = "first"


class Ending(Part):
    """What counts as a planned end and what as dropout: words of a column, or a number of sessions."""

    planned: Annotated[list[Word], BeforeValidator(one_to_list), Field(default_factory=list)]
    dropout: Annotated[list[Word], BeforeValidator(one_to_list), Field(default_factory=list)]
    other: Annotated[
        list[Word],
        BeforeValidator(one_to_list),
        Field(
            default_factory=list,
            description="Neither planned nor dropout, such as moved away or still in treatment.",
        ),
    ]
    dropout_below: Annotated[
        int | None,
        Field(
            ge=2, description="Without a column: fewer sessions than this are dropout, the others planned."
        ),
    ] = None

    @model_validator(mode="after")
    def _words_or_number(self) -> Self:
        words = [*self.planned, *self.dropout, *self.other]
        if bool(words) == (self.dropout_below is not None):
            raise ValueError("give either words under 'planned', 'dropout' and 'other', or 'dropout_below'.")
        twice = sorted({w for w in words if words.count(w) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} is there twice.")
        return self


class Simulated(Part):
    """Says that the data are simulated, and where their true parameters are."""

    note: str
    truth: Annotated[str | None, Field(description="YAML file in the folder of the study file.")] = None


class StudyFile(Part):
    """A study: tables, columns, measures and the decisions that go with them."""

    study: Annotated[str, StringConstraints(min_length=1)]
    simulated: Simulated | None = None
    tables: Tables
    dialect: Annotated[DialectBlock, Field(default_factory=lambda: DialectBlock.model_validate({}))]
    instruments: Annotated[str | None, Field(description="Folder with instrument files of your own.")] = None
    measures: Annotated[dict[Name, MeasureBlock], Field(min_length=1)]
    baseline: Annotated[
        dict[Name, Header],
        BeforeValidator(list_to_mapping),
        Field(
            default_factory=dict,
            description="Columns with baseline data of clients: a list of headers, or name: header.",
        ),
    ]
    covariates: Annotated[Covariates, Field(default_factory=lambda: Covariates.model_validate({}))]
    caseload: Annotated[
        float | Header | None,
        BeforeValidator(number_or_header),
        Field(
            description="How many clients a therapist sees in the study period: a number, or a column of the "
            "therapists table."
        ),
    ] = None
    sessions: Annotated[
        dict[Header, Annotated[int, Field(ge=0, le=9999)]],
        BeforeValidator(keys_as_text),
        Field(default_factory=dict, description="Names of sessions, such as pre or post -> session number."),
    ]
    schedule: Annotated[
        dict[Name, Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1)]],
        Field(
            default_factory=dict, description="Planned assessments of a measure, in the study's time unit."
        ),
    ]
    exclude: Annotated[
        list[Exclusion],
        BeforeValidator(block_to_list),
        Field(default_factory=list, description="Rows to leave out, each rule with its reason."),
    ]
    reporting: Annotated[Reporting, Field(default_factory=lambda: Reporting.model_validate({}))]
    early_window: Annotated[
        list[Annotated[int, Field(ge=0)]], Field(default_factory=lambda: [1, 5], min_length=2, max_length=2)
    ]
    episodes: Episodes | None = None
    ending: Ending | None = None
    transfers: Annotated[
        Transfers, Field(description="Which therapist counts for a client who had several.")
    ] = "refuse"
    client_ids: Annotated[
        Literal["unique", "within-therapist"],
        Field(description="within-therapist: client ids start again at each therapist."),
    ] = "unique"
    small_cells: Annotated[
        int, Field(ge=1, description="Smallest number of people that a shareable report may show.")
    ] = 10

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> Self:
        problems = misfits(self)
        first, last = self.early_window
        if first > last:
            problems.append(f"'early_window' runs backwards: [{first}, {last}].")
        if problems and info.context != ALLOW_MISFITS:
            raise Misfits(problems)
        return self

    @property
    def arm(self) -> str | None:
        """Header of the treatment arm, wherever the file names it."""
        clients = self.tables.clients
        in_clients = None if clients is None else clients.columns.arm
        return self.tables.sessions.columns.arm or in_clients or self.baseline.get(ARM)

    @property
    def of_clients(self) -> dict[str, Covariate]:
        """What is known of a client at the start, by name: the arm, ``baseline``, and covariates of clients."""
        arm = {} if self.arm is None else {ARM: self.arm}
        plain = {**arm, **{name: header for name, header in self.baseline.items() if name != ARM}}
        return {name: Covariate(column=header) for name, header in plain.items()} | self.covariates.client

    @property
    def time_unit(self) -> Literal["weeks", "days", "months", "sessions"]:
        """The unit in which the file gives time; dates count in weeks."""
        columns = self.tables.sessions.columns
        if columns.day is not None:
            return "days"
        if columns.month is not None:
            return "months"
        return "sessions" if columns.week is None and columns.date is None else "weeks"


def study_json_schema() -> dict[str, Any]:
    """JSON Schema of a study file, for editors; ``data_schema/study.schema.json`` holds it."""
    schema = StudyFile.model_json_schema(by_alias=True)
    properties = schema["properties"]
    measures = schema["$defs"]["MeasureBlock"]["properties"]
    texts = {"type": "array", "items": {"type": "string"}}
    _also(properties["baseline"], texts)
    levels = schema["$defs"]["Covariates"]["properties"]
    for level in levels.values():
        _also(next(iter(level["patternProperties"].values())), {"type": "string"})
        _also(level, texts)
    _also(schema["$defs"]["Redcap"]["properties"]["instrument"], {"type": "string"})
    _also(measures["items"], {"type": "string"})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Study file"}


def _also(target: dict[str, Any], other: dict[str, Any]) -> None:
    """Let ``target`` have a second form."""
    keep: dict[str, Any] = {k: target.pop(k) for k in ("default", "description", "title") if k in target}
    known = target.pop("anyOf", None) or [dict(target)]
    target.clear()
    target.update({"anyOf": [*known, other], **keep})
