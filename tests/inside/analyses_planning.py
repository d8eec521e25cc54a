"""Inside `analyses.planning`: the clients and scores of a plan."""

from alliance_longitudinal.analyses.planning import ground

__all__ = ["ground"]
