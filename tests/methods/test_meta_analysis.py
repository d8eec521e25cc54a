"""`methods.meta_analysis` against metafor and clubSandwich, a dense computation, simulated truth, and what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError
from reference.catalogue import HERE as REFERENCE

WANTED = json.loads((REFERENCE / "meta.json").read_text())
EFFECTS = pd.read_csv(REFERENCE / "small" / "effects.csv")
MODERATORS = EFFECTS[["year", "rater"]]
MOLLOY = methods.from_correlations(WANTED["molloy"]["r"], WANTED["molloy"]["n"])
#: metafor stops when the variance changes by less than 1e-12; its figures are printed with 12 digits.
EXACT = 1e-8
#: rma.mv's optimiser stops earlier than that.
SEARCHED = 2e-5


def compare(found, wanted, rtol):
    figures = found.tidy()
    for ours, theirs in (("estimate", "beta"), ("se", "se"), ("low", "low"), ("high", "high")):
        np.testing.assert_allclose(figures[ours], np.atleast_1d(wanted[theirs]), rtol=rtol, atol=rtol)
    np.testing.assert_allclose(found.q, wanted["q"], rtol=1e-10)
    np.testing.assert_allclose(found.i2, np.sum(wanted["i2"]), rtol=rtol)
    if "pi" in wanted:
        np.testing.assert_allclose(found.prediction_interval(), wanted["pi"], rtol=rtol)
    if "cr2" in wanted:
        robust = found.cluster_robust()
        np.testing.assert_allclose(robust.bse, np.atleast_1d(wanted["cr2"]["se"]), rtol=10 * rtol)
        np.testing.assert_allclose(robust.dof, np.atleast_1d(wanted["cr2"]["df"]), rtol=10 * rtol)
        assert (robust.se, robust.df) == (robust.bse.iloc[0], robust.dof[0])


@pytest.mark.parametrize("test", ["z", "knapp-hartung"])
@pytest.mark.parametrize("method", ["REML", "ML", "DL", "PM"])
@pytest.mark.parametrize("which", ["molloy", "plain", "moderated"])
def test_two_levels_as_metafor_has_them(which, method, test):
    y, v = MOLLOY if which == "molloy" else (EFFECTS["y"], EFFECTS["v"])
    fits = WANTED["molloy"]["fits"] if which == "molloy" else WANTED["effects"][which]
    moderators = MODERATORS if which == "moderated" else None
    wanted = fits[f"{method} {'z' if test == 'z' else 'knha'}"]
    found = methods.meta_analysis(y, v, moderators=moderators, method=method, test=test)
    compare(found, wanted, EXACT)
    np.testing.assert_allclose(found.tau2, wanted["tau2"], rtol=1e-7)
    if method == "PM":
        weights = 1 / (np.asarray(v) + found.tau2)
        residuals = np.asarray(y) - found.evidence.x @ found.params.to_numpy()
        np.testing.assert_allclose(np.sum(weights * residuals**2), found.q_df, rtol=1e-9)
    assert found.df == (np.inf if wanted["df"] == -1 else wanted["df"])
    if method in ("REML", "ML"):
        np.testing.assert_allclose(found.llf, wanted["llf"], rtol=1e-9)
    assert found.sigma2 == {"effect": found.tau2}
    assert found.conf_int() == (found.tidy()["low"][0], found.tidy()["high"][0])


def test_the_published_figures_of_molloy():
    found = methods.meta_analysis(*MOLLOY)
    assert [round(x, 4) for x in (found.tau2, found.mu, found.se)] == [0.0081, 0.1499, 0.0316]
    assert [round(x, 4) for x in found.conf_int()] == [0.0881, 0.2118]
    np.testing.assert_allclose(np.tanh(found.prediction_interval()), [-0.03710, 0.32476], atol=2e-5)
    assert (round(found.i2, 2), round(found.q, 4)) == (61.73, 38.1595)


@pytest.mark.parametrize(
    ("which", "fit", "given"),
    [
        ("konstantopoulos", "fit", {}),
        ("assink", "fit", {}),
        ("effects", "three", {}),
        ("effects", "three_ml", {"method": "ML"}),
        ("effects", "three_t", {"moderators": MODERATORS, "test": "knapp-hartung"}),
    ],
)
def test_three_levels_as_metafor_has_them(which, fit, given):
    y, v, study = (
        (EFFECTS["y"], EFFECTS["v"], EFFECTS["study"])
        if which == "effects"
        else (WANTED[which]["y"], WANTED[which]["v"], WANTED[which]["study"])
    )
    wanted = WANTED[which][fit]
    found = methods.meta_analysis(y, v, study, **given)
    compare(found, wanted, SEARCHED)
    np.testing.assert_allclose(list(found.sigma2.values()), wanted["sigma2"], rtol=2e-4)
    np.testing.assert_allclose(list(found.i2_levels.values()), wanted["i2"], rtol=2e-4)
    assert list(found.sigma2) == ["study", "effect"]
    assert found.llf >= wanted["llf"] - 1e-9 * abs(wanted["llf"])
    np.testing.assert_allclose(found.llf, wanted["llf"], rtol=1e-8)
    assert not [f for f in found.findings if f.code == "not_converged"]


def test_arms_of_trials_of_cbt_for_depression(shared_data):
    arms = pd.read_csv(shared_data / "meta_lopez2019_cbt_depression.csv")
    y, v = arms["diff"], arms["se"] ** 2
    compare(methods.meta_analysis(y, v, test="knapp-hartung"), WANTED["lopez"]["two"], EXACT)
    compare(methods.meta_analysis(y, v, moderators=arms[["group"]]), WANTED["lopez"]["arms"], EXACT)
    three = methods.meta_analysis(y, v, arms["study"], arms[["group"]])
    compare(three, WANTED["lopez"]["three"], SEARCHED)


def test_variances_that_likelihood_finds_are_its_maximum_by_dense_matrices():
    y, v = EFFECTS["y"].to_numpy(), EFFECTS["v"].to_numpy()
    same = (EFFECTS["study"].to_numpy()[:, None] == EFFECTS["study"].to_numpy()) * 1.0
    x = np.column_stack([np.ones(len(y)), EFFECTS["year"]])

    def criterion(a, b):
        cov = np.diag(v + b) + a * same
        inverse = np.linalg.inv(cov)
        precision = x.T @ inverse @ x
        residual = y - x @ np.linalg.solve(precision, x.T @ inverse @ y)
        logs = np.linalg.slogdet(cov)[1] + np.linalg.slogdet(precision)[1] - np.linalg.slogdet(x.T @ x)[1]
        return -0.5 * (logs + residual @ inverse @ residual + (len(y) - 2) * np.log(2 * np.pi))

    found = methods.meta_analysis(y, v, EFFECTS["study"], EFFECTS[["year"]])
    a, b = found.sigma2["study"], found.sigma2["effect"]
    np.testing.assert_allclose(found.llf, criterion(a, b), rtol=1e-12)
    for da, db in ((1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3)):
        assert criterion(a + da, b + db) < found.llf


def test_a_new_effect_is_placed_with_all_its_uncertainty():
    found = methods.meta_analysis(*MOLLOY)
    placed = found.place(0.5, 0.02)
    sd = np.sqrt(found.tau2 + found.se**2 + 0.02)
    assert placed.sd == pytest.approx(sd, rel=1e-14)
    assert placed.z == pytest.approx((0.5 - found.mu) / sd, rel=1e-14)
    assert placed.percentile == pytest.approx(stats.norm.cdf(placed.z), rel=1e-12)
    assert placed.p == pytest.approx(2 * stats.norm.sf(placed.z), rel=1e-12)
    weight = found.tau2 / (found.tau2 + 0.02)
    assert placed.shrunken == pytest.approx(weight * 0.5 + (1 - weight) * found.mu, rel=1e-13)
    small = methods.meta_analysis(*MOLLOY, test="knapp-hartung").place(-0.3, 0.02)
    assert small.percentile == pytest.approx(stats.t.cdf(small.z, 15), rel=1e-10)
    moderated = methods.meta_analysis(EFFECTS["y"], EFFECTS["v"], moderators=EFFECTS[["year"]])
    assert moderated.place(0.5, 0.02, at={"year": 1.0}).mu == pytest.approx(moderated.params.sum())
    low, high = moderated.prediction_interval(at={"year": 1.0})
    assert (low + high) / 2 == pytest.approx(moderated.params.sum())


def test_studies_of_the_same_kind_are_covered_by_the_prediction_interval():
    """400 sets of 60 studies: a new true effect lies in the 95 % interval, a new observed effect has p above .05."""
    rng = np.random.default_rng(3)
    inside, usual = 0, 0
    for _ in range(400):
        v = rng.uniform(0.01, 0.05, 60)
        true = rng.normal(0.3, 0.25, 61)
        found = methods.meta_analysis(true[:60] + rng.normal(0, np.sqrt(v)), v, test="knapp-hartung")
        low, high = found.prediction_interval()
        inside += low <= true[60] <= high
        usual += found.place(true[60] + rng.normal(0, 0.2), 0.04).p > 0.05
    # Monte Carlo error of a share of 400 is .011; with few studies prediction intervals are known to cover less.
    assert 0.915 <= inside / 400 <= 0.983
    assert 0.915 <= usual / 400 <= 0.983


def test_equal_true_effects_and_few_studies_are_said():
    found = methods.meta_analysis([0.1, 0.1, 0.1], [0.02, 0.03, 0.02])
    assert found.tau2 == 0
    assert [(f.code, f.severity) for f in found.findings] == [
        ("few_studies", "caution"),
        ("no_spread", "info"),
    ]
    assert found.findings[0].message == (
        "With 3 studies, how much true effects differ is hardly known; the prediction interval is rough."
    )
    assert found.place(0.4, 0.02).shrunken == pytest.approx(0.1)


def test_the_summary_says_what_was_done():
    text = methods.meta_analysis(EFFECTS["y"], EFFECTS["v"], EFFECTS["study"]).summary()
    assert text.startswith("Meta-analysis, three levels, REML\nEffects: ")
    assert "95 % prediction interval: " in text
    robust = methods.meta_analysis(EFFECTS["y"], EFFECTS["v"], EFFECTS["study"]).cluster_robust().summary()
    assert robust.startswith("Meta-analysis with cluster-robust (CR2) standard errors\nStudies: 18")


GOOD = {"effects": [0.1, 0.3, 0.2], "variances": [0.01, 0.02, 0.03]}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"method": "EB"}, "method is 'EB'; it is one of REML, ML, DL, PM."),
        ({"test": "t"}, "test is 't'; it is one of z, knapp-hartung."),
        ({"effects": ["a", "b", "c"]}, "effects has to hold numbers."),
        ({"effects": [[0.1, 0.3, 0.2]]}, "effects has to be one column of numbers."),
        ({"effects": [0.1, np.nan, 0.2]}, "1 of the effects is missing or infinite. Leave these effects out."),
        ({"variances": [np.inf, np.nan, 1]}, "2 of the variances are missing or infinite. Leave these effects out."),
        ({"variances": [0.1, 0.2]}, "There are 3 effects and 2 variances. Give one variance for each effect."),
        ({"variances": [0.1, 0.2, 0]}, "A variance is 0. Sampling variances are above 0."),
        ({"effects": [0.1], "variances": [0.1]}, "There is 1 effect for 1 coefficient; at least 2 are needed."),
        ({"effects": [], "variances": []}, "There are 0 effects for 1 coefficient; at least 2 are needed."),
        ({"study": [1, 2]}, "There are 3 effects and 2 values of study. Give the study of each effect."),
        ({"study": [1, None, 2]}, "Column 'study' is missing in 1 row. Fill or drop it."),
        ({"study": [1, 1, 1]}, "All effects are of one study; how much studies differ cannot be estimated."),
        (
            {"study": [1, 2, 3]},
            "Each study has one effect, so that effects of a study cannot be compared. Leave out study.",
        ),
        ({"study": [1, 1, 2], "method": "DL"}, "With study, the method is REML or ML; DL is for one effect per study."),
        ({"moderators": [1, 2, 3]}, "moderators has to be a frame with one row for each effect."),
        (
            {"moderators": pd.DataFrame({"x": [1.0]})},
            "There are 3 effects, and moderators has 1 rows. Give one row for each.",
        ),
        (
            {"moderators": pd.DataFrame({"x": [1.0, np.nan, 2]})},
            "Moderator 'x' has missing values. Leave these effects out.",
        ),
        (
            {"moderators": pd.DataFrame({"x": [2.0, 2.0, 2.0]})},
            "The terms Intercept, x depend on each other. Leave out a moderator.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_said(given, message):
    with pytest.raises(DataError) as error:
        methods.meta_analysis(**(GOOD | given))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda m: m.place(np.nan, 0.1), "The effect is nan; it has to be a number."),
        (lambda m: m.place(0.1, 0), "The variance of the effect is 0; it has to be a number above 0."),
        (lambda m: m.place(0.1, 0.1, at={"x": 1}), "There is no moderator 'x'. There are: none."),
        (lambda m: m.conf_int(term="x"), "There is no term 'x'. There are: Intercept."),
    ],
)
def test_questions_that_cannot_be_meant(ask, message):
    with pytest.raises(DataError) as error:
        ask(methods.meta_analysis(**GOOD))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("r", "n", "message"),
    [
        ([0.1, 1.0], [20, 20], "A correlation is 1; it lies between -1 and 1. Leave out what is missing."),
        (
            [0.1, np.nan],
            [20, 20],
            "A correlation is nan; it lies between -1 and 1. Leave out what is missing.",
        ),
        ([0.1, 0.2], [20, 3], "A correlation rests on 3 persons; its variance needs at least 4."),
        ([0.1, 0.2], [20, 30, 40], "There are 2 correlations and 3 numbers of persons. Give one for each."),
    ],
)
def test_correlations_that_are_none(r, n, message):
    with pytest.raises(DataError) as error:
        methods.from_correlations(r, n)
    assert str(error.value) == message


def test_one_number_of_persons_is_that_of_all():
    z, v = methods.from_correlations([0.1, -0.2], 43)
    np.testing.assert_allclose(z, np.arctanh([0.1, -0.2]), rtol=1e-15)
    np.testing.assert_array_equal(v, [0.025, 0.025])


def test_effects_that_are_all_equal_have_no_error_by_knapp_and_hartung():
    """The weighted squares around the mean are -1e-17 by rounding, or zero."""
    found = methods.meta_analysis([0.3] * 4, [0.1] * 4, test="knapp-hartung")
    assert found.mu == pytest.approx(0.3, rel=1e-14)
    assert found.se == pytest.approx(0, abs=1e-8)
    assert found.conf_int() == pytest.approx((0.3, 0.3), abs=1e-7)


def test_correlations_that_are_texts():
    with pytest.raises(DataError, match=r"^r and n have to hold numbers\.$"):
        methods.from_correlations(["high"], [20])
