"""What the blocks of a study file are made of."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from alliance_longitudinal.data.cells.texts import clean

#: A text that is compared with cells of a table, and so has to be as clean as they are.
Word = Annotated[str, AfterValidator(clean)]
Header = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(clean)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class Part(BaseModel):
    """A block of a study file: strict, frozen, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def one_to_list(value: Any) -> Any:
    """A single text as a list of one."""
    return [value] if isinstance(value, str) else value


def list_to_mapping(value: Any) -> Any:
    """A list of texts as a mapping of each to itself."""
    return {str(item): item for item in value} if isinstance(value, list) else value


def keys_as_text(value: Any) -> Any:
    """A mapping with whole numbers among its keys, with their texts in place of them."""
    if not isinstance(value, dict):
        return value
    return {str(key) if isinstance(key, int) else key: item for key, item in value.items()}
