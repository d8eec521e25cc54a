"""Writes the documents beside the page: Word and PDF of the whole report, and its tables for other programs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alliance_longitudinal.reporting.page.model import report_model


def write_documents(
    stage: Path, results: Mapping[str, Any], known: Mapping[str, Any], formats: Sequence[str]
) -> None:
    """Write each of ``formats`` into ``stage``, which has the results, tables and figures.

    Raises
    ------
    ReportError
        If a document cannot be made.
    """
    if {"docx", "pdf"} & set(formats):
        model = report_model(results, known, stage)
        if "docx" in formats:
            from alliance_longitudinal.reporting.page.word import write_word

            write_word(model, stage)
        if "pdf" in formats:
            from alliance_longitudinal.reporting.page.pdf import write_pdf

            write_pdf(model, stage)
    if {"xlsx", "tex", "parquet"} & set(formats):
        from alliance_longitudinal.reporting.page.table_files import write_tables

        write_tables(results, stage, formats)
