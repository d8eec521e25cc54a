"""Residuals that are correlated within the innermost groups, or whose variance differs between strata."""

from alliance_longitudinal.engine.residuals.structure import AR1, CAR1, VarIdent

__all__ = ["AR1", "CAR1", "VarIdent"]
