"""The format of a study file: where the tables are, what the columns mean, how the text is to be read."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from alliance_longitudinal.data.dialect import DateOrder
from alliance_longitudinal.measures.instrument import Construct, Rater

RESERVED = ("client", "therapist", "clinic", "session", "week", "date", "seen_by")

Header = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Transfers = Literal["refuse", "first", "last", "longest"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _one_to_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _list_to_mapping(value: Any) -> Any:
    return {str(item): item for item in value} if isinstance(value, list) else value


class SessionColumns(_Part):
    """Headers of the sessions table. ``session`` or ``date`` is needed."""

    client: Header
    therapist: Header | None = None
    clinic: Header | None = None
    session: Annotated[Header | None, Field(description="Session number; 0 = intake.")] = None
    date: Header | None = None
    week: Annotated[
        Header | None, Field(description="Weeks, on any origin; computed from dates if absent.")
    ] = None


class ClientColumns(_Part):
    """Headers of the clients table."""

    client: Header
    therapist: Header | None = None
    clinic: Header | None = None


class Wide(_Part):
    """How the headers of repeated columns are built in a table with one row per client."""

    pattern: Annotated[str, Field(description="With {column} and {session}, such as {column}_s{session}.")]

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if "{column}" not in self.pattern or self.pattern.count("{session}") != 1:
            raise ValueError(
                f"{self.pattern!r} must contain {{column}} and {{session}}, as in '{{column}}_s{{session}}'."
            )
        return self


class _Table(_Part):
    file: Annotated[str, Field(min_length=1, description="Relative to the study file.")]
    sheet: Annotated[str | None, Field(description="Excel only; the first sheet if absent.")] = None
    header_row: Annotated[int, Field(ge=1, description="Row that holds the column names.")] = 1


class SessionsTable(_Table):
    """The table of sessions, long (one row per client and session) or wide (one row per client)."""

    layout: Literal["long", "wide"] = "long"
    wide: Wide | None = None
    columns: SessionColumns

    @model_validator(mode="after")
    def _layout_fits(self) -> Self:
        if (self.layout == "wide") != (self.wide is not None):
            raise ValueError("'layout: wide' and a block 'wide: {pattern: ...}' belong together.")
        if self.layout == "long" and self.columns.session is None and self.columns.date is None:
            raise ValueError(
                "'columns' must name 'session' or 'date'; without either the order is not known."
            )
        if self.layout == "wide" and self.columns.session is not None:
            raise ValueError(
                "in a wide table the session number comes from the pattern; take out 'columns.session'."
            )
        return self


class ClientsTable(_Table):
    """The table of clients, one row each, with what is known at baseline."""

    columns: ClientColumns


class Tables(_Part):
    """The files."""

    sessions: SessionsTable
    clients: ClientsTable | None = None


class DialectBlock(_Part):
    """How the text of the tables is to be read."""

    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal[".", ","] = "."
    thousands: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    encoding: str = "utf-8"
    dates: DateOrder = "iso"
    missing: list[str] = ["", "NA"]

    @model_validator(mode="after")
    def _marks_differ(self) -> Self:
        if self.thousands == self.decimal:
            raise ValueError("'decimal' and 'thousands' are the same mark; a number could not be read.")
        return self


class MissingBlock(_Part):
    """The study's own missing-item rule in place of the instrument's."""

    rule: Literal["mean_of_answered", "subscale_mean_rounded", "complete_only"]
    max_missing: Annotated[int, Field(ge=0)] = 0


class MeasureBlock(_Part):
    """One instrument as one rater fills it in, from items or as a total."""

    instrument: str
    rater: Rater = "client"
    construct_: Annotated[Construct | None, Field(alias="construct")] = None
    items: Annotated[
        list[Header] | None,
        BeforeValidator(_one_to_list),
        Field(description="One header an item, in item order; or one pattern such as wai_{item}."),
    ] = None
    total: Header | None = None
    entry: Annotated[Literal["raw", "prescored"], Field(description="prescored: already reversed.")] = "raw"
    timing: Annotated[
        Literal["start", "end"], Field(description="Filled in before or after the session.")
    ] = "start"
    missing: MissingBlock | None = None

    @model_validator(mode="after")
    def _items_or_total(self) -> Self:
        if (self.items is None) == (self.total is None):
            raise ValueError("give either 'items' or 'total'.")
        if self.total is not None and (self.missing is not None or self.entry != "raw"):
            raise ValueError("'missing' and 'entry' are about items; a total is taken as given.")
        return self


class Simulated(_Part):
    """Says that the data are simulated, and where their true parameters are."""

    note: str
    truth: Annotated[str | None, Field(description="YAML file beside the study file.")] = None


class StudyFile(_Part):
    """A study: tables, columns, measures and the decisions that go with them."""

    study: Annotated[str, StringConstraints(min_length=1)]
    simulated: Simulated | None = None
    tables: Tables
    dialect: DialectBlock = DialectBlock()
    instruments: Annotated[str | None, Field(description="Folder with instrument files of your own.")] = None
    measures: Annotated[dict[Name, MeasureBlock], Field(min_length=1)]
    baseline: Annotated[
        dict[Name, Header],
        BeforeValidator(_list_to_mapping),
        Field(description="Columns known at baseline: a list of headers, or name: header."),
    ] = {}
    early_window: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2, max_length=2)] = [1, 5]
    transfers: Annotated[
        Transfers, Field(description="Therapist under whom a client with several is analysed.")
    ] = "refuse"
    client_ids: Annotated[
        Literal["unique", "within-therapist"],
        Field(description="within-therapist: the ids start again at each therapist."),
    ] = "unique"
    small_cells: Annotated[
        int, Field(ge=1, description="Smallest number of people that a table may show.")
    ] = 10

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [*_therapist_problems(self), *_name_problems(self)]
        first, last = self.early_window
        if first > last:
            problems.append(f"'early_window' runs backwards: [{first}, {last}].")
        if problems:
            raise ValueError(" ".join(problems))
        return self


def study_json_schema() -> dict[str, Any]:
    """JSON Schema of a study file, for editors; ``data_schema/study.schema.json`` holds it."""
    schema = StudyFile.model_json_schema(by_alias=True)
    properties = schema["properties"]
    measures = schema["$defs"]["MeasureBlock"]["properties"]
    _also(properties["baseline"], {"type": "array", "items": {"type": "string"}})
    _also(measures["items"], {"type": "string"})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Study file"}


def table_path(study_path: Path, table: SessionsTable | ClientsTable) -> Path:
    """Where a table is: relative to the study file unless absolute."""
    return study_path.parent / table.file


def _also(target: dict[str, Any], other: dict[str, Any]) -> None:
    """Let ``target`` have a second form."""
    keep: dict[str, Any] = {k: target.pop(k) for k in ("default", "description", "title") if k in target}
    known = target.pop("anyOf", None) or [dict(target)]
    target.clear()
    target.update({"anyOf": [*known, other], **keep})


def _therapist_problems(file: StudyFile) -> list[str]:
    sessions, clients = file.tables.sessions, file.tables.clients
    places = [t for t in (sessions, clients) if t is not None and t.columns.therapist is not None]
    if not places:
        return ["no table names a 'therapist' column; the therapist level needs one."]
    if file.client_ids == "within-therapist":
        if len(places) < sum(t is not None for t in (sessions, clients)):
            return ["with 'client_ids: within-therapist' every table must name its 'therapist' column."]
    elif len(places) == 2:
        return ["both tables name a 'therapist' column; name it in one of them."]
    return []


def _name_problems(file: StudyFile) -> list[str]:
    problems = []
    for name in (*file.measures, *file.baseline):
        if name in RESERVED:
            problems.append(f"the name {name!r} is taken by the package; choose another.")
    both = sorted(set(file.measures) & set(file.baseline))
    if both:
        problems.append(f"{', '.join(both)}: a name may stand for a measure or a baseline column, not both.")
    return problems
