"""Runs notebooks, writes reports, batches and manifests.

The names are loaded when they are first used, so that the process of one report loads nothing of batches.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alliance_longitudinal.reporting.batch.run import Batch, run_batch
    from alliance_longitudinal.reporting.run.report import Report, run_report
    from alliance_longitudinal.reporting.run.verify import Verification, verify_report

__all__ = ["Batch", "Report", "Verification", "run_batch", "run_report", "verify_report"]

_HOMES = {
    "Batch": "batch.run",
    "run_batch": "batch.run",
    "Report": "run.report",
    "run_report": "run.report",
    "Verification": "run.verify",
    "verify_report": "run.verify",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
