"""Early alliance adjusted for a study's own covariates, and compared between groups of clients."""

import pytest

import alliance_longitudinal as al
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.engine import MixedModel
from alliance_longitudinal.simulation import ClinicTruth
from analyses.declared import trial
from analyses.studies import early_design, value, with_sessions


@pytest.fixture(scope="module")
def study() -> al.Study:
    return trial()


def clients_of(study: al.Study) -> object:
    return early_design(study).clients


def test_covariates_are_predictors_of_level_and_change(study: al.Study) -> None:
    result = al.early_alliance(study, covariates=["age", "education"], sensitivity=False)
    formula = result.table("models").to_frame().set_index("title").loc["Course after the window", "formula"]
    assert "weeks * (early_client" in formula
    assert "+ cov_age + cov_education_" in formula
    ages = study.clients.set_index("client")["age"]
    known = study.clients.dropna(subset=["age", "education"])["client"]
    left = with_sessions(study, study.sessions[study.sessions["client"].isin(known)])
    frame = clients_of(left)
    frame["age"] = frame["client"].map(ages).to_numpy()
    frame["education"] = (
        frame["client"].map(study.clients.set_index("client")["education"]).astype(str).to_numpy()
    )
    by_hand = MixedModel.from_formula(
        "end_change ~ early_client + early_therapist + intake_client + intake_therapist + change_client + "
        "change_therapist + age + C(education) + (1 | therapist)",
        frame,
    ).fit(cov_type="CR2", cov_groups="therapist")
    assert value(result, "end_within") == pytest.approx(by_hand.params["early_client"], rel=1e-6)
    assert value(result, "end_within", "se") == pytest.approx(by_hand.bse["early_client"], rel=1e-5)
    assert "They also adjust level and rate of change for age and education" in result.methods


def test_each_arm_is_as_if_it_were_alone_and_their_difference_has_an_interval(study: al.Study) -> None:
    result = al.early_alliance(study, by="arm", sensitivity=False)
    first, second = (a for a in dict.fromkeys(sorted(study.clients["arm"].dropna())))
    for arm in (first, second):
        alone = al.early_alliance(study, by=f"arm={arm}", sensitivity=False)
        for name in ("slope_within", "end_within"):
            assert value(result, f"{name}_{arm}") == pytest.approx(value(alone, name), rel=1e-8)
    difference = value(result, f"end_within_{second}_difference")
    assert difference == pytest.approx(
        value(result, f"end_within_{second}") - value(result, f"end_within_{first}"), rel=1e-9
    )
    assert (
        value(result, f"end_within_{second}_difference", "ci_low")
        < difference
        < value(result, f"end_within_{second}_difference", "ci_high")
    )


def test_fewer_than_five_clients_per_coefficient_are_a_caution(monkeypatch: pytest.MonkeyPatch) -> None:
    """The course of the two parts of the alliance, intake and early change has 14 coefficients: 70 clients are enough."""
    monkeypatch.setattr(Draft, "checks", lambda *_, **__: None)  # they take longer than everything else
    study = simulated_study(3, ClinicTruth(therapists=8, clients=120), items=False)
    analysed = list(dict.fromkeys(early_design(study).clients["client"]))
    found = {}
    for n in (70, 69):
        own = study.sessions["client"].isin(analysed[:n])
        result = al.early_alliance(with_sessions(study, study.sessions[own]), sensitivity=False)
        assert (len(result.models["growth"].params), dict(result.facts)["Clients"]) == (14, str(n))
        found[n] = [note.message for note in result.notes if note.code == "many_coefficients"]
    assert found == {
        70: [],
        69: [
            "The largest model has 14 coefficients for 69 clients, fewer than 5 clients per coefficient. Its estimates are unstable. "
            "Leave out an adjustment, or analyse more clients together."
        ],
    }
