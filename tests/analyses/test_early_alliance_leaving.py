"""Clients who left early may have another course: completers, and an average over both."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.simulation import ClinicTruth
from analyses.studies import early_design, value, with_sessions
from inside import DELTA_EFFECTS
from inside.analyses_early_alliance import client_weights, completed_rows, leavers


def test_the_rows_are_those_of_a_pattern_mixture_model(early: AnalysisResult, clinic: Study) -> None:
    design = early_design(clinic)
    weeks = max(np.floor(design.clients["weeks_followed"].median()), 1)
    rows = design.rows.assign(
        left=lambda d: (d.groupby("client")["weeks"].transform("max") < weeks).astype(int)
    )
    formula = early.table("models").to_frame().set_index("title").loc["Course after the window", "formula"]
    found = al.methods.pattern_mixture(formula, rows, "left", "weeks:early_client", "client", reml=True)
    assert value(early, "slope_within_completers") == pytest.approx(found.params["completers"], rel=1e-9)
    assert value(early, "slope_within_pattern") == pytest.approx(found.params["average"], rel=1e-9)
    assert value(early, "slope_within_pattern", "se") == pytest.approx(found.bse["average"], rel=1e-9)
    assert value(early, "slope_within_completers", "n") == (rows["left"] == 0).sum()
    between = found.of("weeks:early_therapist")
    for name, suffix in (("completers", "_completers"), ("average", "_pattern")):
        for column, expected in (("estimate", between.params), ("se", between.bse)):
            assert value(early, f"slope_between{suffix}", column) == pytest.approx(expected[name], rel=1e-9)
        assert value(early, f"slope_between{suffix}", "df") == value(early, "slope_between", "df")
    labels = early.table("leaving").to_frame()["label"]  # within, then between, each with the weighted one
    assert [w.split()[0] for w in labels] == ["Within"] * 4 + ["Between"] * 4


def test_the_horizon_can_be_set(clinic: Study, early: AnalysisResult) -> None:
    """Changes are described over it, and clients without a score after it have left; the model is the same."""
    asked = al.early_alliance(clinic, horizon=4, sensitivity=False)
    design = early_design(clinic)
    usual = value(early, "slope_within_per_sd") / design.typical_followup
    assert value(asked, "slope_within_per_sd") == pytest.approx(4 * usual)
    assert "week 4 after the window" in asked.table("leaving").note
    last = design.rows.groupby("client")["weeks"].max()
    rows = design.rows.assign(left=design.rows["client"].map((last < 4).astype(int)))
    formula = asked.table("models").to_frame().set_index("title").loc["Course after the window", "formula"]
    found = al.methods.pattern_mixture(formula, rows, "left", "weeks:early_client", "client", reml=True)
    assert value(asked, "slope_within_pattern") == pytest.approx(found.params["average"], rel=1e-9)
    with pytest.raises(
        al.StudyError, match="no client has a score of PHQ-9 100 weeks after the window or later"
    ):
        al.early_alliance(clinic, horizon=100)


def test_leavers_whose_effect_is_the_opposite_change_the_answer(clinic: Study) -> None:
    """Those who left before the usual horizon get worse the better their alliance was."""
    sessions = clinic.sessions
    weeks = sessions.groupby("client")["week"].transform("max") - sessions["week"].where(
        sessions["session"] <= 5
    ).groupby(sessions["client"]).transform("max")
    early = sessions["alliance"].where(sessions["session"] <= 5).groupby(sessions["client"]).transform("mean")
    own = early - early.groupby(sessions["therapist"]).transform("mean")
    later = (sessions["session"] > 5) & (weeks < weeks.groupby(sessions["client"]).first().median() - 1)
    shift = 0.25 * own * (sessions["session"] - 5)
    sessions["phq9"] = (sessions["phq9"] + shift.where(later, 0).fillna(0)).clip(0, 27)
    result = al.early_alliance(with_sessions(clinic, sessions), sensitivity=False)
    note = next(f for f in result.notes if f.code == "leaving_moves_the_answer")
    assert "The answer depends on how those who left would have gone on." in note.message
    assert value(result, "slope_within_completers") < value(result, "slope_within_pattern")
    changed = next(f for f in result.notes if f.code == "dropout_changes_answer")
    assert "about clients who left (of" in changed.message
    assert ", averaged over clients who stayed and who left" in changed.message


def test_too_few_leavers_have_no_row(few: Study) -> None:
    kept = sorted(few.sessions["client"].unique())[:45]
    study = with_sessions(few, few.sessions[few.sessions["client"].isin(kept)])
    result = al.early_alliance(study)
    assert "leaving" not in {t.name for t in result.tables}
    near = al.early_alliance(study, horizon=1)
    assert "deltas" not in {t.name for t in near.tables}
    note = next(f for f in near.notes if f.code == "few_left")
    assert "Scores after leaving are filled in only where at least 10 clients left" in note.message


def test_scores_are_filled_in_up_to_the_horizon_and_moved(clinic: Study, early: AnalysisResult) -> None:
    """As expected is as at random; worse by a delta moves every leaver's line, and the effect by what leaving has to do with alliance."""
    main, se = value(early, "slope_within"), value(early, "slope_within", "se")
    assert abs(value(early, "slope_within_delta_0") - main) < 0.5 * se
    assert value(early, "slope_within_delta_0", "df") < value(early, "slope_within", "df") + 1e-9
    deltas = [-2, 0, 1, 2, 3, 5]
    within = [value(early, f"slope_within_delta_{d}") for d in deltas]
    steps = np.diff(within) / np.diff(deltas)
    np.testing.assert_allclose(steps, steps.mean(), atol=0.06 * se)  # a line, but for the variances
    assert value(early, "slope_within_delta_5", "se") > value(early, "slope_within_delta_0", "se")
    # Moved apart, the two kinds of leavers pull in opposite directions; together they give the row of all.
    below, above = (value(early, f"slope_within_delta_5_{k}") for k in ("below", "above"))
    zero = value(early, "slope_within_delta_0")
    assert below < zero < above
    assert below + above - 2 * zero == pytest.approx(
        value(early, "slope_within_delta_5") - zero, abs=0.2 * se
    )
    assert {"slope_between_delta_0", "slope_between_delta_5", "tipping_within"} <= set(early.estimates["id"])


def test_the_rows_to_fill_in_by_loops(clinic: Study) -> None:
    design = early_design(clinic)
    weeks = design.typical_followup
    left = leavers(Draft(clinic), design, weeks)
    frame = completed_rows(design, weeks, left)
    new = frame[frame["y"].isna()]
    wanted = []
    for client, own in design.rows.groupby("client"):
        last = own["weeks"].max()
        wanted += [(client, float(t)) for t in range(100) if last < t <= weeks and last < weeks]
    assert sorted(zip(new["client"], new["weeks"], strict=True)) == sorted(wanted)
    assert frame["left"].groupby(frame["client"]).first().sum() == len(left)
    assert frame.drop(columns="y").notna().all(axis=None)
    planned = replace(clinic, _clients=clinic.clients.assign(ending="planned"))
    assert leavers(Draft(planned), design, weeks).empty


def test_the_tipping_point_is_said(clinic: Study) -> None:
    """A very large delta makes every interval reach zero; the first sentence names where."""
    result = al.early_alliance(clinic, delta=(0, 60), m=10)
    tipping = value(result, "tipping_within")
    assert 0 < tipping < 60
    assert "the effect within therapists would no longer be clear from" in result.answer[2]
    assert "reaches zero at" in next(t for t in result.tables if t.name == "deltas").note
    figure = next(f for f in result.figure_specs if f.name == "deltas")
    assert figure.data["label"].tolist()[:3] == ["observed scores only", "as expected", "60 points worse"]
    assert result.figure_specs[0].name == "course"
    figure.figure()
    few = al.early_alliance(clinic, delta="1,2", m=5)
    assert "by up to 2 points, the effect within therapists would still be clear." in few.answer[2]


def test_many_who_left_are_said(clinic: Study) -> None:
    sessions = clinic.sessions
    some = sessions["client"].isin(sorted(sessions["client"].unique())[::3])
    result = al.early_alliance(
        with_sessions(clinic, sessions[~(some & (sessions["session"] > 6))]), sensitivity=False
    )
    many = next(f for f in result.notes if f.code == "many_left")
    assert "outcome score in the last third of the" in many.message
    assert (
        "What their scores would have been is an assumption; see the rows with other assumptions."
        in many.message
    )


def test_without_imputation(clinic: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = al.early_alliance(clinic, sensitivity=False)
    assert "deltas" not in {t.name for t in plain.tables}

    def fails(*_: object, **__: object) -> None:
        raise FitError("No optimum.")

    monkeypatch.setattr(DELTA_EFFECTS, fails)
    result = al.early_alliance(clinic, m=5)
    assert next(f.message for f in result.notes if f.code == "no_imputation") == (
        "Scores after leaving could not be filled in, because the model of the completed scores cannot be fitted."
    )
    for asked, words in (
        ({"m": 1}, "Parameter 'm'"),
        ({"delta": "much"}, "Parameter 'delta'"),
        ({"delta": (1.0,) * 21}, "Parameter 'delta'"),
    ):
        with pytest.raises(al.StudyError, match=words):
            al.early_alliance(clinic, **asked)


def test_weights_for_those_who_left_before_the_end_of_the_window(
    clinic: Study, early: AnalysisResult
) -> None:
    """Two logistic regressions by another program, on rows made by loops."""
    rows = []
    for client, own in clinic.sessions.groupby("client"):
        seen = own[own["session"] >= 0].sort_values("session")
        last = int(seen["session"].max())
        for period in range(2, min(last + 1, 5) + 1):
            before = seen[seen["session"] < period]
            y, a = before["phq9"].dropna(), before["alliance"].dropna()
            rows.append(
                (
                    client,
                    period,
                    int(period > last),
                    y.iloc[-1] if len(y) else np.nan,
                    a.mean() if len(a) else np.nan,
                )
            )
    frame = pd.DataFrame(rows, columns=["client", "period", "event", "y", "a"])
    assert frame["event"].sum() >= 10
    frame["unrated"] = frame["a"].isna().astype(float)
    frame = frame.fillna({"y": frame["y"].mean(), "a": frame["a"].mean()})
    step = frame["period"].map({p: p for p in frame.loc[frame["event"] == 1, "period"]}).ffill().bfill()
    times = pd.get_dummies(step.astype(int), dtype=float)
    used = ["y", "a", *(["unrated"] if frame["unrated"].std() > 0 else [])]
    full = sm.Logit(frame["event"], pd.concat([times, frame[used]], axis=1)).fit(disp=0).predict()
    plain = sm.Logit(frame["event"], times).fit(disp=0).predict()
    ratio = pd.Series((1 - plain) / (1 - full)).groupby(frame["client"]).prod()
    stayed = frame.groupby("client")["event"].max() == 0
    wanted = ratio[stayed].clip(*ratio[stayed].quantile([0.01, 0.99]))
    design = early_design(clinic)
    found = client_weights(clinic.sessions, design)
    np.testing.assert_allclose(found, wanted.reindex(design.clients["client"]), rtol=1e-5)
    main, se = value(early, "slope_within"), value(early, "slope_within", "se")
    assert abs(value(early, "slope_within_ipw") - main) < 0.2 * se  # few left, so the weights are near one
    assert value(early, "slope_between_ipw") == pytest.approx(value(early, "slope_between"), rel=0.15)
    assert value(early, "slope_between_ipw", "df") <= design.n_therapists


def test_the_answer_says_when_it_hangs_on_who_of_those_who_left_did_worse(early: AnalysisResult) -> None:
    table = early.estimates.set_index("id")
    rows = table[table.index.str.match("slope_within_delta_.*_(above|below)")]
    lost = [i for i, row in rows.iterrows() if row["ci_low"] <= 0 <= row["ci_high"]]
    assert [i.rpartition("_")[2] for i in lost] == ["above"]
    said = [str(sentence) for sentence in early.answer if "if only those" in sentence]
    assert said == [
        "It would no longer be clear if only those with a better alliance than usual for their therapist had gone on 5 points worse."
    ]


def test_worse_is_lower_on_a_scale_of_which_higher_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the imputation is asked for; it has its own tests."""
    asked: list[float] = []

    def fails(_model: object, _frame: object, _terms: object, deltas: list[float], **_: object) -> None:
        asked.extend(deltas)
        raise FitError("not fitted")

    monkeypatch.setattr(DELTA_EFFECTS, fails)
    monkeypatch.setattr(Draft, "checks", lambda *_, **__: None)
    study = simulated_study(3, ClinicTruth(therapists=8, clients=100), items=False)
    measure = study.measures["phq9"]
    turned = replace(measure, instrument=replace(measure.instrument, direction="higher_better"))
    sessions = study.sessions
    sessions["phq9"] = 27 - sessions["phq9"]
    al.early_alliance(
        replace(with_sessions(study, sessions), measures={**study.measures, "phq9": turned}),
        delta=(-1, 3),
        m=5,
    )
    assert asked == [1, 0, -3]
