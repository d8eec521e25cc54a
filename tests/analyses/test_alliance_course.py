"""The course of the alliance: numbers against the methods on the same rows, planted shapes, and what the report says without an answer."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import methods
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth
from analyses.declared import with_covariates
from analyses.studies import value, with_sessions
from inside.methods_growth import course_class

SIZE = {"therapists": 12, "clients": 150, "alliance_by_improvement": 0.0}


def clinic(seed: int, **truth: float) -> al.Study:
    """Totals without errors of items; the alliance does not follow improvement, so that its shape is the planted one."""
    return simulated_study(seed, ClinicTruth(**{**SIZE, **truth}), items=False)


def codes(result: al.AnalysisResult) -> set[str]:
    return {n.code for n in result.notes}


@pytest.fixture(scope="module")
def dip() -> al.Study:
    return clinic(1, alliance_dip=8.0)


@pytest.fixture(scope="module")
def found(dip: al.Study) -> al.AnalysisResult:
    return al.alliance_course(dip, knots="5,8,11")


@pytest.fixture(scope="module")
def rows(dip: al.Study) -> pd.DataFrame:
    return dip.sessions.dropna(subset=["alliance"]).assign(time=lambda d: d["session"] - 1.0)


def test_shapes_and_turning_point_are_those_of_the_method(found, rows) -> None:
    direct = methods.growth_shapes(rows, "alliance", "time", "client", knots=[4, 7, 10])
    for name, row in direct.table.iterrows():
        assert value(found, f"aic_{name}") == pytest.approx(row["aic"], abs=1e-6)
    turn = direct.turning_point
    assert value(found, "turning") == pytest.approx(turn.estimate + 1)
    assert value(found, "turning", "ci_low") == pytest.approx(turn.delta[0] + 1)
    assert value(found, "turning_low") == pytest.approx(turn.fieller[0] + 1)
    assert value(found, "turning_high") == pytest.approx(turn.fieller[1] + 1)
    assert found.table("shapes").to_frame()["aic"].is_monotonic_increasing


def test_where_a_curved_course_turns_is_said(dip: al.Study) -> None:
    rng = np.random.default_rng(4)
    curved = dip.sessions.assign(
        alliance=lambda d: 40 + 0.3 * (d["session"] - 6.0) ** 2 + rng.normal(0, 2, len(d)),
        phq9=np.nan,
    )
    bent = al.alliance_course(with_sessions(dip, curved), shapes=("linear", "quadratic"))
    (said,) = (s for s in bent.answer if s.startswith("On average WAI-SR is lowest at session "))
    assert float(said.split("session ")[1].split(" ")[0]) == pytest.approx(6, abs=0.3)


def test_the_phases_are_those_of_the_mixed_model_and_of_the_truth(found, rows) -> None:
    """From session 5 to 8 the alliance loses 8 points, then gains them until session 11."""
    data = rows.assign(
        **{f"after{k}": np.maximum(rows["time"] - knot, 0) for k, knot in enumerate((4, 7, 10), 1)}
    )
    formula = "alliance ~ time + after1 + after2 + after3 + (1 + time | therapist/client)"
    direct = al.MixedModel.from_formula(formula, data).fit()
    b = direct.params
    for k, wanted in enumerate(
        (b["time"], b["time"] + b["after1"], b["time"] + b["after1"] + b["after2"]), start=1
    ):
        assert value(found, f"phase_{k}") == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    for k, truth in enumerate((0, -8 / 3, 8 / 3, 0), start=1):
        row = found.estimates.set_index("id").loc[f"phase_{k}"]
        assert abs(row["estimate"] - truth) < 3.5 * row["se"]
        assert row["se"] < 0.3
    assert value(found, "aic_piecewise") < value(found, "aic_quadratic") - 10
    assert "A straight line is clearly worse (likelihood-ratio test, p < .001)." in found.answer
    assert "falls in sessions 6 to 8, then rises in sessions 9 to 11" in " ".join(found.answer)
    assert "It falls and returns (high-low-high)" in " ".join(found.answer)


def test_a_richer_shape_that_may_be_chance_is_said(dip, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pd.DataFrame({"p": np.repeat(range(6), 5), "t": np.tile(range(5), 6)})
    rows["y"] = np.random.default_rng(1).normal(size=30)
    kind = type(methods.growth_shapes(rows, "y", "t", "p", ("linear",)))
    monkeypatch.setattr(kind, "against_line", lambda _: SimpleNamespace(statistic=3.1, df=2, p=0.4241))
    answer = al.alliance_course(dip, shapes="linear,quadratic").answer
    assert (
        "A straight line is not clearly worse (likelihood-ratio test, p = .424), and a smaller AIC alone may be due to chance."
        in answer
    )


@pytest.mark.parametrize(
    ("truth", "best"),
    [({"alliance_log": 5.0}, "log"), ({"alliance_growth": 0.3}, "linear")],
)
def test_planted_shapes_come_back(truth: dict, best: str) -> None:
    result = al.alliance_course(clinic(2, **truth), shapes="linear,log,quadratic")
    aic = {name: value(result, f"aic_{name}") for name in ("linear", "log", "quadratic")}
    # The curve contains the line; it wins by chance by two points or more in 5 % of data sets.
    assert min(aic, key=lambda k: aic[k] + 2 * (k == "quadratic")) == best
    assert "It does not clearly fall and return" in " ".join(result.answer)
    if best == "linear":
        assert "turning_open" in codes(result) or "turning_outside" in codes(result)
    assert "aic_piecewise" not in set(result.estimates["id"])


def test_classes_and_confusion_are_those_of_the_method(found, rows) -> None:
    kinds = {}
    for person, own in rows.groupby("client"):
        if len(own) >= 6:
            kinds[person] = course_class(own["time"].to_numpy(float), own["alliance"].to_numpy(float))
    shares = pd.Series(kinds).value_counts(normalize=True)
    for name in ("flat", "linear", "u", "inverted_u"):
        assert value(found, f"class_{name}") == pytest.approx(shares.get(name, 0.0))
    direct = methods.growth_shapes(rows, "alliance", "time", "client", ["linear"])
    counts = direct.classify()
    assert counts == {k: int((pd.Series(kinds) == k).sum()) for k in counts}
    confusion = direct.confusion()
    for name, wrong in confusion.wrong.dropna().items():
        assert value(found, f"confusion_{name}") == pytest.approx(wrong)
    assert "classes_confused" in codes(found)
    table = found.table("confusion").to_frame()
    np.testing.assert_allclose(table.set_index("true").sum(axis=1), 1)


def test_late_alliance_is_the_model_s_on_the_same_clients_and_the_truth_s_sign() -> None:
    study = clinic(3, clients=300, late_alliance=-0.25, within=0.0, between=0.0, alliance_session_sd=4.0)
    s = study.sessions
    some = s["client"].drop_duplicates()
    s.loc[s["client"].isin(some[::9]) & (s["session"] <= 5), "alliance"] = np.nan
    s.loc[s["client"].isin(some[4::9]) & (s["session"] > 5), "alliance"] = np.nan
    result = al.alliance_course(with_sessions(study, s), shapes=("linear",))
    scored = s[s["phq9"].notna()]
    last = scored.groupby("client")["session"].max()
    begin = s["client"].map(last) - 4
    part = s[(s["session"] >= begin) & (s["session"] < begin + 4)]
    before = scored[scored["session"] <= scored["client"].map(last) - 4]
    frame = pd.DataFrame(
        {
            "therapist": s.groupby("client")["therapist"].first(),
            "early": s[s["session"].between(1, 5)].groupby("client")["alliance"].mean(),
            "late": part.groupby("client")["alliance"].mean(),
            "intake": scored.groupby("client")["phq9"].first(),
            "before": before.groupby("client")["phq9"].last(),
            "end": scored.groupby("client")["phq9"].last(),
            "begin": last - 4,
        }
    )[last - 4 > 5].dropna()
    for name in ("early", "late"):
        frame[f"{name}_c"] = frame[name] - frame.groupby("therapist")[name].transform("mean")
    direct = al.MixedModel.from_formula(
        "end ~ early_c + late_c + before + intake + begin + (1 | therapist)", frame
    ).fit()
    assert value(result, "late_given_early") == pytest.approx(direct.params["late_c"], rel=1e-5)
    assert value(result, "early_given_late") == pytest.approx(direct.params["early_c"], rel=1e-5)
    robust = direct.with_errors("CR2", "therapist")
    assert value(result, "late_given_early", "se") == pytest.approx(robust.bse["late_c"], rel=1e-4)
    assert value(result, "late_given_early", "n") == len(frame)
    assert value(result, "late_given_early", "ci_high") < 0
    assert "late_follows_improvement" in codes(result)
    assert "clients with a better late alliance had a better outcome" in result.answer[-1]


def test_falls_by_phase_are_those_of_find_ruptures(found, rows) -> None:
    marks = methods.find_ruptures(rows, "alliance").marks()
    phase = np.searchsorted([5, 8, 11], marks["session"], side="left") + 1
    shares = marks.groupby(phase)["event"].mean()
    for k in (1, 2, 3, 4):
        assert value(found, f"ruptures_phase_{k}") == pytest.approx(shares[k])
    assert value(found, "ruptures_phase_2", "ci_low") > value(found, "ruptures_expected")
    # Simulated series are whole numbers within the range of the questionnaire, as in alliance_events.
    null = methods.find_ruptures(rows, "alliance", n_series=100, limits=(12, 60), step=1)
    assert value(found, "ruptures_expected") == pytest.approx(null.expected / null.transitions)


def test_share_of_treatment_against_sessions() -> None:
    """A rise that ends with each client's own treatment is better described by the share of treatment."""
    study = clinic(4)
    sessions = study.sessions
    length = sessions.groupby("client")["session"].transform("max").clip(lower=2)
    sessions["alliance"] += 12 * ((sessions["session"] - 1) / (length - 1))
    result = al.alliance_course(with_sessions(study, sessions), shapes=("linear", "quadratic"))
    assert value(result, "aic_over_share") < value(result, "aic_over_session") - 10
    assert "share_fits_better" in codes(result)


def test_groups_and_covariates() -> None:
    study = with_covariates(clinic(5, alliance_growth=0.5))
    result = al.alliance_course(study, shapes=("linear",), covariates="age", by="arm")
    ids = set(result.estimates["id"])
    assert {"phase_1_CBT", "phase_1_IPT", "phase_3_IPT_difference"} <= ids
    assert "cov_age" in result.models["phases"].params.index
    assert "cov_age" in result.models["late"].params.index


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shapes": "cubic"}, "Parameter 'shapes'"),
        (
            {"knots": (1, 5)},
            "give one to four sessions after session 1 and before session 16, such as 5,10; got 1, 5",
        ),
        ({"knots": (5, 40)}, "before session 16"),
        ({"min_ratings": 5}, "Parameter 'min_ratings'"),
        ({"alliance": "wai"}, "no alliance measure 'wai'"),
        ({"covariates": "age"}, "Parameter 'covariates'"),
    ],
)
def test_wrong_requests_are_refused(dip, options: dict, message: str) -> None:
    with pytest.raises(al.StudyError, match=message):
        al.alliance_course(dip, **options)


def test_too_few_data_are_a_report_that_says_so(dip) -> None:
    sessions = dip.sessions
    few = sessions[sessions["client"].isin(sorted(sessions["client"].unique())[:12])]
    result = al.alliance_course(with_sessions(dip, few))
    assert (
        "12 clients can be analysed; the analysis of the course of the alliance needs at least 20"
        in result.answer[0]
    )
    once = sessions[sessions["session"].isin([0, 3])]
    assert "fewer than three different sessions" in al.alliance_course(with_sessions(dip, once)).answer[0]
    flat = al.alliance_course(with_sessions(dip, sessions.assign(alliance=sessions["alliance"] * 0 + 40)))
    assert "All ratings of the alliance are equal, so there is no course" in flat.answer[0]
    short = al.alliance_course(
        with_sessions(dip, sessions[sessions["session"] <= 5]), shapes=("linear", "log")
    )
    assert {"no_classes", "few_late"} <= codes(short)
    assert "class_flat" not in set(short.estimates["id"])


def test_without_therapists_and_without_symptoms(dip) -> None:
    alone = replace(
        dip,
        _sessions=dip.sessions.drop(columns="therapist"),
        _clients=dip.clients.drop(columns="therapist"),
        measures={"alliance": dip.measures["alliance"]},
    )
    result = al.alliance_course(alone, shapes=("linear", "quadratic"))
    ids = set(result.estimates["id"])
    assert "late_given_early" not in ids
    assert {"phase_1", "class_flat", "aic_linear"} <= ids
    assert "therapists" not in result.models["phases"].groups


def test_both_audiences_and_the_study_is_unchanged(dip) -> None:
    kept = dip.sessions.copy()
    shared = al.alliance_course(dip, audience="shareable", shapes=("linear", "quadratic"))
    pd.testing.assert_frame_equal(dip.sessions, kept)
    assert [t.name for t in shared.tables][1:3] == ["shapes", "phases"]
    assert list(shared.figures) == ["course", "classes"]
    assert shared.figures["course"] is not None


def test_phases_and_late_alliance_are_checked_without_each_therapist(found, rows) -> None:
    table = found.table("model_checks").to_frame()
    table = table.set_index("title")[["whole", "range", "at_high"]].replace("−", "-", regex=True)
    phases, late = table.loc["Alliance in phases"], table.loc["Outcome by early and late alliance"]
    assert float(phases["whole"]) == pytest.approx(value(found, "phase_1"), rel=0.01)
    assert float(late["whole"]) == pytest.approx(value(found, "late_given_early"), rel=0.01)
    data = rows.assign(
        **{f"after{k}": np.maximum(rows["time"] - knot, 0) for k, knot in enumerate((4, 7, 10), 1)}
    )
    formula = "alliance ~ time + after1 + after2 + after3 + (1 + time | therapist/client)"
    refits = [
        al.MixedModel.from_formula(formula, data[data["therapist"] != who]).fit().params["time"]
        for who in sorted(data["therapist"].unique())
    ]
    # One Newton step of the variances stands for a refit: within a tenth of the range.
    shown = [float(x) for x in phases["range"].split(" to ")]
    np.testing.assert_allclose(shown, [min(refits), max(refits)], atol=0.1 * np.ptp(refits))
    names = [f.name for f in found.figure_specs]
    assert {"residuals_phases", "without_phases"} <= set(names)
    assert "residuals_late" not in names
