"""Reads ``results.json`` and holds it to its schema before anything is shown."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from alliance_longitudinal.errors import ReportError
from alliance_longitudinal.resources import shipped


def read_results(stage: Path) -> dict[str, Any]:
    """The results that the notebook published into ``stage``.

    Raises
    ------
    ReportError
        If the notebook did not publish, or what it published is not in the agreed form.
    """
    path = stage / "results.json"
    if not path.is_file():
        raise ReportError(
            "The notebook ran to its end but published no results. "
            "Its last code cell must be `al.publish(result)`."
        )
    try:
        results = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except ValueError as error:
        raise ReportError(f"results.json is not valid JSON: {error}.") from None
    _validate(results)
    _check_figures(stage, results)
    return dict(results)


def results_schema() -> dict[str, Any]:
    """The published JSON Schema of ``results.json``."""
    text = (shipped("data_schema") / "results.schema.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


@cache
def results_validator() -> Any:
    """What holds results to the schema; made once."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator(results_schema())


def _validate(results: Any) -> None:
    problems = sorted(results_validator().iter_errors(results), key=lambda e: list(map(str, e.path)))
    if problems:
        # The schema's own message quotes the offending value, which may be data: say where and which rule.
        lines = [f"  {_place(p)}: breaks the rule {p.validator!r} ({_rule(p)})" for p in problems[:10]]
        raise ReportError("results.json is not in the agreed form:\n" + "\n".join(lines))


def _place(problem: Any) -> str:
    return "/".join(map(str, problem.absolute_path)) or "(top)"


def _rule(problem: Any) -> str:
    text = json.dumps(problem.validator_value)
    return text if len(text) <= 120 else text[:117] + "..."


def _check_figures(stage: Path, results: dict[str, Any]) -> None:
    names = [figure["name"] for figure in results["figures"]]
    missing = [name for name in names if not (stage / "figures" / f"{name}.svg").is_file()]
    if missing:
        raise ReportError(f"The notebook published no picture of these figures: {', '.join(missing)}.")
    if results["main_figure"] is not None and results["main_figure"] not in names:
        raise ReportError(
            f"The main figure {results['main_figure']!r} is not among the figures: {', '.join(names)}."
        )


def _refuse_constant(name: str) -> float:
    message = f"{name} is not allowed; a missing number is null"
    raise ValueError(message)
