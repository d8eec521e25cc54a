from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study, variance_partition
from alliance_longitudinal.analyses.disclosure import for_audience
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.simulation import ClinicTruth
from analyses.studies import shuffled, value, with_empathy, with_sessions
from inside import PARTITION_TESTS


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what takes time and is not looked at: leaving out each therapist, and tests by refits."""
    monkeypatch.setattr(Draft, "checks", lambda *_, **__: None)
    monkeypatch.setattr(PARTITION_TESTS, lambda *_: [])


@pytest.fixture(scope="module")
def partition(clinic: Study) -> AnalysisResult:
    return variance_partition(clinic)


@pytest.mark.parametrize("measure", ["alliance", "phq9"])
def test_shares_of_each_measure_add_up(partition: AnalysisResult, measure: str) -> None:
    level = [value(partition, f"level_{measure}_{k}") for k in ("therapist", "client", "session")]
    change = [value(partition, f"change_{measure}_{k}") for k in ("therapist", "client")]
    np.testing.assert_allclose([sum(level), sum(change)], 1, rtol=1e-12)
    assert min(level + change) >= 0


def test_variances_behind_the_shares(partition: AnalysisResult) -> None:
    """The shares are those of the variances that the report prints."""
    table = partition.table("variances").to_frame()
    level = table[table["model"] == "WAI-SR level"].set_index("group")["vcov"]
    shares = [value(partition, f"level_alliance_{k}") for k in ("therapist", "client", "session")]
    ours = [level["therapist"], level["client:therapist"], level["Residual"]]
    np.testing.assert_allclose(shares, np.array(ours) / sum(ours), rtol=1e-12)


def test_therapists_differ_in_alliance_as_simulated(partition: AnalysisResult) -> None:
    """True SD between therapists is 2.2 points; with 24 therapists its estimate has a standard error of about 0.45."""
    table = partition.table("variances").to_frame()
    row = table[(table["model"] == "WAI-SR level") & (table["group"] == "therapist")]
    assert float(row["sdcor"].iloc[0]) == pytest.approx(2.2, abs=3 * 0.45)


def test_methods_say_what_was_fitted(partition: AnalysisResult) -> None:
    assert (
        "WAI-SR course and PHQ-9 course: level and rate of change differ between therapists and between clients"
        in partition.methods
    )


def test_answer_names_both_measures(partition: AnalysisResult) -> None:
    assert len(partition.answer) == 4
    assert "WAI-SR" in partition.answer[0]
    assert "PHQ-9" in partition.answer[1]
    assert "of those in the last score given the first, " in partition.answer[1]
    assert partition.answer[2].startswith(
        "With 24 therapists and a median of 14 clients, a share of 5.0\u00a0% between therapists would be found with a probability of "
    )
    assert "of such studies the estimate would be zero." in partition.answer[2]
    assert partition.answer[3].startswith(
        "Therapists with better alliances had better outcomes (correlation "
    )


@pytest.mark.usefixtures("quick")
def test_three_therapists_are_not_a_level(few: Study) -> None:
    result = variance_partition(few)
    assert not result.estimates["id"].str.contains("therapist").any()
    assert "too few therapists" in result.answer[0]
    assert "WAI-SR level and PHQ-9 level: level differs between clients; no therapist level" in result.methods
    assert result.status["code"] == "underpowered"


def test_with_nobody_rated_the_report_says_so(clinic: Study) -> None:
    sessions = clinic.sessions.assign(alliance=np.nan)
    result = variance_partition(with_sessions(clinic, sessions))
    assert result.status["code"] == "underpowered"
    assert result.answer == (
        "There are too few data for an answer. 0 clients can be analysed; the variance partition of WAI-SR needs at least 20. "
        "Analyse more clients together.",
    )
    assert result.estimates.empty
    assert "too few data" in result._repr_html_()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("only", "other"), [("phq9", "alliance"), ("alliance", "symptoms")])
def test_a_study_with_one_kind_of_measure_is_divided_for_it(
    clinic: Study, partition: AnalysisResult, only: str, other: str
) -> None:
    """The same numbers as beside the other measure, as far as the same rows have a score; and it is said."""
    study = replace(clinic, measures={only: clinic.measures[only]})
    result = variance_partition(study)
    assert [e for e in result.estimates["id"] if only not in e] == ["p_zero", "power_here"]
    both = partition.estimates.set_index("id")
    own = result.estimates.set_index("id")
    own = own[own.index.str.startswith(("level", "change", "end"))]
    np.testing.assert_allclose(own["estimate"], both.loc[own.index, "estimate"], rtol=1e-6)
    (note,) = (f.message for f in result.notes if f.code == "one_measure")
    assert note.startswith(f"The study has no {other} measure, so the report is about ")


@pytest.mark.usefixtures("quick")
def test_any_measures_are_divided(clinic: Study, partition: AnalysisResult) -> None:
    """A process need not be called alliance: alone in a study, named, or beside others; the numbers are those of its scores."""
    study = with_empathy(clinic)
    named = variance_partition(study, measures=["empathy"])
    alone = variance_partition(replace(study, measures={"empathy": study.measures["empathy"]}))
    assert named.parameters["measures"] == alone.parameters["measures"] == ["empathy"]
    pd.testing.assert_frame_equal(named.estimates, alone.estimates)
    assert named.main == "level_empathy_therapist"
    model = named.models["level_empathy"]
    rows = study.sessions.dropna(subset=["empathy"]).assign(
        y=lambda d: d["empathy"], weeks=lambda d: d["week"]
    )
    again = al.MixedModel.from_formula(model.formula, rows).fit()
    assert again.llf == pytest.approx(model.llf, rel=1e-9)
    level = named.estimates.set_index("id")["estimate"].filter(regex="^level_empathy")
    assert level.sum() == pytest.approx(1)
    several = variance_partition(study, measures=["phq9", "empathy", "alliance"])
    own, both = several.estimates.set_index("id")["estimate"], partition.estimates.set_index("id")["estimate"]
    same = [i for i in both.index if i.startswith(("level_", "change_", "end_"))]
    np.testing.assert_allclose(own[same], both[same], rtol=1e-6)
    assert own["level_empathy_therapist"] == pytest.approx(level["level_empathy_therapist"], rel=1e-6)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"measures": ["wai"]}, "The study has no measure 'wai'. It has: alliance, phq9."),
        (
            {"measures": ["phq9"], "alliance": "alliance"},
            "Name either 'measures', or 'alliance' and 'outcome'.",
        ),
        (
            {"alliance": "phq9"},
            "Measure 'phq9' of the study measures symptoms, but here a measure of alliance is needed. The study's measures of "
            "alliance: alliance.",
        ),
    ],
)
def test_measures_that_cannot_be_divided(clinic: Study, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(StudyError) as caught:
        variance_partition(clinic, **asked)
    assert str(caught.value) == words


def one_row_each(study: Study, measure: str = "phq9") -> pd.DataFrame:
    """First and last score of each client, by plain pandas."""
    rows = study.sessions.dropna(subset=[measure]).sort_values(["client", "session"])
    first, last = rows.groupby("client").first(), rows.groupby("client").last()
    frame = pd.DataFrame({"therapist": first["therapist"], "intake": first[measure], "y": last[measure]})
    frame = frame[last["session"] > first["session"]]
    frame["between"] = frame.groupby("therapist")["intake"].transform("mean")
    return frame.assign(within=frame["intake"] - frame["between"])


def test_the_share_at_the_end_is_that_of_the_last_score_given_the_first(
    clinic: Study, partition: AnalysisResult
) -> None:
    rows = one_row_each(clinic)
    plain = al.MixedModel.from_formula("y ~ within + between + (1 | therapist)", rows).fit()
    v = plain.varcorr.set_index("group")["vcov"]
    assert value(partition, "end_phq9_therapist") == pytest.approx(v["therapist"] / v.sum(), rel=1e-6)
    assert value(partition, "end_phq9_client") == pytest.approx(v["Residual"] / v.sum(), rel=1e-6)
    assert value(partition, "end_phq9_client", "n") == len(rows)


def test_tests_of_no_difference_are_those_of_the_models(clinic: Study, partition: AnalysisResult) -> None:
    plain = al.MixedModel.from_formula("y ~ within + between + (1 | therapist)", one_row_each(clinic)).fit()
    own = plain.variance_tests("mixture").iloc[0]
    assert value(partition, "tau_p_mixture_end_phq9") == pytest.approx(own["p"], rel=1e-5)
    boot = plain.variance_tests("bootstrap", n_sim=400, seed=1)["p"].iloc[0]
    p = value(partition, "tau_p_boot_end_phq9")
    assert abs(p - boot) < 3 * np.sqrt(max(p, 0.01) / 400) + 1 / 401
    course = partition.models["change_phq9"].variance_tests("mixture", group="therapist", effects="weeks")
    assert value(partition, "tau_p_mixture_change_phq9") == pytest.approx(course["p"].iloc[0])
    assert value(partition, "tau_p_boot_change_phq9") * 101 == pytest.approx(
        round(value(partition, "tau_p_boot_change_phq9") * 101)
    )


@pytest.mark.usefixtures("quick")
def test_power_is_exact_for_equal_caseloads(clinic: Study) -> None:
    """20 therapists of 6 clients with one level each: the published table's formula."""
    sessions = clinic.sessions
    people = sessions.drop_duplicates("client").groupby("therapist").head(6)
    kept = people[people.groupby("therapist")["client"].transform("size").eq(6)]
    kept = kept[kept["therapist"].isin(kept["therapist"].unique()[:20])]
    study = with_sessions(clinic, sessions[sessions["client"].isin(kept["client"])].reset_index(drop=True))
    result = variance_partition(study, share=0.1)
    lam = 1 + 6 * 0.1 / 0.9
    assert value(result, "p_zero") == pytest.approx(stats.f.cdf(1 / lam, 19, 100))
    assert value(result, "power_here") == pytest.approx(stats.f.sf(stats.f.isf(0.05, 19, 100) / lam, 19, 100))
    assert np.isnan(value(result, "p_zero", "se"))
    # One score at the end has nearly this design: two more coefficients, and four Monte Carlo errors.
    assert value(result, "power_here_end_phq9") == pytest.approx(value(result, "power_here"), abs=0.04)
    (low,) = (f.message for f in result.notes if f.code == "low_power")
    assert low.startswith(
        "With one score per client, these therapists and clients would show a true share of 10\u00a0% with a probability of only "
    )


def test_the_power_is_that_of_a_share_of_all_variance(clinic: Study, partition: AnalysisResult) -> None:
    """Of the last score given the first: therapists' variance such that it is 5 % of the sum, by the engine with the same draws."""
    plain = al.MixedModel.from_formula("y ~ within + between + (1 | therapist)", one_row_each(clinic)).fit()
    rest = float(plain.varcorr.set_index("group").loc["Residual", "vcov"])
    power, other = (
        plain.variance_power("therapist", ratio * rest, n_sim=10_000, seed=20_260_105)
        for ratio in (0.05 / 0.95, 0.05)
    )
    assert value(partition, "power_here_end_phq9") == pytest.approx(power.power, abs=1e-9)
    assert value(partition, "p_zero_end_phq9") == pytest.approx(power.zero, abs=1e-9)
    assert power.power > other.power  # so that the share of the rest would be seen


@pytest.mark.usefixtures("quick")
def test_with_a_smaller_share_fewer_studies_find_it(clinic: Study, partition: AnalysisResult) -> None:
    small = variance_partition(clinic, share=0.02)
    for name in ("", "_level_alliance", "_level_phq9", "_end_phq9"):
        assert value(small, f"power_here{name}") < value(partition, f"power_here{name}")
        assert value(small, f"p_zero{name}") >= value(partition, f"p_zero{name}")
    same = ["level_phq9_therapist", "reliability_median_level_alliance"]
    for name in same:
        assert value(small, name) == value(partition, name)


def test_reliability_and_who_is_shown_in_order(partition: AnalysisResult) -> None:
    """Reliability by its definition; and only therapists with ten clients and a reliability of .5 are put in order."""
    model = partition.models["end_phq9"]
    sd = model.random_effects_sd["therapist"]["Intercept"]
    tau2 = float(model.varcorr.set_index("group").loc["therapist", "vcov"])
    reliability = 1 - sd**2 / tau2
    assert value(partition, "reliability_median_end_phq9") == pytest.approx(reliability.median())
    shown = partition.table("reliability").to_frame().set_index("what")["median"]
    assert shown["PHQ-9 at the end, given intake"] == pytest.approx(reliability.median())
    modes = model.random_effects["therapist"]["Intercept"]
    assert value(partition, "n_distinct_95_end_phq9") == (modes.abs() > 1.959964 * sd).sum()
    figure = next(f for f in partition.figure_specs if f.name == "therapists")
    part = figure.data[figure.data["panel"] == "PHQ-9 at the end, given intake"]
    clients = pd.Series(model.fit.design.factors[0].codes).value_counts().sort_index().to_numpy()
    allowed = (clients >= 10) & (reliability.to_numpy() >= 0.5)
    assert 3 <= allowed.sum() < len(reliability)
    np.testing.assert_allclose(part["estimate"], np.sort(modes[allowed]))
    assert (part["estimate"].diff().dropna() >= 0).all()
    (note,) = (f.message for f in partition.notes if f.code == "not_in_order" and "end" in f.where)
    assert note.startswith(
        f"{(~allowed).sum()} of 24 therapists have too few clients, or an estimate that is too "
    )


def test_outsiders_see_no_therapist(partition: AnalysisResult) -> None:
    shared = for_audience(partition, "shareable")
    assert {"therapists", "funnel"} <= {f.name for f in partition.figure_specs}
    assert [f.name for f in shared.figure_specs] == ["variance_shares"]
    assert "reliability" in {t.name for t in shared.tables}


def test_the_funnel_s_band_is_that_of_chance(clinic: Study, partition: AnalysisResult) -> None:
    rows = one_row_each(clinic)
    fitted = partition.models["end_phq9"]
    off = (
        rows["y"]
        - fitted.predict(
            rows.reset_index()
            .rename(columns={"within": "intake_client"})
            .assign(intake_therapist=lambda d: d["between"] - d["intake"].mean()),
            groups=False,
        ).to_numpy()
    )
    figure = next(f for f in partition.figure_specs if f.name == "funnel")
    points = figure.data[figure.data["kind"] == "observed"]
    np.testing.assert_allclose(
        np.sort(points["mean"]), np.sort(off.groupby(rows["therapist"]).mean()), atol=1e-8
    )
    within = off - off.groupby(rows["therapist"]).transform("mean")
    sigma = np.sqrt((within**2).sum() / (len(rows) - rows["therapist"].nunique()))
    band = figure.data[figure.data["kind"] == "model"]
    np.testing.assert_allclose(band["high"], 1.96 * sigma / np.sqrt(band["clients"]))


def test_the_correlation_of_therapists_is_that_of_the_two_way_model(
    clinic: Study, partition: AnalysisResult
) -> None:
    """Client means of the alliance, and last scores given the first, both so that more is better."""
    rows = one_row_each(clinic)
    end = partition.models["end_phq9"]
    intake = rows.reset_index().rename(columns={"within": "intake_client"})
    intake = intake.assign(intake_therapist=intake["between"] - intake["intake"].mean())
    outcome = intake[["client", "therapist"]].assign(
        role="outcome", r=-(intake["y"] - end.predict(intake, groups=False))
    )
    sessions = clinic.sessions.dropna(subset=["alliance"])
    sessions = sessions.assign(
        weeks=sessions["week"],
        r=sessions["alliance"]
        - partition.models["level_alliance"].predict(sessions.assign(weeks=sessions["week"]), groups=False),
    )
    alliance = sessions.groupby(["client", "therapist"], as_index=False)["r"].mean().assign(role="alliance")
    found = al.methods.one_with_many(pd.concat([outcome, alliance]), "r", "role", "therapist", "client")
    assert value(partition, "r_therapist_alliance_outcome") == pytest.approx(found.recip_general, abs=1e-4)
    low, high = found.profile("recip_general")
    assert value(partition, "r_therapist_alliance_outcome", "ci_low") == pytest.approx(low, abs=1e-3)
    assert value(partition, "r_therapist_alliance_outcome", "ci_high") == pytest.approx(high, abs=1e-3)
    assert value(partition, "r_client_alliance_outcome") == pytest.approx(found.recip_dyadic, abs=1e-4)
    assert 0 < value(partition, "r_client_alliance_outcome") < 0.6


def several_clinics(study: Study, clinics: int, shift: float) -> Study:
    """Therapists in so many clinics, which differ by ``shift`` points a step in every score."""
    sessions = study.sessions
    of = {t: k % clinics for k, t in enumerate(sorted(sessions["therapist"].unique()))}
    number = sessions["therapist"].map(of)
    sessions = sessions.assign(clinic="clinic " + number.astype(str))
    for measure in ("alliance", "phq9"):
        sessions[measure] = sessions[measure] + shift * (number - (clinics - 1) / 2)
    return with_sessions(study, sessions)


@pytest.mark.usefixtures("quick")
def test_five_clinics_are_a_level_and_four_are_not(clinic: Study, partition: AnalysisResult) -> None:
    result = variance_partition(several_clinics(clinic, 6, 3.0))
    ids = set(result.estimates["id"])
    assert {f"{k}_{m}_clinic" for k in ("level", "change") for m in ("alliance", "phq9")} <= ids
    assert value(result, "level_phq9_clinic", "n") == 6
    assert value(result, "level_phq9_clinic") > 0.2
    shares = [value(result, f"level_phq9_{k}") for k in ("clinic", "therapist", "client", "session")]
    assert sum(shares) == pytest.approx(1)
    label = result.estimates.set_index("id").loc["level_phq9_therapist", "label"]
    assert label == "PHQ-9 level: share between therapists of the same clinic"
    assert (
        "PHQ-9 level: level differs between clinics; level differs between therapists and" in result.methods
    )
    assert (
        "course: level and rate of change differ between clinics; level and rate of change" in result.methods
    )
    assert "clinics_pooled" not in {f.code for f in result.notes}
    # Without the clinics the therapists differ as before.
    variances = [r.models["level_phq9"].varcorr.set_index("group")["vcov"] for r in (result, partition)]
    assert variances[0][
        "therapist:clinic" if "therapist:clinic" in variances[0] else "therapist"
    ] == pytest.approx(variances[1]["therapist"], rel=0.5)
    four = variance_partition(several_clinics(clinic, 4, 0.0))
    assert not four.estimates["id"].str.endswith("_clinic").any()
    assert "clinics_pooled" in {f.code for f in four.notes}


@pytest.mark.usefixtures("quick")
def test_a_therapist_in_two_clinics_counts_once(clinic: Study) -> None:
    study = several_clinics(clinic, 6, 0.0)
    sessions = study.sessions
    who = sessions["therapist"].iloc[0]
    one = sessions.loc[sessions["therapist"] == who, "client"].iloc[0]
    sessions.loc[sessions["client"] == one, "clinic"] = "clinic 5"
    result = variance_partition(with_sessions(study, sessions))
    (note,) = (f.message for f in result.notes if f.code == "therapists_in_several_clinics")
    assert note == (
        "1 therapist works in more than one clinic. The analysis assigns this therapist to the clinic with most of their clients."
    )


@pytest.mark.usefixtures("quick")
def test_equal_therapists_have_no_order_and_no_correlation() -> None:
    """Therapists at random: where a variance is zero there is nothing to correlate, and the report says so."""
    study = simulated_study(8, ClinicTruth(therapists=14, clients=84), items=False)
    sessions = study.sessions
    rng = np.random.default_rng(2)
    mixed = dict(zip(sessions["client"].unique(), rng.permutation(np.repeat(np.arange(14), 6)), strict=True))
    sessions["therapist"] = sessions["client"].map(mixed).map("T{:02d}".format)
    result = variance_partition(with_sessions(study, sessions))
    assert min(value(result, "end_phq9_therapist"), value(result, "level_alliance_therapist")) == 0
    assert "r_therapist_alliance_outcome" not in set(result.estimates["id"])
    (note,) = (f.message for f in result.notes if f.code == "no_correlation")
    assert note.startswith(
        "The data show no difference between therapists in the alliance or in the outcome, so "
    )
    assert "low_power" in {f.code for f in result.notes}


@pytest.mark.usefixtures("quick")
def test_few_therapists_with_both_scores_are_not_correlated(clinic: Study) -> None:
    sessions = clinic.sessions
    rated = sorted(sessions["therapist"].unique())[:8]
    sessions.loc[~sessions["therapist"].isin(rated), "alliance"] = np.nan
    result = variance_partition(with_sessions(clinic, sessions))
    (note,) = (f.message for f in result.notes if f.code == "no_correlation")
    assert note.startswith(
        "Fewer than 10 therapists have two clients with an alliance score and two outcome scores"
    )


@pytest.mark.usefixtures("quick")
def test_where_few_have_two_scores_there_is_no_end(clinic: Study) -> None:
    sessions = clinic.sessions.sort_values(["client", "session"])
    first = sessions.dropna(subset=["phq9"]).groupby("client").head(1).index
    several = sessions["client"].isin(sorted(sessions["client"].unique())[:15])
    sessions.loc[~sessions.index.isin(first) & ~several, "phq9"] = np.nan
    result = variance_partition(with_sessions(clinic, sessions))
    assert not result.estimates["id"].str.contains("end_phq9").any()
    (note,) = (f.message for f in result.notes if f.code == "no_end")
    assert (
        note
        == "15 clients have two PHQ-9 scores; a model of the last score needs at least 20 clients with two."
    )


@pytest.mark.usefixtures("quick")
def test_order_and_names_do_not_matter(clinic: Study, partition: AnalysisResult) -> None:
    other = variance_partition(shuffled(clinic))
    one, two = (r.estimates.set_index("id")["estimate"] for r in (partition, other))
    one = one[one.index.isin(two.index) & ~one.index.str.contains("p_zero|power_here")]
    assert len(one) > 15
    np.testing.assert_allclose(one, two[one.index], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("share", 0.0, "Parameter 'share': input should be greater than 0"),
        ("share", 0.5, "Parameter 'share': input should be less than 0.5"),
        ("n_sim", 10, "Parameter 'n_sim': input should be greater than or equal to 100"),
    ],
)
def test_impossible_requests_are_refused(clinic: Study, name: str, given: float, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        variance_partition(clinic, **{name: given})


def test_scores_that_do_not_differ_have_no_variance_to_divide() -> None:
    study = simulated_study(1, ClinicTruth(8, 60), items=False)
    flat = with_sessions(study, study.sessions.assign(phq9=12.0))
    result = al.variance_partition(flat)
    assert result.answer[0].endswith("The scores of PHQ-9 do not differ, so there is nothing to divide.")
