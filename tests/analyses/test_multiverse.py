"""The multiverse: its cells by other programs, its main cell as the main report has it, its joint test on simulated truth, its words."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study
from alliance_longitudinal.analyses.kit import MIN_THERAPISTS
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth
from alliance_longitudinal.timing import split_by_therapist
from analyses.studies import early_design, value, with_sessions
from inside.analyses_multiverse import Multiverse, summary_of
from inside.analyses_multiverse import words as said_of

QUICK = {"windows": "3,1-5,first5", "n_perm": 99}
#: Nothing makes early alliance and later symptoms go together.
NOTHING = ClinicTruth(
    therapists=12, clients=144, within=0.0, between=0.0, alliance_by_improvement=0.0, alliance_by_severity=0.0
)


@pytest.fixture(scope="module")
def result(clinic: Study) -> AnalysisResult:
    return al.multiverse(clinic, **QUICK)


def rows(result: AnalysisResult, name: str = "analyses") -> pd.DataFrame:
    return next(t for t in result.tables if t.name == name).to_frame()


def note(result: AnalysisResult, code: str) -> str:
    return next(n.message for n in result.notes if n.code == code)


def clients_of(study: Study) -> pd.DataFrame:
    """Early alliance and the change to the last score by loops, for clients with a change up to session 5."""
    out = []
    for client, own in study.sessions.groupby("client"):
        if own["session"].max() < 5:
            continue
        early = own.loc[own["session"].between(1, 5), "alliance"].dropna()
        before = own.loc[own["session"] <= 5, "phq9"].dropna()
        after = own.loc[own["session"] > 5, ["week", "phq9"]].dropna()
        if not len(early) or len(before) < 2 or not len(after):
            continue
        zero = own.loc[own["session"] <= 5, "week"].max()
        out.append(
            {
                "client": client,
                "therapist": own["therapist"].iloc[0],
                "early": early.mean(),
                "first": early.iloc[0],
                "intake": before.iloc[0],
                "change": before.iloc[-1] - before.iloc[0],
                "last": after["phq9"].iloc[-1] - before.iloc[0],
                "end": after["phq9"].iloc[-1],
                "weeks": after["week"].to_numpy() - zero,
                "scores": after["phq9"].to_numpy(),
            }
        )
    return pd.DataFrame(out)


def slope_of(frame: pd.DataFrame, y: str, x: str) -> tuple[float, float]:
    """Effect of one SD within therapists by least squares with a dummy for each therapist, and the SD."""
    data = frame.dropna(subset=[y])
    fit = smf.ols(f"{y} ~ {x} + intake + change + C(therapist)", data).fit()
    sd = (data[x] - data.groupby("therapist")[x].transform("mean")).std()
    return float(fit.params[x] * sd), float(sd)


def test_the_main_analysis_is_that_of_the_main_report(clinic, result, early):
    """The same estimate, interval and p, in standard deviations of the intake score."""
    sd = early_design(clinic).clients["intake"].std()
    for column in ("estimate", "ci_low", "ci_high"):
        ours = -value(early, "slope_within_per_sd", column) / sd
        other = {"ci_low": "ci_high", "ci_high": "ci_low"}.get(column, column)
        assert value(result, "mv_main", other) == pytest.approx(ours, rel=1e-6)
    assert value(result, "mv_main", "p") == pytest.approx(value(early, "slope_within", "p"), rel=1e-6)


def test_least_squares_analyses_by_loops_and_dummies_of_therapists(clinic, result):
    """Each outcome and the first rating, from the raw rows."""
    people = clients_of(clinic)
    sd = people["intake"].std()
    weeks = result.parameters["horizon"]
    lines = [
        np.polyfit(r.weeks, r.scores, 1)[0] if len(r.scores) >= 3 else np.nan for r in people.itertuples()
    ]
    near = []
    for r in people.itertuples():
        away = np.abs(r.weeks - weeks)
        near.append(r.scores[away.argmin()] - r.intake if away.min() <= max(weeks / 4, 1) else np.nan)
    people = people.assign(slope=lines, horizon=near)
    table = rows(result)
    table = table[
        (table["estimator"] == "least squares") & (table["adjust"] == "intake severity and early change")
    ]
    found = table.set_index(["window", "outcome"])["estimate"]
    for early, x in (("sessions 1 to 5", "early"), ("first rating of sessions 1 to 5", "first")):
        for outcome, y, times in (
            ("change to the last score", "last", 1),
            ("rate of change", "slope", weeks),
            ("change at a fixed time", "horizon", 1),
        ):
            assert found[early, outcome] == pytest.approx(
                -times * slope_of(people, y, x)[0] / sd, rel=1e-8
            ), (early, outcome)


def test_recovery_by_hand(clinic):
    """Below 10 after 10 or more, and at least 6 points better: published for this instrument."""
    found = al.multiverse(clinic, windows="1-5", adjust="change", outcomes="recovered", n_perm=19)
    people = clients_of(clinic)
    people = people[people["intake"] >= 10]
    people = people.assign(y=((people["end"] < 10) & (people["end"] - people["intake"] <= -6)).astype(float))
    mixed = rows(found).set_index("estimator")["estimate"]
    assert mixed["least squares"] == pytest.approx(
        slope_of(people, "y", "early")[0] / people["y"].std(), rel=1e-8
    )
    # Within therapists a random level changes nothing but the error.
    assert mixed["three-level model"] == pytest.approx(mixed["least squares"], rel=0.1)
    assert (
        dict(found.facts)["Main question"] == "WAI-SR total, clients in treatment at session 5, on recovery"
    )


def test_the_joint_test_is_the_same_by_running_everything_again(clinic):
    """Alliance histories permuted within therapists, by hand, for unadjusted analyses of the same clients."""
    from alliance_longitudinal import methods

    found = al.multiverse(
        clinic,
        windows="1-5,first5",
        adjust="nothing",
        outcomes="last",
        estimators="least_squares",
        n_perm=49,
        seed=3,
    )
    data = clinic.sessions
    unit = data.groupby("client", sort=False)["therapist"].first()
    drawn = methods.shuffles(unit.to_numpy(), 49, 3)
    seen = data[data["session"].between(1, 5) & data["alliance"].notna()].groupby("client")["alliance"]
    people = pd.DataFrame({"therapist": unit, "early": seen.mean(), "first": seen.first()}, index=unit.index)
    own = data[data["session"] <= 5].dropna(subset=["phq9"]).groupby("client")["phq9"].first()
    end = data[data["session"] > 5].dropna(subset=["phq9"]).groupby("client")["phq9"].last()
    stays = data.groupby("client")["session"].max() >= 5
    people = people.assign(y=end - own, there=stays)
    members = (people[["early", "y"]].notna().all(axis=1) & people["there"]).to_numpy()
    kept = people[members]
    centre = kept.groupby("therapist")[["early", "first", "y"]].transform("mean")
    values = (kept[["early", "first", "y"]] - centre).to_numpy()
    t = []
    for order in drawn.of(members, back=True):
        cells = [
            methods.clustered_slope(values[:, 2], values[order, k][:, None], kept["therapist"], 0)
            for k in (0, 1)
        ]
        t.append(np.mean([c.estimate / c.se for c in cells]))
    real = np.mean(
        [
            c.estimate / c.se
            for c in (
                methods.clustered_slope(values[:, 2], values[:, [k]], kept["therapist"], 0) for k in (0, 1)
            )
        ]
    )
    assert value(found, "mv_p_mean_t") == (1 + np.sum(np.abs(t) >= abs(real))) / 50


def joint(study: Study, **more) -> tuple[float, float, float]:
    found = al.multiverse(
        study, adjust="nothing,change", scales="total", n_perm=39,
        **{"windows": "1-3,1-5", "outcomes": "slope,last", "estimators": "least_squares"} | more,
    )  # fmt: skip
    return tuple(value(found, f"mv_p_{name}") for name in ("median", "mean_t", "share"))


def test_without_an_effect_p_is_uniform_and_with_one_it_is_small():
    """20 clinics without an effect; one with the usual one."""
    p = np.array([joint(simulated_study(seed, NOTHING, items=False)) for seed in range(20)])
    for k in (0, 1):
        assert stats.kstest(p[:, k], "uniform").pvalue > 0.005
    assert (p[:, 2] <= 0.05).mean() <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 20)
    strong = replace(NOTHING, within=-0.06)
    assert max(joint(simulated_study(1, strong, items=False))) == 1 / 40


def test_mixed_models_with_held_variances_judge_as_least_squares_do():
    study = simulated_study(3, NOTHING, items=False)
    exact, held = joint(study, outcomes="last"), joint(study, outcomes="last", estimators="three_level")
    assert held[1] == pytest.approx(exact[1], abs=0.2)
    strong = simulated_study(1, replace(NOTHING, within=-0.06), items=False)
    assert joint(strong, estimators="three_level,two_level")[1] == 1 / 40


def test_between_therapists(clinic):
    """Therapists' means by hand; the mixed model's effect is that of the main report."""
    found = al.multiverse(
        clinic, effect="between", windows="1-5", adjust="change", outcomes="last", n_perm=19
    )
    means = clients_of(clinic).groupby("therapist")[["last", "early", "intake", "change"]].mean()
    fit = smf.ols("last ~ early + intake + change", means).fit()
    sd = clients_of(clinic)["intake"].std()
    table = rows(found).set_index("estimator")
    assert table.loc["least squares", "estimate"] == pytest.approx(
        -fit.params["early"] * means["early"].std() / sd, rel=1e-8
    )
    main = al.early_alliance(clinic, sensitivity=False)
    assert table.loc["three-level model", "estimate"] == pytest.approx(
        -value(main, "end_between_per_sd") / sd, rel=0.15
    )
    assert "clients of therapists with a better alliance" in found.answer[0]
    assert (
        "The mean alliances of therapists were permuted among therapists 19 times"
        in found.methods_parts.paragraphs[2]
    )


def test_questions_are_not_mixed(result):
    """A row per question; the main one holds only windows that end at session 5, and recovery is apart."""
    table = rows(result, "questions")
    assert table["question"].tolist() == [
        "WAI-SR total, clients in treatment at session 5 (main question)",
        "WAI-SR total, clients in treatment at session 3",
        "WAI-SR total, clients in treatment at session 3, on recovery",
        "WAI-SR total, clients in treatment at session 5, on recovery",
    ]
    assert table["cells"].tolist() == [36, 18, 6, 12]
    cells = rows(result)
    assert set(cells["window"]) == {"sessions 1 to 5", "first rating of sessions 1 to 5"}
    assert "recovered" not in set(cells["outcome"])
    assert cells["main"].tolist().count("yes") == 1
    assert value(result, "mv_median") == pytest.approx(np.median(cells["estimate"]))
    assert value(result, "mv_n_significant") == ((cells["p"] < 0.05) & (cells["estimate"] > 0)).sum()


def test_the_share_of_each_choice_by_a_main_effects_model(result):
    data = next(f for f in result.figure_specs if f.name == "every_curve").data
    names = ["window", "adjust", "outcome", "estimator"]
    full = smf.ols("estimate ~ " + " + ".join(names), data).fit()
    for name in names:
        without = smf.ols("estimate ~ " + " + ".join(n for n in names if n != name), data).fit()
        share = (without.ssr - full.ssr) / full.centered_tss
        assert value(result, f"mv_choice_{name}") == pytest.approx(share, abs=1e-10)


def test_the_answer_and_the_figures(result):
    assert result.answer[0].startswith(
        "All 36 analyses of the main question have the sign of the main analysis: clients of the same therapist "
        "with a better alliance have a better outcome. The median effect is 0."
    )
    assert "without any effect one would expect about" in result.answer[1]
    assert (
        "show an effect that chance does not explain (p = .010 by the mean t, .010 by the median)."
        in result.answer[1]
    )
    assert result.answer[2] == (
        "All 72 analyses, with other parts of the alliance and other clients, have this sign."
    )
    assert result.answer[3].startswith("The choice that moves the answer most is '")
    checks = ["residuals_growth", "without_growth"]
    assert [f.name for f in result.figure_specs] == ["curve", "every_curve", *checks]
    curve, every = result.figure_specs[:2]
    assert len(curve.data) == 36
    assert len(every.data) == 72
    for spec in (curve, every):  # the matrix below the curve shows only what differs
        assert all(len(set(spec.data[c])) > 1 for c in spec.draw.keywords["choices"])
    assert curve.data["estimate"].is_monotonic_increasing
    assert (curve.data["low"] < 0).all()
    for spec in (curve, every):
        assert len(spec.figure().axes) == 2
    assert "growth" in result.models


def test_the_main_analysis_is_checked_for_internal_readers(result):
    (row,) = result.table("model_checks").to_frame().to_dict("records")
    shown = float(row["whole"].replace("−", "-"))
    assert shown == pytest.approx(result.models["growth"].params["weeks:early_client"], rel=0.01)
    low, high = (float(x.replace("−", "-")) for x in row["range"].split(" to "))
    assert low < shown < high


def test_shareable_is_the_same_in_round_numbers(clinic):
    found = al.multiverse(clinic, **QUICK | {"estimators": "least_squares"}, audience="shareable")
    table = rows(found)
    assert (table["n"].dropna() % 10 == 0).all()
    assert found.answer[0].startswith("All 18 analyses")


def test_parts_of_the_alliance_and_measures_are_axes():
    study = al.load_study("demo")
    found = al.multiverse(
        study, windows="1-5", adjust="change", outcomes="last", estimators="least_squares", n_perm=19
    )
    assert set(rows(found, "questions")["question"]) == {
        "WAI-SR total, clients in treatment at session 5 (main question)",
        *(f"WAI-SR {s}, clients in treatment at session 5" for s in ("goal", "task", "bond")),
        "lowest of the scales of WAI-SR, clients in treatment at session 5",
    }
    assert "mv_choice_scale" in set(found.estimates["id"])
    one = al.multiverse(study, scales="total", windows="1-5", adjust="change", outcomes="last", n_perm=19)
    assert "mv_choice_scale" not in set(one.estimates["id"])


def test_raters_of_one_instrument_are_another_question(clinic):
    therapist = replace(clinic.measures["alliance"], name="alliance_t", rater="therapist")
    sessions = clinic.sessions
    rng = np.random.default_rng(5)
    sessions["alliance_t"] = sessions["alliance"] + rng.normal(0, 6, len(sessions))
    study = replace(with_sessions(clinic, sessions), measures={**clinic.measures, "alliance_t": therapist})
    quick = {
        "windows": "1-5",
        "adjust": "change",
        "outcomes": "last",
        "estimators": "least_squares",
        "n_perm": 19,
    }
    found = al.multiverse(study, **quick)
    assert rows(found, "questions")["question"].tolist() == [
        "WAI-SR total by the client, clients in treatment at session 5 (main question)",
        "WAI-SR total by the therapist, clients in treatment at session 5",
    ]
    assert "mv_choice_rater" in set(found.estimates["id"])
    alone = al.multiverse(study, measures="alliance", **quick)
    assert "mv_choice_rater" not in set(alone.estimates["id"])
    with pytest.raises(al.StudyError) as error:
        al.multiverse(study, measures="wai", **quick)
    assert str(error.value) == (
        "Parameter 'measures': the study has no alliance measure 'wai'. It has: alliance, alliance_t."
    )


def test_groups_are_beside_each_other_and_covariates_in_every_analysis(clinic):
    rng = np.random.default_rng(2)
    clients = clinic.clients
    clients = clients.assign(age=rng.normal(40, 9, len(clients)), sex=rng.choice(["f", "m"], len(clients)))
    study = replace(clinic, _clients=clients, covariates=("age", "sex"))
    quick = {"windows": "1-5", "adjust": "change", "outcomes": "last", "n_perm": 19}
    found = al.multiverse(study, covariates=["age"], by="sex", **quick)
    table = rows(found, "by_group")
    assert table["group"].tolist() == ["f", "m"]
    assert value(found, "mv_median_f") == table["median"].iloc[0]
    people = clients_of(clinic).merge(clients[["client", "age", "sex"]], on="client")
    fit = smf.ols("last ~ early + intake + change + age + C(therapist)", people).fit()
    sd = (people["early"] - people.groupby("therapist")["early"].transform("mean")).std()
    least = rows(found).set_index("estimator").loc["least squares", "estimate"]
    assert least == pytest.approx(-fit.params["early"] * sd / people["intake"].std(), rel=1e-8)


def test_a_fragile_answer_is_said():
    """Without an effect signs differ; a main analysis at the end of the curve is named."""
    found = al.multiverse(
        simulated_study(2, NOTHING, items=False), n_perm=19, estimators="least_squares,two_level"
    )
    assert "have the sign of the main analysis. The direction of the answer depends on the choices." in note(
        found, "answer_depends_on_choices"
    )
    assert "do not clearly differ from what chance produces" in found.answer[1]


def test_findings_of_single_curves(clinic):
    from alliance_longitudinal.analyses.kit import Draft
    from alliance_longitudinal.methods import specification_curve

    def curve(estimates):
        return specification_curve(
            pd.DataFrame(),
            [{"window": str(k)} for k in range(len(estimates))],
            lambda _, c: (estimates[int(c["window"])], 0.1, 50, 40),
        )

    estimates = [0.1] * 24 + [-0.5, 0.9]
    found = Multiverse((None,) * 26, curve(estimates), ["q"] * 26, 25, None)
    draft = Draft(clinic)
    said_of.findings(draft, found, summary_of(found.curve, 1.0))
    said = {f.code: f.message for f in draft.findings}
    assert said["significant_in_both_directions"] == (
        "1 analysis of the main question is significant in the direction opposite to the others. Look at the choices behind it."
    )
    assert said["main_analysis_is_extreme"] == (
        "The main analysis gives a larger effect than 96\u00a0% of the other analyses of the same question. The median is the more "
        "typical answer."
    )
    lost = curve([np.nan, 0.1, 0.2])
    draft = Draft(clinic)
    said_of.findings(draft, Multiverse((None,) * 3, lost, ["q"] * 3, 1, None), summary_of(lost, 1.0))
    assert [f.message for f in draft.findings] == [
        "1 analysis of 3 could not be made, because too few clients or therapists have the data or the model could not be "
        "fitted. They are not counted."
    ]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            {"windows": "5-1"},
            "Parameter 'windows': '5-1' is not an early window. Give a session such as 3, sessions such as 1-5, or the first "
            "rating of some sessions such as first5.",
        ),
        ({"windows": "firstly"}, "Parameter 'windows': 'firstly' is not an early window."),
        ({"scales": "bond"}, "Parameter 'scales': WAI-SR (client) has no part 'bond'. It has: total."),
        ({"adjust": "age"}, "Parameter 'adjust'"),
        ({"outcomes": ""}, "Parameter 'outcomes'"),
        ({"n_perm": 3}, "Parameter 'n_perm'"),
        ({"horizon": 0}, "Parameter 'horizon'"),
        ({"effect": "total"}, "Parameter 'effect'"),
    ],
)
def test_wrong_requests(clinic, asked, words):
    with pytest.raises(al.StudyError) as error:
        al.multiverse(clinic, **asked)
    assert words in str(error.value)


def test_too_little_data_is_a_report_without_an_answer(clinic):
    few = simulated_study(7, ClinicTruth(therapists=3, clients=18), items=False)
    assert "clients can be analysed; the multiverse needs at least 20." in al.multiverse(few).answer[0]
    same = clinic.sessions
    same["alliance"] = same["alliance"].where(same["alliance"].isna(), 40.0)
    found = al.multiverse(with_sessions(clinic, same), **QUICK)
    assert found.answer[0] == (
        "There are too few data for an answer. No analysis of the main question was possible: too few clients or "
        "therapists have the data that it needs."
    )
    assert found.estimates.empty
    alone = simulated_study(2, ClinicTruth(therapists=1, clients=60), items=False)
    nothing = al.multiverse(alone, windows="1-5", estimators="least_squares", n_perm=19)
    assert nothing.answer[0] == found.answer[0]  # robust errors need two therapists
    single = clinic.sessions.assign(therapist="T1")
    one = al.multiverse(
        with_sessions(clinic, single), windows="1-5", adjust="nothing", outcomes="last", n_perm=19
    )
    assert rows(one)["estimate"].notna().tolist() == [True, False]  # the mixed model has model errors


def test_the_study_is_left_as_it_was(clinic):
    before = clinic.sessions.copy()
    al.multiverse(
        clinic, windows="first5", adjust="nothing", outcomes="last", estimators="least_squares", n_perm=19
    )
    pd.testing.assert_frame_equal(clinic.sessions, before)


def test_clients_of_the_main_analysis_are_split_by_their_therapist(clinic):
    """What the cells centre is what the main report centres."""
    people = clients_of(clinic)
    ours = split_by_therapist(people, "early")["early_client"]
    design = early_design(clinic).clients.set_index("client")["early_client"]
    np.testing.assert_allclose(ours, design.reindex(people["client"]))
    assert MIN_THERAPISTS == 5
