"""Effects from session to session: a simulated truth with feedback, both audiences, and what the report says without an answer."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

import alliance_longitudinal as al
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth


def clinic(seed: int, lagged: float = 0.0, clients: int = 450, therapists: int = 30) -> al.Study:
    """A simulated clinic with the alliance as a number: answers on a few steps would add error, which lowers the effects."""
    truth = ClinicTruth(therapists=therapists, clients=clients, lagged_alliance=lagged)
    rated = al.simulate_clinic(
        seed, therapists=therapists, clients=clients, lagged_alliance=lagged, items=False
    ).sessions.rename(columns={"wai": "alliance"})
    people = rated[["client", "therapist"]].drop_duplicates(ignore_index=True)
    return replace(simulated_study(seed, truth), _sessions=rated, _clients=people)


@pytest.fixture(scope="module")
def demo() -> al.AnalysisResult:
    return al.lagged_effects(al.load_study("demo"))


@pytest.mark.parametrize("lagged", [0.0, -0.15])
def test_the_truth_with_feedback(lagged: float) -> None:
    """Eight clinics whose alliance answers to earlier improvement: bias within 3.5 Monte Carlo errors (about .01), and six or
    more of the intervals cover; the window is sessions 6 to 11, as in the specification."""
    found = []
    for seed in range(1, 9):
        result = al.lagged_effects(clinic(seed, lagged), sessions=(6, 11), estimators=("riclpm",))
        found.append(result.estimates.set_index("id").loc["riclpm_a_to_y"])
    values = np.array([float(f["estimate"]) for f in found])
    error = values.std(ddof=1) / np.sqrt(len(values))
    assert abs(values.mean() - lagged) < 3.5 * error
    assert sum(bool(f["ci_low"] < lagged < f["ci_high"]) for f in found) >= 6


def test_the_usual_centred_model_with_the_last_score_would_be_wrong_and_is_not_the_headline(demo) -> None:
    ids = list(demo.estimates["id"])
    assert ids[:2] == ["riclpm_a_to_y", "riclpm_y_to_a"]
    for name in ("mldpm", "gmm_difference", "gmm_system", "anderson_hsiao", "mlm", "clpm", "riclpm_level"):
        assert f"{name}_a_to_y" in ids
        assert f"{name}_y_to_a" in ids
    for name in ("riclpm_ar_a", "riclpm_ar_y", "riclpm_longrun", "riclpm_contemporaneous", "equal_lags_p"):
        assert name in ids
    table = demo.estimates.set_index("id")["estimate"]
    assert table["bracket_fe"] < table["bracket_ols"]


def test_the_demonstration_clinic_shows_no_effect_where_there_is_none(demo) -> None:
    """``lagged_alliance`` of the demonstration study is 0."""
    row = demo.estimates.set_index("id").loc["riclpm_a_to_y"]
    assert row["ci_low"] < 0 < row["ci_high"]
    assert "not clearly different" in demo.answer[0]
    assert demo.parameters["sessions"] == [1, 8]
    assert demo.parameters["trend"] is True
    assert "moderate_therapists" not in [
        n.code for n in demo.notes
    ]  # the report has no effects of therapists


def test_equal_effects_are_tested_and_can_be_averaged() -> None:
    study = clinic(2, -0.15)
    equal = al.lagged_effects(study, sessions=(2, 6), estimators=("riclpm",), trend=False)
    free = al.lagged_effects(study, sessions=(2, 6), estimators=("riclpm",), trend=False, equal_lags=False)
    a, b = (r.estimates.set_index("id")["estimate"] for r in (equal, free))
    assert a["riclpm_a_to_y"] != b["riclpm_a_to_y"]
    assert a["riclpm_a_to_y"] == pytest.approx(b["riclpm_a_to_y"], abs=0.1)
    assert 0 <= a["equal_lags_p"] <= 1
    assert a["equal_lags_p"] == b["equal_lags_p"]
    assert "mean over steps" in free.estimates["label"].iloc[0]
    rows = study.sessions[study.sessions["session"].between(2, 6)]
    steps = al.methods.riclpm(
        rows, "alliance", "phq9", "client", "session", equal_lags=False, cluster="therapist"
    ).params
    for key, name in (("riclpm_a_to_y", "x_to_y"), ("riclpm_ar_y", "ar_y")):
        assert b[key] == pytest.approx(steps[[f"{name}_{k}" for k in (1, 2, 3, 4)]].mean(), rel=1e-6)
    assert "riclpm_longrun" not in b  # there is none where steps differ
    assert free.table("fit").to_frame()["df"].iloc[0] < equal.table("fit").to_frame()["df"].iloc[0]


def test_long_gaps_end_a_client_s_series() -> None:
    study = al.load_study("demo")
    every = al.lagged_effects(study, sessions=(1, 5), estimators=("riclpm",))
    some = al.lagged_effects(study, sessions=(1, 5), estimators=("riclpm",), max_gap_days=8)
    steps = [step.step for step in some.flow.steps]
    assert any("before a long gap" in text for text in steps)
    assert dict(some.facts)["Scored sessions"] != dict(every.facts)["Scored sessions"]


def test_a_gap_is_seen_through_a_session_that_was_not_scored() -> None:
    """Sessions 2 and 3 lie half a year apart; without the score of session 2 the client still ends before the gap."""
    study = al.load_study("demo")
    sessions = study.sessions.copy()
    full = sessions[sessions["session"].eq(5)]["client"].iloc[0]
    late = sessions["client"].eq(full)
    one = sessions[late & sessions["session"].between(1, 5)]
    sessions.loc[late & sessions["session"].ge(3), "week"] += 26
    sessions.loc[late & sessions["session"].eq(2), ["alliance", "phq9"]] = np.nan
    every, some = (
        al.lagged_effects(
            replace(study, _sessions=sessions),
            sessions=(1, 5),
            estimators=("riclpm",),
            trend=False,
            max_gap_days=days,
        ).flow.steps
        for days in (None, 170)
    )
    assert len(one) == 5
    lost = next(step for step in some if "before a long gap" in step.step)
    assert (
        lost.rows_in - lost.rows_out == 3
    )  # sessions 3 to 5 of this client; the rest have steps of a week or so
    assert every[-1].rows_out - some[-1].rows_out == 3


def test_few_therapists_are_not_clusters() -> None:
    result = al.lagged_effects(
        clinic(3, clients=200, therapists=8), sessions=(1, 5), estimators=("riclpm",), trend=False
    )
    note = next(n for n in result.notes if n.code == "not_clustered")
    assert note.message == (
        "8 therapists are too few for standard errors by therapist, so clients are taken as independent."
    )
    assert "clients are taken as independent" in str(result.methods)


def test_a_third_process() -> None:
    study = clinic(6, clients=300)
    with pytest.raises(al.StudyError, match="has no measure 'empathy'"):
        al.lagged_effects(study, other="empathy")
    noise = np.random.default_rng(1).normal(20, 4, len(study.sessions))
    third = replace(study.measures["phq9"], name="gad")
    sessions = study.sessions.assign(gad=noise)
    more = replace(study, _sessions=sessions, measures={**study.measures, "gad": third})
    result = al.lagged_effects(
        more, outcome="phq9", other="gad", sessions=(1, 5), estimators=("riclpm",), trend=False
    )
    two = al.lagged_effects(study, sessions=(1, 5), estimators=("riclpm",), trend=False)
    ours, theirs = (r.estimates.set_index("id")["estimate"] for r in (result, two))
    names = ["riclpm_a_to_y", "riclpm_y_to_a", "riclpm_contemporaneous"]
    np.testing.assert_allclose(
        ours[names], theirs[names], atol=0.03
    )  # a third measure of noise changes little
    rows = more.sessions[more.sessions["session"].between(1, 5)]
    all_three = al.methods.riclpm(rows, "alliance", "phq9", "client", "session", z="gad", cluster="therapist")
    shown = {"z_to_y": "z_to_y", "a_to_z": "x_to_z", "ar_z": "ar_z"}
    for key, name in shown.items():
        assert ours[f"riclpm_{key}"] == pytest.approx(all_three.params[name], rel=1e-6)
    covariate = replace(study, _sessions=sessions, session_covariates=("gad",))
    adjusted = al.lagged_effects(
        covariate, other="gad", sessions=(1, 5), estimators=("riclpm",), trend=False
    ).estimates.set_index("id")["estimate"]
    assert adjusted["riclpm_z_to_y"] == pytest.approx(ours["riclpm_z_to_y"], rel=1e-6)
    with pytest.raises(
        al.StudyError, match="'gad' is a covariate with categories, and a third process needs numbers"
    ):
        al.lagged_effects(replace(covariate, _sessions=sessions.assign(gad="a")), other="gad")
    arrows = next(f for f in result.figure_specs if f.name == "paths").data
    assert len(arrows) == 9  # three that carry over and six that cross
    assert not arrows["estimate"].isna().any()


def with_covariates() -> al.Study:
    """A clinic whose clients have an age, whose therapists have years of experience, and whose sessions have a mood."""
    study = clinic(7, clients=200, therapists=22)
    rng = np.random.default_rng(2)
    age = 20 + rng.integers(0, 40, len(study.clients)).astype(float)
    age[0] = np.nan
    therapists = study.clients[["therapist"]].drop_duplicates(ignore_index=True)
    return replace(
        study,
        covariates=("age",),
        therapist_covariates=("experience",),
        session_covariates=("mood",),
        _clients=study.clients.assign(age=age),
        _therapists=therapists.assign(experience=rng.integers(1, 20, len(therapists)).astype(float)),
        _sessions=study.sessions.assign(mood=rng.normal(size=len(study.sessions))),
    )


def test_covariates_are_those_of_the_methods() -> None:
    """The same models on the same rows, with the covariates as columns."""
    study = with_covariates()
    result = al.lagged_effects(
        study,
        sessions=(2, 5),
        estimators=("mldpm", "mlm"),
        trend=False,
        covariates=["age", "experience"],
    )
    ours = result.estimates.set_index("id")
    rows = study.sessions.merge(study.clients[["client", "age"]], on="client")
    rows = rows.merge(study.therapists, on="therapist")
    rows = rows[rows["session"].between(2, 5) & rows["age"].notna()]
    direct = al.methods.riclpm(
        rows, "alliance", "phq9", "client", "session", cluster="therapist", covariates=["age", "experience"]
    )
    for key, name in {"a_to_y": "x_to_y", "y_to_a": "y_to_x", "ar_a": "ar_x"}.items():
        assert ours.loc[f"riclpm_{key}", "estimate"] == pytest.approx(direct.params[name], abs=1e-5)
        assert ours.loc[f"riclpm_{key}", "se"] == pytest.approx(direct.bse[name], rel=1e-3)
    plain = al.methods.riclpm(rows, "alliance", "phq9", "client", "session", cluster="therapist")
    assert abs(ours.loc["riclpm_a_to_y", "estimate"] - plain.params["x_to_y"]) > 1e-4
    panel = al.methods.dynamic_panel(
        rows,
        "phq9",
        "client",
        "session",
        predetermined="alliance",
        constant=("age", "experience"),
        contemporaneous=True,
        cluster="therapist",
    )
    assert ours.loc["mldpm_a_to_y", "estimate"] == pytest.approx(panel.params["alliance_lag"], abs=1e-4)
    assert {"cov_age", "cov_experience"} <= set(result.models["mlm_a_to_y"].params.index)
    assert dict(result.facts)["Adjusted for"] == "age, experience"
    assert "each measure depends on the covariates at every session" in result.methods
    assert any("age is known" in step.step for step in result.flow.steps)
    with pytest.raises(al.StudyError, match=r"'mood' changes from session to session, .* other=mood"):
        al.lagged_effects(study, covariates=["age", "mood"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sessions": (1, 2)}, "1 to 2 are 2 sessions, and the model needs at least 3"),
        ({"sessions": (1, 3), "trend": True}, "1 to 3 are 3 sessions, and the model needs at least 4"),
        ({"sessions": "5-2"}, "the last session has to come after the first"),
        ({"sessions": "early"}, "give the first and the last session"),
        ({"estimators": ("ols",)}, "estimators"),
    ],
)
def test_wrong_requests(options, message) -> None:
    with pytest.raises(al.StudyError, match=message):
        al.lagged_effects(al.load_study("demo"), **options)


def test_too_few_clients_give_a_report_that_says_so() -> None:
    result = al.lagged_effects(clinic(4, clients=40, therapists=5), sessions=(1, 5))
    assert result.answer[0].startswith("There are too few data for an answer.")
    assert "the analysis of effects from one session to the next needs at least 50" in result.answer[0]
    assert result.estimates.empty


def test_too_short_series_give_a_report_that_says_so() -> None:
    study = clinic(5)
    short = study.sessions[study.sessions["session"] <= 2]
    result = al.lagged_effects(replace(study, _sessions=short))
    assert "at least 3 sessions in a row" in result.answer[0]


def test_outsiders_see_no_small_counts() -> None:
    result = al.lagged_effects(
        al.load_study("demo"), sessions=(1, 5), estimators=("riclpm",), audience="shareable"
    )
    assert dict(result.facts)["Clients"] == "About 900"


def test_texts_with_commas_and_dashes_are_read() -> None:
    result = al.lagged_effects(al.load_study("demo"), sessions="1-5", estimators="riclpm")
    assert result.parameters["sessions"] == [1, 5]


def test_groups_are_compared() -> None:
    """Women and men of the demonstration study; no effect in either, so the differences cover zero."""
    result = al.lagged_effects(al.load_study("demo"), sessions=(1, 5), estimators=("riclpm",), by="Sex")
    rows = result.estimates[result.estimates["id"].str.contains("riclpm_a_to_y")]
    assert len(rows) == 4  # all, each group, the difference
    last = rows.iloc[-1]
    assert last["ci_low"] < 0 < last["ci_high"]


def test_estimators_with_doubts_neither_agree_nor_disagree(demo) -> None:
    """In the demonstration study the tests of the moment estimators speak against three of the four."""
    codes = {
        (key, f.code)
        for key, model in demo.models.items()
        for f in getattr(model, "findings", ())
        if key.startswith("gmm")
    }
    assert ("gmm_difference_a_to_y", "outside_bracket") in codes
    said = [n.message for n in demo.notes if n.code == "outside_bracket"]
    assert said[0].startswith(
        "The carry-over from one session to the next lies outside the range between least squares and"
    )
    assert demo.answer[1].startswith("The 3 other estimates that also remove stable differences")


def test_instruments_are_counted(demo) -> None:
    """The tests of the moment estimators, from the method itself."""
    table = demo.table("instruments").to_frame().set_index("model")
    first, last = demo.parameters["sessions"]
    rows = al.load_study("demo").sessions
    rows = rows[rows["session"].between(first, last)]
    found = al.methods.dynamic_panel(
        rows, "phq9", "client", "session", predetermined="alliance", method="difference-gmm", steps=2, collapse=True,
        time_effects=True,
    )  # fmt: skip
    row = table.iloc[0]
    assert row["instruments"] == found.tests["n_instruments"]
    assert row["hansen_p"] == pytest.approx(
        stats.chi2.sf(found.tests["hansen"], found.tests["overidentification_df"])
    )
    assert row["m2_p"] == pytest.approx(2 * stats.norm.sf(abs(found.tests["m2"])))


def test_free_effects_that_do_not_converge_are_said(monkeypatch) -> None:
    """Then the effects are held equal, and the report says so."""
    own = sys.modules[al.lagged_effects.__module__]
    fitted = own.cross_lagged

    def stuck(*args, **options):
        if options.get("equal_lags") is False:
            return SimpleNamespace(converged=False)
        return fitted(*args, **options)

    monkeypatch.setattr(own, "cross_lagged", stuck)
    result = al.lagged_effects(
        clinic(2, 0.0), sessions=(2, 5), estimators=("riclpm",), trend=False, equal_lags=False
    )
    note = next(n for n in result.notes if n.code == "free_effects_failed")
    assert note.message.endswith("did not converge, so the effects are held equal over sessions.")
    assert result.parameters["equal_lags"] is True
    assert "held equal over sessions" in str(result.methods)


def test_without_dates_nothing_is_said_of_days(tmp_path) -> None:
    """Session numbers are the only time: no days between sessions, no gaps, and no therapists that a model could not use."""
    rows = al.simulate_clinic(3, therapists=12, clients=120, items=False).sessions
    rows[["client", "session", "wai", "phq9"]].to_csv(tmp_path / "s.csv", index=False)
    (tmp_path / "s.yaml").write_text(
        "study: Numbers\ntables:\n  sessions: {file: s.csv, columns: {client: client, session: session}}\n"
        "measures:\n  a: {instrument: wai_sr, total: wai}\n  y: {instrument: phq_9, total: phq9}\n"
    )
    study = al.load_study(tmp_path / "s.yaml")
    result = al.lagged_effects(study, sessions=(1, 5), estimators=("mlm",), trend=False)
    assert "Days between sessions" not in dict(result.facts)
    codes = [n.code for n in result.notes]
    assert "uneven_gaps" not in codes
    assert "simpler_model" not in codes
    with pytest.raises(al.StudyError, match="'max_gap_days': the study has no dates or weeks"):
        al.lagged_effects(study, sessions=(1, 5), max_gap_days=10)


def test_scores_that_do_not_change_are_said() -> None:
    study = clinic(4, clients=150)
    constant = study.sessions.assign(alliance=40.0)
    result = al.lagged_effects(replace(study, _sessions=constant), sessions=(1, 5))
    assert result.answer[0].endswith(
        "The scores of WAI-SR do not change within any client, so nothing can come before or after a change."
    )
