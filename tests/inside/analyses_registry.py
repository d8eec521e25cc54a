"""Inside `analyses.registry`: tests over every analysis there is."""

from alliance_longitudinal.analyses.registry import REGISTRY

__all__ = ["REGISTRY"]
