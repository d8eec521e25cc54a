"""Runs notebooks, writes reports, batches and manifests."""

from alliance_longitudinal.reporting.batch.run import Batch, run_batch
from alliance_longitudinal.reporting.run.report import Report, run_report
from alliance_longitudinal.reporting.run.verify import Verification, verify_report

__all__ = ["Batch", "Report", "Verification", "run_batch", "run_report", "verify_report"]
