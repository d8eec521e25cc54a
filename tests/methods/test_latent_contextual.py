"""Contextual effects with latent means: lavaan, lme4, special cases, and a simulated truth over members not observed."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import DataError, FitError, methods

FOLDER = Path(__file__).parents[1] / "reference"
FIGURES = json.loads((FOLDER / "latent.json").read_text(encoding="utf-8"))


def drawn() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "small" / "contextual.csv")


def simulated(seed: int, groups: int = 100, size: int = 8) -> pd.DataFrame:
    """Within .2, between .7; a tenth of the variance of x between groups, of whose members a sample is observed."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), size)
    level, own = np.sqrt(1 / 9) * rng.normal(size=groups)[g], rng.normal(size=len(g))
    shared = 0.3 * rng.normal(size=groups)[g]
    return pd.DataFrame(
        {"g": g, "x": level + own, "y": 0.2 * own + 0.7 * level + shared + rng.normal(size=len(g))}
    )


@pytest.mark.parametrize(("name", "options"), [("plain", {}), ("both", {"within": "w", "between": ["v"]})])
def test_as_lavaan_has_it(name: str, options: dict[str, object]) -> None:
    """x random at both levels (``fixed.x = FALSE``); lavaan stops at 1e-12 and its errors are numerical."""
    them = FIGURES[name]
    found = methods.latent_contextual(drawn(), "y", "x", "g", **options)
    assert list(found.params.index) == ["within", "between", "contextual"]
    np.testing.assert_allclose(found.params, them["est"], rtol=1e-5)
    np.testing.assert_allclose(found.bse, them["se"], rtol=1e-4)
    if not options:  # with covariates lavaan's likelihood holds theirs, too
        assert found.llf == pytest.approx(them["llf"], abs=1e-5)
    assert (found.nobs, found.n_groups, found.n_dropped, found.converged) == (331, 60, 0, True)


def test_the_moment_correction_as_lme4_has_it() -> None:
    them = FIGURES["moment"]
    found = methods.latent_contextual(drawn(), "y", "x", "g", method="moment")
    np.testing.assert_allclose(found.params[:2], [them["within"], them["between"]], rtol=1e-5)
    assert found.reliability == pytest.approx(them["lam"], rel=1e-5)
    assert found.icc == pytest.approx(them["rho"], rel=1e-5)
    assert np.isnan(found.llf)
    assert 0.5 < found.bse["between"] / methods.latent_contextual(drawn(), "y", "x", "g").bse["between"] < 2


def test_truth_where_the_observed_means_are_biased() -> None:
    """40 data sets: the manifest effect is .2 + .47 (.5) = .44, the corrected ones .7 within 4 Monte Carlo errors."""
    truth, manifest = np.array([0.2, 0.7, 0.5]), []
    found: dict[str, list] = {"ml": [], "moment": []}
    for seed in range(40):
        frame = simulated(seed)
        for method, runs in found.items():
            runs.append(methods.latent_contextual(frame, "y", "x", "g", method=method))
        means = frame.groupby("g")[["x", "y"]].mean()
        manifest.append(np.polyfit(means["x"], means["y"], 1)[0])
    assert np.mean(manifest) == pytest.approx(0.435, abs=0.05)
    for runs in found.values():
        estimates = np.array([r.params for r in runs])
        error = estimates.std(axis=0, ddof=1) / np.sqrt(40)
        assert (np.abs(estimates.mean(axis=0) - truth) < 4 * error).all()
        inside = [(r.conf_int()["lower"] < truth) & (r.conf_int()["upper"] > truth) for r in runs]
        assert (np.sum(inside, axis=0) >= 34).all()


def test_large_groups_make_the_observed_means_right() -> None:
    frame = simulated(1, groups=60, size=400)
    means = frame.groupby("g")[["x", "y"]].mean()
    found = methods.latent_contextual(frame, "y", "x", "g")
    assert found.reliability > 0.97
    assert found.params["between"] == pytest.approx(np.polyfit(means["x"], means["y"], 1)[0], abs=0.03)


def test_units_order_and_ids_do_not_matter() -> None:
    frame = drawn()
    found = methods.latent_contextual(frame, "y", "x", "g", within="w", between="v")
    other = frame.sample(frac=1, random_state=0).assign(
        g=lambda d: "T" + d["g"].astype(str), x=lambda d: 100 * d["x"] + 7, v=lambda d: 5 - 3 * d["v"]
    )
    moved = methods.latent_contextual(other, "y", "x", "g", within="w", between="v")
    np.testing.assert_allclose(moved.params, found.params / 100, rtol=1e-6)
    np.testing.assert_allclose(moved.bse, found.bse / 100, rtol=1e-4)
    assert moved.llf == pytest.approx(found.llf - len(frame) * np.log(100), abs=1e-6)


def test_missing_values_are_left_out_and_counted() -> None:
    frame = drawn()
    holes = frame.assign(x=frame["x"].mask(frame.index % 50 == 0))
    found = methods.latent_contextual(holes, "y", "x", "g")
    whole = methods.latent_contextual(holes.dropna(), "y", "x", "g")
    np.testing.assert_allclose(found.params, whole.params)
    assert found.n_dropped == 7
    assert "7 rows without all values are left out." in [f.message for f in found.findings]
    assert "(7 left out: a value is missing)" in found.summary()


def test_groups_that_do_not_differ_have_no_effect_between() -> None:
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(30), 6)
    own = rng.normal(size=(30, 6))
    own -= own.mean(axis=1, keepdims=True)
    x = own.ravel() + 0.05 * rng.normal(size=30)[g]
    frame = pd.DataFrame({"g": g, "x": x, "y": 0.3 * x + rng.normal(size=180)})
    for method in ("ml", "moment"):
        found = methods.latent_contextual(frame, "y", "x", "g", method=method)
        assert np.isnan(found.params["between"])
        assert found.params["within"] == pytest.approx(0.3, abs=0.25)
        failed = next(f for f in found.findings if f.code == "no_group_variance")
        assert failed.severity == "failed"
        assert "do not differ in x beyond chance" in failed.message


def test_few_groups_and_unreliable_means_are_findings() -> None:
    found = methods.latent_contextual(simulated(2, groups=30, size=4), "y", "x", "g")
    codes = {f.code: f.message for f in found.findings}
    assert codes["few_groups"].startswith("30 groups are few for effects between latent means")
    assert ("no_group_variance" in codes) or codes["unreliable_means"].startswith(
        "The reliability of a group"
    )


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (None, {"method": "bayes"}, "method is 'bayes'. It is 'ml' or 'moment'"),
        (lambda d: d.assign(x=d["g"]), {}, "'x' does not vary within 'g'"),
        (lambda d: d.groupby("g").head(1), {}, "Groups need two members or more"),
        (None, {"between": "w"}, "'w' varies within 'g', so it is not a property of the group"),
        (None, {"within": "v"}, "'v' does not vary within 'g'"),
        (None, {"within": "x"}, "Column 'x' is named twice"),
        (lambda d: d[d["g"] < 3], {}, "2 values of 'g' are too few"),
        (lambda d: d.assign(x=np.nan), {}, "No row has all the values"),
        (lambda d: d.assign(q=2 * d["v"]), {"between": ["v", "q"]}, "Some covariates determine others"),
        (lambda d: d.assign(q=2 * d["x"]), {"within": "q"}, "Some covariates determine others, x or y"),
        (lambda d: d.assign(q=2 * d["x"]), {"within": "q", "method": "moment"}, "determine others, x or y"),
        (lambda d: d.assign(q=d["y"] - 1), {"within": "q"}, "Some covariates determine others, x or y"),
    ],
)
def test_what_is_refused(change, options, message) -> None:
    frame = drawn() if change is None else change(drawn())
    with pytest.raises(DataError, match=message):
        methods.latent_contextual(frame, "y", "x", "g", **options)


def test_a_likelihood_without_a_maximum() -> None:
    with pytest.raises(FitError, match="no maximum that can be found"):
        methods.latent_contextual(drawn().assign(y=lambda d: 2 * d["x"]), "y", "x", "g")


def test_group_means_that_are_all_equal_have_no_effect_between() -> None:
    frame = pd.DataFrame({"g": np.repeat(range(20), 5), "x": np.tile([1.0, 2, 3, 4, 5], 20)})
    frame["y"] = 0.5 * frame["x"] + np.random.default_rng(1).normal(size=100)
    found = methods.latent_contextual(frame, "y", "x", "g", method="moment")
    assert "no_group_variance" in [f.code for f in found.findings]
    assert found.params.isna().tolist() == [False, True, True]
    assert found.params["within"] == pytest.approx(np.polyfit(frame["x"], frame["y"], 1)[0], rel=1e-6)
