"""Clients without a therapist, and studies without therapists: said and counted, never dropped in silence."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import Study
from analyses.studies import (
    NEED_THERAPISTS,
    SHIPPED,
    WITHOUT_THERAPISTS,
    with_couples,
    with_empathy,
    with_raters,
    with_sessions,
)
from analyses.studies import QUICK as SOONER
from inside.analyses_registry import REGISTRY

QUICK: dict[str, dict[str, Any]] = SOONER | {
    "sudden_gains": {"points": 4, "simulations": 0},
    "reliable_change": {"reliability": 0.84, "cutoff": 10.0},
    "data_quality": {"models": False},
    "alliance_course": {"shapes": ["linear", "log"]},
}


def some_without(study: Study) -> tuple[Study, pd.DataFrame]:
    """Every third client has no therapist; and the rows of the others."""
    sessions = study.sessions
    gone = sessions["client"].isin(sorted(sessions["client"].unique())[::3])
    blank = sessions["therapist"].astype(object).where(~gone)
    return with_sessions(study, sessions.assign(therapist=blank)), sessions[~gone]


@pytest.mark.parametrize("name", ["variance_partition", "early_alliance"])
def test_clients_without_a_therapist_leave_by_a_counted_step(name: str, clinic: Study) -> None:
    """The numbers are those of the clients with one, and the flow says how many the others were."""
    study, others = some_without(clinic)
    asked = QUICK.get(name, {}) | ({"sensitivity": False} if name == "early_alliance" else {})
    result = getattr(al, name)(study, **asked)
    step = next(s for s in result.flow.steps if s.step == "Clients with a therapist")
    assert step.clients_lost == clinic.sessions["client"].nunique() - others["client"].nunique()
    alone = getattr(al, name)(with_sessions(clinic, others), **asked)
    pd.testing.assert_frame_equal(result.estimates, alone.estimates)


@pytest.mark.parametrize("name", ["dropout", "alliance_course", "alliance_events"])
def test_models_that_can_do_without_therapists_count_those_who_leave(name: str, clinic: Study) -> None:
    """Where some clients have a therapist, the others leave by a step, and no model drops a row of its own accord."""
    study, _ = some_without(clinic)
    result = getattr(al, name)(study, **QUICK.get(name, {}))
    assert "Clients with a therapist" in {s.step for s in result.flow.steps}
    assert result.status["code"] != "failed_check"
    assert {getattr(m, "n_dropped", 0) for m in result.models.values()} == {0}


@pytest.mark.parametrize("name", ["reliable_change", "sudden_gains", "dose"])
def test_shares_keep_the_clients_without_a_therapist(name: str, clinic: Study) -> None:
    """A share counts clients, whoever the therapist is; only its interval knows of therapists."""
    study, _ = some_without(clinic)
    result = getattr(al, name)(study, **QUICK.get(name, {})).estimates.set_index("id")
    whole = getattr(al, name)(clinic, **QUICK.get(name, {})).estimates.set_index("id")
    counted = whole.index[whole["unit"].str.startswith("share of")]
    assert len(counted) >= 1
    pd.testing.assert_frame_equal(
        result.loc[counted, ["estimate", "n"]], whole.loc[counted, ["estimate", "n"]]
    )


def one_arm_without(study: Study) -> Study:
    """Two arms, of which only the first has therapists."""
    clients = study.clients.assign(arm=["A", "B"] * (len(study.clients) // 2))
    arm = study.sessions["client"].map(clients.set_index("client")["arm"])
    therapist = study.sessions["therapist"].astype(object).where(arm == "A")
    return replace(
        with_sessions(study, study.sessions.assign(therapist=therapist, arm=arm)), _clients=clients
    )


@pytest.mark.parametrize(("name", "needed"), [("mechanisms", 40), ("alliance_course", 20)])
def test_an_arm_that_left_for_want_of_therapists_is_not_compared(
    name: str, needed: int, clinic: Study
) -> None:
    study = with_empathy(one_arm_without(clinic)) if name == "mechanisms" else one_arm_without(clinic)
    result = getattr(al, name)(study, by="arm", **QUICK.get(name, {}))
    (note,) = (f.message for f in result.notes if f.code == "small_group")
    assert note == (
        f"arm B has fewer than {needed} clients in this analysis, so the report does not compare this group."
    )


def test_an_arm_without_therapists_is_compared_in_sessions_to_improvement(clinic: Study) -> None:
    """Met in a trial: all 88 clients of the arm had left, and the report said that the arm had fewer than 20."""
    study = one_arm_without(clinic)
    result = al.dose(study, by="arm", **QUICK.get("dose", {}))
    of = result.estimates.set_index("id")["estimate"]
    for name in "AB":
        alone = al.dose(study, by=f"arm={name}", **QUICK.get("dose", {})).estimates.set_index("id")
        row = next(i for i in of.index if i.startswith("share_by_8_km") and i.endswith(name))
        assert of[row] == pytest.approx(alone.loc["share_by_8_km", "estimate"], rel=1e-12)
    assert not [r for r in result.status["reasons"] if "does not compare" in r]
    assert [f.message for f in result.notes if f.code == "length_needs_therapists"]


@pytest.mark.parametrize("name", REGISTRY)
def test_every_analysis_says_something_of_a_study_without_therapists(name: str, clinic: Study) -> None:
    study = with_sessions(clinic, clinic.sessions.drop(columns="therapist"))
    study = with_couples(study) if name == "dyads" else study
    study = with_empathy(study) if name == "mechanisms" else study
    if name == "raters":
        rated = with_raters(clinic)
        study = with_sessions(rated, rated.sessions.drop(columns="therapist"))
    result = getattr(al, name)(study, **QUICK.get(name, {}))
    needs = "The study names no therapist" in result.answer[0]
    assert needs or name not in NEED_THERAPISTS
    assert not (needs and name in WITHOUT_THERAPISTS)
    if needs:
        assert result.status["code"] == "underpowered"
    else:
        assert result.status["code"] != "failed_check"
        assert not result.answer[0].startswith("There are too few data")


def test_every_analysis_of_the_package_needs_therapists_or_not() -> None:
    assert set(REGISTRY) >= SHIPPED
    assert not WITHOUT_THERAPISTS & NEED_THERAPISTS


def test_without_therapists_each_client_stands_alone_in_the_interval(clinic: Study) -> None:
    """Clients are their own clusters: the interval of a share is Wilson's of as many independent clients."""
    from scipy import stats

    study = with_sessions(clinic, clinic.sessions.drop(columns="therapist"))
    row = al.reliable_change(study, **QUICK["reliable_change"]).estimates.set_index("id").loc["JT_better"]
    k, n = round(row["estimate"] * row["n"]), row["n"]
    wilson = stats.binomtest(int(k), int(n)).proportion_ci(method="wilson")
    assert row["ci_low"] == pytest.approx(wilson.low, abs=0.003)  # t in place of the normal quantile
    assert row["ci_high"] == pytest.approx(wilson.high, abs=0.003)


@pytest.mark.parametrize("name", ["reliable_change", "sudden_gains"])
def test_clients_who_are_taken_alone_are_not_counted_as_therapists(name: str, clinic: Study) -> None:
    study = with_sessions(clinic, clinic.sessions.drop(columns="therapist"))
    result = getattr(al, name)(study, **QUICK[name])
    assert dict(result.facts)["Therapists"] == "not known"
    first, *rest = result.flow.steps
    assert {s.therapists_out for s in (first, *rest)} == {0}
