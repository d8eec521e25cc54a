"""Tests of variances: RLRsim's figures, brute force on matrices, and the right size under the null hypothesis."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_longitudinal as al
from alliance_longitudinal.errors import FitError
from engine.designs import three_levels
from engine.test_profile_structures import least, series
from inside.engine_inference import boundary_tests, reduced, restricted_lrt
from inside.engine_linalg import dense

REFERENCE = Path(__file__).parents[1] / "reference"
RLRSIM = json.loads((REFERENCE / "profile.json").read_text(encoding="utf-8"))["tests"]


def small(name):
    return pd.read_csv(REFERENCE / "small" / f"{name.lower()}.csv")


def fit(formula, frame, **options):
    return al.MixedModel.from_formula(formula, frame, crossed=True).fit(**options)


@pytest.mark.parametrize("test", RLRSIM, ids=lambda t: t["data"])
def test_statistics_and_p_values_of_rlrsim(test):
    table = fit(test["full"], small(test["data"])).variance_tests("exact", n_sim=20_000, seed=1)
    row = table.iloc[int(np.argmin(np.abs(table["statistic"] - test["statistic"])))]
    assert row["statistic"] == pytest.approx(test["statistic"], abs=2e-5)  # RLRsim takes lme4's optimum
    if test["null"] is None:
        # Both are simulated: 20,000 and 100,000 draws.
        assert row["p"] == pytest.approx(test["p"], abs=5 * np.sqrt(test["p"] / 20_000))
        assert row["distribution"] == "exact restricted likelihood ratio, 20000 draws"
    else:
        # Another approximation: RLRsim takes the other effects as known, we their relative variance.
        assert row["p"] == pytest.approx(test["p"], abs=0.02)
        assert "the other relative variances treated as known" in row["distribution"]


def test_statistics_are_those_of_models_without_the_effects():
    frame = small("three_level")
    whole = fit("y ~ week + arm + (week | outer) + (week | unit)", frame, reml=False)
    table = whole.variance_tests("mixture")
    assert list(table["effects"]) == ["week", "Intercept, week", "week", "Intercept, week"]
    assert list(table["group"]) == ["outer", "outer", "unit", "unit"]
    assert list(table["df"]) == [2, 3, 2, 3]
    without = [
        "y ~ week + arm + (1 | outer) + (week | unit)",
        "y ~ week + arm + (week | unit)",
        "y ~ week + arm + (week | outer) + (1 | unit)",
        "y ~ week + arm + (week | outer)",
    ]
    expected = [fit(f, frame).deviance for f in without]
    np.testing.assert_allclose(table["deviance_without"], expected, atol=1e-6)
    restricted = fit("y ~ week + arm + (week | outer) + (week | unit)", frame).deviance
    np.testing.assert_allclose(table["statistic"], table["deviance_without"] - restricted, atol=1e-6)
    p = [0.5 * (stats.chi2.sf(s, 1) + stats.chi2.sf(s, 2)) for s in table["statistic"][[0, 2]]]
    np.testing.assert_allclose(table["p"][[0, 2]], p)
    assert table["distribution"][0] == "equal mixture of chi2(1) and chi2(2), for many groups"
    np.testing.assert_allclose(table["p"][[1, 3]], stats.chi2.sf(table["statistic"][[1, 3]], 3))
    assert "an upper bound of p: no mixture is known for 2 effects at once" in table["distribution"][1]


def test_the_plain_chi_squared_test_differs_where_the_literature_says():
    frame = small("orthodont")
    columns = {c.lower(): c for c in frame.columns}
    formula = f"{columns['distance']} ~ {columns['age']} * {columns['sex']} + ({columns['age']} | {columns['subject']})"
    row = fit(formula, frame).variance_tests("mixture").iloc[0]
    # lmerTest's ranova: 1.1756 on 2 degrees of freedom, p = .556; the mixture has .417.
    assert row["statistic"] == pytest.approx(1.1756, abs=5e-5)
    assert stats.chi2.sf(row["statistic"], row["df"]) == pytest.approx(0.556, abs=5e-4)
    assert row["p"] == pytest.approx(0.417, abs=5e-4)


@pytest.mark.parametrize("formula", ["y ~ x + (1 | person) + (1 | item)", "y ~ x + (1 | person)"])
def test_eigenvalues_are_those_of_the_matrices(formula):
    frame = small("crossed")
    whole = fit(formula, frame).fit
    reduction = reduced.Reduction.of(whole, 0, (0,))
    start = reduction.start(list(whole.record.best.relative))
    _, relative, _ = reduction.optimum(whole.blocks, start, True, np.zeros(0))
    design = whole.design
    v = np.eye(len(frame))
    if len(relative) > 1:
        effect = np.linalg.inv(whole.basis.b[1])[0, 0]
        codes = design.factors[1].codes
        v += effect**2 * relative[1][0, 0] * (codes[:, None] == codes[None, :])
    z = dense.design_matrix(design.terms[0].z, design.factors[0].codes, design.factors[0].size)
    z = z * whole.basis.b[0][0, 0]
    inverse = np.linalg.inv(v)
    p0 = inverse - inverse @ design.x @ np.linalg.solve(design.x.T @ inverse @ design.x, design.x.T @ inverse)
    scale = np.linalg.norm(whole.basis.q[:, 0]) ** 2 / len(frame)  # internal columns have mean square one
    expected = np.linalg.eigvalsh(z.T @ p0 @ z)
    found = restricted_lrt.eigenvalues(whole, 0, relative)
    np.testing.assert_allclose(found / found.max(), expected / expected.max(), atol=1e-9)
    assert scale == pytest.approx(1)


def test_simulated_null_is_that_of_refits_to_simulated_data():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"g": np.repeat(np.arange(6), 4), "x": rng.normal(size=24)})
    whole = fit("y ~ x + (1 | g)", frame.assign(y=rng.normal(size=24)))
    mu = restricted_lrt.eigenvalues(whole.fit, 0, [np.zeros((1, 1))])
    draws = restricted_lrt.simulate_null(mu, 24, 2, 20_000, rng)
    refits = []
    for _ in range(150):
        res = fit("y ~ x + (1 | g)", frame.assign(y=rng.normal(size=24)))
        refits.append(res.variance_tests("mixture")["statistic"][0])
    # Kolmogorov-Smirnov at 1 in 1000; the point mass at zero is compared apart.
    assert stats.ks_2samp(np.maximum(refits, 1e-6), np.maximum(draws, 1e-6)).pvalue > 1e-3
    assert np.mean(np.array(refits) < 1e-6) == pytest.approx(
        np.mean(draws < 1e-6), abs=4 * 0.5 / np.sqrt(150)
    )


def test_size_under_the_null_hypothesis():
    """With another level below; the bootstrap's size is in benchmarks/calibrate_variance_tests.py."""
    frame = three_levels(2, outer=8, inner=5, rows=5)[["outer", "unique", "week"]]
    count = 400
    rng = np.random.default_rng(7)
    p = []
    for seed in range(count):
        units = frame["unique"].map({u: rng.normal() for u in frame["unique"].unique()})
        res = fit(
            "y ~ week + (1 | outer) + (1 | unique)", frame.assign(y=units + rng.normal(size=len(frame)))
        )
        p.append(res.variance_tests("exact", n_sim=500, seed=seed).iloc[0]["p"])
    # Three standard errors at each level: a mixture of chi-squared in its place rejects too rarely, chi2(1) half as often.
    for level in (0.05, 0.1, 0.25, 0.4):
        found = np.mean(np.array(p) <= level)
        assert found == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / count)), level


def test_bootstrap_finds_the_p_value_of_the_exact_test():
    res = fit("Yield ~ 1 + (1 | Batch)", small("Dyestuff"))
    row = res.variance_tests("bootstrap", n_sim=200, seed=1).iloc[0]
    assert row["distribution"] == "parametric bootstrap without the effects, 200 refits"
    # (1 + exceeding) / (1 + 200): never zero, and at four standard errors of 0.0046 at most five exceed.
    assert row["p"] * 201 == pytest.approx(round(row["p"] * 201))
    assert 1 / 201 <= row["p"] <= 6 / 201


def test_bootstrap_and_exact_test_agree_where_the_p_value_is_middling():
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"g": np.repeat(np.arange(8), 4), "x": rng.normal(size=32)})
    noise = rng.normal(size=32)
    res = fit("y ~ x + (1 | g)", frame.assign(y=noise + np.repeat(0.35 * rng.normal(size=8), 4)))
    exact = res.variance_tests("exact", n_sim=20_000, seed=1).iloc[0]["p"]
    assert 0.05 < exact < 0.4
    found = res.variance_tests("bootstrap", n_sim=300, seed=2).iloc[0]["p"]
    assert found == pytest.approx(exact, abs=3 * np.sqrt(exact * (1 - exact) / 300) + 1 / 301)


def test_a_bootstrap_with_a_large_p_may_end_early():
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"g": np.repeat(np.arange(8), 4), "y": rng.normal(size=32)})
    frame["y"] += np.repeat(0.35 * rng.normal(size=8), 4)
    res = fit("y ~ 1 + (1 | g)", frame)
    early = res.variance_tests("bootstrap", n_sim=1000, seed=2, exceedances=60).iloc[0]
    done = int(early["distribution"].split(", ")[1].split()[0])
    assert early["distribution"].endswith(f"{done} refits, ended by 60 that reach the statistic")
    assert early["p"] == 60 / done
    assert 101 < done < 1000
    # The same draws without an end: so many of them reach it, and the last one does.
    for draws, exceed in ((done - 1, 59), (done, 60)):
        whole = res.variance_tests("bootstrap", n_sim=draws, seed=2).iloc[0]
        assert whole["p"] * (draws + 1) == pytest.approx(1 + exceed)


def test_a_bootstrap_with_a_small_p_makes_all_its_refits():
    res = fit("Yield ~ 1 + (1 | Batch)", small("Dyestuff"))
    row = res.variance_tests("bootstrap", n_sim=200, seed=1, exceedances=10).iloc[0]
    assert row["distribution"] == "parametric bootstrap without the effects, 200 refits"
    assert row["p"] == res.variance_tests("bootstrap", n_sim=200, seed=1).iloc[0]["p"]


@pytest.mark.parametrize(("method", "enough"), [("bootstrap", 5), ("exact", 20)])
def test_an_early_end_is_refused_where_it_makes_no_sense(method, enough):
    res = fit("Yield ~ 1 + (1 | Batch)", small("Dyestuff"))
    with pytest.raises(
        FitError,
        match=f"exceedances is {enough}; it ends a bootstrap early and is at least 10. Other methods",
    ):
        res.variance_tests(method, n_sim=100, seed=1, exceedances=enough)


def test_failed_refits_are_counted(monkeypatch):
    res = fit("Yield ~ 1 + (1 | Batch)", small("Dyestuff"))
    best_over = boundary_tests.best_over
    count = iter(range(1000))
    monkeypatch.setattr(boundary_tests, "best_over", lambda *a: None if next(count) < 10 else best_over(*a))
    row = res.variance_tests("bootstrap", n_sim=100, seed=1).iloc[0]
    assert row["distribution"] == "parametric bootstrap without the effects, 90 refits (10 more failed)"


def test_a_boundary_estimate_has_p_one():
    res = fit("Yield ~ 1 + (1 | Batch)", small("Dyestuff2"))
    for method in ("exact", "mixture"):
        row = res.variance_tests(method, seed=1).iloc[0]
        assert row["statistic"] == pytest.approx(0, abs=1e-9)
        assert row["p"] == 1


@pytest.mark.parametrize(
    "made", [al.AR1("t", strata="how"), al.CAR1("t"), al.VarIdent("how")], ids=lambda s: type(s).__name__
)
def test_a_residual_structure_is_estimated_anew_without_the_effects(made):
    frame = series(5, units=12, rows=6, ratio=1.5)
    model = al.MixedModel.from_formula("y ~ t + (1 + t | unit)", frame, residual=made)
    table = model.fit().variance_tests()
    smaller = al.MixedModel.from_formula("y ~ t + (1 | unit)", frame, residual=made).fit()
    assert table["deviance_without"][0] == pytest.approx(smaller.deviance, abs=1e-6)
    start = {"sigma": 1.0} | ({"phi": 0.5} if type(made) is not al.VarIdent else {})
    start |= {"ratio": 1.5} if made.strata else {}
    alone = least(frame, type(made), {"sd": 0.1} | start, "sd", 0.0, True)  # generalised least squares
    assert table["deviance_without"][1] == pytest.approx(alone, abs=1e-5)
    assert table["distribution"][0] == "equal mixture of chi2(1) and chi2(2), for many groups"
    np.testing.assert_allclose(
        table["statistic"], model.fit(reml=False).variance_tests()["statistic"], atol=1e-6
    )
    one = smaller.variance_tests()
    assert one["deviance_without"][0] == pytest.approx(alone, abs=1e-5)
    assert one["distribution"][0] == "equal mixture of 0 and chi2(1), for many groups"


def test_the_bootstrap_of_a_structure_has_the_null_distribution():
    """With strata alone the statistic is nearly that of independent residuals, whose distribution is known."""
    frame = series(7, units=10, ratio=2.0, sd=0.3, phi=0.0)
    res = al.MixedModel.from_formula("y ~ t + (1 | unit)", frame, residual=al.VarIdent("how")).fit()
    row = res.variance_tests("bootstrap", n_sim=100, seed=4).iloc[0]
    assert row["distribution"] == "parametric bootstrap without the effects, 100 refits"
    mu = restricted_lrt.eigenvalues(res.fit, 0, [np.zeros((1, 1))])
    draws = restricted_lrt.simulate_null(mu, len(frame), 2, 20_000, np.random.default_rng(1))
    exact = np.mean(draws >= row["statistic"] - 1e-9)
    assert 0.02 < exact < 0.98
    # Monte Carlo at four standard errors, and what estimating the ratio costs.
    assert row["p"] == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 100) + 0.02)


def test_what_cannot_be_tested_is_refused(monkeypatch):
    frame = small("three_level")
    res = fit("y ~ week + (1 | unit)", frame)
    with pytest.raises(FitError, match="method='wald' is not available; there is 'exact', 'mixture' and"):
        res.variance_tests("wald")
    with pytest.raises(
        FitError, match="The null distribution needs at least 100 draws, not 10; 10000 for p values"
    ):
        res.variance_tests(n_sim=10)
    monkeypatch.setattr(reduced, "best_over", lambda *_: None)
    with pytest.raises(FitError, match="The model without Intercept over outer has no verified optimum"):
        fit("y ~ week + (1 | outer) + (1 | unit)", frame).variance_tests()
    monkeypatch.setattr(boundary_tests, "careful", lambda *_: None)
    with pytest.raises(
        FitError, match="The model has no verified optimum by REML, which tests of variances need"
    ):
        fit("y ~ week + (1 | unit)", frame, reml=False).variance_tests()
