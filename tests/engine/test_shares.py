"""Intraclass correlations and R2: R's performance package, brute-force profiles, conventions and refusals."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import alliance_longitudinal as al
from alliance_longitudinal.errors import FitError
from engine.designs import three_levels
from inside.engine_inference import surface
from inside.engine_linalg import dense

REFERENCE = Path(__file__).parents[1] / "reference"
PERFORMANCE = json.loads((REFERENCE / "shares.json").read_text(encoding="utf-8"))["models"]
CUT = stats.chi2.ppf(0.95, 1)


def small(name):
    return pd.read_csv(REFERENCE / "small" / f"{name}.csv")


@pytest.fixture(scope="module")
def sleep():
    return al.MixedModel.from_formula("Reaction ~ Days + (Days | Subject)", small("sleepstudy")).fit()


@pytest.mark.parametrize("model", PERFORMANCE, ids=lambda m: m["formula"])
def test_shares_are_those_of_performance(model):
    res = al.MixedModel.from_formula(model["formula"], small(model["data"]), crossed=True).fit()
    # lme4's optimum is good to seven digits.
    np.testing.assert_allclose(res.r2(), [model["marginal"], model["conditional"]], atol=1e-6)
    icc = res.icc().set_index("group")["icc"]
    assert icc.drop("Residual").sum() == pytest.approx(model["adjusted"], abs=1e-6)
    for group, value in (model["groups"] or {}).items():
        assert icc[group] == pytest.approx(value, abs=1e-6)


def test_conventions(sleep):
    x = sleep.fit.design.x
    fixed = np.var(x @ sleep.params.to_numpy(), ddof=1)
    z = x
    random = np.mean(np.einsum("ni,ij,nj->n", z, sleep.fit.psi[0], z))
    total = fixed + random + sleep.scale
    np.testing.assert_allclose(sleep.r2(), [fixed / total, (fixed + random) / total])
    frame = three_levels(4, outer=12, inner=6, rows=7)
    res = al.MixedModel.from_formula("y ~ week + (1 | unique)", frame, weights="w").fit()
    assert res.icc()["variance"].iloc[-1] == pytest.approx(res.scale * np.mean(1 / frame["w"]))


def test_a_share_at_given_values(sleep):
    table = sleep.icc(at={"Days": 6})
    z = np.array([1, 6])
    variance = z @ sleep.fit.psi[0] @ z
    np.testing.assert_allclose(table["icc"], np.array([variance, sleep.scale]) / (variance + sleep.scale))
    diagonal = al.MixedModel.from_formula("Reaction ~ Days + (Days || Subject)", small("sleepstudy")).fit()
    variance = diagonal.fit.psi[0][0, 0] + 36 * diagonal.fit.psi[1][0, 0]
    assert diagonal.icc(at={"Days": 6})["variance"][0] == pytest.approx(variance)
    at_zero = sleep.icc(at={"Days": 0}, method="profile")
    assert at_zero["icc"][0] == pytest.approx(sleep.fit.psi[0][0, 0] / (sleep.fit.psi[0][0, 0] + sleep.scale))
    assert (at_zero["lower"] < at_zero["icc"]).all()
    assert (at_zero["upper"] > at_zero["icc"]).all()


def test_a_share_of_zero_at_a_value_leaves_the_slopes_what_they_are():
    """With one effect counting, the test of a share of zero is that of its standard deviation."""
    for seed in (1, 10):
        frame = three_levels(seed, outer=8, inner=3, rows=5)
        res = al.MixedModel.from_formula("y ~ week + (1 + week | outer)", frame).fit()
        row = res.icc(method="profile", at={"week": 0}).iloc[0]
        deviation = res.conf_int(method="profile", which="sd(Intercept)|outer").iloc[0]
        assert row["lower"] == deviation["lower"] == 0
        assert row["note"] == deviation["note"].replace("standard deviation", "share")
    res = al.MixedModel.from_formula("y ~ week + (0 + week | outer) + (1 | unique)", frame).fit()
    table = res.icc(method="profile", at={"week": 0})
    assert table.iloc[0, 1:].tolist() == [0, 0, 0, 0, "REML", "zero: no effect counts at these values"]
    assert table["lower"][2] == pytest.approx(1 - table["upper"][1])


def held(fit, group, value, with_residual=True):
    """Least restricted deviance of terms of one effect with one share held, on dense matrices."""
    terms = [(t.z, fit.design.factors[t.factor].codes) for t in fit.design.terms]
    order = [group] + [t for t in range(len(terms)) if t != group]

    def deviance(theta):
        others = np.exp(theta)  # of the other terms and, last, the residual
        mine = value / (1 - value) * (others.sum() if with_residual else others[:-1].sum())
        psi = dict(zip(order, [mine, *others[:-1]], strict=True))
        full = [(z, codes, np.array([[psi[t]]])) for t, (z, codes) in enumerate(terms)]
        v = dense.marginal_covariance(full, others[-1], None, len(fit.design.y))
        return dense.deviance(fit.design.y, fit.design.x, v, True)

    start = np.log([fit.psi[t][0, 0] + 1e-3 for t in order[1:]] + [fit.scale])
    return optimize.minimize(
        deviance, start, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000}
    ).fun


@pytest.mark.parametrize("group", [0, 1])
def test_profile_limits_lie_at_the_cut_by_brute_force(group):
    res = al.MixedModel.from_formula(
        "y ~ x + (1 | person) + (1 | item)", small("crossed"), crossed=True
    ).fit()
    row = res.icc(method="profile").iloc[group]
    assert row["criterion"] == "REML"
    assert row["note"] == ""
    for limit in (row["lower"], row["upper"]):
        assert held(res.fit, group, limit) - res.deviance == pytest.approx(CUT, abs=1e-5)


@pytest.mark.parametrize("group", [0, 1])
def test_shares_of_a_slope_s_variance_by_brute_force(group):
    res = al.MixedModel.from_formula("y ~ week + (0 + week | outer/unit)", small("three_level")).fit()
    table = res.icc(of="week", method="profile")
    assert list(table["group"]) == [t.group for t in res.fit.design.terms]
    variances = np.array([psi[0, 0] for psi in res.fit.psi])
    np.testing.assert_allclose(table["icc"], variances / variances.sum())
    np.testing.assert_allclose(res.icc(of="week")["variance"], variances)
    np.testing.assert_allclose(table["lower"], 1 - table["upper"][::-1])
    row = table.iloc[group]
    for limit, end in ((row["lower"], 0), (row["upper"], 1)):
        if limit != end:
            assert held(res.fit, group, limit, False) - res.deviance == pytest.approx(CUT, abs=1e-5)
    assert 0 < row["upper"] - row["lower"] < 1


def test_shares_of_a_slope_beside_intercepts():
    res = al.MixedModel.from_formula(
        "y ~ week + (1 + week | outer) + (1 + week || unique)", three_levels(4, outer=20, inner=6, rows=7)
    ).fit()
    table = res.icc(of="week", method="profile").set_index("group")
    variance = res.varcorr[res.varcorr["term1"].eq("week") & res.varcorr["term2"].isna()].set_index("group")
    np.testing.assert_allclose(table["variance"], variance["vcov"].loc[table.index])
    boot = res.icc(of="week", n_boot=200, seed=1).set_index("group")
    assert list(boot.columns) == ["variance", "icc", "lower", "upper"]
    # Percentiles of 200 refits and a likelihood interval: the same to about a tenth.
    np.testing.assert_allclose(boot[["lower", "upper"]], table[["lower", "upper"]], atol=0.12)


def test_the_residual_s_limits_complete_those_of_one_grouping():
    res = al.MixedModel.from_formula("Yield ~ 1 + (1 | Batch)", small("dyestuff2")).fit()
    table = res.icc(method="profile")
    assert table["lower"][0] == 0
    assert table["upper"][1] == 1
    assert table["lower"][1] == pytest.approx(1 - table["upper"][0])
    assert table["note"][0] == "lower limit: a share of 0 is the estimate"
    assert table["note"][1] == "upper limit: a share of 1 is the estimate"


def test_balanced_one_way_limits_are_near_those_of_the_f_distribution():
    res = al.MixedModel.from_formula("Yield ~ 1 + (1 | Batch)", small("dyestuff")).fit()
    groups, size = 6, 5
    ratio = size * res.fit.psi[0][0, 0] / res.scale + 1
    exact = [ratio / stats.f.ppf(p, groups - 1, groups * (size - 1)) for p in (0.975, 0.025)]
    exact = [(f - 1) / (f + size - 1) for f in exact]
    found = res.icc(method="profile")
    # The exact interval of Searle (1971); a likelihood interval from six groups comes within a few hundredths.
    np.testing.assert_allclose([found["lower"][0], found["upper"][0]], exact, atol=0.06)


def test_bootstrap_limits(sleep):
    boot = sleep.bootstrap(60, seed=3)
    table = sleep.icc(n_boot=60, seed=3)
    days = np.array([[1.0, d] for d in range(10)])
    psi = boot.varcorr.to_numpy()
    variance = psi[:, :3] @ np.array([1, np.mean(days[:, 1] ** 2), 2 * np.mean(days[:, 1])])
    shares = variance / (variance + psi[:, 3])
    np.testing.assert_allclose(
        table.loc[0, ["lower", "upper"]].astype(float), np.quantile(shares, [0.025, 0.975])
    )
    pd.testing.assert_frame_equal(table, sleep.icc(n_boot=60, seed=3, method="bootstrap"))
    r2 = sleep.r2(n_boot=60, seed=3)
    assert list(r2.columns) == ["r2", "lower", "upper"]
    np.testing.assert_allclose(r2["r2"], sleep.r2())
    fixed = boot.params["Days"] ** 2 * sleep.fit.design.x[:, 1].var(ddof=1)
    marginal = fixed / (fixed + variance + psi[:, 3])
    np.testing.assert_allclose(r2.loc["marginal", ["lower", "upper"]], np.quantile(marginal, [0.025, 0.975]))


def test_profile_intervals_of_shares_cover():
    inside = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        codes = np.repeat(np.arange(12), 6)
        y = rng.normal(size=12)[codes] * np.sqrt(0.5) + rng.normal(size=72)
        res = al.MixedModel.from_formula("y ~ 1 + (1 | g)", pd.DataFrame({"y": y, "g": codes})).fit()
        row = res.icc(method="profile").iloc[0]
        inside += row["lower"] <= 1 / 3 <= row["upper"]
    assert inside >= 33  # binomial(40, .95): below 34 in 1 of 500


def test_what_is_asked_wrongly_is_refused(sleep):
    with pytest.raises(FitError, match="method='wald' is not available; there is 'profile' and 'bootstrap'"):
        sleep.icc(method="wald")
    with pytest.raises(FitError, match="at: also give a value of 'Days', which has a random slope"):
        sleep.icc(at={})
    with pytest.raises(
        FitError, match="at: the variances do not depend on 'age', which has no random slope; there is"
    ):
        sleep.icc(at={"Days": 1, "age": 3})
    plain = al.MixedModel.from_formula("Reaction ~ Days + (1 | Subject)", small("sleepstudy")).fit()
    with pytest.raises(FitError, match=r"which has no random slope; no covariate has. Leave it out"):
        plain.icc(at={"Days": 1})
    with pytest.raises(
        FitError, match=r"of: 'Days' is a random effect of one grouping only .Subject., so that"
    ):
        sleep.icc(of="Days")
    with pytest.raises(FitError, match=r"'age' is a random effect of no grouping.* are: Intercept, Days"):
        sleep.icc(of="age")
    with pytest.raises(FitError, match="Give either at, for the variance of the response there, or of"):
        sleep.icc(of="Days", at={"Days": 1})


def test_a_saddle_beside_a_trial_that_is_turned_down_is_left():
    """A search along the profile that ends at a saddle after a trial outside the space of parameters."""
    rng = np.random.default_rng([126, 12])
    parts = []
    for o in range(12):
        b = rng.multivariate_normal([0, 0], [[2.0, 0.15], [0.15, 0.09]])
        for i in range(rng.integers(4, 9)):
            u = b + rng.multivariate_normal([0, 0], [[6.0, -0.3], [-0.3, 0.25]])
            rating, week = rng.normal(), np.arange(rng.integers(4, 9), dtype=float)
            y = 15 - 0.5 * rating + u[0] + (-0.8 + 0.2 * rating + u[1]) * week + rng.normal(0, 2, len(week))
            parts.append(
                pd.DataFrame({"y": y, "week": week, "rating": rating, "outer": o, "unit": f"{o}-{i}"})
            )
    frame = pd.concat(parts, ignore_index=True)
    res = al.MixedModel.from_formula("y ~ week * rating + (1 + week | outer/unit)", frame).fit()
    table = res.icc(method="profile", at={"week": 0.0})
    assert (table["lower"] < table["icc"]).all()
    assert (table["icc"] < table["upper"]).all()
    assert table[["lower", "upper"]].notna().all(axis=None)


def evaluations(monkeypatch, compute):
    """What a computation gives, and how often it evaluated the criterion."""
    count = 0

    def counted(*args):
        nonlocal count
        count += 1
        return profiled(*args)

    profiled = surface.profiled
    monkeypatch.setattr(surface, "profiled", counted)
    return compute(), count


def test_limits_of_shares_at_their_edge_take_few_evaluations(monkeypatch):
    """Without a residual both ends of the range are ordinary points: no search wanders towards them."""
    sessions = al.simulate_clinic(5, therapists=10, clients=80, items=False).sessions
    res = al.MixedModel.from_formula("wai ~ week + (1 + week | therapist/client)", sessions).fit()
    table, count = evaluations(monkeypatch, lambda: res.icc(of="week", method="profile"))
    assert count < 100  # 3,688 in coordinates that stretch one side only
    assert table[["lower", "upper"]].to_numpy().tolist() == [[0, 1], [0, 1]]
    assert (
        table["note"][1]
        == "lower limit: a share of 0 is not excluded, the deviance rises by 1.30, less than 3.84; "
        "upper limit: a share of 1 is not excluded, the deviance rises by 0.42, less than 3.84"
    )


@pytest.mark.parametrize("end", ["all", "none"])
def test_a_share_that_is_estimated_at_its_edge(end):
    """One of two slopes' variances is zero: its share has the edge as estimate, the other one all of it."""
    rng = np.random.default_rng(5)
    outer, inner, week = (
        a.ravel() for a in np.meshgrid(np.arange(8), np.arange(6), np.arange(5.0), indexing="ij")
    )
    of = outer if end == "all" else outer * 6 + inner
    slopes = rng.normal(size=48)
    slopes = slopes if end == "all" else slopes - np.repeat(slopes.reshape(8, 6).mean(1), 6)
    frame = pd.DataFrame({"outer": outer, "inner": inner, "week": week})
    frame["y"] = slopes[of] * week + rng.normal(size=len(frame))
    res = al.MixedModel.from_formula("y ~ week + (0 + week | outer/inner)", frame).fit()
    table = res.icc(of="week", method="profile").set_index("group")
    whole, nothing = ("outer", "inner:outer") if end == "all" else ("inner:outer", "outer")
    assert table.loc[nothing, ["icc", "lower"]].tolist() == [0, 0]
    assert table.loc[whole, ["icc", "upper"]].tolist() == [1, 1]
    limit = table.loc[nothing, "upper"]
    t = [term.group for term in res.fit.design.terms].index(nothing)
    assert held(res.fit, t, limit, False) - res.deviance == pytest.approx(CUT, abs=1e-5)
