"""Covariates of every level are found, joined and coded once for all analyses, and groups are compared or kept."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import Study
from alliance_longitudinal.analyses.kit import Draft, Estimate, compared, difference
from alliance_longitudinal.errors import StudyError
from analyses.declared import trial
from analyses.studies import value, with_sessions
from inside.methods_basics import correlation_of_proportions, wilson


@pytest.fixture(scope="module")
def study() -> Study:
    return trial()


@pytest.fixture(scope="module")
def compared_arms(study: Study) -> al.AnalysisResult:
    return al.variance_partition(study, by="arm")


def draft_of(study: Study, *names: str) -> Draft:
    draft = Draft(study)
    draft.adjust(names)
    return draft


def test_rows_without_a_covariate_leave_in_a_counted_step(study: Study) -> None:
    draft = draft_of(study, "age", "education")
    step = draft.flow.steps[-1]
    assert (step.step, step.reason, step.clients_lost) == (
        "Clients whose age is known",
        "age is not known",
        5,
    )
    assert draft.sessions["client"].nunique() == study.clients["age"].notna().sum()
    assert step.rows_lost == study.sessions["client"].isin(study.clients["client"][:5]).sum()


def test_numbers_are_centred_and_categories_are_compared_with_the_first(study: Study) -> None:
    draft = draft_of(study, "age", "education", "experience", "adherence")
    rows, terms = draft.adjusters(draft.sessions[["client", "therapist", "session"]])
    assert terms == [
        "cov_age",
        "cov_education_middle",
        "cov_education_high",
        "cov_experience",
        "cov_adherence",
    ]
    of = study.clients.set_index("client")
    age = of["age"].reindex(rows["client"]).to_numpy()
    np.testing.assert_allclose(rows["cov_age"], age - of["age"].mean(), rtol=1e-12)
    middle = of["education"].reindex(rows["client"]).eq("middle").to_numpy(float)
    np.testing.assert_array_equal(rows["cov_education_middle"], middle)
    years = study.therapists.set_index("therapist")["experience"].reindex(rows["therapist"]).to_numpy()
    np.testing.assert_allclose(np.diff(rows["cov_experience"]), np.diff(years), atol=1e-12)
    adherence = draft.sessions["adherence"].to_numpy()
    np.testing.assert_allclose(rows["cov_adherence"], adherence - adherence.mean(), atol=1e-12)
    assert draft.covariates[1].words == "education (compared with low)"
    assert draft.covariates[1].labels["cov_education_high"] == "education: high, compared with low"


def test_one_row_per_client_or_therapist_gets_means(study: Study) -> None:
    draft = draft_of(study, "age", "adherence")
    clients, _ = draft.adjusters(draft.sessions[["client", "therapist"]].drop_duplicates("client"))
    mean = draft.sessions.groupby("client")["adherence"].mean() - draft.sessions["adherence"].mean()
    np.testing.assert_allclose(clients.set_index("client")["cov_adherence"], mean, atol=1e-12)
    therapists, _ = draft.adjusters(draft.sessions[["therapist"]].drop_duplicates())
    of = study.clients.dropna(subset="age")
    ages = of.groupby("therapist")["age"].mean() - of["age"].mean()
    np.testing.assert_allclose(therapists.set_index("therapist")["cov_age"].sort_index(), ages, atol=1e-12)


def test_the_index_and_order_of_the_rows_stay(study: Study) -> None:
    rows = study.sessions.sample(frac=0.3, random_state=0)[["client", "therapist", "session"]]
    draft = draft_of(study, "education", "adherence")
    out, _ = draft.adjusters(rows)
    pd.testing.assert_frame_equal(out[rows.columns.tolist()], rows)
    own = study.sessions.loc[rows.index, "adherence"]
    np.testing.assert_allclose(out["cov_adherence"], own - study.sessions["adherence"].mean(), atol=1e-12)


def test_categories_that_make_the_same_name_keep_their_own_columns(study: Study) -> None:
    clients = study.clients
    clients["education"] = np.resize(["a b", "a-b", "a.b", "ü"], len(clients))
    draft = draft_of(replace(study, _clients=clients), "education")
    assert draft.covariates[0].columns == (
        "cov_education_a_b",
        "cov_education_a_b_2",
        "cov_education_category_3",
    )


def test_a_covariate_that_is_the_same_for_all_is_left_out_and_named(study: Study) -> None:
    clients = study.clients.assign(education="low")
    result = al.variance_partition(
        replace(study, _clients=clients), measures="phq9", covariates=["education"]
    )
    found = [f.message for f in result.notes if f.code == "constant_covariate"]
    assert found == ["education has the same value in all analysed data, so the models do not adjust for it."]


def test_many_missing_values_are_a_caution(study: Study) -> None:
    clients = study.clients
    clients.loc[clients.index[:80], "age"] = np.nan
    result = al.variance_partition(replace(study, _clients=clients), measures="phq9", covariates=["age"])
    (found,) = [f for f in result.notes if f.code == "covariates_missing"]
    assert found.severity == "caution"
    assert found.message.startswith("80 of 240 clients are left out because a covariate (age) is not known.")


def test_adjusted_shares_are_those_of_the_model_with_the_covariates(study: Study) -> None:
    """Against the engine on columns made by hand."""
    result = al.variance_partition(study, measures="phq9", covariates=["age", "education", "experience"])
    frame = study.sessions.dropna(subset="phq9").merge(
        study.clients.drop(columns=["therapist", "arm"]), on="client"
    )
    frame = frame.merge(study.therapists, on="therapist").dropna(subset="age")
    frame["education"] = frame["education"].astype(str)
    formula = "phq9 ~ week + age + education + experience + (1 | therapist/client)"
    fit = al.MixedModel.from_formula(formula, frame).fit()
    variance = fit.varcorr.set_index("group")["vcov"]
    ours = [value(result, f"level_phq9_{k}") for k in ("therapist", "client", "session")]
    theirs = variance[["therapist", "client:therapist", "Residual"]] / variance.sum()
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    assert ("Adjusted for", "age, education, experience") in result.facts
    assert "adjust for age, education (compared with low) and experience" in result.methods


def test_one_arm_alone_is_the_study_of_its_clients(study: Study) -> None:
    alone = al.variance_partition(study, by="arm=CBT")
    sessions = study.sessions
    subset = al.variance_partition(with_sessions(study, sessions[sessions["arm"] == "CBT"]))
    pd.testing.assert_frame_equal(alone.estimates, subset.estimates)
    step = alone.flow.steps[1]
    assert (step.step, step.reason) == ("Clients with arm CBT", "another arm, or not known")
    assert step.clients_out == (study.clients["arm"] == "CBT").sum()
    assert ("Only", "arm CBT") in alone.facts


def test_groups_are_those_of_their_clients_alone(study: Study, compared_arms: al.AnalysisResult) -> None:
    for arm in ("CBT", "IPT"):
        alone = al.variance_partition(study, by=f"arm={arm}")
        for name in ("level_alliance_therapist", "change_phq9_therapist"):
            for column in ("estimate", "ci_low", "ci_high"):
                assert value(compared_arms, f"{name}_{arm}", column) == pytest.approx(
                    value(alone, name, column)
                )
    less = value(compared_arms, "level_alliance_therapist_IPT_difference")
    both = [value(compared_arms, f"level_alliance_therapist_{arm}") for arm in ("IPT", "CBT")]
    assert less == pytest.approx(both[0] - both[1])
    table = compared_arms.table("by_group")
    assert table.title == "By arm"
    assert "WAI-SR level: share between therapists; IPT less CBT" in table.to_frame()["label"].tolist()


def test_the_whole_is_not_changed_by_a_comparison(study: Study, compared_arms: al.AnalysisResult) -> None:
    whole = al.variance_partition(study).estimates
    pd.testing.assert_frame_equal(compared_arms.estimates.iloc[: len(whole)], whole)


def test_clients_of_unknown_group_leave_in_a_counted_step(study: Study) -> None:
    clients = study.clients
    clients.loc[clients.index[:7], "arm"] = None
    result = al.variance_partition(replace(study, _clients=clients), measures="phq9", by="arm")
    step = result.flow.steps[1]
    assert (step.step, step.reason, step.clients_lost) == (
        "Clients whose arm is known",
        "arm is not known",
        7,
    )


def test_one_group_is_nothing_to_compare(study: Study) -> None:
    result = al.variance_partition(
        replace(study, _clients=study.clients.assign(arm="CBT")), measures="phq9", by="arm"
    )
    assert [f.message for f in result.notes if f.code == "one_group"] == [
        "Fewer than two groups of arm have enough clients, so there is nothing to compare."
    ]
    assert "by_group" not in [t.name for t in result.tables]


def test_a_small_group_has_no_estimate_of_its_own(study: Study) -> None:
    clients = study.clients
    clients.loc[clients.index[:12], "arm"] = "waiting"
    result = al.variance_partition(replace(study, _clients=clients), measures="phq9", by="arm")
    assert [f.message for f in result.notes if f.code == "small_group"] == [
        "arm waiting has fewer than 20 clients in this analysis, so the report does not compare this group."
    ]
    assert not result.estimates["id"].str.endswith("_waiting").any()


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (
            {"covariates": "agee"},
            "Parameter 'covariates': the study has no covariate 'agee'. Did you mean 'age'? It has: arm, age, education, "
            "experience, adherence.",
        ),
        (
            {"by": "armm"},
            "Parameter 'by': the study has no category of clients 'armm'. Did you mean 'arm'? It has: arm, education.",
        ),
        (
            {"by": "age"},
            "Parameter 'by': age is a number, and groups need a category. Choose one of: arm, education. To make a number a "
            "category, give 'reference' or 'order' in the study file.",
        ),
        (
            {"by": "arm=CTB"},
            "Parameter 'by': no client has arm 'CTB'. Did you mean 'CBT'? There are: CBT, IPT.",
        ),
        ({"by": "experience"}, "Parameter 'by': the study has no category of clients 'experience'."),
    ],
)
def test_a_wrong_name_is_refused_with_what_there_is(study: Study, asked: dict[str, str], text: str) -> None:
    with pytest.raises(StudyError) as error:
        al.variance_partition(study, **asked)  # type: ignore[arg-type]
    assert text in str(error.value)


def test_a_study_without_covariates_says_where_to_name_them(study: Study) -> None:
    bare = replace(
        study,
        covariates=(),
        therapist_covariates=(),
        session_covariates=(),
        _clients=study.clients.drop(columns="arm"),
    )
    with pytest.raises(
        StudyError, match=r"names no covariate, so there is no 'age'\. Name columns under 'covariates'"
    ):
        al.variance_partition(bare, covariates="age")
    numbers = replace(study, covariates=("age",), _clients=study.clients.drop(columns="arm"))
    with pytest.raises(StudyError, match=r"age is a number, .* The study file names no category\."):
        al.variance_partition(numbers, by="age")


def test_the_difference_of_two_proportions_is_newcombes() -> None:
    """Newcombe (1998), Statistics in Medicine 17, 873-890, table II: 56/70 and 48/80 by method 10."""
    pair = [
        Estimate(
            "x",
            "x",
            hits / n,
            ci_low=wilson(hits / n, n)[0],
            ci_high=wilson(hits / n, n)[1],
            n=n,
            unit="share of clients",
        )
        for hits, n in ((56, 70), (48, 80))
    ]
    found = difference(pair[0], pair[1], "d", "d")
    np.testing.assert_allclose(
        [found.estimate, found.ci_low, found.ci_high], [0.2, 0.0524, 0.3339], atol=5e-5
    )
    assert (found.n, found.unit) == (70, "difference of shares")


def test_a_correlation_narrows_the_interval_of_a_difference() -> None:
    """Two symmetric intervals: the variance of a difference is the sum less twice the covariance."""
    one = Estimate("a", "a", 3.0, ci_low=1.0, ci_high=5.0, n=20, unit="points")
    other = Estimate("b", "b", 1.0, ci_low=-0.5, ci_high=2.5, n=30, unit="points")
    found = difference(one, other, "d", "d", correlation=0.6)
    half = np.sqrt(2.0**2 + 1.5**2 - 2 * 0.6 * 2.0 * 1.5)
    np.testing.assert_allclose([found.ci_low, found.ci_high], [2 - half, 2 + half], rtol=1e-12)
    assert (found.n, found.unit) == (20, "points")


def test_estimates_that_only_one_group_has_get_no_difference() -> None:
    one = Estimate("a", "a", 3.0, ci_low=1.0, ci_high=5.0)
    found = compared({"usual care": [one], "CBT, group": [one, replace(one, id="b", label="b")]}, "arm")
    assert [e.id for e in found] == ["a_usual_care", "a_CBT_group", "a_CBT_group_difference", "b_CBT_group"]
    assert [e.label for e in found][:3] == [
        "a; arm usual care",
        "a; arm CBT, group",
        "a; CBT, group less usual care",
    ]


@pytest.mark.parametrize(
    ("text", "names"), [("age, arm", ("age", "arm")), ("", None), ("none", None), ("[age]", ("age",))]
)
def test_text_of_the_command_line_becomes_names(text: str, names: tuple[str, ...] | None) -> None:
    from inside.analyses_registry import REGISTRY

    params = REGISTRY["variance_partition"].params.from_mapping({"covariates": text})
    assert params.covariates == names  # type: ignore[attr-defined]
    assert params.from_mapping(params.to_dict()) == params


def test_reliability_by_group_is_that_of_each_group_alone() -> None:
    study = al.load_study("demo", forms=True)
    compared = al.measurement(study, by="Sex", sessions=(1,))
    for sex in ("f", "m"):
        alone = al.measurement(study, by=f"Sex={sex}", sessions=(1,))
        for name in ("alpha_session_1", "change_Rcn"):
            assert value(compared, f"{name}_{sex}") == pytest.approx(value(alone, name), rel=1e-6)
    assert compared.table("by_group").title == "By Sex"


def test_totals_alone_are_compared_by_their_means(study: Study) -> None:
    result = al.measurement(study, measure="phq9", by="arm")
    first = study.sessions.dropna(subset="phq9").groupby("client")[["arm", "phq9"]].first()
    means = first.groupby("arm")["phq9"].mean()
    for arm in ("CBT", "IPT"):
        assert value(result, f"first_mean_{arm}") == pytest.approx(means[arm])
    assert value(result, "first_mean_IPT_difference") == pytest.approx(means["IPT"] - means["CBT"])


@pytest.mark.parametrize("name", ["reliable_change", "sudden_gains"])
def test_shares_by_group_are_those_of_its_clients_by_the_same_rules(study: Study, name: str) -> None:
    """Points do not depend on the sample, so the clients of one arm alone are classified alike."""
    asked = {"method": "points"} if name == "reliable_change" else {"points": 5.0, "simulations": 0}
    run = getattr(al, name)
    compared = run(study, by="arm", **asked)
    main = "points_improved" if name == "reliable_change" else "gain_clients"
    for arm in ("CBT", "IPT"):
        alone = run(study, by=f"arm={arm}", **asked)
        for column in ("estimate", "ci_low", "ci_high", "n"):
            assert value(compared, f"{main}_{arm}", column) == pytest.approx(value(alone, main, column))
    table = compared.table("by_group").to_frame()
    assert table["label"].str.contains("IPT less CBT").sum() >= 2
    assert "allowing for therapists with clients in both" in compared.table("by_group").note


def test_the_correlation_of_two_groups_is_that_of_the_cr2_covariance() -> None:
    """Against the matrices written out: dummies of two groups, adjustment (I - H)^(-1/2) by cluster."""
    rng = np.random.default_rng(2)
    clusters, group = rng.integers(0, 7, 60), rng.integers(0, 2, 60)
    y = rng.random(60) < 0.2 + 0.1 * clusters / 2
    x = np.column_stack([group == 0, group == 1]).astype(float)
    bread = np.linalg.inv(x.T @ x)
    residuals = y - x @ (bread @ x.T @ y)
    meat = np.zeros((2, 2))
    for g in range(7):
        own = clusters == g
        values, vectors = np.linalg.eigh(np.eye(own.sum()) - x[own] @ bread @ x[own].T)
        root = vectors @ np.diag(values**-0.5) @ vectors.T
        score = x[own].T @ root @ residuals[own]
        meat += np.outer(score, score)
    v = bread @ meat @ bread
    parts = [(y[group == k], clusters[group == k].astype(object)) for k in (0, 1)]
    assert correlation_of_proportions(*parts) == pytest.approx(
        v[0, 1] / np.sqrt(v[0, 0] * v[1, 1]), rel=1e-10
    )
    assert correlation_of_proportions((np.ones(5, bool), parts[0][1][:5]), parts[1]) == 0


def test_a_category_of_a_few_clients_has_no_name_for_outsiders(study: Study) -> None:
    clients = study.clients
    clients["education"] = np.where(
        clients.index < 4, "zebra keeper", np.where(clients.index < 120, "low", "high")
    )
    clients.loc[clients.index[:4], "arm"] = "zebra"
    own = replace(study, _clients=clients)
    asked = {"measures": "phq9", "covariates": "education", "by": "arm"}
    internal = al.variance_partition(own, **asked)  # type: ignore[arg-type]
    assert "education: zebra keeper" in internal.table("sample").to_frame()["what"].tolist()
    small = [f.message for f in internal.notes if f.code == "small_group"]
    assert small == [
        "arm zebra has fewer than 10 clients in this analysis, so the report does not compare this group."
    ]
    shared = al.variance_partition(own, **asked, audience="shareable")  # type: ignore[arg-type]
    assert "zebra" not in str(shared.to_dict()).lower()
    assert "zebra" not in " ".join(str(m) for m in shared.models.values()).lower()
    assert "education: another category" in shared.table("sample").to_frame()["what"].tolist()
    assert draft_of(own, "education").covariates[0].columns == (
        "cov_education_low",
        "cov_education_category_2",
    )


@pytest.fixture(scope="module")
def nested(study: Study) -> Study:
    """Clients of the IPT arm have no therapist."""
    sessions, clients = study.sessions, study.clients
    sessions.loc[sessions["arm"].eq("IPT"), "therapist"] = None
    clients.loc[clients["arm"].eq("IPT"), "therapist"] = None
    return replace(study, _sessions=sessions, _clients=clients)


@pytest.mark.parametrize("name", ["reliable_change", "sudden_gains"])
def test_an_arm_without_therapists_stays_in_and_is_compared(study: Study, nested: Study, name: str) -> None:
    asked = {"method": "points"} if name == "reliable_change" else {"points": 5.0, "simulations": 0}
    run = getattr(al, name)
    found, whole = run(nested, by="arm", **asked), run(study, by="arm", **asked)
    main = "points_improved" if name == "reliable_change" else "gain_clients"
    for arm in ("CBT", "IPT"):
        assert value(found, f"{main}_{arm}") == pytest.approx(value(whole, f"{main}_{arm}"))
    assert value(found, f"{main}_CBT", "ci_low") == pytest.approx(value(whole, f"{main}_CBT", "ci_low"))
    # Each client without a therapist counts alone: Wilson's interval of independent clients.
    n, p = value(found, f"{main}_IPT", "n"), value(found, f"{main}_IPT")
    assert value(found, f"{main}_IPT", "ci_low") == pytest.approx(wilson(p, n)[0], abs=0.004)
    (said,) = [f.message for f in found.notes if f.code == "some_without_therapist"]
    assert said.startswith(f"{(study.clients['arm'] == 'IPT').sum()} clients have no therapist.")
    assert ("Therapists", "16") in found.facts
    assert found.flow.steps[-1].therapists_out == 16


def test_one_study_has_one_sd_before_treatment(study: Study) -> None:
    """Reliable change and sudden gains compute points from the same SD of first scores, intake included."""
    change = al.reliable_change(study, method="JT", reliability=0.85)
    gains = al.sudden_gains(study, reliability=0.85, simulations=0)
    row = change.table("change_indices").to_frame().set_index("method").loc["JT"]
    assert gains.parameters["points"] == pytest.approx(row["points"], rel=1e-3)  # 1.96 and the exact quantile
    rated = study.sessions.dropna(subset="phq9")
    two = rated.groupby("client")["session"].transform("nunique") >= 2
    assert row["sd"] == pytest.approx(rated[two].groupby("client")["phq9"].first().std())
    assert "intake included, as for reliable change" in gains.methods
