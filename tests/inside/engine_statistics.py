"""Inside `engine.statistics`: four kinds of statistics that must agree."""

from alliance_longitudinal.engine.statistics import basis, nested, products
from alliance_longitudinal.engine.statistics.basis import GivenRows
from alliance_longitudinal.engine.statistics.choose import statistics_of
from alliance_longitudinal.engine.statistics.crossed import build as crossed_build
from alliance_longitudinal.engine.statistics.crossed import crossing, elimination
from alliance_longitudinal.engine.statistics.crossed.build import build
from alliance_longitudinal.engine.statistics.crossed.crossing import Crossing
from alliance_longitudinal.engine.statistics.modes import conditional_modes
from alliance_longitudinal.engine.statistics.nested import Blocks, describe
from alliance_longitudinal.engine.statistics.streamed import chunked, sums
from alliance_longitudinal.engine.statistics.streamed.accumulate import gather
from alliance_longitudinal.engine.statistics.streamed.chunked import ChunkedBlocks
from alliance_longitudinal.engine.statistics.structured import model
from alliance_longitudinal.engine.statistics.structured import products as structured_products
from alliance_longitudinal.engine.statistics.structured.model import build_model
from alliance_longitudinal.engine.statistics.structured.pattern import read_pattern, refuse_crossed
from alliance_longitudinal.engine.statistics.structured.structure import columns_of
from alliance_longitudinal.engine.statistics.structured.whiten import (
    innovations,
    relative_covariance,
    whitened_basis,
)

__all__ = [
    "Blocks",
    "ChunkedBlocks",
    "Crossing",
    "GivenRows",
    "basis",
    "build",
    "build_model",
    "chunked",
    "columns_of",
    "conditional_modes",
    "crossed_build",
    "crossing",
    "describe",
    "elimination",
    "gather",
    "innovations",
    "model",
    "nested",
    "products",
    "read_pattern",
    "refuse_crossed",
    "relative_covariance",
    "statistics_of",
    "structured_products",
    "sums",
    "whitened_basis",
]
