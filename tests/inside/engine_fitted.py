"""Inside `engine.fitted`: rows and equations for the oracles."""

from alliance_longitudinal.engine.fitted.equations import equations
from alliance_longitudinal.engine.fitted.rows import Effects, rows_of_data, rows_of_fit

__all__ = ["Effects", "equations", "rows_of_data", "rows_of_fit"]
