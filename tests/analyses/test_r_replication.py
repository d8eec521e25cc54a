"""Both analyses against R: the same figures from the same raw exports, by `tests/reference/early_alliance.R`.

The script shares nothing with the package but the files that it reads: it reads, scores, selects, splits, fits and
counts degrees of freedom by itself. Effects of single scales and correlations as published are held elsewhere
(test_early_alliance_scales.py). Bootstrap intervals are left out: they have no counterpart.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult
from reference.catalogue import Figure
from reference.replication import STUDY_FILES, beside, replication, sensitivity_beside

DEMO_FILES = Path(al.__file__).parent / "data" / "demo_files"
Known = dict[str, Any]


@pytest.fixture(scope="module", params=["demo", "gad"])
def study(request: pytest.FixtureRequest) -> tuple[al.Study, Known]:
    """A study and what R found in it, after a look whether R read these very rows."""
    known = replication()["studies"][request.param]
    folder = DEMO_FILES if request.param == "demo" else request.getfixturevalue("shared_data")
    digest = hashlib.md5((folder / known["file"]).read_bytes(), usedforsecurity=False).hexdigest()
    assert digest == known["md5"], f"{known['file']} has changed: Rscript tests/reference/early_alliance.R"
    return al.load_study(STUDY_FILES[request.param]), known


@pytest.fixture(scope="module")
def early(study: tuple[al.Study, Known]) -> tuple[AnalysisResult, Known]:
    return al.early_alliance(study[0]), study[1]["early_alliance"]


def agree(figures: list[Figure]) -> None:
    off = [f for f in figures if not f.agrees]
    assert not off, "\n".join(map(str, off))


def test_all_estimates(early: tuple[AnalysisResult, Known]) -> None:
    result, known = early
    elsewhere = {i for i in result.estimates["id"] if re.search("_scale_|_delta_|tipping_|_ipw|mv_", i)} | {
        "r_zero",
        "r_intake",
        "end_between_latent",
        "end_between_moment",
        "slope_within_completers",
        "slope_within_pattern",
        "slope_between_completers",
        "slope_between_pattern",
    }
    assert set(result.estimates["id"]) - elsewhere == {row["id"] for row in known["estimates"]}
    figures = beside(result, known["estimates"])
    # Effects, per standard deviation, correlations, shares; then effects within clinics (demo) or robust ones (gad).
    beside_them = 4 * 6 if result.study.sessions.get("clinic") is not None else 2 * 6
    assert len(figures) == 8 * 6 + 6 * 6 + 6 * 5 + 7 + beside_them
    agree(figures)


def test_sample_flow(early: tuple[AnalysisResult, Known]) -> None:
    ours = [[s.rows_out, s.clients_out, s.therapists_out] for s in early[0].flow.steps]
    assert ours == list(early[1]["flow"].values())


def test_r_fits_the_models_that_the_rule_chose(early: tuple[AnalysisResult, Known]) -> None:
    """The design allows every structure but, with ten therapists, effects of their own."""
    skipped = set(early[0].table("models").to_frame()["skipped"]) - {"none"}
    assert all("taken to be the same for all therapists" in why for why in skipped)
    assert bool(skipped) == (early[0].study.sessions["therapist"].nunique() < 20)


def test_other_windows_and_adjustments(early: tuple[AnalysisResult, Known]) -> None:
    figures = sensitivity_beside(early[0], early[1]["sensitivity"])
    assert len(figures) == 12 * (1 + 4 * 3)
    agree(figures)


def test_variance_partition(study: tuple[al.Study, Known]) -> None:
    known = study[1]["variance_partition"]
    figures = beside(al.variance_partition(study[0]), known)
    assert len(figures) == 10
    agree(figures)
