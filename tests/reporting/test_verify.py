"""Verification: an unaltered report comes out again; whatever was altered is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alliance_longitudinal.errors import ReportError
from alliance_longitudinal.reporting import Report, Verification, read_manifest, verify_report
from inside.reporting_batch import is_current
from inside.reporting_record import data_hash, folder_hashes
from inside.reporting_run import compare
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
    (problem,) = found.problems
    assert problem.startswith("report.html differs from the one made again, first at line ")
    assert found.compared > 60
    assert found.notes == ()


def test_altered_results_are_named_without_another_run(verify: Verify, copy: Path) -> None:
    text = (copy / "results.json").read_text(encoding="utf-8")
    (copy / "results.json").write_text(text.replace("812", "813"), encoding="utf-8")
    (copy / "figures" / "forest.svg").unlink()
    found = verify(copy)
    assert set(found.problems) == {
        f"{name} was changed or removed after the report was made."
        for name in ("results.json", "figures/forest.svg")
    }
    assert found.compared == 0


def test_changed_inputs_are_named(verify: Verify, copy: Path, tmp_path: Path) -> None:
    study = tiny.write_study(tmp_path / "data", (1.0, 2.0, 4.5))
    manifest = read_manifest(copy) | {"study": str(study)}
    manifest["manifest_sha256"] = data_hash(manifest)
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    found = verify(copy)
    assert found.problems == ("The file sessions.csv has changed since the report was made.",)
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
    with pytest.raises(
        ReportError, match="was changed after the report was made, so the report cannot be verified"
    ):
        verify(copy)
    assert not is_current(copy, json.loads(text)["key"])


def test_what_is_no_report_or_failed(verify: Verify, troubles: dict[str, Report], tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"has no readable manifest\.json, so it is not a report"):
        verify(tmp_path)
    with pytest.raises(ReportError, match="failed when it was made, so there is nothing to compare"):
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


def _reseal(folder: Path, **changes: Any) -> None:
    """Put new hashes and a new seal into the manifest, as a forger would."""
    manifest = read_manifest(folder) | {"outputs": folder_hashes(folder)} | changes
    manifest["manifest_sha256"] = data_hash(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


FORGERIES = {
    "report.html": ("-0.021", "-0.091"),
    "tables/effects.csv": ("0.1", "0.7"),
    "figures/forest.svg": ("#fff", "#000"),
    "report.ipynb": ("mean computed", "mean invented"),
    "results.json": ('"n": 812', '"n": 912'),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_file_with_a_new_seal_is_named(verify: Verify, copy: Path, name: str) -> None:
    """Case: a changed page or table whose hash was put into the manifest passed as unaltered."""
    old, new = FORGERIES[name]
    text = (copy / name).read_text(encoding="utf-8")
    assert old in text or name == "report.html"
    forged = text.replace(old, new) if old in text else text.replace("812", "912", 1)
    (copy / name).write_text(forged, encoding="utf-8")
    _reseal(copy)
    found = verify(copy)
    assert not found.ok
    wanted = "estimates[0].n: 912 in the report" if name == "results.json" else name
    assert any(problem.startswith(wanted) for problem in found.problems), found.problems


@pytest.mark.parametrize("name", ["extra.html", "tables/more.csv", "private/notes.txt"])
def test_a_file_that_was_added_is_named(verify: Verify, copy: Path, name: str) -> None:
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_text("1", encoding="utf-8")
    _reseal(copy)
    assert verify(copy).problems == (
        f"{name} was added to the report: the report made again does not have it.",
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"seed": 7}, "manifest.json, seed: 7 in the report, 20240501 now."),
        ({"analysis": "other"}, "manifest.json, analysis: 'other' in the report, 'tiny' now."),
        ({"approved": "yes"}, "manifest.json, approved: only in one of the two."),
    ],
)
def test_a_forged_manifest_is_named(verify: Verify, copy: Path, changes: Any, sentence: str) -> None:
    _reseal(copy, **changes)
    assert sentence in verify(copy).problems


def test_other_versions_are_said_and_only_numbers_compared(verify: Verify, copy: Path) -> None:
    versions = read_manifest(copy)["versions"] | {"numpy": "1.0"}
    page = copy / "report.html"
    page.write_text(page.read_text(encoding="utf-8") + " ", encoding="utf-8")
    _reseal(copy, versions=versions)
    found = verify(copy)
    assert found.ok
    assert len(found.notes) == 1
    assert found.notes[0].startswith("numpy was 1.0 and is ")
    (copy / "tables" / "effects.csv").write_text("level,estimate\nclient,0.2\n", encoding="utf-8")
    _reseal(copy, versions=versions)
    assert verify(copy).problems == ("tables/effects.csv: 0.2 in the report, 0.1 now.",)


def test_an_unaltered_report_holds_in_every_file(verify: Verify, copy: Path) -> None:
    found = verify(copy)
    assert found.problems == ()
    assert found.notes == ()
    assert found.ok
