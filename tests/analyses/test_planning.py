"""Planning a study: closed forms and sizes from the study's own model, intervals of a report, refusals, null reports."""

import json
from pathlib import Path

import numpy as np
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study, methods
from alliance_longitudinal.analyses.disclosure import for_audience
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.timing import TimeWindow, landmark, split_by_therapist
from analyses.declared import with_covariates
from analyses.studies import value, with_sessions

QUICK = {"therapists": 14, "clients": 6, "sessions": 5, "n_sim": 50}


@pytest.fixture(scope="module")
def plan(clinic: Study) -> AnalysisResult:
    return al.planning(clinic, **QUICK)


def own_model(study: Study):
    """The course after the window, fitted by hand: clients, result."""
    found = landmark(
        study.sessions, study.flow, alliance="alliance", outcome="phq9", window=TimeWindow(1, 5), min_rated=1,
        need_change=False,
    )  # fmt: skip
    clients = split_by_therapist(split_by_therapist(found.clients, "early"), "intake")
    names = ["early_client", "early_therapist", "intake_client", "intake_therapist"]
    rows = found.followup.merge(clients[["client", *names]], on="client")
    formula = f"y ~ weeks * ({' + '.join(names)}) + (1 + weeks | therapist/client)"
    return clients, found.followup, al.MixedModel.from_formula(formula, rows).fit()


def test_sizes_are_the_ends_of_the_study_s_own_intervals(clinic: Study, plan: AnalysisResult) -> None:
    clients, _, model = own_model(clinic)
    sd = clients["early_client"].std()
    row = model.contrast({"weeks:early_client": sd}).iloc[0]
    assert value(plan, "own_within") == pytest.approx(row["estimate"], rel=1e-5)
    assert value(plan, "own_within", "ci_high") == pytest.approx(row["upper"], rel=1e-4)
    assert row["upper"] < 0
    assert value(plan, "planned_within") == value(plan, "own_within", "ci_high")  # the smaller effect
    means = clients.groupby("therapist")["early"].mean()
    between = model.contrast({"weeks:early_therapist": means.std()}).iloc[0]
    assert value(plan, "own_between") == pytest.approx(between["estimate"], rel=1e-5)
    # Satterthwaite's df, or therapists less one less two predictors if that is less.
    assert value(plan, "own_between", "ci_high") >= between["upper"] - 1e-9
    share = model.icc(method="profile", of="weeks").set_index("group").loc["therapist"]
    assert value(plan, "own_share") == pytest.approx(share["icc"], rel=1e-4)
    assert value(plan, "planned_share") == pytest.approx(min(share["upper"], 0.8), rel=1e-3)


def test_closed_forms_are_those_of_the_plan(clinic: Study, plan: AnalysisResult) -> None:
    _, followup, model = own_model(clinic)
    v = model.varcorr[model.varcorr["term2"].isna()].set_index(["group", "term1"])["vcov"]
    gaps = followup.sort_values(["client", "weeks"]).groupby("client")["weeks"].diff().dropna()
    step = gaps[gaps > 0].median()
    slope = v["client:therapist", "weeks"]
    within = slope + model.scale / (10 * step**2)  # five assessments
    tau = value(plan, "planned_share") / (1 - value(plan, "planned_share")) * slope
    sizes = {k: value(plan, f"planned_{k}") for k in ("within", "between")}
    assert value(plan, "power_within") == pytest.approx(
        methods.power_within(sizes["within"], 14, 6, within), rel=1e-3
    )
    assert value(plan, "power_between") == pytest.approx(
        methods.power_between_reml(sizes["between"], 14, 6, tau, within), rel=1e-3
    )
    least = value(plan, "planned_least_share") / (1 - value(plan, "planned_least_share")) * slope
    exact = methods.power_variance(14, 6, least / (least + within))
    assert value(plan, "power_therapists") == pytest.approx(exact.power, rel=1e-3)
    assert value(plan, "p_zero") == pytest.approx(exact.zero, rel=1e-3)


def test_the_numbers_that_are_needed_are_the_least(plan: AnalysisResult) -> None:
    """One therapist or client fewer falls short of the wanted power, the number itself does not; by the methods alone."""
    v = plan.table("variances").to_frame().set_index(["group", "what"])["vcov"]
    slope, residual = v["client:therapist", "weeks"], v["Residual", "residual"]
    within = slope + residual / 10
    share = value(plan, "planned_share")
    tau = share / (1 - share) * slope
    size = value(plan, "planned_within")
    n = int(value(plan, "n_for_80_within"))
    assert methods.power_within(size, n - 1, 6, within) < 0.8 <= methods.power_within(size, n, 6, within)
    each = int(value(plan, "clients_for_80_within"))
    assert (
        methods.power_within(size, 14, each - 1, within) < 0.8 <= methods.power_within(size, 14, each, within)
    )
    size, n = value(plan, "planned_between"), int(value(plan, "n_for_80_between"))
    assert (
        methods.power_between_reml(size, n - 1, 6, tau, within)
        < 0.8
        <= methods.power_between_reml(size, n, 6, tau, within)
    )
    assert "clients_for_80_between" not in set(
        plan.estimates["id"]
    )  # more clients of 14 therapists never suffice
    row = plan.table("power").to_frame().set_index("what").loc["Effect between therapists"]
    assert row["clients"] == "no number suffices"
    row = (
        plan.table("power")
        .to_frame()
        .set_index("what")
        .loc["Differences between therapists in the rate of change"]
    )
    assert row["therapists"] == "more than 2\u202f000"
    assert row["power"] < 0.3


def test_simulated_power_agrees_and_has_its_error(plan: AnalysisResult) -> None:
    table = plan.table("simulated").to_frame()
    assert sorted(table["therapists"].unique()) == [7, 14, 28]
    assert list(table.loc[table["what"].str.endswith("(plan)"), "studies"]) == [50, 50]
    for row in table.itertuples():
        closed = row.closed
        assert row.power == pytest.approx(closed, abs=3.5 * np.sqrt(closed * (1 - closed) / 50) + 0.04)
    p = value(plan, "simulated_power_within")
    assert value(plan, "simulated_power_within", "se") == pytest.approx(np.sqrt(p * (1 - p) / 50))
    assert 0.8 < value(plan, "coverage_within") <= 1
    assert value(plan, "p_no_certificate") == 0


def test_the_answer_says_what_the_plan_finds_and_needs(plan: AnalysisResult) -> None:
    assert plan.answer[0].startswith(
        "14 therapists with 6 clients each would find an effect of the alliance within therapists ("
    )
    assert " PHQ-9 points over 4 weeks for each SD of the alliance) with a power of " in plan.answer[0]
    assert plan.answer[1].startswith(
        "Both sizes are the ends nearer to zero of the study's intervals, not its estimates"
    )
    assert plan.answer[2].startswith("With this caseload, a power of 80\u00a0% needs ")
    assert " therapists for the effect within therapists and " in plan.answer[2]
    assert plan.answer[3].startswith(
        "About as many clients of only 3 therapists would find the effect between "
    )
    assert [f.name for f in plan.figure_specs] == ["power_between", "power_within"]
    assert {f.code for f in plan.notes} >= {"few_planned"}


def test_unequal_caseloads_and_dropout(clinic: Study, plan: AnalysisResult) -> None:
    other = al.planning(
        clinic, **{**QUICK, "clients": "2,6,10", "dropout": 0.2, "missing": 0.1, "power": 0.9}
    )
    assert other.answer[0].startswith("14 therapists with on average 5.71 clients each would find")
    assert value(other, "simulated_power_within") <= value(other, "power_within") + 0.1
    assert other.answer[2].startswith("With this caseload, a power of 90\u00a0% needs ")
    assert value(other, "n_for_80_within") > value(plan, "n_for_80_within")
    assert "10 %" not in other.methods
    assert (
        "a probability of 20\u00a0% of leaving before each assessment and of 10\u00a0% of a missing score"
        in other.methods
    )


def report_of(result: AnalysisResult, path: Path) -> str:
    path.write_text(json.dumps(result.to_dict()), encoding="utf-8")
    return str(path)


def test_a_report_s_intervals_are_taken_over(
    clinic: Study, plan: AnalysisResult, early: AnalysisResult, tmp_path: Path
) -> None:
    """Effects per point become effects per standard deviation of this study."""
    result = al.planning(clinic, **QUICK, from_report=report_of(early, tmp_path / "results.json"))
    sd = own_model(clinic)[0]["early_client"].std()
    limits = sorted(abs(value(early, "slope_within", k)) for k in ("ci_low", "ci_high"))
    assert abs(value(result, "planned_within")) == pytest.approx(sd * limits[0])
    assert value(result, "own_share", "ci_high") == value(early, "share_change_therapist", "ci_high")
    again = al.planning(clinic, **QUICK, from_report=report_of(plan, tmp_path / "plan.json"))
    assert value(again, "planned_between") == pytest.approx(value(plan, "planned_between"))


def test_reports_that_cannot_be_used_are_refused(
    clinic: Study, early: AnalysisResult, tmp_path: Path
) -> None:
    missing, broken, other = (str(tmp_path / name) for name in ("no.json", "broken.json", "other.json"))
    with pytest.raises(
        StudyError, match=r"'from_report': there is no file .*Give the path of a report's results.json"
    ):
        al.planning(clinic, from_report=missing)
    Path(broken).write_text("{", encoding="utf-8")
    with pytest.raises(StudyError, match=r"broken.json' is not a report's results.json"):
        al.planning(clinic, from_report=broken)
    data = early.to_dict()
    Path(other).write_text(json.dumps({**data, "estimates": []}), encoding="utf-8")
    with pytest.raises(
        StudyError, match="the report 'early_alliance' has no effect of the alliance on the rate of"
    ):
        al.planning(clinic, from_report=other)
    for row in data["estimates"]:
        row["unit"] = row["unit"].replace("PHQ-9", "BDI")
    Path(other).write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(
        StudyError, match="gives its effect in BDI points per week per WAI-SR point, and this plan is in"
    ):
        al.planning(clinic, from_report=other)


def test_observed_power_is_refused(clinic: Study) -> None:
    with pytest.raises(StudyError) as error:
        al.planning(clinic, sizes="estimate")
    assert str(error.value).startswith(
        "Parameter 'sizes': the power that a study has for its own estimate ('observed power') is not computed. It only restates the p value"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"within": 0.0}, "Parameter 'within': no number of clients finds an effect of 0"),
        ({"difference": 0.0}, "Parameter 'difference': no number of clients finds a difference of 0"),
        (
            {"clients": 1},
            "Parameter 'clients': Every therapist has one client, so clients of the same therapist",
        ),
        ({"clients": "5,x"}, "Parameter 'clients': "),
        ({"therapists": 2}, "Parameter 'therapists': input should be greater than or equal to 3"),
        ({"dropout": 0.95}, "Parameter 'dropout': input should be less than 0.9"),
        ({"n_sim": 10}, "Parameter 'n_sim': input should be greater than or equal to 50"),
    ],
)
def test_impossible_requests_are_refused(clinic: Study, given: dict, message: str) -> None:
    with pytest.raises(StudyError) as error:
        al.planning(clinic, **given)
    assert message in str(error.value)


def test_two_arms_by_the_methods(clinic: Study, plan: AnalysisResult) -> None:
    both = al.planning(clinic, **QUICK, difference=0.3)
    partly = al.planning(clinic, **QUICK, difference=0.3, controls=80)
    _, followup, model = own_model(clinic)
    v = model.varcorr[model.varcorr["term2"].isna()].set_index(["group", "term1"])["vcov"]
    step = followup.sort_values(["client", "weeks"]).groupby("client")["weeks"].diff()
    within = v["client:therapist", "weeks"] + model.scale / (10 * step[step > 0].median() ** 2)
    share = value(plan, "planned_share")
    tau = share / (1 - share) * v["client:therapist", "weeks"]
    assert value(both, "power_arm") == pytest.approx(
        methods.power_between_reml(0.15, 14, 6, tau, within), rel=1e-3
    )
    expected = methods.power_partial(0.3 / np.sqrt(tau + within), 14, 6, 80, tau / (tau + within))
    assert value(partly, "power_arm") == pytest.approx(expected, rel=1e-3)
    per_arm = 2 * (1.959964 + 0.841621) ** 2 * within / 0.3**2
    assert value(both, "clients_per_arm") == pytest.approx(per_arm, abs=1.5)


def test_where_an_interval_includes_zero_the_report_says_so(clinic: Study) -> None:
    """Alliances of other clients: no effect, so no size to plan for."""
    sessions = clinic.sessions
    rng = np.random.default_rng(3)
    sessions["alliance"] = np.where(sessions["alliance"].isna(), np.nan, rng.normal(40, 6, len(sessions)))
    result = al.planning(with_sessions(clinic, sessions), **QUICK)
    notes = [f.message for f in result.notes if f.code == "no_size"]
    assert notes
    assert notes[0].startswith("This study does not say which effect ")
    rate = result.table("variances").to_frame()
    slope = rate[(rate["group"] == "client:therapist") & (rate["what"] == "weeks")]["sdcor"].iloc[0]
    assert abs(value(result, "planned_between")) == pytest.approx(0.2 * slope, rel=1e-6)


def test_few_therapists_give_no_share(few: Study) -> None:
    result = al.planning(few, **QUICK)
    assert {"no_share", "no_size"} <= {f.code for f in result.notes}
    (note,) = (f.message for f in result.notes if f.code == "no_share")
    assert note.endswith(
        "Where a share was missing, the report takes 5.0\u00a0%, about the mean of the literature."
    )
    assert value(result, "planned_share") == 0.05
    assert "own_between" not in set(result.estimates["id"])


def test_too_few_data_give_a_report_that_says_so(clinic: Study) -> None:
    sessions = clinic.sessions
    some = sessions["client"].isin(sessions["client"].unique()[:12])
    result = al.planning(with_sessions(clinic, sessions[some].reset_index(drop=True)))
    assert result.status["code"] == "underpowered"
    assert "planning from a study needs at least 20" in result.answer[0]
    short = sessions[sessions["session"] <= 7].reset_index(drop=True)
    result = al.planning(with_sessions(clinic, short))
    assert (
        "The data do not show how much clients differ in their rates of change: too few clients have three "
        in result.answer[0]
    )


def test_groups_have_their_own_intervals(clinic: Study) -> None:
    study = with_covariates(clinic)
    result = al.planning(study, **QUICK, by="arm", covariates=("age",))
    ids = set(result.estimates["id"])
    assert {"own_within_CBT", "own_within_IPT", "own_within_IPT_difference"} <= ids
    one = al.planning(study, **QUICK, by="arm=CBT")
    assert dict(one.facts)["Only"] == "arm CBT"


def test_outsiders_see_the_plan(clinic: Study, plan: AnalysisResult) -> None:
    shared = for_audience(plan, "shareable")
    assert shared.answer[0].startswith("14 therapists with 6 clients each would find")
    assert [f.name for f in shared.figure_specs] == ["power_between", "power_within"]
    assert shared.estimates.set_index("id").loc["n_for_80_within", "estimate"] > 0
