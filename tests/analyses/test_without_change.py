"""An outcome that does not change: reports say so, where zeros with intervals of no width would look like results."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import Study
from alliance_longitudinal.analyses.kit import ENDPOINT, fit_first
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.simulation import ClinicTruth
from analyses.studies import QUICK, simulated_study, with_couples, with_empathy, with_raters, with_sessions
from inside.analyses_registry import REGISTRY

NONE_CHANGES = (
    "There are too few data for an answer. No client's score of PHQ-9 changes, so there is no change to relate to anything. "
    "Check that the study file names the right columns."
)
ALL_EQUAL = (
    "There are too few data for an answer. All scores of PHQ-9 are equal, so nothing can be related to them. "
    "Check that the study file names the right columns."
)
ABOUT_CHANGE = (
    "early_alliance",
    "expected_course",
    "group_effects",
    "mechanisms",
    "moderators",
    "multiverse",
    "planning",
    "within_between",
)


@pytest.fixture(scope="module")
def study() -> Study:
    return with_empathy(
        with_couples(simulated_study(5, ClinicTruth(therapists=10, clients=160), items=False))
    )


@pytest.fixture(scope="module")
def still(study: Study) -> Study:
    """Clients differ in their symptoms, and none changes."""
    sessions = study.sessions
    first = sessions.groupby("client")["phq9"].transform("first")
    return with_sessions(study, sessions.assign(phq9=first.where(sessions["phq9"].notna())))


@pytest.mark.parametrize("name", ABOUT_CHANGE)
def test_without_change_there_is_no_answer(study: Study, still: Study, name: str) -> None:
    options = QUICK.get(name, {})
    assert getattr(al, name)(still, **options).answer == (NONE_CHANGES,)
    scored = study.sessions["phq9"].notna()
    equal = with_sessions(study, study.sessions.assign(phq9=np.where(scored, 12.0, np.nan)))
    assert getattr(al, name)(equal, **options).answer == (ALL_EQUAL,)


def test_couples_whose_scores_stay(still: Study) -> None:
    found = al.dyads(still, missing="drop")
    assert found.answer[0].startswith(
        "There are too few data for an answer. No member's score of PHQ-9 changes, so there is no change"
    )
    assert "actor" in set(al.dyads(still, missing="drop", adjust_intake=False).estimates["id"])


def test_what_is_about_the_alliance_stays(still: Study) -> None:
    events = al.alliance_events(still, simulations=50)
    note = next(n for n in events.notes if n.code == "equal_changes")
    assert (
        note.message == "The change in PHQ-9 is the same for all clients, so ruptures are not related to it."
    )
    assert "rate" in set(events.estimates["id"])
    assert "outcome_events" not in set(events.estimates["id"])
    clients = still.clients
    clients["case"] = clients.groupby("therapist").cumcount() + 1.0
    numbered = replace(still, covariates=("case",), _clients=clients)
    found = al.therapist_development(numbered, case_number="case")
    note = next(n for n in found.notes if n.code == "outcome_without_change")
    assert note.message == (
        "No client's score of PHQ-9 (client) changes, so the report is about WAI-SR (client) only."
    )
    assert "alliance_case" in set(found.estimates["id"])
    assert "outcome_case" not in set(found.estimates["id"])


def test_a_course_of_ratings_that_never_change(study: Study) -> None:
    sessions = study.sessions
    first = sessions.groupby("client")["alliance"].transform("first")
    own = first.where(sessions["alliance"].notna())
    flat = al.alliance_course(with_sessions(study, sessions.assign(alliance=own)))
    assert flat.answer[0] == (
        "There are too few data for an answer. No client's ratings of the alliance change, so there is no course."
    )


def test_too_few_scores_per_client(study: Study) -> None:
    sessions = study.sessions
    two = al.expected_course(with_sessions(study, sessions[sessions["session"].isin([0, 2])]))
    assert "a course, which needs several later scores, needs at least 10." in two.answer[0]
    one = al.variance_partition(with_sessions(study, sessions[sessions["session"] == 1]))
    assert (
        "Each client has only one score of WAI-SR, so differences between clients cannot be" in one.answer[0]
    )


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        *((name, ["alliance", "phq9"]) for name in REGISTRY),
        ("expected_course", ["alliance"]),
        ("alliance_course", ["phq9"]),
        ("group_effects", ["phq9"]),
    ],
)
def test_a_measure_without_any_score(study: Study, name: str, gone: list[str]) -> None:
    """A column that an export left empty: the report says that scores are missing, or goes on without them."""
    empty = study.sessions.assign(**dict.fromkeys(gone, np.nan))
    asked = with_sessions(study, empty)
    asked = with_couples(asked) if name == "dyads" else with_empathy(asked) if name == "mechanisms" else asked
    if name == "raters":
        asked = with_sessions(
            with_raters(study), with_raters(study).sessions.assign(**dict.fromkeys(gone, np.nan))
        )
    result = getattr(al, name)(asked, **QUICK.get(name, {}))
    assert result.answer
    assert np.isfinite(result.estimates["estimate"].astype(float)).all()


@pytest.mark.parametrize("name", ["within_between", "planning", "therapist_development"])
def test_a_covariate_that_nobody_has(study: Study, name: str) -> None:
    people = study.clients.assign(age=np.nan)
    asked = replace(study, _clients=people, covariates=("age",))
    said = getattr(al, name)(asked, covariates=("age",), **QUICK.get(name, {})).answer[0]
    assert "0 clients can be analysed; the analysis needs at least 1." in said
    assert "Check the columns of the covariates." in said


def test_an_arm_that_all_clients_have_predicts_nothing(study: Study) -> None:
    people = study.clients.assign(arm="CBT")
    result = al.alliance_predictors(replace(study, _clients=people), by="arm")
    assert result.answer


@pytest.mark.parametrize("name", ["early_alliance", "planning"])
def test_all_clients_have_the_same_course(study: Study, name: str) -> None:
    """Clients do not differ in any session: nothing is divided by their variance, and no share of it is given."""
    sessions = study.sessions.sort_values(["client", "session"])
    sessions["phq9"] = sessions.groupby("session")["phq9"].transform("median").round()
    result = getattr(al, name)(with_sessions(study, sessions), **QUICK.get(name, {}))
    assert result.answer
    of = result.estimates.set_index("id")["estimate"].astype(float)
    assert np.isfinite(of[of.index.str.contains("share|icc|_d$")]).all()


def test_least_squares_refuses_a_constant_response() -> None:
    rows = pd.DataFrame(
        {"therapist": "a", "client": [f"c{k}" for k in range(9)], "x": np.arange(9.0), "y": 3.0}
    )
    with pytest.raises(FitError, match="The response has the same value, 3, in all 9 rows"):
        fit_first("flat", "Flat", "y ~ x", rows, ENDPOINT)
