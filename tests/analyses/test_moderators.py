"""Moderators of the early alliance: the truth of simulated clinics, the numbers built by hand, and what too few data give."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import Study
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.simulation import ClinicTruth
from analyses.studies import simulated_study, value, with_sessions

TRUTH = ClinicTruth(
    therapists=24, clients=480, within=-0.03, within_by_avoidance=-0.03, arm_share=0.5, within_by_arm=0.03
)


def clinic(seed: int, truth: ClinicTruth = TRUTH) -> Study:
    """A simulated study whose clients have their attachment avoidance and arm, and whose therapists their experience."""
    study = simulated_study(seed, truth, items=False)
    made = al.simulate_clinic(seed, truth, items=False)
    clients = study.clients.merge(
        made.clients[["client", "attachment_avoidance"]].rename(
            columns={"attachment_avoidance": "avoidance"}
        ),
        on="client",
    )
    clients["arm"] = np.where(clients.get("arm", pd.Series(0, clients.index)).astype(int).eq(1), "IPT", "CBT")
    clients["constant"] = 1.0
    return replace(
        study,
        covariates=("avoidance", "constant"),
        therapist_covariates=("experience",),
        _clients=clients,
        _therapists=made.therapists[["therapist", "experience"]],
    )


@pytest.fixture(scope="module")
def study() -> Study:
    return clinic(3)


@pytest.fixture(scope="module")
def small() -> Study:
    """12 therapists: the effect of the alliance is the same for all of them, so models are quick."""
    return clinic(5, replace(TRUTH, therapists=12, clients=240))


@pytest.fixture(autouse=True)
def _without_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving out each therapist takes longer than everything else; `result` has it."""
    monkeypatch.setattr(Draft, "checks", lambda *_, **__: None)


@pytest.fixture(scope="module")
def result(study):
    return al.moderators(study, moderators=["arm", "experience"], planned="avoidance")


def by_hand(study: Study) -> pd.DataFrame:
    """One row per client: the predictors and the change from intake, by a loop."""
    out = []
    for client, own in study.sessions.groupby("client"):
        own = own.sort_values("session")
        until, after = own[own["session"] <= 5], own[(own["session"] > 5) & own["phq9"].notna()]
        rated = own.loc[own["session"].between(1, 5), "alliance"].dropna()
        scores = until["phq9"].dropna()
        if own["session"].max() < 5 or not len(rated) or len(scores) < 2 or not len(after):
            continue
        out.append(
            {
                "client": client,
                "therapist": own["therapist"].iloc[0],
                "a": rated.mean(),
                "intake": scores.iloc[0],
                "early": scores.iloc[-1] - scores.iloc[0],
                "change": after["phq9"].iloc[-1] - scores.iloc[0],
            }
        )
    rows = pd.DataFrame(out).merge(study.clients[["client", "avoidance", "arm"]], on="client")
    for column in ("a", "intake", "early", "avoidance"):
        mean = rows.groupby("therapist")[column].transform("mean")
        rows[f"{column}_w"], rows[f"{column}_b"] = rows[column] - mean, mean - rows[column].mean()
    return rows


def test_the_truth_is_found_again(result):
    """Floors and whole points draw the truth in by a few percent; three standard errors hold it."""
    for name, truth in (("mod_avoidance_within", -0.03), ("mod_arm_within", 0.03)):
        assert abs(value(result, name) - truth) < 3 * value(result, name, "se"), name
        assert value(result, name, "p") < 0.05
    assert abs(value(result, "mod_experience_within")) < 3 * value(result, "mod_experience_within", "se")
    # In half of the clients the arm adds .03, and the other moderator is average.
    assert abs(value(result, "slope_at_50") + 0.015) < 3.5 * value(result, "slope_at_50", "se")
    assert value(result, "slope_at_90") < value(result, "slope_at_50") < value(result, "slope_at_10")


def test_the_products_are_those_of_a_model_made_by_hand(study, result):
    rows = by_hand(study)
    rhs = "(a_w + a_b) * (avoidance_w + avoidance_b) + intake_w + intake_b + early_w + early_b"
    plain = al.MixedModel.from_formula(
        f"change ~ {rhs} + (1 | therapist) + (0 + a_w | therapist)", rows
    ).fit()
    assert value(result, "mod_avoidance_within_end") == pytest.approx(
        plain.params["a_w:avoidance_w"], rel=1e-5
    )
    assert value(result, "mod_avoidance_within_end", "se") == pytest.approx(
        plain.bse["a_w:avoidance_w"], rel=1e-4
    )
    assert value(result, "mod_avoidance_within_therapist_end") == pytest.approx(
        plain.params["a_w:avoidance_b"], rel=1e-4
    )
    rows["ipt"] = rows["arm"].eq("IPT").astype(float)
    share = rows.groupby("therapist")["ipt"].transform("mean")
    rows["ipt_b"] = share - rows["ipt"].mean()
    rhs = "(a_w + a_b) * ipt + intake_w + intake_b + early_w + early_b + ipt_b"
    arm = al.MixedModel.from_formula(f"change ~ {rhs} + (1 | therapist) + (0 + a_w | therapist)", rows).fit()
    assert value(result, "mod_arm_within_end") == pytest.approx(arm.params["a_w:ipt"], rel=1e-5)


def test_effects_at_values_are_contrasts_of_the_model(study, result):
    model = result.models["course_avoidance"]
    values = by_hand(study)["avoidance"]
    for q in (10, 50, 90):
        at = np.quantile(values, q / 100) - values.mean()
        b = model.params["weeks:early_client"] + at * model.params["weeks:early_client:moderator_client"]
        assert value(result, f"slope_at_{q}") == pytest.approx(b)
    arm = result.models["course_arm"].params
    assert value(result, "slope_at_CBT_arm") == pytest.approx(arm["weeks:early_client"])
    assert value(result, "slope_at_IPT_arm") == pytest.approx(
        arm["weeks:early_client"] + arm["weeks:early_client:is_IPT"]
    )


def test_limits_of_significance_by_brute_force(study, result):
    """A fine grid over the data, each value with the degrees of freedom of its own contrast."""
    model = result.models["course_avoidance"]
    raw = by_hand(study)["avoidance"]
    grid = np.linspace(raw.min(), raw.max(), 4001)
    names = list(model.params.index)
    weights = np.zeros((len(grid), len(names)))
    weights[:, names.index("weeks:early_client")] = 1.0
    weights[:, names.index("weeks:early_client:moderator_client")] = grid - raw.mean()
    clear = model.contrast(weights)["p"].to_numpy() < 0.05
    changes = np.flatnonzero(clear[1:] != clear[:-1])
    assert len(changes) == 2
    step = grid[1] - grid[0]
    low, high = value(result, "jn_low"), value(result, "jn_high")
    assert (low, high) == (
        pytest.approx(grid[changes[0]], abs=2 * step),
        pytest.approx(grid[changes[1]], abs=2 * step),
    )
    assert value(result, "jn_where") == 1
    table = result.table("johnson_neyman").to_frame().iloc[0]
    inside = int(((raw <= low) | (raw >= high)).sum())
    assert table["inside"] == inside
    assert table["share"] == pytest.approx(inside / len(raw))
    assert table["flag"] == "beyond the limits"
    assert table["where"].startswith("for values of avoidance below ")
    assert f"which is where {100 * inside / len(raw):.0f}\u00a0% of the clients are." in result.answer[-1]
    # The false discovery rate asks for at least as much at each of 81 values.
    line = np.linspace(raw.min(), raw.max(), 81)
    weights = np.zeros((81, len(names)))
    weights[:, names.index("weeks:early_client")] = 1.0
    weights[:, names.index("weeks:early_client:moderator_client")] = line - raw.mean()
    p = model.contrast(weights)["p"].to_numpy()
    ranked = np.sort(p)
    least = ranked[ranked <= 0.05 * np.arange(1, 82) / 81].max()
    found = line[p <= least]
    cuts = np.flatnonzero(np.diff(np.flatnonzero(p <= least)) > 1)
    ends = np.sort(np.concatenate([[found.min(), found.max()], found[cuts], found[cuts + 1]]))
    shown = re.findall(r"-?\d+\.\d+", table["fdr"].replace("\u2212", "-"))
    assert [float(x) for x in shown] == pytest.approx(ends, abs=0.0051)


def test_the_planned_moderator_is_one_test_and_the_others_are_corrected(result):
    tests = result.table("tests").to_frame().set_index("label")
    assert tests.loc["avoidance", "planned"] == "yes"
    assert tests.loc["avoidance", "q"] == tests.loc["avoidance", "p"]
    p = tests.loc[["arm", "experience"], "p"].sort_values()
    assert tests.loc[p.index[0], "q"] == pytest.approx(min(2 * p.iloc[0], p.iloc[1]))
    assert tests.loc[p.index[1], "q"] == pytest.approx(p.iloc[1])
    assert dict(result.facts)["Planned moderator"] == "avoidance"
    assert "moderators_searched" not in {n.code for n in result.notes}
    assert "because it was planned." in result.answer[0]
    assert "clearly depends on avoidance" in result.answer[0]


def test_what_differs_between_therapists_has_their_degrees_of_freedom(result):
    """24 therapists, less one, less the moderator; less alliance, intake, change, the moderator and the product."""
    assert value(result, "mod_experience_within", "df") <= 22
    assert value(result, "mod_experience_between", "df") <= 18
    assert value(result, "mod_avoidance_within", "df") > 50
    assert result.estimates.set_index("id").loc["mod_experience_within", "level"] == "therapist"


def test_detectable_differences_have_the_power_that_is_said(result):
    for name in ("avoidance", "arm"):
        factor = value(result, f"mod_{name}_within_per_sd") / value(result, f"mod_{name}_within")
        least = value(result, f"mod_{name}_within_detectable") / abs(factor)
        se, df = value(result, f"mod_{name}_within", "se"), value(result, f"mod_{name}_within", "df")
        assert al.methods.power_effect(least, se, df) == pytest.approx(0.8, abs=1e-6)


def test_words_tables_and_figures(result):
    assert result.answer[1].startswith("Among clients of the same therapist, one standard deviation (")
    assert "more early alliance was related to this much more improvement over " in result.answer[1]
    assert result.answer[2].startswith("The effect of the alliance clearly differs by avoidance (p: ")
    assert [t.name for t in result.tables][1:7] == [
        "tests", "slopes", "differences", "johnson_neyman", "products", "other_outcome",
    ]  # fmt: skip
    assert [f.name for f in result.figure_specs][:2] == ["slope", "differences"]
    seen = result.figure_specs[0].data.query("kind == 'observed'")["n"].sum()
    assert seen == result.table("johnson_neyman").to_frame()["n"].iloc[0]


def test_equal_values_and_sessions_are_no_moderators(small):
    found = al.moderators(small, moderators=["constant", "avoidance"])
    note = next(n for n in found.notes if n.code == "moderator_constant")
    assert note.message == "constant is the same for all analysed clients, so it cannot moderate anything."
    assert "mod_constant_within" not in set(found.estimates["id"])
    nothing = al.moderators(small, moderators="constant")
    assert nothing.answer[0] == (
        "There are too few data for an answer. No moderator could be tested. The findings say why."
    )


def test_an_effect_that_is_clear_nowhere_is_said_so(small):
    sessions = small.sessions
    sessions["alliance"] = np.random.default_rng(1).normal(43, 6, len(sessions))
    found = al.moderators(with_sessions(small, sessions), moderators="avoidance")
    assert found.answer[-1] == (
        "The effect is not clearly different from zero at any value of avoidance in the data."
    )
    assert found.answer[-2].startswith(
        "Four of five studies of this size would find it if the effect differed between clients who are one standard deviation of "
        "avoidance apart by at least "
    )
    labels = found.estimates.set_index("id")["label"]
    assert labels["mod_avoidance_within"] == "avoidance: alliance within therapists, by the client"


def test_searching_among_all_is_said(small):
    found = al.moderators(small)
    assert found.parameters["moderators"] == ["arm", "avoidance", "constant", "experience", "intake"]
    note = next(n for n in found.notes if n.code == "moderators_searched")
    assert note.message.startswith("No moderator was named as planned, so the report searches among 4.")
    assert "because it has the smallest p value." in found.answer[0]
    assert {"intake_and_range", "few_therapists"} <= {n.code for n in found.notes}
    # 12 therapists are too few for effects of their own: errors are robust (CR2), and those of the model are beside.
    course, term = found.models["course_avoidance"], "weeks:early_client:moderator_client"
    robust = course.with_errors("CR2", "therapist")
    for identity, errors in (("mod_avoidance_within", robust), ("mod_avoidance_within_same", course)):
        assert value(found, identity, "se") == pytest.approx(errors.bse[term], rel=1e-6)
    assert (
        value(found, "mod_avoidance_within", "df") < 12 < 30 < value(found, "mod_avoidance_within_same", "df")
    )
    (shown,) = (t.to_frame() for t in found.tables if t.name.startswith("coefficients_"))
    assert (shown["robust_df"] < 12).all()
    assert (
        value(found, "mod_experience_within", "df") < 10 == value(found, "mod_experience_within_same", "df")
    )
    assert value(found, "slope_at_50", "df") < 12
    assert "same" in {t.name for t in found.tables}


def test_a_moderator_of_few_therapists_has_robust_errors(small):
    """CR2 of a direct model of the change from intake, and its effect at a value."""
    found = al.moderators(small, moderators="experience")
    rows = by_hand(small).merge(small.therapists[["therapist", "experience"]], on="therapist")
    rows["x"] = rows["experience"] - rows["experience"].mean()
    rhs = "(a_w + a_b) * x + intake_w + intake_b + early_w + early_b"
    model = al.MixedModel.from_formula(f"change ~ {rhs} + (1 | therapist)", rows)
    robust = model.fit(cov_type="CR2", cov_groups="therapist")
    name = "mod_experience_within_end"
    assert value(found, name) == pytest.approx(robust.params["a_w:x"], rel=1e-4)
    assert value(found, name, "se") == pytest.approx(robust.bse["a_w:x"], rel=1e-3)
    assert value(found, name, "df") == pytest.approx(robust.df["a_w:x"], rel=1e-2)


def test_few_therapists_cannot_moderate():
    found = al.moderators(
        clinic(6, replace(TRUTH, therapists=8, clients=120)), moderators="experience,avoidance"
    )
    note = next(n for n in found.notes if n.code == "moderator_few_therapists")
    assert note.message == (
        "experience does not differ between clients of the same therapist, and fewer than 10 therapists have analysed "
        "clients. These are too few to test it."
    )


def test_several_categories_are_one_test_of_all(small):
    rng = np.random.default_rng(1)
    clients = small.clients
    clients["style"] = rng.choice(
        ["anxious", "avoidant", "secure", "rare"], len(clients), p=[0.3, 0.3, 0.37, 0.03]
    )
    clients.loc[clients.index[:60], "style"] = None
    found = al.moderators(replace(small, covariates=("style",), _clients=clients), moderators="style")
    model = found.models["course_style"]
    names = list(model.params.index)
    rows = np.eye(len(names))[[names.index(f"weeks:early_client:is_{s}") for s in ("avoidant", "secure")]]
    test = model.with_errors("CR2", "therapist").f_test(rows)
    shown = found.table("tests").to_frame().iloc[0]
    assert (shown["f"], shown["num"]) == (pytest.approx(test.statistic), 2)
    assert shown["p"] == pytest.approx(test.p, rel=1e-6)
    assert {
        "mod_style_within_avoidant",
        "mod_style_within_secure",
        "slope_at_anxious",
        "slope_at_secure",
    } <= set(found.estimates["id"])
    codes = {n.code: n.message for n in found.notes}
    assert codes["small_categories"].startswith(
        "Categories of style with fewer than 10 clients are left out ("
    )
    assert codes["moderator_missing"].startswith("style is not known for 2")
    assert dict(found.facts)["Planned moderator"] == "style"


def test_two_values_are_categories(small):
    clients = small.clients
    clients["disorder"] = np.random.default_rng(2).integers(0, 2, len(clients)).astype(float)
    found = al.moderators(replace(small, covariates=("disorder",), _clients=clients), moderators="disorder")
    assert {"slope_at_0", "slope_at_1", "mod_disorder_within"} <= set(found.estimates["id"])
    assert found.figure_specs[0].data["label"].tolist() == ["disorder: 0", "disorder: 1"]
    assert found.answer[-1].startswith(
        "Four of five studies of this size would find it if the effect differed between the two categories by at least "
    )


def test_arms_of_different_therapists_are_compared_with_a_caution(small):
    clients = small.clients
    own = sorted(clients["therapist"].unique())[:6]
    clients["arm"] = np.where(clients["therapist"].isin(own), "CBT", "IPT")
    some = clients.groupby("therapist").head(1).head(3)["client"]
    clients.loc[clients["client"].isin(some), "arm"] = "IPT"
    found = al.moderators(replace(small, _clients=clients), moderators="arm")
    note = next(n for n in found.notes if n.code == "categories_between_therapists")
    assert "(3 therapists)" in note.message
    single = small.sessions.assign(therapist="T1")
    plain = replace(with_sessions(small, single), _clients=small.clients.assign(therapist="T1"))
    codes = {n.code for n in al.moderators(plain, moderators="arm").notes}
    assert "categories_between_therapists" not in codes  # the one therapist has clients in both
    clients["arm"] = np.where(clients["therapist"].isin(own), "CBT", "IPT")
    apart = al.moderators(replace(small, _clients=clients), moderators="arm")
    assert value(apart, "mod_arm_within", "df") <= 10


def test_groups_are_compared_by_their_own_models(small):
    both = al.moderators(small, moderators="avoidance", by="arm")
    alone = al.moderators(small, moderators="avoidance", by="arm=IPT")
    assert value(both, "mod_avoidance_within_IPT") == pytest.approx(
        value(alone, "mod_avoidance_within"), rel=1e-4
    )
    assert value(both, "mod_avoidance_within_IPT_difference") == pytest.approx(
        value(both, "mod_avoidance_within_IPT") - value(both, "mod_avoidance_within_CBT")
    )
    assert "course_avoidance_CBT" in both.models


def test_a_covariate_that_is_also_the_moderator_enters_once(small):
    found = al.moderators(small, moderators="avoidance", covariates=["avoidance", "arm"])
    names = set(found.models["course_avoidance"].params.index)
    assert "weeks:cov_arm_IPT" in names
    assert not [n for n in names if "cov_avoidance" in n]


def test_without_therapists_the_effect_is_that_among_all_clients(small):
    sessions, clients = small.sessions.drop(columns="therapist"), small.clients.drop(columns="therapist")
    alone = replace(small, therapist_covariates=(), _sessions=sessions, _clients=clients, _therapists=None)
    found = al.moderators(alone, moderators="avoidance")
    assert found.answer[0].startswith("Among all clients, one standard deviation (")
    assert dict(found.facts)["Therapists"] == "not known"
    assert "weeks:early_total:moderator_total" in found.models["course_avoidance"].params.index
    assert value(found, "mod_avoidance_within", "p") < 0.05
    label = found.estimates.set_index("id").loc["mod_avoidance_within", "label"]
    assert label == "avoidance: alliance, total (not split)"


def test_without_later_courses_the_change_is_the_outcome(small):
    sessions = small.sessions
    last = sessions.groupby("client")["session"].transform("max").eq(sessions["session"])
    keep = sessions["session"].le(5) | last
    found = al.moderators(with_sessions(small, sessions[keep]), moderators="avoidance")
    assert "change_avoidance" in found.models
    assert "course_avoidance" not in found.models
    assert value(found, "mod_avoidance_within", "p") < 0.05
    assert "from intake to the last score" in found.answer[0]


def test_the_study_is_left_as_it_was(small):
    before = small.sessions.copy(), small.clients.copy()
    first, again = (al.moderators(small, moderators="avoidance") for _ in range(2))
    pd.testing.assert_frame_equal(small.sessions, before[0])
    pd.testing.assert_frame_equal(small.clients, before[1])
    pd.testing.assert_frame_equal(again.estimates, first.estimates)


def test_few_clients_and_equal_ratings_give_a_report_without_an_answer(small):
    few = al.moderators(clinic(7, replace(TRUTH, therapists=3, clients=30)))
    assert "the analysis of moderators needs at least 40." in few.answer[0]
    sessions = small.sessions
    sessions["alliance"] = sessions["alliance"].where(sessions["alliance"].isna(), 40.0)
    flat = al.moderators(with_sessions(small, sessions))
    assert flat.answer[0].endswith(
        "Early WAI-SR is the same for all analysed clients, so it cannot be related to anything."
    )
    clients = small.clients
    clients["avoidance"] = clients["avoidance"].where(clients.index < 35)
    rare = al.moderators(replace(small, _clients=clients), moderators="avoidance")
    note = next(n for n in rare.notes if n.code == "moderator_few_clients")
    assert note.message == (
        "Fewer than 40 clients with a known avoidance are in the analysis (without categories of fewer than 10), so the "
        "report does not test it."
    )


def test_wrong_requests_name_what_there_is(small):
    with pytest.raises(al.StudyError) as error:
        al.moderators(small, moderators="avoidence")
    assert str(error.value) == (
        "Parameter 'moderators': the study has no moderator 'avoidence'. Did you mean 'avoidance'? It has: arm, avoidance, "
        "constant, experience, intake."
    )
    with pytest.raises(al.StudyError, match="Parameter 'planned': the study has no moderator 'age'"):
        al.moderators(small, planned="age")
    mixed = replace(small, session_covariates=("adherence",), _sessions=small.sessions.assign(adherence=1.0))
    with pytest.raises(al.StudyError) as error:
        al.moderators(mixed, moderators="adherence")
    assert str(error.value).startswith("Parameter 'moderators': adherence is a covariate of sessions.")


@pytest.mark.parametrize("audience", ["internal", "shareable"])
def test_both_audiences(small, audience):
    found = al.moderators(small, moderators="avoidance", audience=audience)
    assert found.answer[0].startswith("Among clients of the same therapist")
    assert not any(f.single_people for f in found.figure_specs) or audience == "internal"
