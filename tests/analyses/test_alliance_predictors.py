"""What goes with a good alliance: simulated truth, direct models of the same rows, R's figures by hand, and what too few data give."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.simulation import ClinicTruth
from analyses.declared import trial
from analyses.studies import value, with_sessions
from inside.analyses_kit import WITH_ROBUST_ERRORS

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
    model = al.MixedModel.from_formula("early ~ " + " + ".join(terms) + " + (1 | therapist)", rows)
    fit, robust = model.fit(), model.fit(cov_type="CR2", cov_groups="therapist")
    alliance = rows["early"].std()
    for x in clients:
        for name, term, own in (
            (f"early_{x}", f"{x}_w", robust),  # holds if the effect differs between therapists
            (f"early_{x}_same", f"{x}_w", fit),
            (f"early_{x}_between", f"{x}_b", fit),
        ):
            assert value(result, name) == pytest.approx(fit.params[term] / alliance, rel=1e-6)
            assert value(result, name, "se") == pytest.approx(own.bse[term] / alliance, rel=1e-5)
        assert value(result, f"early_{x}", "df") == pytest.approx(robust.df[f"{x}_w"], rel=1e-4)
        assert value(result, f"early_{x}_same", "df") == pytest.approx(fit.df[f"{x}_w"], rel=1e-4)
        t, df = fit.tvalues[f"{x}_w"], fit.df[f"{x}_w"]
        width = robust.bse[f"{x}_w"] * stats.t.ppf(0.975, robust.df[f"{x}_w"])
        r, ratio = t / np.sqrt(t * t + df), width / (fit.bse[f"{x}_w"] * stats.t.ppf(0.975, df))
        assert value(result, f"r_{x}") == pytest.approx(r, rel=1e-4)
        half = (np.arctanh(value(result, f"r_{x}", "ci_high")) - np.arctanh(r)) * np.sqrt(df - 1)
        assert half == pytest.approx(1.959963985 * ratio, rel=1e-4)
        assert value(result, f"early_{x}_between", "df") <= 40 - 1 - 7
    assert value(result, "early_empathy") == pytest.approx(fit.params["empathy"] / alliance, rel=1e-6)
    assert value(result, "early_empathy", "df") == pytest.approx(min(fit.df["empathy"], 40 - 1 - 7), rel=1e-4)
    assert value(result, "early_attachment_avoidance_points") == pytest.approx(
        fit.params["attachment_avoidance_w"] / sd["attachment_avoidance"], rel=1e-6
    )


def test_level_and_growth_are_those_of_one_model(study: Study, result: AnalysisResult) -> None:
    model = result.models["course"]
    term, sd = "attachment_avoidance_within", value(result, "level_attachment_avoidance_within")
    sd = model.params[term] / sd
    assert value(result, f"growth_{term}") == pytest.approx(10 * model.params[f"weeks:{term}"] / sd)
    assert value(result, f"growth_{term}", "p") != pytest.approx(model.pvalues[f"weeks:{term}"], rel=1e-3)
    between = "attachment_avoidance_between"
    assert value(result, f"growth_{between}", "se") == pytest.approx(
        10 * model.bse[f"weeks:{between}"] / sd, rel=1e-6
    )
    assert value(result, "growth_mean") == pytest.approx(model.params["weeks"])
    rated = study.sessions[study.sessions["session"].ge(1) & study.sessions["alliance"].notna()]
    assert sd == pytest.approx(rated.groupby("client")["alliance"].mean().std())
    assert result.table("effects_level").to_frame()["r"].notna().all()


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
    answer = next(s for s in result.answer if s.startswith("For attachment avoidance alone"))
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


def test_an_interaction_with_few_therapists_has_robust_errors() -> None:
    """Twelve therapists have no effect of their own in the model; without more, clients would count as independent."""
    some = clinic_of(5, 12, 150, **TRUTH)
    found = al.alliance_predictors(
        some,
        predictors=["attachment_avoidance", "experience"],
        interactions=["attachment_avoidance:experience"],
        part=["early"],
    )
    rows = early_rows(some)
    z = rows["attachment_avoidance"] / rows["attachment_avoidance"].std()
    means = z.groupby(rows["therapist"]).transform("mean")
    own = rows.drop_duplicates("therapist")["experience"]
    rows = rows.assign(w=z - means, b=means, e=(rows["experience"] - own.mean()) / own.std())
    model = al.MixedModel.from_formula("early ~ w + b + e + w:e + (1 | therapist)", rows)
    fit = model.fit(cov_type="CR2", cov_groups="therapist")
    name = "early_attachment_avoidance_by_experience"
    assert value(found, name) == pytest.approx(fit.params["w:e"] / rows["early"].std(), rel=1e-5)
    assert value(found, name, "se") == pytest.approx(fit.bse["w:e"] / rows["early"].std(), rel=1e-4)
    assert value(found, name, "df") == pytest.approx(fit.df["w:e"], rel=1e-3)
    assert value(found, name, "df") < 12


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


def test_growth_averaged_over_those_who_leave_is_the_pattern_mixture(
    study: Study, result: AnalysisResult
) -> None:
    """The median last rated time divides the clients; the model of both is methods.pattern_mixture."""
    model, term = result.models["course"], "attachment_avoidance_within"
    rated = study.sessions[study.sessions["session"].ge(1) & study.sessions["alliance"].notna()]
    rated = rated.assign(y=rated["alliance"], weeks=rated["week"] - rated["week"].mean())
    people = rated.drop_duplicates("client")[["client", "therapist"]].reset_index(drop=True)
    columns = {}
    intake = study.sessions[study.sessions["session"] == 0].set_index("client")["phq9"]
    known = study.clients.set_index("client").assign(severity=intake)
    for x in ("attachment_anxiety", "attachment_avoidance", "personality_disorder", "severity"):
        z = known[x].reindex(people["client"]).reset_index(drop=True)
        z = z / z.std()
        means = z.groupby(people["therapist"]).transform("mean")
        columns |= {f"{x}_within": z - means, f"{x}_between": means - z.mean()}
    for x in ("empathy", "experience", "flexibility"):
        own = study.therapists.set_index("therapist")[x]
        columns[f"{x}_between"] = ((own - own.mean()) / own.std()).reindex(people["therapist"]).to_numpy()
    rows = rated.merge(people[["client"]].assign(**columns), on="client")
    last = rows.groupby("client")["weeks"].transform("max")
    rows["left"] = (last < rows.groupby("client")["weeks"].max().median()).astype(int)
    found = al.methods.pattern_mixture(str(model.formula), rows, "left", f"weeks:{term}", "client", reml=True)
    sd = model.params[term] / value(result, f"level_{term}")
    assert value(result, f"growth_{term}_patterns") == pytest.approx(
        10 * found.params["average"] / sd, rel=1e-4
    )
    assert "leaving" in {t.name for t in result.tables}


def test_growth_that_moves_by_more_than_two_and_a_half_errors_of_the_move_is_named(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The average over both groups is set to lie so many standard errors of the difference further away from zero, and stays clear."""
    few = study.clients["client"].iloc[:200]
    some = with_sessions(study, study.sessions[study.sessions["client"].isin(few)].reset_index(drop=True))
    asked = {"predictors": ["attachment_avoidance"], "part": ["growth"]}
    usual = al.alliance_predictors(some, **asked)
    term = "growth_attachment_avoidance_within"
    main, se = value(usual, term), value(usual, term, "se")
    raw = usual.models["course"].params["weeks:attachment_avoidance_within"]
    for errors, named in ((2.2, 0), (2.8, 1)):
        average = main + np.sign(main) * errors * np.sqrt(1.5**2 - 1) * se
        patterns = SimpleNamespace(
            params={"average": average * raw / main}, bse={"average": 1.5 * se * raw / main}
        )
        monkeypatch.setattr(al.methods, "pattern_mixture", lambda *_, found=patterns, **__: found)
        found = al.alliance_predictors(some, **asked)
        assert value(found, f"{term}_patterns") == pytest.approx(average)
        moved = [n.message for n in found.notes if n.code == "leaving_moves_growth"]
        assert len(moved) == named, moved
    assert moved[0].endswith("different or no longer clear: Attachment avoidance, within therapists.")


def test_covariates_and_groups(study: Study) -> None:
    some = trial(therapists=16, clients=240)
    found = al.alliance_predictors(
        some, predictors=["age", "severity"], covariates=["education"], by="arm", part=["early"]
    )
    assert "cov_education_high" in found.models["early"].params.index
    names = set(found.estimates["id"])
    assert {"early_age_CBT", "early_age_IPT", "early_age_IPT_difference"} <= names
    assert value(found, "early_age_IPT_difference") == pytest.approx(
        value(found, "early_age_IPT") - value(found, "early_age_CBT")
    )
    usual = al.alliance_predictors(some, by="arm", part=["early"])
    assert not any(i.startswith("early_arm") for i in usual.estimates["id"])
    assert "early_experience" in set(usual.estimates["id"])


def test_a_group_of_few_clients_is_named() -> None:
    some = trial(therapists=16, clients=240)
    clients = some.clients
    clients["arm"] = np.where(np.arange(len(clients)) < 15, "IPT", "CBT")
    found = al.alliance_predictors(
        replace(some, _clients=clients), predictors=["age"], by="arm", part=["early"]
    )
    note = next(n for n in found.notes if n.code == "small_group")
    assert (
        note.message
        == "arm IPT has fewer than 20 clients in this analysis, so the report does not compare this group."
    )


def test_without_therapists_clients_are_compared_with_all_others(study: Study) -> None:
    sessions = study.sessions.drop(columns="therapist")
    found = al.alliance_predictors(with_sessions(study, sessions), part=["early", "level"])
    rows = early_rows(study)
    xs = ["attachment_anxiety", "attachment_avoidance", "personality_disorder", "severity"]
    design = np.column_stack([np.ones(len(rows)), *(rows[x] / rows[x].std() for x in xs)])
    b = np.linalg.lstsq(design, rows["early"].to_numpy(), rcond=None)[0]
    assert value(found, "early_attachment_avoidance") == pytest.approx(b[2] / rows["early"].std(), rel=1e-6)
    assert {"level_severity_client", "r_severity"} <= set(found.estimates["id"])
    assert dict(found.facts)["Therapists"] == "not known"
    assert not any("empathy" in i for i in found.estimates["id"])


def test_few_therapists_are_not_compared() -> None:
    few = clinic_of(5, therapists=8, clients=200, **TRUTH)
    found = al.alliance_predictors(few, part=["early"])
    note = next(n for n in found.notes if n.code == "therapists_not_compared")
    assert note.message == (
        "8 therapists are too few to compare therapists (11 are needed; parameter 'min_therapists'). The report has no effects between "
        "therapists, and predictors of clients are compared within therapists only."
    )
    assert set(found.estimates["level"]) == {"client"}
    none = al.alliance_predictors(few, predictors=["empathy"], part=["early"])
    assert none.answer[0] == (
        "There are too few data for an answer. All predictors are of therapists, and 8 therapists are too few to compare (10 are needed)."
    )


def test_a_predictor_that_many_lack_is_named_and_analysed_alone(study: Study) -> None:
    clients = study.clients
    clients.loc[clients.index % 4 == 0, "attachment_anxiety"] = np.nan
    found = al.alliance_predictors(replace(study, _clients=clients), part=["early"])
    note = next(n for n in found.notes if n.code == "predictor_missing")
    assert note.message == (
        "attachment anxiety is not known for 25\u00a0% of the clients. They are left out of the models with all predictors, and may differ from "
        "the others. Compare with the rows in which it is filled in and with each predictor alone, or name fewer predictors."
    )
    step = next(s for s in found.flow.steps if s.step == "Clients whose attachment anxiety is known")
    assert step.clients_lost > 100
    n = found.estimates.set_index("id")["n"]
    assert n["early_attachment_avoidance_alone"] - n["early_attachment_avoidance"] > 100
    gone = clients.assign(attachment_anxiety=np.nan)
    found = al.alliance_predictors(replace(study, _clients=gone), part=["early"])
    assert next(n for n in found.notes if n.code == "predictor_unknown").message == (
        "These predictors are not known for any client in the analysis and are left out: attachment_anxiety."
    )


def test_what_cannot_be_asked_for(study: Study) -> None:
    some = trial(therapists=12, clients=120)
    questions: list[tuple[Study, dict[str, Any], str]] = [
        (some, {"predictors": ["adherence"]},
         "Parameter 'predictors': adherence is a covariate of sessions. Name covariates of clients or therapists."),
        (some, {"predictors": ["age"], "covariates": ["age"]},
         "Parameter 'predictors': age is already in 'covariates' or 'by'. Name it in one place only."),
        (some, {"predictors": ["agee"]},
         "Parameter 'predictors': the study has no covariate 'agee' of clients or therapists. It has: arm, age, education, experience."),
        (some, {"interactions": ["age"]},
         "Parameter 'interactions': 'age' is not a pair. Write two predictors, such as avoidance:experience."),
        (some, {"interactions": ["age:skil"]},
         "Parameter 'interactions': 'skil' in 'age:skil' is not among the predictors: arm, age, education, experience, severity."),
        (some, {"interactions": ["age:severity"]},
         "Parameter 'interactions': 'age:severity' needs one predictor of clients and one of therapists."),
        (some, {"interactions": ["education:experience"]},
         "Parameter 'interactions': education in 'education:experience' has more than two categories. Name a number, or a category of two "
         "values."),
        (some, {"attachment_anxiety": "arm"},
         "Parameter 'attachment_anxiety': 'arm' is not among the predictors of clients that are numbers: age, severity."),
    ]  # fmt: skip
    for asked, arguments, text in questions:
        with pytest.raises(al.StudyError) as error:
            al.alliance_predictors(asked, **arguments)
        assert str(error.value) == text
    with pytest.raises(al.StudyError, match="Parameter 'part'"):
        al.alliance_predictors(study, part=["late"])


def test_attachment_is_recognised_by_its_name() -> None:
    some = trial(therapists=12, clients=120)
    renamed = some.clients.rename(columns={"age": "anxiety"})
    alone = replace(some, covariates=("anxiety", "education"), _clients=renamed)
    assert not [s for s in al.alliance_predictors(alone, part=["early"]).answer if "published" in s]
    both = renamed.assign(avoidance=renamed["anxiety"].fillna(40) % 7)
    pair = replace(some, covariates=("anxiety", "avoidance"), _clients=both)
    found = al.alliance_predictors(pair, part=["early"])
    said = [s for s in found.answer if "published" in s]
    assert abs(value(found, "r_anxiety_alone") - value(found, "r_avoidance_alone")) > 0.02
    for sentence, name in zip(said, ("anxiety", "avoidance"), strict=True):
        before, after = sentence.replace("\N{MINUS SIGN}", "-").split(" is ", maxsplit=1)
        assert before == f"For {name} alone, the correlation with the alliance"
        assert float(after.split(" (")[0]) == pytest.approx(value(found, f"r_{name}_alone"), abs=0.005)
    named = al.alliance_predictors(alone, part=["early"], attachment_anxiety="anxiety", styles_midpoint=4)
    assert len([s for s in named.answer if "published" in s]) == 1
    assert next(n for n in named.notes if n.code == "no_styles").message == (
        "Attachment styles need both anxiety and avoidance among the predictors, and the early alliance or its level."
    )
    one = al.alliance_predictors(pair, part=["early"], styles_midpoint=1000)
    assert next(n for n in one.notes if n.code == "one_style").message == (
        "All clients have the same attachment style by this midpoint, so styles are not compared."
    )
    # A client whose anxiety is not known has no style, and that of one who is not analysed does not count.
    who = both["client"].iloc[20]
    both.loc[both["client"] == who, ["anxiety", "avoidance"]] = 1.0
    without = pair.sessions.assign(alliance=lambda d: d["alliance"].mask(d["client"] == who))
    two = al.alliance_predictors(
        replace(pair, _clients=both, _sessions=without), part=["early"], styles_midpoint=4
    )
    assert two.table("styles").to_frame()["label"].tolist() == [
        "Attachment style: fearful, compared with preoccupied, within therapists"
    ]


def test_too_few_data_give_a_report_that_says_so(study: Study) -> None:
    plain = simulated_study(1, ClinicTruth(therapists=10, clients=60), items=False)
    only = {k: m for k, m in plain.measures.items() if k == "alliance"}
    found = al.alliance_predictors(replace(plain, measures=only))
    assert found.answer[0] == (
        "There are too few data for an answer. The study has no predictor of the alliance: no covariates of clients or therapists and no "
        "symptoms at intake. Name columns under 'covariates' in the study file."
    )
    sessions = study.sessions
    flat = sessions.assign(alliance=sessions["alliance"].where(sessions["alliance"].isna(), 40.0))
    assert (
        al.alliance_predictors(with_sessions(study, flat))
        .answer[0]
        .endswith("All clients have the same mean WAI-SR, so nothing can predict it.")
    )
    few = sessions[sessions["client"].isin(sessions["client"].unique()[:15])]
    assert (
        "15 clients can be analysed; the analysis of predictors of the alliance needs at least 20."
        in (al.alliance_predictors(with_sessions(study, few)).answer[0])
    )
    once = sessions[sessions["session"].isin([0, 8])]
    found = al.alliance_predictors(with_sessions(study, once))
    assert found.answer[0].endswith("No part of the alliance that was asked for can be analysed.")
    once = sessions[sessions["session"].isin([0, 2])]
    found = al.alliance_predictors(with_sessions(study, once))
    assert next(n for n in found.notes if n.code == "no_course").message == (
        "Fewer than half of the clients have two or more ratings, so level and growth of the alliance are not analysed."
    )
    assert "growth_mean" not in set(found.estimates["id"])
    late = sessions[sessions["session"].eq(0) | sessions["session"].gt(5)]
    found = al.alliance_predictors(with_sessions(study, late), part=["early", "level"])
    assert next(n for n in found.notes if n.code == "no_early").message == (
        "Fewer than 20 clients have a rating in the early sessions, or all have the same one, so the early alliance is not analysed."
    )


def test_predictors_that_do_not_differ_or_repeat_each_other_are_named(study: Study) -> None:
    clients = study.clients
    clients["same"], clients["twice"] = 3.0, 2 * clients["attachment_anxiety"]
    some = replace(study, _clients=clients, covariates=("same", "attachment_anxiety", "twice"))
    found = al.alliance_predictors(some, part=["early"])
    assert next(n for n in found.notes if n.code == "constant_predictor").message == (
        "These do not differ between the people that they would compare, so they have no effect in the report: same, between therapists "
        "and same, within therapists."
    )
    assert "twice_within" in next(n for n in found.notes if n.code == "rank_deficient").message
    assert "early_twice" not in set(found.estimates["id"])
    # What comes after a predictor that was left out is there.
    assert {"early_severity", "early_severity_between", "r_severity"} <= set(found.estimates["id"])


def test_rare_categories_and_crowded_models_are_named() -> None:
    some = trial(therapists=12, clients=120)
    clients = some.clients
    k = np.arange(len(clients))
    clients["site"] = np.where(k % 20 == 0, "Aa", np.where(k % 2 == 0, "Bb", "Cc"))
    found = al.alliance_predictors(
        replace(some, _clients=clients, covariates=("site", "age")), part=["early"]
    )
    assert next(n for n in found.notes if n.code == "rare_category").message == (
        "Categories with fewer than 10 people are numbered and not named: in site. Their effects are imprecise."
    )
    assert not found.estimates["label"].str.contains("Aa").any()
    assert "early_site_category_1" in set(found.estimates["id"])
    assert next(n for n in found.notes if n.code == "many_therapist_predictors").message == (
        "The model has 6 effects that compare therapists, and 12 therapists. With fewer than 10 therapists per effect, do not rely on "
        "effects between therapists. Name fewer predictors."
    )
    nested = clients.assign(
        site=np.where(k % 20 == 0, "Aa", np.where(clients["therapist"] < "T05", "Bb", "Aa"))
    )
    nested.loc[clients["therapist"] == "T09", "site"] = "Cc"
    found = al.alliance_predictors(replace(some, _clients=nested, covariates=("site",)), part=["early"])
    assert next(n for n in found.notes if n.code == "constant_predictor").message.endswith(
        ": site, within therapists."
    )
    noise = np.random.default_rng(1).normal(size=(len(clients), 12))
    many = clients.assign(**{f"x{k}": noise[:, k] for k in range(12)})
    found = al.alliance_predictors(
        replace(some, _clients=many, covariates=tuple(f"x{k}" for k in range(12))),
        part=["early"],
        min_therapists=30,
    )
    assert next(n for n in found.notes if n.code == "many_predictors").message.startswith(
        "The model has 14 effects of clients and "
    )


def test_the_same_rater_of_severity_and_alliance_is_said(study: Study) -> None:
    found = al.alliance_predictors(study, part=["early"])
    assert "same_rater_severity" in {n.code for n in found.notes}
    without = al.alliance_predictors(study, predictors=["empathy"], part=["early"])
    assert "same_rater_severity" not in {n.code for n in without.notes}
    assert "Severity" not in dict(without.facts)


def test_the_shareable_report_counts_nobody_exactly(study: Study, result: AnalysisResult) -> None:
    shared = al.alliance_predictors(study, part=["early"], audience="shareable")
    n = shared.table("effects_early").to_frame()["n"]
    assert set(n) == {480, 40}  # 479 clients rounded; 40 therapists as they are
    assert [f.name for f in result.figure_specs[:3]] == ["predictors", "growth", "therapists"]
    bars = result.figure_specs[0].data
    assert bars.loc[bars["label"].str.startswith("Attachment avoidance"), "low"].tolist() == [-0.19, -0.19]


def test_errors_of_the_course_are_clustered_by_therapist(study: Study) -> None:
    """CR2 by therapist of the model of all ratings, on rows made by hand for one predictor."""
    found = al.alliance_predictors(study, predictors=["attachment_avoidance"], part=["level", "growth"])
    rated = study.sessions[study.sessions["session"].ge(1) & study.sessions["alliance"].notna()]
    people = rated.drop_duplicates("client")[["client", "therapist"]].reset_index(drop=True)
    z = (
        study.clients.set_index("client")["attachment_avoidance"]
        .reindex(people["client"])
        .reset_index(drop=True)
    )
    z = z / z.std()
    means = z.groupby(people["therapist"]).transform("mean")
    people = people.assign(w=z - means, b=means - z.mean())
    rows = rated.assign(weeks=rated["week"] - rated["week"].mean()).merge(
        people[["client", "w", "b"]], on="client"
    )
    formula = str(found.models["course"].formula).partition(" + (")[2]
    model = al.MixedModel.from_formula(f"alliance ~ weeks * (w + b) + ({formula}", rows)
    fit = model.fit(cov_type="CR2", cov_groups="therapist")
    sd = rated.groupby("client")["alliance"].mean().std()
    for name, term, by in (("level", "w", 1.0), ("growth", "weeks:w", 10.0)):
        identity = f"{name}_attachment_avoidance_within"
        assert value(found, identity) == pytest.approx(by * fit.params[term] / sd, rel=1e-5)
        assert value(found, identity, "se") == pytest.approx(by * fit.bse[term] / sd, rel=1e-4)
        assert value(found, identity, "df") == pytest.approx(fit.df[term], rel=1e-3)


def differing_effects(therapists: int) -> Study:
    """Therapists differ strongly in the effect of x."""
    rng = np.random.default_rng(3)
    some = simulated_study(2, ClinicTruth(therapists=therapists, clients=20 * therapists), items=False)
    clients, sessions = some.clients, some.sessions
    clients["x"] = rng.normal(size=len(clients))
    slope = dict(zip(sorted(clients["therapist"].unique()), rng.normal(0.8, 4, therapists), strict=True))
    shift = clients["x"] * clients["therapist"].map(slope)
    sessions["alliance"] += sessions["client"].map(dict(zip(clients["client"], shift, strict=True)))
    return replace(with_sessions(some, sessions), _clients=clients, covariates=("x",))


def test_effects_that_differ_between_therapists_are_not_clear_by_the_number_of_clients() -> None:
    """The interval of an effect that is the same for all would be too narrow."""
    found = al.alliance_predictors(differing_effects(20), predictors=["x"], part=["early"])
    assert value(found, "early_x_same", "p") < 0.05 < value(found, "early_x", "p")
    assert value(found, "early_x_same") == pytest.approx(value(found, "early_x"))
    assert value(found, "early_x", "df") < 20
    assert "same" in {t.name for t in found.tables}
    assert next(n for n in found.notes if n.code == "robust_errors_differ").message == (
        "Whether these effects are clear depends on whether they may differ between therapists (as in the main results) or are taken "
        "to be the same for all: X, within therapists."
    )
    assert "cluster-robust standard errors (CR2" in found.methods


def test_few_therapists_have_robust_errors_with_few_degrees_of_freedom() -> None:
    found = al.alliance_predictors(differing_effects(8), predictors=["x"], part=["early"])
    assert value(found, "early_x", "df") < 8 < 100 < value(found, "early_x_same", "df")
    assert not any(n.code == "effects_taken_as_equal" for n in found.notes)
    assert "CR2" in found.methods


def test_errors_by_therapist_that_cannot_be_computed_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise FitError("no CR2")

    monkeypatch.setattr(WITH_ROBUST_ERRORS, none)
    found = al.alliance_predictors(differing_effects(12), predictors=["x"], part=["early"])
    assert next(n for n in found.notes if n.code == "effects_taken_as_equal").message == (
        "Errors by therapist could not be computed, so the effects of clients' predictors are taken to be the same for all therapists. If "
        "they differ, the true uncertainty is larger than the intervals say."
    )


def test_r_gives_the_same_effects_and_interaction(study: Study) -> None:
    """lmerTest and pbkrtest on `early_rows` (w, b: parts of z-scored avoidance; x: experience over therapists).

    ``lmer(early ~ w + b + x + (1 | therapist))``, Satterthwaite; and
    ``lmer(early ~ w + b + x + w:x + (1 | therapist) + (0 + w | therapist))``, Kenward-Roger.
    """
    found = al.alliance_predictors(
        study,
        predictors=["attachment_avoidance", "experience"],
        interactions=["attachment_avoidance:experience"],
        part=["early"],
    )
    for name, estimate, se, df in (
        ("early_attachment_avoidance_same", -0.21333066, 0.04093654, 435.9316),
        ("early_experience", -0.04511038, 0.08998646, 34.3463),
        ("early_attachment_avoidance_by_experience", -0.14295472, 0.04225317, 32.159696),
    ):
        assert value(found, name) == pytest.approx(estimate, rel=1e-4)
        assert value(found, name, "se") == pytest.approx(se, rel=1e-4)
        assert value(found, name, "df") == pytest.approx(df, rel=1e-3)


def test_a_predictor_that_many_lack_is_filled_in_by_imputation(study: Study) -> None:
    """Missing for more clients with a low alliance: the pooled fits are those of methods.impute on rows made by hand."""
    rows = early_rows(study)
    low = study.clients["client"].map(rows.set_index("client")["early"]).lt(43).to_numpy()
    chance = np.random.default_rng(5).random(len(low))
    clients = study.clients
    clients.loc[chance < 0.15 + 0.4 * low, "attachment_avoidance"] = np.nan
    some = replace(study, _clients=clients)
    found = al.alliance_predictors(
        some, predictors=["attachment_avoidance", "attachment_anxiety"], part=["early"]
    )
    again = al.alliance_predictors(
        some, predictors=["attachment_anxiety", "attachment_avoidance"], part=["early"]
    )
    name = "early_attachment_avoidance"
    # The same seed fills in the same values, whichever predictor is named first.
    assert value(found, f"{name}_imputed") == pytest.approx(value(again, f"{name}_imputed"), rel=1e-6)
    n = found.estimates.set_index("id")["n"]
    assert n[f"{name}_imputed"] == len(early_rows(some).dropna(subset=["attachment_anxiety"])) > n[name]
    full = al.alliance_predictors(
        study, predictors=["attachment_avoidance", "attachment_anxiety"], part=["early"]
    )
    assert abs(value(found, f"{name}_imputed") - value(full, name)) < 2 * value(
        found, f"{name}_imputed", "se"
    )

    rows = early_rows(some)
    anxiety = (
        rows["attachment_anxiety"] / rows.dropna(subset=["attachment_avoidance"])["attachment_anxiety"].std()
    )
    of = rows["therapist"]
    rows["aw"], rows["ab"] = (
        anxiety - anxiety.groupby(of).transform("mean"),
        anxiety.groupby(of).transform("mean"),
    )
    rows["ab"] -= anxiety.mean()
    y = rows["early"] - rows["early"].mean()
    rows["ym"] = y.groupby(of).transform("mean")
    rows["yo"] = y - rows["ym"]
    model = al.MixedModel.from_formula("attachment_avoidance ~ yo + ym + aw + ab + (1 | therapist)", rows)
    copies = al.methods.impute(model, rows, m=20, seed=20_260_101)
    sd = np.mean([c["attachment_avoidance"].std() for c in copies])
    fits = []
    for copy in copies:
        z = copy["attachment_avoidance"] / sd
        own = copy.assign(w=z - z.groupby(of).transform("mean"), b=z.groupby(of).transform("mean"))
        fits.append(al.MixedModel.from_formula("early ~ w + b + aw + ab + (1 | therapist)", own).fit())
    pooled = al.pool(fits)
    assert value(found, f"{name}_imputed") == pytest.approx(
        pooled.params["w"] / rows["early"].std(), rel=1e-4
    )
    assert value(found, f"{name}_imputed", "se") == pytest.approx(
        pooled.bse["w"] / rows["early"].std(), rel=1e-4
    )


def test_the_answer_begins_with_what_is_clear(study: Study, result: AnalysisResult) -> None:
    rows = pd.concat([result.table(f"effects_{p}").to_frame() for p in ("early", "level", "growth")])
    joint = [value(result, f"{k}_attachment_avoidance_by_experience", "p") for k in ("early", "level")]
    q = rows["q"].tolist() + [1.0 if p > 0.05 else 0.0 for p in joint]
    clear = sum(x <= 0.05 for x in q)
    assert result.answer[0] == (
        f"Of {len(q)} effects on WAI-SR, {clear} are clear after correction for multiple tests (q at most 0.05); these are the clearest."
    )
    none = al.alliance_predictors(study, predictors=["personality_disorder"], part=["early"])
    assert (
        none.answer[0]
        == "Of 2 effects on WAI-SR, none is clear after correction for multiple tests (q at most 0.05)."
    )
