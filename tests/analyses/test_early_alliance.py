"""The early-alliance analysis against other programs, against itself, and against hard cases."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from linearmodels.panel import PanelOLS

from alliance_longitudinal import AnalysisResult, Study, early_alliance
from alliance_longitudinal.analyses.kit import therapist_df
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.simulation import ClinicTruth
from analyses.studies import early_design, shuffled, simulated_study, value, with_sessions
from inside.analyses_early_alliance import fit_models, partial_correlation
from inside.analyses_kit import EarlyDesign, endpoint_model

EFFECTS = ("total", "within", "between", "contextual")


def design_of(study: Study) -> EarlyDesign:
    return early_design(study)


@pytest.fixture(scope="module")
def design(clinic: Study) -> EarlyDesign:
    return design_of(clinic)


def test_every_promised_estimate_is_there(early: AnalysisResult) -> None:
    wanted = {f"{kind}_{effect}" for kind in ("slope", "end") for effect in EFFECTS}
    wanted |= {
        f"{kind}_{effect}_per_sd" for kind in ("slope", "end") for effect in ("total", "within", "between")
    }
    wanted |= {"r_zero", "r_intake", "end_between_latent", "end_between_moment"}
    wanted |= {"slope_within_completers", "slope_within_pattern", "slope_within_ipw", "slope_between_ipw"}
    wanted |= {"slope_between_completers", "slope_between_pattern"}
    wanted |= {f"slope_{e}_delta_{d}" for e in ("within", "between") for d in ("-2", "0", "1", "2", "3", "5")}
    wanted |= {"slope_within_delta_5_below", "slope_within_delta_5_above", "tipping_within"}
    wanted |= {f"{kind}_{effect}" for kind in ("r", "r_slope") for effect in ("total", "within", "between")}
    wanted |= {f"share_level_{level}" for level in ("therapist", "client", "session")}
    wanted |= {
        "share_change_therapist",
        "share_change_client",
        "alliance_icc_therapist",
        "reliability_therapist_mean",
    }
    wanted |= {
        f"mv_{name}"
        for name in ("median", "share_same_sign", "n_significant", "p_median", "p_share", "p_mean_t")
    }
    assert set(early.estimates["id"]) == wanted
    with_interval = early.estimates[~early.estimates["id"].str.contains("mv_|tipping")]
    numbers = with_interval[["estimate", "ci_low", "ci_high"]].to_numpy()
    assert np.isfinite(numbers).all()
    assert (numbers[:, 1] <= numbers[:, 0]).all()
    assert (numbers[:, 0] <= numbers[:, 2]).all()


def test_the_true_effects_lie_inside_their_intervals(clinic: Study, early: AnalysisResult) -> None:
    assert clinic.simulated is not None
    truth = clinic.simulated["truth"]
    for name, true in (("slope_within", truth["within"]), ("slope_between", truth["between"])):
        assert value(early, name, "ci_low") <= true <= value(early, name, "ci_high"), name
    assert set(early.table("against_truth").to_frame()["inside"]) == {"yes"}


def test_contextual_is_between_minus_within(early: AnalysisResult) -> None:
    for kind in ("slope", "end"):
        difference = value(early, f"{kind}_between") - value(early, f"{kind}_within")
        assert value(early, f"{kind}_contextual") == pytest.approx(difference, rel=1e-9)


def test_contextual_effect_equals_the_uncentred_form(design: EarlyDesign) -> None:
    """With alliance uncentred, the therapist mean's coefficient is the contextual effect (methods: section 2)."""
    from alliance_longitudinal.engine import MixedModel

    formula = design.endpoint_formula().replace("early_client", "early_total") + " + (1 | therapist)"
    other = MixedModel.from_formula(formula, design.clients).fit()
    model = endpoint_model(design, own=False)
    contextual = model.combination({"early_therapist": 1.0, "early_client": -1.0})
    assert contextual["estimate"] == pytest.approx(other.params["early_therapist"], rel=1e-6)
    assert contextual["se"] == pytest.approx(other.bse["early_therapist"], rel=1e-5)


def test_within_effect_at_the_end_agrees_with_therapist_fixed_effects(design: EarlyDesign) -> None:
    """linearmodels' fixed-effects estimate uses the same within-therapist information; OLS with dummies too."""
    mixed = endpoint_model(design, own=False).combination({"early_client": 1.0})
    panel = design.clients.set_index(["therapist", "client"])
    columns = ["early_client", "intake_client", "change_client"]
    fixed = _entity_effects(design.clients, columns)
    dummies = pd.get_dummies(design.clients["therapist"], dtype=float)
    x = pd.concat([design.clients[columns], dummies], axis=1)
    ols = sm.OLS(design.clients["end_change"], x).fit()
    assert len(panel) == design.n_clients
    assert fixed == pytest.approx(float(ols.params["early_client"]), rel=1e-8)
    # The therapist means are in the mixed model, so the random intercept changes nothing but rounding.
    assert mixed["estimate"] == pytest.approx(fixed, rel=1e-6)


def _entity_effects(clients: pd.DataFrame, columns: list[str]) -> float:
    """linearmodels wants a numeric time index; clients are numbered within therapists."""
    frame = clients.assign(number=clients.groupby("therapist").cumcount()).set_index(["therapist", "number"])
    fit = PanelOLS(frame["end_change"], frame[columns], entity_effects=True).fit()
    return float(fit.params["early_client"])


def test_the_course_agrees_with_statsmodels_where_it_can_express_the_model(design: EarlyDesign) -> None:
    """Two levels, correlated intercept and slope: the part of the model that statsmodels' MixedLM has."""
    from alliance_longitudinal.engine import MixedModel

    fixed = design.growth_formula()
    ours = MixedModel.from_formula(f"{fixed} + (1 + weeks | client)", design.rows).fit()
    theirs = sm.MixedLM.from_formula(fixed, design.rows, groups="client", re_formula="~weeks").fit(
        method="lbfgs"
    )
    assert theirs.converged
    assert theirs.llf - 1e-6 <= ours.llf <= theirs.llf + 0.1
    # statsmodels stops a little short of the optimum, so the last digits differ, and never in its favour.
    np.testing.assert_allclose(ours.params, theirs.fe_params[ours.params.index], rtol=2e-3, atol=2e-5)
    np.testing.assert_allclose(ours.bse, theirs.bse_fe[ours.params.index], rtol=1e-2)


def test_row_order_and_names_do_not_matter(clinic: Study, early: AnalysisResult) -> None:
    again = early_alliance(shuffled(clinic))
    drawn = early.estimates["id"].str.contains("_delta_")  # random numbers go to clients in their order
    fitted = early.estimates["id"].str.match("slope|end|r_") & ~drawn  # as bootstrap intervals do
    numbers = ["estimate", "se", "df", "ci_low", "ci_high", "p"]
    np.testing.assert_allclose(
        again.estimates.loc[fitted, numbers].to_numpy(float),
        early.estimates.loc[fitted, numbers].to_numpy(float),
        rtol=1e-5,
        atol=1e-9,
    )
    apart = (again.estimates["estimate"] - early.estimates["estimate"]).abs() / early.estimates["se"]
    assert drawn.sum() >= 10
    assert apart[drawn].max() < 0.5  # two sets of 50 imputations differ by about a tenth of a standard error


def test_effects_scale_with_the_units_of_both_measures(clinic: Study, early: AnalysisResult) -> None:
    sessions = clinic.sessions.assign(alliance=lambda d: d["alliance"] / 12, phq9=lambda d: d["phq9"] * 10)
    scaled = early_alliance(with_sessions(clinic, sessions), sensitivity=False)
    for name in ("slope_within", "end_between"):
        assert value(scaled, name) == pytest.approx(120 * value(early, name), rel=1e-6)
    for name in ("r_within", "share_level_therapist"):
        assert value(scaled, name) == pytest.approx(value(early, name), rel=1e-5)


def test_positive_correlation_means_better_alliance_better_outcome(
    early: AnalysisResult, design: EarlyDesign
) -> None:
    """In the simulation better alliance lowers symptoms: the coefficient is negative, the correlation positive.

    t and df are those of the model with one effect for all therapists.
    """
    assert value(early, "end_within") < 0 < value(early, "r_within")
    one = endpoint_model(design, own=False).combination({"early_client": 1.0})
    assert value(early, "r_within") == pytest.approx(-one["t"] / np.sqrt(one["t"] ** 2 + one["df"]), rel=1e-9)


def test_an_interval_of_a_correlation_knows_that_effects_differ_between_therapists() -> None:
    """Fisher's interval grows by the ratio that is given; r does not change."""
    plain = partial_correlation(3.0, 100.0)
    wider = partial_correlation(3.0, 100.0, 1.5)
    assert wider[0] == plain[0] == pytest.approx(3 / np.sqrt(109))
    halves = [
        (np.arctanh(high) - np.arctanh(r), np.arctanh(r) - np.arctanh(low)) for r, low, high in (plain, wider)
    ]
    np.testing.assert_allclose(halves[1], np.multiply(1.5, halves[0]), rtol=1e-12)


def test_partial_correlation_agrees_with_the_correlation_of_residuals() -> None:
    """With one group, r from t is the correlation of what is left of both sides; interval by Fisher's z."""
    rng = np.random.default_rng(4)
    z = rng.normal(size=(60, 2))
    x, y = z @ [0.5, -0.3] + rng.normal(size=60), z @ [0.2, 0.6] + rng.normal(size=60)
    fit = sm.OLS(y, sm.add_constant(np.column_stack([x, z]))).fit()
    left = [v - sm.OLS(v, sm.add_constant(z)).fit().fittedvalues for v in (x, y)]
    r = np.corrcoef(*left)[0, 1]
    ours = partial_correlation(float(fit.tvalues[1]), float(fit.df_resid))
    half = 1.959963985 / np.sqrt(60 - 2 - 3)  # n - covariates - 3
    np.testing.assert_allclose(ours, [r, *np.tanh(np.arctanh(r) + np.array([-half, half]))], rtol=1e-9)
    assert partial_correlation(2.0, 1.0)[1:] == (-1.0, 1.0)


def test_therapist_coefficients_never_have_more_df_than_therapists_allow(
    early: AnalysisResult, clinic: Study
) -> None:
    bound = clinic.sessions["therapist"].nunique() - 1 - 3  # early, intake and change have therapist means
    df = early.estimates.set_index("id")["df"]
    for name in ("slope_between", "slope_contextual", "end_between", "end_contextual"):
        assert df[name] <= bound
    assert therapist_df(3, 5) == 1


@pytest.mark.parametrize("kind", ["slope", "end"])
def test_the_main_row_of_the_sensitivity_table_is_the_main_analysis(early: AnalysisResult, kind: str) -> None:
    table = early.table(f"sensitivity_{kind}").to_frame()
    main = table[table["window"].str.contains("main analysis")]
    assert len(main) == 1
    for name in (f"{kind}_within", f"{kind}_between"):
        assert float(main[name].iloc[0]) == pytest.approx(value(early, name), rel=1e-9)
        assert float(main[f"{name}_low"].iloc[0]) == pytest.approx(value(early, name, "ci_low"), rel=1e-9)


def test_leaving_out_early_change_inflates_the_effect(early: AnalysisResult) -> None:
    """The simulation's alliance rises with early improvement, which itself goes with the end point."""
    table = early.table("sensitivity_end").to_frame()
    rows = table[table["window"].str.startswith("sessions 1 to 5")].set_index("adjusted")["end_within"]
    assert rows["intake severity"] < rows["intake severity and early change"] < 0


def test_few_therapists_fall_back_and_say_so(few: Study) -> None:
    result = early_alliance(few, sensitivity=False)
    assert {"slope_within", "end_within"} <= set(result.estimates["id"])
    assert not result.estimates["id"].str.contains("between|contextual|therapist").any()
    assert result.status["code"] == "underpowered"
    codes = {n.code for n in result.notes}
    assert {"few_therapists", "no_therapist_means", "simpler_model"} <= codes
    assert "3 therapists are too few to estimate differences between therapists" in result.answer[1]
    skipped = result.table("models").to_frame()["skipped"]
    assert skipped.str.contains(
        "only 3 therapists have two or more clients in the analysis, and a therapist level needs 5"
    ).any()


def test_a_first_score_late_in_the_window_is_said(clinic: Study, early: AnalysisResult) -> None:
    sessions = clinic.sessions
    some = sessions["client"].unique()[:60]
    sessions.loc[sessions["client"].isin(some) & sessions["session"].le(1), "phq9"] = np.nan
    design = design_of(with_sessions(clinic, sessions))
    late = int((design.clients["intake_session"] > 1).sum())
    assert late >= 40
    result = early_alliance(with_sessions(clinic, sessions), sensitivity=False)
    (found,) = (f for f in result.notes if f.code == "late_intake")
    assert found.severity == "caution"
    assert f"{late} clients" in found.message
    assert "late_intake" not in {f.code for f in early.notes}


def test_same_alliance_for_all_clients_of_a_therapist_is_a_finding_not_a_number(clinic: Study) -> None:
    sessions = clinic.sessions
    of_therapist = 30.0 + sessions["therapist"].str[1:].astype(float)
    sessions["alliance"] = of_therapist.where(sessions["alliance"].notna())
    result = early_alliance(with_sessions(clinic, sessions), sensitivity=False)
    assert not result.estimates["id"].str.match("slope_within|end_within|.*contextual").any()
    assert result.status["code"] == "failed_check"
    assert "no therapist has clients whose early alliance differs" in result.answer[0]


def test_same_alliance_for_everybody_is_said(clinic: Study) -> None:
    sessions = clinic.sessions
    sessions["alliance"] = sessions["alliance"].where(sessions["alliance"].isna(), 40.0)
    result = early_alliance(with_sessions(clinic, sessions), sensitivity=False)
    assert re.search(r"Early WAI-SR is the same \(40\.0\) for all \d+ analysed clients", result.answer[0])
    assert result.status["code"] == "underpowered"


def test_too_few_clients_are_said(clinic: Study) -> None:
    some = clinic.sessions[clinic.sessions["client"].isin(clinic.sessions["client"].unique()[:12])]
    result = early_alliance(with_sessions(clinic, some), sensitivity=False)
    assert re.search(
        r"\d+ clients can be analysed; the early-alliance analysis needs at least 20", result.answer[0]
    )
    assert result.estimates.empty
    assert [f.code for f in result.notes if f.severity == "underpowered"] == ["too_few_data"]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            {"min_rated": 3, "window": (2, 3)},
            "Parameter 'min_rated': sessions 2 to 3 cannot have 3 rated sessions",
        ),
        (
            {"alliance": "aliance"},
            "no alliance measure 'aliance'. Did you mean 'alliance'\\? It has: alliance",
        ),
        (
            {"outcome": "alliance"},
            "Measure 'alliance' of the study measures alliance, but here a measure of symptoms is needed",
        ),
        ({"clinic": "Nord"}, "You asked for the clinic 'Nord', but the study file names no column 'clinic'"),
    ],
)
def test_parameters_that_do_not_fit_the_study(clinic: Study, asked: dict[str, object], sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence):
        early_alliance(clinic, **asked)  # type: ignore[arg-type]


def test_an_unknown_clinic_is_named_with_the_known_ones(clinic: Study) -> None:
    sessions = clinic.sessions.assign(clinic="Nord")
    with pytest.raises(
        StudyError, match=r"There is no clinic 'Nrd' in the data\. Did you mean 'Nord'\? There are: Nord"
    ):
        early_alliance(with_sessions(clinic, sessions), clinic="Nrd", sensitivity=False)


def test_a_study_without_symptoms_is_refused(clinic: Study) -> None:
    only = replace(clinic, measures={"alliance": clinic.measures["alliance"]})
    with pytest.raises(StudyError, match="The study has no symptoms measure"):
        early_alliance(only, sensitivity=False)


def test_to_dict_is_plain_json_and_holds_every_part(early: AnalysisResult) -> None:
    data = json.loads(json.dumps(early.to_dict(), allow_nan=False))
    assert data["status"]["code"] == "caution"
    assert data["study"]["simulated"]
    assert [f["name"] for f in data["figures"]] == [
        "course",
        "correlations",
        "variance_shares",
        "sensitivity",
        "deltas",
        "residuals_growth",
        "without_growth",
    ]
    course = pd.DataFrame(
        data["figures"][0]["rows"], columns=[c["key"] for c in data["figures"][0]["columns"]]
    )
    of_therapists = course["label"].str.contains("third of therapists", regex=False)
    assert of_therapists.any()
    within = course.loc[~of_therapists, "label"]
    assert within.str.contains("WAI-SR points from the therapist's mean)", regex=False).all()
    assert len(data["answer"]) == 4
    assert data["parameters"]["window"] == [1, 5]
    assert data["flow"][-1]["clients_out"] == int(early.estimates.set_index("id").loc["end_within", "n"])


def test_no_client_or_therapist_identifier_leaves_the_analysis(clinic: Study) -> None:
    sessions = clinic.sessions
    sessions["client"] = "CANARY-" + sessions["client"]
    sessions["therapist"] = "CANARY-" + sessions["therapist"]
    result = early_alliance(with_sessions(clinic, sessions), sensitivity=False)
    assert "CANARY" not in json.dumps(result.to_dict())
    assert "CANARY" not in result._repr_html_()


def test_the_study_is_not_changed(clinic: Study) -> None:
    before = clinic.sessions
    early_alliance(clinic, window=3, sensitivity=False)
    pd.testing.assert_frame_equal(clinic.sessions, before)


def test_every_client_another_therapist_leaves_the_total_effect(clinic: Study) -> None:
    sessions = clinic.sessions.assign(therapist=lambda d: "T" + d["client"])
    result = early_alliance(with_sessions(clinic, sessions), sensitivity=False)
    effects = set(result.estimates["id"][result.estimates["id"].str.match(r"(slope|end)_[a-z]+$")])
    assert effects == {"slope_total", "end_total"}
    fixed = "y ~ weeks * (early_total + intake_total + change_total)"
    assert any(formula.startswith(fixed) for formula in result.table("models").to_frame()["formula"])
    said = {n.code: n.message for n in result.notes}
    assert "only the total effect of alliance is estimated" in said["no_therapist_means"]
    assert "constant_covariate" not in said
    assert "have two or more analysed clients" in result.answer[1]
    assert "the mean of all clients" in result.figure_specs[0].data["label"].iloc[0]


def test_the_total_effect_is_adjusted_for_all_of_intake_severity(few: Study) -> None:
    """Three therapists: the client's deviation alone would leave the therapists' mean intake unadjusted."""
    design = early_design(few)
    assert design.predictors(split=False) == ["early_total", "intake_total", "change_total"]
    assert design.predictors(split=True) == ["early_client", "intake_client", "change_client"]
    ours = fit_models(design).endpoint_total
    x = sm.add_constant(design.clients[["early", "intake", "change"]])
    other = sm.OLS(design.clients["end_change"], x).fit()
    assert ours.combination({"early_total": 1.0})["estimate"] == pytest.approx(
        other.params["early"], rel=1e-9
    )


def test_the_step_that_lost_most_clients_is_named(clinic: Study) -> None:
    """Nobody rated the alliance early."""
    sessions = clinic.sessions.assign(alliance=lambda d: d["alliance"].where(d["session"] > 5))
    answer = early_alliance(with_sessions(clinic, sessions), sensitivity=False).answer[0]
    assert re.search(
        r"0 clients .* at the step 'Early alliance rated' \(\d+ clients: no alliance score in sessions 1 to 5\)",
        answer,
    )


def test_without_early_change_the_analysis_goes_on_and_says_so(clinic: Study) -> None:
    """Session 1 alone, without an intake session: nobody has a change up to then."""
    study = with_sessions(clinic, clinic.sessions.query("session > 0"))
    found = early_alliance(study, window=1, sensitivity=False)
    asked = early_alliance(study, window=1, adjust_early_change=False, sensitivity=False)
    pd.testing.assert_frame_equal(found.estimates, asked.estimates)
    note = next(f for f in found.notes if f.code == "no_early_change")
    assert re.match(
        r"The models do not adjust for early change, because only 0 of \d+ clients have two PHQ-9 scores",
        str(note.message),
    )
    assert found.parameters["adjust_early_change"] is False


def test_everybody_leaves_at_the_end_of_the_window(clinic: Study) -> None:
    sessions = clinic.sessions.query("session <= 5")
    assert (
        "at the step 'Sessions after the early window'"
        in early_alliance(with_sessions(clinic, sessions), sensitivity=False).answer[0]
    )


def test_time_in_sessions_is_not_called_weeks(clinic: Study) -> None:
    unknown = Finding("time_is_session_number", "caution", "Time is counted in sessions.", "week")
    sessions = clinic.sessions.assign(week=lambda d: d["session"].astype(float))
    study = replace(with_sessions(clinic, sessions), findings=(unknown,))
    result = early_alliance(study, sensitivity=False)
    assert " sessions (95 % interval" in result.answer[0]
    said = json.dumps(
        [result.answer, result.to_dict()["figures"], result.estimates[["label", "unit"]].to_dict("list")]
    )
    said += json.dumps([(t.title, t.note) for t in result.tables if t.section != "models"])
    assert "per session per WAI-SR point" in said
    assert not re.findall(r".{20}\bweek.{20}", said.replace('"weeks"', ""), flags=re.IGNORECASE)
    assert "`weeks` in the formulas counts sessions" in result.methods


def test_outsiders_never_read_a_rounded_number_that_looks_like_enough() -> None:
    """15 clients of 20 needed: rounded to tens they would be 20."""
    study = simulated_study(1, ClinicTruth(therapists=3, clients=15))
    assert "14 clients can be analysed" in early_alliance(study, sensitivity=False).answer[0]
    shared = early_alliance(study, audience="shareable", sensitivity=False).answer[0]
    assert "Fewer than 20 clients can be analysed; the early-alliance analysis needs at least 20" in shared
