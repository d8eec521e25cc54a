"""Inside `engine.sources`: files that change while they are read."""

from alliance_longitudinal.engine.sources import spill
from alliance_longitudinal.engine.sources.parquet import ParquetSource, parquet_source
from alliance_longitudinal.engine.sources.recipe import learn_recipe
from alliance_longitudinal.engine.sources.spill import Spill

__all__ = ["ParquetSource", "Spill", "learn_recipe", "parquet_source", "spill"]
