"""Sessions to reliable improvement and length of treatment: by hand, against the methods, in both worlds, and without an answer."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import methods
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth
from analyses.declared import with_covariates
from analyses.studies import value, with_sessions

SIZE = {"therapists": 15, "clients": 200, "dropout_by_severity": 0.0}


def clinic(seed: int, **truth: float) -> al.Study:
    return simulated_study(seed, ClinicTruth(**{**SIZE, **truth}), items=False)


def codes(result: al.AnalysisResult) -> set[str]:
    return {n.code for n in result.notes}


@pytest.fixture(scope="module")
def study() -> al.Study:
    return clinic(1)


@pytest.fixture(scope="module")
def found(study: al.Study) -> al.AnalysisResult:
    return al.dose(study)


def by_hand(study: al.Study, points: float = 6.0) -> pd.DataFrame:
    """The first score at least ``points`` below the first one, client by client."""
    rows = []
    for client, own in study.sessions.dropna(subset=["phq9"]).groupby("client"):
        scores, sessions = own["phq9"].to_numpy(), own["session"].to_numpy()
        if len(scores) < 2 or scores[0] < points:
            continue
        hits = [k for k in range(len(scores)) if scores[0] - scores[k] >= points]
        held = [k for k in hits if k + 1 in hits]
        rows.append(
            {
                "client": client,
                "therapist": own["therapist"].iloc[0],
                "time": sessions[hits[0]] if hits else sessions[-1],
                "end": "improved" if hits else "left",
                "low": sessions[hits[0] - 1] if hits else sessions[-1],
                "high": sessions[hits[0]] if hits else np.nan,
                "kept": sessions[held[0]] if held else sessions[-1],
                "kept_end": "improved" if held else None,
            }
        )
    return pd.DataFrame(rows)


def test_shares_and_medians_are_those_of_clients_one_by_one(study, found) -> None:
    rows = by_hand(study)
    assert dict(found.facts)["Reliable improvement"] == "6 points"
    assert "whose score of PHQ-9 (client) was at least 6 points better than the first score." in found.methods
    assert value(found, "share_by_8", "n") == len(rows)
    competing = methods.cumulative_incidence(rows, "time", "end", cluster="therapist", few=True)
    row = competing.at(8).set_index("event").loc["improved"]
    assert value(found, "share_by_8") == pytest.approx(row["estimate"])
    assert value(found, "share_by_8", "ci_low") == pytest.approx(row["lower"])
    # Nobody is still in treatment: the competing curve is the plain share.
    assert value(found, "share_by_8") == pytest.approx(
        ((rows["end"] == "improved") & (rows["time"] <= 8)).mean()
    )
    alone = rows.assign(end=rows["end"].where(rows["end"] == "improved"))
    survival, curve = 1.0, {}
    for t in sorted(alone["time"].unique()):
        survival *= 1 - ((alone["time"] == t) & alone["end"].notna()).sum() / (alone["time"] >= t).sum()
        curve[t] = 1 - survival
    assert value(found, "share_by_8_km") == pytest.approx(curve[8])
    assert value(found, "median_sessions_reliable") == next(t for t, f in curve.items() if f >= 0.5)
    kept = methods.cumulative_incidence(rows, "kept", "kept_end")
    assert value(found, "share_by_8_held") == pytest.approx(kept.at(8)["estimate"].iloc[0])
    turnbull = methods.interval_censored(rows, "low", "high")
    assert value(found, "share_by_8_interval") == pytest.approx(turnbull.at(8), abs=1e-6)
    assert value(found, "median_sessions_interval") == turnbull.median[1]
    assert value(found, "share_by_8") < value(found, "share_by_8_km")
    table = methods.cumulative_incidence(alone, "time", "end", cluster="therapist", few=True).table
    low = table.loc[table["upper"] >= 0.5, "time"].iloc[0]
    assert value(found, "median_sessions_reliable", "ci_low") == low


def test_the_models_of_length_are_the_mixed_models_on_the_same_scores(study, found) -> None:
    rows = study.sessions.dropna(subset=["phq9"])
    rows = rows[rows.groupby("client")["phq9"].transform("size") >= 3]
    length = rows["client"].map(study.sessions.groupby("client")["session"].max()).astype(float)
    data = rows.assign(
        time=rows["session"].astype(float), length=length - length.groupby(rows["client"]).first().mean()
    )
    knots = np.unique(np.quantile(data["time"], [0.2, 0.4, 0.6, 0.8]))
    data = data.assign(**{f"b{k}": np.maximum(data["time"] - knot, 0) for k, knot in enumerate(knots)})
    course = " + ".join(f"b{k}" for k in range(len(knots)))
    random = "(1 + time | therapist/client)"
    gel = al.MixedModel.from_formula(f"phq9 ~ time * length + {course} + {random}", data)
    fit = gel.fit()
    assert value(found, "slope_by_length") == pytest.approx(fit.params["time:length"], rel=1e-4, abs=1e-6)
    robust = fit.with_errors(
        "CR2", "therapist"
    )  # lengths may matter differently for each therapist's clients
    assert value(found, "slope_by_length", "se") == pytest.approx(robust.bse["time:length"], rel=1e-3)
    same = al.MixedModel.from_formula(f"phq9 ~ time + length + {course} + {random}", data)
    gap = same.fit(reml=False).aic - gel.fit(reml=False).aic
    assert value(found, "gel_vs_dose_aic") == pytest.approx(gap, abs=1e-3)


def test_both_worlds() -> None:
    """Dose: length has nothing to do with change. Good-enough level: treatments end 0.8 sessions sooner per point of early improvement."""
    dose, enough = [], []
    for seed in (11, 12, 13, 14):
        dose.append(al.dose(clinic(seed)).estimates.set_index("id"))
        enough.append(al.dose(clinic(seed, length_by_improvement=-0.8)).estimates.set_index("id"))
    slopes = np.array([[e.loc["slope_by_length", "estimate"] for e in world] for world in (dose, enough)])
    errors = np.mean([e.loc["slope_by_length", "se"] for e in dose])
    assert abs(slopes[0].mean()) < 3.5 * errors / 2
    assert (slopes[1] > 0.015).all()
    assert all(e.loc["slope_by_length", "ci_low"] > 0 for e in enough)
    assert all(e.loc["gel_vs_dose_aic", "estimate"] > 2 for e in enough)
    assert np.mean([e.loc["gel_vs_dose_aic", "estimate"] for e in dose]) < 2
    result = al.dose(clinic(11, length_by_improvement=-0.8))
    assert "improved more slowly per session" in result.answer[-1]
    assert "good-enough-level model describes the scores better" in result.answer[-1]


def test_faster_change_in_long_treatments_is_not_a_good_enough_level(study: al.Study) -> None:
    """Rates differ by length, but clients with long treatments improve faster: the opposite of a good-enough level."""
    rows = study.sessions
    length = rows.groupby("client")["session"].transform("max")
    faster = rows["phq9"] - 0.06 * (length - length.mean()) * rows["session"]
    result = al.dose(with_sessions(study, rows.assign(phq9=faster.clip(0, 27))))
    assert value(result, "gel_vs_dose_aic") > 2
    assert result.answer[-1].startswith("Clients with longer treatments improved faster per session")
    assert (
        "rates that differ by length describe the scores better, but not in the way of a good-enough level"
        in result.answer[-1]
    )


def test_a_course_that_levels_off_is_no_good_enough_level() -> None:
    """Everybody's course is steep until session 5 and flat then; lengths are set by chance. A straight average course would find shorter
    treatments steeper (about .02 here, many standard errors)."""
    study = clinic(15)
    sessions = study.sessions
    rng = np.random.default_rng(1)
    steps = -1.5 * np.minimum(sessions["session"], 5)
    sessions["phq9"] = 20 + steps + rng.normal(0, 2, len(sessions))
    found = al.dose(with_sessions(study, sessions)).estimates.set_index("id").loc["slope_by_length"]
    assert found["ci_low"] < 0 < found["ci_high"]
    length = sessions["client"].map(sessions.groupby("client")["session"].max()).astype(float)
    data = sessions.assign(time=sessions["session"].astype(float), length=length - length.mean())
    straight = al.MixedModel.from_formula("phq9 ~ time * length + (1 | client)", data).fit()
    assert straight.tvalues["time:length"] > 4


def test_those_still_in_treatment_are_not_those_who_left() -> None:
    study = clinic(2, planned_chance=0.05, planned_by_session=0.05)
    assert study.clients["ending"].isna().any()
    result = al.dose(study)
    assert "endings_unknown" not in codes(result)
    rows = by_hand(study)
    open_ones = set(study.clients.loc[study.clients["ending"].isna(), "client"])
    rows.loc[(rows["end"] == "left") & rows["client"].isin(open_ones), "end"] = None
    direct = methods.cumulative_incidence(rows, "time", "end", cluster="therapist", few=True)
    assert value(result, "share_by_8") == pytest.approx(
        direct.at(8).set_index("event").loc["improved", "estimate"]
    )
    ended = study.clients.loc[study.clients["ending"].notna(), "client"]
    scored = study.sessions.dropna(subset=["phq9"])
    scored = scored[scored["client"].isin(ended) & (scored.groupby("client")["phq9"].transform("size") >= 3)]
    assert value(result, "slope", "n") == len(scored)


def test_points_direction_and_first_scores_without_room(study) -> None:
    strict = al.dose(study, points=12)
    assert strict.parameters["points"] == 12
    rows = by_hand(study, 12)
    assert value(strict, "share_by_8", "n") == len(rows) < study.sessions["client"].nunique()
    assert "cannot_improve" in codes(strict)
    # Fewer than half improve by so much within the sessions that there are.
    if "median_sessions_reliable" not in set(strict.estimates["id"]):
        assert "Fewer than half of the clients improved reliably" in strict.answer[1]
    mirrored = study.sessions.assign(phq9=27 - study.sessions["phq9"])
    measure = study.measures["phq9"]
    better = replace(measure, instrument=replace(measure.instrument, direction="higher_better"))
    other = replace(with_sessions(study, mirrored), measures={**study.measures, "phq9": better})
    same = al.dose(other, points=6)
    assert value(same, "share_by_8") == pytest.approx(value(al.dose(study, points=6), "share_by_8"))


def test_first_improvements_that_were_not_kept_are_said(found) -> None:
    assert value(found, "share_by_8_held") < value(found, "share_by_8_km") - 0.1
    assert "many_not_kept" in codes(found)
    assert {"length_is_a_result", "endings_unknown"} <= codes(found)
    assert any("must not be adjusted for length" in text for text in found.limits)


def test_alliance_and_length(study, found) -> None:
    ids = set(found.estimates["id"])
    assert {"length_by_alliance", "alliance_by_length"} <= ids
    # Lengths are set by chance here.
    assert value(found, "length_by_alliance", "ci_low") < 0 < value(found, "length_by_alliance", "ci_high")
    without = replace(study, measures={"phq9": study.measures["phq9"]})
    assert "length_by_alliance" not in set(al.dose(without).estimates["id"])


def test_groups_and_covariates(study) -> None:
    result = al.dose(with_covariates(study), by="arm", covariates="age")
    ids = set(result.estimates["id"])
    assert {"share_by_8_CBT", "share_by_8_IPT", "share_by_8_IPT_difference"} <= ids
    assert "cov_age" in result.models["length"].params.index


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"points": 0}, "Parameter 'points'"),
        ({"by_session": 0}, "Parameter 'by_session'"),
        ({"outcome": "bdi"}, "no symptoms measure 'bdi'"),
        ({"alliance": "haq"}, "no alliance measure 'haq'"),
    ],
)
def test_wrong_requests_are_refused(study, options: dict, message: str) -> None:
    with pytest.raises(al.StudyError, match=message):
        al.dose(study, **options)


def test_too_few_data_are_a_report_that_says_so(study) -> None:
    sessions = study.sessions
    few = sessions[sessions["client"].isin(sorted(sessions["client"].unique())[:12])]
    result = al.dose(with_sessions(study, few))
    assert (
        "12 clients can be analysed; the analysis of sessions to reliable improvement needs at least 20"
        in result.answer[0]
    )
    never = al.dose(with_sessions(study, sessions.assign(phq9=20.0)))
    assert "None of the clients improved by 6" in never.answer[0]
    measure = study.measures["phq9"]
    bare = replace(measure, instrument=replace(measure.instrument, reliable_changes=()))
    result = al.dose(replace(study, measures={**study.measures, "phq9": bare}))
    assert "has no points of reliable change. Give 'points'" in result.answer[0]
    equal = sessions[sessions["session"] <= 4]
    equal = equal[equal.groupby("client")["session"].transform("max") == 4]
    assert "few_lengths" in codes(al.dose(with_sessions(study, equal)))


def test_both_audiences_and_without_therapists(study) -> None:
    kept = study.sessions.copy()
    shared = al.dose(study, audience="shareable")
    pd.testing.assert_frame_equal(study.sessions, kept)
    assert [t.name for t in shared.tables][1:3] == ["shares", "medians"]
    assert list(shared.figures) == ["improvement", "length"]
    alone = replace(
        study,
        _sessions=study.sessions.drop(columns="therapist"),
        _clients=study.clients.drop(columns="therapist"),
    )
    result = al.dose(alone)
    assert value(result, "share_by_8") == pytest.approx(value(al.dose(study), "share_by_8"))
    assert "therapist" not in result.models["length"].groups


def test_the_model_of_length_is_checked_for_internal_readers(study, found) -> None:
    """The curve has no residuals; the model of length has, and its number is the one of the report."""
    (row,) = found.table("model_checks").to_frame().to_dict("records")
    shown = float(row["whole"].replace("−", "-"))
    assert shown == pytest.approx(value(found, "slope_by_length"), rel=0.01)
    low, high = (float(x.replace("−", "-")) for x in row["range"].split(" to "))
    assert low < shown < high
    assert row["at_low"] == pytest.approx((study.sessions["phq9"].dropna() == 0).mean(), abs=0.003)
    assert {"residuals_length", "without_length"} <= {f.name for f in found.figure_specs}
    assert (
        "which has no residuals to look at; internal reports check the model of length instead."
        in found.methods
    )


def test_few_lengths_leave_nothing_to_check() -> None:
    few = al.dose(clinic(1, clients=25, therapists=5))
    assert "model_checks" not in [t.name for t in few.tables]
    assert "which has no residuals to look at. " in few.methods
