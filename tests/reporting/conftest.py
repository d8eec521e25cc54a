"""A laboratory: the miniature's notebook and a study; one finished report; one report of each kind of trouble."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from alliance_longitudinal.reporting import Report, run_report
from reporting import tiny

TROUBLES = ("killed", "slow", "own error", "data error", "bug", "silent", "odd results")
CELL_SECONDS = 2


@dataclass(frozen=True)
class Lab:
    folder: Path

    @property
    def study(self) -> Path:
        return self.folder / "data" / "study.yaml"

    def report(self, out: Path, *, study: Path | None = None, **options: Any) -> Report:
        parameters = options.pop("parameters", {})
        return run_report(
            study or self.study,
            "tiny",
            parameters,
            out,
            registry=tiny.REGISTRY,
            notebooks=self.folder,
            **options,
        )


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    folder = tmp_path_factory.mktemp("lab")
    tiny.write_notebook(folder)
    tiny.write_study(folder / "data")
    return Lab(folder)


@pytest.fixture(scope="session")
def good(lab: Lab) -> Report:
    """A finished report; tests must not change its folder."""
    report = lab.report(lab.folder / "reports" / "good")
    assert report.ok, report.error
    return report


@pytest.fixture(scope="session")
def troubles(lab: Lab) -> dict[str, Report]:
    """A failed report of each kind, made three at a time; the slow one runs into the time limit of a cell."""

    def make(trouble: str) -> Report:
        limit = CELL_SECONDS if trouble == "slow" else None
        out = lab.folder / "troubles" / trouble.replace(" ", "_")
        return lab.report(out, parameters={"trouble": trouble}, cell_timeout=limit)

    with ThreadPoolExecutor(max_workers=3) as pool:
        return dict(zip(TROUBLES, pool.map(make, TROUBLES), strict=True))
