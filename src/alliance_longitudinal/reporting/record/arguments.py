"""Checked parameters as they are typed: the command line that makes a report again."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def rerun_command(
    study: str,
    notebook: str,
    parameters: Mapping[str, Any],
    out: Path,
    plan: str | None = None,
    formats: Sequence[str] = (),
    language: str = "",
) -> str:
    """The command line that makes this report again."""
    words = ["alliance", "report", study, "--notebook", notebook]
    for name, value in parameters.items():
        if value is not None or plan is not None:  # what is not said is taken from the plan
            words += ["-p", f"{name}={as_argument(value)}"]
    if plan is not None:
        words += ["--plan", plan]
    if formats:
        words += ["--format", ",".join(["html", *formats])]
    if language:
        words += ["--language", language]
    return shlex.join([*words, "--out", str(out)])


def as_argument(value: Any) -> str:
    """A plain value as it is typed after ``-p name=``."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(as_argument(v) for v in value)
    return str(value)
