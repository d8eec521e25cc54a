"""Verification: an unaltered report comes out again; whatever was altered is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from alliance_longitudinal.errors import ReportError
from alliance_longitudinal.reporting import Report, Verification, verify_report
from alliance_longitudinal.reporting.batch.run import is_current
from alliance_longitudinal.reporting.record.hashing import data_hash
from alliance_longitudinal.reporting.record.manifest import read_manifest
from alliance_longitudinal.reporting.run.verify import compare
from reporting import tiny
from reporting.conftest import Lab

Verify = Callable[[Path], Verification]


@pytest.fixture
def verify(lab: Lab) -> Verify:
    return lambda folder: verify_report(folder, registry=tiny.REGISTRY, notebooks=lab.folder)


@pytest.fixture
def copy(good: Report, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good.folder, tmp_path / "copy"))


def test_an_altered_page_is_named_and_the_numbers_still_come_out(verify: Verify, copy: Path) -> None:
    with (copy / "report.html").open("a") as page:
        page.write(" ")
    found = verify(copy)
    assert found.problems == ("report.html was altered or removed after the report was made.",)
    assert found.compared > 60
    assert found.notes == ()


def test_altered_results_are_named_without_another_run(verify: Verify, copy: Path) -> None:
    text = (copy / "results.json").read_text(encoding="utf-8")
    (copy / "results.json").write_text(text.replace("812", "813"), encoding="utf-8")
    (copy / "figures" / "forest.svg").unlink()
    found = verify(copy)
    assert set(found.problems) == {
        f"{name} was altered or removed after the report was made."
        for name in ("results.json", "figures/forest.svg")
    }
    assert found.compared == 0


def test_changed_inputs_are_named(verify: Verify, copy: Path, tmp_path: Path) -> None:
    study = tiny.write_study(tmp_path / "data", (1.0, 2.0, 4.5))
    manifest = read_manifest(copy) | {"study": str(study)}
    manifest["manifest_sha256"] = data_hash(manifest)
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    found = verify(copy)
    assert found.problems == ("The input sessions.csv is not the one that the report was made of.",)
    assert found.compared == 0
    study.unlink()
    with pytest.raises(ReportError, match=r"cannot be made again: The study file .* does not exist"):
        verify(copy)


def test_an_altered_manifest_cannot_vouch(verify: Verify, copy: Path) -> None:
    text = (copy / "manifest.json").read_text(encoding="utf-8")
    assert is_current(copy, json.loads(text)["key"])
    (copy / "manifest.json").write_text(
        text.replace('"seed": 20240501', '"seed": 20240502'), encoding="utf-8"
    )
    with pytest.raises(ReportError, match="was altered after the report was made; it cannot vouch"):
        verify(copy)
    assert not is_current(copy, json.loads(text)["key"])


def test_what_is_no_report_or_failed(verify: Verify, troubles: dict[str, Report], tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"holds no readable manifest\.json, so it is not a report"):
        verify(tmp_path)
    with pytest.raises(ReportError, match="failed when it was made; there is nothing to compare"):
        verify(troubles["bug"].folder)


def test_numbers_are_compared_with_their_tolerance() -> None:
    then = {"a": [1.0, 0.0, None], "b": {"c": "text", "d": True}, "n": 3}
    assert compare(then, {"a": [1.0 + 9e-6, 9e-9, None], "b": {"c": "text", "d": True}, "n": 3}) == (3, [])
    compared, different = compare(then, {"a": [1.00002, 2e-8, 0.0], "b": {"c": "other", "d": 1}, "m": 3})
    assert compared == 3
    assert different == [
        "m: only in one of the two.",
        "n: only in one of the two.",
        "a[0]: 1.0 in the report, 1.00002 now.",
        "a[1]: 0.0 in the report, 2e-08 now.",
        "a[2]: None in the report, 0.0 now.",
        "b.c: 'text' in the report, 'other' now.",
    ]
