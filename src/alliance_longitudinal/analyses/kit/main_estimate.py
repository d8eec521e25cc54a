"""Which estimate of an analysis is the main one, as the analysis declares it once."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from alliance_longitudinal.analyses.kit.groups import slug

_PARAMETER = re.compile(r"\{(\w+)\}")
_ANY_END = "*"


def planned_main(declared: Sequence[str], parameters: Mapping[str, Any]) -> str:
    """Id of the main estimate before any data are seen; empty if only the data decide which one it is.

    Parameters
    ----------
    declared : sequence of str
        Ids, the most wanted first. ``{name}`` stands for the value of a parameter (of several values the first), and a final
        ``*`` for any ending.
    parameters : mapping

    Examples
    --------
    >>> planned_main(("{method}_improved",), {"method": "JT"})
    'JT_improved'
    >>> planned_main(("{method}_improved",), {"method": None})
    ''
    """
    first = _filled(declared[0], parameters) if declared else ""
    return "" if first.endswith(_ANY_END) else first


def main_estimate(declared: Sequence[str], parameters: Mapping[str, Any], ids: Sequence[str]) -> str:
    """Id of the main estimate among ``ids``, the first one if none is declared; empty if the report does not have it.

    Examples
    --------
    >>> main_estimate(("late", "phase_*"), {}, ["aic", "phase_1", "phase_2"])
    'phase_1'
    """
    if not declared:
        return next(iter(ids), "")
    for one in declared:
        wanted = _filled(one, parameters)
        if wanted in ids:
            return wanted
        if wanted.endswith(_ANY_END):
            found = next((i for i in ids if i.startswith(wanted.removesuffix(_ANY_END))), "")
            if found:
                return found
    return ""


def _filled(pattern: str, parameters: Mapping[str, Any]) -> str:
    """The pattern with the values of its parameters; empty if one of them has none."""
    text = pattern
    for name in _PARAMETER.findall(pattern):
        value = parameters.get(name)
        if isinstance(value, list | tuple):
            value = value[0] if value else None
        if value is None:
            return ""
        said = f"{value:g}" if isinstance(value, float) else slug(str(value))
        text = text.replace(f"{{{name}}}", said)
    return text
