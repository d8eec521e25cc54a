"""early_alliance and the multiverse by arm, where an arm has no therapists: its effect is beside that within therapists of the other."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study
from analyses.studies import value

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
STUDY = """study: Two arms
tables:
  sessions:
    file: {file}
    columns: {{client: client, therapist: therapist, session: session, week: week, arm: arm}}
measures:
  alliance: {{instrument: wai_sr, total: alliance, rater: client}}
  symptoms: {{instrument: phq_9, total: symptoms, rater: client}}
"""
ASKED = {"window": (1, 3), "sensitivity": False}
QUICK = {
    "windows": "1-3",
    "adjust": "change",
    "outcomes": "last",
    "estimators": "least_squares",
    "scales": "total",
}


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The rows of make_partial_early.R: 60 clients of 8 therapists in arm A, 45 clients without one in arm B."""
    place = tmp_path_factory.mktemp("trial") / "study.yaml"
    place.write_text(STUDY.format(file=REFERENCE / "small" / "partial_early.csv"), encoding="utf-8")
    return al.load_study(place)


@pytest.fixture(scope="module")
def result(trial: Study) -> AnalysisResult:
    return al.early_alliance(trial, by="arm", **ASKED)


@pytest.fixture(scope="module")
def r() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads(
        (REFERENCE / "partial_early.json").read_text(encoding="utf-8")
    )
    return found


def note(result: AnalysisResult, code: str) -> str:
    (found,) = (n.message for n in result.notes if n.code == code)
    return found


@pytest.mark.parametrize("kind", ["slope", "end"])
def test_each_arm_as_in_lme4(result: AnalysisResult, r: dict[str, dict[str, float]], kind: str) -> None:
    """Arm A within therapists with CR2 errors of clubSandwich; arm B between its clients, without a level of therapists."""
    for name in (f"{kind}_within_A", f"{kind}_within_B"):
        expected = r[name]
        assert value(result, name) == pytest.approx(expected["estimate"], rel=1e-4)
        assert value(result, name, "se") == pytest.approx(expected["se"], rel=1e-4)
        assert value(result, name, "df") == pytest.approx(expected["df"], rel=1e-3)
    name = f"{kind}_within_B_difference"
    assert value(result, name) == pytest.approx(r[name]["estimate"], rel=1e-4)
    assert value(result, name, "ci_low") == pytest.approx(r[name]["low"], rel=1e-3)
    assert value(result, name, "ci_high") == pytest.approx(r[name]["high"], rel=1e-3)


def test_an_arm_without_therapists_has_no_effect_between_them(result: AnalysisResult) -> None:
    ids = set(result.estimates["id"])
    assert {"slope_between_A", "end_between_A"} <= ids
    assert not ids & {"slope_between_B", "end_between_B", "end_between_B_difference"}


def test_the_main_results_are_those_of_clients_with_a_therapist(result: AnalysisResult) -> None:
    assert value(result, "slope_within") == value(result, "slope_within_A")
    assert result.answer[-1] == (
        "45 of 105 clients have no therapist and are not in the main results: only clients of the same therapist are compared."
    )
    step = next(s for s in result.flow.steps if s.step == "Clients with a therapist")
    assert (step.clients_in, step.clients_out) == (105, 60)


def test_the_report_says_what_is_beside_what(result: AnalysisResult) -> None:
    assert note(result, "group_without_therapists") == (
        "No client of arm B (45 clients) has a therapist. The comparison by arm sets the effect between all clients of this group beside "
        "the effect within therapists in the others. The main results are about clients with a therapist only."
    )
    assert not [n for n in result.notes if n.code == "small_group"]
    table = result.table("by_group")
    assert "In a group without therapists the effect is between all its clients." in table.note
    assert table.to_frame()["label"].tolist()[:3] == [
        "Within therapists (weekly change); arm A",
        "Between clients (weekly change); arm B",
        "Between clients (weekly change), B, less within therapists (weekly change), A",
    ]


def test_table_1_has_a_column_for_the_arm(result: AnalysisResult) -> None:
    table = result.table("sample")
    assert [c.label for c in table.columns] == ["Characteristic", "All", "arm A", "arm B", "Missing"]
    rows = table.to_frame().set_index("what").iloc[:, :3]
    assert rows.loc["Clients"].tolist() == ["60", "60", "45"]
    assert rows.loc["Therapists"].tolist() == ["8", "8", "0"]
    assert (
        "All: the clients of the main results, without groups in which no client has a therapist."
        in table.note
    )


def test_outsiders_see_rounded_clients_of_the_arm(trial: Study) -> None:
    shared = al.multiverse(trial, window=(1, 3), by="arm", n_perm=19, audience="shareable", **QUICK)
    assert note(shared, "group_without_therapists").startswith(
        "No client of arm B (about 50 clients) has a therapist."
    )
    assert shared.answer[-1].startswith(
        "About 50 of about 110 clients have no therapist and are not in the main results"
    )


def test_an_arm_that_is_too_small_is_not_compared(trial: Study) -> None:
    """19 clients without a therapist: the report does not say that they are beside the others."""
    some = trial.clients
    few = some[some["arm"].eq("A") | some["client"].isin(some.loc[some["arm"].eq("B"), "client"].iloc[:19])]
    kept = trial.sessions[trial.sessions["client"].isin(few["client"])]
    result = al.early_alliance(replace(trial, _sessions=kept, _clients=few), by="arm", **ASKED)
    assert note(result, "small_group") == (
        "arm B has fewer than 20 clients in this analysis, so the report does not compare this group."
    )
    assert "group_without_therapists" not in {n.code for n in result.notes}
    assert [c.label for c in result.table("sample").columns] == ["Characteristic", "All", "arm A", "Missing"]
    assert "slope_within_B" not in set(result.estimates["id"])


def test_therapists_in_part_of_an_arm(trial: Study) -> None:
    """An arm in which some clients have a therapist is compared by these, as in the main results."""
    sessions = trial.sessions
    own = sorted(sessions.loc[sessions["arm"].eq("B"), "client"].unique())[:6]
    named = sessions["therapist"].astype(object).mask(sessions["client"].isin(own), "T1")
    study = replace(trial, _sessions=sessions.assign(therapist=named))
    result = al.multiverse(study, window=(1, 3), by="arm", n_perm=19, **QUICK)
    assert result.answer[-1].startswith("39 of 105 clients have no therapist and are not in this analysis: ")
    assert note(result, "small_group").startswith("arm B has fewer than 20 clients in this analysis")


def test_the_multiverse_by_arm(trial: Study, r: dict[str, dict[str, float]]) -> None:
    """The single analysis of arm B is least squares of all its clients, in standard deviations."""
    found = al.multiverse(trial, window=(1, 3), by="arm", n_perm=19, **QUICK)
    assert value(found, "mv_median_B") == pytest.approx(r["multiverse_B"]["estimate"], rel=1e-8)
    table = found.table("by_group")
    assert table.to_frame()["n"].tolist() == [60, 45]
    assert (
        "In a group without therapists the effect is between all its clients, for one standard " in table.note
    )
    assert note(found, "group_without_therapists").startswith(
        "No client of arm B (45 clients) has a therapist. The comparison by arm sets the effect between all clients of this group beside"
    )
    assert found.answer[-1].endswith(
        "not in the main results: only clients of the same therapist are compared."
    )
    assert [c.label for c in found.table("sample").columns][2:4] == ["arm A", "arm B"]


def test_between_therapists_there_is_nothing_to_compare(trial: Study) -> None:
    found = al.multiverse(trial, window=(1, 3), by="arm", n_perm=19, effect="between", **QUICK)
    assert note(found, "group_without_therapists") == (
        "No client of arm B (45 clients) has a therapist, so the report gives no effect between therapists for this group."
    )
    table = found.table("by_group")
    assert table.to_frame()["group"].tolist() == ["A"]
    assert "group without therapists" not in table.note
    assert [c.label for c in found.table("sample").columns][2:] == ["arm A", "Missing"]
    assert found.answer[-1] == (
        "45 of 105 clients have no therapist and are not in the main results: only therapists are compared."
    )
