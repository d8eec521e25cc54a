"""The analysis of a study: who is counted, what steady change would show, what is said and refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study, sudden_gains
from alliance_longitudinal.data import Measure
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.measures import load_instruments
from analyses.studies import shuffled, value, with_sessions
from inside.methods_psychometrics import Rules, expected_counts, intervals, ordered_scores, steady_change

REGISTRY = load_instruments()


@pytest.fixture(scope="module")
def gains(clinic: Study) -> AnalysisResult:
    return sudden_gains(clinic, points=5, simulations=60)


def measured_by(study: Study, instrument: str) -> Study:
    """The same study with its symptom measure taken for another instrument."""
    measures = dict(study.measures) | {"phq9": Measure("phq9", "symptoms", "client", REGISTRY[instrument])}
    return replace(study, measures=measures)


def with_jumps(study: Study, n: int) -> Study:
    """``n`` clients fall by 8 points after session 4, and stay there."""
    sessions = study.sessions
    clients = sorted(sessions["client"].unique())[:n]
    fallen = sessions["client"].isin(clients) & sessions["session"].gt(4)
    low = sessions["client"].isin(clients) & sessions["session"].le(4)
    sessions.loc[low, "phq9"] = 20.0 + sessions.loc[low, "session"] % 2
    sessions.loc[fallen, "phq9"] = 11.0 + sessions.loc[fallen, "session"] % 2
    return with_sessions(study, sessions)


def test_counts_are_those_of_the_plain_function(gains: AnalysisResult, clinic: Study) -> None:
    sessions = clinic.sessions
    rated = sessions[sessions["session"] >= 1].rename(columns={"phq9": "score"})
    found = al.find_sudden_gains(rated, 5)
    tested = found[found["testable"]]
    n = tested["client"].nunique()
    events = gains.table("sudden_events").to_frame().iloc[0]
    assert (events["n"], events["clients"]) == (
        tested["gain"].sum(),
        tested.loc[tested["gain"], "client"].nunique(),
    )
    assert value(gains, "gain_clients") == pytest.approx(events["clients"] / n)
    assert value(gains, "gain_rate") == pytest.approx(tested["gain"].mean())
    assert value(gains, "loss_clients", "n") == n
    assert value(gains, "loss_rate", "n") == len(tested)
    by_session = gains.table("sudden_by_session").to_frame()
    assert by_session["gains"].sum() == events["n"]
    assert by_session["tested"].sum() == len(tested)
    size = (tested["before"] - tested["after"])[tested["gain"]]
    assert (events["size"], events["sd"]) == (pytest.approx(size.mean()), pytest.approx(size.std()))
    assert gains.flow.steps[-1].clients_out == n


def test_a_clinic_without_jumps_has_no_more_gains_than_expected(gains: AnalysisResult) -> None:
    """The simulated clinic changes steadily; its gains are its fluctuation."""
    assert "gains_within_noise" in {f.code for f in gains.notes}
    assert (
        value(gains, "gain_expected", "ci_low")
        <= value(gains, "gain_clients")
        <= value(gains, "gain_expected", "ci_high")
    )
    assert "random fluctuation alone would produce" in gains.answer[1]


def test_jumps_are_more_than_expected(clinic: Study) -> None:
    """A quarter of the clients with a jump: beyond what fluctuation explains, although the jumps add to it."""
    result = sudden_gains(with_jumps(clinic, 90), points=5, simulations=30)
    assert "gains_within_noise" not in {f.code for f in result.notes}
    assert value(result, "gain_clients") > 1.3 * value(result, "gain_expected", "ci_high")
    assert value(result, "loss_clients") < value(result, "gain_clients") / 2


def test_expected_numbers_are_those_of_the_true_model() -> None:
    """200 clients with 10 sessions from the model itself; the truth by 400 clinics from its own parameters.

    The estimated parameters vary from clinic to clinic, so that a clinic's expected share differs from the truth by more
    than Monte Carlo error: over 6 clinics its mean stays within 15 %.
    """
    rules = [Rules(points=4.0)]
    sessions = np.tile(np.arange(1, 11), 200)
    client = np.repeat(np.arange(200), 10)

    def draw(rng: np.random.Generator) -> pd.DataFrame:
        noise = np.empty((200, 10))
        noise[:, 0] = rng.normal(0, 3, 200)
        for k in range(1, 10):
            noise[:, k] = 0.3 * noise[:, k - 1] + rng.normal(0, 3 * np.sqrt(1 - 0.09), 200)
        course = rng.normal(24, 5, (200, 1)) + rng.normal(-0.6, 0.5, (200, 1)) * np.arange(10)
        return pd.DataFrame({"client": client, "session": sessions, "score": (course + noise).ravel()})

    rng = np.random.default_rng(23)
    true = np.mean([al.find_sudden_gains(draw(rng), 4)["gain"].sum() for _ in range(60)])
    expected = []
    for seed in range(6):
        ordered = ordered_scores(draw(rng))
        steady = steady_change(ordered)
        assert steady.phi == pytest.approx(0.3, abs=0.12)
        counts = expected_counts(
            steady, ordered, intervals(ordered), rules, fall=True, limits=None, n=20, seed=seed
        )
        expected.append(counts[0].gains.mean())
    assert np.mean(expected) == pytest.approx(true, rel=0.15)


def test_order_and_names_do_not_matter(clinic: Study, gains: AnalysisResult) -> None:
    again = sudden_gains(shuffled(clinic), points=5, simulations=0)
    found = again.estimates.set_index("id")["estimate"]
    pd.testing.assert_series_equal(found, gains.estimates.set_index("id")["estimate"].loc[found.index])
    assert {"gain_expected", "loss_expected"} == set(gains.estimates["id"]) - set(found.index)
    assert [f.name for f in again.figure_specs] == ["around_gains"]


def test_means_around_the_first_gain_by_hand(clinic: Study, gains: AnalysisResult) -> None:
    """Of the scores that are there, with limits by Student's t."""
    scores = clinic.sessions.rename(columns={"phq9": "score"})[["client", "session", "score"]].dropna()
    scores = scores[scores["session"] >= 1]
    found = al.find_sudden_gains(scores, 5)
    first = found[found["gain"]].groupby("client").head(1)[["client", "session"]]
    data = next(f for f in gains.figure_specs if f.name == "around_gains").data.set_index("offset")
    for offset in range(-2, 4):
        own = first.assign(session=first["session"] + offset).merge(scores, on=["client", "session"])["score"]
        half = stats.t.ppf(0.975, len(own) - 1) * own.sem()
        expected = [own.mean(), own.mean() - half, own.mean() + half, len(own)]
        np.testing.assert_allclose(data.loc[offset, ["mean", "low", "high", "n"]].astype(float), expected)


def test_the_study_is_left_unchanged_and_seeds_repeat(clinic: Study, gains: AnalysisResult) -> None:
    before = clinic.sessions
    again = sudden_gains(clinic, points=5, simulations=60)
    pd.testing.assert_frame_equal(before, clinic.sessions)
    pd.testing.assert_frame_equal(again.estimates, gains.estimates)


def test_where_the_points_are_from(clinic: Study) -> None:
    published = sudden_gains(clinic, simulations=0)
    assert published.parameters["points"] == 6
    assert "Points of the first criterion: published points of reliable change" in published.methods
    assert {"change_norms_unchecked"} <= {f.code for f in published.notes}
    rci = sudden_gains(clinic, reliability=0.9, sd=5, simulations=0)
    assert rci.parameters["points"] == pytest.approx(1.96 * 5 * np.sqrt(0.2))
    own = sudden_gains(clinic, reliability=0.9, simulations=0)
    rated = clinic.sessions.dropna(subset=["phq9"])
    two = rated.groupby("client")["session"].transform("nunique") >= 2
    first = rated[two].groupby("client")["phq9"].first()  # intake included, as for reliable change
    assert own.parameters["points"] == pytest.approx(1.96 * first.std() * np.sqrt(0.2))
    assert "SD" in own.methods
    assert "of this sample's first scores (intake included" in own.methods
    with pytest.raises(
        StudyError,
        match="The instrument file of BDI-II has neither points of reliable change nor a reliability",
    ):
        sudden_gains(measured_by(clinic, "bdi_ii"), simulations=0)
    same = clinic.sessions.assign(phq9=8.0)
    with pytest.raises(StudyError, match="All clients have the same first score in PHQ-9"):
        sudden_gains(with_sessions(clinic, same), reliability=0.9, simulations=0)


def test_a_scale_turned_round_has_the_same_gains(clinic: Study) -> None:
    """Without criterion 2, which counts from 0."""
    one = sudden_gains(clinic, points=5, percent=None, simulations=0)
    turned = measured_by(
        with_sessions(clinic, clinic.sessions.assign(phq9=40 - clinic.sessions["phq9"])), "ors"
    )
    other = sudden_gains(turned, points=5, percent=None, simulations=0)
    pd.testing.assert_frame_equal(one.estimates, other.estimates)
    assert "rise of at least 5 points" in other.answer[0]
    assert "percent_of_a_rise" not in {f.code for f in other.notes}
    with_percent = sudden_gains(turned, points=5, simulations=0)
    assert "percent_of_a_rise" in {f.code for f in with_percent.notes}


def test_variants_and_points_to_compare(gains: AnalysisResult, clinic: Study) -> None:
    rules = gains.table("sudden_rules").to_frame().set_index("words")
    assert list(rules.index) == [
        "all three criteria",
        "third criterion with a fixed critical value",
        "a t-test instead of the third criterion",
        "without the third criterion",
        "without the second criterion",
        "from 3.75 points",
        "from 6.25 points",
    ]
    n = rules["gains"]
    assert (
        n["from 6.25 points"]
        < n["all three criteria"]
        < n["a t-test instead of the third criterion"]
        < n["without the third criterion"]
    )
    assert (rules["expected"] > 0).all()
    asked = sudden_gains(clinic, points=5, stability="t-test", percent=None, other_points=[4], simulations=0)
    words = asked.table("sudden_rules").to_frame()["words"]
    assert list(words) == [
        "as requested",
        "the third criterion of Tang and DeRubeis",
        "third criterion with a fixed critical value",
        "without the third criterion",
        "from 4 points",
    ]
    text = sudden_gains(clinic, points=5, other_points="4, 8", simulations=0)  # type: ignore[arg-type]
    assert text.parameters["other_points"] == [4, 8]


def test_few_clients_one_therapist_and_nobody(clinic: Study) -> None:
    sessions = clinic.sessions
    few = sessions[sessions["client"].isin(sorted(sessions["client"].unique())[:14])].assign(therapist="T1")
    result = sudden_gains(with_sessions(clinic, few), points=5, simulations=10)
    assert {"few_clients", "few_clusters"} <= {f.code for f in result.notes}
    every_second = sessions[sessions["session"] % 2 == 0]
    none = sudden_gains(with_sessions(clinic, every_second), points=5)
    assert (
        "0 clients can be analysed; the analysis of sudden gains in PHQ-9 needs at least 10" in none.answer[0]
    )
    assert none.status["code"] == "underpowered"
    nobody = sudden_gains(clinic, points=26, simulations=10)
    assert value(nobody, "gain_clients") == 0
    assert "gain_reversed" not in set(nobody.estimates["id"])
    assert nobody.answer[0].startswith("0\xa0% (95 % interval 0\xa0% to ")
    assert nobody.answer[0].endswith(
        "had a sudden gain in PHQ-9: a lasting fall of at least 26 points from one session to the next."
    )


def test_the_intake_counts_only_when_asked(clinic: Study) -> None:
    with_intake = sudden_gains(clinic, points=5, intake=True, simulations=0)
    first = [
        r.table("sudden_by_session").to_frame()["label"].iloc[0]
        for r in (with_intake, sudden_gains(clinic, points=5, simulations=0))
    ]
    assert first == ["1 to 2", "2 to 3"]


def test_scores_without_noise_have_no_expected_number(clinic: Study) -> None:
    sessions = clinic.sessions.assign(phq9=10.0)
    result = sudden_gains(with_sessions(clinic, sessions), points=5, simulations=10)
    assert "no_expected_gains" in {f.code for f in result.notes}
    assert "gain_expected" not in set(result.estimates["id"])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"points": 0}, "Parameter 'points': input should be greater than 0"),
        ({"percent": 100}, "Parameter 'percent': input should be less than 100"),
        ({"stability": "strict"}, "Parameter 'stability'"),
        ({"other_points": [-1]}, "Parameter 'other_points': points have to be above 0"),
        ({"point": 7}, "There is no parameter 'point'. Did you mean 'points'?"),
    ],
)
def test_parameters_are_checked(clinic: Study, given: dict[str, object], text: str) -> None:
    with pytest.raises(StudyError, match=text.replace("?", r"\?")):
        sudden_gains(clinic, **given)  # type: ignore[arg-type]


def test_outsiders_cannot_subtract_clients_from_gains(clinic: Study) -> None:
    """Of 33 gains in 30 clients, 3 are seconds: rounded numbers do not tell them."""
    study = with_jumps(
        with_sessions(clinic, clinic.sessions.assign(phq9=20.0 + clinic.sessions["session"] % 2)), 30
    )
    sessions = study.sessions
    clients = [c for c, n in sessions.groupby("client")["session"].max().items() if n >= 12][:3]
    again = sessions["client"].isin(clients)
    sessions.loc[again, "phq9"] = np.select(
        [sessions.loc[again, "session"] <= 4, sessions.loc[again, "session"] <= 8], [24.0, 16.0], 8.0
    )
    study = with_sessions(study, sessions)
    internal = sudden_gains(study, points=5, simulations=0)
    events = internal.table("sudden_events").to_frame().iloc[0]
    assert 0 < events["n"] - events["clients"] == events["several"] < 10
    shown = sudden_gains(study, points=5, simulations=0, audience="shareable").table("sudden_events")
    row = shown.to_frame().iloc[0]
    assert row["several"] == "hidden"
    assert row["n"] % 10 == 0
    assert row["clients"] % 10 == 0
    assert (
        row["n"] - row["clients"]
    ) % 10 == 0  # the difference of two rounded numbers tells no three people
