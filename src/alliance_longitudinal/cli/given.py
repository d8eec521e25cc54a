"""What was typed, and how a command ends: shared by all commands."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from alliance_longitudinal.errors import UsageError
from alliance_longitudinal.reporting.record.terminal import say, say_data

FINE, FAILED, WRONG_USE = 0, 1, 2


def parameters_of(given: Sequence[str], audience: str | None) -> dict[str, str]:
    """Parameters as typed after ``-p``, with the audience.

    Raises
    ------
    UsageError
        If one is not ``name=value``, is given twice, or contradicts the audience.
    """
    parameters: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"-p {text}: write a parameter as name=value, such as -p window=1,5.")
        if name in parameters:
            raise UsageError(f"-p {name} is given twice. Give it once.")
        parameters[name] = value
    if audience is not None and parameters.setdefault("audience", audience) != audience:
        raise UsageError(
            f"--audience {audience} and -p audience={parameters['audience']} contradict each other."
        )
    return parameters


def done(options: argparse.Namespace, path: Path, **data: str) -> None:
    """Where the result is: as one line, or as data."""
    if options.json:
        say_data(ok=True, **data)
    else:
        say(path)
