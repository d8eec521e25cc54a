"""Labels, tables and figures from plain data."""

from alliance_longitudinal.present.figure import FigureSpec
from alliance_longitudinal.present.tables import Column, Table

__all__ = ["Column", "FigureSpec", "Table"]
