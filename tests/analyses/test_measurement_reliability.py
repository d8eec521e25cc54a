"""Alpha, omega, change reliability, agreement, and correlations by level, against psych, lme4 and published examples."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alliance_longitudinal import rater_agreement
from alliance_longitudinal.errors import DataError
from inside.analyses_measurement import level_correlations
from inside.methods_fiml import Pattern, Patterns, patterns, saturated
from inside.methods_psychometrics import (
    ICC_KINDS,
    alpha,
    alpha_from_cov,
    correlated_factors,
    crossed_reliability,
    fit_factors,
    nested_reliability,
    omega,
)

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "measurement.json").read_text(encoding="utf-8")
)


def test_alpha_with_feldts_interval() -> None:
    """psych's bfi, A1 reversed to A5, 2709 complete forms; .7037559 in our fact sheet, the interval as psych has it."""
    them = REFERENCE["bfi"]
    n = them["n"]
    ours = alpha_from_cov(np.array(them["cov"]) * n / (n - 1), n)
    assert ours.estimate == pytest.approx(0.7037559, abs=5e-8)
    assert ours.estimate == pytest.approx(them["alpha"], abs=1e-10)
    feldt = them["feldt"]
    np.testing.assert_allclose([ours.low, ours.estimate, ours.high], feldt, rtol=1e-9)


def test_alpha_of_pairwise_covariances() -> None:
    """psych's default for bfi, A1 reversed to A5, pairs of all 2800 forms: .7030184 in our fact sheet."""
    rows = [
        [1.981723884958, 0.560225113749, 0.485841314114, 0.305074709395, 0.321240974079],
        [0.560225113749, 1.373630696746, 0.741629027461, 0.582148334663, 0.576094732869],
        [0.485841314114, 0.741629027461, 1.694770824130, 0.696134951314, 0.828038484938],
        [0.305074709395, 0.582148334663, 0.696134951314, 2.189312886261, 0.573723643958],
        [0.321240974079, 0.576094732869, 0.828038484938, 0.573723643958, 1.583852701748],
    ]
    assert alpha_from_cov(np.array(rows), 2709).estimate == pytest.approx(0.7030184, abs=6e-8)


def test_alpha_leaves_out_incomplete_forms() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(50, 1)) + rng.normal(size=(50, 4))
    holes = values.copy()
    holes[:10, 0] = np.nan
    assert alpha(holes) == alpha(values[10:])


def test_interval_of_alpha_covers() -> None:
    """Parallel items with reliability .75: the interval is exact; Monte Carlo error of 1000 is 0.7 %."""
    rng = np.random.default_rng(7)
    inside = []
    for _ in range(1000):
        values = rng.normal(size=(30, 1)) + rng.normal(size=(30, 3))
        found = alpha(values)
        inside.append(found.low <= 0.75 <= found.high)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.021)


def test_omega_of_the_fact_sheet() -> None:
    """bfi: omega .712129, loadings and residual variances by lavaan."""
    them = REFERENCE["bfi"]
    mean, cov = np.array(them["mean"]), np.array(them["cov"])
    part = Pattern(np.arange(5), them["n"], mean, cov)
    data = Patterns((part,), them["n"], 5, mean, np.diag(cov).copy())
    items = [f"A{k}" for k in range(1, 6)]
    fit = fit_factors(data, correlated_factors({"f": items}, items, data), saturated(data))
    arrays = fit.spec.arrays(fit.free)
    standard = arrays["loading"][:, 0] * arrays["factor_cov"][0, 0] ** 0.5
    np.testing.assert_allclose(standard, them["loadings"], rtol=1e-5)
    np.testing.assert_allclose(np.diag(arrays["residual"]), them["theta"], rtol=1e-5)
    printed = [0.528337, 0.774114, 0.993512, 0.717343, 0.791072]
    np.testing.assert_allclose(standard, printed, atol=2e-6)
    printed = [1.692963, 0.784187, 0.714164, 1.694112, 0.965259]
    np.testing.assert_allclose(np.diag(arrays["residual"]), printed, atol=5e-6)
    found = omega(fit)
    assert found.estimate == pytest.approx(0.712129, abs=1e-6)
    assert found.low < found.estimate < found.high
    # By the bootstrap of normal samples with this covariance, on the scale where the interval is symmetric.
    rest, rng = [], np.random.default_rng(2)
    for _ in range(200):
        drawn = rng.multivariate_normal(mean, cov, them["n"])
        again = Patterns(
            (Pattern(np.arange(5), them["n"], drawn.mean(axis=0), np.cov(drawn.T, bias=True)),),
            them["n"], 5, drawn.mean(axis=0), np.diag(np.cov(drawn.T, bias=True)).copy(),
        )  # fmt: skip
        rest.append(np.log(1 - omega(fit_factors(again, fit.spec, saturated(again))).estimate))
    half = np.log((1 - found.low) / (1 - found.high)) / 2
    # The SD of 200 draws has a relative error of 5 %; limits of 90 % would be narrower by 16 %.
    assert half == pytest.approx(1.959964 * np.std(rest), rel=0.11)


def test_interval_of_omega_covers() -> None:
    """Unequal loadings; the true omega is known. Monte Carlo error of 80 is 2.5 %."""
    load = np.array([0.9, 0.7, 0.5, 0.6])
    noise = 0.6
    true = load.sum() ** 2 / (load.sum() ** 2 + 4 * noise**2)
    rng = np.random.default_rng(9)
    items = list("abcd")
    inside = []
    for _ in range(80):
        values = rng.normal(size=(120, 1)) * load + rng.normal(0, noise, (120, 4))
        data = patterns(values)
        found = omega(fit_factors(data, correlated_factors({"f": items}, items, data), saturated(data)))
        inside.append(found.low <= true <= found.high)
    assert 0.87 <= np.mean(inside) <= 1


def shrout_lane() -> pd.DataFrame:
    wide = pd.DataFrame(REFERENCE["shrout_lane"]["data"]).rename(columns={"time": "session"})
    return wide.melt(["client", "session"], var_name="item", value_name="value")


def test_change_reliability_of_shrout_and_lane() -> None:
    """The figures of our fact sheet, to seven digits: five persons, four times, three items."""
    found = crossed_reliability(shrout_lane(), sessions=4)
    ours = [found.coefficients[k] for k in ("RkF", "R1R", "RkR", "Rc")]
    np.testing.assert_allclose(ours, [0.9675782, 0.5954198, 0.8547945, 0.7421525], atol=2e-6)
    names = ("client", "session", "item", "client:session", "client:item", "session:item", "Residual")
    parts = [found.components[k] for k in names]
    published = [2.343056, 0.380556, 0.606944, 0.919444, 0.120833, 0.047222, 0.958333]
    np.testing.assert_allclose(parts, published, atol=2e-5)
    nested = nested_reliability(shrout_lane(), sessions=4)
    ours = [nested.coefficients[k] for k in ("RkRn", "Rcn")]
    np.testing.assert_allclose(ours, [0.8482035, 0.6466589], atol=2e-6)
    reference = [REFERENCE["shrout_lane"][k] for k in ("RkF", "R1R", "RkR", "Rc")]
    np.testing.assert_allclose(
        [found.coefficients[k] for k in ("RkF", "R1R", "RkR", "Rc")], reference, atol=2e-6
    )


def test_limits_of_change_reliability_are_those_of_the_f_test() -> None:
    """Balanced: 1 - 1/F with MS_session / MS_error has an exact interval; the profile's is within .004 of it here."""
    rng = np.random.default_rng(31)
    clients, sessions, items = 60, 8, 6
    shape = (clients, sessions, items)
    values = (
        rng.normal(size=shape) + rng.normal(0, 0.6, (clients, sessions, 1)) + rng.normal(size=(clients, 1, 1))
    )
    client, session, item = (x.ravel() for x in np.indices(shape))
    long = pd.DataFrame({"client": client, "session": session, "item": item, "value": values.ravel()})
    found = nested_reliability(long, sessions=sessions)
    cell, own = values.mean(axis=2), values.mean(axis=(1, 2))
    ms_session = items * ((cell - own[:, None]) ** 2).sum() / (clients * (sessions - 1))
    ms_error = ((values - cell[:, :, None]) ** 2).sum() / (clients * sessions * (items - 1))
    f = ms_session / ms_error
    df = clients * (sessions - 1), clients * sessions * (items - 1)
    exact = [1 - 1 / (f / stats.f.ppf(q, *df)) for q in (0.975, 0.025)]
    assert found.coefficients["Rcn"] == pytest.approx(1 - 1 / f, abs=1e-6)
    np.testing.assert_allclose(found.limits["Rcn"], exact, atol=0.004)
    low, high = found.limits["RkRn"]
    assert low < found.coefficients["RkRn"] < high
    ms_client = sessions * items * ((own - own.mean()) ** 2).sum() / (clients - 1)
    f, df = ms_client / ms_session, (clients - 1, clients * (sessions - 1))
    exact = [1 - 1 / (f / stats.f.ppf(q, *df)) for q in (0.975, 0.025)]
    np.testing.assert_allclose([low, high], exact, atol=0.01)


def test_components_of_unbalanced_real_answers(shared_data: Path) -> None:
    """57 clients, up to 15 sessions, answers missing; lme4 ends within 1e-4 of the optimum."""
    wide = pd.read_csv(shared_data / "implement_gad_sessions.csv")
    items = [c for c in wide if c.startswith("wai_")]
    long = wide.melt(["client", "session"], items, var_name="item", value_name="value").dropna()
    found = nested_reliability(long, sessions=14)
    them = REFERENCE["gad_nested"]
    ours = [found.components[k] for k in ("client", "client:session", "Residual")]
    np.testing.assert_allclose(ours, [them["client"], them["client:session"], them["Residual"]], rtol=1e-3)


def test_agreement_of_shrout_and_fleiss() -> None:
    """Their table 4: .17, .29, .71, .44, .62, .91; intervals as psych has them."""
    them = REFERENCE["shrout_fleiss"]
    frame = pd.DataFrame(them["data"])
    before = frame.copy()
    found = rater_agreement(frame).set_index("kind")
    assert tuple(found.index) == ICC_KINDS
    np.testing.assert_allclose(found["estimate"].round(2), [0.17, 0.29, 0.71, 0.44, 0.62, 0.91])
    np.testing.assert_allclose(found["estimate"], them["icc"], rtol=1e-9)
    np.testing.assert_allclose(found["low"], them["low"], rtol=1e-6)
    np.testing.assert_allclose(found["high"], them["high"], rtol=1e-6)
    pd.testing.assert_frame_equal(frame, before)


def test_agreement_needs_raters_and_differences() -> None:
    with pytest.raises(
        DataError, match="at least 3 targets that 2 raters rated; there are 4 targets with 1 rater"
    ):
        rater_agreement(pd.DataFrame({"a": [1.0, 2, 3, 4]}))
    with pytest.raises(DataError, match="do not vary at all"):
        rater_agreement(pd.DataFrame({"a": [1.0, 1, 1, 1], "b": [1.0, 1, 1, 1]}))


def test_correlations_by_level_of_a_simulation() -> None:
    """Between therapists .9, between clients .3, within clients -.4; intervals of three standard errors at most."""
    rng = np.random.default_rng(11)
    therapists, clients, sessions = 60, 12, 6
    truth = {"therapist": 0.9, "client": 0.3, "session": -0.4}
    draw = {k: [[1, r], [r, 1]] for k, r in truth.items()}
    t = np.repeat(rng.multivariate_normal([0, 0], draw["therapist"], therapists), clients * sessions, axis=0)
    c = np.repeat(rng.multivariate_normal([0, 0], draw["client"], therapists * clients), sessions, axis=0)
    e = rng.multivariate_normal([0, 0], draw["session"], therapists * clients * sessions)
    y = t + c + e
    rows = pd.DataFrame({"goal": y[:, 0], "bond": 5 * y[:, 1] + 3})
    rows["therapist"] = np.repeat(np.arange(therapists), clients * sessions).astype(str)
    rows["client"] = np.repeat(np.arange(therapists * clients), sessions).astype(str)
    found = level_correlations(rows, ["goal", "bond"]).set_index("level")["r"]
    assert found["therapist"] == pytest.approx(0.9, abs=0.12)
    assert found["client"] == pytest.approx(0.3, abs=0.12)
    assert found["session"] == pytest.approx(-0.4, abs=0.05)


def test_correlations_by_level_of_balanced_data_are_those_of_mean_squares() -> None:
    """Clients alone, all with as many sessions: moment estimates in closed form are the REML ones."""
    rng = np.random.default_rng(12)
    n, k = 40, 5
    between = rng.multivariate_normal([0, 0], [[2, 1], [1, 1.5]], n)
    y = np.repeat(between, k, axis=0) + rng.multivariate_normal([0, 0], [[1, 0.2], [0.2, 1]], n * k)
    rows = pd.DataFrame({"a": y[:, 0], "b": y[:, 1], "therapist": "t1"})
    rows["client"] = np.repeat(np.arange(n), k).astype(str)
    means = y.reshape(n, k, 2).mean(axis=1)
    within = (y - np.repeat(means, k, axis=0)).T @ (y - np.repeat(means, k, axis=0)) / (n * (k - 1))
    client = np.cov(means.T) - within / k
    expected = [
        client[0, 1] / np.sqrt(client[0, 0] * client[1, 1]),
        within[0, 1] / np.sqrt(within[0, 0] * within[1, 1]),
    ]
    found = level_correlations(rows, ["a", "b"]).set_index("level")["r"]
    np.testing.assert_allclose(found.loc[["client", "session"]], expected, rtol=1e-5)
