"""Goal, task and bond alone, and correlations as published studies compute them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study
from alliance_longitudinal.simulation import ClinicTruth
from analyses.studies import early_design, simulated_study, value, with_sessions
from inside.analyses_kit import scale_scores


@pytest.fixture(scope="module")
def demo() -> AnalysisResult:
    return al.early_alliance(al.load_study("demo"), sensitivity=False)


def test_each_scale_is_the_analysis_with_the_scale_in_place_of_the_total(demo: AnalysisResult) -> None:
    study = demo.study
    for name in ("task", "bond", "goal"):
        other = al.early_alliance(
            with_sessions(study, study.sessions.assign(alliance=study.sessions[f"alliance_{name}"])),
            sensitivity=False,
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
        with_sessions(study, sessions.assign(alliance=scales.min(axis=1, skipna=False))), sensitivity=False
    )
    assert value(demo, "end_scale_lowest") == pytest.approx(value(other, "end_within_per_sd"), rel=1e-9)
    shown = demo.table("scales").to_frame()["label"]
    assert shown.tolist()[0].startswith("total score")
    assert len(shown) == 10


@pytest.mark.parametrize(("rule", "items"), [("sum", 4), ("mean", 1)])
def test_sums_are_per_item_before_the_lowest_is_taken_and_means_are_already(
    rule: str, items: int, demo: AnalysisResult
) -> None:
    measure = demo.study.measures["alliance"]
    measure = replace(measure, instrument=replace(measure.instrument, subscale_rule=rule))
    found = scale_scores(demo.study.sessions, measure)
    lowest = found[["task", "bond", "goal"]].min(axis=1, skipna=False) / items
    pd.testing.assert_series_equal(found.iloc[:, -1], lowest, check_names=False)


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


def test_its_interval_is_that_of_a_bootstrap_of_therapists(clinic: Study) -> None:
    """Whole therapists drawn anew; and with each client a therapist of one, Fisher's interval."""
    from inside.analyses_early_alliance import literature_estimates

    design = early_design(clinic)
    found = literature_estimates(design)[0]
    clients = design.clients
    by_therapist = [part[["early", "end"]].to_numpy() for _, part in clients.groupby("therapist")]
    rng = np.random.default_rng(1)
    draws = []
    for _ in range(2_000):
        rows = np.concatenate(
            [by_therapist[k] for k in rng.integers(0, len(by_therapist), len(by_therapist))]
        )
        draws.append(np.arctanh(-np.corrcoef(rows.T)[0, 1]))
    half = (np.arctanh(found.ci_high) - np.arctanh(found.ci_low)) / 2
    # A bootstrap of 24 therapists is itself a twenty-fourth too narrow, and known to a few percent.
    assert half / stats.t.ppf(0.975, found.df) == pytest.approx(np.std(draws), rel=0.1)
    alone = replace(design, clients=clients.assign(therapist=clients["client"]))
    single = literature_estimates(alone)[0]
    fisher = stats.norm.ppf(0.975) / np.sqrt(len(clients) - 3)
    # Fisher's error is for normal scores; these have a lowest and a highest value.
    assert np.arctanh(single.ci_high) - np.arctanh(single.estimate) == pytest.approx(fisher, rel=0.1)
    assert half > 1.05 * fisher


def test_latent_means_undo_the_pull_towards_the_effect_within() -> None:
    """Half of each therapist's clients are in the data: the observed effect between therapists is pulled, the latent one is not.

    The truth is what the same analysis finds on observed means of very many clients; here only the direction is judged.
    """
    study = simulated_study(
        21, ClinicTruth(therapists=60, clients=480, between=-0.12, within=-0.02, observed_share=0.5)
    )
    result = al.early_alliance(study, sensitivity=False)
    observed, within = value(result, "end_between"), value(result, "end_within")
    by_hand = al.methods.latent_contextual(
        early_design(study).clients,
        "end_change",
        "early",
        "therapist",
        within=["intake_client", "change_client"],
        between=["intake_therapist", "change_therapist"],
        method="moment",
    )
    assert observed < within
    assert value(result, "end_between_moment") == pytest.approx(by_hand.params["between"], rel=1e-9)
    assert value(result, "end_between_moment", "df") == 60 - 1 - 3
    assert value(result, "end_between_latent") < observed
    assert value(result, "end_between_latent", "se") > value(result, "end_between", "se")
    assert "latent_means" in {t.name for t in result.tables}


def test_the_correction_by_reliability_stays_where_latent_means_have_no_estimate() -> None:
    """Between few therapists of few clients the covariance matrix of the likelihood's maximum can lie outside of those that exist."""
    study = simulated_study(32, ClinicTruth(therapists=20, clients=160))
    with pytest.raises(al.FitError, match="has no maximum that can be found"):
        al.methods.latent_contextual(
            early_design(study).clients,
            "end_change",
            "early",
            "therapist",
            within=["intake_client", "change_client"],
            between=["intake_therapist", "change_therapist"],
        )
    result = al.early_alliance(study, sensitivity=False)
    ids = set(result.estimates["id"])
    assert "end_between_moment" in ids
    assert "end_between_latent" not in ids
    assert "the model with latent means, which did not converge" in next(
        f.message for f in result.notes if f.code == "no_latent_means"
    )
