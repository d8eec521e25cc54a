"""Writes what is made from the analyses: ``notebooks/NAME.ipynb`` and ``data_schema/batch.schema.json``."""

from pathlib import Path

from alliance_longitudinal.analyses.registry import REGISTRY
from alliance_longitudinal.reporting.batch.schema import FILE, schema_text
from alliance_longitudinal.reporting.record.written import notebook_text

ROOT = Path(__file__).resolve().parents[1]


def main(root: Path = ROOT) -> None:
    """Write the files under ``root``, and remove notebooks whose analysis is gone."""
    for path in (root / "notebooks").glob("*.ipynb"):
        if path.stem not in REGISTRY:
            path.unlink()
    for name, analysis in REGISTRY.items():
        (root / "notebooks" / f"{name}.ipynb").write_text(notebook_text(analysis), encoding="utf-8")
    (root / "data_schema" / FILE).write_text(schema_text(REGISTRY), encoding="utf-8")


if __name__ == "__main__":
    main()
