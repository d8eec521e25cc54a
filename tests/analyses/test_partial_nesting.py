"""Clients without a therapist beside clients with one: they stay, and models let them have no part in differences between therapists."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study
from alliance_longitudinal.analyses.kit import ENDPOINT, LEVEL, fit_first
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.engine import MixedModel, VarIdent
from alliance_longitudinal.simulation import ClinicTruth
from analyses.studies import QUICK, value, with_couples, with_empathy, with_raters, with_sessions

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
ASKED: dict[str, dict[str, Any]] = QUICK | {
    "alliance_course": {"shapes": ["linear", "log"]},
    "moderators": {"moderators": ["intake"]},
    "alliance_predictors": {"part": ["early"]},
    "lagged_effects": {"sessions": (1, 5), "estimators": ("mldpm", "mlm")},
    "within_between": {"detrend": ("none", "common"), "outliers": ("keep",)},
}


def in_two_arms(study: Study) -> Study:
    """Couples by couples, every second one is in an arm that has no therapists."""
    sessions = study.sessions
    family = dict(zip(sessions["client"], sessions["family"], strict=True))
    order = {f: k for k, f in enumerate(dict.fromkeys(family.values()))}
    clients = study.clients
    arm = clients["client"].map(family).map(order).mod(2).map({0: "A", 1: "B"}).astype(str)
    of = dict(zip(clients["client"], arm, strict=True))
    own = sessions["client"].map(of)
    changed = sessions.assign(therapist=sessions["therapist"].astype(object).where(own == "A"), arm=own)
    return replace(with_sessions(study, changed), _clients=clients.assign(arm=arm))


@pytest.fixture(scope="module")
def trial() -> Study:
    """Six therapists in one of two arms; the clients are couples, each session has four ratings."""
    study = simulated_study(11, ClinicTruth(therapists=6, clients=120))
    return in_two_arms(with_couples(with_empathy(with_raters(study))))


@pytest.mark.parametrize(
    "name",
    [
        *("alliance_course", "alliance_events", "alliance_predictors", "dose", "dropout", "dyads"),
        *("lagged_effects", "mechanisms", "moderators", "raters", "within_between"),
    ],
)
def test_an_arm_without_therapists_stays(name: str, trial: Study) -> None:
    """Met in a trial: the arm left by a counted step, and the report answered another question than the one that was asked."""
    result: AnalysisResult = getattr(al, name)(trial, **ASKED.get(name, {}))
    assert not [s for s in result.flow.steps if s.step == "Clients with a therapist"]
    assert result.status["code"] not in ("failed_check", "failed")
    assert not result.answer[0].startswith("There are too few data")
    assert not [n for n in result.notes if n.code in ("estimator_failed", "path_not_fitted", "group_failed")]
    assert {getattr(m, "n_dropped", 0) for m in result.models.values()} == {0}
    (note,) = (n.message for n in result.notes if n.code == "some_without_therapist")
    assert note.startswith("60 clients have no therapist. They stay in the analysis; ")
    facts = dict(result.facts)
    assert facts.get("Therapists", "6") == "6"


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Five weeks of 70 clients of 14 therapists and of 50 clients without one."""
    return pd.read_csv(REFERENCE / "small" / "partial.csv")


@pytest.fixture(scope="module")
def r() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REFERENCE / "partial.json").read_text(encoding="utf-8"))
    return found


def test_several_rows_of_a_client_as_in_lme4(rows: pd.DataFrame, r: dict[str, Any]) -> None:
    """Therapists differ in their clients only; clients with and without one have variances of their own."""
    fitted, expected = fit_first("m", "M", "y ~ weeks + x", rows, LEVEL), r["level"]
    assert_allclose(fitted.result.params, expected["coef"], rtol=1e-6)
    assert_allclose(fitted.result.bse, expected["se"], rtol=1e-5)
    found = fitted.result.varcorr["vcov"].to_numpy()
    order = [expected["group"].index(g) for g in ("therapist", "client.1", "client", "Residual")]
    assert_allclose(found, np.array(expected["vcov"])[order], rtol=1e-4)
    assert_allclose(fitted.result.deviance, expected["reml"], rtol=1e-9)
    assert_allclose(fitted.combination({"x": 1.0})["df"], expected["df"][2], rtol=1e-4)
    assert fitted.structure.words == (
        "level differs between therapists and between clients; clients without a therapist have a mean of their own and variances of "
        "their own"
    )


def test_one_row_per_client_as_in_nlme(rows: pd.DataFrame, r: dict[str, Any]) -> None:
    """Bauer, Sterba & Hallfors 2008: the residual, which is the variance between clients, is that of each kind."""
    last = rows.loc[rows.groupby("client")["weeks"].idxmax()]
    fitted, expected = fit_first("m", "M", "y ~ x", last, ENDPOINT), r["end"]
    assert_allclose(fitted.result.params, expected["coef"], rtol=1e-6)
    assert_allclose(fitted.result.bse, expected["se"], rtol=1e-5)
    assert_allclose(fitted.result.varcorr["vcov"].iloc[0], expected["therapist"], rtol=1e-5)
    assert_allclose(fitted.result.varcorr["vcov"].iloc[1], expected["residual"][0], rtol=1e-5)
    assert_allclose(fitted.result.llf, expected["llf"], rtol=1e-9)


def test_a_fixed_part_that_knows_the_kind_gets_no_second_column(rows: pd.DataFrame) -> None:
    """Least squares and mixed models alike: a covariate that is the arm already gives clients without a therapist their mean."""
    last = rows.loc[rows.groupby("client")["weeks"].idxmax()]
    last = last.assign(arm_B=last["therapist"].isna().astype(float))
    for structures in (ENDPOINT, ENDPOINT[1:]):
        fitted = fit_first("m", "M", "y ~ x + arm_B", last, structures)
        assert list(fitted.result.params.index) == ["Intercept", "x", "arm_B"]


def test_the_late_alliance_by_hand(trial: Study) -> None:
    """Parts of the alliance are within therapists, and within the clients without one; the model is written out here."""
    result = al.alliance_course(trial, shapes=["linear", "log"])
    fitted = result.models["late"]
    data = fitted.data[["client", "early_client", "late_client", "therapist", "without_therapist"]]
    early = trial.sessions[trial.sessions["session"].between(*trial.early_window)]
    mean = early.groupby("client")["alliance"].mean().reindex(data["client"]).to_numpy()
    kind = data["therapist"].to_numpy(object)
    expected = mean - pd.Series(mean).groupby(kind).transform("mean").to_numpy()
    assert_allclose(data["early_client"], expected, atol=1e-9)
    alone = kind == " (no therapist)"
    assert 0 < alone.sum() < len(alone)
    own = np.where(
        alone, data["client"].to_numpy(object), kind
    )  # for errors by therapist each of them is alone
    rows = fitted.data.assign(has=(~alone).astype(float), lacks=alone.astype(float), therapist=own)
    again = MixedModel.from_formula(
        "end ~ early_client + late_client + before + intake + begin + lacks + (0 + has | therapist)",
        rows,
        residual=VarIdent("lacks"),
    ).fit(cov_type="CR2", cov_groups="therapist")
    assert_allclose(value(result, "late_given_early"), again.params["late_client"], rtol=1e-6)
    assert_allclose(value(result, "late_given_early", "se"), again.bse["late_client"], rtol=1e-5)


def test_an_arm_is_not_taken_for_a_difference_between_therapists(trial: Study) -> None:
    """The difference of the arms in the early alliance, one unit for one unit, among clients and not between therapists."""
    result = al.alliance_predictors(trial, predictors=["arm"], part=["early"])
    row = result.estimates.set_index("id").loc["early_arm_points"]
    early = trial.sessions[trial.sessions["session"].between(*trial.early_window)]
    frame = (
        early.groupby("client")
        .agg(early=("alliance", "mean"), therapist=("therapist", "first"), arm=("arm", "first"))
        .dropna(subset=["early"])
        .reset_index()
    )
    frame = frame.assign(has=(frame["arm"] == "A").astype(float), lacks=(frame["arm"] == "B").astype(float))
    frame["therapist"] = frame["therapist"].fillna("nobody")
    again = MixedModel.from_formula(
        "early ~ lacks + (0 + has | therapist)", frame, residual=VarIdent("lacks")
    ).fit()
    assert_allclose(row["estimate"], again.params["lacks"], rtol=1e-5)
    assert row["level"] == "client"
    assert row["n"] == len(frame)


def test_the_mean_course_is_that_of_all_clients(trial: Study) -> None:
    """With unequal arms the course of neither arm is the mean one; the change of both arms is in the phases."""
    result = al.alliance_course(trial, shapes=["linear", "log"])
    model = result.models["phases"]
    slope = model.params["without_therapist:time"]
    share = model.data.groupby("client")["no_therapist"].first().mean()
    with_one = model.params["time"] - share * slope  # at without_therapist = -share
    without = model.params["time"] + (1 - share) * slope
    assert_allclose(
        value(result, "phase_1"), (1 - share) * with_one + share * without, rtol=1e-9
    )  # each client counts once
