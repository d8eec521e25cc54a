"""The notebook of an analysis, written from its function: title, question, prose, parameters, call and results.

``make notebooks`` writes the files; they are ordinary notebooks to read, change and copy.
"""

import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

_WIDTH = 96
#: Headings of a docstring's sections, which come from the signature or are no prose.
_SECTIONS = ("Parameters", "Returns", "Raises", "Examples", "See Also", "References", "Notes", "Attributes")


class Described(Protocol):
    """What a notebook is written from."""

    name: str
    title: str
    question: str
    params: Any


def notebook_text(analysis: Described) -> str:
    """The notebook of ``analysis`` as the text of its file."""
    cells = list(_cells(analysis))
    content = {
        "cells": [_cell(analysis.name, number, *cell) for number, cell in enumerate(cells)],
        "metadata": {
            "alliance": {"analysis": analysis.name},
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _cells(analysis: Described) -> Iterator[tuple[str, str]]:
    names = list(analysis.params.names())
    yield (
        "markdown",
        "\n\n".join([f"# {analysis.title}", analysis.question, *_prose(analysis), _how(analysis)]),
    )
    yield "markdown", "\n".join(_described(analysis.params))
    yield "parameters", _parameters(analysis.params)
    if _needs_answers(analysis):
        yield (
            "markdown",
            "## Data\n\n`forms=True` keeps the answers to single items, which this analysis needs.",
        )
        yield "code", "import alliance_longitudinal as al\n\ndata = al.load_study(study, forms=True)"
    else:
        yield "markdown", "## Data"
        yield "code", "import alliance_longitudinal as al\n\ndata = al.load_study(study)"
    yield "markdown", "## Answer"
    yield "code", _call(analysis.name, names)
    yield "markdown", "## Figures"
    yield "code", "for figure in result.figure_specs:\n    display(figure)"
    yield "markdown", "## Tables"
    yield "code", "for table in result.tables:\n    display(table)"
    yield "markdown", "## Who is in the analysis, and how it was made"
    yield "code", "result.flow_table()"
    yield "code", 'for note in result.notes:\n    print(f"[{note.severity}] {note.message}")'
    yield "code", "print(result.methods)"
    yield (
        "markdown",
        "When a report is made, the last cell passes the result to the report. In JupyterLab it "
        "shows the result. Add your own cells above it.",
    )
    yield "code", "al.publish(result)"


def _needs_answers(analysis: Described) -> bool:
    """Whether the docstring asks for a study with its single answers: ``load_study(path, forms=True)``."""
    return "forms=True" in (getattr(getattr(analysis, "function", None), "__doc__", None) or "")


def _prose(analysis: Described) -> list[str]:
    """Paragraphs of the function's docstring that lie before its sections."""
    text = inspect.cleandoc(getattr(getattr(analysis, "function", None), "__doc__", None) or "")
    paragraphs = []
    for block in text.split("\n\n"):
        if block.split("\n", 1)[0].strip() in _SECTIONS:
            break
        paragraphs.append(" ".join(block.split()).replace("``", "`"))
    return [p for p in paragraphs if p]


def _how(analysis: Described) -> str:
    return (
        "Change the parameters below and run all cells, or run it as a report: "
        f"`alliance report STUDY.yaml --notebook {analysis.name} --out DIR`."
    )


def _described(params: Any) -> Iterator[str]:
    yield "## Parameters\n"
    yield '- `study`: Path of a study file, or `"demo"` for the bundled, simulated study.'
    for name in params.names():
        words = params.model_fields[name].description
        yield f"- `{name}`: {words}" if words else f"- `{name}`"
    yield (
        "\nYou may add parameters of your own to the cell. `-p NAME=VALUE` and batch files can set them too."
    )


def _parameters(params: Any) -> str:
    return "\n".join(['study = "demo"', *(f"{k} = {_literal(v)}" for k, v in params().to_dict().items())])


def _literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _call(name: str, parameters: list[str]) -> str:
    given = textwrap.fill(
        ", ".join(["data", *(f"{p}={p}" for p in parameters)]) + ",",
        _WIDTH,
        initial_indent="    ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return f"result = al.{name}(\n{given}\n)\nresult"


def _cell(name: str, number: int, kind: str, source: str) -> Mapping[str, Any]:
    shared = {"id": f"{name.replace('_', '-')[:40]}-{number:02d}"}
    lines = source.splitlines(keepends=True)
    if kind == "markdown":
        return {"cell_type": "markdown", **shared, "metadata": {}, "source": lines}
    return {
        "cell_type": "code",
        "execution_count": None,
        **shared,
        "metadata": {"tags": ["parameters"]} if kind == "parameters" else {},
        "outputs": [],
        "source": lines,
    }
