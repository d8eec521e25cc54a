"""The part of a study file that says where the tables are and what their columns mean."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from alliance_longitudinal.data.study_file.parts import Header, Part, one_to_list

#: Key columns that hold time, and how many weeks one unit is.
TIME_UNITS = {"week": 1.0, "day": 1 / 7, "month": 365.25 / 84}

_SECRET = re.compile(r"password\s*=|:[^/@:]*@", re.IGNORECASE)
_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_NOT_READ = (
    "this is an address; tables are read from files and databases. Download the file and name it here, or describe a "
    "database under 'database:'."
)
_NO_PASSWORD = (
    "a password does not belong into the study file, which is copied and shared. Write 'password: {env: NAME}' with "
    "the name of an environment variable, or 'password: {keyring: SERVICE}'; give host, database and user each in "
    "a line of its own. If this password was real, change it."
)


def _no_secret(value: Any) -> Any:
    """Refuse an address, and without showing it a text that may hold a password."""
    if isinstance(value, str) and _SECRET.search(value):
        raise ValueError(_NO_PASSWORD)
    if isinstance(value, str) and _ADDRESS.search(value):
        raise ValueError(_NOT_READ)
    return value


def _no_plain_password(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError(_NO_PASSWORD)
    return value


def _variable_name(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError(f"this is not the name of an environment variable; {_NO_PASSWORD}")
    return value


Plain = Annotated[str, BeforeValidator(_no_secret), Field(min_length=1)]


class Password(Part):
    """Where the password of a database is kept; never the password itself."""

    env: Annotated[
        str | None,
        BeforeValidator(_variable_name),
        Field(description="Name of the environment variable that has the password."),
    ] = None
    keyring: Annotated[
        Plain | None,
        Field(description="Service under which the system's key store has the password of this user."),
    ] = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.env is None) == (self.keyring is None):
            raise ValueError("give either 'env' or 'keyring'.")
        return self


class Database(Part):
    """A PostgreSQL server."""

    system: Literal["postgresql"] = "postgresql"
    host: Annotated[Plain, Field(description="Name or address; or the folder of a local socket.")]
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    database: Plain
    user: Plain
    password: Annotated[Password | None, BeforeValidator(_no_plain_password)] = None
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"


class Redcap(Part):
    """What is to be known of a REDCap export."""

    dictionary: Annotated[
        str | None, Field(min_length=1, description="The project's data dictionary, a CSV file.")
    ] = None
    instrument: Annotated[
        list[Header] | None,
        BeforeValidator(one_to_list),
        Field(
            description="The repeating form whose instances are the sessions. Several forms are joined by "
            "record and instance."
        ),
    ] = None
    events: Annotated[
        dict[Header, Annotated[int, Field(ge=0)]] | None,
        Field(description="Event -> session number. Rows of other events are left out."),
    ] = None


class SessionColumns(Part):
    """Headers of the sessions table. ``session`` or ``date`` is needed."""

    client: Header
    therapist: Header | None = None
    clinic: Header | None = None
    session: Annotated[Header | None, Field(description="Session number; 0 = intake.")] = None
    date: Header | None = None
    week: Annotated[
        Header | None,
        Field(description="Time in weeks, from any starting point. If absent: computed from dates."),
    ] = None
    day: Annotated[
        Header | None, Field(description="Time in days instead of weeks, from any starting point.")
    ] = None
    month: Annotated[
        Header | None, Field(description="Time in months instead of weeks, from any starting point.")
    ] = None
    arm: Annotated[Header | None, Field(description="Treatment arm of the client.")] = None
    group: Annotated[Header | None, Field(description="Therapy group of the session.")] = None
    family: Annotated[Header | None, Field(description="Couple or family that the client belongs to.")] = None
    episode: Annotated[
        Header | None, Field(description="Episode of care, if the export already separates them.")
    ] = None
    ending: Annotated[
        Header | None, Field(description="How the treatment ended; see 'ending' of the study.")
    ] = None
    rater: Annotated[
        Header | None,
        Field(description="Who filled in the row, where several people rate a session in rows of their own."),
    ] = None
    mode: Annotated[
        Header | None,
        Field(description="How the forms were filled in (paper, tablet, telephone), or in which version."),
    ] = None


class ClientColumns(Part):
    """Headers of the clients table."""

    client: Header
    therapist: Header | None = None
    clinic: Header | None = None
    family: Header | None = None
    ending: Header | None = None
    arm: Header | None = None


class TherapistColumns(Part):
    """Headers of the therapists table."""

    therapist: Header


class Wide(Part):
    """How the headers of repeated columns are built in a table with one row per client."""

    pattern: Annotated[str, Field(description="With {column} and {session}, such as {column}_s{session}.")]

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if "{column}" not in self.pattern or self.pattern.count("{session}") != 1:
            raise ValueError(
                f"{self.pattern!r} must contain {{column}} and {{session}}, as in '{{column}}_s{{session}}'."
            )
        return self


class Table(Part):
    """Where a table is: in a file, in several files, or in a database."""

    file: Annotated[
        Plain | None,
        Field(
            description="Path relative to the study file. For several files: a folder, or a pattern such as "
            "months/*.csv."
        ),
    ] = None
    database: Annotated[Database | None, BeforeValidator(_no_secret)] = None
    sheet: Annotated[str | None, Field(description="Excel only. If absent: the first visible sheet.")] = None
    header_row: Annotated[int, Field(ge=1, description="Row that holds the column names.")] = 1
    table: Annotated[Header | None, Field(description="Database only: the table or view.")] = None
    query: Annotated[Header | None, Field(description="Database only: one SELECT, in place of 'table'.")] = (
        None
    )
    redcap: Redcap | None = None
    overlap: Annotated[
        Literal["refuse", "drop"],
        Field(description="Several files only: what to do with a row that is in two files."),
    ] = "refuse"

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.database is None):
            raise ValueError("give either 'file' or 'database'.")
        if self.table is not None and self.query is not None:
            raise ValueError("give either 'table' or 'query'.")
        if self.database is not None and self.table is None and self.query is None:
            raise ValueError("a database needs 'table' or 'query'.")
        if self.file is not None and self.file.lower().endswith((".csv", ".tsv", ".txt")):
            for key in ("table", "query"):
                if getattr(self, key) is not None:
                    raise ValueError(f"{self.file} is one table; take out '{key}', which is for databases.")
        return self


class SessionsTable(Table):
    """The table of sessions, long (one row per client and session) or wide (one row per client)."""

    layout: Literal["long", "wide"] = "long"
    wide: Wide | None = None
    columns: SessionColumns

    @model_validator(mode="after")
    def _layout_fits(self) -> Self:
        if (self.layout == "wide") != (self.wide is not None):
            raise ValueError("'layout: wide' and a block 'wide: {pattern: ...}' belong together.")
        named = {role for role in ("session", "date", *TIME_UNITS) if getattr(self.columns, role) is not None}
        if self.layout == "long" and not named:
            raise ValueError(
                "'columns' must name 'session' or 'date' (or 'day', 'week', 'month'); without one of them the order is "
                "not known."
            )
        if self.layout == "wide" and self.columns.session is not None:
            raise ValueError(
                "in a wide table the session number comes from the pattern; take out 'columns.session'."
            )
        if self.layout == "wide" and self.columns.rater is not None:
            raise ValueError("in a wide table raters are side by side; take out 'columns.rater'.")
        times = [unit for unit in TIME_UNITS if getattr(self.columns, unit) is not None]
        if len(times) > 1:
            raise ValueError(f"'columns' names {' and '.join(times)}; time is read from one of them.")
        return self


class ClientsTable(Table):
    """The table of clients, one row each, with what is known at baseline."""

    columns: ClientColumns


class TherapistsTable(Table):
    """The table of therapists, one row each."""

    columns: TherapistColumns


class Tables(Part):
    """The tables."""

    sessions: SessionsTable
    clients: ClientsTable | None = None
    therapists: TherapistsTable | None = None
