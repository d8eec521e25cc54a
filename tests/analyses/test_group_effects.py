"""What clients share: partial nesting against models made by hand and REFRAMED, the rest of the group, several therapists."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import Study
from alliance_longitudinal.simulation import ClinicTruth
from analyses.studies import simulated_study, value, with_sessions

REFRAMED = Path(__file__).parents[1] / "fixtures" / "reframed" / "study.yaml"


def partial(seed: int, groups: int = 12, size: int = 5, alone: int = 50, group_sd: float = 0.25) -> Study:
    """Groups in arm B only: the weekly change is -.2, in B -.2 more, with a group's own share in it; arms differ in spread."""
    rng = np.random.default_rng(seed)
    base = simulated_study(1, ClinicTruth(therapists=4, clients=20), items=False)
    rows, n = [], groups * size + alone
    shared = rng.normal(0, group_sd, groups)
    for k in range(n):
        inside = k < groups * size
        slope = -0.2 + (-0.2 + shared[k // size] if inside else 0) + rng.normal(0, 0.1 if inside else 0.25)
        week = np.arange(9.0)
        y = 15 + rng.normal(0, 2 if inside else 3) + slope * week + rng.normal(0, 1 if inside else 1.6, 9)
        rows.append(
            pd.DataFrame(
                {
                    "client": f"c{k:03d}",
                    "therapist": f"t{k // size if inside else 0:02d}",
                    "group": f"g{k // size:02d}" if inside else None,
                    "session": np.arange(9),
                    "week": week,
                    "alliance": 40 + rng.normal(0, 4, 9),
                    "phq9": y,
                    "arm": "B" if inside else "A",
                }
            )
        )
    frame = pd.concat(rows, ignore_index=True)
    people = frame[["client", "therapist", "arm"]].drop_duplicates(ignore_index=True)
    return replace(base, _sessions=frame.drop(columns="arm"), _clients=people)


@pytest.fixture(scope="module")
def study() -> Study:
    return partial(3)


@pytest.fixture(scope="module")
def result(study):
    return al.group_effects(study)


def test_arms_are_compared_as_by_a_model_made_by_hand(study):
    """Scores are missing, because with the same sessions for all a residual variance of each arm changes no effect and no error."""
    sessions = study.sessions
    missing = (sessions["session"] > 1) & (np.random.default_rng(4).random(len(sessions)) < 0.4)
    study = with_sessions(study, sessions[~missing])
    result = al.group_effects(study)
    d = study.sessions.merge(study.clients[["client", "arm"]], on="client")
    d["g"] = d["group"].fillna("alone " + d["client"])
    d["b"], d["a"] = d["arm"].eq("B").astype(float), d["arm"].eq("A").astype(float)
    d["bt"], d["at"], d["t"] = d["b"] * d["week"], d["a"] * d["week"], d["week"]
    own = "(0 + a + at | client) + (0 + b + bt | client)"
    fit = al.MixedModel.from_formula(
        f"phq9 ~ t * b + {own} + (0 + b + bt | g)", d, residual=al.VarIdent("arm")
    ).fit()
    plain = al.MixedModel.from_formula(f"phq9 ~ t * b + {own}", d, residual=al.VarIdent("arm")).fit()
    same = al.MixedModel.from_formula("phq9 ~ t * b + (1 + t | client) + (0 + b + bt | g)", d).fit()
    for name, model in (("arm", fit), ("arm_ignoring_groups", plain), ("arm_same_variances", same)):
        assert value(result, name) == pytest.approx(model.params["t:b"], rel=1e-5)
        assert value(result, name, "se") == pytest.approx(model.bse["t:b"], rel=1e-4)
    assert value(result, "se_ratio") == pytest.approx(fit.bse["t:b"] / plain.bse["t:b"], rel=1e-4)
    v = fit.varcorr.set_index(["group", "term1"])["vcov"]
    v = v[~v.index.duplicated()]
    share = v["g", "bt"] / (v["g", "bt"] + v["client", "bt"])
    assert value(result, "icc_arm_B_change") == pytest.approx(share, rel=1e-3)


def test_the_truth_of_partial_nesting_is_found_again(result):
    assert abs(value(result, "arm") + 0.2) < 3 * value(result, "arm", "se")
    # .25^2 / (.25^2 + .1^2) is .86; a share from 12 groups scatters.
    assert value(result, "icc_arm_B_change") > 0.5
    assert value(result, "se_ratio") > 1.2
    assert "would be" in result.answer[1]
    assert "in place of" in result.answer[1]
    assert result.answer[1].startswith("Compared with A, B ")


def test_without_anything_shared_nothing_changes():
    """Unequal arms and no effect of groups: the ratio of the errors is near one, and the interval holds the truth."""
    found = al.group_effects(partial(5, groups=16, size=4, alone=20, group_sd=0.0))
    assert value(found, "se_ratio") < 1.25
    assert value(found, "arm", "ci_low") < -0.2 < value(found, "arm", "ci_high")


def test_few_groups_per_arm_have_the_tests_of_kenward_and_roger():
    found = al.group_effects(partial(6, groups=6, size=6, alone=30))
    note = next(n for n in found.notes if n.code == "few_groups_in_arm")
    assert note.message.startswith("B has 6 groups with two or more clients. These are too few")
    assert value(found, "arm", "df") < 20
    assert "Kenward and Roger" in found.methods


def test_the_likeness_is_that_of_a_plain_model(study, result):
    d = study.sessions.dropna(subset=["group"]).sort_values(["client", "session"]).groupby("client")
    rows = pd.DataFrame(
        {"g": d["group"].first(), "x": d["phq9"].first(), "y": d["phq9"].last() - d["phq9"].first()}
    )
    v = al.MixedModel.from_formula("y ~ x + (1 | g)", rows).fit().varcorr["vcov"].to_numpy()
    icc = v[0] / v.sum()
    assert value(result, "icc") == pytest.approx(icc, rel=1e-4)
    assert value(result, "design_effect") == pytest.approx(1 + 4 * icc, rel=1e-4)
    assert value(result, "icc", "ci_low") < icc < value(result, "icc", "ci_high")


def test_reframed_gives_its_refitted_figure():
    """The data's README: treatment by log time -.806 (.375) by ML with patients only; REML has .377."""
    if not (Path(__file__).parents[2].parent / "shared" / "data" / "reframed.csv").exists():
        pytest.skip("the real data folder ../shared/data is not beside this checkout")
    found = al.group_effects(al.load_study(REFRAMED), shape="log", until=12.5)
    d = found.models["arms_ignoring"].data
    same = al.MixedModel.from_formula("y ~ time * in_RO_DBT + (1 + time | client)", d).fit()
    assert same.params["time:in_RO_DBT"] == pytest.approx(-0.806, abs=0.0006)
    assert same.bse["time:in_RO_DBT"] == pytest.approx(0.3767, abs=0.0005)
    ml = al.MixedModel.from_formula("y ~ time * in_RO_DBT + (1 + time | client)", d).fit(reml=False)
    assert ml.bse["time:in_RO_DBT"] == pytest.approx(0.375, abs=0.0006)
    # With variances of each arm, and therapists who differ in level and change.
    assert value(found, "arm") == pytest.approx(-0.861, abs=0.001)
    assert value(found, "arm", "se") == pytest.approx(0.3516, abs=0.001)
    assert "Compared with TAU, RO-DBT" in found.answer[1]


def test_bright_gives_its_refitted_figure_and_four_groups_are_too_few(tmp_path):
    """The data's README: arm by month 3 -5.328 (1.563), month 6 -4.357 (1.571), log-likelihood -3086.945."""
    file = Path(__file__).parents[2].parent / "shared" / "data" / "bright_group_cbt_bdi.csv"
    if not file.exists():
        pytest.skip("the real data folder ../shared/data is not beside this checkout")
    (tmp_path / "study.yaml").write_text(
        f"study: BRIGHT\ntables:\n  sessions:\n    file: {file}\n    columns: {{client: client, session: month, month: month, "
        "arm: arm_cbt, group: cbt_group}\nmeasures: {bdi2: {instrument: bdi_ii, total: bdi2}}\n"
    )
    study = al.load_study(tmp_path / "study.yaml")
    rows = study.sessions
    rows = rows.assign(cbt=rows["arm"].astype(str).eq("1").astype(float), month=rows["session"].astype(str))
    fit = al.MixedModel.from_formula("bdi2 ~ cbt * month + (1 | client)", rows).fit()
    for month, estimate, se in ((3, -5.328, 1.563), (6, -4.357, 1.571)):
        term = next(t for t in fit.params.index if t.startswith("cbt:") and f"T.{month}" in t)
        assert fit.params[term] == pytest.approx(estimate, abs=0.0006)
        assert fit.bse[term] == pytest.approx(se, abs=0.0006)
    assert fit.llf == pytest.approx(-3086.945, abs=0.0006)
    found = al.group_effects(study, outcome="bdi2")
    assert found.status["code"] == "underpowered"
    assert "4 groups have two or more clients with two scores, and at least 5 are needed" in found.answer[0]


# ---------------------------------------------------------------- groups that are rated


@pytest.fixture(scope="module")
def rated() -> Study:
    """40 groups of four to six; the change falls by .3 per own point and by .6 per point of the others' mean."""
    rng = np.random.default_rng(4)
    rows = []
    for g in range(40):
        size = int(rng.integers(4, 7))
        own = 40 + rng.normal(0, 3) + rng.normal(0, 3, size)
        for k in range(size):
            others = (own.sum() - own[k]) / (size - 1)
            change = -3 - 0.3 * (own[k] - 40) - 0.6 * (others - 40) + rng.normal(0, 2)
            y = [15.0, *[np.nan] * 4, 15 + change / 2, 15 + change]
            rows.append(
                pd.DataFrame(
                    {
                        "client": f"g{g}c{k}", "therapist": f"t{g % 10}", "group": f"g{g:02d}", "session": np.arange(7),
                        "week": np.arange(7.0), "alliance": own[k], "phq9": np.array(y) + rng.normal(0, 0.1),
                    }
                )
            )  # fmt: skip
    frame = pd.concat(rows, ignore_index=True)
    base = simulated_study(1, ClinicTruth(therapists=4, clients=20), items=False)
    return replace(
        base, _sessions=frame, _clients=frame[["client", "therapist"]].drop_duplicates(ignore_index=True)
    )


def test_a_member_and_the_rest_of_the_group_are_found_again(rated):
    found = al.group_effects(rated)
    for name, truth in (("cohesion_self", -0.3), ("cohesion_others", -0.6)):
        assert abs(value(found, name) - truth) < 3 * value(found, name, "se"), name
    # The group's mean holds both; the deviation of one member is own less a share of the others.
    assert value(found, "cohesion_group") == pytest.approx(-0.9, abs=0.15)
    assert value(found, "cohesion_deviation") == pytest.approx(-0.3 + 0.6 / 4, abs=0.12)
    first = rated.sessions.groupby("client").agg(
        g=("group", "first"), own=("alliance", "first"), y0=("phq9", "first"), y1=("phq9", "last")
    )
    others = [first.loc[(first["g"] == r.g) & (first.index != i), "own"].mean() for i, r in first.iterrows()]
    rows = first.assign(others=others, change=first["y1"] - first["y0"])
    model = al.MixedModel.from_formula("change ~ own + others + y0 + (1 | g)", rows).fit()
    assert value(found, "cohesion_others") == pytest.approx(model.params["others"], rel=1e-5)
    sizes = first.groupby("g").size()  # unequal: the mean size is weighted by size
    assert len(set(sizes)) > 1
    by_hand = 1 + ((sizes**2).sum() / sizes.sum() - 1) * value(found, "icc")
    assert value(found, "design_effect") == pytest.approx(by_hand, rel=1e-9)
    assert "a mean of the rest of the group one point higher" in found.answer[1]
    assert found.figure_specs[0].name == "ratings"
    assert "ratings" in {t.name for t in found.tables}


def test_ratings_that_do_not_differ_are_said(rated):
    flat = with_sessions(rated, rated.sessions.assign(alliance=40.0))
    found = al.group_effects(flat)
    assert "few_rated_groups" in {n.code for n in found.notes}
    assert "cohesion_self" not in set(found.estimates["id"])


# ---------------------------------------------------------------- several therapists


def test_several_therapists_by_the_whole_matrix(rated):
    """Every third client has half of the sessions with the next therapist; the covariance matrix is written out."""
    rng = np.random.default_rng(8)
    sessions = rated.sessions
    clients = sessions["client"].drop_duplicates().tolist()
    effect = dict(zip([f"t{k}" for k in range(10)], rng.normal(0, 2, 10), strict=True))
    second = {
        c: f"t{(int(sessions.loc[sessions['client'] == c, 'therapist'].iloc[0][1:]) + 1) % 10}"
        for c in clients[::3]
    }
    late = sessions["session"] >= 3
    sessions["seen_by"] = sessions["therapist"].where(
        ~(late & sessions["client"].isin(second)), sessions["client"].map(second)
    )
    shares = sessions.groupby(["client", "seen_by"]).size().unstack(fill_value=0)
    w = shares.div(shares.sum(axis=1), axis=0)
    shift = pd.Series(w.to_numpy() @ np.array([effect[t] for t in w.columns]), index=w.index)
    last = sessions["session"] == 6
    sessions.loc[last, "phq9"] += sessions.loc[last, "client"].map(shift)
    found = al.group_effects(with_sessions(rated, sessions), shared="therapist")
    scored = sessions.dropna(subset=["phq9"]).groupby("client")["phq9"]
    rows = pd.DataFrame({"x": scored.first(), "y": scored.last() - scored.first()}).loc[w.index]

    def deviance(theta: np.ndarray) -> float:
        tau, sigma = np.exp(theta)
        v = tau * w.to_numpy() @ w.to_numpy().T + sigma * np.eye(len(rows))
        x = np.column_stack([np.ones(len(rows)), rows["x"]])
        vi = np.linalg.inv(v)
        info = x.T @ vi @ x
        e = rows["y"] - x @ np.linalg.solve(info, x.T @ vi @ rows["y"])
        return float(np.linalg.slogdet(v)[1] + np.linalg.slogdet(info)[1] + e @ vi @ e)

    from scipy.optimize import minimize

    best = minimize(deviance, [0.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    assert value(found, "mm_var") == pytest.approx(np.exp(best.x[0]), rel=1e-3)
    assert value(found, "mm_share") == pytest.approx(np.exp(best.x[0]) / np.exp(best.x).sum(), rel=1e-3)
    assert value(found, "main_var") != pytest.approx(value(found, "mm_var"), rel=1e-3)
    assert "clients had several therapists" in found.answer[-1]
    rolling = with_sessions(rated, sessions.assign(group=sessions["seen_by"]).drop(columns="seen_by"))
    groups = al.group_effects(rolling, shared="group")
    assert value(groups, "mm_var") == pytest.approx(value(found, "mm_var"), rel=1e-6)
    assert "clients had several groups" in groups.answer[-1]


# ---------------------------------------------------------------- too little, groups, requests


def test_groups_are_compared(rated):
    clients = rated.clients
    clients["site"] = np.where(rated.sessions.drop_duplicates("client")["group"].to_numpy() < "g20", "x", "y")
    sites = replace(rated, covariates=("site",), _clients=clients)
    both, alone = al.group_effects(sites, by="site"), al.group_effects(sites, by="site=y")
    assert value(both, "icc_y") == pytest.approx(value(alone, "icc"), rel=1e-3)
    assert "icc_y_difference" in set(both.estimates["id"])
    clients["site"] = np.where(rated.sessions.drop_duplicates("client")["group"].to_numpy() < "g04", "x", "y")
    found = al.group_effects(replace(sites, _clients=clients), by="site")
    assert next(n for n in found.notes if n.code == "group_not_compared").message == (
        "site x has fewer than 5 groups with two or more clients who have two scores, so the report does not compare it."
    )
    assert "by_group" not in {t.name for t in found.tables}
    assert not [i for i in found.estimates["id"] if i.endswith("_y")]


def test_covariates_enter_the_models(study):
    clients = study.clients.assign(age=np.random.default_rng(1).normal(40, 10, len(study.clients)))
    found = al.group_effects(replace(study, covariates=("age",), _clients=clients), covariates=["age"])
    assert "time:cov_age" in found.models["arms"].params.index
    assert "cov_age" in found.models["alike"].params.index


def test_scores_before_and_after_only_compare_changes(study):
    sessions = study.sessions
    ends = sessions[sessions["session"].isin([0, 8])]
    found = al.group_effects(with_sessions(study, ends))
    assert value(found, "arm") == pytest.approx(8 * -0.2, abs=3 * value(found, "arm", "se"))
    assert "intake" in found.models["arms"].params.index


def test_one_score_is_no_change(study):
    """Changes need two scores: clients who have only the first one are in no model of changes, and alone they make no report."""
    sessions = study.sessions
    ends = sessions[sessions["session"].isin([0, 8])]
    once = [f"c{k:03d}" for k in (0, 1, 7, 60, 61, 62, 63, 64)]
    kept = ends[~((ends["session"] == 8) & ends["client"].isin(once))]
    found = al.group_effects(with_sessions(study, kept))
    without = al.group_effects(with_sessions(study, ends[~ends["client"].isin(once)]))
    for name in ("arm", "icc", "design_effect"):
        assert value(found, name) == pytest.approx(value(without, name), rel=1e-6)
    assert [value(found, name, "n") for name in ("arm", "icc")] == [102, 57]
    first = al.group_effects(with_sessions(study, sessions[sessions["session"] == 0]))
    assert (
        "0 clients can be analysed; the analysis of what clients share needs at least 20." in first.answer[0]
    )


def test_arms_whose_names_differ_by_a_sign_only_stay_apart(study, result):
    """CBT and CBT+ are the same letters; as columns and ids they are not the same."""
    names = {"A": "CBT", "B": "CBT+"}
    renamed = replace(study, _clients=study.clients.assign(arm=study.clients["arm"].map(names)))
    found = al.group_effects(renamed, shared="group")
    for name in ("arm", "arm_ignoring_groups"):
        assert value(found, name) == pytest.approx(value(result, name), rel=1e-6)
        assert value(found, name, "se") == pytest.approx(value(result, name, "se"), rel=1e-6)
    assert value(found, "icc_arm_CBT_2_change") == pytest.approx(value(result, "icc_arm_B_change"), rel=1e-4)


def test_arms_that_share_therapists_are_said(study):
    sessions = study.sessions
    own = sessions["client"].str[1:].astype(int) % 9
    found = al.group_effects(with_sessions(study, sessions.assign(group="g" + own.astype(str))))
    note = next(n for n in found.notes if n.code == "in_several_arms")
    assert note.message.startswith("9 groups have clients in more than one arm.")


def test_what_is_missing_is_said(study):
    plain = with_sessions(study, study.sessions.drop(columns=["group", "therapist"]))
    assert (
        al.group_effects(plain)
        .answer[0]
        .startswith("There are too few data for an answer. The study names no therapists and no groups")
    )
    few = partial(2, groups=3, size=5, alone=30)
    assert (
        "3 groups have two or more clients with two scores, and at least 5 are needed"
        in al.group_effects(few).answer[0]
    )
    tiny = partial(2, groups=2, size=4, alone=4)
    assert "the analysis of what clients share needs at least 20." in al.group_effects(tiny).answer[0]
    with pytest.raises(al.StudyError) as error:
        al.group_effects(
            simulated_study(1, ClinicTruth(therapists=5, clients=40), items=False), shared="group"
        )
    assert str(error.value) == (
        "Parameter 'shared': the study names no groups. Name the column 'group' in the study file."
    )


@pytest.mark.parametrize("audience", ["internal", "shareable"])
def test_both_audiences_and_the_study_left_alone(study, audience):
    before = study.sessions.copy()
    found = al.group_effects(study, audience=audience)
    assert found.answer[0].startswith("Of the differences in change from intake, given intake, ")
    pd.testing.assert_frame_equal(study.sessions, before)


def test_likeness_is_checked_without_each_group(result):
    """By refits: the share between groups without any one group; groups are called groups."""
    table = result.table("model_checks")
    assert {"With all groups", "Without any one group"} <= {c.label for c in table.columns}
    (row,) = table.to_frame().to_dict("records")
    assert row["label"] == "Change from intake: share between groups"
    assert row["whole"].replace("\u00a0%", "") == f"{100 * value(result, 'icc'):.0f}"
    scored = result.study.sessions.dropna(subset=["group"]).sort_values(["client", "session"])
    by = scored.groupby("client")
    ends = pd.DataFrame(
        {"group": by["group"].first(), "intake": by["phq9"].first(), "end": by["phq9"].last()}
    )
    ends["change"] = ends["end"] - ends["intake"]
    refits = []
    for who in sorted(ends["group"].unique()):
        fit = al.MixedModel.from_formula("change ~ intake + (1 | group)", ends[ends["group"] != who]).fit()
        refits.append(float(fit.icc().set_index("group").loc["group", "icc"]))
    shown = [float(x.replace("\u00a0%", "")) / 100 for x in row["range"].split(" to ")]
    # One Newton step of the variances, and whole percents.
    np.testing.assert_allclose(shown, [min(refits), max(refits)], atol=0.011)
    titles = [str(f.title) for f in result.figure_specs]
    assert titles[-1] == "Change from intake: share between groups, without each group in turn"
    assert "therapist" not in result.figure_specs[-1].caption.lower()
