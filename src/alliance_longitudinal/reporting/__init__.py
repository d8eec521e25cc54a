"""Runs notebooks, writes reports, batches and manifests.

The names are loaded when they are first used, so that the process of one report loads nothing of batches.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alliance_longitudinal.reporting.batch.run import Batch
    from alliance_longitudinal.reporting.batch.start import run_batch
    from alliance_longitudinal.reporting.page.checklist import checklist
    from alliance_longitudinal.reporting.page.model import report_model, table_block
    from alliance_longitudinal.reporting.page.pdf import pdf_document
    from alliance_longitudinal.reporting.page.table_files import latex, workbook
    from alliance_longitudinal.reporting.page.word import word_document
    from alliance_longitudinal.reporting.record.manifest import read_manifest
    from alliance_longitudinal.reporting.record.plans import freeze, planned_request, read_frozen
    from alliance_longitudinal.reporting.record.public import public
    from alliance_longitudinal.reporting.run.reopen import reopen
    from alliance_longitudinal.reporting.run.report import Report, prepare, run_report
    from alliance_longitudinal.reporting.run.verify import Verification, verify_report

__all__ = [
    "Batch",
    "Report",
    "Verification",
    "checklist",
    "freeze",
    "latex",
    "pdf_document",
    "planned_request",
    "prepare",
    "public",
    "read_frozen",
    "read_manifest",
    "reopen",
    "report_model",
    "run_batch",
    "run_report",
    "table_block",
    "verify_report",
    "word_document",
    "workbook",
]

_HOMES = {
    "Batch": "batch.run",
    "run_batch": "batch.start",
    "Report": "run.report",
    "run_report": "run.report",
    "reopen": "run.reopen",
    "prepare": "run.report",
    "Verification": "run.verify",
    "verify_report": "run.verify",
    "checklist": "page.checklist",
    "report_model": "page.model",
    "table_block": "page.model",
    "pdf_document": "page.pdf",
    "word_document": "page.word",
    "latex": "page.table_files",
    "workbook": "page.table_files",
    "freeze": "record.plans",
    "planned_request": "record.plans",
    "read_frozen": "record.plans",
    "public": "record.public",
    "read_manifest": "record.manifest",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
