"""Profile likelihood of models with a residual structure: nlme refitted along a grid, dense likelihoods, differences."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import alliance_longitudinal as al
from inside.engine_fit import package
from inside.engine_inference import (
    Rest,
    constrained,
    extra_of,
    full_face,
    profile,
    share,
    source_of,
    variance_parameters,
)
from inside.engine_inference import surface as surfaces
from inside.engine_statistics import statistics_of, whitened_basis

REFERENCE = Path(__file__).parents[1] / "reference"
NLME = json.loads((REFERENCE / "residuals_profile.json").read_text(encoding="utf-8"))
CUT = stats.chi2.ppf(0.95, 1)


def structure(given):
    if given["kind"] == "VarIdent":
        return al.VarIdent(given["strata"])
    return getattr(al, given["kind"])(given["position"])


def fitted(case):
    frame = pd.read_csv(REFERENCE / "small" / f"{case['data']}.csv")
    if case["residual"]["kind"] == "VarIdent":  # the reference of the ratio that nlme held
        frame["sex"] = pd.Categorical(frame["sex"], ["Female", "Male"])
    made = al.MixedModel.from_formula(case["formula"], frame, residual=structure(case["residual"]))
    return made.fit(reml=case["reml"])


@pytest.mark.parametrize("case", NLME["profiles"], ids=lambda c: f"{c['data']} {c['parameter']}")
def test_intervals_are_those_of_nlme(case):
    res = fitted(case)
    assert res.deviance == pytest.approx(case["deviance"], abs=1e-7)
    row = res.conf_int(method="profile", which=case["parameter"]).iloc[0]
    # nlme's deviances are good to about 1e-8, its limits to that divided by the slope of the profile.
    np.testing.assert_allclose(
        row[["lower", "upper"]].astype(float), [case["lower"], case["upper"]], rtol=1e-6
    )
    assert row["note"] == ""
    assert row["criterion"] == ("REML" if case["reml"] else "ML")


def series(seed, phi=0.5, units=7, rows=5, ratio=1.0, sd=1.0, spacing=1.0):
    """Short series with gaps, and rows of two strata."""
    rng = np.random.default_rng(seed)
    parts = []
    for unit in range(units):
        t = np.sort(rng.choice(9, rows, replace=False))
        how = rng.integers(0, 2, rows)
        noise = np.linalg.cholesky(phi ** np.abs(t[:, None] - t)) @ rng.normal(size=rows)
        y = 3 + 0.3 * t + sd * rng.normal() + noise * np.where(how == 1, ratio, 1.0)
        parts.append(
            pd.DataFrame({"unit": unit, "t": t, "time": t * spacing, "how": np.where(how, "b", "a"), "y": y})
        )
    return pd.concat(parts, ignore_index=True)


def written_out(frame, kind, sd, sigma, phi, ratio, reml, known=None):
    """-2 log-likelihood of ``y ~ t + (1 | unit)`` from the covariance of all rows; ``known`` holds the slope."""
    unit, t = frame["unit"].to_numpy(), frame["t"].to_numpy()
    same, size = unit[:, None] == unit, np.where(frame["how"] == "b", ratio, 1.0)
    gap = np.abs(t[:, None] - t)
    r = np.eye(len(t)) if kind is al.VarIdent else np.where(gap == 0, 1.0, phi**gap)
    v = same * (sd**2 + sigma**2 * r * np.outer(size, size))
    x, y = np.column_stack([np.ones(len(t)), t]), frame["y"].to_numpy()
    if known is not None:
        x, y = x[:, :1], y - known * t
    root = np.linalg.cholesky(v)
    x, y = np.linalg.solve(root, x), np.linalg.solve(root, y)
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    value = 2 * np.log(np.diag(root)).sum() + np.sum((y - x @ beta) ** 2)
    n, p = x.shape
    return value + (
        (n - p) * np.log(2 * np.pi) + np.linalg.slogdet(x.T @ x)[1] if reml else n * np.log(2 * np.pi)
    )


def least(frame, kind, start, held, value, reml):
    """Least written-out deviance with one of ``sd, sigma, phi, ratio`` or the slope ``t`` held."""
    names = [n for n in start if n != held]
    own = {
        "sd": np.abs,
        "sigma": np.exp,
        "ratio": np.exp,
        "phi": lambda v: np.sin(v) ** 2 if kind is al.CAR1 else np.tanh(v),
    }
    back = {
        "sd": float,
        "sigma": np.log,
        "ratio": np.log,
        "phi": lambda v: np.arcsin(np.sqrt(v)) if kind is al.CAR1 else np.arctanh(v),
    }

    def deviance(x):
        at = {n: own[n](v) for n, v in zip(names, x, strict=True)} | ({held: value} if held in start else {})
        full = {"phi": 0.0, "ratio": 1.0} | at
        try:
            return written_out(frame, kind, **full, reml=reml, known=value if held == "t" else None)
        except np.linalg.LinAlgError:
            return 1e6

    x0 = np.array([back[n](start[n]) for n in names])
    return min(optimize.minimize(deviance, x0 + tilt, method="BFGS").fun for tilt in (0.0, 0.2))


NAMES = {"sd": "sd(Intercept)|unit", "sigma": "sigma", "phi": "phi", "ratio": "sd(b)/sd(a)", "t": "t"}


@pytest.mark.parametrize(
    ("kind", "strata", "reml"), [(al.AR1, True, True), (al.CAR1, False, True), (al.VarIdent, True, False)]
)
def test_the_deviance_at_the_limits_by_brute_force(kind, strata, reml):
    frame = series(5, phi=0.6, ratio=2.0 if strata else 1.0)
    made = kind("how") if kind is al.VarIdent else kind("t", strata="how" if strata else None)
    res = al.MixedModel.from_formula("y ~ t + (1 | unit)", frame, residual=made).fit(reml=reml)
    limits = res.conf_int(method="profile")
    found = res.residual_parameters.set_index("name")["estimate"]
    start = {"sd": max(res.varcorr["sdcor"][0], 0.1), "sigma": np.sqrt(res.scale)}
    start |= {short: found[NAMES[short]] for short in ("phi", "ratio") if NAMES[short] in found.index}
    assert set(limits.index) == {"Intercept", "t", *(NAMES[s] for s in start)}
    best = {r: least(frame, kind, start, None, None, r) for r in {reml, False}}
    assert best[reml] == pytest.approx(res.deviance, abs=1e-6)
    for short, name in NAMES.items():
        if name not in limits.index:
            continue
        for end in ("lower", "upper"):
            row, by = limits.loc[name], reml and short != "t"
            rise = least(frame, kind, start, short, row[end], by) - best[by]
            if row["note"].startswith(end):
                assert row[end] == 0
                assert f"rises by {rise:.2f}, less" in row["note"]
            else:
                assert rise == pytest.approx(CUT, abs=1e-4)  # the simplex search stops there


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        *((al.CAR1("t", strata="how"), kind) for kind in ("sd", "cor", "sigma", "phi", "ratio", "share")),
        *((al.AR1("t"), kind) for kind in ("cor", "phi", "share")),
        *((al.VarIdent("how"), kind) for kind in ("sd", "ratio", "share")),
    ],
    ids=lambda v: v if isinstance(v, str) else type(v).__name__,
)
def test_derivatives_in_the_coordinates(made, kind):
    frame = series(3, ratio=1.5, units=12, rows=6, sd=2)
    fit = al.MixedModel.from_formula("y ~ t + (1 + t | unit)", frame, residual=made).fit().fit
    named = {p.kind: p for p in variance_parameters(fit).values()}
    if kind == "share":
        strata = (0.4,) if made.strata else ()
        chart = share(full_face(fit), [0], [np.outer([1.0, 0.3], [1.0, 0.3])], Rest(0.6, strata))
    else:
        chart = named[kind].chart()
    back, source = surfaces.turned_back(chart), source_of(fit)
    relative = [d + 0.1 * np.eye(len(d)) for d in fit.record.best.relative]
    u = chart.start(relative, 0.7, extra_of(fit))
    np.testing.assert_allclose(chart.relative(u)[0], relative[0], atol=1e-9)
    np.testing.assert_allclose(chart.extra(u), extra_of(fit), atol=1e-12)

    def surface(at, order):
        return surfaces.surface(source, True, chart, at, order, back)

    _, gradient, hessian = surface(u, 2)
    steps = 1e-5 * np.eye(len(u))
    slope = np.array([(surface(u + d, 1)[0] - surface(u - d, 1)[0]) / 2e-5 for d in steps])
    bend = np.array([(surface(u + d, 1)[1] - surface(u - d, 1)[1]) / 2e-5 for d in steps])
    np.testing.assert_allclose(gradient, slope, atol=2e-6 * np.abs(gradient).max())
    np.testing.assert_allclose(hessian, bend, atol=2e-6 * np.abs(hessian).max())


def test_independence_as_an_estimate_and_as_a_limit():
    frame = series(1, phi=0.0, sd=0.5, units=10)
    res = al.MixedModel.from_formula("y ~ t + (1 | unit)", frame, residual=al.CAR1("t")).fit()
    assert res.residual_parameters["estimate"][0] == 0
    limits = res.conf_int(method="profile")
    assert limits.loc["phi", "lower"] == 0
    assert limits.loc["phi", "note"] == "lower limit: a correlation of 0 is the estimate"
    start = {"sd": 0.5, "sigma": 1.0, "phi": 0.1}
    best = least(frame, al.CAR1, start, None, None, True)
    for short in ("phi", "sigma"):
        rise = least(frame, al.CAR1, start, short, limits.loc[NAMES[short], "upper"], True) - best
        assert rise == pytest.approx(CUT, abs=1e-4)


@pytest.mark.parametrize("spacing", [1 / 7, 1000.0])
def test_the_unit_of_time_only_changes_phi(spacing):
    one, other = (
        al.MixedModel.from_formula(
            "y ~ t + (1 | unit)", series(6, spacing=s, units=12), residual=al.CAR1("time")
        ).fit()
        for s in (1.0, spacing)
    )
    a, b = (res.conf_int(method="profile")[["lower", "upper"]] for res in (one, other))
    b.loc["phi"] = b.loc["phi"] ** spacing
    np.testing.assert_allclose(a, b, rtol=1e-6)


def test_paths_and_shares_have_their_structure():
    frame = series(7, ratio=2.0, units=12)
    res = al.MixedModel.from_formula("y ~ t + (1 | unit)", frame, residual=al.VarIdent("how")).fit()
    path = res.profile("sd(b)/sd(a)")
    limits = res.conf_int(method="profile", which="sd(b)/sd(a)").iloc[0]
    signed = np.interp(limits[["lower", "upper"]].astype(float), path["value"], path["zeta"])
    np.testing.assert_allclose(signed, [-np.sqrt(CUT), np.sqrt(CUT)], atol=0.02)  # interpolated
    table = res.icc(method="profile").set_index("group")
    ratio = res.residual_parameters["estimate"][0]
    squares = np.where(frame["how"] == "b", ratio**2, 1.0).mean()
    own = res.varcorr["vcov"][0]
    assert table.loc["unit", "icc"] == pytest.approx(own / (own + res.scale * squares))
    for limit in table.loc["unit", ["lower", "upper"]]:
        assert held_share(frame, float(limit)) - res.deviance == pytest.approx(CUT, abs=1e-4)


def held_share(frame, value):
    """Least written-out deviance with the share of the units' variance in the mean variance of the rows held."""
    other = np.mean(frame["how"] == "b")

    def deviance(x):
        sigma, ratio = np.exp(x)
        rest = sigma**2 * (1 - other + other * ratio**2)
        return written_out(frame, al.VarIdent, np.sqrt(value / (1 - value) * rest), sigma, 0.0, ratio, True)

    return optimize.minimize(
        deviance, [0.0, 0.5], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}
    ).fun


def test_bootstrap_shares_have_the_replicate_s_ratios():
    frame = series(7, ratio=2.0, units=12)
    res = al.MixedModel.from_formula("y ~ t + (1 | unit)", frame, residual=al.VarIdent("how")).fit()
    boot = res.bootstrap(20, seed=2)
    other = np.mean(frame["how"] == "b")
    own, scale = (boot.varcorr.iloc[:, k].to_numpy() for k in (0, -1))
    rest = scale * (1 - other + other * boot.residual.iloc[:, 0].to_numpy() ** 2)
    expected = np.quantile(own / (own + rest), [0.025, 0.975])
    np.testing.assert_allclose(res.icc(20, seed=2).loc[0, ["lower", "upper"]].astype(float), expected)
    assert (res.r2(20, seed=2)["lower"] < res.r2()).all()


def test_a_lower_optimum_on_the_way_is_taken_and_said():
    frame = series(7, ratio=2.0, units=12)
    res = al.MixedModel.from_formula("y ~ t + (1 | unit)", frame, residual=al.AR1("t", strata="how")).fit()
    fit, best = res.fit, res.fit.record.best
    moved = replace(best, relative=tuple(1.5 * d for d in best.relative), theta=best.theta * 1.1)
    residual = replace(fit.residual, tau=moved.extra)
    blocks = statistics_of(fit.design, whitened_basis(fit.basis, residual.model.pattern, residual.tau))
    bad = package(fit.design, fit.basis, blocks, True, replace(fit.record, best=moved), residual)
    limits = profile.profile_intervals(bad, ["phi", "t"], 0.05)
    expected = res.conf_int(method="profile", which=["phi", "t"])
    np.testing.assert_allclose(limits[["lower", "upper"]], expected[["lower", "upper"]], rtol=1e-5)
    assert limits["note"].str.contains("deviance units above a better optimum found on the way").all()


def test_a_correlation_that_cannot_be_told_from_an_intercept_is_said():
    frame = series(2, units=10).groupby("unit").head(2)
    frame["t"] = frame.groupby("unit").cumcount()
    res = al.MixedModel.from_formula("y ~ t + (1 | unit)", frame, residual=al.AR1("t")).fit()
    assert "not_identified" in {f.code for f in res.findings}
    try:
        said = res.conf_int(method="profile", which="phi")["note"].iloc[0]
    except al.FitError as error:
        said = str(error)
    assert any(
        words in said for words in ("not identified", "runs to", "too many optima", "towards the edge")
    )


def test_an_optimum_at_the_edge_of_what_can_be_computed_is_refused(monkeypatch):
    res = al.MixedModel.from_formula("y ~ t + (1 | unit)", series(2), residual=al.AR1("t")).fit()
    lost = (1.0, np.zeros(3), np.full((3, 3), np.nan))
    monkeypatch.setattr(constrained, "surface", lambda *_: lost)
    with pytest.raises(
        al.FitError, match=r"likelihood rises towards the edge .* no optimum to start from. Leave out"
    ):
        res.conf_int(method="profile", which="phi")
    monkeypatch.undo()
    monkeypatch.setattr(profile, "refuse_perfect", lambda *_: (_ for _ in ()).throw(al.FitError("runs to 1")))
    with pytest.raises(al.FitError, match="runs to 1"):
        profile.refitted(
            res.fit, constrained.LowerOptimum(list(res.fit.record.best.relative), 1.0, res.fit.residual.tau)
        )
