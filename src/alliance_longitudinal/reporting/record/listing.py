"""The analyses and their parameters as a list for the terminal and as data."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from alliance_longitudinal.reporting.record.arguments import as_argument

_WIDTH = 96


def analysis_record(analysis: Any) -> dict[str, Any]:
    """Name, title, question and parameters of one analysis as plain data."""
    properties = analysis.params.model_json_schema()["properties"]
    defaults = analysis.params().to_dict()
    parameters = [
        {
            "name": name,
            "values": type_words(properties[name]),
            "default": defaults[name],
            "description": properties[name].get("description", ""),
        }
        for name in analysis.params.names()
    ]
    return {
        "name": analysis.name,
        "title": analysis.title,
        "question": analysis.question,
        "parameters": parameters,
    }


def analyses_lines(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """One entry per analysis, with what a study lacks for it where that was asked; and where to read on."""
    for record in records:
        yield f"{record['name']}: {record['title']}"
        yield from _wrapped(record["question"])
        if "missing" in record:
            missing = record["missing"]
            yield from _wrapped(
                f"Not with these data: {missing}" if missing else "Can be answered with these data."
            )
    yield ""
    yield "Parameters of one of them: alliance list NAME"


def parameter_lines(record: Mapping[str, Any]) -> Iterator[str]:
    """The parameters of one analysis, each as it is typed, with its default and description."""
    yield f"{record['name']}: {record['title']}"
    yield from _wrapped(record["question"])
    yield ""
    yield "Parameters, each set with -p NAME=VALUE or in a batch file:"
    for parameter in record["parameters"]:
        default = "none" if parameter["default"] is None else as_argument(parameter["default"])
        yield f"  {parameter['name']}  ({parameter['values']}; default {default})"
        yield from _wrapped(parameter["description"], "      ")


def type_words(schema: Mapping[str, Any]) -> str:
    """Which values a parameter takes, as they are typed.

    Examples
    --------
    >>> type_words({"anyOf": [{"type": "array", "maxItems": 2, "items": {"type": "integer"}}, {"type": "null"}]})
    'numbers with commas'
    >>> type_words({"enum": ["internal", "shareable"]})
    'internal, shareable'
    """
    words: dict[str, None] = {}
    for kind in schema.get("anyOf", schema.get("oneOf", [schema])):
        if "enum" in kind:
            words |= dict.fromkeys(str(value) for value in kind["enum"])
        elif "const" in kind:
            words[str(kind["const"])] = None
        elif kind.get("type") != "null":
            words[_TYPES.get(str(kind.get("type")), "text")] = None
    return ", ".join(words) or "text"


_TYPES = {
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "numbers with commas",
    "string": "text",
}


def _wrapped(text: str, indent: str = "    ") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)
