"""Indirect effects: exact products, nlme (1-1-1), lavaan (2-1-1), whole matrices, and simulated truth."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError, FitError
from inside.methods_mediation import product_cdf

FOLDER = Path(__file__).parents[1] / "reference"
REFERENCE = json.loads((FOLDER / "mediation.json").read_text(encoding="utf-8"))
GROUPS = pd.read_csv(FOLDER / "small" / "groups.csv")


# ---------------------------------------------------------------- the product of two estimates


def test_the_published_interval_of_a_product():
    """methods.md 12: a = .30 (.10), b = -.50 (.15): (-.30411, -.03682)."""
    np.testing.assert_allclose(
        methods.product_interval(0.30, 0.10, -0.50, 0.15), [-0.30411, -0.03682], atol=5e-6
    )


@pytest.mark.parametrize(
    ("a", "b", "alpha"),
    [(0.0, 0.0, 0.05), (3.0, 0.0, 0.1), (-2.0, 5.0, 0.01), (0.3, 4.0, 0.05), (12.0, 9.0, 0.05)],
)
def test_the_interval_holds_what_a_large_sample_of_products_holds(a, b, alpha):
    rng = np.random.default_rng(1)
    product = rng.normal(2 * a, 2, 2_000_000) * rng.normal(0.1 * b, 0.1, 2_000_000)
    low, high = methods.product_interval(2 * a, 2, 0.1 * b, 0.1, alpha)
    outside = np.array([np.mean(product < low), np.mean(product > high)])
    assert (np.abs(outside - alpha / 2) < 4 * np.sqrt(alpha / 2 / 2_000_000)).all()


def test_the_product_of_two_centred_estimates_has_the_known_distribution():
    """The density of a product of two standard normal values is K0(|x|) / pi."""
    from scipy import integrate, special

    low, high = methods.product_interval(0, 1, 0, 1)
    assert low == pytest.approx(-high, rel=1e-9)
    beyond = integrate.quad(lambda x: special.k0(x) / np.pi, high, np.inf)[0]
    assert beyond == pytest.approx(0.025, abs=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "df"), [(3.0, -3.3, (10, 10)), (0.0, 2.0, (3, 50)), (2.0, 2.0, (8, np.inf))]
)
def test_few_degrees_of_freedom_widen_the_interval(a, b, df):
    """Products of t distributed estimates, drawn; with very many degrees of freedom the interval is the normal one."""
    rng = np.random.default_rng(1)
    x, y = (rng.standard_t(k, 1_000_000) if k < np.inf else rng.normal(size=1_000_000) for k in df)
    product = (a + x) * 0.1 * (b + y)
    low, high = methods.product_interval(a, 1, 0.1 * b, 0.1, df_a=df[0], df_b=df[1])
    outside = np.array([np.mean(product < low), np.mean(product > high)])
    assert (np.abs(outside - 0.025) < 4 * np.sqrt(0.025 / 1_000_000)).all()
    plain = methods.product_interval(a, 1, 0.1 * b, 0.1)
    assert low < plain.lower
    assert high > plain.upper
    many = methods.product_interval(a, 1, 0.1 * b, 0.1, df_a=1e8, df_b=1e8)
    np.testing.assert_allclose(many, plain, rtol=1e-5)


def test_with_twelve_therapists_the_interval_of_a_product_covers():
    """Least squares of twelve means: normal quantiles cover 93 %, those of t 96 % (2000 sets: 93.4 and 96.0)."""
    rng, covered = np.random.default_rng(12), np.zeros(2)
    for _ in range(300):
        x = rng.normal(size=12)
        m = 0.6 * x + rng.normal(size=12)
        y = 0.5 * m + 0.2 * x + rng.normal(size=12)
        (a, se_a), (b, se_b) = (_least_squares(d, z) for d, z in ((np.c_[x], m), (np.c_[m, x], y)))
        for k, df in enumerate(
            ((np.inf, np.inf), (10, 9))
        ):  # the limits hold the truth where this is not in a tail
            covered[k] += 0.025 < product_cdf(0.3 / (se_a * se_b), a / se_a, b / se_b, *df) < 0.975
    assert covered[1] / 300 == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 300))
    assert covered[0] < covered[1] - 3


def _least_squares(predictors, y):
    """Coefficient of the first predictor and its error."""
    x = np.column_stack([predictors, np.ones(len(y))])
    inverse = np.linalg.inv(x.T @ x)
    b = inverse @ x.T @ y
    scale = np.sum((y - x @ b) ** 2) / (len(y) - x.shape[1])
    return b[0], np.sqrt(scale * inverse[0, 0])


# ---------------------------------------------------------------- within persons


@pytest.fixture(scope="module")
def diary():
    path = Path(__file__).parents[2].parent / "shared" / "data" / "mediation_diary_bpg06.csv"
    if not path.exists():
        pytest.skip("the real data folder ../shared/data is not beside this checkout")
    return methods.mediate(pd.read_csv(path), "x", "m", "y", "id")


def test_the_diary_against_nlme(diary):
    a, b, c = REFERENCE["coef"][2:]
    covariance = np.array(REFERENCE["G"])
    # nlme stops within about 1e-5 of the optimum.
    np.testing.assert_allclose(diary.params[["a", "b", "c_prime"]], [a, b, c], rtol=1e-4)
    np.testing.assert_allclose(
        diary.bse[["a", "b", "c_prime"]], np.sqrt(np.diag(REFERENCE["vcov"]))[2:], rtol=1e-3
    )
    assert diary.params["cov_ab"] == pytest.approx(covariance[3, 2], rel=1e-3)
    assert diary.params["indirect"] == pytest.approx(a * b + covariance[3, 2], rel=1e-3)
    assert diary.params["total"] == pytest.approx(a * b + covariance[3, 2] + c, rel=1e-3)
    np.testing.assert_allclose(diary.varcov.to_numpy(), covariance, atol=5e-4)
    np.testing.assert_allclose(diary.sigma.to_numpy(), REFERENCE["sigma"], rtol=1e-4)
    assert diary.model.llf == pytest.approx(REFERENCE["llf"], abs=1e-4)


def test_the_sampling_error_of_the_covariance_is_that_of_the_whole_matrices(diary):
    assert diary.bse["cov_ab"] == pytest.approx(REFERENCE["se_cov_ab"], rel=2e-3)
    # Without the covariance of a and b the indirect effect is a fifth too small (methods.md 12: .473 with it).
    assert diary.params["indirect"] == pytest.approx(0.473, abs=1e-3)
    assert diary.params["a"] * diary.params["b"] / diary.params["indirect"] < 0.8


def test_the_monte_carlo_interval_has_the_moments_of_the_effect(diary):
    low, high = diary.conf_int().loc["indirect"]
    assert low < diary.params["indirect"] < high
    a, b = diary.params[["a", "b"]]
    va, vb, vc = diary.bse[["a", "b", "cov_ab"]] ** 2
    rho = diary.cov_params().loc["a", "b"]
    variance = b * b * va + a * a * vb + va * vb + rho**2 + 2 * a * b * rho + vc
    assert np.var(diary.draws[:, 4]) == pytest.approx(variance, rel=0.03)
    wide = diary.conf_int(0.01).loc["indirect"]
    assert wide["lower"] < low < high < wide["upper"]
    assert "800 occasions of 100 persons" in diary.summary()


def diary_data(seed, n=60, t=10):
    rng = np.random.default_rng(seed)
    p = np.repeat(np.arange(n), t)
    a, b, c = rng.multivariate_normal([0.5, 0.4, 0.2], [[0.16, 0.08, 0], [0.08, 0.16, 0], [0, 0, 0.04]], n).T
    x = rng.normal(size=n * t)
    m = a[p] * x + rng.normal(0, 0.6, n)[p] + rng.normal(0, 0.8, n * t)
    y = b[p] * m + c[p] * x + rng.normal(0, 0.5, n)[p] + rng.normal(0, 0.7, n * t)
    return pd.DataFrame({"p": p, "x": x, "m": m, "y": y})


def test_paths_and_their_covariance_are_recovered():
    truth = pd.Series({"a": 0.5, "b": 0.4, "c_prime": 0.2, "cov_ab": 0.08, "indirect": 0.28, "total": 0.48})
    found, hits, n_sim = [], [], 12
    for seed in range(n_sim):
        fit = methods.mediate(diary_data(seed), "x", "m", "y", "p", n_draws=2000)
        limits = fit.conf_int()
        found.append(fit.params)
        hits.append((limits["lower"] <= truth) & (truth <= limits["upper"]))
    error = np.std(found, axis=0) / np.sqrt(n_sim)
    assert (np.abs(np.mean(found, axis=0) - truth) < 3.5 * error).all()
    assert (np.mean(hits, axis=0) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / n_sim)).all()


# ---------------------------------------------------------------- between groups


def test_group_means_against_lavaan():
    found = methods.latent_mediation(GROUPS, "x", "m", "y", "group")
    names = {"a": "a", "b_between": "bb", "b_within": "bw", "c_prime": "cp", "indirect": "indirect", "contextual": "contextual"}  # fmt: skip
    for name, label in names.items():
        reference = REFERENCE["latent"][label]
        assert found.params[name] == pytest.approx(reference["est"], rel=1e-4)
        assert found.bse[name] == pytest.approx(reference["se"], rel=5e-3)
    assert found.llf == pytest.approx(REFERENCE["latent_llf"], abs=1e-4)
    low, high = found.conf_int().loc["indirect"]
    np.testing.assert_allclose([low, high], methods.product_interval(found.params["a"], found.bse["a"], found.params["b_between"], found.bse["b_between"]), atol=0.03)  # fmt: skip


def group_data(seed, n=80, size=8):
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(n), size)
    x = rng.normal(size=n)
    between = 0.5 * x + rng.normal(0, 0.7, n)
    m = between[g] + rng.normal(size=n * size)
    y = (
        (0.6 * between + 0.1 * x + rng.normal(0, 0.4, n))[g]
        + 0.2 * (m - between[g])
        + rng.normal(size=n * size)
    )
    return pd.DataFrame({"g": g, "x": x[g], "m": m, "y": y})


def test_latent_paths_are_recovered_with_their_coverage():
    truth = pd.Series(
        {"a": 0.5, "b_between": 0.6, "b_within": 0.2, "c_prime": 0.1, "indirect": 0.3, "contextual": 0.4}
    )
    found, hits, n_sim = [], [], 50
    for seed in range(n_sim):
        fit = methods.latent_mediation(group_data(seed), "x", "m", "y", "g")
        limits = fit.conf_int()
        found.append(fit.params)
        hits.append((limits["lower"] <= truth) & (truth <= limits["upper"]))
    error = np.std(found, axis=0) / np.sqrt(n_sim)
    assert (np.abs(np.mean(found, axis=0) - truth) < 3.5 * error + 0.01).all()
    assert (np.abs(np.mean(hits, axis=0) - 0.95) < 3.5 * np.sqrt(0.05 * 0.95 / n_sim)).all()


def test_rows_with_one_score_count_with_what_they_have():
    frame = group_data(1)
    rng = np.random.default_rng(2)
    frame.loc[rng.random(len(frame)) < 0.2, "y"] = np.nan
    frame.loc[rng.random(len(frame)) < 0.2, "m"] = np.nan
    found = methods.latent_mediation(frame, "x", "m", "y", "g")
    assert found.n_dropped == int(frame[["m", "y"]].isna().all(axis=1).sum())
    assert abs(found.params["a"] - 0.5) < 3 * found.bse["a"]
    few = methods.latent_mediation(group_data(3, n=20), "x", "m", "y", "g")
    assert few.findings[0].message == (
        "The effects between groups rest on 20 groups, however many members they have. With fewer than 50 they are very uncertain."
    )
    assert "160 rows in 20 groups, 0 left out" in few.summary()


D, G = diary_data(1, 8, 6), group_data(1, 10, 4)


@pytest.mark.parametrize(
    ("frame", "given", "message"),
    [
        (D, {"x": "xx"}, "The frame has no column 'xx'. Did you mean 'x'?"),
        (D, {"n_draws": 10}, "n_draws is 10; it is a number of draws, at least 1000."),
        (D.assign(m=1.0), {}, "All values of 'm' are equal. A path needs values that vary."),
        (D.groupby("p").head(3), {}, "0 persons have four complete occasions or more. At least five are needed for paths that differ between persons."),
        (D.head(10), {}, "10 rows have a value in each of 'x', 'm' and 'y'. At least 20 are needed."),
        (D.assign(y=D["m"] + D["x"]), {}, "The mediation model cannot be fitted: x and m determine y, or x determines m, so that nothing is left to chance."),
    ],
)  # fmt: skip
def test_what_mediation_within_persons_refuses(frame, given, message):
    with pytest.raises(DataError) as caught:
        methods.mediate(frame, **({"x": "x", "m": "m", "y": "y", "person": "p"} | given))
    assert str(caught.value).startswith(message)


def test_units_of_the_outcomes_do_not_matter():
    """An outcome in large units does not make the other's scatter vanish."""
    plain = methods.mediate(D, "x", "m", "y", "p")
    scaled = methods.mediate(D.assign(y=D["y"] * 3e6), "x", "m", "y", "p")
    # the search for the variances stops at another place in other units: 0.1 % here
    np.testing.assert_allclose(scaled.params / [1, *[3e6] * 5], plain.params, rtol=0.005)


@pytest.mark.parametrize(
    ("frame", "given", "message"),
    [
        (G, {"group": "h"}, "The frame has no column 'h'. There are: g, x, m, y."),
        (G, {"m": "x"}, "Column 'x' is named twice in the arguments. Name it once."),
        (G.assign(x=2 * G["m"]), {}, "'x' varies within 'g'. The cause of a mediation between groups has one value per group."),
        (G[G["g"] < 5], {}, "There are 5 groups with values. At least six are needed."),
        (G.assign(x=1.0), {}, "All values of 'x' are equal. A cause has to differ between groups."),
        (G.assign(y=2.0), {}, "All values of 'y' are equal. A path needs values that vary."),
        (G.groupby("g").head(1), {}, "Fewer than two groups have two rows with both 'm' and 'y'. What is within groups cannot be seen."),
    ],
)  # fmt: skip
def test_what_mediation_between_groups_refuses(frame, given, message):
    with pytest.raises(DataError) as caught:
        methods.latent_mediation(frame, **({"x": "x", "m": "m", "y": "y", "group": "g"} | given))
    assert str(caught.value).startswith(message)


def test_a_mediator_without_differences_between_groups_is_refused():
    frame = group_data(1, 20)
    frame["m"] -= frame.groupby("g")["m"].transform("mean")
    with pytest.raises(FitError, match="'m' does not differ between groups beyond chance"):
        methods.latent_mediation(frame, "x", "m", "y", "g")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"se_a": 0}, "se_a is 0; it is a standard error, more than 0."),
        ({"b": None}, "b is None; it is an estimate, a finite number."),
        ({"df_b": 0}, "df_b is 0; it is degrees of freedom, more than 0; infinite for a normal estimate."),
        ({"alpha": 5}, "alpha is 5; it lies between 0 and 1, and 0.05 gives 95 % intervals."),
        ({"alpha": 1e-300}, "alpha is 1e-300; it is too small for the distribution of the product."),
    ],
)
def test_what_a_product_refuses(given, message):
    with pytest.raises(DataError) as caught:
        methods.product_interval(**({"a": 1, "se_a": 1, "b": 1, "se_b": 1} | given))
    assert str(caught.value) == message


# ---------------------------------------------------------------- paths from two models, unmeasured confounding


def test_paths_of_two_models_have_exact_and_monte_carlo_intervals():
    found = methods.indirect_paths(
        0.3, 0.1, -0.5, -0.2, [[0.0225, 0.004], [0.004, 0.01]], (20, 30, 40), seed=1
    )
    rng = np.random.default_rng(2)
    error_a = rng.normal(0, 0.1, 400_000)
    errors = rng.multivariate_normal([0, 0], [[0.0225, 0.004], [0.004, 0.01]], 400_000).T
    plain_a, plain_b, plain_c = 0.3 + error_a, -0.5 + errors[0], -0.2 + errors[1]
    from scipy import stats

    at = rng.random(400_000)  # the scales of b and c', of one model, go together
    a = 0.3 + error_a * np.sqrt(20 / rng.chisquare(20, 400_000))
    b = -0.5 + errors[0] * np.sqrt(30 / stats.chi2.isf(at, 30))
    c = -0.2 + errors[1] * np.sqrt(40 / stats.chi2.isf(at, 40))
    limits = found.conf_int()
    np.testing.assert_allclose(limits.loc["indirect"], np.quantile(a * b, [0.025, 0.975]), atol=0.002)
    # 20,000 draws: three Monte Carlo errors of an outer quantile are about .006 and .03.
    np.testing.assert_allclose(limits.loc["total"], np.quantile(a * b + c, [0.025, 0.975]), atol=0.01)
    share = a * b / (a * b + c)
    np.testing.assert_allclose(limits.loc["proportion"], np.quantile(share, [0.025, 0.975]), atol=0.05)
    assert found.bse["indirect"] == pytest.approx(np.std(plain_a * plain_b), rel=0.01)
    assert found.bse["total"] == pytest.approx(np.std(plain_a * plain_b + plain_c), rel=0.01)
    assert limits.loc["a", "lower"] == pytest.approx(0.3 - stats.t.ppf(0.975, 20) * 0.1)


@pytest.mark.parametrize("rho", [-0.5, 0.2, 0.7])
def test_the_path_under_confounding_is_the_true_one(rho):
    """Errors that correlate at rho; naive regressions, corrected for rho, give the truth back."""
    rng = np.random.default_rng(3)
    n, a, b, sm, sy = 400_000, 0.6, -0.4, 1.5, 0.7
    e = rng.multivariate_normal([0, 0], [[sm**2, rho * sm * sy], [rho * sm * sy, sy**2]], n)
    x = rng.normal(size=n)
    m = a * x + e[:, 0]
    y = 0.2 * x + b * m + e[:, 1]
    design = np.column_stack([np.ones(n), x])
    first = np.linalg.lstsq(design, m)[0]
    second = np.linalg.lstsq(np.column_stack([design, m]), y)[0]
    residual_m = m - design @ first
    residual_y = y - np.column_stack([design, m]) @ second
    found = methods.unmeasured_confounding(first[1], second[2], residual_m.std(), residual_y.std())
    assert found.indirect(rho)[0] == pytest.approx(a * b, abs=0.01)
    assert found.indirect(found.rho_zero)[0] == pytest.approx(0, abs=1e-9)
    partial = np.corrcoef(residual_m, y - design @ np.linalg.lstsq(design, y)[0])[0, 1]
    assert found.rho_zero == pytest.approx(partial, abs=1e-6)


def test_numbers_that_are_no_paths_are_refused():
    with pytest.raises(DataError, match=r"^se_a is 0; it is a standard error, more than 0\.$"):
        methods.indirect_paths(1, 0, 1, 1, np.eye(2))
    with pytest.raises(DataError) as caught:
        methods.indirect_paths(1, 1, 1, 1, [[1.0, 2.0], [2.0, 1.0]])
    assert str(caught.value) == (
        "cov is not a covariance of b and c_prime: it has two rows and two columns, variances above 0 on the diagonal."
    )
    with pytest.raises(DataError, match=r"^rho is a correlation, or several: above -1 and below 1"):
        methods.unmeasured_confounding(1, 1, 1, 1).indirect([0.2, 1.0])
    with pytest.raises(DataError, match=r"^sigma_y is -1"):
        methods.unmeasured_confounding(1, 1, 1, -1)
