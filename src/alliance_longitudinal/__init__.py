"""Early therapeutic alliance and symptom change in routine psychotherapy data.

Public names are loaded when they are first used, so that ``import alliance_longitudinal`` and the command
line's ``--help`` stay quick.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

#: Public name -> module that defines it. The only list of the public API.
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
    "GeneralisedModel": "engine.generalised.model",
    "GeneralisedResults": "engine.generalised.results",
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
    "early_alliance": "analyses",
    "variance_partition": "analyses",
    "reliable_change": "analyses",
    "classify_change": "analyses",
    "sudden_gains": "analyses",
    "find_sudden_gains": "analyses",
    "data_quality": "analyses",
    "measurement": "analyses",
    "rater_agreement": "analyses",
    "publish": "analyses",
}

__all__ = sorted([*_PUBLIC, "__version__"])


def __getattr__(name: str) -> Any:
    try:
        module = _PUBLIC[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
