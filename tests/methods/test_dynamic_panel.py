"""Dynamic panels: lavaan for maximum likelihood, plm for instruments, and a simulated truth with feedback."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import DataError, methods

FOLDER = Path(__file__).parents[1] / "reference"
SMALL = FOLDER / "small"


def simulated(seed: int, n: int = 300, times: int = 6) -> pd.DataFrame:
    """y remembers .4 of itself and .3 of x one time before; x answers to earlier y (-.3) and to the person's level."""
    rng = np.random.default_rng(seed)
    level = rng.normal(size=n)
    y, x = level + rng.normal(size=n), 0.5 * level + rng.normal(size=n)
    parts = []
    for t in range(times):
        parts.append(pd.DataFrame({"id": np.arange(n), "t": t, "x": x, "y": y}))
        before = x
        x = 0.5 * level + 0.3 * x - 0.3 * y + rng.normal(size=n)
        y = level + 0.4 * y + 0.3 * before + rng.normal(size=n)
    return pd.concat(parts, ignore_index=True)


ML = {
    "predetermined": (5, {"predetermined": "x", "constant": "c"}, ["r1", "b_x", "b_c"]),
    "lagged": (4, {"predetermined": "x", "lagged_exogenous": "z"}, ["r1", "b_x", "b_z"]),
    "exogenous": (4, {"exogenous": "z", "constant": "c"}, ["r1", "b_z", "b_c"]),
    "lags2": (5, {"lags": 2, "predetermined": "x"}, ["r1", "r2", "b_x"]),
}


@pytest.mark.parametrize("name", ML)
def test_maximum_likelihood_as_lavaan_has_it(name: str) -> None:
    """The syntax of R's dpm, written out; 20 % missing. lavaan stops at 1e-11 and differentiates numerically."""
    times, options, theirs = ML[name]
    them = json.loads((FOLDER / "panel.json").read_text(encoding="utf-8"))["dpm"][name]
    frame = pd.read_csv(SMALL / "panel.csv")
    found = methods.dynamic_panel(frame[frame["t"] <= times], "y", person="id", time="t", **options)
    figures = pd.DataFrame({"est": them["est"], "se": them["se"]}, index=them["names"]).loc[theirs]
    np.testing.assert_allclose(found.params, figures["est"], atol=1e-4)
    np.testing.assert_allclose(found.bse, figures["se"], rtol=1e-3)
    fit = them["fit"]
    assert found.llf == pytest.approx(fit["logl"], abs=1e-4)
    assert (found.tests["df"], found.n_persons) == (fit["df"], them["n"])
    ours = [found.tests[k] for k in ("chi2", "cfi", "rmsea", "srmr")]
    np.testing.assert_allclose(ours, [fit[k] for k in ("chisq", "cfi", "rmsea", "srmr")], atol=1e-3)


PRE = {"predetermined": "w", "exogenous": "k"}
GMM = {
    "ar_d_onestep": {},
    "ar_d_twosteps": {"steps": 2},
    "ar_ld_onestep": {},
    "ar_ld_twosteps": {"steps": 2},
    "pre_d_onestep": PRE,
    "pre_d_twosteps": {"steps": 2, **PRE},
    "pre_ld_onestep": PRE,
    "pre_ld_twosteps": {"steps": 2, **PRE},
    "two_d_onestep": {"lags": 2, "lagged_exogenous": "w", "exogenous": "k"},
    "times_d_twosteps": {"steps": 2, "time_effects": True, **PRE},
    "times_ld_onestep": {"time_effects": True, **PRE},
    "collapsed_d_twosteps": {"steps": 2, "collapse": True, **PRE},
    "collapsed_ld_onestep": {"collapse": True, **PRE},
    "short_d_onestep": {"max_instrument_lag": 4, **PRE},
    "missing_d_twosteps": {"steps": 2, "predetermined": "x"},
    "missing_ld_onestep": {"predetermined": "x"},
    "within": PRE,
    "ols": PRE,
    "anderson_hsiao": PRE,
}


@pytest.mark.parametrize("name", GMM)
def test_instruments_as_plm_has_them(name: str) -> None:
    """Estimates, robust errors (two steps: Windmeijer's), tests and the number of instruments, to ten digits."""
    them = json.loads((FOLDER / "dynamic.json").read_text(encoding="utf-8"))[name]
    method = "difference-gmm" if "_d_" in name else "system-gmm" if "_ld_" in name else name.replace("_", "-")
    if name.startswith("missing"):
        frame, columns = pd.read_csv(SMALL / "panel.csv"), {"y": "y", "person": "id", "time": "t"}
    else:
        frame, columns = pd.read_csv(SMALL / "dynamic.csv"), {"y": "n", "person": "firm", "time": "year"}
    found = methods.dynamic_panel(frame, **columns, method=method, **GMM[name])
    at = [k for k, n in enumerate(them["names"]) if "Intercept" not in n][: len(found.params)]
    np.testing.assert_allclose(found.params, np.array(them["est"])[at], rtol=1e-9)
    np.testing.assert_allclose(found.bse, np.array(them["se"])[at], rtol=1e-9)
    if "gmm" in method:
        ours = ["sargan", "hansen", "overidentification_df", "m1", "m2", "n_instruments"]
        theirs = [them[k] for k in ("own", "hansen", "df", "m1", "m2", "n_instruments")]
        np.testing.assert_allclose([found.tests[k] for k in ours], theirs, rtol=1e-8)


def test_truth_with_feedback() -> None:
    """30 panels: maximum likelihood and GMM give the truth back, and it lies between the two biased estimates."""
    truth = np.array([0.4, 0.3])
    runs = {
        m: [
            methods.dynamic_panel(simulated(s), "y", person="id", time="t", predetermined="x", method=m)
            for s in range(30)
        ]
        for m in ("ml", "difference-gmm", "within", "ols")
    }
    means = {m: np.mean([r.params for r in found], axis=0) for m, found in runs.items()}
    for m in ("ml", "difference-gmm"):
        error = np.std([r.params for r in runs[m]], axis=0, ddof=1) / np.sqrt(30)
        # GMM in differences leans slightly to the within estimate in samples of this size.
        assert (np.abs(means[m] - truth) < 4 * error + (0.01 if m != "ml" else 0)).all()
        inside = [(r.conf_int()["lower"] < truth) & (r.conf_int()["upper"] > truth) for r in runs[m]]
        assert (np.sum(inside, axis=0) >= 24).all()
    assert means["within"][0] < 0.3 < 0.5 < means["ols"][0]


def test_without_windmeijer_the_errors_of_two_steps_are_smaller() -> None:
    frame = pd.read_csv(SMALL / "dynamic.csv")
    call = {"y": "n", "person": "firm", "time": "year", "method": "difference-gmm", "steps": 2, **PRE}
    plain = methods.dynamic_panel(frame, windmeijer=False, **call)
    correct = methods.dynamic_panel(frame, **call)
    np.testing.assert_allclose(plain.params, correct.params)
    assert (plain.bse < correct.bse).all()


def test_a_value_at_the_same_time_may_go_with_the_error() -> None:
    """Where x answers to y of the same time, the default model is biased, and ``contemporaneous`` is not."""
    rng = np.random.default_rng(4)
    level, n = rng.normal(size=4000), 4000
    y = level + rng.normal(size=n)
    parts = []
    for t in range(5):
        x = 0.5 * level - 0.4 * y + rng.normal(size=n)
        parts.append(pd.DataFrame({"id": np.arange(n), "t": t, "x": x, "y": y}))
        y = level + 0.4 * y + 0.3 * x + rng.normal(size=n)
    frame = pd.concat(parts)
    call = {"y": "y", "person": "id", "time": "t", "predetermined": "x"}
    free = methods.dynamic_panel(frame, contemporaneous=True, **call)
    held = methods.dynamic_panel(frame, **call)
    assert (np.abs(free.params - [0.4, 0.3]) < 3.5 * free.bse).all()
    assert abs(held.params["x_lag"] - 0.3) > 5 * held.bse["x_lag"]


def test_lines_of_persons_bias_the_default_and_not_the_model_that_has_them() -> None:
    frame = simulated(4, n=3000)
    own = np.random.default_rng(9).normal(size=(3000, 2)) * [0.3, 0.2]
    frame["y"] += frame["t"] * own[frame["id"], 0]
    frame["x"] += frame["t"] * (own[frame["id"], 1] - own[frame["id"], 0])
    call = {"y": "y", "person": "id", "time": "t", "predetermined": "x"}
    free = methods.dynamic_panel(frame, person_trends=True, **call)
    held = methods.dynamic_panel(frame, **call)
    assert free.converged
    assert (np.abs(free.params - [0.4, 0.3]) < 3.5 * free.bse).all()
    assert (np.abs(held.params - [0.4, 0.3]) > 4 * held.bse).any()
    assert held.tests["chi2"] - free.tests["chi2"] > 100


def test_clusters_and_the_long_run() -> None:
    frame = simulated(1).assign(g=lambda d: d["id"] % 30)
    call = {"y": "y", "person": "id", "time": "t", "predetermined": "x"}
    found, clustered = methods.dynamic_panel(frame, **call), methods.dynamic_panel(frame, cluster="g", **call)
    np.testing.assert_allclose(found.params, clustered.params)
    assert (clustered.bse / found.bse).between(0.5, 1.6).all()  # clusters at random: the same error, roughly
    value, se = found.long_run("x_lag")
    assert value == pytest.approx(found.params["x_lag"] / (1 - found.params["y_lag"]))
    steps = np.array([value, 1]) / (1 - found.params["y_lag"])
    assert se == pytest.approx(float(np.sqrt(steps @ found.covariance @ steps)))


def test_findings_of_instruments() -> None:
    frame = simulated(2, n=12, times=8)
    call = {"person": "id", "time": "t", "method": "system-gmm"}
    found = methods.dynamic_panel(frame, "y", predetermined="x", **call)
    codes = {f.code: f.message for f in found.findings}
    assert codes["many_instruments"].startswith("54 instruments for 12 persons")
    rng = np.random.default_rng(1)
    noise = pd.DataFrame(
        {
            "id": np.repeat(np.arange(60), 5),
            "t": np.tile(np.arange(5), 60),
            "y": rng.normal(size=300).cumsum(),
        }
    )
    found = methods.dynamic_panel(noise, "y", person="id", time="t", method="difference-gmm", collapse=True)
    weak = [f.message for f in found.findings if f.code == "outside_bracket"]
    low = methods.dynamic_panel(noise, "y", person="id", time="t", method="within").params["y_lag"]
    high = methods.dynamic_panel(noise, "y", person="id", time="t", method="ols").params["y_lag"]
    assert bool(weak) != (low <= found.params["y_lag"] <= high)
    two = simulated(3, n=400)
    shock = np.random.default_rng(0).normal(size=(400, 8))
    two["y"] += 1.5 * (shock[two["id"], two["t"]] + shock[two["id"], two["t"] + 2])
    found = methods.dynamic_panel(two, "y", person="id", time="t", method="difference-gmm")
    serial = next(f.message for f in found.findings if f.code == "serial_correlation")
    assert "the instruments are not valid" in serial
    assert "GMM in differences" in found.summary()


def test_findings_of_maximum_likelihood() -> None:
    frame = simulated(5, n=30, times=5)
    found = methods.dynamic_panel(frame, "y", person="id", time="t", predetermined="x")
    assert "30 persons are few for" in next(f.message for f in found.findings if f.code == "few_persons")


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (None, {"method": "gmm"}, "method is 'gmm'. It is one of ml, difference-gmm"),
        (None, {"lags": 0}, "lags is 0. It is a whole number from 1"),
        (None, {"lags": 5}, "6 times have values, and the model needs at least 7"),
        (None, {"predetermined": "y"}, "Column 'y' is named twice"),
        (None, {"constant": "x"}, "Column 'x' changes within a person"),
        (None, {"method": "difference-gmm", "steps": 3}, "steps is 3. It is 1 or 2"),
        (None, {"method": "difference-gmm", "max_instrument_lag": 1}, "max_instrument_lag is 1"),
        (None, {"method": "ols", "contemporaneous": True}, "are options of method='ml'"),
        (None, {"contemporaneous": True, "person_trends": True}, "are not determined together"),
        (None, {"method": "within", "constant": "g"}, "'g' cannot be estimated by 'within'"),
        (None, {"exogenous": "g"}, "'g' does not change within any person"),
        (lambda d: d.assign(w=2 * d["x"]), {"predetermined": "x", "exogenous": "w"}, "determine others"),
        (
            lambda d: d.assign(w=2 * d["x"]),
            {"exogenous": ["x", "w"], "method": "difference-gmm"},
            "instruments do not determine",
        ),
        (
            lambda d: d.assign(w=2 * d["x"]),
            {"exogenous": ["x", "w"], "method": "ols"},
            "columns do not determine the coefficients",
        ),
    ],
)
def test_what_is_refused(change, options, message) -> None:
    frame = simulated(1, n=80).assign(g=lambda d: d["id"] % 7)
    with pytest.raises(DataError, match=message):
        methods.dynamic_panel(
            frame if change is None else change(frame), "y", person="id", time="t", **options
        )
