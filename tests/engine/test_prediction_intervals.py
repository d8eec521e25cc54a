"""Errors of predictions for known, new and partly new groups, against n by n matrices, mixedlm and simulated truth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_longitudinal as al
from engine.designs import three_levels
from inside import PREDICTION_BOOTSTRAP
from inside.engine_diagnostics import degrees_of_freedom, error_variance, mean_errors
from inside.engine_fitted import Effects, equations, rows_of_data, rows_of_fit
from inside.engine_linalg import dense


def textbook(res, rows, observation):
    """``k** - k'V^-1 k + r'Phi r`` with n by n matrices, in the user's units."""
    design = res.fit.design
    terms = [
        (t.z, design.factors[t.factor].codes, psi) for t, psi in zip(design.terms, res.fit.psi, strict=True)
    ]
    v = dense.marginal_covariance(terms, res.scale, design.weights, res.nobs)
    k = np.zeros((len(rows.x), res.nobs))
    own = np.zeros(len(rows.x))
    for each, (old, old_codes, psi) in zip(rows.effects, terms, strict=True):
        z = each.z
        k += (each.codes == old_codes) * (z @ psi @ old.T)
        own += np.einsum("nq,nq->n", z @ psi, z)
    r = rows.x - k @ np.linalg.solve(v, design.x)
    _, precision = dense.gls(design.centred, design.x, v)
    known = np.einsum("ni,ni->n", k, np.linalg.solve(v, k.T).T)
    return own - known + np.einsum("np,np->n", r, np.linalg.solve(precision, r.T).T) + observation * res.scale


def new_rows(frame):
    """Known, half-known, new and ungrouped rows."""
    some = frame.iloc[[0, 9, 40, 77, 5, 6]].copy()
    some["outer"] = some["outer"].astype(float)
    some.loc[some.index[2], "inner"] = 99
    some.loc[some.index[3], ["outer", "inner"]] = [99, 99]
    some.loc[some.index[4], "outer"] = np.nan
    return some.assign(week=[0, 12, 3, 4, 5, 6], w=[1, 2, 0.5, 1, 1, 4.0])


FORMULAS = {
    "nested slopes": ("y ~ week * rating + arm + (1 + week | outer/inner)", {}),
    "weights and offset": (
        "y ~ week + (1 + week || outer) + (1 | inner:outer)",
        {"weights": "w", "offset": "rating"},
    ),
    "crossed": ("y ~ week + (1 + week | outer) + (1 | item)", {"crossed": True}),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_errors_are_the_textbook_ones(frame, name):
    formula, options = FORMULAS[name]
    res = al.MixedModel.from_formula(formula, frame, **options).fit()
    data = new_rows(frame)
    rows = rows_of_data(res.fit, res.spec, data, True)
    inverse = 1 / data["w"].to_numpy() if "weights" in options else np.ones(len(data))
    for interval, observation in (("confidence", 0.0 * inverse), ("prediction", inverse)):
        table = res.predict(data, interval=interval)
        np.testing.assert_allclose(table["se"] ** 2, textbook(res, rows, observation), rtol=1e-8)
        np.testing.assert_allclose(table["predicted"], res.predict(data), rtol=1e-12)
        alone = replace(rows, effects=tuple(each.unknown() for each in rows.effects))
        if interval == "prediction":
            table = res.predict(data, groups=False, interval=interval)
            np.testing.assert_allclose(table["se"] ** 2, textbook(res, alone, observation), rtol=1e-8)
            np.testing.assert_allclose(table["predicted"], res.predict(data, groups=False), rtol=1e-12)
    own = res.predict(interval="confidence")
    np.testing.assert_allclose(own["se"] ** 2, textbook(res, rows_of_fit(res.fit), 0.0), rtol=1e-8)


def test_degrees_of_freedom(growth, frame):
    """Slopes by finite differences; without effects the degrees of freedom are those of the coefficients."""
    fit = growth.fit
    rows = rows_of_data(fit, growth.spec, new_rows(frame), True)
    variance = error_variance(fit, rows)
    column, step = 0, 1e-6
    for t in fit.record.best.face.entry_order:
        for i, j in zip(*np.tril_indices(len(fit.psi[t])), strict=True):
            values = []
            for sign in (1, -1):
                relative = [d.copy() for d in fit.record.best.relative]
                relative[t][i, j] += sign * step
                relative[t][j, i] = relative[t][i, j]
                values.append(mean_errors(fit, equations(fit, relative), relative, rows))
            expected = (values[0] - values[1]) / (2 * step)
            np.testing.assert_allclose(variance.slopes[:, column], expected, rtol=1e-5, atol=1e-9)
            column += 1
    none = replace(rows, effects=tuple(replace(each.unknown(), z=0 * each.z) for each in rows.effects))
    df = degrees_of_freedom(fit, error_variance(fit, none))
    np.testing.assert_allclose(df, growth.inference.df(rows.x), rtol=1e-8)


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_limits_are_by_students_t_with_the_degrees_of_freedom_shown(frame, alpha):
    """Few groups: a normal quantile would be too narrow by a third."""
    few = frame[frame["outer"] < 5]
    res = al.MixedModel.from_formula("y ~ week + (1 | outer)", few).fit()
    new = pd.DataFrame({"week": [0.0, 5.0], "outer": [np.nan, np.nan]})
    for interval in ("confidence", "prediction"):
        table = res.predict(new, interval=interval, alpha=alpha)
        assert table["df"].between(2, 12).all()
        half = stats.t.ppf(1 - alpha / 2, table["df"]) * table["se"]
        np.testing.assert_allclose(table["lower"], table["predicted"] - half, rtol=1e-10)
        np.testing.assert_allclose(table["upper"], table["predicted"] + half, rtol=1e-10)


def test_population_intervals_are_by_the_method_of_the_fit(frame):
    model = al.MixedModel.from_formula("y ~ week + arm + (1 + week | outer)", frame)
    data = pd.DataFrame({"week": [0.0, 8.0], "arm": [0, 1]})
    rows = np.array([[1, 0, 0], [1, 8, 1.0]])
    for options in (
        {"df": "kenward-roger"},
        {"cov_type": "CR2", "cov_groups": "outer"},
        {"df": "normal"},
    ):
        res = model.fit(**options)
        expected = res.contrast(rows, ["a", "b"])
        table = res.predict(data, groups=False, interval="confidence")
        np.testing.assert_allclose(
            table[["se", "df", "lower", "upper"]], expected[["se", "df", "lower", "upper"]]
        )
    assert np.isinf(res.predict(frame.head(), interval="prediction")["df"]).all()


def test_mixedlm_gives_the_same_errors(three_level_growth):
    """Standard errors of mixedlm 1.3.0 at week 12 for a known unit, a new one in a known group, and a new group."""
    formula = "phq9 ~ week * alliance + trt + (1 + week | therapist/client)"
    res = al.MixedModel.from_formula(formula, three_level_growth).fit()
    first = three_level_growth.iloc[[0, 0, 0]].assign(week=12.0, alliance=0.3, trt=0)
    first["client"] = [first["client"].iloc[0], "nobody", "nobody"]
    first["therapist"] = [*first["therapist"].iloc[:2], "nobody"]
    table = res.predict(first, interval="confidence")
    np.testing.assert_allclose(table["se"], [2.3197, 6.7785, 9.1361], atol=5e-5)  # as printed


def test_missing_values_and_no_rows(growth, frame):
    data = frame.head(3).copy()
    data.loc[data.index[1], "week"] = np.nan
    table = growth.predict(data, interval="prediction")
    assert table.isna().all(axis=1).tolist() == [False, True, False]
    assert growth.predict(data.iloc[:0], interval="prediction").empty
    for groups in (True, False):
        assert growth.predict(data.iloc[:0], groups=groups, interval="confidence").empty
    assert (table["lower"] < table["predicted"]).iloc[0]


def test_the_uncertainty_of_the_variances_widens(growth, frame):
    data = new_rows(frame)
    plain = growth.predict(data, interval="prediction")
    wide = growth.predict(data, interval="prediction", n_boot=60, seed=3)
    np.testing.assert_allclose(wide["predicted"], plain["predicted"])
    np.testing.assert_allclose(wide["se"], plain["se"], rtol=0.15)
    again = growth.predict(data, interval="prediction", n_boot=60, seed=3)
    pd.testing.assert_frame_equal(wide, again)
    held = (wide["upper"] - wide["lower"]) / (2 * wide["se"])
    assert held.between(1.85, 2.4).all()


def test_a_failed_replicate_is_left_out_and_no_other(growth, frame, monkeypatch):
    boot = growth.bootstrap(20, seed=3)
    gone = boot.varcorr.copy()
    gone.iloc[[0, 7]] = np.nan
    rest = boot.varcorr.drop(boot.varcorr.index[[0, 7]])
    tables = []
    for values in (gone, rest):
        made = replace(boot, varcorr=values)
        place = PREDICTION_BOOTSTRAP
        monkeypatch.setattr(place, lambda *_, made=made: made)
        tables.append(growth.predict(new_rows(frame), interval="prediction", n_boot=20, seed=3))
    pd.testing.assert_frame_equal(*tables)


def test_refusals(growth, frame):
    with pytest.raises(al.FitError, match="interval='predict' is not available; there is 'confidence' and"):
        growth.predict(frame, interval="predict")
    with pytest.raises(al.FitError, match=r"alpha=5 must lie between 0 and 1; 0\.05 gives 95 % intervals"):
        growth.predict(frame, interval="prediction", alpha=5)
    res = al.MixedModel.from_formula("y ~ week + (1 | outer)", frame, weights="w").fit()
    with pytest.raises(
        al.FormulaError, match="interval for a new observation needs its weight in a column 'w'"
    ):
        res.predict(frame.drop(columns="w"), interval="prediction")
    with pytest.raises(al.FormulaError, match=r"The weights in 'w' must be above zero; row 0 has -1"):
        res.predict(frame.head(2).assign(w=[-1.0, 1.0]), interval="prediction")
    assert res.predict(frame.drop(columns="w"), interval="confidence").notna().all(axis=None)


def test_intervals_hold_what_they_promise():
    """Coverage over simulated data sets, for a new observation in a known unit, a new unit, a new group."""
    rng = np.random.default_rng(11)
    hits, count = np.zeros(3), 0
    frame = three_levels(3, outer=15, inner=4, rows=5)
    model = al.MixedModel.from_formula("y ~ week + (1 + week | outer) + (1 | inner:outer)", frame)
    design = model.design
    for _ in range(40):
        outer, inner = (next(f for f in design.factors if n == len(f.columns)) for n in (1, 2))
        effects = rng.normal(size=(outer.size, 2)) * [2.0, 0.6]
        units = rng.normal(size=inner.size) * 1.5
        mean = 10 - 0.7 * frame["week"].to_numpy()
        b = effects[outer.codes]
        y = mean + b[:, 0] + b[:, 1] * frame["week"] + units[inner.codes] + rng.normal(size=len(frame))
        res = al.MixedModel.from_formula(model.formula, frame.assign(y=y)).fit()
        at = rng.integers(0, len(frame), 10)
        data = frame.iloc[at].assign(week=4.0)
        fresh = rng.normal(size=(10, 2)) * [2.0, 0.6]
        for i, kind in enumerate(("known", "new unit", "new group")):
            group = fresh if kind == "new group" else effects[outer.codes[at]]
            unit = units[inner.codes[at]] if kind == "known" else rng.normal(size=10) * 1.5
            truth = 10 - 2.8 + group[:, 0] + 4 * group[:, 1] + unit + rng.normal(size=10)
            asked = data.assign(
                inner=data["inner"] if kind == "known" else np.nan,
                outer=np.nan if kind == "new group" else data["outer"],
            )
            table = res.predict(asked, interval="prediction")
            hits[i] += ((table["lower"] < truth) & (truth < table["upper"])).sum()
        count += 10
    # 400 draws a kind that share data sets: 0.95 with a Monte Carlo error of about 0.015
    assert (np.abs(hits / count - 0.95) < 0.045).all(), hits / count


def test_structured_residuals(frame):
    """Correlated residuals of unequal variance: errors against n by n matrices, degrees of freedom at the fixed part."""
    from inside.engine_statistics import relative_covariance

    data = frame.assign(kind=np.where(frame["item"] > 1, "b", "a"), w=1.0)
    formula = "y ~ week + arm + (1 | outer) + (1 | inner:outer)"
    res = al.MixedModel.from_formula(formula, data, residual=al.CAR1("week", strata="kind")).fit()
    fit, design = res.fit, res.fit.design
    residual = fit.residual
    inner = next(f for f in design.factors if f.name == "inner:outer")
    r = relative_covariance(residual.model.pattern, residual.tau, inner.codes, np.arange(res.nobs))
    v = res.scale * r
    new = new_rows(data)
    rows = rows_of_data(fit, res.spec, new, True)
    k, own = np.zeros((len(new), res.nobs)), np.zeros(len(new))
    for each, term, psi in zip(rows.effects, design.terms, fit.psi, strict=True):
        old, z, codes = design.factors[term.factor].codes, each.z, each.codes[:, 0]
        v += (old[:, None] == old) * (term.z @ psi @ term.z.T)
        k += (codes[:, None] == old) * (z @ psi @ term.z.T)
        own += np.einsum("nq,nq->n", z @ psi, z)
    away = rows.x - k @ np.linalg.solve(v, design.x)
    phi = np.linalg.inv(design.x.T @ np.linalg.solve(v, design.x))
    expected = (
        own - np.einsum("ni,ni->n", k, np.linalg.solve(v, k.T).T) + np.einsum("np,pq,nq->n", away, phi, away)
    )
    np.testing.assert_allclose(res.predict(new, interval="confidence")["se"] ** 2, expected, rtol=1e-8)
    noise = np.where(new["kind"] == "b", np.diag(r)[(data["kind"] == "b").to_numpy()][0], 1.0)
    table = res.predict(new, interval="prediction")
    np.testing.assert_allclose(table["se"] ** 2, expected + res.scale * noise, rtol=1e-8)
    none = replace(rows, effects=tuple(replace(each.unknown(), z=0 * each.z) for each in rows.effects))
    df = degrees_of_freedom(fit, error_variance(fit, none))
    np.testing.assert_allclose(df, res.inference.df(rows.x), rtol=1e-5)
    assert res.predict(interval="prediction")["se"].notna().all()
    with pytest.raises(al.FormulaError, match="The residual variance differs by 'kind': an interval"):
        res.predict(new.drop(columns="kind"), interval="prediction")
    with pytest.raises(al.FormulaError, match="'kind' has a value that was not in the data of the fit: 'c'"):
        res.predict(new.assign(kind="c"), interval="prediction")
    with pytest.raises(al.FitError, match=r"the residuals are independent\. Use method='refit'"):
        res.influence("outer", method="one-step")


def test_intervals_do_not_depend_on_which_stratum_is_the_reference(frame):
    data = frame.assign(kind=np.where(frame["item"] > 1, "b", "a"))
    tables = []
    for order in ("ab", "ba"):
        ordered = data.assign(kind=pd.Categorical(data["kind"], categories=list(order)))
        res = al.MixedModel.from_formula(
            "y ~ week + (1 | outer)", ordered, residual=al.VarIdent("kind")
        ).fit()
        tables.append(res.predict(ordered.iloc[:12], interval="prediction"))
    assert tables[0]["df"].nunique() > 2
    pd.testing.assert_frame_equal(*tables, rtol=1e-5)


def test_rows_of_several_groups(frame):
    """Multiple membership: errors, whitened residuals and refits without a group, against n by n matrices."""
    rng = np.random.default_rng(0)
    outer, n = frame["outer"].to_numpy(), len(frame)
    other = np.where(rng.random(n) < 0.5, np.nan, rng.integers(0, 12, n))
    other[other == outer] = np.nan
    share = np.where(np.isnan(other), 1.0, rng.uniform(0.3, 0.9, n))
    data = frame.assign(group=outer, other=other, s=share, rest=np.where(np.isnan(other), np.nan, 1 - share))
    both = al.MultipleMembership(["group", "other"], ["s", "rest"])
    model = al.MixedModel.from_formula(
        "y ~ week + (1 + week | team) + (1 | item)", data, membership={"team": both}
    )
    res = model.fit()
    fit, x = res.fit, res.fit.design.x
    known = np.zeros((n, n))
    for term, psi in zip(fit.design.terms, fit.psi, strict=True):
        factor = fit.design.factors[term.factor]
        effects = Effects.of(term.z, factor)
        z = np.zeros((n, factor.size, len(psi)))
        for codes, part in zip(effects.codes.T, effects.shares.T, strict=True):
            at = np.flatnonzero(codes >= 0)
            z[at, codes[at]] += part[at, None] * term.z[at]
        known += np.einsum("ngq,qr,mgr->nm", z, psi, z)
    v = known + fit.scale * np.eye(n)
    r = x - known @ np.linalg.solve(v, x)
    phi = np.linalg.inv(x.T @ np.linalg.solve(v, x))
    expected = np.diag(known - known @ np.linalg.solve(v, known)) + np.einsum("np,pq,nq->n", r, phi, r)
    table = res.predict(data, interval="confidence")
    np.testing.assert_allclose(table["se"] ** 2, expected, rtol=1e-8)
    pd.testing.assert_series_equal(table["predicted"], res.fittedvalues, check_names=False)
    values, vectors = np.linalg.eigh(v)
    white = vectors @ ((vectors.T @ (fit.design.y - x @ fit.beta)) / np.sqrt(values))
    np.testing.assert_allclose(res.residuals("whitened"), white, atol=1e-8)
    found = res.influence("team", "refit")
    assert found.frame["cook"].notna().all()
    members = fit.design.factors[0].members
    assert found.frame["rows"].tolist() == [
        (members == level).any(axis=1).sum() for level in range(res.n_groups["team"])
    ]
    new = data.iloc[[0, 0]].assign(group=[0, 77], other=[88.0, 88.0], s=0.6, rest=0.4, item=np.nan, week=2.0)
    half, none = res.predict(new, interval="confidence")["se"] ** 2
    z, psi = np.array([1, 2.0]), fit.psi[0]
    item = fit.psi[1][0, 0]
    alone = res.predict(new.assign(week=2.0), groups=False, interval="confidence")["se"] ** 2
    np.testing.assert_allclose(none, alone.iloc[1] + (0.36 + 0.16) * z @ psi @ z + item, rtol=1e-8)
    assert half < none
