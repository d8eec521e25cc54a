"""The small multiverse inside early_alliance: the cells of the full one, the same permutations, and its words."""

import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth
from analyses.studies import value


def table(result: AnalysisResult) -> pd.DataFrame:
    return next(t for t in result.tables if t.name == "together").to_frame()


def test_it_is_the_multiverse_of_these_choices(clinic: Study, early: AnalysisResult) -> None:
    """The same analyses, permutations and tests."""
    full = al.multiverse(
        clinic, windows="3,1-3,3-5,1-5", outcomes="slope,last", estimators="least_squares", n_perm=199
    )
    for name in (
        "mv_median",
        "mv_share_same_sign",
        "mv_n_significant",
        "mv_p_median",
        "mv_p_mean_t",
        "mv_p_share",
    ):
        assert value(early, name) == pytest.approx(value(full, name), rel=1e-9), name
    rows = table(early)
    assert rows["question"].tolist() == [
        "in treatment at session 5 (as in the main analysis)",
        "in treatment at session 3",
    ]
    assert rows["cells"].tolist() == [12, 12]
    other = next(t for t in full.tables if t.name == "questions").to_frame()
    assert rows["median"].tolist() == pytest.approx(other["median"].tolist(), rel=1e-9)
    assert rows["p_mean_t"].tolist() == pytest.approx(other["p_mean_t"].tolist())


def test_analyses_that_disagree_are_a_finding(clinic: Study) -> None:
    """A curve whose signs differ; read by its text."""
    from alliance_longitudinal import methods
    from alliance_longitudinal.analyses.kit import Draft
    from inside.analyses_early_alliance import Together, show_together

    curve = methods.specification_curve(
        pd.DataFrame(), [0, 1, 2], lambda _, k: (0.1 if k else -0.1, 0.1, 30, 40)
    )
    draft = Draft(clinic)
    show_together(draft, Together({5: curve}, 5), "within therapists")
    assert [f.message for f in draft.findings] == [
        "Of 3 analyses with other windows and adjustments, 67\u00a0% have the same sign. The direction of the answer depends on these "
        "choices."
    ]
    show_together(draft, None, "within therapists")
    assert len(draft.tables) == 1


def test_a_single_therapist_has_no_analyses_judged_together() -> None:
    """Their errors are by therapist; the rest of the report is there."""
    alone = simulated_study(2, ClinicTruth(therapists=1, clients=60), items=False)
    found = al.early_alliance(alone, sensitivity=False)
    assert "together" not in {t.name for t in found.tables}
    assert found.answer[0].startswith("Among clients of the same therapist, ")
