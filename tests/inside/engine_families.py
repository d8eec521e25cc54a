"""Inside `engine.families`: criteria that are checked by brute force."""

from alliance_longitudinal.engine.families import problem, words
from alliance_longitudinal.engine.families.accuracy import ROUGH
from alliance_longitudinal.engine.families.criterion import Criterion
from alliance_longitudinal.engine.families.distributions import NegativeBinomial
from alliance_longitudinal.engine.families.search import covariance_of_params, one_sided, search

__all__ = [
    "ROUGH",
    "Criterion",
    "NegativeBinomial",
    "covariance_of_params",
    "one_sided",
    "problem",
    "search",
    "words",
]
