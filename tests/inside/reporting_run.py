"""Inside `reporting.run`: processes that fail."""

from alliance_longitudinal.reporting.run import memory, owner, report
from alliance_longitudinal.reporting.run.compare import compare
from alliance_longitudinal.reporting.run.execute import _explain
from alliance_longitudinal.reporting.run.fonts import keep_fonts, lend_fonts
from alliance_longitudinal.reporting.run.forks import can_fork
from alliance_longitudinal.reporting.run.owner import sweep, temporary_folder
from alliance_longitudinal.reporting.run.progress import batch_progress, report_progress
from alliance_longitudinal.reporting.run.report import run_request
from alliance_longitudinal.reporting.run.results import read_results, results_schema
from alliance_longitudinal.reporting.run.starters import Warm

__all__ = [
    "Warm",
    "_explain",
    "batch_progress",
    "can_fork",
    "compare",
    "keep_fonts",
    "lend_fonts",
    "memory",
    "owner",
    "read_results",
    "report",
    "report_progress",
    "results_schema",
    "run_request",
    "sweep",
    "temporary_folder",
]
