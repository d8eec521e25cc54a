"""Factor models against lavaan, and the likelihood against a plain one."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from inside.methods_fiml import deviance, local, minimise, patterns, saturated, srmr
from inside.methods_psychometrics import (
    LEVELS,
    FactorFit,
    bifactor,
    correlated_factors,
    fit_factors,
    repeated,
    unrestricted_spec,
)

FOLDER = Path(__file__).parents[1] / "reference"
REFERENCE = json.loads((FOLDER / "measurement.json").read_text(encoding="utf-8"))
ITEMS = [f"x{k}" for k in range(1, 10)]
GROUPS = {"visual": ITEMS[:3], "textual": ITEMS[3:6], "speed": ITEMS[6:]}
WAI = {f: [f"wai_{f}{k}" for k in (1, 2, 3)] for f in ("task", "goal", "bond")}
INDICES = (
    "chisq",
    "df",
    "pvalue",
    "cfi",
    "tli",
    "rmsea",
    "rmsea.ci.lower",
    "rmsea.ci.upper",
    "srmr",
    "logl",
    "aic",
    "bic",
)


def holzinger(holes: bool = False) -> pd.DataFrame:
    """301 pupils, nine tests; with ``holes`` the values that make_measurement.R takes out."""
    frame = pd.read_csv(FOLDER / "small" / "holzinger.csv").astype(float)
    if holes:
        i, j = np.meshgrid(np.arange(1, 302), np.arange(1, 10), indexing="ij")
        frame = frame.mask(((7 * i + 3 * j) % 11 == 0) | ((i % 5 == 0) & (j > 6)))
    return frame


def indices(fit: FactorFit) -> list[float]:
    found = (fit.chi2, fit.df, fit.p, fit.cfi, fit.tli, fit.rmsea, fit.rmsea_low, fit.rmsea_high, fit.srmr)
    return [*found, -fit.deviance / 2, fit.aic, fit.bic]


def check(fit: FactorFit, them: dict[str, object], atol: float) -> None:
    """lavaan stops where its criterion changes by 1e-13, its saturated model where EM does by 1e-8."""
    assert fit.converged
    assert len(fit.free) >= 1
    reference = [them["fit"][name] for name in INDICES]  # type: ignore[index]
    np.testing.assert_allclose(indices(fit), reference, rtol=1e-5, atol=atol)


@pytest.mark.parametrize(
    ("name", "holes"), [("one", False), ("three", False), ("one_missing", True), ("three_missing", True)]
)
def test_holzinger_as_lavaan_has_it(name: str, holes: bool) -> None:
    data = patterns(holzinger(holes).to_numpy())
    groups = GROUPS if name.startswith("three") else {"g": ITEMS}
    kind = "observed" if holes else "expected"
    fit = fit_factors(data, correlated_factors(groups, ITEMS, data), saturated(data), information=kind)
    them = REFERENCE["holzinger"][name]
    check(fit, them, atol=1e-5)
    ours = {n: (e, s) for n, e, s in zip(fit.spec.names, fit.free, fit.se, strict=True)}
    rows = them["loadings"]
    factors = list(groups)
    if name.startswith("one"):
        factors = ["g"]
    for lhs, rhs, est, se in zip(rows["lhs"], rows["rhs"], rows["est"], rows["se"], strict=True):
        if se > 0:
            key = f"loading[{ITEMS.index(rhs)},{factors.index(lhs)}]"
            # Standard errors with missing values: lavaan differentiates numerically, to about four digits.
            np.testing.assert_allclose(ours[key], (est, se), rtol=2e-4)
    rows = them["variances"]
    for lhs, rhs, est, se in zip(rows["lhs"], rows["rhs"], rows["est"], rows["se"], strict=True):
        inside = lhs in ITEMS
        names = ITEMS if inside else factors
        a, b = sorted((names.index(lhs), names.index(rhs)), reverse=True)
        key = f"{'residual' if inside else 'factor_cov'}[{a},{b}]"
        np.testing.assert_allclose(ours[key], (est, se), rtol=2e-4, atol=2e-5)
    rows = them["intercepts"]
    for lhs, est, se in zip(rows["lhs"], rows["est"], rows["se"], strict=True):
        if lhs in ITEMS:
            np.testing.assert_allclose(
                ours[f"intercept[{ITEMS.index(lhs)},0]"], (est, se), rtol=2e-4, atol=2e-5
            )


def test_figures_of_the_lavaan_tutorial() -> None:
    """chi-square(24) 85.306, CFI .931, TLI .896, RMSEA .092 (.071 to .114), SRMR .065 (without means)."""
    data = patterns(holzinger().to_numpy())
    base = saturated(data)
    fit = fit_factors(data, correlated_factors(GROUPS, ITEMS, data), base)
    ours = [fit.chi2, fit.df, fit.cfi, fit.tli, fit.rmsea, fit.rmsea_low, fit.rmsea_high]
    np.testing.assert_allclose(ours, [85.306, 24, 0.931, 0.896, 0.092, 0.071, 0.114], atol=5.1e-4)
    without = srmr(fit.spec, fit.free, base, means=False)
    assert without == pytest.approx(0.065, abs=5e-4)
    assert without == pytest.approx(REFERENCE["holzinger"]["srmr_without_means"], rel=1e-5)


def test_bifactor_as_lavaan_has_it() -> None:
    """The likelihood is flat along a ridge: lavaan ends within 1e-3 of the least chi-square."""
    them = REFERENCE["holzinger"]["bifactor"]
    data = patterns(holzinger().to_numpy())
    fit = fit_factors(data, bifactor(GROUPS, ITEMS, data), saturated(data))
    assert fit.df == 18
    if them["converged"]:
        assert fit.chi2 <= them["fit"]["chisq"] + 1e-3
        assert fit.cfi == pytest.approx(them["fit"]["cfi"], abs=1e-4)


def gad(folder: Path, sessions: tuple[int, ...], items: list[str]) -> pd.DataFrame:
    long = pd.read_csv(folder / "implement_gad_sessions.csv")
    parts = [long[long["session"].eq(s)].set_index("client")[items].add_suffix(f"_s{s}") for s in sessions]
    return pd.concat(parts, axis=1).dropna(how="all")


@pytest.mark.parametrize("session", [1, 3, 15])
@pytest.mark.parametrize("kind", ["one", "three"])
def test_real_forms_with_missing_answers(shared_data: Path, kind: str, session: int) -> None:
    items = [i for own in WAI.values() for i in own]
    data = patterns(gad(shared_data, (session,), items).to_numpy())
    groups = {"g": items} if kind == "one" else WAI
    them = REFERENCE["gad"][f"{kind}_s{session}"]
    fit = fit_factors(data, correlated_factors(groups, items, data), saturated(data))
    if them["converged"]:
        check(fit, them, atol=2e-4)
    else:
        assert fit.improper or not fit.converged


@pytest.mark.parametrize("factor", ["task", "goal", "bond"])
def test_invariance_over_sessions(shared_data: Path, factor: str) -> None:
    """Sessions 1, 3 and 15, residuals of the same item correlated, missing answers."""
    data = patterns(gad(shared_data, (1, 3, 15), WAI[factor]).to_numpy())
    base = saturated(data)
    for level in LEVELS:
        fit = fit_factors(data, repeated({factor: WAI[factor]}, ["1", "3", "15"], level, data), base)
        them = REFERENCE["gad"][f"{factor}_{level}"]
        if them["converged"]:
            check(fit, them, atol=1e-3)


def test_deviance_is_the_sum_over_rows() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(40, 4)) @ rng.normal(size=(4, 4)) + 2
    values[rng.random((40, 4)) < 0.25] = np.nan
    mean, root = rng.normal(size=4), rng.normal(size=(4, 4))
    cov = root @ root.T + np.eye(4)
    brute = 0.0
    for row in values:
        known = ~np.isnan(row)
        if known.any():
            one = stats.multivariate_normal(mean[known], cov[np.ix_(known, known)])
            brute -= 2 * one.logpdf(row[known])
    assert deviance(patterns(values), mean, cov) == pytest.approx(brute, rel=1e-12)
    assert deviance(patterns(values), mean, -cov) == np.inf


@pytest.mark.parametrize("make", ["correlated", "bifactor", "scalar"])
def test_gradient_and_information(make: str) -> None:
    """Against finite differences (1e-6 relative); the information against the mean of outer products by simulation."""
    frame = holzinger(holes=True)
    data = patterns(frame.to_numpy())
    spec = {
        "correlated": lambda: correlated_factors(GROUPS, ITEMS, data),
        "bifactor": lambda: bifactor(GROUPS, ITEMS, data),
        "scalar": lambda: repeated({"f": ["a", "b", "c"]}, ["1", "2", "3"], "scalar", data),
    }[make]()
    at = spec.start * 1.1 + 0.01
    numeric = optimize.approx_fprime(at, lambda x: deviance(data, *spec.moments(x)), 1e-6)
    np.testing.assert_allclose(local(data, spec, at).gradient, numeric, rtol=1e-3, atol=2e-2)
    d_mean, d_cov = spec.derivatives(at)
    for k in range(len(at)):
        step = np.zeros(len(at))
        step[k] = 1e-6
        up, down = spec.moments(at + step), spec.moments(at - step)
        np.testing.assert_allclose(d_mean[k], (up[0] - down[0]) / 2e-6, atol=1e-7)
        np.testing.assert_allclose(d_cov[k], (up[1] - down[1]) / 2e-6, atol=1e-7)


def test_em_and_scoring_find_the_same_saturated_model() -> None:
    frame = holzinger(holes=True).iloc[:, 3:8]
    data = patterns(frame.to_numpy())
    base = saturated(data)
    scoring = minimise(data, unrestricted_spec(tuple(frame.columns), data))
    assert base.converged
    assert scoring.converged
    assert base.deviance == pytest.approx(scoring.deviance, abs=1e-6)


def test_expected_information_is_the_variance_of_the_score() -> None:
    """Simulated scores at the truth: 2000 draws of 50 rows; a variance is then known to about 3 %."""
    rng = np.random.default_rng(8)
    data = patterns(holzinger().iloc[:, :3].to_numpy())
    spec = correlated_factors({"v": ITEMS[:3]}, ITEMS[:3], data)
    truth = minimise(data, spec).free
    mean, cov = spec.moments(truth)
    holes = rng.random((50, 3)) < 0.2
    holes[holes.all(axis=1)] = False
    scores = []
    for _ in range(2000):
        draw = rng.multivariate_normal(mean, cov, 50)
        draw[holes] = np.nan
        scores.append(local(patterns(draw), spec, truth, information=False).gradient / 2)
    info = local(patterns(np.where(holes, np.nan, draw)), spec, truth).information
    np.testing.assert_allclose(np.var(scores, axis=0), np.diag(info), rtol=0.12)


def test_truth_of_a_simulation_with_dropout() -> None:
    """Loadings .8, .7, .6 of three items at two occasions; the second is missing where the first was low."""
    rng = np.random.default_rng(5)
    n = 4000
    eta = rng.multivariate_normal([0, 0.5], [[1, 0.6], [0.6, 1.2]], n)
    load = np.array([1.0, 0.8, 0.6])
    values = np.hstack([eta[:, [t]] * load + rng.normal(0, 0.6, (n, 3)) for t in (0, 1)])
    values[values[:, :3].sum(axis=1) < -1, 3:] = np.nan
    data = patterns(values)
    fit = fit_factors(data, repeated({"f": ["a", "b", "c"]}, ["1", "2"], "scalar", data), saturated(data))
    ours = dict(zip(fit.spec.names, fit.free, strict=True))
    # Three standard errors at n = 4000; means of the complete rows alone would be 0.9.
    assert ours["mean of f at 2"] == pytest.approx(0.5, abs=0.1)
    assert ours["loading of b"] == pytest.approx(0.8, abs=0.05)
    assert ours["loading of c"] == pytest.approx(0.6, abs=0.05)
    assert fit.p > 0.001
    assert not fit.improper


def test_impossible_values_are_said() -> None:
    """Two items that are nearly the same, and a third that they do not explain: a Heywood case."""
    rng = np.random.default_rng(1)
    x = rng.multivariate_normal(np.zeros(3), [[1, 0.9, 0.5], [0.9, 1, 0.2], [0.5, 0.2, 1]], 200)
    data = patterns(x)
    fit = fit_factors(
        data, correlated_factors({"f": ["a", "b", "c"]}, ["a", "b", "c"], data), saturated(data)
    )
    assert "the residual variance of a is negative" in fit.improper[0]


def test_a_model_that_is_not_identified_has_no_standard_errors() -> None:
    rng = np.random.default_rng(1)
    data = patterns(rng.multivariate_normal(np.zeros(2), [[1, 0.5], [0.5, 1]], 100))
    fit = fit_factors(data, correlated_factors({"f": ["a", "b"]}, ["a", "b"], data), saturated(data))
    assert np.isnan(fit.se).all()
    assert np.isnan(fit.p)
