"""The random-intercept cross-lagged panel model: a deterministic matrix, lavaan, and a simulated truth with feedback."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import DataError, methods

FOLDER = Path(__file__).parents[1] / "reference"
PHI = np.array([[0.30, -0.10], [-0.15, 0.35]])
RI = np.array([[0.5, -0.2], [-0.2, 0.6]])
WITHIN = np.array([[0.5, -0.1], [-0.1, 0.5]])
EFFECTS = ["ar_x", "ar_y", "x_to_y", "y_to_x", "var_ri_x", "var_ri_y", "cov_ri"]
TRUTH = [0.30, 0.35, -0.15, -0.10, 0.5, 0.6, -0.2]


def implied(occasions: int = 4) -> np.ndarray:
    """The stationary covariance matrix of x1 y1 x2 y2 ... at the truth."""
    blocks = [RI + np.linalg.matrix_power(PHI, k) @ WITHIN for k in range(occasions)]
    rows = [
        [blocks[t - s] if t >= s else blocks[s - t].T for s in range(occasions)] for t in range(occasions)
    ]
    return np.block(rows)


def simulated(seed: int, n: int = 300, occasions: int = 5, missing: float = 0.2) -> pd.DataFrame:
    """Persons with stable levels, and effects in both directions between deviations from them."""
    rng = np.random.default_rng(seed)
    level = rng.multivariate_normal([0, 0], RI, n)
    now = rng.multivariate_normal([0, 0], WITHIN, n)
    noise = WITHIN - PHI @ WITHIN @ PHI.T
    parts = []
    for t in range(occasions):
        values = level + now + [2.0, 5.0 - t]
        values[rng.random(values.shape) < missing] = np.nan
        parts.append(pd.DataFrame({"id": np.arange(n), "t": t, "x": values[:, 0], "y": values[:, 1]}))
        now = now @ PHI.T + rng.multivariate_normal([0, 0], noise, n)
    return pd.concat(parts, ignore_index=True)


def test_a_deterministic_matrix_gives_its_parameters_back() -> None:
    cov = implied()
    assert cov[0, 2:].round(6).tolist() == [0.66, -0.31, 0.559, -0.2625, 0.52395, -0.230725]
    found = methods.riclpm_from_moments(cov, nobs=500)
    assert list(found.params.index) == EFFECTS
    np.testing.assert_allclose(found.params, TRUTH, atol=1e-7)
    assert found.chi2 == pytest.approx(0, abs=1e-8)
    assert (found.df, found.nobs, found.converged, found.findings) == (17, 500, True, ())
    assert found.bse["x_to_y"] == pytest.approx(0.039, abs=5e-4)
    frame = methods.riclpm_from_moments(pd.DataFrame(cov), nobs=500, mean=np.arange(8.0))
    np.testing.assert_allclose(frame.params, TRUTH, atol=1e-7)
    assert frame.llf == pytest.approx(found.llf, abs=1e-8)


def test_without_random_intercepts_stability_is_doubled_and_the_cross_lag_too_small() -> None:
    found = methods.riclpm_from_moments(implied(), nobs=500, random_intercepts=False)
    assert list(found.params.index) == EFFECTS[:4]
    np.testing.assert_allclose(
        found.params[["ar_x", "y_to_x", "x_to_y", "ar_y"]], [0.636, -0.081, -0.103, 0.690], atol=5e-4
    )
    assert found.chi2 == pytest.approx(118.42, abs=5e-3)
    assert (found.df, round(found.rmsea, 3)) == (20, 0.099)


CASES = {
    "full": (4, {}),
    "clpm": (4, {"random_intercepts": False}),
    "unequal": (4, {"equal_lags": False}),
    "missing": (6, {}),
    "missing_unequal": (6, {"equal_lags": False}),
    "missing_same": (6, {"equal_variances": True}),
    "missing_slopes": (6, {"random_slopes": True}),
    "clustered": (6, {"cluster": "therapist"}),
}


def drawn(occasions: int) -> pd.DataFrame:
    """The panel of make_panel.R; its first four occasions only with the persons who have every value."""
    frame = pd.read_csv(FOLDER / "small" / "panel.csv")
    if occasions == 6:
        return frame
    first = frame[frame["t"] <= occasions]
    complete = first[["x", "y"]].notna().all(axis=1).groupby(first["id"]).all()
    return first[first["id"].map(complete)]


@pytest.mark.parametrize("name", CASES)
def test_as_lavaan_has_it(name: str) -> None:
    """lavaan stops where its criterion changes by 1e-11; its errors are those of the observed information, as ours are."""
    occasions, options = CASES[name]
    them = json.loads((FOLDER / "panel.json").read_text(encoding="utf-8"))["riclpm"][name]
    assert them["converged"]
    frame = drawn(occasions)
    found = methods.riclpm(frame, "x", "y", person="id", occasion="t", **options)
    theirs = pd.DataFrame({"est": them["est"], "se": them["se"]}, index=them["names"])
    names = list(found.params.index)
    assert set(names) <= set(theirs.index)
    np.testing.assert_allclose(found.params, theirs.loc[names, "est"], atol=2e-4)
    np.testing.assert_allclose(found.bse, theirs.loc[names, "se"], rtol=1e-3)
    fit = them["fit"]
    assert found.llf == pytest.approx(fit["logl"], abs=1e-4)
    assert (found.df, found.nobs) == (fit["df"], them["n"])
    ours = [found.chi2, found.cfi, found.rmsea, found.srmr]
    np.testing.assert_allclose(
        ours, [fit["chisq"], fit["cfi"], fit["rmsea"], fit["srmr"]], rtol=1e-3, atol=2e-4
    )


def test_published_session_data(shared_data: Path) -> None:
    """IMPLEMENT, sessions 2 to 6, equal lags (data README): WAI to BAI .255 (.164), BAI to WAI .019 (.042), AR .020 and .224,
    chi-square(33) 45.84, CFI .972."""
    frame = pd.read_csv(shared_data / "implement_gad_sessions_rescaled.csv")
    items = [c for c in frame if c.startswith("wai_") and c != "wai_total"]
    frame["wai"] = frame[items].mean(axis=1).where(frame[items].notna().sum(axis=1) >= 5)
    frame["bai"] = frame["bai_total"] / 10
    frame = frame[frame["session"].between(2, 6)]
    found = methods.riclpm(frame, "wai", "bai", person="client", occasion="session")
    np.testing.assert_allclose(found.params.iloc[:4], [0.020, 0.224, 0.255, 0.019], atol=1e-3)
    np.testing.assert_allclose(found.bse.iloc[2:4], [0.164, 0.042], atol=1e-3)
    assert (found.df, round(found.chi2, 2), round(found.cfi, 3)) == (33, 45.84, 0.972)


def test_truth_with_feedback_and_missing_values() -> None:
    """40 panels of 300: the mean is within 4 Monte Carlo errors (about .01), and 95 % intervals cover 34 or more of 40."""
    found = [
        methods.riclpm(simulated(s, occasions=4), "x", "y", person="id", occasion="t") for s in range(40)
    ]
    estimates = np.array([f.params.to_numpy() for f in found])
    error = estimates.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(estimates.mean(axis=0) - TRUTH) < 4 * error).all()
    inside = [(f.conf_int()["lower"] < TRUTH) & (f.conf_int()["upper"] > TRUTH) for f in found]
    assert (np.sum(inside, axis=0) >= 34).all()
    ratio = np.array([f.bse.to_numpy() for f in found]).mean(axis=0) / estimates.std(axis=0, ddof=1)
    assert ((ratio > 0.7) & (ratio < 1.4)).all()  # the SD of 40 estimates is known to 11 %


def test_a_third_measure_and_the_names_of_all_pairs() -> None:
    frame = simulated(3, n=400)
    frame["z"] = np.random.default_rng(1).normal(size=len(frame))
    found = methods.riclpm(frame, "x", "y", z="z", person="id", occasion="t")
    assert [n for n in found.params.index if "_to_" in n] == [
        "x_to_y",
        "x_to_z",
        "y_to_x",
        "y_to_z",
        "z_to_x",
        "z_to_y",
    ]
    two = methods.riclpm(frame, "x", "y", person="id", occasion="t")
    assert abs(found.params["z_to_y"]) < 3.5 * found.bse["z_to_y"]
    assert found.params["x_to_y"] == pytest.approx(two.params["x_to_y"], abs=0.02)


def test_order_of_rows_and_units_do_not_matter() -> None:
    frame = simulated(5)
    found = methods.riclpm(frame, "x", "y", person="id", occasion="t")
    other = frame.sample(frac=1, random_state=0).assign(x=lambda d: 10 * d["x"] - 3, t=lambda d: d["t"] + 2)
    moved = methods.riclpm(other, "x", "y", person="id", occasion="t")
    scale = [1, 1, 0.1, 10, 100, 1, 10]
    np.testing.assert_allclose(moved.params, found.params * scale, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(moved.bse, found.bse * scale, rtol=1e-4)
    assert moved.chi2 == pytest.approx(found.chi2, abs=1e-5)


def test_the_long_run_effect() -> None:
    found = methods.riclpm_from_moments(implied(), nobs=500)
    value, se = found.long_run("x_to_y", "ar_y")
    assert value == pytest.approx(-0.15 / 0.65, abs=1e-6)
    steps = [1 / 0.65, -0.15 / 0.65**2]
    cov = found.cov_params().loc[["x_to_y", "ar_y"], ["x_to_y", "ar_y"]].to_numpy()
    assert se == pytest.approx(float(np.sqrt(steps @ cov @ steps)), rel=1e-6)


def test_no_stable_differences_is_a_finding() -> None:
    """Persons without levels of their own: the variance is estimated on either side of zero."""
    rng = np.random.default_rng(2)
    now = rng.normal(size=(200, 2))
    parts = []
    for t in range(4):
        parts.append(pd.DataFrame({"id": np.arange(200), "t": t, "x": now[:, 0], "y": now[:, 1]}))
        now = now @ PHI.T + rng.normal(size=(200, 2))
    found = methods.riclpm(pd.concat(parts), "x", "y", person="id", occasion="t")
    codes = [f.code for f in found.findings]
    assert "no_stable_levels" in codes or "improper_solution" in codes
    if "no_stable_levels" in codes:
        text = next(f.message for f in found.findings if f.code == "no_stable_levels")
        assert "no stable differences between persons" in text


def test_few_persons_uneven_occasions_and_lost_persons_are_findings() -> None:
    frame = simulated(1, n=45, missing=0.1)
    frame["t"] = frame["t"].replace({4: 6})
    frame.loc[frame["id"].eq(3), ["x", "y"]] = np.nan
    found = methods.riclpm(frame, "x", "y", person="id", occasion="t")
    codes = {f.code: f.message for f in found.findings}
    assert codes["without_values"] == "1 person without any value is left out."
    assert "between 1.00 and 3.00 apart" in codes["uneven_occasions"]
    assert "44 persons are few for 32 parameters" in codes["few_persons"]
    assert "few for 32 parameters" in found.summary()


def test_few_clusters_are_a_finding() -> None:
    frame = simulated(1).assign(therapist=lambda d: d["id"] % 5)
    found = methods.riclpm(frame, "x", "y", person="id", occasion="t", cluster="therapist")
    assert found.n_clusters == 5
    assert found.findings[-1].message.startswith("Standard errors by 5 clusters are too small as a rule")
    assert "allow for 5 clusters" in found.summary()


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda d: d[d["t"] < 2], {}, "2 occasions have values, and the model needs at least 3"),
        (lambda d: d[d["t"] < 3], {"random_slopes": True}, "random slopes need at least 4"),
        (lambda d: d.assign(x=d["id"] * 1.0), {}, "'x' does not change within any person"),
        (
            lambda d: d.assign(x=d["x"].where(d["t"] != 1, 3.0)),
            {},
            "'x' has the same value for everybody at occasion 1",
        ),
        (
            lambda d: d.assign(y=d["y"].where((d["t"] != 2) | (d["id"] == 1))),
            {},
            "'y' has fewer than two values at occasion 2",
        ),
        (lambda d: d.rename(columns={"x": "wai"}), {}, "no column 'x'"),
        (lambda d: pd.concat([d, d.head(1)]), {}, "repeats a id and t|repeats a"),
        (lambda d: d.assign(x=np.nan, y=np.nan), {}, "'x' and 'y' have no value in any row"),
        (lambda d: d.assign(g=1), {"cluster": "g"}, "All persons have the same 'g'"),
        (lambda d: d.assign(g=d["t"]), {"cluster": "g"}, "Some id ids have several values of 'g'"),
    ],
)
def test_what_is_refused(change, options, message) -> None:
    with pytest.raises(DataError, match=message):
        methods.riclpm(change(simulated(1, missing=0.05)), "x", "y", person="id", occasion="t", **options)


@pytest.mark.parametrize(
    ("cov", "options", "message"),
    [
        (np.eye(5), {}, "has the shape"),
        (np.triu(np.ones((6, 6))), {}, "not symmetric"),
        (np.ones((6, 6)), {}, "not positive definite"),
        (np.eye(4), {}, "2 occasions have values"),
        (np.eye(6), {"nobs": 6}, "It has to be more than the 6 columns"),
        (np.eye(6), {"mean": [1.0]}, "mean needs one number for each of the 6 columns"),
    ],
)
def test_what_is_refused_of_a_matrix(cov, options, message) -> None:
    with pytest.raises(DataError, match=message):
        methods.riclpm_from_moments(cov, **{"nobs": 100, **options})


def test_a_measure_that_is_a_multiple_of_the_other_is_not_fitted_as_if_it_were_news() -> None:
    frame = simulated(1, missing=0.0)
    found = methods.riclpm(frame.assign(y=2 * frame["x"]), "x", "y", person="id", occasion="t")
    assert not found.converged
    assert found.findings[0].code == "not_converged"
