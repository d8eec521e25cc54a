"""What goes with a good alliance: simulated truth, direct models of the same rows, R's figures by hand, and what too few data give."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth
from analyses.declared import trial
from analyses.studies import value, with_sessions

TRUTH: dict[str, Any] = {
    "within": 0.0, "between": 0.0, "attachment_anxiety": -0.8, "attachment_avoidance": -1.5, "empathy": 1.5,
    "alliance_growth": 0.2, "avoidance_by_experience": -0.7,
}  # fmt: skip


def clinic_of(seed: int, therapists: int = 40, clients: int = 480, **truth: Any) -> Study:
    """A simulated clinic whose study file declares what clients and therapists bring."""
    truths = ClinicTruth(therapists=therapists, clients=clients, **truth)
    study = simulated_study(seed, truths, items=False)
    made = al.simulate_clinic(seed, truths, items=False)
    people = made.clients.drop(columns=["therapist", "group", "family"])
    people["personality_disorder"] = people["personality_disorder"].astype(float)
    return replace(
        study,
        covariates=("attachment_anxiety", "attachment_avoidance", "personality_disorder"),
        therapist_covariates=("empathy", "experience", "flexibility"),
        _clients=study.clients.merge(people.drop(columns="arm", errors="ignore"), on="client", how="left"),
        _therapists=made.therapists,
    )


@pytest.fixture(scope="module")
def study() -> Study:
    return clinic_of(3, **TRUTH)


@pytest.fixture(scope="module")
def result(study: Study) -> AnalysisResult:
    return al.alliance_predictors(
        study, interactions=["attachment_avoidance:experience"], styles_midpoint=0.0
    )


def early_rows(study: Study) -> pd.DataFrame:
    """Early means with the client's and the therapist's covariates, by plain pandas."""
    sessions = study.sessions
    rated = sessions[sessions["session"].between(1, 5) & sessions["alliance"].notna()]
    early = rated.groupby("client")["alliance"].mean().rename("early")
    intake = sessions[sessions["session"] == 0].set_index("client")["phq9"].rename("severity")
    rows = study.clients.set_index("client").join(early).join(intake)
    rows = rows.dropna(subset=["early", "severity"]).reset_index()
    return rows.merge(study.therapists, on="therapist")


def test_the_truth_of_a_simulated_clinic_is_found_again(result: AnalysisResult) -> None:
    """In points per standard deviation. Clients' covariates act within and between therapists alike."""
    for name, truth in (("attachment_anxiety", -0.8), ("attachment_avoidance", -1.5)):
        for part in (f"early_{name}_points", f"level_{name}_within_points"):
            assert abs(value(result, part) - truth) < 3 * value(result, part, "se"), part
    assert value(result, "early_attachment_avoidance", "p") < 0.001
    for name, truth in (("empathy", 1.5), ("experience", 0.0), ("flexibility", 0.0)):
        for part in (f"early_{name}_points", f"level_{name}_between_points"):
            assert abs(value(result, part) - truth) < 3 * value(result, part, "se"), part
    assert abs(value(result, "early_personality_disorder_points")) < 3 * value(
        result, "early_personality_disorder_points", "se"
    )
    for part in ("early", "level"):
        name = f"{part}_attachment_avoidance_by_experience"
        sd = value(result, f"{part}_empathy" + ("" if part == "early" else "_between"))
        sd = (
            value(result, f"{part}_empathy{'' if part == 'early' else '_between'}_points") / sd
        )  # of the alliance / of empathy
        assert value(result, name) < 0
        assert abs(value(result, name) * sd + 0.7) < 3 * value(result, name, "se") * sd
    # Growth is that of the sessions and what follows improvement (.5 points a point, about .3 points a week).
    assert 0.2 < value(result, "growth_mean") < 0.5


def test_without_any_effect_hardly_anything_is_clear() -> None:
    """Each of 8 clinics has a clear effect with probability .05 or less: four or more have one in one run of 2,700."""
    names = ["attachment_anxiety", "attachment_avoidance", "personality_disorder", "empathy", "experience"]
    some = 0
    for seed in range(1, 9):
        found = al.alliance_predictors(clinic_of(seed, 20, 200), predictors=names, part=["early"])
        table = found.table("effects_early").to_frame()
        assert len(table) == 8
        some += int((table["q"] <= 0.05).any())
    assert some < 4


def test_the_early_model_is_the_direct_one(study: Study, result: AnalysisResult) -> None:
    """The same numbers from the engine on rows made by hand; df of therapists are J - 1 - q at most."""
    rows = early_rows(study)
    clients = ["attachment_anxiety", "attachment_avoidance", "personality_disorder", "severity"]
    upper = ["empathy", "experience", "flexibility"]
    sd = {x: rows[x].std() for x in clients}
    own = rows.drop_duplicates("therapist")
    for x in clients:
        z = rows[x] / sd[x]
        means = z.groupby(rows["therapist"]).transform("mean")
        rows[f"{x}_w"], rows[f"{x}_b"] = z - means, means - z.mean()
    for x in upper:
        rows[x] = (rows[x] - own[x].mean()) / own[x].std()
    terms = [f"{x}_{part}" for x in clients for part in "wb"] + upper
    fit = al.MixedModel.from_formula("early ~ " + " + ".join(terms) + " + (1 | therapist)", rows).fit()
    alliance = rows["early"].std()
    for x in clients:
        for name, term in ((f"early_{x}", f"{x}_w"), (f"early_{x}_between", f"{x}_b")):
            assert value(result, name) == pytest.approx(fit.params[term] / alliance, rel=1e-6)
            assert value(result, name, "se") == pytest.approx(fit.bse[term] / alliance, rel=1e-5)
        assert value(result, f"early_{x}", "df") == pytest.approx(fit.df[f"{x}_w"], rel=1e-4)
        assert value(result, f"early_{x}_between", "df") <= 40 - 1 - 7
    assert value(result, "early_empathy") == pytest.approx(fit.params["empathy"] / alliance, rel=1e-6)
    assert value(result, "early_empathy", "df") == pytest.approx(min(fit.df["empathy"], 40 - 1 - 7), rel=1e-4)
    t, df = (
        value(result, "early_attachment_avoidance") / value(result, "early_attachment_avoidance", "se"),
        fit.df["attachment_avoidance_w"],
    )
    assert value(result, "r_attachment_avoidance") == pytest.approx(-np.sqrt(t**2 / (t**2 + df)), rel=1e-4)
    assert value(result, "early_attachment_avoidance_points") == pytest.approx(
        fit.params["attachment_avoidance_w"] / sd["attachment_avoidance"], rel=1e-6
    )


def test_level_and_growth_are_those_of_one_model(study: Study, result: AnalysisResult) -> None:
    model = result.models["course"]
    term, sd = "attachment_avoidance_within", value(result, "level_attachment_avoidance_within")
    sd = model.params[term] / sd
    assert value(result, f"growth_{term}") == pytest.approx(10 * model.params[f"weeks:{term}"] / sd)
    assert value(result, f"growth_{term}", "p") == pytest.approx(model.pvalues[f"weeks:{term}"], rel=1e-6)
    assert value(result, "growth_mean") == pytest.approx(model.params["weeks"])
    rated = study.sessions[study.sessions["session"].ge(1) & study.sessions["alliance"].notna()]
    assert sd == pytest.approx(rated.groupby("client")["alliance"].mean().std())


def test_planted_growth_is_found_at_its_level(study: Study) -> None:
    """.15 points a week more per SD of avoidance for the client's difference, and .3 per SD of empathy."""
    sessions = study.sessions
    avoidance = (
        study.clients.set_index("client")["attachment_avoidance"].reindex(sessions["client"]).to_numpy()
    )
    empathy = study.therapists.set_index("therapist")["empathy"].reindex(sessions["therapist"]).to_numpy()
    of = pd.Series(avoidance).groupby(sessions["therapist"].to_numpy()).transform("mean").to_numpy()
    sessions["alliance"] += sessions["week"].to_numpy() * (0.15 * (avoidance - of) + 0.3 * empathy)
    found = al.alliance_predictors(
        with_sessions(study, sessions), predictors=["attachment_avoidance", "empathy"], part=["growth"]
    )
    for name, truth in (("attachment_avoidance_within", 1.5), ("empathy_between", 3.0)):
        name = f"growth_{name}_points"
        assert abs(value(found, name) - truth) < 3 * value(found, name, "se"), name
        assert value(found, name, "p") < 0.001
    assert abs(value(found, "growth_attachment_avoidance_between_points")) < 3 * value(
        found, "growth_attachment_avoidance_between_points", "se"
    )


def test_q_is_benjamini_and_hochberg_over_all_effects_of_the_report(result: AnalysisResult) -> None:
    rows = pd.concat([result.table(f"effects_{p}").to_frame() for p in ("early", "level", "growth")])
    p = [
        *rows["p"],
        *(value(result, f"{k}_attachment_avoidance_by_experience", "p") for k in ("early", "level")),
    ]
    order = np.sort(p)
    for own, q in zip(rows["p"], rows["q"], strict=True):
        larger = [order[k] * len(p) / (k + 1) for k in range(len(p)) if order[k] >= own]
        assert q == pytest.approx(min(1, *larger))
    note = next(n for n in result.notes if n.code == "several_tests")
    assert note.message.startswith(f"The report tests {len(p)} effects of 7 predictors.")


def test_each_predictor_alone_is_a_model_of_its_own(study: Study, result: AnalysisResult) -> None:
    rows = early_rows(study)
    z = rows["attachment_avoidance"] / rows["attachment_avoidance"].std()
    rows["b"] = z.groupby(rows["therapist"]).transform("mean")
    rows["w"] = z - rows["b"]
    fit = al.MixedModel.from_formula("early ~ w + b + (1 | therapist)", rows).fit()
    name = "early_attachment_avoidance_alone"
    assert value(result, name) == pytest.approx(fit.params["w"] / rows["early"].std(), rel=1e-5)
    assert value(result, "r_attachment_avoidance_alone") == pytest.approx(value(result, name), abs=0.03)
    answer = next(s for s in result.answer if s.startswith("For attachment_avoidance alone"))
    assert (
        "The mean of published studies, −0.13 (−0.19 to −0.07; Notsu et al. 2024), is outside this interval."
        in answer
    )


def test_an_interaction_has_kenward_and_roger_df_and_an_effect_of_each_therapist(
    result: AnalysisResult,
) -> None:
    name = "early_attachment_avoidance_by_experience"
    model = result.models[name]
    assert (
        "(0 + attachment_avoidance_within | therapist)" in model.formula
        if hasattr(model, "formula")
        else True
    )
    row = result.estimates.set_index("id").loc[name]
    assert row["df"] < 60  # as therapists are, not clients
    assert "interactions" in {t.name for t in result.tables}


def test_therapists_variance_explained(study: Study, result: AnalysisResult) -> None:
    """One less the ratio of variances with and without the therapists' covariates."""
    without = al.alliance_predictors(
        study,
        predictors=["attachment_anxiety", "attachment_avoidance", "personality_disorder", "severity"],
        part=["early"],
    )
    after = result.models["early"].varcorr["vcov"].iloc[0]
    before = without.models["early"].varcorr["vcov"].iloc[0]
    assert value(result, "explained_therapists") == pytest.approx(1 - after / before, rel=1e-5)
    assert any("of the variance between therapists is explained by" in s for s in result.answer)


def test_styles_are_contrasts_to_the_mean_of_all(result: AnalysisResult) -> None:
    found = result.table("styles").to_frame()
    assert found["estimate"].sum() == pytest.approx(0, abs=1e-9)
    assert found["label"].str.contains("secure|preoccupied|dismissing|fearful").all()
    assert value(result, "early_style_secure") > 0 > value(result, "early_style_fearful")
    assert {"styles_lose_information"} <= {n.code for n in result.notes}


def test_categories_are_compared_with_each_other_or_with_their_mean() -> None:
    study = trial(therapists=16, clients=240)
    found = al.alliance_predictors(study, predictors=["arm", "education"], part=["early"])
    names = set(found.estimates["id"])
    assert {"early_arm", "early_arm_between", "early_education_low", "early_education_high"} <= names
    assert sum(value(found, f"early_education_{k}") for k in ("low", "middle", "high")) == pytest.approx(
        0, abs=1e-9
    )
    rows = early_rows(study)
    for column, name in (("arm", "IPT"), ("education", "middle"), ("education", "high")):
        x = rows[column].astype(str).eq(name).astype(float)
        rows[f"{name}_b"] = x.groupby(rows["therapist"]).transform("mean")
        rows[f"{name}_w"] = x - rows[f"{name}_b"]
    terms = [f"{n}_{k}" for n in ("IPT", "middle", "high") for k in "wb"]
    fit = al.MixedModel.from_formula("early ~ " + " + ".join(terms) + " + (1 | therapist)", rows).fit()
    b = fit.params
    assert value(found, "early_arm_points") == pytest.approx(b["IPT_w"], rel=1e-5)
    middle = (b["middle_w"] + b["high_w"]) / 3
    assert value(found, "early_education_high_points") == pytest.approx(b["high_w"] - middle, rel=1e-5)
    assert value(found, "early_education_low_points") == pytest.approx(-middle, rel=1e-5)
