"""Inside `engine.distributions`: compared with scipy."""

from alliance_longitudinal.engine import distributions

__all__ = ["distributions"]
