"""Inside `reporting.batch`: plans, claims and differences without running a notebook."""

from alliance_longitudinal.reporting.batch import run
from alliance_longitudinal.reporting.batch.claims import claimed
from alliance_longitudinal.reporting.batch.differences import (
    sentence_of,
    shown_counts,
    small_cells,
    telling_pairs,
)
from alliance_longitudinal.reporting.batch.index import forests, write_index
from alliance_longitudinal.reporting.batch.plan import Plan, read_plan
from alliance_longitudinal.reporting.batch.run import is_current
from alliance_longitudinal.reporting.batch.schema import batch_schema, schema_text

__all__ = [
    "Plan",
    "batch_schema",
    "claimed",
    "forests",
    "is_current",
    "read_plan",
    "run",
    "schema_text",
    "sentence_of",
    "shown_counts",
    "small_cells",
    "telling_pairs",
    "write_index",
]
