"""Early therapeutic alliance and symptom change in routine psychotherapy data.

Public names are loaded when they are first used, so that ``import alliance_longitudinal`` and the command
line's ``--help`` stay quick.
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

__version__ = "0.1.0"

#: Public name -> module that defines it. The analyses are found in their folder.
_PUBLIC = {
    "AllianceError": "errors",
    "DataError": "errors",
    "StudyError": "errors",
    "FormulaError": "errors",
    "FitError": "errors",
    "ReportError": "errors",
    "Finding": "findings",
    "MixedModel": "engine",
    "MixedModelResults": "engine",
    "GeneralisedModel": "engine",
    "GeneralisedResults": "engine",
    "PooledResults": "engine",
    "MultipleMembership": "engine",
    "AR1": "engine",
    "CAR1": "engine",
    "VarIdent": "engine",
    "pool": "engine",
    "load_study": "data",
    "Study": "data",
    "instruments": "measures",
    "simulate_clinic": "simulation",
    "SimulatedClinic": "simulation",
    "ClinicTruth": "simulation",
    "AnalysisResult": "analyses",
    "classify_change": "methods",
    "find_sudden_gains": "methods",
    "rater_agreement": "methods",
    "publish": "analyses",
    "list_analyses": "analyses.registry",
    "plot": "present",
    "explore": "reporting.explore",
}

#: What the folder of the analyses holds besides analyses.
_NO_ANALYSES = {"kit", "disclosure", "registry", "result", "publish"}


@cache
def _analyses() -> frozenset[str]:
    """Names of the analyses: each is a file or folder of its own, of the same name."""
    folder = str(Path(__file__).parent / "analyses")
    return frozenset(m.name for m in iter_modules([folder])) - _NO_ANALYSES


__all__ = sorted([*_PUBLIC, *_analyses(), "__version__", "methods"])


def __getattr__(name: str) -> Any:
    if name == "methods":
        return import_module(f"{__name__}.methods")
    if name in _PUBLIC:
        value = getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    elif name in _analyses():
        value = import_module(f"{__name__}.analyses.registry").REGISTRY[name].function
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
