"""What an analysis can be asked: typed, checked, and refused with the nearest right name.

The parameters of an analysis are those of its function. This file holds what they are made of: the aliases that
several analyses share, each with its description, and the model that checks them.
"""

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self, get_args, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
)

from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.timing import TimeWindow


def _window(value: object) -> tuple[int, int] | None:
    if value is None:
        return None
    window = TimeWindow.parse(value)
    return window.first, window.last


def _names(value: object) -> object:
    """A text such as ``age,sex``, or nothing, as a list of names."""
    if not isinstance(value, str):
        return value or None
    return tuple(name for name in (part.strip() for part in value.strip("[]()").split(",")) if name) or None


#: Before a parameter that is a tuple of names: takes a text such as ``age,sex``, too.
AS_NAMES = BeforeValidator(_names)


def _numbers(value: object) -> object:
    """A text such as ``0,2,4``, or one number, as a tuple of numbers."""
    return (
        (value,)
        if isinstance(value, int | float) and not isinstance(value, bool)
        else _names(value)
        if isinstance(value, str)
        else value
    )


#: Before a parameter that is a tuple of numbers: takes a text such as ``0,2,4``, or one number, too.
AS_NUMBERS = BeforeValidator(_numbers)


def _enough_samples(value: int) -> int:
    if 0 < value < 50:
        raise ValueError("give 0 for the profile likelihood; a bootstrap needs at least 50 samples")
    return value


AllianceName = Annotated[
    str | None, Field(description="Alliance measure, by its name in the study file. None: the first one.")
]
OutcomeName = Annotated[
    str | None, Field(description="Symptom measure, by its name in the study file. None: the first one.")
]
Clinic = Annotated[str | None, Field(description="Analyse only this clinic. None: all clinics together.")]
#: Several names, also as a text such as ``age,sex``; give it a description of its own.
Names = Annotated[tuple[str, ...] | None, AS_NAMES]
Covariates = Annotated[
    tuple[str, ...] | None,
    AS_NAMES,
    Field(
        description="Covariates of clients, therapists or sessions to adjust for, by their names in the study "
        "file, such as age,sex; 'arm' is the treatment arm. None: no adjustment."
    ),
]
By = Annotated[
    str | None,
    Field(
        description="Compare groups of clients: 'arm', or a covariate of clients that is a category. Or "
        "analyse only one group, as in arm=CBT."
    ),
]
Window = Annotated[
    tuple[int, int] | None,
    BeforeValidator(_window),
    Field(description="First and last early session, such as 1,5. None: the early window of the study file."),
]
Samples = Annotated[
    int,
    AfterValidator(_enough_samples),
    Field(
        ge=0,
        le=10_000,
        description="Bootstrap samples for the intervals of variance shares. 0: intervals from the profile "
        "likelihood, which are more accurate.",
    ),
]
Seed = Annotated[
    int, Field(ge=0, description="Seed of the random numbers. The same seed gives the same result.")
]
Audience = Annotated[
    Literal["internal", "shareable"],
    Field(
        description="Who may see the result. internal: people who may see the data. shareable: everybody; "
        "counts of people are rounded and small ones hidden."
    ),
]


class Params(BaseModel):
    """Base of every analysis's parameters. Frozen; unknown names are refused.

    Values may be typed (from Python or YAML) or text (from the command line).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    audience: Audience = "internal"

    @classmethod
    def of(cls, function: Callable[..., Any]) -> type[Self]:
        """The parameters of an analysis, read from its function's signature."""
        hints = get_type_hints(function, include_extras=True)
        own = [p for p in inspect.signature(function).parameters.values() if p.name != "study"]
        fields: Any = {p.name: (hints[p.name], ... if p.default is p.empty else p.default) for p in own}
        return create_model(function.__name__, __base__=cls, **fields)

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> Self:
        """Check ``values`` and fill in defaults.

        Raises
        ------
        StudyError
            Listing every unknown name (with the nearest known one) and every value that cannot be used.
        """
        problems = [cls._unknown(name) for name in values if name not in cls.model_fields]
        known = {k: _nothing(v) for k, v in values.items() if k in cls.model_fields}
        try:
            params = cls.model_validate(known)
        except ValidationError as error:
            problems += [_sentence(e) for e in error.errors()]
        if problems:
            raise StudyError("\n".join(problems))
        return params

    @classmethod
    def _unknown(cls, name: str) -> str:
        near = difflib.get_close_matches(name, cls.model_fields, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]!r}?" if near else ""
        return f"There is no parameter {name!r}. {hint} Known: {', '.join(cls.names())}.".replace("  ", " ")

    @classmethod
    def names(cls) -> list[str]:
        """Names of the parameters in the order of the function's signature; the audience comes last."""
        return [*(n for n in cls.model_fields if n != "audience"), "audience"]

    @classmethod
    def described(cls) -> str:
        """The parameters as the section of a docstring."""
        lines = []
        for name in cls.names():
            field = cls.model_fields[name]
            lines.append(f"{name} : {type_words(field.annotation)}, default {field.default!r}")
            lines.append(f"    {field.description}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, such as a notebook's parameters cell holds, and in its order."""
        values = self.model_dump(mode="json")
        return {name: values[name] for name in self.names()}


def type_words(annotation: Any) -> str:
    """A type as a docstring names it.

    Examples
    --------
    >>> type_words(float | Literal["a", "b"] | None)
    "float, 'a', 'b' or None"
    """
    words = _kinds(annotation)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _kinds(annotation: Any) -> list[str]:
    inner = get_args(annotation)
    if annotation is type(None):
        return ["None"]
    if getattr(annotation, "__origin__", None) is Literal:
        return [repr(a) for a in inner]
    if getattr(annotation, "__origin__", None) is tuple:
        return [f"({', '.join('...' if a is ... else type_words(a) for a in inner)})"]
    if hasattr(annotation, "__metadata__"):
        return _kinds(inner[0])
    if inner and not isinstance(annotation, type):
        return [word for a in inner for word in _kinds(a)]
    return [getattr(annotation, "__name__", str(annotation))]


def _nothing(value: object) -> object:
    """The command line's way to say None: ``none`` in small letters, for a clinic may be called None."""
    return None if isinstance(value, str) and value.strip() in {"none", "null", ""} else value


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"][:1]) or "parameters"
    text = str(error["msg"]).removeprefix("Value error, ")
    return f"Parameter {where!r}: {text[:1].lower() + text[1:]}; got {error['input']!r}."
