"""Inside `analyses.multiverse`: findings of curves that no study gives at will."""

from alliance_longitudinal.analyses.multiverse import words
from alliance_longitudinal.analyses.multiverse.compute import Multiverse
from alliance_longitudinal.analyses.multiverse.tables import summary_of

__all__ = ["Multiverse", "summary_of", "words"]
