"""Goal, task and bond alone, and correlations as published studies compute them."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study
from analyses.studies import early_design, value, with_sessions


@pytest.fixture(scope="module")
def demo() -> AnalysisResult:
    return al.early_alliance(al.load_study("demo"))


def test_each_scale_is_the_analysis_with_the_scale_in_place_of_the_total(demo: AnalysisResult) -> None:
    study = demo.study
    for name in ("task", "bond", "goal"):
        other = al.early_alliance(
            with_sessions(study, study.sessions.assign(alliance=study.sessions[f"alliance_{name}"]))
        )
        weeks = value(other, "slope_within_per_sd") / value(other, "slope_within")
        assert value(demo, f"end_scale_{name}") == pytest.approx(value(other, "end_within_per_sd"), rel=1e-9)
        sd = value(other, "end_within_per_sd") / value(other, "end_within")
        assert value(demo, f"slope_scale_{name}") == pytest.approx(
            value(other, "slope_within") * sd, rel=1e-9
        )
        assert weeks > 0


def test_the_lowest_scale_is_that_of_each_session_per_item(demo: AnalysisResult) -> None:
    study = demo.study
    sessions = study.sessions
    scales = sessions[["alliance_task", "alliance_bond", "alliance_goal"]] / 4  # four items each
    other = al.early_alliance(
        with_sessions(study, sessions.assign(alliance=scales.min(axis=1, skipna=False)))
    )
    assert value(demo, "end_scale_lowest") == pytest.approx(value(other, "end_within_per_sd"), rel=1e-9)
    shown = demo.table("scales").to_frame()["label"]
    assert shown.tolist()[0].startswith("total score")
    assert len(shown) == 10


def test_a_study_with_totals_only_has_no_rows_of_scales(early: AnalysisResult) -> None:
    assert "scales" not in {t.name for t in early.tables}


def test_the_published_kind_of_correlation_is_pearson_s(early: AnalysisResult, clinic: Study) -> None:
    """r itself by numpy; with every client a cluster of one its interval is near Fisher's."""
    clients = early_design(clinic).clients
    r = -np.corrcoef(clients["early"], clients["end"])[0, 1]
    assert value(early, "r_zero") == pytest.approx(r, rel=1e-9)
    left = [
        sm.OLS(clients[c], sm.add_constant(clients["intake"])).fit().resid.to_numpy()
        for c in ("early", "end")
    ]
    assert value(early, "r_intake") == pytest.approx(-np.corrcoef(*left)[0, 1], rel=1e-9)


def test_its_interval_is_cluster_robust(clinic: Study) -> None:
    """Therapists whose clients are alike widen it: each client copied nine times, interval as before."""
    from alliance_longitudinal.analyses.early_alliance.literature import literature_estimates

    design = early_design(clinic)
    once = {e.id: e for e in literature_estimates(design)}
    copies = pd.concat([design.clients] * 9, ignore_index=True)
    nine = {
        e.id: e
        for e in literature_estimates(type(design)(design.choices, copies, design.rows, True, design.flow))
    }
    for name, e in once.items():
        assert nine[name].estimate == pytest.approx(e.estimate, rel=1e-9)
        width = nine[name].ci_high - nine[name].ci_low
        # CR2's small-sample correction depends on leverages, which nine copies do not change.
        assert width == pytest.approx(e.ci_high - e.ci_low, rel=0.02)
