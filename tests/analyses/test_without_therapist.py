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
    words_of,
)
from analyses.studies import QUICK as SOONER
from inside.analyses_registry import REGISTRY

QUICK: dict[str, dict[str, Any]] = SOONER | {
    "sudden_gains": {"points": 4, "simulations": 0},
    "reliable_change": {"reliability": 0.84, "cutoff": 10.0},
    "data_quality": {"models": False},
    "alliance_course": {"shapes": ["linear", "log"]},
}


#: What a report of clients without therapists may say of therapists.
ONLY_THAT_THERE_ARE_NONE = (
    *("o therapist is named", "no therapist level", "no level of therapists", "the therapists are not known"),
    *("Therapists not known", "no real clinic, therapist"),
)


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
    asked = {"sensitivity": False} if name == "early_alliance" else {"n_sim": 100, "measures": "phq9"}
    result = getattr(al, name)(study, **asked)
    step = next(s for s in result.flow.steps if s.step == "Clients with a therapist")
    assert step.clients_lost == clinic.sessions["client"].nunique() - others["client"].nunique()
    alone = getattr(al, name)(with_sessions(clinic, others), **asked)
    pd.testing.assert_frame_equal(result.estimates, alone.estimates)
    why = {
        "variance_partition": "it separates clients from therapists",
        "early_alliance": "only clients of the same therapist are compared",
    }[name]
    assert result.answer[-1] == f"120 of 360 clients have no therapist and are not in this analysis: {why}."


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


def test_an_arm_that_left_for_want_of_therapists_is_not_compared(clinic: Study) -> None:
    """Variances between therapists are those of the arm that has them; the answer says who is missing."""
    result = al.variance_partition(one_arm_without(clinic), by="arm", measures="phq9", n_sim=100)
    (note,) = {f.message for f in result.notes if f.code == "small_group"}
    assert note.startswith("arm B has fewer than ")
    assert result.answer[-1].startswith("180 of 360 clients have no therapist and are not in this analysis")


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
    assert result.models["length"].data["client"].nunique() > 300  # nobody leaves the models of length


@pytest.mark.parametrize("name", REGISTRY)
def test_every_analysis_says_something_of_a_study_without_therapists(name: str, clinic: Study) -> None:
    study = with_sessions(clinic, clinic.sessions.drop(columns="therapist"))
    study = with_couples(study) if name == "dyads" else study
    study = with_empathy(study) if name == "mechanisms" else study
    if name == "raters":
        rated = with_raters(clinic)
        study = with_sessions(rated, rated.sessions.drop(columns="therapist"))
    result = getattr(al, name)(study, **QUICK.get(name, {}))
    needs = (
        "The study names no therapists, so neither" in result.answer[0]
        or "so clients share nothing" in result.answer[0]
    )
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


@pytest.mark.parametrize(
    ("name", "asked", "said"),
    [
        ("early_alliance", {"sensitivity": False}, "Among all clients, those whose early alliance was "),
        ("multiverse", QUICK["multiverse"], "clients with a better alliance have a better outcome"),
        ("variance_partition", {}, "Of the differences in WAI-SR level, "),
    ],
)
def test_nobody_has_to_invent_a_therapist(name: str, asked: dict[str, Any], said: str, few: Study) -> None:
    """Without a column of therapists the numbers are those of one with the same therapist for all; the words speak of clients."""
    none = getattr(al, name)(with_sessions(few, few.sessions.drop(columns="therapist")), **asked)
    same = getattr(al, name)(with_sessions(few, few.sessions.assign(therapist="all")), **asked)
    one, other = (r.estimates.set_index("id")["estimate"] for r in (none, same))
    shared = [i for i in other.index if i in one.index]
    assert len(shared) >= 0.9 * len(other)
    if (
        name == "multiverse"
    ):  # one therapist has no errors by therapist, so analyses by least squares are missing there
        shared = ["mv_main"]
        assert one["mv_n_significant"] > other["mv_n_significant"]
    pd.testing.assert_series_equal(one[shared], other[shared], rtol=1e-6, atol=1e-9)
    if name == "early_alliance":  # what is after a row that is missing stays
        assert {"slope_total_per_sd", "end_total_per_sd"} <= set(one.index)
    assert said in none.answer[0]
    assert "same therapist" not in " ".join(none.answer)
    assert dict(none.facts)["Therapists"] == "not known"
    assert {s.therapists_out for s in none.flow.steps} == {0}
    assert "Therapists" not in [c.label for c in none.flow_table().columns]
    (note,) = (n.message for n in none.notes if n.code == "no_therapists" and n.where == "therapists")
    assert note == (
        "No therapist is named for these clients, so the report says nothing of differences between therapists. Each client is compared "
        "with all others."
    )
    assert not [text for text in words_of(none) if "within therapists" in text.lower()]
    assert not [n for n in none.notes if n.code == "simpler_model"]


def test_an_arm_without_therapists_can_be_analysed_alone(clinic: Study) -> None:
    """``by="arm=B"``: clients of this arm are compared with each other, and nothing in the report speaks of a therapist's clients."""
    result = al.early_alliance(one_arm_without(clinic), by="arm=B", m=5, delta=(3,))
    assert result.answer[0].startswith(
        "Among all clients, those whose early alliance was one standard deviation "
    )
    assert result.answer[1] == (
        "The data cannot show whether therapists with better alliances have clients who improve more: no therapist is named for these "
        "clients."
    )
    labels = " ".join(map(str, result.estimates["label"]))
    assert "Within therapists" not in labels
    assert "Between clients (weekly change)" in labels
    assert {"slope_within_delta_3_below", "slope_within_pattern", "slope_within_ipw"} <= set(
        result.estimates["id"]
    )
    said = [text for text in words_of(result) if "therapist" in text.lower()]
    assert len(said) >= 5
    assert not [text for text in said if not any(words in text for words in ONLY_THAT_THERE_ARE_NONE)]
