"""Hands a result to the report that is being made, if one is."""

import json
import os
from pathlib import Path

from alliance_longitudinal.analyses.result import AnalysisResult

#: Set by the report runner for the kernel it starts; names the private folder of that report.
STAGE_VARIABLE = "ALLIANCE_REPORT_STAGE"


def publish(result: AnalysisResult, folder: str | Path | None = None) -> AnalysisResult:
    """Write ``results.json``, ``tables/*.csv`` and ``figures/*.svg`` for a report; return the result.

    In JupyterLab, where no report is being made and no ``folder`` is given, nothing is written.

    Parameters
    ----------
    result : AnalysisResult
    folder : path, optional
        Where to write; by default the folder of the report that runs this notebook.
    """
    target = folder or os.environ.get(STAGE_VARIABLE)
    if target:
        _write(result, Path(target))
    return result


def _write(result: AnalysisResult, folder: Path) -> None:
    for name in ("tables", "figures"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for table in (*result.tables, result.flow_table()):
        table.to_frame().to_csv(folder / "tables" / f"{table.name}.csv", index=False)
    result.estimates.to_csv(folder / "tables" / "estimates.csv", index=False)
    for spec in result.figure_specs:
        spec.save(folder / "figures")
    text = json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False, indent=1)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
