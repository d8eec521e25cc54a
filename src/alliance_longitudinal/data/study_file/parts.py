"""What the blocks of a study file are made of."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from alliance_longitudinal.data.cells.texts import clean

#: A text that is compared with cells of a table, and so has to be as clean as they are.
Word = Annotated[str, AfterValidator(clean)]
Header = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(clean)]
_NAME = re.compile("[A-Za-z][A-Za-z0-9_]*")
Name = Annotated[str, StringConstraints(pattern=f"^{_NAME.pattern}$")]


class Part(BaseModel):
    """A block of a study file: strict, frozen, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def one_to_list(value: Any) -> Any:
    """A single text, or a number that is meant as one, as a list of one."""
    return [value] if isinstance(value, str | int | float) else value


def list_to_mapping(value: Any) -> Any:
    """A list of texts as a mapping of each to itself."""
    if not isinstance(value, list):
        return value
    wrong = [str(item) for item in value if not _NAME.fullmatch(str(item))]
    if wrong:
        own = ", ".join(f"{_made_name(header)}: {header}" for header in wrong)
        raise ValueError(
            f"in a list, headers are names, and {', '.join(map(repr, wrong))} cannot be one, because a name is of letters "
            f"(a to z), digits and '_'. Give names of your own, such as {{{own}}}; the treatment arm is called 'arm', as in "
            f"{{arm: {wrong[0]}}}."
        )
    return {str(item): item for item in value}


def _made_name(header: str) -> str:
    """A name that a header could have."""
    name = re.sub("[^A-Za-z0-9]+", "_", header).strip("_")
    return name if _NAME.fullmatch(name) else f"x_{name}".rstrip("_")


def keys_as_text(value: Any) -> Any:
    """A mapping with whole numbers among its keys, with their texts in place of them."""
    if not isinstance(value, dict):
        return value
    return {str(key) if isinstance(key, int) else key: item for key, item in value.items()}


def block_to_list(value: Any) -> Any:
    """A single block as a list of one."""
    return [value] if isinstance(value, dict) else value


def number_or_header(value: Any) -> Any:
    """A number above 0, or a text; anything else is refused."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (value is None or isinstance(value, str) or (number and 0 < value < float("inf"))):
        raise ValueError(f"it is {value!r}; it must be a number above 0 or the name of a column.")
    return float(value) if number else value
