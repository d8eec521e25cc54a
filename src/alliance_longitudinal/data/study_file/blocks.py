"""Blocks of a study file beside tables and measures: covariates, rows to leave out, and what a report has to state."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from alliance_longitudinal.data.study_file.parts import Header, Name, Part, Word, list_to_mapping, one_to_list

Level = Literal["client", "therapist", "session"]


def _short_form(value: Any) -> Any:
    """A header alone as a covariate without further facts."""
    return {"column": str(value)} if isinstance(value, str | int | float) and value is not True else value


class Covariate(Part):
    """A covariate: its column and, for categories, which is the reference or how they are ordered."""

    column: Header
    reference: Annotated[
        Word | None, Field(description="The category that the others are compared with.")
    ] = None
    order: Annotated[list[Word] | None, Field(min_length=2, description="The categories, lowest first.")] = (
        None
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.reference is not None and self.order is not None:
            raise ValueError("give either 'reference' or 'order'; the first of 'order' is the reference.")
        twice = sorted({w for w in self.order or () if (self.order or []).count(w) > 1})
        if twice:
            raise ValueError(f"'order' names {twice[0]!r} twice.")
        return self

    @property
    def is_category(self) -> bool:
        """Whether its values are categories even where they look like numbers."""
        return self.reference is not None or self.order is not None


Listed = dict[Name, Annotated[Covariate, BeforeValidator(_short_form)]]


class Covariates(Part):
    """Covariates by level: of clients, of therapists, and of single sessions."""

    client: Annotated[
        Listed,
        BeforeValidator(list_to_mapping),
        Field(
            default_factory=dict,
            description="Characteristics of clients at the start: in the clients table, or the same in all rows of "
            "a client.",
        ),
    ]
    therapist: Annotated[
        Listed,
        BeforeValidator(list_to_mapping),
        Field(
            default_factory=dict,
            description="Characteristics of therapists: in the therapists table, or the same in all rows of a "
            "therapist.",
        ),
    ]
    session: Annotated[
        Listed,
        BeforeValidator(list_to_mapping),
        Field(default_factory=dict, description="One value per session, from the sessions table."),
    ]


class Where(Part):
    """Which rows: those whose cell in ``column`` is one of these texts, is none of them, or is empty."""

    column: Header
    equals: Annotated[list[Word] | None, BeforeValidator(one_to_list)] = None
    not_equals: Annotated[list[Word] | None, BeforeValidator(one_to_list)] = None
    empty: Annotated[
        bool | None, Field(description="true: rows in which the cell is empty or a missing code.")
    ] = None

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if sum(given is not None for given in (self.equals, self.not_equals, self.empty)) != 1:
            raise ValueError("give one of 'equals', 'not_equals' and 'empty'.")
        return self


class Exclusion(Part):
    """Rows that are left out, and why; the sample flow counts them with the reason."""

    where: Where
    because: Annotated[str, Field(min_length=1, description="The reason, as the sample flow states it.")]
    table: Annotated[
        Literal["sessions", "clients", "therapists"], Field(description="The table whose rows are left out.")
    ] = "sessions"


class Reporting(Part):
    """What a report has to state about the study and no table holds (STROBE, RECORD)."""

    setting: Annotated[str | None, Field(description="Where clients were treated.")] = None
    dates: Annotated[str | None, Field(description="From when to when data were collected.")] = None
    eligibility: Annotated[str | None, Field(description="Who could take part.")] = None
    bias: Annotated[str | None, Field(description="How likely sources of bias were handled.")] = None
    ethics: Annotated[str | None, Field(description="Approval and consent.")] = None
    funding: Annotated[str | None, Field(description="Who funded the study, and the role of the funder.")] = (
        None
    )
    registration: Annotated[str | None, Field(description="Register and registration number.")] = None
    data_access: Annotated[str | None, Field(description="Who can get the data, and how.")] = None

    def stated(self) -> dict[str, str]:
        """What is given, by key."""
        return {key: value for key, value in self.model_dump(exclude_none=True).items() if value.strip()}
