"""Table 1: who was analysed, counted anew from the study's frames, for owners and for outsiders."""

from dataclasses import replace

import numpy as np
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult
from alliance_longitudinal.data import Study
from analyses.declared import trial


@pytest.fixture(scope="module")
def study() -> Study:
    return replace(
        trial(therapists=12, clients=180),
        caseload=20.0,
        reporting={"ethics": "Approved by the board.", "setting": "Two clinics"},
    )


@pytest.fixture(scope="module")
def result(study: Study) -> AnalysisResult:
    return al.reliable_change(study, method="points")


def cells(result: AnalysisResult, row: str) -> list[str]:
    """All, the arms in their order, and the missing ones of one line, without thin spaces."""
    table = result.table("sample").to_frame().set_index("what")
    return [str(v).replace("\u202f", "").replace("\u00a0", " ") for v in table.loc[row]]


def test_it_is_about_the_analysed_clients(study: Study, result: AnalysisResult) -> None:
    rated = study.sessions.dropna(subset="phq9").groupby("client")["session"].nunique()
    people = study.clients[study.clients["client"].isin(rated.index[rated >= 2])]
    assert len(people) < len(study.clients)
    arms = people["arm"].value_counts()
    assert cells(result, "Clients") == [str(len(people)), str(arms["CBT"]), str(arms["IPT"]), ""]
    sessions = study.sessions[study.sessions["client"].isin(people["client"])]
    assert cells(result, "Sessions")[0] == str(len(sessions))
    assert cells(result, "Scores of PHQ-9 (client)")[::3] == [
        str(sessions["phq9"].notna().sum()),
        str(sessions["phq9"].isna().sum()),
    ]


def test_numbers_have_means_and_sds_and_missing_counts(study: Study, result: AnalysisResult) -> None:
    people = study.clients[study.clients["client"].isin(study.sessions.dropna(subset="phq9")["client"])]
    rated = study.sessions.dropna(subset="phq9").groupby("client")["session"].nunique()
    people = people[people["client"].isin(rated.index[rated >= 2])]
    shown = cells(result, "age, mean (SD)")
    for k, part in enumerate((people, people[people["arm"] == "CBT"], people[people["arm"] == "IPT"])):
        mean, sd = (float(x) for x in shown[k].rstrip(")").split(" ("))
        np.testing.assert_allclose([mean, sd], [part["age"].mean(), part["age"].std()], atol=0.051)
    assert shown[3] == str(people["age"].isna().sum())
    first = study.sessions.dropna(subset="phq9").groupby("client")["phq9"].first()
    mean = float(cells(result, "PHQ-9 (client), first score, mean (SD)")[0].split(" (")[0])
    assert mean == pytest.approx(first[people["client"]].mean(), abs=0.05)


def test_categories_have_numbers_and_shares_of_those_known(study: Study) -> None:
    clients = study.clients
    clients.loc[clients.index[:30], "education"] = np.nan
    found = al.sudden_gains(replace(study, _clients=clients), points=4, simulations=0)
    shown = [cells(found, f"education: {k}")[0] for k in ("low", "middle", "high")]
    numbers = [int(text.split(" ")[0]) for text in shown]
    shares = [float(text.split("(")[1].split(" ")[0]) for text in shown]
    missing = int(cells(found, "education: low")[3])
    assert sum(numbers) + missing == int(cells(found, "Clients")[0])
    np.testing.assert_allclose(shares, 100 * np.array(numbers) / sum(numbers), atol=0.51)
    assert missing > 0


def test_therapists_are_a_distribution(study: Study, result: AnalysisResult) -> None:
    assert cells(result, "Therapists")[0] == "12"
    rated = study.sessions.dropna(subset="phq9").groupby("client")["session"].nunique()
    people = study.clients[study.clients["client"].isin(rated.index[rated >= 2])]
    sizes = people["therapist"].value_counts()
    low, middle, high = sizes.quantile([0.25, 0.5, 0.75])
    assert cells(result, "Analysed clients per therapist, median (quartiles)")[0] == (
        f"{round(middle)} ({round(low)} to {round(high)})"
    )
    seen = cells(result, "Share of a therapist's caseload that is analysed, median (quartiles)")
    assert float(seen[0].split(" ")[0]) == pytest.approx(100 * middle / 20, abs=0.51)
    assert seen[1:3] == ["", ""]  # a caseload is of all arms together


def test_more_clients_than_the_caseload_is_a_caution(study: Study) -> None:
    found = al.sudden_gains(replace(study, caseload=3.0), points=4, simulations=0)
    (caution,) = [f for f in found.notes if f.code == "caseload_exceeded"]
    assert caution.message.startswith(
        "12 therapists have more clients in the analysis than the caseload in the study file"
    )


def test_without_therapists_or_arms_there_are_no_such_lines(study: Study) -> None:
    sessions = study.sessions.drop(columns=["therapist", "arm"])
    bare = replace(
        study,
        caseload=None,
        therapist_covariates=(),
        _sessions=sessions,
        _clients=study.clients.drop(columns=["therapist", "arm"]),
        _therapists=None,
    )
    table = al.sudden_gains(bare, points=4, simulations=0).table("sample")
    assert [c.label for c in table.columns] == ["Characteristic", "All", "Missing"]
    assert not table.to_frame()["what"].str.contains("herapist").any()


def test_compared_groups_are_its_columns(study: Study) -> None:
    table = al.sudden_gains(study, points=4, simulations=0, by="education").table("sample")
    assert [c.label for c in table.columns] == [
        "Characteristic", "All", "education low", "education middle", "education high", "Missing",
    ]  # fmt: skip
    assert not table.to_frame()["what"].str.startswith("education").any()


def test_outsiders_see_rounded_counts_and_no_small_group(study: Study) -> None:
    clients = study.clients
    clients.loc[clients.index[:4], "education"] = "high"
    clients.loc[clients.index[4:60], "arm"] = "waiting"
    clients.loc[clients.index[7:58], "age"] = np.nan
    result = al.sudden_gains(replace(study, _clients=clients), points=4, simulations=0, audience="shareable")
    assert cells(result, "Clients")[0].startswith("About ")
    assert cells(result, "Clients")[3].startswith("About ")
    assert cells(result, "age, mean (SD)")[3] == "Not shown (not shown)"
    assert cells(result, "education: high")[3].startswith(("About", "Fewer"))


def test_every_analysis_has_it_with_too_few_data_too(study: Study) -> None:
    tiny = replace(study, _sessions=study.sessions.head(20))
    found = al.reliable_change(tiny, method="points")
    assert found.status["code"] == "underpowered"
    assert [t.name for t in found.tables] == ["sample"]


def test_the_methods_begin_with_what_the_study_file_states(result: AnalysisResult) -> None:
    assert result.methods_parts.paragraphs[0] == "Setting: Two clinics. Ethics: Approved by the board."


def test_the_time_line_is_left_out_where_time_is_the_session_s_number(study: Study) -> None:
    sessions = study.sessions.assign(week=study.sessions["session"].astype(float))
    found = al.sudden_gains(replace(study, _sessions=sessions), points=4, simulations=0).table("sample")
    assert not found.to_frame()["what"].str.startswith("Weeks").any()


def test_a_small_arm_has_no_column(study: Study) -> None:
    clients = study.clients
    clients.loc[clients.index[4:7], "arm"] = "waiting"
    table = al.sudden_gains(replace(study, _clients=clients), points=4, simulations=0).table("sample")
    assert [c.label for c in table.columns] == ["Characteristic", "All", "arm CBT", "arm IPT", "Missing"]
    assert "Very small groups have no column." in table.note


def test_the_first_score_is_that_of_the_intake_also_where_the_intake_is_left_out(study: Study) -> None:
    found = al.sudden_gains(study, points=4, simulations=0)
    table = found.table("sample").to_frame().set_index("what")
    n = int(table.loc["Clients", "group_0"])
    mean = float(table.loc["PHQ-9 (client), first score, mean (SD)", "group_0"].split(" (")[0])
    first = study.sessions.dropna(subset="phq9").groupby("client")["phq9"].first()
    later = study.sessions.query("session >= 1").dropna(subset="phq9").groupby("client")["phq9"].first()
    assert n > 0.8 * len(first)
    assert abs(mean - first.mean()) < abs(mean - later.mean())
