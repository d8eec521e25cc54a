"""Effects of alliance that differ between therapists, clinics held constant, and clinics that measure twice only."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, MixedModel, MixedModelResults, Study
from alliance_longitudinal.simulation import ClinicTruth
from analyses.studies import early_design, simulated_study, value, with_sessions
from inside.analyses_kit import WITH_ROBUST_ERRORS


def clients_of(study: Study) -> pd.DataFrame:
    """The rows of the end-point model."""
    return early_design(study).clients


def formula_of(result: AnalysisResult, title: str) -> str:
    return str(result.table("models").to_frame().set_index("title").loc[title, "formula"])


@pytest.fixture(scope="module")
def differing() -> AnalysisResult:
    """30 therapists whose own effects have a standard deviation as large as the mean effect."""
    return al.early_alliance(
        simulated_study(1, ClinicTruth(therapists=30, clients=600, within_therapist_sd=0.02)),
        sensitivity=False,
    )


@pytest.fixture(scope="module")
def twelve() -> Study:
    return simulated_study(3, ClinicTruth(therapists=12, clients=240, within_therapist_sd=0.02))


def test_therapists_effects_have_a_variance_of_their_own(differing: AnalysisResult) -> None:
    """Its standard error is that of a mean over therapists, far larger than the one that takes them for alike."""
    table = differing.models["growth"].varcorr
    own = table[(table["group"] == "therapist") & (table["term1"] == "weeks:early_client")]
    assert own["sdcor"].tolist() == [pytest.approx(0.02, abs=0.01)]  # three standard errors of an SD over 30
    assert value(differing, "slope_within", "se") > 1.3 * float(
        differing.models["growth_same"].bse["weeks:early_client"]
    )
    assert value(differing, "slope_within", "df") < 60
    assert value(differing, "slope_within", "ci_low") < -0.02 < value(differing, "slope_within", "ci_high")
    assert not any(i.endswith("_same") for i in differing.estimates["id"])


def test_the_end_point_model_is_that_of_statsmodels(differing: AnalysisResult) -> None:
    """MixedLM with an independent variance component for the own effects."""
    ours = differing.models["endpoint"]
    theirs = sm.MixedLM.from_formula(
        "end_change ~ early_client + early_therapist + intake_client + intake_therapist + change_client + change_therapist",
        clients_of(differing.study),
        groups="therapist",
        re_formula="1",
        vc_formula={"own": "0 + early_client"},
    ).fit(method="bfgs", reml=True)
    # The same optimum; statsmodels takes errors from a numerical Hessian that includes the variances, which costs digits.
    assert ours.llf == pytest.approx(theirs.llf, abs=1e-6)
    np.testing.assert_allclose(ours.params, theirs.fe_params, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.bse, theirs.bse_fe, rtol=2e-3)


def test_a_correlation_is_not_blown_up_by_the_df_of_therapists(differing: AnalysisResult) -> None:
    """r is that of clients; its interval is as much wider as the coefficient's."""
    same = differing.models["endpoint_same"].contrast({"early_client": 1.0}).iloc[0]
    r = -same["t"] / np.sqrt(same["t"] ** 2 + same["df"])
    assert value(differing, "r_within") == pytest.approx(r, rel=1e-9)
    own_t = stats.t.ppf(0.975, value(differing, "end_within", "df"))
    ratio = value(differing, "end_within", "se") * own_t / (same["se"] * stats.t.ppf(0.975, same["df"]))
    half = (np.arctanh(value(differing, "r_within", "ci_high")) - np.arctanh(r)) * np.sqrt(same["df"] - 1)
    assert half == pytest.approx(1.959963985 * ratio, rel=1e-6)
    assert ratio > 1.2
    assert "their intervals are widened as much as that of the effect is." in differing.methods


def sd_within(study: Study) -> float:
    """Standard deviation of early alliance within therapists."""
    return float(clients_of(study)["early_client"].std())


def assert_robust(result: AnalysisResult, identity: str, model: MixedModelResults, term: str) -> None:
    """The estimate has the CR2 errors of the model, clusters therapists."""
    expected = MixedModel.from_formula(model.formula, model.data).fit(cov_type="CR2", cov_groups="therapist")
    assert value(result, identity) == pytest.approx(expected.params[term], rel=1e-9)
    assert value(result, identity, "se") == pytest.approx(expected.bse[term], rel=1e-7)
    assert value(result, identity, "df") == pytest.approx(expected.df[term], rel=1e-6)
    half = stats.t.ppf(0.975, expected.df[term]) * expected.bse[term]
    assert value(result, identity, "ci_low") == pytest.approx(expected.params[term] - half, rel=1e-6)


def test_fewer_than_twenty_therapists_get_robust_errors(twelve: Study) -> None:
    """The main rows and all that is made of them; the model's errors are beside."""
    result = al.early_alliance(twelve, delta=(2.0,), m=8)
    for kind, term, name in (("slope", "weeks:early_{}", "growth"), ("end", "early_{}", "endpoint")):
        model = result.models[name]
        assert_robust(result, f"{kind}_within", model, term.format("client"))
        assert_robust(result, f"{kind}_total", result.models[f"{name}_total"], term.format("total"))
        assert value(result, f"{kind}_within", "df") < 12
        assert value(result, f"{kind}_within_same", "se") == pytest.approx(model.bse[term.format("client")])
        assert value(result, f"{kind}_between", "se") == pytest.approx(model.bse[term.format("therapist")])
        per_sd = value(result, f"{kind}_within_per_sd", "se") / value(result, f"{kind}_within_per_sd")
        assert per_sd == pytest.approx(
            value(result, f"{kind}_within", "se") / value(result, f"{kind}_within")
        )
    growth = result.models["growth"]
    last = growth.data.groupby("client")["weeks"].transform("max")
    weeks = round(value(result, "slope_within_per_sd") / value(result, "slope_within") / sd_within(twelve))
    rows = growth.data.assign(left=(last < weeks).astype(int))
    fixed, random = growth.formula.removeprefix("y ~ ").split(" + (1", 1)
    patterns = MixedModel.from_formula(f"y ~ ({fixed}) * left + (1{random}", rows).fit(
        cov_type="CR2", cov_groups="therapist"
    )
    for e in ("slope_within_completers", "slope_within_pattern", "slope_within_delta_0"):
        assert value(result, e, "df") < 12
    assert value(result, "slope_within_completers", "se") == pytest.approx(
        patterns.bse["weeks:early_client"], rel=1e-5
    )
    assert value(result, "slope_between_completers", "se") == pytest.approx(
        patterns.with_errors("model").bse["weeks:early_therapist"], rel=1e-5
    )
    # Few left before the horizon, so that what is filled in adds little: the error is that of the main row, not the model's.
    filled = value(result, "slope_within_delta_0", "se") / value(result, "slope_within", "se")
    assert 0.95 < filled < 1.5
    end, same = (result.estimates.set_index("id").loc[f"end_within{x}"] for x in ("", "_same"))
    wider = (end["ci_high"] - end["ci_low"]) / (same["ci_high"] - same["ci_low"])
    half = np.arctanh(value(result, "r_within", "ci_high")) - np.arctanh(value(result, "r_within"))
    assert half * np.sqrt(same["df"] - 1) == pytest.approx(1.959963985 * max(wider, 1.0), rel=1e-6)
    said = [str(f.message) for f in result.notes if f.code == "simpler_model"]
    assert any(
        "taken to be the same for all therapists: 12 therapists have at least 3 clients" in s for s in said
    )
    shown = result.table("effects").to_frame()["label"]
    assert shown.str.contains("if the same for all therapists").sum() == 2
    assert "Intervals within therapists and in total are cluster-robust (CR2)" in result.table("effects").note
    assert "Intervals within therapists and in total are therefore cluster-robust" in result.methods
    coefficients = result.table("coefficients_growth").to_frame().set_index("term")
    assert coefficients.loc["weeks:early_client", "robust_se"] == value(result, "slope_within", "se")
    main = result.table("sensitivity_slope").to_frame().set_index("window")
    low = main.loc[main.index.str.endswith("(main analysis)"), "slope_within_low"]
    assert float(low.iloc[0]) == pytest.approx(value(result, "slope_within", "ci_low"), rel=1e-4)


def test_robust_errors_that_are_much_larger_are_a_finding(twelve: Study) -> None:
    """Half of the therapists' clients improve with a better alliance, the clients of the others get worse."""
    sessions = twelve.sessions
    mean = sessions["alliance"].groupby(sessions["client"]).transform("mean")
    own = mean - mean.groupby(sessions["therapist"]).transform("mean")
    sign = np.where(sessions["therapist"].rank(method="dense") % 2, 1.0, -1.0)
    sessions["phq9"] = (sessions["phq9"] + 0.05 * sign * own * sessions["week"]).clip(0, 27)
    result = al.early_alliance(with_sessions(twelve, sessions), sensitivity=False)
    note = next(f for f in result.notes if f.code == "robust_errors_larger")
    assert (
        "is more than a quarter larger than the one for an effect that is the same for all therapists"
        in str(note.message)
    )
    assert value(result, "slope_within", "se") > 1.25 * value(result, "slope_within_same", "se")


def test_errors_by_therapist_that_cannot_be_computed_are_said(
    twelve: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise al.FitError("no robust errors")

    monkeypatch.setattr(WITH_ROBUST_ERRORS, none)
    alone = al.early_alliance(twelve, sensitivity=False)
    note = next(f for f in alone.notes if f.code == "no_robust_errors")
    assert "If it differs between them, the interval is too narrow. Robust errors cannot be computed" in str(
        note.message
    )
    assert "slope_within_same" not in set(alone.estimates["id"])
    assert value(alone, "slope_within", "df") > 12
    assert "take the effect of alliance to be the same for all therapists." in alone.methods


def test_effects_that_do_not_differ_are_said_in_one_sentence() -> None:
    result = al.early_alliance(al.load_study("demo"), sensitivity=False)
    codes = [f.code for f in result.notes]
    assert codes.count("own_effect_zero") == 1
    assert "singular" not in codes


def with_clinics(study: Study, shift: float) -> Study:
    """Three clinics of therapists; symptoms of the later ones fall faster and alliances are better, each by ``shift`` SD-like steps."""
    sessions = study.sessions
    clinic = (sessions["therapist"].rank(method="dense") % 3).astype(int)
    sessions["clinic"] = clinic.map({0: "North", 1: "South", 2: "West"})
    sessions["alliance"] = (sessions["alliance"] + 4 * shift * (clinic - 1)).clip(12, 60)
    sessions["phq9"] = (sessions["phq9"] - 0.4 * shift * (clinic - 1) * sessions["week"]).clip(0, 27)
    return with_sessions(study, sessions)


def test_clinics_that_differ_move_the_answer(clinic: Study) -> None:
    """Better clinics with better alliances: between therapists the pooled effect is the clinics', within clinics it is not."""
    plain = al.early_alliance(with_clinics(clinic, 0.0), sensitivity=False)
    mixed = al.early_alliance(with_clinics(clinic, 1.0), sensitivity=False)
    assert next(f for f in plain.notes if f.code == "clinics_pooled").severity == "info"
    note = next(f for f in mixed.notes if f.code == "clinics_move_the_answer")
    assert note.severity == "caution"
    assert "between therapists, on the rate of change" in note.message
    assert value(mixed, "slope_between") < value(mixed, "slope_between_clinics") - 0.5 * value(
        mixed, "slope_between", "se"
    )
    # Scores have limits, so that the shifts do not vanish to the last digit.
    assert value(mixed, "slope_between_clinics") == pytest.approx(
        value(plain, "slope_between_clinics"), abs=value(plain, "slope_between_clinics", "se")
    )
    shown = mixed.table("clinic_effects").to_frame()
    assert len(shown) == 8


def test_clinic_effects_are_those_of_a_model_with_a_factor(clinic: Study) -> None:
    from alliance_longitudinal.engine import MixedModel

    study = with_clinics(clinic, 0.5)
    result = al.early_alliance(study, sensitivity=False)
    formula = formula_of(result, "Change from intake to the last score").replace(" + (1", " + C(clinic) + (1")
    other = MixedModel.from_formula(formula, clients_of(study)).fit()
    assert value(result, "end_within_clinics") == pytest.approx(other.params["early_client"], rel=1e-6)
    assert value(result, "end_between_clinics", "se") == pytest.approx(other.bse["early_therapist"], rel=1e-5)


def before_and_after(study: Study) -> Study:
    """Symptoms at intake and at the end, the alliance at session 3."""
    sessions = study.sessions
    last = sessions.groupby("client")["session"].transform("max")
    keep = sessions["session"].isin([0, 3]) | (sessions["session"] == last)
    sessions = sessions[keep].reset_index(drop=True)
    sessions.loc[sessions["session"] == 3, "phq9"] = np.nan
    sessions.loc[sessions["session"] != 3, "alliance"] = np.nan
    return with_sessions(study, sessions)


def test_a_clinic_that_measures_before_and_after_gets_the_end_point_model(clinic: Study) -> None:
    result = al.early_alliance(before_and_after(clinic), sensitivity=False)
    ids = set(result.estimates["id"])
    assert {"end_within", "end_between", "r_within", "end_within_per_sd"} <= ids
    assert not any(i.startswith(("slope_", "share_")) for i in ids)
    assert "from intake to the last score" in result.answer[0]
    codes = {f.code: str(f.message) for f in result.notes}
    assert codes["no_course"].startswith(
        "The course after the window is not analysed, because 0 clients have two or more PHQ-9 scores"
    )
    assert "The models do not adjust for early change" in codes["no_early_change"]
    assert "The outcome is the change in PHQ-9" in result.methods
    assert "adjust the change from intake for" in result.methods
    assert "rate of change" not in result.methods.lower().split("references")[0]
    assert "course" not in {f.name for f in result.figure_specs}


def test_the_end_point_model_of_two_measurements_is_least_squares_with_therapists(clinic: Study) -> None:
    """Balanced against an independent route: the within effect is that of dummies for therapists."""
    study = before_and_after(clinic)
    result = al.early_alliance(study, sensitivity=False)
    wide = study.sessions.groupby("client").agg(
        therapist=("therapist", "first"),
        alliance=("alliance", "max"),
        intake=("phq9", "first"),
        end=("phq9", "last"),
        last=("session", "max"),
        scores=("phq9", "count"),
        start=("session", "min"),
    )
    wide = wide[(wide["last"] > 5) & wide["alliance"].notna() & (wide["scores"] == 2) & (wide["start"] == 0)]
    x = pd.get_dummies(wide["therapist"], dtype=float).assign(
        alliance=wide["alliance"], intake=wide["intake"]
    )
    ols = sm.OLS(wide["end"] - wide["intake"], x).fit()
    same = result.models["endpoint_same"] if "endpoint_same" in result.models else result.models["endpoint"]
    assert same.params["early_client"] == pytest.approx(float(ols.params["alliance"]), rel=1e-6)


def test_a_window_with_two_clients_says_so_and_shows_no_numbers() -> None:
    """Most clients' scores begin at session 4: windows before it have two clients."""
    study = simulated_study(4, ClinicTruth(therapists=6, clients=90))
    sessions = study.sessions
    first_two = sorted(sessions["client"].unique())[:2]
    sessions = sessions[(sessions["session"] >= 4) | sessions["client"].isin(first_two)].reset_index(
        drop=True
    )
    result = al.early_alliance(with_sessions(study, sessions), window=(4, 8), sensitivity=False)
    table = result.table("sensitivity_end").to_frame().set_index("window")
    few = table.loc["session 3"]
    assert (few["problem"] == "too few clients").all()
    assert few["clients"].max() <= 2
    assert few["end_within"].isna().all()
    assert table.loc["sessions 4 to 8 (main analysis)", "end_within"] == pytest.approx(
        value(result, "end_within")
    )
