"""Linear mixed models with nested and crossed random effects; knows nothing of the field it is used in."""

from alliance_longitudinal.engine.design.membership import MultipleMembership
from alliance_longitudinal.engine.inference.pool import PooledResults, pool
from alliance_longitudinal.engine.model import MixedModel
from alliance_longitudinal.engine.residuals import AR1, CAR1, VarIdent
from alliance_longitudinal.engine.results import MixedModelResults

__all__ = [
    "AR1",
    "CAR1",
    "MixedModel",
    "MixedModelResults",
    "MultipleMembership",
    "PooledResults",
    "VarIdent",
    "pool",
]
