"""Planning a study: closed forms and sizes from the study's own model, intervals of a report, refusals, null reports."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study, methods
from alliance_longitudinal.analyses.disclosure import for_audience
from alliance_longitudinal.errors import FitError, StudyError
from alliance_longitudinal.timing import TimeWindow, landmark, split_by_therapist
from analyses.declared import with_covariates
from analyses.studies import value, with_sessions
from inside.analyses_planning import ground

QUICK = {"therapists": 14, "clients": 6, "sessions": 5, "n_sim": 50}


@pytest.fixture(scope="module")
def plan(clinic: Study) -> AnalysisResult:
    return al.planning(clinic, **QUICK)


@pytest.fixture(scope="module")
def drawn():
    tiny = methods.StudyPlan.of(
        6, 4, range(4), residual=5, client=((13, 0), (0, 0.2)), therapist=((1, 0), (0, 0.05))
    )
    return methods.simulate_plan(tiny, 50)


@pytest.fixture(scope="module")
def stated(clinic: Study, drawn) -> AnalysisResult:
    """Sizes that the planned study can find; its simulated studies are others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "simulate_plan", lambda plan, *_: replace(drawn, plan=plan))
        return al.planning(clinic, **QUICK, within=-0.25, between=-0.3, effect_sd=0.15, share=0.5)


@pytest.fixture
def few_draws(drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same simulated studies for every plan, where a test is not about them."""
    monkeypatch.setattr(methods, "simulate_plan", lambda plan, *_: replace(drawn, plan=plan))


PARTS = [f"{name}_{part}" for name in ("early", "intake", "change") for part in ("client", "therapist")]


@pytest.fixture(scope="module")
def own(clinic: Study):
    """The main model of the report on early alliance, fitted by hand: clients, later scores, result."""
    found = landmark(
        clinic.sessions, clinic.flow, alliance="alliance", outcome="phq9", window=TimeWindow(1, 5), min_rated=1,
        need_change=True,
    )  # fmt: skip
    clients = found.clients
    for name in ("early", "intake", "change"):
        clients = split_by_therapist(clients, name)
    rows = found.followup.merge(clients[["client", *PARTS]], on="client")
    formula = f"y ~ weeks * ({' + '.join(PARTS)}) + (1 + weeks | therapist/client) + (0 + weeks:early_client | therapist)"
    return clients, found.followup, al.MixedModel.from_formula(formula, rows).fit()


def rates_of(own) -> tuple[float, float]:
    """Variance of clients' true rates, and of their estimated ones in five assessments as far apart as in the study."""
    _, followup, model = own
    v = model.varcorr[model.varcorr["term2"].isna()].set_index(["group", "term1"])["vcov"]
    gaps = followup.sort_values(["client", "weeks"]).groupby("client")["weeks"].diff().dropna()
    slope = v["client:therapist", "weeks"]
    return slope, slope + model.scale / (10 * gaps[gaps > 0].median() ** 2)


def test_sizes_are_the_ends_of_the_intervals_of_early_alliance(
    own, plan: AnalysisResult, early: AnalysisResult
) -> None:
    clients, _, model = own
    sd = clients["early_client"].std()
    row = model.contrast({"weeks:early_client": sd}).iloc[0]
    assert value(plan, "own_within") == pytest.approx(row["estimate"], rel=1e-5)
    assert value(plan, "own_within", "ci_high") == pytest.approx(row["upper"], rel=1e-4)
    assert value(plan, "own_within") == pytest.approx(sd * value(early, "slope_within"), rel=1e-6)
    assert row["upper"] < 0
    assert value(plan, "planned_within") == value(plan, "own_within", "ci_high")  # the smaller effect
    means = clients.groupby("therapist")["early"].mean()
    between = model.contrast({"weeks:early_therapist": means.std()}).iloc[0]
    assert value(plan, "own_between") == pytest.approx(between["estimate"], rel=1e-5)
    assert value(plan, "own_between", "ci_high") == pytest.approx(
        means.std() * value(early, "slope_between", "ci_high"), rel=1e-6
    )
    share = model.icc(method="profile", of="weeks").set_index("group").loc["therapist"]
    assert value(plan, "own_share") == pytest.approx(share["icc"], rel=1e-4)
    assert value(plan, "planned_share") == pytest.approx(min(share["upper"], 0.8), rel=1e-3)
    name = "sd(weeks:early_client)|therapist"
    limits = model.conf_int(method="profile", which=[name]).loc[name]
    assert value(plan, "planned_effect_sd") == pytest.approx(sd * limits["upper"], rel=1e-3)
    assert value(plan, "planned_effect_sd") == value(plan, "own_effect_sd", "ci_high")


@pytest.mark.usefixtures("few_draws")
def test_the_adjustment_is_that_of_the_parameters(clinic: Study, own) -> None:
    asked = al.planning(clinic, **QUICK, adjust_early_change=False, adjust_intake=False, effect_sd=0.0)
    clients, followup, _ = own  # the clients with early change; without it there are as many here
    rows = followup.merge(clients[["client", *PARTS]], on="client")
    formula = "y ~ weeks * (early_client + early_therapist) + (1 + weeks | therapist/client) + (0 + weeks:early_client | therapist)"
    slope = al.MixedModel.from_formula(formula, rows).fit().params["weeks:early_client"]
    assert value(asked, "own_within") == pytest.approx(slope * clients["early_client"].std(), rel=1e-5)
    assert value(asked, "planned_effect_sd") == 0
    assert "power_within_same" not in set(asked.estimates["id"])
    assert "each has an effect of their own" not in asked.methods


def test_closed_forms_are_those_of_the_plan(own, plan: AnalysisResult) -> None:
    slope, within = rates_of(own)
    tau = value(plan, "planned_share") / (1 - value(plan, "planned_share")) * slope
    sizes = {k: value(plan, f"planned_{k}") for k in ("within", "between")}
    assert value(plan, "power_within_same") == pytest.approx(
        methods.power_within(sizes["within"], 14, 6, within), rel=1e-3
    )
    # Five degrees of freedom of a therapist's sum of squares: its mean information by random numbers.
    omega = value(plan, "planned_effect_sd") ** 2
    squares = np.random.default_rng(1).chisquare(5, 400_000)
    information = np.mean(1 / (omega + within / squares))
    clients = within / (1 / information - omega) + 1
    assert value(plan, "power_within") == pytest.approx(
        methods.power_within_reml(sizes["within"], 14, clients, omega, within), abs=2e-3
    )
    assert value(plan, "power_within") < value(plan, "power_within_same") - 0.02
    assert value(plan, "power_between") == pytest.approx(
        methods.power_between_reml(sizes["between"], 14, 6, tau, within), rel=1e-3
    )
    least = value(plan, "planned_least_share") / (1 - value(plan, "planned_least_share")) * slope
    exact = methods.power_variance(14, 6, least / (least + within))
    assert value(plan, "power_therapists") == pytest.approx(exact.power, rel=1e-3)
    assert value(plan, "p_zero") == pytest.approx(exact.zero, rel=1e-3)


def test_the_numbers_that_are_needed_are_the_least(own, stated: AnalysisResult) -> None:
    """One therapist or client fewer falls short of the wanted power, the number itself does not; by the methods alone."""
    slope, within = rates_of(own)
    share = value(stated, "planned_share")
    tau = share / (1 - share) * slope

    def number(name: str) -> int:
        return int(value(stated, name))

    n, each = number("n_for_80_within_same"), number("clients_for_80_within_same")
    assert methods.power_within(0.25, n - 1, 6, within) < 0.8 <= methods.power_within(0.25, n, 6, within)
    assert (
        methods.power_within(0.25, 14, each - 1, within) < 0.8 <= methods.power_within(0.25, 14, each, within)
    )

    def differing(j: int, each: int) -> float:
        made = methods.StudyPlan.of(
            j, each, [0, 1], residual=within / 10, client=((1, 0), (0, within - 2 * within / 10)),
            therapist=((1, 0), (0, 0)), effect_variance=0.15**2,
        )  # fmt: skip
        return made.power_within(0.25)

    n, each = number("n_for_80_within"), number("clients_for_80_within")
    assert differing(n - 1, 6) < 0.8 <= differing(n, 6)
    assert differing(14, each - 1) < 0.8 <= differing(14, each)
    n = number("n_for_80_between")
    assert (
        methods.power_between_reml(0.3, n - 1, 6, tau, within)
        < 0.8
        <= methods.power_between_reml(0.3, n, 6, tau, within)
    )
    n, each, icc = number("n_for_80_therapists"), number("clients_for_80_therapists"), tau / (tau + within)
    assert methods.power_variance(n - 1, 6, icc).power < 0.8 <= methods.power_variance(n, 6, icc).power
    assert (
        methods.power_variance(14, each - 1, icc).power < 0.8 <= methods.power_variance(14, each, icc).power
    )


def test_where_no_number_suffices_the_report_says_so(plan: AnalysisResult) -> None:
    assert "clients_for_80_between" not in set(plan.estimates["id"])
    table = plan.table("power").to_frame().set_index("what")
    assert table.loc["Effect between therapists", "clients"] == "no number suffices"
    row = table.loc["Differences between therapists in the rate of change"]
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


def test_the_answer_says_what_the_plan_finds_and_needs(plan: AnalysisResult, stated: AnalysisResult) -> None:
    assert plan.answer[0].startswith(
        "14 therapists with 6 clients each would find an effect of the alliance within therapists ("
    )
    assert " PHQ-9 points over 4 weeks for each SD of the alliance) with a power of " in plan.answer[0]
    assert plan.answer[1].startswith(
        "Both sizes are the ends nearer to zero of the study's intervals, not its estimates"
    )
    assert stated.answer[1].startswith("With this caseload, a power of 80\u00a0% needs ")
    assert " therapists for the effect within therapists and " in stated.answer[1]
    assert stated.answer[2].startswith(
        "If the effect within therapists were the same for all of them, the power for it would be "
    )
    assert stated.answer[2].endswith(", so more clients per therapist help less than more therapists.")
    assert stated.answer[3].startswith(
        "About as many clients of only 3 therapists would find the effect between "
    )
    assert [f.name for f in plan.figure_specs] == ["power_between", "power_within"]
    assert {f.code for f in plan.notes} >= {"few_planned"}


@pytest.mark.usefixtures("few_draws")
def test_unequal_caseloads_and_dropout(clinic: Study, stated: AnalysisResult) -> None:
    sizes = {"within": -0.25, "between": -0.3, "effect_sd": 0.15, "share": 0.5}
    other = al.planning(
        clinic, **{**QUICK, **sizes, "clients": "2,6,10", "dropout": 0.2, "missing": 0.1, "power": 0.9}
    )
    assert other.answer[0].startswith("14 therapists with on average 5.71 clients each would find")
    assert value(other, "power_within") < value(stated, "power_within")
    assert other.answer[1].startswith("With this caseload, a power of 90\u00a0% needs ")
    assert value(other, "n_for_80_within") > value(stated, "n_for_80_within")
    assert "10 %" not in other.methods
    assert (
        "a probability of 20\u00a0% of leaving before each assessment and of 10\u00a0% of a missing score"
        in other.methods
    )


def report_of(result: AnalysisResult, path: Path) -> str:
    path.write_text(json.dumps(result.to_dict()), encoding="utf-8")
    return str(path)


@pytest.mark.usefixtures("few_draws")
def test_a_report_s_intervals_are_taken_over(
    clinic: Study, own, plan: AnalysisResult, early: AnalysisResult, tmp_path: Path
) -> None:
    """Effects per point become effects per standard deviation of this study."""
    result = al.planning(clinic, **QUICK, from_report=report_of(early, tmp_path / "results.json"))
    sd = own[0]["early_client"].std()
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


@pytest.mark.usefixtures("few_draws")
def test_two_arms_by_the_methods(clinic: Study, own, plan: AnalysisResult) -> None:
    both = al.planning(clinic, **QUICK, difference=0.3)
    partly = al.planning(clinic, **QUICK, difference=0.3, controls=80)
    slope, within = rates_of(own)
    share = value(plan, "planned_share")
    tau = share / (1 - share) * slope
    assert value(both, "power_arm") == pytest.approx(
        methods.power_between_reml(0.15, 14, 6, tau, within), rel=1e-3
    )
    expected = methods.power_partial(0.3 / np.sqrt(tau + within), 14, 6, 80, tau / (tau + within))
    assert value(partly, "power_arm") == pytest.approx(expected, rel=1e-3)
    per_arm = 2 * (1.959964 + 0.841621) ** 2 * within / 0.3**2
    assert value(both, "clients_per_arm") == pytest.approx(per_arm, abs=1.5)


@pytest.mark.usefixtures("few_draws")
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


@pytest.mark.usefixtures("few_draws")
def test_few_therapists_give_no_share(few: Study) -> None:
    result = al.planning(few, **QUICK)
    assert {"no_share", "no_size"} <= {f.code for f in result.notes}
    (note,) = (f.message for f in result.notes if f.code == "no_share")
    assert note.endswith(
        "Where a share was missing, the report takes 5.0\u00a0%, about the mean of the literature."
    )
    assert value(result, "planned_share") == 0.05
    assert "own_between" not in set(result.estimates["id"])
    notes = {f.code: f.message for f in result.notes}
    assert notes["no_effect_sd"].startswith(
        "This study does not say how much the effect within therapists differs between them. The report takes a standard deviation of "
    )
    assert (
        " which is 50\u00a0% of the effect. State another with 'effect_sd'; with 0 the effect"
        in notes["no_effect_sd"]
    )
    assert value(result, "planned_effect_sd") == pytest.approx(abs(value(result, "planned_within")) / 2)
    assert notes["too_few_for_own_effect"].endswith(
        "does so from 20 therapists with 3 clients on. With 14 such therapists it uses cluster-robust errors instead, so the planned power is "
        "approximate."
    )


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


@pytest.mark.usefixtures("few_draws")
def test_groups_have_their_own_intervals(clinic: Study) -> None:
    study = with_covariates(clinic)
    result = al.planning(study, **QUICK, by="arm", covariates=("age",))
    ids = set(result.estimates["id"])
    assert {"own_within_CBT", "own_within_IPT", "own_within_IPT_difference"} <= ids
    one = al.planning(study, **QUICK, by="arm=CBT")
    assert dict(one.facts)["Only"] == "arm CBT"


def without_alliance(study: Study) -> Study:
    return replace(study, measures={k: m for k, m in study.measures.items() if m.construct != "alliance"})


@pytest.mark.usefixtures("few_draws")
def test_a_study_without_alliance_plans_for_differences_between_therapists(clinic: Study) -> None:
    """Share and power from the course of symptoms, fitted by hand."""
    result = al.planning(without_alliance(clinic), **QUICK, share=0.3, difference=0.4)
    rows = clinic.sessions[clinic.sessions["phq9"].notna()]
    rows = rows.assign(weeks=rows["week"] - rows.groupby("client")["week"].transform("min"))
    model = al.MixedModel.from_formula("phq9 ~ weeks + (1 + weeks | therapist/client)", rows).fit()
    share = model.icc(method="profile", of="weeks").set_index("group").loc["therapist"]
    assert value(result, "own_share") == pytest.approx(share["icc"], rel=1e-4)
    gaps = rows.sort_values(["client", "weeks"]).groupby("client")["weeks"].diff()
    v = model.varcorr[model.varcorr["term2"].isna()].set_index(["group", "term1"])["vcov"]
    slope = v["client:therapist", "weeks"]
    within = slope + model.scale / (10 * gaps[gaps > 0].median() ** 2)
    exact = methods.power_variance(14, 6, 0.3 / 0.7 * slope / (0.3 / 0.7 * slope + within))
    assert value(result, "power_therapists") == pytest.approx(exact.power, rel=1e-3)
    table = result.table("differences").to_frame().set_index(["therapists", "clients"])
    assert table.loc[(14, 6), "zero"] == pytest.approx(exact.zero, rel=1e-3)
    assert table.loc[(28, 12), "power"] > table.loc[(28, 6), "power"] > table.loc[(14, 6), "power"]
    assert result.answer[0].startswith(
        "If therapists make up 30\u00a0% of the differences in clients' rates of change, 14 therapists with 6 clients each would show that they "
        "differ with a power of "
    )
    assert result.answer[0].endswith(" of such studies would estimate no difference at all.")
    assert result.answer[1].startswith("With this caseload, a power of 80\u00a0% needs ")
    assert result.answer[2].startswith("About as many clients of 3 therapists would show it with a power of ")
    assert [f.name for f in result.figure_specs] == ["power_therapists"]
    notes = {f.code: f.message for f in result.notes}
    assert notes["no_alliance"].startswith(
        "The study has no alliance measure, so the plan is about differences"
    )
    assert not [i for i in result.estimates["id"] if i.endswith(("_within", "_between"))]
    assert 0 < value(result, "power_arm") < 1
    assert "alliance" not in result.methods.split("References")[0].replace("alliance_longitudinal", "")
    assert for_audience(result, "shareable").answer[0] == result.answer[0]


@pytest.mark.usefixtures("few_draws")
def test_the_share_of_a_study_without_alliance_is_the_end_of_an_interval(
    clinic: Study, early: AnalysisResult, tmp_path: Path
) -> None:
    study = with_covariates(without_alliance(clinic))
    path = report_of(early, tmp_path / "results.json")
    result = al.planning(study, **QUICK, by="arm", covariates=("age",), from_report=path)
    assert value(result, "own_share", "ci_low") == value(early, "share_change_therapist", "ci_low")
    assert result.answer[1].startswith("The share is the lower limit of the report's interval, not its")
    assert {"own_share_CBT", "own_share_IPT"} <= set(result.estimates["id"])
    with pytest.raises(
        StudyError, match=r"Parameter 'within': the study has no alliance measure, so no effect"
    ):
        al.planning(study, within=-0.1)
    data = {**early.to_dict(), "estimates": []}
    Path(path).write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(
        StudyError, match=r"'early_alliance' has no share of therapists in the rate of change"
    ):
        al.planning(study, from_report=path)


@pytest.mark.usefixtures("few_draws")
def test_a_group_whose_model_fails_is_named(clinic: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_, **__):
        raise FitError("no optimum")

    monkeypatch.setattr(ground, "fit_first", fails)
    result = al.planning(with_covariates(clinic), **QUICK, by="arm")
    found = [f.message for f in result.notes if f.code == "group_not_fitted"]
    assert found[0].startswith("The models of arm CBT could not be fitted, so the report gives no estimate")


def test_outsiders_see_the_plan(clinic: Study, plan: AnalysisResult) -> None:
    shared = for_audience(plan, "shareable")
    assert shared.answer[0].startswith("14 therapists with 6 clients each would find")
    assert [f.name for f in shared.figure_specs] == ["power_between", "power_within"]
    assert shared.estimates.set_index("id").loc["n_for_80_within", "estimate"] > 0
