"""Small studies for tests: a study file from its lines, tables from text."""

from pathlib import Path

from alliance_longitudinal.data import Study, load_study

COLUMNS = "client: c, therapist: t, session: n"
MEASURES = "measures: {phq: {instrument: phq_9, total: p}}"


def study_file(
    folder: Path,
    table: str,
    more: str = "",
    *,
    columns: str = COLUMNS,
    measures: str = MEASURES,
    sessions: str = "",
) -> Path:
    """Write a study whose sessions table is ``table``; ``sessions`` are further entries of its block."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "s.csv").write_text(table, encoding="utf-8")
    text = f"study: Small\ntables:\n  sessions: {{file: s.csv, {sessions}columns: {{{columns}}}}}\n{measures}\n{more}\n"
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    return folder / "study.yaml"


def small_study(folder: Path, table: str, more: str = "", **blocks: str) -> Study:
    """The study of :func:`study_file`, loaded."""
    return load_study(study_file(folder, table, more, **blocks))


def findings(study: Study) -> dict[str, str]:
    """Message of each finding by its code."""
    return {finding.code: finding.message for finding in study.findings}
