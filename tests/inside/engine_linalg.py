"""Inside `engine.linalg`: the dense oracle, and kernels with their twins."""

from alliance_longitudinal.engine.linalg import compiled, dense, kernels, threads
from alliance_longitudinal.engine.linalg.crossed_compiled import PLAIN
from alliance_longitudinal.engine.linalg.matrices import block_diagonal, independent_columns
from alliance_longitudinal.engine.linalg.threads import FEW_ROWS, one_thread
from alliance_longitudinal.engine.linalg.top_level import top_level

__all__ = [
    "FEW_ROWS",
    "PLAIN",
    "block_diagonal",
    "compiled",
    "dense",
    "independent_columns",
    "kernels",
    "one_thread",
    "threads",
    "top_level",
]
