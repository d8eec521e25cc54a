"""Within and between: numbers made by hand, truths given back, what feedback does, findings, and reports without an answer."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import methods
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth
from analyses.studies import value, with_sessions

FAST = {"outliers": ("keep",)}


@pytest.fixture(scope="module")
def found(clinic: al.Study) -> al.AnalysisResult:
    """The default analysis of a simulated clinic."""
    return al.within_between(clinic)


def test_errors_hold_if_effects_differ_between_therapists(found: al.AnalysisResult) -> None:
    """CR2 by therapist between clients, and within clients where the model lets no effect differ between therapists; others the model's."""
    model = found.models["common"]
    robust = model.with_errors("CR2", "therapist")
    own = "| therapist) + (0 + within" in model.formula or "(0 + within | therapist)" in model.formula
    for identity, errors, term in (
        ("within_common", model if own else robust, "within"),
        ("client", robust, "alliance_client"),
        ("therapist", model, "alliance_therapist"),
    ):
        assert value(found, identity, "se") == pytest.approx(errors.bse[term], rel=1e-7), identity
    row = robust.contrast({"alliance_client": 1.0, "within": -1.0}).iloc[0]
    assert value(found, "context_client", "se") == pytest.approx(row["se"], rel=1e-7)
    assert "cluster-robust standard errors (CR2; clusters: therapists)" in found.methods


def by_hand(study: al.Study) -> pd.DataFrame:
    """Pairs and their parts with joins and means only: the outcome, and the alliance one session before."""
    sessions = study.sessions
    before = sessions[["client", "session", "alliance"]].assign(session=sessions["session"] + 1)
    rows = sessions.drop(columns="alliance").merge(before, on=["client", "session"])
    rows = rows.dropna(subset=["phq9", "alliance"]).reset_index(drop=True)
    scored = sessions.dropna(subset=["phq9"]).sort_values("session").groupby("client")["phq9"].first()
    rows = rows.assign(first=rows["client"].map(scored), s=rows["session"].astype(str).radd("s"))
    for name in ("alliance", "first", "session"):
        own = rows.groupby("client")[name].transform("mean")
        each = rows.drop_duplicates("client").assign(m=own)
        upper = each.groupby("therapist")["m"].mean()
        above = rows["therapist"].map(upper)
        rows = rows.assign(
            **{f"{name}_w": rows[name] - own, f"{name}_c": own - above, f"{name}_t": above - upper.mean()}
        )
    return rows


BETWEEN = "first_c + first_t + alliance_c + alliance_t"
PLAIN = "(1 | therapist) + (1 | therapist:client)"
LEVELS = "(1 | therapist) + (1 | therapist:client) + (0 + alliance_w | therapist:client) + (0 + alliance_w | therapist)"


def test_numbers_made_by_hand(clinic: al.Study, found: al.AnalysisResult) -> None:
    """Other code for the pairs and parts, the same models: equal estimates, errors and intervals."""
    rows = by_hand(clinic)
    assert dict(found.facts)["Pairs of sessions"].replace("\u202f", "") == str(len(rows))
    for name, formula in (
        ("within_none", f"phq9 ~ alliance_w + {BETWEEN} + {LEVELS}"),
        ("within_none_two_level", "phq9 ~ alliance_w + a_c + f_c + (1 | client) + (0 + alliance_w | client)"),
    ):
        data = rows.assign(a_c=rows["alliance_c"] + rows["alliance_t"], f_c=rows["first_c"] + rows["first_t"])
        model = al.MixedModel.from_formula(formula, data).fit()
        assert value(found, name) == pytest.approx(model.params["alliance_w"], rel=1e-5)
        assert value(found, name, "se") == pytest.approx(model.bse["alliance_w"], rel=1e-4)
        assert value(found, name, "df") == pytest.approx(model.df["alliance_w"], rel=1e-2)
    model = al.MixedModel.from_formula(f"phq9 ~ alliance_w + {BETWEEN} + {LEVELS}", rows).fit()
    assert value(found, "client_detrend_none") == pytest.approx(model.params["alliance_c"], rel=1e-5)
    assert value(found, "therapist_detrend_none") == pytest.approx(model.params["alliance_t"], rel=1e-5)
    assert value(found, "therapist_detrend_none", "df") <= 24 - 1 - 2  # therapists, their two predictors


def test_the_common_course_by_hand(clinic: al.Study) -> None:
    """Means of sessions; a last session of fewer than ten rows shares one with the session before."""
    sessions = clinic.sessions
    stay = sessions.loc[sessions["session"].eq(12) & sessions["phq9"].notna(), "client"].unique()[:6]
    sessions = sessions[
        (sessions["session"] < 12) | (sessions["session"].eq(12) & sessions["client"].isin(stay))
    ]
    study = with_sessions(clinic, sessions.reset_index(drop=True))
    found = al.within_between(study, random_slope="no", **FAST)
    rows = by_hand(study)
    assert 0 < rows["session"].eq(12).sum() < 10
    rows["s"] = rows["session"].clip(upper=11).astype(str).radd("s")
    fixed = f"phq9 ~ alliance_w + {BETWEEN} + s + session_c + session_t"
    model = al.MixedModel.from_formula(f"{fixed} + {PLAIN}", rows).fit()
    for name, term in (
        ("within_common", "alliance_w"),
        ("client", "alliance_c"),
        ("therapist", "alliance_t"),
    ):
        assert value(found, name) == pytest.approx(model.params[term], rel=1e-4), name
    difference = model.params["alliance_c"] - model.params["alliance_w"]
    assert value(found, "context_client") == pytest.approx(difference, rel=1e-4)
    difference = model.params["alliance_t"] - model.params["alliance_c"]
    assert value(found, "context_therapist") == pytest.approx(difference, rel=1e-3)
    only = al.MixedModel.from_formula(f"phq9 ~ alliance_w + {BETWEEN} + s + {PLAIN}", rows).fit()
    assert value(found, "client_course_only") == pytest.approx(only.params["alliance_c"], rel=1e-4)
    own = al.MixedModel.from_formula(
        f"{fixed} + {PLAIN.replace('(1 | therapist:client)', '(1 + session | therapist:client)')}", rows
    ).fit()
    assert value(found, "within_client") == pytest.approx(own.params["alliance_w"], abs=2e-4)


def test_client_lines_are_removed_as_by_regressions_of_each_client(clinic: al.Study) -> None:
    """With equal effects, the version `lines` is the regression on each client's own intercept and slope (Frisch and Waugh)."""
    sessions = clinic.sessions
    sessions = sessions[sessions["session"].between(0, 6)]
    complete = sessions.dropna(subset=["phq9", "alliance"]).groupby("client")["session"].nunique()
    some = complete.index[complete.eq(complete.max())][:60]
    study = with_sessions(clinic, sessions[sessions["client"].isin(some)].reset_index(drop=True))
    result = al.within_between(study, random_slope="no", detrend=("common", "lines"), **FAST)
    rows = by_hand(study)
    wanted = []
    for column in ("alliance", "phq9"):
        rest = rows[column].astype(float).copy()
        for _, part in rows.groupby("client"):
            line = np.polyfit(part["session"], part[column], 1)
            rest.loc[part.index] = part[column] - np.polyval(line, part["session"])
        wanted.append(rest)
    courses = pd.get_dummies(rows["session"]).to_numpy(float)
    design = np.column_stack([wanted[0]])
    for c in courses.T[1:]:  # the common course, less each client's line
        own = pd.Series(c, index=rows.index)
        for _, part in rows.groupby("client"):
            line = np.polyfit(part["session"], own.loc[part.index], 1)
            own.loc[part.index] -= np.polyval(line, part["session"])
        design = np.column_stack([design, own])
    slope = np.linalg.lstsq(design, wanted[1].to_numpy(), rcond=None)[0][0]
    assert value(result, "within_lines") == pytest.approx(slope, rel=1e-6)


def of_late_sessions(seed: int, feedback: float) -> np.ndarray:
    """Effects within clients from the sixth session on, of 600 clients for whom the true effect is zero."""
    truth = ClinicTruth(20, 600, alliance_by_improvement=feedback)
    study = simulated_study(seed, truth, items=False)
    late = study.sessions[study.sessions["session"] >= 6]
    long = late.groupby("client")["session"].transform("size") >= 4
    result = al.within_between(with_sessions(study, late[long]), random_slope="no", **FAST)
    return np.array([value(result, f"within_{d}") for d in ("none", "common", "client")])


def test_without_feedback_all_versions_are_right_and_with_it_none_need_be() -> None:
    """The specification's simulations: .005, .005, .002 without feedback, .000, .016, .033 with it. Two clinics of each;
    the standard error of a mean is .01, that of the difference of two versions in the same clinics half as large."""
    without, feedback = (np.mean([of_late_sessions(s, f) for s in (1, 2)], axis=0) for f in (0.0, 0.5))
    np.testing.assert_allclose(without, 0, atol=0.03)
    assert 0.015 < feedback[2] - feedback[0] < 0.06
    assert abs(without[2] - without[0]) < 0.015


def made(
    seed: int,
    effects: tuple[float, float, float],
    *,
    therapists: int = 40,
    clients: int = 8,
    sessions: int = 5,
) -> al.Study:
    """A study whose outcome follows the last alliance rating within clients, the client's mean in the data, and the usual
    alliance of the therapist (not the mean of the clients at hand)."""
    rng = np.random.default_rng(seed)
    base = simulated_study(1, ClinicTruth(therapists=5, clients=25), items=False)
    therapist = np.repeat(np.arange(therapists), clients)
    usual = rng.normal(0, 2, therapists)
    own = rng.normal(0, 4, therapists * clients)
    within = rng.normal(0, 3, (therapists * clients, sessions))
    within -= within.mean(axis=1, keepdims=True)
    b_w, b_c, b_t = effects
    level = (
        b_t * usual[therapist]
        + b_c * own
        + rng.normal(0, 1, therapists)[therapist]
        + rng.normal(0, 2, len(own))
    )
    y = level[:, None] + b_w * within + rng.normal(0, 2, within.shape)
    n = therapists * clients
    frames = []
    for session in range(sessions + 1):
        rated = 43 + usual[therapist] + own + within[:, session] if session < sessions else np.full(n, np.nan)
        frames.append(
            pd.DataFrame(
                {
                    "client": [f"c{k}" for k in range(n)],
                    "therapist": [f"t{k}" for k in therapist],
                    "session": session + 1,
                    "week": float(session + 1),
                    "alliance": rated,
                    "phq9": 12 + y[:, session - 1] if session else 12 + rng.normal(0, 3, n),
                }
            )
        )
    data = pd.concat(frames, ignore_index=True)
    people = data[["client", "therapist"]].drop_duplicates(ignore_index=True)
    return replace(base, _sessions=data, _clients=people)


def test_the_truth_of_each_level_is_given_back() -> None:
    """Effects -.10, -.30 and -.80: means over five studies within 3.5 Monte Carlo errors. The observed means of eight clients
    (reliability about .65) give about -.48, and the correction gives back the truth."""
    truth = (-0.1, -0.3, -0.8)
    names = [
        "within_common",
        "client",
        "therapist",
        "therapist_latent_ml",
        "therapist_latent_moment",
        "lambda",
    ]
    rows = []
    for seed in range(5):
        study = made(seed, truth, therapists=60)
        result = al.within_between(study, adjust_intake=False, random_slope="no", **FAST)
        rows.append(result.estimates.set_index("id").loc[names, "estimate"].to_numpy(float))
        for name, true in zip(names[:2], truth, strict=False):
            assert abs(value(result, name) - true) < 4 * value(result, name, "se")
    mean, error = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1) / np.sqrt(len(rows))
    reliability = 4 / (4 + 16 / 8)
    manifest = truth[1] + reliability * (truth[2] - truth[1])
    wanted = [truth[0], truth[1], manifest, truth[2], truth[2], reliability]
    assert (np.abs(mean - wanted) < 3.5 * error).all(), dict(zip(names, mean, strict=True))
    assert mean[3] < mean[2] - 0.05  # the correction moves the effect away from that within therapists


@pytest.fixture(scope="module")
def levels() -> al.Study:
    """Thirty therapists with eight clients each, whose effects differ by level."""
    return made(1, (-0.1, -0.3, -0.8), therapists=30)


def test_latent_means_are_those_of_the_method_on_clients(levels: al.Study) -> None:
    result = al.within_between(levels, random_slope="no", **FAST)
    rows = by_hand(levels)
    params = result.models["common"].params
    course = rows["session"].map(lambda s: params.get(f"course[T.s{s}]", 0.0))
    assert (course != 0).any()
    each = (
        rows.assign(y=rows["phq9"] - course)
        .groupby(["client", "therapist"], as_index=False)[["y", "alliance", "first"]]
        .mean()
    )
    mean = each.groupby("therapist")["first"].transform("mean")
    each = each.assign(first_c=each["first"] - mean, first_t=mean)
    for method in ("ml", "moment"):
        wanted = methods.latent_contextual(
            each, "y", "alliance", "therapist", "first_c", "first_t", method=method
        )
        assert value(result, f"therapist_latent_{method}") == pytest.approx(
            wanted.params["between"], rel=1e-6
        )
        assert value(result, f"therapist_latent_{method}", "se") == pytest.approx(
            wanted.bse["between"], rel=1e-6
        )
        if method == "ml":
            assert value(result, "lambda") == pytest.approx(wanted.reliability, rel=1e-6)


@pytest.mark.parametrize(
    ("caseload", "main"), [(None, "therapist_latent_ml"), (16.0, "therapist_latent_ml"), (15.0, "therapist")]
)
def test_the_share_of_the_caseload_chooses_the_main_row(levels, caseload, main) -> None:
    """Eight clients of 16 are not more than half; of 15 they are. 15 is given for each therapist."""
    study = replace(levels, caseload=caseload)
    if caseload == 15.0:
        own = pd.DataFrame({"therapist": levels.clients["therapist"].unique(), "caseload": caseload})
        study = replace(levels, _therapists=own)
    result = al.within_between(study, random_slope="no", **FAST)
    table = next(t for t in result.tables if t.name == "effects")
    marked = [i for i, row in zip(table.row_ids, table.rows, strict=True) if "(main)" in str(row[0])]
    assert marked == [main]
    codes = {n.code for n in result.notes}
    assert ("caseload_unknown" in codes) is (caseload is None)
    words = "corrected for small caseloads" if main != "therapist" else "observed mean WAI-SR"
    assert any(words in sentence for sentence in result.answer)
    said = "The study file gives no caseload." if caseload is None else "The median is 5"
    assert said in str(result.methods)


def test_therapists_whose_means_do_not_differ_are_said() -> None:
    """Usual alliances that are all alike: no latent means, and the observed ones are marked with a caution."""
    study = made(1, (-0.1, -0.3, -0.8), therapists=24)
    sessions = study.sessions
    for _ in range(3):
        sessions["alliance"] -= sessions.groupby("therapist")["alliance"].transform("mean")
        sessions["alliance"] += 43 + np.random.default_rng(2).normal(0, 1e-3, len(sessions))
    result = al.within_between(with_sessions(study, sessions), random_slope="no", **FAST)
    assert "therapist_latent_ml" not in set(result.estimates["id"])
    notes = {n.code: n.message for n in result.notes}
    assert notes["no_latent_means"].startswith(
        "The effect between therapists cannot be corrected for the chance"
    )
    assert notes["means_not_corrected"].endswith("so it may be pulled towards the effect between clients.")


def test_the_answer_warns_and_points_to_the_estimator_that_allows_feedback(found: al.AnalysisResult) -> None:
    assert found.answer[0].startswith(
        "When a client rated WAI-SR one point above his or her usual, PHQ-9 at the next session"
    )
    assert found.answer[1] == (
        "None of these numbers is the main result: if the alliance follows earlier improvement (feedback), all of them are "
        "biased. Read the report lagged_effects for the effect from one session to the next."
    )
    assert "lagged_effects" in found.limits[0]
    assert list(found.estimates["id"][:6]) == [
        "within_none",
        "within_common",
        "within_client",
        "within_lines",
        "client",
        "therapist",
    ]


def test_no_model_holds_the_last_score(found: al.AnalysisResult) -> None:
    for model in found.models.values():
        assert not [t for t in model.params.index if "y_" in str(t) or "phq9" in str(t)]


def test_outliers_are_left_out_or_moved(clinic: al.Study, found: al.AnalysisResult) -> None:
    rows = by_hand(clinic)
    sd, mean = rows["alliance"].std(), rows["alliance"].mean()
    inside = rows["alliance"].between(mean - 2 * sd, mean + 2 * sd)
    assert value(found, "within_common_sd2", "n") == int(inside.sum())
    assert value(found, "within_common_winsor2", "n") == len(rows)
    ids = set(found.estimates["id"])
    for treatment in ("sd3", "sd2", "winsor3", "winsor2"):
        assert {f"within_common_{treatment}", f"client_{treatment}", f"therapist_{treatment}"} <= ids
    few = al.within_between(clinic, outliers="keep,winsor2", random_slope="no")
    assert {i for i in few.estimates["id"] if "sd" in i or "winsor" in i} == {
        "within_common_winsor2",
        "client_winsor2",
        "therapist_winsor2",
    }


def test_winsorised_scores_make_the_effect_of_the_moved_scores(clinic: al.Study) -> None:
    sessions = clinic.sessions
    spoiled = sessions.copy()
    first = spoiled.groupby("client").cumcount().eq(2) & (np.arange(len(spoiled)) % 7 == 0)
    spoiled.loc[first & spoiled["alliance"].notna(), "alliance"] = 1000.0
    result = al.within_between(with_sessions(clinic, spoiled), random_slope="no", outliers=("keep", "sd3"))
    assert "outliers_change_answer" in {n.code for n in result.notes}
    note = next(n for n in result.notes if n.code == "outliers_change_answer")
    assert "the result depends on the treatment of outlying alliance scores" in note.message


def test_another_lag_by_hand(clinic: al.Study) -> None:
    result = al.within_between(clinic, lag=2, random_slope="no", **FAST)
    sessions = clinic.sessions
    before = sessions[["client", "session", "alliance"]].assign(session=sessions["session"] + 2)
    pairs = (
        sessions.drop(columns="alliance")
        .merge(before, on=["client", "session"])
        .dropna(subset=["phq9", "alliance"])
    )
    assert value(result, "within_none", "n") == len(pairs)
    assert "PHQ-9 2 sessions later differed by" in result.answer[0]
    with pytest.raises(al.StudyError, match="Parameter 'lag'"):
        al.within_between(clinic, lag=0)


def test_slopes_of_clients_that_differ_are_found() -> None:
    """Effects within clients with a standard deviation of .5: found within a fifth, and shown only to those who see the data."""
    study = made(3, (0.0, 0.0, 0.0), therapists=16, clients=12, sessions=8)
    rng = np.random.default_rng(3)
    sessions = study.sessions.sort_values(["client", "session"], ignore_index=True)
    own = sessions["client"].map(dict(zip(sessions["client"].unique(), rng.normal(0, 0.5, 192), strict=True)))
    before = sessions.groupby("client")["alliance"].shift()
    usual = sessions.groupby("client")["alliance"].transform("mean")
    sessions["phq9"] += (own * (before - usual)).fillna(0.0)
    study = with_sessions(study, sessions)
    result = al.within_between(study, adjust_intake=False, **FAST)
    assert value(result, "within_sd") == pytest.approx(0.5, rel=0.2)
    assert value(result, "within_sd", "ci_low") < 0.5 < value(result, "within_sd", "ci_high")
    assert "slopes" in result.figures
    figure = next(f for f in result.figure_specs if f.name == "slopes")
    assert figure.single_people  # so that outsiders do not get it
    assert figure.draw.keywords["band"]


def test_equal_slopes_are_said() -> None:
    result = al.within_between(made(3, (0.1, 0.0, 0.0), therapists=8), adjust_intake=False, **FAST)
    assert value(result, "within_sd") == 0
    note = next(n for n in result.notes if n.code == "equal_slopes")
    assert note.message.startswith("The data show no difference between clients in the effect within them")
    assert "slopes" not in result.figures


def test_few_pairs_and_ways_that_disagree_are_findings(found: al.AnalysisResult, clinic: al.Study) -> None:
    short = clinic.sessions[clinic.sessions["session"] <= 3]
    result = al.within_between(with_sessions(clinic, short), **FAST)
    note = next(n for n in result.notes if n.code == "few_pairs")
    assert note.message.startswith("Half of the clients have 2 pairs of sessions or fewer.")
    disagree = al.within_between(al.load_study("demo"), random_slope="no", detrend="none,client", **FAST)
    note = next(n for n in disagree.notes if n.code == "detrend_changes_answer")
    assert "Do not choose one of the versions after seeing them." in note.message
    # client-mean centred, without and with a course: figures of the specification, from lme4
    wanted = {"within_none_two_level": (-0.0524, 0.009), "within_common_two_level": (-0.0195, 0.0086)}
    for name, (estimate, se) in wanted.items():
        assert value(disagree, name) == pytest.approx(estimate, abs=0.002)
        assert value(disagree, name, "se") == pytest.approx(se, abs=0.0002)
    assert value(disagree, "within_client_two_level") == pytest.approx(0.0071, abs=0.002)


def test_few_therapists_keep_the_observed_means(few: al.Study) -> None:
    result = al.within_between(few, **FAST)
    assert "therapist" not in set(result.estimates["id"])
    assert "other clients" in result.answer[2]
    assert not [i for i in result.estimates["id"] if i.endswith("two_level")]
    some = simulated_study(4, ClinicTruth(therapists=8, clients=120))
    result = al.within_between(some, random_slope="no", **FAST)
    ids = set(result.estimates["id"])
    assert "therapist" in ids
    assert "therapist_latent_ml" not in ids
    assert {n.code for n in result.notes} >= {"few_therapists", "means_not_corrected"}


def test_without_therapists_clients_are_compared(clinic: al.Study) -> None:
    study = replace(
        clinic,
        _sessions=clinic.sessions.drop(columns="therapist"),
        _clients=clinic.clients.drop(columns="therapist"),
    )
    result = al.within_between(study, **FAST)
    assert dict(result.facts)["Therapists"] == "not known"
    assert "than that of other clients" in result.answer[2]
    assert len(result.answer) == 3


def test_groups_and_covariates() -> None:
    study = simulated_study(6, ClinicTruth(20, 240, arm_share=0.5))
    study = replace(study, _clients=study.clients.assign(arm=lambda f: f["arm"].map({0: "A", 1: "B"})))
    result = al.within_between(study, by="arm", covariates=("arm",), random_slope="no", **FAST)
    ids = set(result.estimates["id"])
    arms = sorted(study.clients["arm"].unique())
    for name in ("within_common", "client", "therapist"):
        assert {f"{name}_{arm}" for arm in arms} <= ids
        assert f"{name}_{arms[1]}_difference" in ids or f"{name}_{arms[0]}_difference" in ids
    assert any("cov_arm" in str(t) for t in result.models["common"].params.index)
    assert "Adjusted for" in dict(result.facts)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda s: s.assign(phq9=10.0),
            "All scores of PHQ-9 are equal, so nothing can be related to them.",
        ),
        (
            lambda s: s.assign(alliance=40.0),
            "The ratings of WAI-SR do not differ, so nothing can be related to them.",
        ),
        (
            lambda s: s.assign(alliance=s.groupby("client")["alliance"].transform("mean").round()),
            "Within clients, the ratings of WAI-SR do not differ, so nothing can be related to them.",
        ),
        (
            lambda s: s[s["client"].isin(s["client"].unique()[:12])],
            "11 clients can be analysed; the analysis within and between clients needs at least 20",
        ),
    ],
)
def test_too_little_for_an_answer_is_said(clinic, change, words) -> None:
    result = al.within_between(with_sessions(clinic, change(clinic.sessions).reset_index(drop=True)))
    assert result.answer[0].startswith("There are too few data for an answer.")
    assert words in result.answer[0]
    assert result.estimates.empty


def test_wrong_requests_are_refused(clinic: al.Study) -> None:
    for options, words in (
        ({"detrend": ("week",)}, "Parameter 'detrend'"),
        ({"detrend": ()}, "Parameter 'detrend': name at least one, or leave it out"),
        ({"outliers": "sd9"}, "Parameter 'outliers'"),
        ({"random_slope": "yes"}, "Parameter 'random_slope'"),
        ({"alliance": "wai"}, "has no alliance measure 'wai'"),
        ({"lags": 2}, "Did you mean 'lag'"),
    ):
        with pytest.raises(al.StudyError, match=words):
            al.within_between(clinic, **options)


def test_the_study_is_not_changed(clinic: al.Study, found: al.AnalysisResult) -> None:
    before = clinic.sessions
    al.within_between(clinic, random_slope="no", **FAST)
    pd.testing.assert_frame_equal(before, clinic.sessions)


def test_outsiders_get_the_same_estimates_rounded(levels: al.Study) -> None:
    found = al.within_between(levels, random_slope="no", **FAST)
    shown = al.within_between(levels, random_slope="no", audience="shareable", **FAST)
    assert list(shown.estimates["id"]) == list(found.estimates["id"])
    assert dict(shown.facts)["Clients"] == "About 240"
    table = next(t for t in shown.tables if t.name == "effects")
    assert [str(row[0]) for row in table.rows if "(main)" in str(row[0])] == [
        "Between therapists, latent means (main)"
    ]
    assert value(shown, "client") == pytest.approx(value(found, "client"), abs=value(found, "client", "se"))


def test_a_first_score_is_not_an_outcome_that_it_predicts(clinic: al.Study) -> None:
    """Clients without a score before session 3: their first score leaves as an outcome."""
    sessions = clinic.sessions
    some = sessions["client"].isin(sorted(sessions["client"].unique())[:30])
    sessions.loc[some & sessions["session"].lt(3), "phq9"] = np.nan
    study = with_sessions(clinic, sessions)
    rows = by_hand(study)
    scored = sessions.dropna(subset=["phq9"]).groupby("client")["session"].min()
    own = rows["session"].eq(rows["client"].map(scored))
    assert own.sum() > 15
    found = al.within_between(study, **FAST, random_slope="no")
    assert dict(found.facts)["Pairs of sessions"].replace("\u202f", "") == str(int((~own).sum()))
    assert "Sessions with an earlier PHQ-9" in [step.step for step in found.flow.steps]
