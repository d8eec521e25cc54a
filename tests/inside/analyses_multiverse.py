"""Inside `analyses.multiverse`: findings of curves that no study gives at will."""

from alliance_longitudinal.analyses.kit.curves import summary_of
from alliance_longitudinal.analyses.multiverse import words
from alliance_longitudinal.analyses.multiverse.compute import Multiverse

__all__ = ["Multiverse", "summary_of", "words"]
