"""Inside `reporting.batch`: plans, claims and differences without running a notebook."""

from alliance_longitudinal.reporting.batch import cluster, run
from alliance_longitudinal.reporting.batch.changes import baseline, changes, summary
from alliance_longitudinal.reporting.batch.claims import claimed
from alliance_longitudinal.reporting.batch.crate import crate_of, write_crate
from alliance_longitudinal.reporting.batch.differences import (
    sentence_of,
    shown_counts,
    small_cells,
    telling_pairs,
)
from alliance_longitudinal.reporting.batch.forest import forests
from alliance_longitudinal.reporting.batch.index import Overview, index_csv, write_index
from alliance_longitudinal.reporting.batch.many import multiplicity
from alliance_longitudinal.reporting.batch.plan import Plan, read_plan
from alliance_longitudinal.reporting.batch.pools import pools
from alliance_longitudinal.reporting.batch.run import is_current
from alliance_longitudinal.reporting.batch.schema import batch_schema, schema_text

__all__ = [
    "Overview",
    "Plan",
    "baseline",
    "batch_schema",
    "changes",
    "claimed",
    "cluster",
    "crate_of",
    "forests",
    "index_csv",
    "is_current",
    "multiplicity",
    "pools",
    "read_plan",
    "run",
    "schema_text",
    "sentence_of",
    "shown_counts",
    "small_cells",
    "summary",
    "telling_pairs",
    "write_crate",
    "write_index",
]
