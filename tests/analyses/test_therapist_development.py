"""Do therapists develop: planted changes, direct models of the same rows, who is followed long enough, and what too few data give."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth
from analyses.studies import dated, value, with_sessions

NEUTRAL = {"within": 0.0, "between": 0.0}


def planted(
    seed: int, alliance: float, end: float, sd: float = 0.0, therapists: int = 30, clients: int = 600
) -> Study:
    """A clinic in which ten cases add so many points to the alliance and to the scores after the first session."""
    study = dated(
        simulated_study(seed, ClinicTruth(therapists=therapists, clients=clients, **NEUTRAL), items=False)
    )
    sessions = study.sessions
    people = sessions.drop_duplicates("client").sort_values("client")
    case = dict(zip(people["client"], people.groupby("therapist").cumcount(), strict=True))
    own = dict(
        zip(
            sorted(people["therapist"].unique()),
            np.random.default_rng(seed).normal(alliance, sd, therapists),
            strict=True,
        )
    )
    cases = sessions["client"].map(case) / 10
    sessions["alliance"] += sessions["therapist"].map(own) * cases
    later = sessions["session"] > 1
    sessions.loc[later, "phq9"] += end * cases[later]
    cut = sessions.groupby("client")["date"].min().max() + pd.Timedelta(days=42)
    return with_sessions(study, sessions[sessions["date"] <= cut].reset_index(drop=True))


@pytest.fixture(scope="module")
def study() -> Study:
    return planted(1, 1.5, -1.0, sd=1.0)


@pytest.fixture(scope="module")
def result(study: Study) -> AnalysisResult:
    return al.therapist_development(study)


def rows_of(study: Study, horizon: float) -> pd.DataFrame:
    """One row per client who began at least ``horizon`` weeks before the end of the data, by loops."""
    sessions = study.sessions
    latest = sessions["date"].max() - pd.Timedelta(days=7 * horizon)
    start = sessions.groupby("client")["date"].min()
    rows: list[dict[str, Any]] = []
    for client, own in sessions.groupby("client"):
        therapist = own["therapist"].iloc[0]
        peers = start[sessions.drop_duplicates("client").set_index("client")["therapist"].eq(therapist)]
        if start[client] > latest:
            continue
        early = own[own["session"].between(1, 5)]["alliance"].mean()
        known = own[own["phq9"].notna()]
        end = known[(known["session"] > 1) & (known["week"] <= horizon)]["phq9"]
        intake = known[known["session"] <= 1]["phq9"]
        rows.append(
            {
                "client": client,
                "therapist": therapist,
                "case": (peers < start[client]).sum() + 1 + ((peers == start[client]).sum() - 1) / 2,
                "years": (start[client] - peers.min()).days / 365.25,
                "alliance": early,
                "end": end.iloc[-1] if len(end) else np.nan,
                "intake": intake.iloc[0] if len(intake) else np.nan,
            }
        )
    return pd.DataFrame(rows)


def split(rows: pd.DataFrame, column: str, unit: float) -> pd.DataFrame:
    x = rows[column] / unit
    means = x.groupby(rows["therapist"]).transform("mean")
    return rows.assign(w=x - means, b=means - x.mean())


def test_planted_changes_are_found_again(result: AnalysisResult) -> None:
    for name, truth in (("alliance_case", 1.5), ("outcome_case", -1.0)):
        assert abs(value(result, name) - truth) < 3 * value(result, name, "se"), name
        assert value(result, name, "p") < 0.01
    assert value(result, "alliance_case_sd", "ci_low") < 1.0 < value(result, "alliance_case_sd", "ci_high")
    assert value(result, "outcome_case_d") > 0 > value(result, "outcome_case")
    assert abs(value(result, "intake_case")) < 3 * value(result, "intake_case", "se")
    assert result.answer[0].startswith("Over 10 cases of a therapist the early alliance became better (")
    assert result.answer[1].startswith(
        "Over 10 cases of a therapist the outcome, adjusted for intake, became better ("
    )
    assert result.answer[2].startswith(
        "Therapists differ in this: by the estimated variance, 95 % of them change by "
    )
    assert result.answer[3] == (
        "The data do not show that therapists differ in the change of outcome over cases. With 30 therapists such a difference is "
        "easily missed."
    )


def test_the_models_are_the_direct_ones(study: Study, result: AnalysisResult) -> None:
    horizon = float(result.parameters["horizon"])
    every = rows_of(study, horizon)
    assert result.flow.steps[-1].clients_out == len(every) < study.sessions["client"].nunique()
    rows = split(every.dropna(subset=["alliance"]).reset_index(drop=True), "case", 10)
    fit = al.MixedModel.from_formula("alliance ~ w + b + (1 + w | therapist)", rows).fit()
    assert value(result, "alliance_case") == pytest.approx(fit.params["w"], rel=1e-5)
    assert value(result, "alliance_case", "se") == pytest.approx(fit.bse["w"], rel=1e-4)
    assert value(result, "alliance_case", "df") == pytest.approx(min(fit.df["w"], 29), rel=1e-3)
    assert value(result, "alliance_case_sd") == pytest.approx(fit.varcorr["sdcor"].iloc[1], rel=1e-3)
    assert value(result, "alliance_case_d") == pytest.approx(
        fit.params["w"] / rows["alliance"].std(), rel=1e-5
    )
    scored = every.dropna(subset=["end", "intake"]).reset_index(drop=True)
    for column, unit, name in (("case", 10, "outcome_case"), ("years", 1, "outcome_years")):
        own = split(scored, column, unit)
        own["z"] = own["intake"] - own["intake"].mean()
        fit = al.MixedModel.from_formula("end ~ w + b + z + (1 + w | therapist)", own).fit()
        assert value(result, name) == pytest.approx(fit.params["w"], rel=1e-4), name
        assert value(result, name, "df") <= 29
    own = split(scored, "case", 10)
    fit = al.MixedModel.from_formula("end ~ w + b + (1 + w | therapist)", own).fit()
    assert value(result, "outcome_case_raw") == pytest.approx(fit.params["w"], rel=1e-4)
    own = split(scored.assign(log=np.log2(scored["case"])), "log", 1)
    own["z"] = own["intake"] - own["intake"].mean()
    fit = al.MixedModel.from_formula("end ~ w + b + z + (1 + w | therapist)", own).fit()
    assert value(result, "outcome_doubling") == pytest.approx(fit.params["w"], rel=1e-4)


def test_clients_who_began_late_do_not_make_the_last_cases_look_worse() -> None:
    """Without the rule, scores of late cases are those of unfinished treatments, and a decline appears from nothing."""
    study = dated(
        simulated_study(
            3, ClinicTruth(therapists=20, clients=600, **NEUTRAL, early_rate=-0.8, slope=-0.5), items=False
        ),
        7.0,
    )
    sessions = study.sessions
    cut = sessions.groupby("client")["date"].min().quantile(0.9) + pd.Timedelta(days=7)
    open_ended = with_sessions(study, sessions[sessions["date"] <= cut])
    found = al.therapist_development(open_ended, horizon=12)
    assert abs(value(found, "outcome_case")) < 3 * value(found, "outcome_case", "se")
    step = next(s for s in found.flow.steps if s.step == "Clients who began early enough")
    assert step.clients_lost > 50
    assert step.reason == (
        "began less than 12 weeks before the end of the data, so the end of treatment may not be in them"
    )
    everybody = rows_of(open_ended, 0.0)
    scored = open_ended.sessions.dropna(subset=["phq9"]).groupby("client")["phq9"].last()
    everybody["end"] = everybody["client"].map(scored)
    naive = al.MixedModel.from_formula(
        "end ~ w + b + intake + (1 | therapist)", split(everybody.dropna(subset=["intake"]), "case", 10)
    ).fit()
    assert naive.params["w"] > 3 * naive.bse["w"]


def test_case_numbers_can_be_a_covariate_and_the_simulator_s_truth_is_found() -> None:
    truth = ClinicTruth(
        therapists=30, clients=600, **NEUTRAL, alliance_by_case=2.0, slope_by_case=-0.2, case_therapist_sd=0.5
    )
    study = simulated_study(2, truth, items=False)
    case = al.simulate_clinic(2, truth, items=False).clients[["client", "case"]]
    numbered = replace(study, covariates=("case",), _clients=study.clients.merge(case, on="client"))
    counted = al.Finding("time_is_session_number", "caution", "Time is counted in sessions.", "week")
    numbered = replace(numbered, findings=(*numbered.findings, counted))
    found = al.therapist_development(numbered, case_number="case", horizon=14)
    assert abs(value(found, "alliance_case") - 2.0) < 3 * value(found, "alliance_case", "se")
    # The slope acts after session 5, for up to about nine weeks.
    assert -1.8 - 3 * value(found, "outcome_case", "se") < value(found, "outcome_case") < 0
    assert value(found, "outcome_case", "p") < 0.05
    assert "alliance_years" not in set(found.estimates["id"])
    assert next(n for n in found.notes if n.code == "follow_up_not_known").message == (
        "Without dates the report cannot leave out clients who began shortly before the end of the data. If there are such clients, the last "
        "cases of each therapist look worse than they are."
    )
    assert "Case numbers are those of the covariate case." in found.methods
    assert dict(found.facts)["Followed for"] == "14 sessions"
    assert (
        "within 14 sessions of the first session, adjusted for the score at intake. Clients without"
        in found.methods
    )


def test_experience_compares_therapists(study: Study) -> None:
    therapists = study.therapists
    years = dict(
        zip(therapists["therapist"], np.random.default_rng(4).uniform(0, 20, len(therapists)), strict=True)
    )
    sessions = study.sessions
    sessions["alliance"] += 0.4 * sessions["therapist"].map(years)
    known = therapists.assign(experience_years=therapists["therapist"].map(years))
    some = replace(
        with_sessions(study, sessions), _therapists=known, therapist_covariates=("experience_years",)
    )
    found = al.therapist_development(some)
    assert abs(value(found, "alliance_experience") - 0.4) < 3 * value(found, "alliance_experience", "se")
    assert value(found, "alliance_experience", "df") <= 30 - 1 - 2
    assert found.parameters["experience"] == "experience_years" if "experience" in found.parameters else True
    row = found.estimates.set_index("id").loc["alliance_experience"]
    assert row["level"] == "therapist"
    assert row["label"] == "Early alliance: therapists with one unit more experience years"


def test_covariates_and_groups(study: Study) -> None:
    clients = study.clients
    rng = np.random.default_rng(1)
    clients["arm"] = rng.choice(["CBT", "IPT"], len(clients))
    clients["age"] = rng.normal(40, 10, len(clients))
    some = replace(study, _clients=clients, covariates=("age",))
    found = al.therapist_development(some, covariates=["age"], by="arm")
    assert "cov_age" in found.models["alliance_case"].params.index
    names = set(found.estimates["id"])
    assert {"alliance_case_CBT", "outcome_case_IPT", "alliance_case_IPT_difference"} <= names
    alone = al.therapist_development(some, covariates=["age"], by="arm=IPT")
    # The same clients; numbers of cases are those among all of the therapist's clients.
    assert value(found, "alliance_case_IPT") == pytest.approx(value(alone, "alliance_case"), rel=0.2)
    clients["arm"] = np.where(np.arange(len(clients)) < 15, "IPT", "CBT")
    few = al.therapist_development(replace(study, _clients=clients), by="arm")
    assert next(n for n in few.notes if n.code == "small_group").message == (
        "arm IPT has fewer than 20 clients in this analysis, so the report does not compare this group."
    )


def test_one_measure_is_enough(study: Study) -> None:
    only = {k: m for k, m in study.measures.items() if k == "alliance"}
    found = al.therapist_development(replace(study, measures=only))
    assert not [i for i in found.estimates["id"] if i.startswith("outcome")]
    assert next(n for n in found.notes if n.code == "one_measure").message == (
        "The study has no symptoms measure, so the report is about WAI-SR (client) only."
    )
    other = al.therapist_development(replace(study, measures={"phq9": study.measures["phq9"]}))
    assert {"outcome_case", "outcome_doubling", "outcome_case_raw"} <= set(other.estimates["id"])


def test_where_all_begin_alike_there_is_no_change_in_standard_deviations(study: Study) -> None:
    """Clients taken in at one score have no spread at intake to divide by."""
    sessions = study.sessions
    first = sessions.dropna(subset=["phq9"]).groupby("client").head(1).index
    sessions.loc[sessions.index.isin(first), "phq9"] = 15.0
    alike = al.therapist_development(with_sessions(study, sessions))
    ids = set(alike.estimates["id"])
    assert "outcome_case" in ids
    assert "outcome_case_d" not in ids
    (said,) = (line for line in alike.answer if "PHQ-9 points" in line)
    assert "standard deviations" not in said


def test_what_cannot_be_asked_for(study: Study) -> None:
    clients = study.clients.assign(site="A", age=40.0)
    some = replace(study, _clients=clients, covariates=("site", "age"))
    with pytest.raises(al.StudyError) as error:
        al.therapist_development(some, case_number="site")
    assert str(error.value) == (
        "Parameter 'case_number': 'site' is not a covariate of clients that is a number. There are: age."
    )
    with pytest.raises(al.StudyError) as error:
        al.therapist_development(some, experience="years")
    assert str(error.value) == (
        "Parameter 'experience': 'years' is not a covariate of therapists that is a number. There are: none."
    )
    with pytest.raises(al.StudyError, match="Parameter 'horizon'"):
        al.therapist_development(some, horizon=0)


def test_too_few_data_give_a_report_that_says_so(study: Study) -> None:
    sessions = study.sessions
    undated = al.therapist_development(with_sessions(study, sessions.drop(columns="date")))
    assert undated.answer[0] == (
        "There are too few data for an answer. The order of a therapist's clients is not known. Name a column of dates in the study file, or a "
        "covariate of clients that holds the number of the case (parameter 'case_number')."
    )
    few = sessions[sessions["therapist"].isin(["T01", "T02"])]
    assert (
        al.therapist_development(with_sessions(study, few))
        .answer[0]
        .endswith(
            "2 therapists have at least 5 cases in the analysis, and change over cases needs 5 such therapists."
        )
    )
    none = sessions[sessions["client"].isin(sessions["client"].unique()[:12])]
    assert (
        "can be analysed; the analysis of therapists' development needs at least 20."
        in (al.therapist_development(with_sessions(study, none)).answer[0])
    )
    alone = al.therapist_development(with_sessions(study, sessions.drop(columns="therapist")))
    assert "The study names no therapists" in alone.answer[0]
    flat = sessions.assign(alliance=40.0, phq9=sessions["phq9"].where(sessions["phq9"].isna(), 10.0))
    assert (
        al.therapist_development(with_sessions(study, flat))
        .answer[0]
        .endswith("Neither alliance nor outcome can be related to cases.")
    )
    half = al.therapist_development(with_sessions(study, sessions.assign(alliance=40.0)))
    assert next(n for n in half.notes if n.code == "outcome_not_analysed").message == (
        "Too few clients or therapists have scores of WAI-SR for this, or all scores are equal, so the report does not relate WAI-SR to cases."
    )


def test_few_therapists_are_a_caution_and_pictures_of_single_ones_stay_inside(result: AnalysisResult) -> None:
    small = planted(6, 0.0, 0.0, therapists=8, clients=120)
    found = al.therapist_development(small)
    note = next(n for n in found.notes if n.code == "one_therapist_decides")
    assert note.severity == "info"
    assert note.message.endswith("With all therapists the sign is not clear either.")
    assert found.status["code"] == "underpowered"
    assert "8 therapists are too few to estimate how therapists differ." in found.status["reasons"][0]
    names = [f.name for f in result.figure_specs]
    assert names[:2] == ["alliance_over_cases", "therapists_alliance"]
    titles = [f.title for f in result.figure_specs if f.name.endswith("_over_cases")]
    assert titles == ["Early WAI-SR over therapists' cases", "PHQ-9 at the end over therapists' cases"]
    course, single = result.figure_specs[:2]
    assert course.draw.keywords["band"]  # the interval that the caption explains
    assert (single.data["low"] < single.data["value"]).all()
    assert (single.data["value"] < single.data["high"]).all()
    shared = al.therapist_development(planted(1, 1.5, -1.0, sd=1.0), audience="shareable")
    assert not [f.name for f in shared.figure_specs if f.name.startswith("therapists_")]


def test_the_picture_of_therapists_has_each_ones_change_and_its_interval(result: AnalysisResult) -> None:
    """The change of all plus the therapist's own part; the interval is as wide as the standard deviation of that part says."""
    model = result.models["alliance_case"]
    own = model.random_effects["therapist"]["time"].to_numpy()
    half = 1.959964 * model.random_effects_sd["therapist"]["time"].to_numpy()
    middle = model.params["time"] + own
    order = np.argsort(middle)
    (shown,) = (f.data for f in result.figure_specs if f.name == "therapists_alliance")
    for column, expected in (("value", middle), ("low", middle - half), ("high", middle + half)):
        np.testing.assert_allclose(shown[column], expected[order], atol=1e-6)


def test_means_in_steps_of_ten_cases_are_plain_means(study: Study, result: AnalysisResult) -> None:
    every = rows_of(study, float(result.parameters["horizon"]))
    table = result.table("steps").to_frame().set_index("label")
    own = every[every["case"].between(11, 20)]
    assert table.loc["11 to 20", "n"] == len(own)
    assert table.loc["11 to 20", "alliance"] == pytest.approx(own["alliance"].mean())
    assert table.loc["11 to 20", "end"] == pytest.approx(own["end"].mean())
    assert table["n"].iloc[-1] < 20
    table = (
        al.therapist_development(replace(study, small_cells=20)).table("steps").to_frame().set_index("label")
    )
    assert (table["n"] >= 20).all()  # a step of few clients goes with the one before
    assert table["n"].sum() == len(every)
    assert table.index[-1].endswith(f" to {int(np.ceil(every['case'].max()))}")


def test_r_gives_the_same_change_over_cases(result: AnalysisResult) -> None:
    """lmerTest on ``rows_of(study, 12)``: ``lmer(alliance ~ w + b + (1 + w | therapist))``, Satterthwaite."""
    assert result.parameters["horizon"] == 12
    for column, number in (("estimate", 2.137647), ("se", 0.5206495), ("df", 24.2833)):
        assert value(result, "alliance_case", column) == pytest.approx(number, rel=1e-4)
    assert value(result, "alliance_case_sd") == pytest.approx(1.677285, rel=1e-4)
