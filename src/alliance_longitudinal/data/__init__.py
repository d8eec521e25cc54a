"""Reads and scores what a clinic exports; knows instruments but no models.

The names are loaded when they are first used: what only looks at a study file needs no data frames.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alliance_longitudinal.data.describe import describe_study
    from alliance_longitudinal.data.flow import FlowStep, SampleFlow
    from alliance_longitudinal.data.inputs import table_hashes
    from alliance_longitudinal.data.load import load_study
    from alliance_longitudinal.data.readers.source import Source
    from alliance_longitudinal.data.schedule import planned_assessments
    from alliance_longitudinal.data.study import Study
    from alliance_longitudinal.data.study_file.measure import Measure
    from alliance_longitudinal.data.synthetic import simulated_study

__all__ = [
    "FlowStep",
    "Measure",
    "SampleFlow",
    "Source",
    "Study",
    "describe_study",
    "load_study",
    "planned_assessments",
    "simulated_study",
    "table_hashes",
]

_HOMES = {
    "FlowStep": "flow",
    "Measure": "study_file.measure",
    "SampleFlow": "flow",
    "Source": "readers.source",
    "Study": "study",
    "describe_study": "describe",
    "load_study": "load",
    "planned_assessments": "schedule",
    "simulated_study": "synthetic",
    "table_hashes": "inputs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
