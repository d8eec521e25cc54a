"""Linear and generalised mixed models with nested and crossed random effects; knows nothing of the field it is used in.

Names are loaded when they are first used, so that importing the package loads neither scipy nor numba.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alliance_longitudinal.engine.design.membership import MultipleMembership
    from alliance_longitudinal.engine.generalised_model import GeneralisedModel
    from alliance_longitudinal.engine.model import MixedModel
    from alliance_longitudinal.engine.results.generalised import GeneralisedResults
    from alliance_longitudinal.engine.results.linear import MixedModelResults
    from alliance_longitudinal.engine.results.pooled import PooledResults, pool
    from alliance_longitudinal.engine.statistics.structured.structure import AR1, CAR1, VarIdent

#: Public name -> module that defines it.
_PUBLIC = {
    "AR1": "statistics.structured.structure",
    "CAR1": "statistics.structured.structure",
    "GeneralisedModel": "generalised_model",
    "GeneralisedResults": "results.generalised",
    "MixedModel": "model",
    "MixedModelResults": "results.linear",
    "MultipleMembership": "design.membership",
    "PooledResults": "results.pooled",
    "VarIdent": "statistics.structured.structure",
    "pool": "results.pooled",
}

__all__ = [
    "AR1",
    "CAR1",
    "GeneralisedModel",
    "GeneralisedResults",
    "MixedModel",
    "MixedModelResults",
    "MultipleMembership",
    "PooledResults",
    "VarIdent",
    "pool",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
