"""What an analysis can be asked: typed, checked, and refused with the nearest right name."""

import difflib
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from alliance_longitudinal.errors import StudyError


class Params(BaseModel):
    """Base of every analysis's parameters. Frozen; unknown names are refused.

    Values may be typed (from Python or YAML) or text (from the command line).

    Attributes
    ----------
    audience : {"internal", "shareable"}
        Who may see the result: whoever may see the data, or outsiders, for whom small counts are hidden.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    audience: Literal["internal", "shareable"] = "internal"

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
        """Names of the parameters: the analysis's own first, then what it shares with others."""
        inherited = [name for base in cls.__mro__ for name in vars(base).get("__annotations__", {})]
        return [n for n in dict.fromkeys(inherited) if n in cls.model_fields]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, such as a notebook's parameters cell holds, and in its order."""
        values = self.model_dump(mode="json")
        return {name: values[name] for name in self.names()}


def _nothing(value: object) -> object:
    """The command line's way to say None."""
    return None if isinstance(value, str) and value.strip().lower() in {"none", "null", ""} else value


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"][:1]) or "parameters"
    text = str(error["msg"]).removeprefix("Value error, ")
    return f"Parameter {where!r}: {text[:1].lower() + text[1:]}; got {error['input']!r}."
