"""Planned studies: closed forms from their parts, simulation against them, designs, refusals."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError

FORMULA = "y ~ weeks * (within + between) + (1 + weeks | therapist/client)"
PARTS = {"residual": 5.0, "client": ((13.0, 0.05), (0.05, 0.2)), "therapist": ((1.3, 0.0), (0.0, 0.06))}


@pytest.fixture
def reference_own_effect() -> dict:
    path = Path(__file__).parents[1] / "reference/planning_own_effect.json"
    return json.loads(path.read_text(encoding="utf-8"))


def plan(therapists=16, clients=8, times=range(6), **more):
    return methods.StudyPlan.of(therapists, clients, times, **(PARTS | more))


def test_closed_forms_are_those_of_clients_slopes():
    made = plan()
    within = 0.2 + 5 / 17.5  # squared deviations of 0 to 5 from 2.5
    assert made.between_clients == pytest.approx(within)
    assert made.power_within(0.2) == methods.power_within(0.2, 16, 8, within)
    assert made.power_between(0.2) == pytest.approx(
        methods.power_between_reml(0.2, 16, 8, 0.06, within), abs=1e-12
    )
    unequal = plan(clients=(4, 8, 12))  # by the harmonic mean of the therapists' information
    mean = np.mean([1 / (0.06 + within / n) for n in unequal.caseloads])
    same = methods.power_between_reml(0.2, 16, within / (1 / mean - 0.06), 0.06, within)
    assert unequal.power_between(0.2) == pytest.approx(same, abs=1e-12)
    assert made.share == pytest.approx(0.06 / (0.06 + within))
    exact = methods.power_variance(16, 8, made.share)
    assert made.power_therapists() == exact
    between = 0.2 * 0.1 / 0.9  # a tenth of the variance of the true rates
    assert made.power_therapists(0.1) == methods.power_variance(16, 8, between / (between + within))
    assert 0 < plan(clients=(4, 8, 12)).power_therapists().power < exact.power + 0.05


@pytest.mark.parametrize(("seed", "clients"), [(1, 8), (2, (4, 8, 12))])
def test_simulated_studies_find_what_closed_forms_say(seed, clients):
    made = plan(clients=clients)
    found = methods.simulate_plan(made, 400, seed)
    table = found.table({"within": 0.18, "between": 0.28})
    for name, size in (("within", 0.18), ("between", 0.28)):
        row, closed = table.loc[name], getattr(made, f"power_{name}")(size)
        assert 0.3 < closed < 0.97
        # Three Monte Carlo errors; unequal caseloads make the closed form between therapists approximate.
        assert row["power"] == pytest.approx(closed, abs=3 * np.sqrt(closed * (1 - closed) / 400) + 0.02)
        assert abs(row["bias"]) < 3 * row["bias_error"]
        assert row["mean"] == pytest.approx(size + row["bias"])
        assert row["coverage"] == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 400))
        assert row["power_error"] == pytest.approx(np.sqrt(row["power"] * (1 - row["power"]) / 400))
    assert found.failed == 0
    assert 0 < found.singular < 0.5


@pytest.mark.parametrize(("seed", "clients"), [(1, 8), (2, (4, 8, 12))])
def test_an_effect_that_differs_between_therapists_costs_power(seed, clients):
    """Closed form against studies simulated with effects of the therapists' own."""
    made, same = plan(clients=clients, effect_variance=0.04), plan(clients=clients)
    found = methods.simulate_plan(made, 200, seed)
    row, closed = found.table({"within": 0.22}).loc["within"], made.power_within(0.22)
    assert same.power_within(0.22) > closed + 0.15
    assert row["power"] == pytest.approx(closed, abs=3 * np.sqrt(closed * (1 - closed) / 200) + 0.02)
    assert row["coverage"] == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 200))
    assert abs(row["bias"]) < 3 * row["bias_error"]
    # Between therapists and the test of their variance do not change.
    assert made.power_between(0.3) == same.power_between(0.3)
    assert made.power_therapists() == same.power_therapists()


def test_lme4_finds_as_much_of_an_effect_that_differs(reference_own_effect):
    """Studies drawn and fitted in R: power, coverage and standard error, each within Monte Carlo errors of both programs."""
    r = reference_own_effect
    made = methods.StudyPlan.of(
        r["therapists"], r["clients"], r["times"], residual=r["residual"], client=r["client"], therapist=r["therapist"],
        effect_variance=r["effect_variance"],
    )  # fmt: skip
    n, closed = r["studies"], made.power_within(r["effect"])
    error = np.sqrt(closed * (1 - closed))
    assert n >= 200
    assert r["power"] == pytest.approx(closed, abs=3 * error / np.sqrt(n))
    found = methods.simulate_plan(made, 200, 5)
    assert found.table({"within": r["effect"]}).loc["within", "power"] == pytest.approx(
        r["power"], abs=3 * error * np.sqrt(1 / n + 1 / 200)
    )
    assert found.mean_se[0] == pytest.approx(r["mean_se"], rel=0.05)
    assert r["coverage"] == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / n))


def test_without_an_effect_five_percent_are_found_and_low_power_exaggerates():
    found = methods.simulate_plan(plan(), 400, 3)
    none = found.table({"within": 0.0, "between": 0.0})["power"]
    assert (abs(none - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 400)).all()
    assert np.isnan(found.table({"within": 0.0}).loc["within", "median_size"])
    weak, strong = (found.table({"between": x}).loc["between"] for x in (0.08, 0.6))
    assert weak["power"] < 0.3 < 0.95 < strong["power"]
    assert weak["median_size"] > 1.4 > 1.1 > strong["median_size"]


def test_dropout_and_missing_scores_cost_power_as_refits_of_rows_say():
    """Standard errors of studies simulated row by row and fitted by the public model."""
    made = plan(dropout=0.15, missing=0.1)
    whole, some = methods.simulate_plan(plan(), 100, 1), methods.simulate_plan(made, 100, 1)
    sizes = {"within": 0.2, "between": 0.3}
    assert (some.table(sizes)["power"] < whole.table(sizes)["power"]).all()
    found = methods.simulate_plan(made, 400, 2).table(sizes)["power"]
    for name, size in sizes.items():  # the closed form's mean information, and three Monte Carlo errors
        closed = getattr(made, f"power_{name}")(size)
        assert closed < getattr(plan(), f"power_{name}")(size) - 0.05
        assert found[name] == pytest.approx(closed, abs=3 * np.sqrt(closed * (1 - closed) / 400) + 0.02)
    rows, rng, errors = made.rows(1), np.random.default_rng(8), []
    for _ in range(12):
        t = rng.multivariate_normal([0, 0], PARTS["therapist"], 16)[rows["therapist"]]
        c = rng.multivariate_normal([0, 0], PARTS["client"], 128)[rows["client"]]
        y = (t + c)[:, 0] + (t + c)[:, 1] * rows["weeks"] + np.sqrt(5) * rng.normal(size=len(rows))
        errors.append(al.MixedModel.from_formula(FORMULA, rows.assign(y=y)).fit().bse)
    own = pd.DataFrame(errors)
    for k, term in enumerate(("weeks:within", "weeks:between")):
        assert some.mean_se[k] == pytest.approx(own[term].mean(), abs=3 * own[term].std() / np.sqrt(12))


def test_rows_are_standardised_and_clients_leave_once():
    made = plan(therapists=40, clients=(5, 10), dropout=0.2, missing=0.1)
    assert made.caseloads[:3] == (5, 10, 5)
    assert (made.therapists, made.clients) == (40, 300)
    rows = made.rows(4)
    clients = rows.drop_duplicates("client")
    assert len(clients) == 300
    assert np.sum(clients["within"] ** 2) == pytest.approx(300 - 40)
    np.testing.assert_allclose(clients.groupby("therapist")["within"].mean(), 0, atol=1e-12)
    between = clients.groupby("therapist")["between"].first()
    assert np.sum(between**2) == pytest.approx(39)
    assert between.mean() == pytest.approx(0, abs=1e-12)
    assert rows.groupby("client")["weeks"].min().eq(0).all()
    share = rows["weeks"].value_counts(normalize=False) / 300
    for k in (1, 3, 5):  # still there, and not missing
        expected = 0.8**k * 0.9
        assert share[k] == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 300))
    pd.testing.assert_frame_equal(rows, made.rows(4))
    assert len(plan().rows(1)) == 16 * 8 * 6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"therapists": 2}, "therapists is 2; it is a number of therapists, a whole number of at least 3"),
        ({"clients": []}, "clients is empty; it is clients of each therapist"),
        ({"clients": (4, 0)}, "clients is 0; it is clients of each therapist, whole numbers of at least 1"),
        (
            {"clients": 1},
            "Every therapist has one client, so clients of the same therapist cannot be compared",
        ),
        (
            {"times": [3, 3]},
            "times holds fewer than two different times. A rate of change needs at least two",
        ),
        ({"residual": 0}, "residual is 0; it is a variance, more than 0"),
        (
            {"client": ((1, 2), (2, 1))},
            "client is not a covariance. It is a 2 by 2 covariance of level and rate",
        ),
        ({"therapist": 3}, "therapist is not a covariance"),
        ({"dropout": 1.0}, "dropout is 1; it is a probability, at least 0 and below 1"),
        ({"missing": -0.1}, "missing is -0.1; it is a probability, at least 0 and below 1"),
        ({"effect_variance": -1}, "effect_variance is -1; it is a variance, at least 0"),
    ],
)
def test_impossible_plans_are_refused(given, message):
    with pytest.raises(DataError) as error:
        plan(**given)
    assert message in str(error.value)


def test_impossible_questions_are_refused():
    with pytest.raises(DataError, match=r"5 clients of 4 therapists leave no degrees of freedom. Plan more"):
        plan(therapists=4, clients=(2, 1, 1, 1)).power_within(0.3)
    with pytest.raises(DataError, match=r"Therapists with two or more clients: 1. How the effect differs"):
        plan(therapists=4, clients=(5, 1, 1, 1), effect_variance=0.1).power_within(0.3)
    with pytest.raises(DataError, match="n_sim is 10; it is a number of simulated studies"):
        methods.simulate_plan(plan(), 10)
    found = methods.simulate_plan(plan(therapists=6, clients=4, times=range(4)), 50)
    with pytest.raises(DataError, match=r"There is no effect 'arm'. There are: within, between"):
        found.table({"arm": 1.0})
    with pytest.raises(DataError, match="within is nan; it is a finite number"):
        found.table({"within": float("nan")})
