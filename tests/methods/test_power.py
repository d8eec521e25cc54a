"""Closed forms of planning: against R's distributions, published tables, and simulated studies."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "planning.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("kind", ["between", "within", "partial"])
def test_power_is_that_of_r_s_noncentral_t(kind):
    rows = REFERENCE[kind]
    call = getattr(methods, f"power_{kind}")
    found = [call(**{name: x for name, x in row.items() if name != "power"}) for row in rows]
    # R's own noncentral t is good to about 1e-9.
    np.testing.assert_allclose(found, [row["power"] for row in rows], rtol=0, atol=1e-8)


def test_differences_between_therapists_against_r():
    for row in REFERENCE["variance"]:
        found = methods.power_variance(row["therapists"], row["clients"], row["icc"])
        np.testing.assert_allclose([found.zero, found.power], [row["zero"], row["power"]], atol=1e-9)


def test_the_exact_table_of_zero_estimates():
    """Published beside the design: therapists, clients, share, probability of zero, power."""
    rows = [
        (10, 5, 0.05, 0.374411, 0.125757),
        (10, 10, 0.05, 0.253116, 0.247616),
        (20, 5, 0.05, 0.290035, 0.171682),
        (20, 20, 0.05, 0.032772, 0.723949),
        (50, 10, 0.08, 0.004073, 0.903663),
        (100, 5, 0.05, 0.080293, 0.445851),
        (100, 10, 0.03, 0.045079, 0.579724),
    ]
    for j, n, icc, zero, power in rows:
        found = methods.power_variance(j, n, icc)
        assert [found.zero, found.power] == pytest.approx([zero, power], abs=6e-7)  # six printed digits


def test_slopes_against_r():
    rows = REFERENCE["slopes"]
    found = [
        methods.power_slopes(
            row["difference"],
            REFERENCE["times"],
            row["sigma2"],
            row["rho"],
            power=row["power"],
            one_sided=row["one_sided"],
        )
        for row in rows
    ]
    assert found == [max(math.ceil(row["clients"]), 1) for row in rows]


def test_the_published_table_of_slopes():
    """Diggle et al. 2002, section 2.4: three visits at 0, 2 and 5 years, a difference of 0.5, one-sided 5 %, power 80 %."""
    found = [
        [methods.power_slopes(0.5, [0, 2, 5], s2, rho) for s2 in (100, 200, 300)] for rho in (0.2, 0.5, 0.8)
    ]
    # The book's table was made with rounded normal quantiles and its figures rounded: one client at the most.
    book = [[313, 625, 937], [195, 391, 586], [79, 157, 235]]
    assert np.abs(np.array(found) - book).max() <= 1


def test_simulated_studies_find_as_many():
    rng = np.random.default_rng(5)
    n_sim, j, n, tau, sigma2, effect = 4000, 12, 6, 0.2, 0.8, 0.5
    x = np.linspace(-1, 1, j)
    x = x / x.std(ddof=1)
    means = effect * x + rng.normal(0, np.sqrt(tau + sigma2 / n), (n_sim, j))
    slope = means @ x / (x @ x)
    left = means - means.mean(axis=1, keepdims=True) - slope[:, None] * x
    se = np.sqrt((left**2).sum(axis=1) / (j - 2) / (x @ x))
    share = float(np.mean(np.abs(slope / se) > 2.2281388519649385))
    expected = methods.power_between(effect, j, n, tau, sigma2)
    assert abs(share - expected) < 3 * np.sqrt(expected * (1 - expected) / n_sim)


def test_no_effect_is_found_in_five_percent_and_a_huge_one_always():
    assert methods.power_between(0, 5, 5, 0.1, 1) == pytest.approx(0.05)
    assert methods.power_within(1000, 5, 5, 1) == pytest.approx(1)
    assert methods.power_between(1.0, 20, 100, 0.0, 0.5) == pytest.approx(1)
    assert methods.power_slopes(1e6, [0, 1], 1, 0) == 1


@pytest.mark.parametrize(
    ("call", "given", "message"),
    [
        ("slopes", {"difference": 0}, "difference is 0; no number of clients finds a difference that is not there."),
        ("slopes", {"difference": "x"}, "difference is 'x'; it is a finite number, the effect that the study is to find."),
        ("slopes", {"times": [1, 1]}, "times holds fewer than two different times. A rate of change needs at least two."),
        ("slopes", {"times": []}, "times holds fewer than two different times. A rate of change needs at least two."),
        ("slopes", {"times": 5}, "times holds fewer than two different times. A rate of change needs at least two."),
        ("slopes", {"times": [1, None]}, "times is None; it is finite numbers, such as weeks."),
        ("slopes", {"sigma2": 0}, "sigma2 is 0; it is a variance, more than 0."),
        ("slopes", {"rho": 1}, "rho is 1; it is a correlation, at least 0 and below 1."),
        ("slopes", {"power": 80}, "power is 80; it is a probability between 0 and 1, such as 0.8."),
        ("between", {"therapists": 2}, "therapists is 2; it is a number of therapists, a whole number of at least 3."),
        ("between", {"clients": 2.5}, "clients is 2.5; it is a number of clients per therapist, a whole number of at least 1."),
        ("between", {"tau": -1}, "tau is -1; it is the variance between therapists, at least 0."),
        ("between", {"effect": math.inf}, "effect is inf; it is a finite number, the effect that the study is to find."),
        ("within", {"clients": True}, "clients is True; it is a number of clients per therapist, a whole number of at least 2."),
        ("within", {"therapists": 1, "clients": 2}, "2 clients of 1 therapist leave no degrees of freedom. Plan at least 3 clients."),
        ("partial", {"groups": 1}, "groups is 1; it is a number of groups, a whole number of at least 2."),
        ("partial", {"size": 0}, "size is 0; it is a number of clients per group, a whole number of at least 1."),
        ("partial", {"controls": 1}, "controls is 1; it is a number of clients, a whole number of at least 2."),
        ("partial", {"icc": 1}, "icc is 1; it is a share of variance, at least 0 and below 1."),
        ("variance", {"clients": 1}, "clients is 1; it is a number of clients per therapist, a whole number of at least 2."),
    ],
)  # fmt: skip
def test_what_is_refused(call, given, message):
    good = {
        "slopes": {"difference": 1, "times": [0, 1], "sigma2": 1, "rho": 0.5},
        "between": {"effect": 0.2, "therapists": 9, "clients": 5, "tau": 0.1, "sigma2": 1},
        "within": {"effect": 0.2, "therapists": 9, "clients": 5, "sigma2": 1},
        "partial": {"effect": 0.2, "groups": 9, "size": 5, "controls": 50, "icc": 0.1},
        "variance": {"therapists": 9, "clients": 5, "icc": 0.1},
    }
    with pytest.raises(DataError) as caught:
        getattr(methods, f"power_{call}")(**(good[call] | given))
    assert str(caught.value) == message


def test_unequal_caseloads_by_simulated_studies_and_by_the_exact_form():
    """Equal ones are the F test's; unequal ones are compared with the moment of truth: simulated scores, refitted."""
    equal, exact = methods.power_variance_unequal([10] * 20, 0.05), methods.power_variance(20, 10, 0.05)
    # Four Monte Carlo errors of 10,000 draws; the critical value is simulated, too.
    np.testing.assert_allclose([equal.zero, equal.power], [exact.zero, exact.power], atol=0.03)
    caseloads = np.array([2, 2, 3, 4, 6, 8, 15, 20, 30, 30])
    found = methods.power_variance_unequal(list(caseloads), 0.10, seed=3)
    rng, lam, zeros, count = np.random.default_rng(1), 0.1 / 0.9, 0, 4000
    own = np.repeat(np.arange(len(caseloads)), caseloads)
    total = caseloads.sum()
    for _ in range(count):  # REML is zero where its slope at zero is not positive (brute force from scores)
        y = rng.normal(size=total) + np.sqrt(lam) * rng.normal(size=len(caseloads))[own]
        residual = y - y.mean()
        sums = np.bincount(own, residual)
        slope = (total - 1) * (sums**2).sum() / (residual**2).sum() - (total - (caseloads**2).sum() / total)
        zeros += slope <= 0
    # The slope says nothing of a second peak, which is rare.
    assert found.zero == pytest.approx(zeros / count, abs=0.03)
    assert (
        found.power < methods.power_variance(10, 12, 0.10).power
    )  # the same clients in equal caseloads tell more


def test_two_therapists_can_differ_and_one_cannot():
    assert 0.05 < methods.power_variance(2, 50, 0.2).power < 0.9
    with pytest.raises(
        DataError,
        match="therapists is 1; it is a number of therapists, a whole number of at least 2",
    ):
        methods.power_variance(1, 5, 0.05)


def test_impossible_caseloads_are_refused():
    with pytest.raises(
        DataError, match="caseloads is 0; it is clients of each therapist, whole numbers of at least 1"
    ):
        methods.power_variance_unequal([0, 4], 0.05)
    with pytest.raises(
        DataError, match="caseloads needs at least two therapists, and at least one therapist with two"
    ):
        methods.power_variance_unequal([1, 1, 1], 0.05)
    with pytest.raises(DataError, match="icc is 1; it is a share of variance"):
        methods.power_variance_unequal([4, 4], 1)
    with pytest.raises(DataError, match="n_sim is 10; it is a number of draws"):
        methods.power_variance_unequal([4, 4], 0.1, n_sim=10)


@pytest.mark.parametrize("df", [3.0, 12.5, 200.0, np.inf])
def test_power_of_an_effect_is_scipy_s_noncentral_t(df):
    """And by simulation: the share of |t| beyond the critical value."""
    expected = stats.norm if np.isinf(df) else None
    for effect in (0.0, 0.3, -0.9):
        ncp, critical = abs(effect) / 0.3, stats.t.isf(0.025, df)
        if expected is not None:
            wanted = expected.sf(critical - ncp) + expected.cdf(-critical - ncp)
        else:
            wanted = stats.nct.sf(critical, df, ncp) + stats.nct.cdf(-critical, df, ncp)
        assert methods.power_effect(effect, 0.3, df) == pytest.approx(wanted, abs=1e-8)


def test_the_detectable_effect_is_the_one_with_that_power():
    for power, df in ((0.8, 7.0), (0.9, np.inf), (0.3, 40.0)):
        found = methods.detectable_effect(0.25, df, power)
        assert methods.power_effect(found, 0.25, df) == pytest.approx(power, abs=1e-9)
    rng = np.random.default_rng(1)
    t = (rng.standard_normal(200_000) * 0.25 + methods.detectable_effect(0.25, 12)) / (
        0.25 * np.sqrt(rng.chisquare(12, 200_000) / 12)
    )
    # Monte Carlo error .0009.
    assert np.mean(np.abs(t) > stats.t.isf(0.025, 12)) == pytest.approx(0.8, abs=0.004)


def test_what_cannot_be_detected_is_refused():
    with pytest.raises(DataError, match=r"^se is 0; it is a standard error, more than 0.$"):
        methods.detectable_effect(0)
    with pytest.raises(DataError) as error:
        methods.power_effect(0.1, 0.2, df=-1)
    assert str(error.value) == (
        "df is -1; give degrees of freedom, more than 0; infinite for the normal distribution."
    )
    with pytest.raises(DataError, match=r"^power is 0.05; it is a probability above .05 and below 1"):
        methods.detectable_effect(0.1, power=0.05)
    with pytest.raises(DataError, match=r"^effect is nan"):
        methods.power_effect(float("nan"), 0.2)


@pytest.mark.parametrize(
    ("effect", "tau", "j", "n"), [(0.0, 0.03, 8, 6), (0.4, 0.03, 8, 6), (0.6, 0.0, 5, 4), (0.3, 0.2, 12, 10)]
)
def test_power_between_where_the_variance_can_be_zero(effect, tau, j, n) -> None:
    """Drawn mean squares: REML takes the larger of that between therapists and that of all clients."""
    rng, draws, sigma2 = np.random.default_rng(1), 200_000, 0.6
    a, b, total = j - 2, j * n - j - 1, n * tau + sigma2
    between, within = total * rng.chisquare(a, draws), sigma2 * rng.chisquare(b, draws)
    error = np.where(between / a > within / b, between / a, (between + within) / (a + b))
    found = rng.normal(effect, np.sqrt(total / (n * (j - 1))), draws)
    by_hand = np.mean(np.abs(found) > stats.t.isf(0.025, a) * np.sqrt(error / (n * (j - 1))))
    power = methods.power_between_reml(effect, j, n, tau, sigma2)
    assert power == pytest.approx(by_hand, abs=4 * np.sqrt(0.25 / draws))
    assert power <= methods.power_between(effect, j, n, tau, sigma2) + 1e-3


def test_power_between_by_reml_is_the_plain_one_where_the_variance_is_never_zero() -> None:
    plain = methods.power_between(0.5, 30, 40, 0.5, 1.0)
    assert methods.power_between_reml(0.5, 30, 40, 0.5, 1.0) == pytest.approx(plain, abs=1e-3)
    one_each = methods.power_between(
        0.5, 30, 1, 0.5, 1.0
    )  # nothing within therapists tells the variances apart
    assert methods.power_between_reml(0.5, 30, 1, 0.5, 1.0) == pytest.approx(one_each, abs=1e-12)


@pytest.mark.parametrize(
    ("effect", "omega", "j", "n"),
    [(0.0, 0.03, 8, 6), (0.3, 0.03, 8, 6), (0.6, 0.0, 5, 4), (0.3, 0.2, 20, 10)],
)
def test_power_within_where_the_effect_differs_between_therapists(effect, omega, j, n) -> None:
    """Drawn mean squares of therapists' slopes and of their residuals, with the degrees of freedom of the one that REML takes."""
    rng, draws, sigma2 = np.random.default_rng(2), 200_000, 0.6
    a, b, total = j - 1, j * (n - 2), (n - 1) * omega + sigma2
    between, within = total * rng.chisquare(a, draws), sigma2 * rng.chisquare(b, draws)
    own = between / a > within / b
    error = np.where(own, between / a, (between + within) / (a + b))
    limit = np.where(own, stats.t.isf(0.025, a), stats.t.isf(0.025, a + b))
    found = rng.normal(effect, np.sqrt(total / (j * (n - 1))), draws)
    by_hand = np.mean(np.abs(found) > limit * np.sqrt(error / (j * (n - 1))))
    power = methods.power_within_reml(effect, j, n, omega, sigma2)
    assert power == pytest.approx(by_hand, abs=4 * np.sqrt(0.25 / draws))
    if omega > 0 and effect > 0:
        assert power < methods.power_within(effect, j, n, sigma2) - 0.05


def test_power_within_without_differences_or_spare_clients() -> None:
    plain = methods.power_within(0.3, 30, 10, 1.0)
    assert methods.power_within_reml(0.3, 30, 10, 0.0, 1.0) == pytest.approx(plain, abs=0.015)
    # Two clients leave no residual: the therapists' slopes alone.
    se = np.sqrt((0.1 + 1.0) / 30)
    assert methods.power_within_reml(0.5, 30, 2, 0.1, 1.0) == pytest.approx(
        methods.power_effect(0.5, se, 29), abs=1e-12
    )
    for name, given, message in (
        ("clients", 1.5, "clients is 1.5; it is a number of clients per therapist, at least 2."),
        ("omega", -1, "omega is -1; it is the variance of the effect between therapists, at least 0."),
        ("sigma2", 0, "sigma2 is 0; it is a variance, more than 0."),
        ("therapists", 2, "therapists is 2; it is a number of therapists, a whole number of at least 3."),
    ):
        values = {"therapists": 30, "clients": 10, "omega": 0.1, "sigma2": 1.0} | {name: given}
        with pytest.raises(DataError) as error:
            methods.power_within_reml(0.3, **values)
        assert str(error.value) == message
