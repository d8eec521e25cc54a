"""Tables and figures from plain data: descriptions that are rendered last, and pictures by kind."""

from alliance_longitudinal.present import plots
from alliance_longitudinal.present.asked import plot
from alliance_longitudinal.present.figure import FigureSpec
from alliance_longitudinal.present.tables import Column, Table

__all__ = ["Column", "FigureSpec", "Table", "plot", "plots"]
