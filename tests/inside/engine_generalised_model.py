"""Inside `engine.generalised_model`: fails on purpose."""

from alliance_longitudinal.engine import generalised_model

__all__ = ["generalised_model"]
