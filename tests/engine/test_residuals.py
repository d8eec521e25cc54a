"""Residual structures as a user meets them: invariance, refusals, results, simulation, recovery."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from engine.designs import three_levels
from engine.residual_recovery import recovery
from engine.series import series
from inside.engine_design import Factor
from inside.engine_inference import kenward_roger_structured
from inside.engine_statistics import read_pattern, refuse_crossed

PART = "y ~ order + arm + (1 | outer/inner)"


@pytest.fixture(scope="module")
def frame():
    return series(2, outer=8)


def fit(formula, frame, structure, **options):
    return al.MixedModel.from_formula(formula, frame, residual=structure).fit(**options)


# ---------------------------------------------------------------- invariance


@pytest.mark.parametrize(("factor", "shift"), [(7.0, 0.0), (1 / 365.25, 3.0), (1440.0, -1e5), (1.0, 2000.0)])
def test_the_unit_and_origin_of_time_do_not_matter(frame, factor, shift):
    here = fit(PART, frame, al.CAR1("order"))
    moved = fit(PART, frame.assign(order=frame.order * factor + shift), al.CAR1("order"))
    # Differences of times near 1e5 lose five digits.
    assert moved.deviance == pytest.approx(here.deviance + 2 * np.log(factor), abs=1e-6)
    columns = ["estimate", "lower", "upper"]
    back = moved.residual_parameters[columns] ** factor
    np.testing.assert_allclose(back, here.residual_parameters[columns], rtol=1e-5)
    # The intercept is that of another moment, but no unit matters to the others.
    np.testing.assert_allclose(moved.df[["order", "arm"]], here.df[["order", "arm"]], rtol=1e-5)


def test_the_unit_of_the_response_and_the_order_and_labels_of_rows_do_not_matter(frame):
    structure = al.AR1("order", strata="how")
    here = fit(PART, frame, structure)
    other = frame.sample(frac=1, random_state=5).assign(
        y=lambda d: 100 + 10 * d.y, inner=lambda d: "z" + d.inner
    )
    moved = fit(PART, other, structure)
    np.testing.assert_allclose(
        moved.residual_parameters["estimate"], here.residual_parameters["estimate"], rtol=1e-7
    )
    np.testing.assert_allclose(moved.bse, 10 * here.bse, rtol=1e-7)
    np.testing.assert_allclose(
        moved.fittedvalues.sort_index(), 100 + 10 * here.fittedvalues.sort_index(), rtol=1e-8
    )


def test_ar1_and_car1_over_positions_agree_and_ar1_may_be_negative(frame):
    ar1, car1 = fit(PART, frame, al.AR1("order")), fit(PART, frame, al.CAR1("order"))
    assert ar1.deviance == pytest.approx(car1.deviance, abs=1e-8)
    columns = ["estimate", "se"]
    np.testing.assert_allclose(ar1.residual_parameters[columns], car1.residual_parameters[columns], rtol=1e-6)
    negative = series(5, outer=8, phi=-0.5, slopes=([1, 0], [1, 0]))
    below, edge = fit(PART, negative, al.AR1("order")), fit(PART, negative, al.CAR1("order"))
    assert below.residual_parameters["upper"][0] < 0
    assert edge.residual_parameters["estimate"][0] == 0
    assert edge.deviance == pytest.approx(fit(PART, negative, None).deviance, abs=1e-8)
    assert "verified: the correlation of neighbouring residuals is zero" in edge.convergence
    assert [f.code for f in edge.findings] == ["no_correlation"]
    assert np.isnan(edge.residual_parameters["se"][0])
    assert "with CAR1('order') it cannot be negative" in edge.summary()


@pytest.mark.parametrize(("scale", "end"), [(1e-4, 0), (0.01, 0), (1.0, None), (7.0, None), (1e4, 1)])
def test_a_unit_of_time_that_hides_the_correlation_is_said(scale, end):
    data = series(5, outer=8, phi=0.5, slopes=([1, 0], [1, 0]))
    base = fit(PART, data, al.CAR1("order"))
    other = fit(PART, data.assign(day=data.order * scale), al.CAR1("day"))
    assert other.deviance == pytest.approx(base.deviance, abs=1e-7)
    said = [f.message for f in other.findings if f.code == "unit_of_time"]
    if end is None:
        assert not said
        return
    phi = base.residual_parameters["estimate"][0]
    assert f"phi is nearly {end} because of the unit of time" in said[0]
    assert f"usually lie {2 * scale:g} units apart" in said[0]  # every other row is missing in the median
    assert f"At that distance the estimated correlation is {phi**2:.3g}" in said[0]


def test_a_categorical_names_the_reference_stratum(frame):
    ordered = frame.assign(how=pd.Categorical(frame.how, categories=["c", "b", "a", "never"]))
    there = fit(PART, frame, al.VarIdent("how")).residual_parameters.set_index("name")["estimate"]
    here = fit(PART, ordered, al.VarIdent("how")).residual_parameters.set_index("name")["estimate"]
    assert list(here.index) == ["sd(b)/sd(c)", "sd(a)/sd(c)"]
    assert here["sd(a)/sd(c)"] == pytest.approx(1 / there["sd(c)/sd(a)"], rel=1e-6)


# ---------------------------------------------------------------- results


def test_results_show_and_count_the_structure(frame):
    plain, res = fit(PART, frame, None), fit(PART, frame, al.AR1("order", strata="how"))
    assert list(res.residual_parameters["name"]) == ["phi", "sd(b)/sd(a)", "sd(c)/sd(a)"]
    assert list(plain.residual_parameters.columns) == list(res.residual_parameters.columns)
    assert len(plain.residual_parameters) == 0
    assert res.aic - res.deviance == plain.aic - plain.deviance + 6
    assert (
        "Residuals: AR1 over order, a variance in every how (that of a is the residual's above)"
        in res.summary()
    )
    assert "sd(b)/sd(a)" in res._repr_html_()
    assert [p["name"] for p in res.to_dict()["residual_parameters"]] == ["phi", "sd(b)/sd(a)", "sd(c)/sd(a)"]
    assert res.varcorr["vcov"].iloc[-1] == res.scale


def test_fitted_values_and_modes_are_those_of_the_whole_covariance(frame):
    """``Psi Z'V^-1 (y - X beta)`` with V written out, the residual's part in it."""
    from engine.series import dense_residual, natural
    from inside.engine_linalg import dense

    res = fit("y ~ order + arm + (1 + order | inner) + (1 | outer)", frame, al.AR1("order", strata="how"))
    design = res.fit.design
    phi, ratios = natural(res.fit.residual.model, res.fit.residual.tau)
    v = res.scale * dense_residual(frame, "inner", al.AR1("order", strata="how"), phi, ratios)
    triples = [
        (t.z, design.factors[t.factor].codes, m) for t, m in zip(design.terms, res.fit.psi, strict=True)
    ]
    for z, codes, psi in triples:
        v += (codes[:, None] == codes) * (z @ psi @ z.T)
    expected = design.x @ res.params.to_numpy()
    for term, triple in zip(design.terms, triples, strict=True):
        size = design.factors[term.factor].size
        modes = dense.conditional_modes(design.y, design.x, v, triple, size)
        np.testing.assert_allclose(res.random_effects[term.group], modes, atol=1e-7)
        expected += np.einsum("nq,nq->n", term.z, modes[triple[1]])
    np.testing.assert_allclose(res.fittedvalues, expected, atol=1e-7)
    np.testing.assert_allclose(res.resid, design.y - expected, atol=1e-7)


def test_simulated_responses_have_the_fitted_covariance(frame):
    some = frame[frame.inner.isin(sorted(frame.inner.unique())[:12])]
    res = fit("y ~ order + (1 | inner)", some, al.AR1("order", strata="how"))
    draws = res.simulate(4000, seed=1)
    assert draws.index.equals(some.index)
    from engine.series import dense_residual, natural

    phi, ratios = natural(res.fit.residual.model, res.fit.residual.tau)
    v = res.scale * dense_residual(some, "inner", al.AR1("order", strata="how"), phi, ratios)
    codes = res.fit.design.factors[0].codes
    v += (codes[:, None] == codes) * res.fit.psi[0][0, 0]
    found = np.cov(draws.to_numpy())
    error = np.sqrt((np.outer(np.diag(v), np.diag(v)) + v**2) / 4000)  # of a covariance of normal variables
    assert np.abs((found - v) / error).max() < 5
    assert np.sqrt((((found - v) / error) ** 2).mean()) == pytest.approx(1, abs=0.15)


def test_a_bootstrap_estimates_the_structure_anew(frame):
    res = fit(PART, frame, al.AR1("order", strata="how"))
    boot = res.bootstrap(16, seed=3)
    assert boot.n_failed == 0
    table = res.residual_parameters
    assert list(boot.residual.columns) == list(table["name"])
    # 16 replicates know a mean to 0.25 and a standard deviation to 18 % of itself; Wald's is first-order.
    spread = boot.residual.std().to_numpy()
    assert np.all(np.abs(boot.residual.mean() - table["estimate"].to_numpy()) < 0.7 * spread)
    np.testing.assert_allclose(spread, table["se"], rtol=0.5)
    limits = res.conf_int(method="bootstrap", n_boot=5, seed=1)
    assert limits.loc["phi", "lower"] < limits.loc["phi", "upper"]
    again = res.bootstrap(2, seed=4)
    pd.testing.assert_frame_equal(again.residual, res.bootstrap(2, seed=4).residual)


def test_a_refit_equals_a_fit_to_the_same_response(frame):
    from inside.engine_resampling import start_of, structured

    frame = frame[frame.outer < "o4"]
    for structure in (al.AR1("order"), al.CAR1("time")):
        res = fit(PART, frame, structure)
        rng = np.random.default_rng(2)
        y = structured.structured_draws(res.fit, internal=True).draw(rng)
        optimum, natural = structured._refit(res.fit, y, start_of(res.fit))
        again = fit(PART, frame.assign(y=res.fit.basis.y_scale * y), structure)
        assert natural[0] == pytest.approx(again.residual_parameters["estimate"][0], abs=1e-6)
        scale = optimum.criterion.rss / optimum.criterion.nu * res.fit.basis.y_scale**2
        assert scale == pytest.approx(again.scale, rel=1e-6)


# ---------------------------------------------------------------- comparisons


def test_likelihood_ratio_tests_know_which_structures_are_nested(frame):
    fits = {
        name: fit(PART, frame, structure)
        for name, structure in {
            "none": None,
            "ar1": al.AR1("order"),
            "car1": al.CAR1("order"),
            "strata": al.VarIdent("how"),
            "both": al.AR1("order", strata="how"),
        }.items()
    }
    test = fits["none"].lrt(fits["ar1"])
    assert (test.df, test.distribution) == (1, "chi2(1)")
    assert test.statistic == pytest.approx(fits["none"].deviance - fits["ar1"].deviance)
    assert fits["both"].lrt(fits["strata"]).df == 1
    assert fits["both"].lrt(fits["none"]).df == 3
    boundary = fits["none"].lrt(fits["car1"])
    assert boundary.distribution == "equal mixture of 0 and chi2(1)"
    assert boundary.p == pytest.approx(boundary.p_chi2 / 2)
    slopes = fit("y ~ order + arm + (1 + order | inner:outer) + (1 | outer)", frame, al.AR1("order"))
    assert fits["ar1"].lrt(slopes).distribution == "equal mixture of chi2(1) and chi2(2)"
    assert fits["none"].lrt(slopes).distribution == "chi2(3)"
    for small, large in [("ar1", "strata"), ("car1", "both")]:
        with pytest.raises(
            al.FitError, match="the residual structure of the smaller one is not a special case"
        ):
            fits[small].lrt(fits[large])
    coarser = fit("y ~ order + arm + (1 | inner:outer)", frame, al.AR1("order"))
    assert coarser.lrt(fits["ar1"]).df == 1


# ---------------------------------------------------------------- refusals

REFUSALS = {
    "AR1": (None, "AR1", r"residual='AR1' is not available; there is None .*al\.AR1\('order'\)"),
    "list": (None, [al.AR1("order"), al.VarIdent("how")], r"one structure, not a list\. .*strata='column'"),
    "unknown": (
        None,
        al.CAR1("tme"),
        r"Column 'tme' of residual=CAR1\('tme'\) is not in the data\. Did you mean 'time'",
    ),
    "nothing near": (
        None,
        al.VarIdent("xyzzy"),
        r"Column 'xyzzy' of residual=VarIdent\('xyzzy'\) .*There are: outer",
    ),
    "fraction": (
        lambda d: d.assign(order=d.order + 0.5 * (d.index == 4)),
        al.AR1("order"),
        r"positions in 'order' .*must be whole numbers; row 4 has .*\.5\. For times use al\.CAR1\('order'\)",
    ),
    "twice": (
        lambda d: pd.concat([d, d.iloc[[3]]], ignore_index=True),
        al.AR1("order"),
        r"The value \d+ of 'order' occurs twice in one group of 'inner:outer' \(rows 3 and \d+\); 1 rows repeat",
    ),
    "same time": (
        lambda d: pd.concat([d, d.iloc[[3]]], ignore_index=True),
        al.CAR1("time"),
        r"of 'time' occurs twice in one group .*needs each time once in an innermost group\. Number the rows anew",
    ),
    "dates": (
        lambda d: d.assign(time=pd.Timestamp("2020-01-01") + pd.to_timedelta(d.time, unit="D")),
        al.CAR1("time"),
        r"column 'time' of residual=CAR1\('time'\) must hold numbers; .*Turn dates into days",
    ),
    "infinite": (
        lambda d: d.assign(time=d.time.where(d.index != 6, np.inf)),
        al.CAR1("time"),
        r"'time' of residual=CAR1\('time'\) has 1 values that are not finite; the first is in row 6",
    ),
    "one stratum": (
        lambda d: d.assign(how="a"),
        al.VarIdent("how"),
        r"All rows lie in one stratum of 'how' \('a'\); there is no second variance",
    ),
    "small stratum": (
        lambda d: d.assign(how=d.how.where(d.index > 1, "rare")),
        al.VarIdent("how"),
        r"The stratum 'rare' of 'how' has 2 rows, too few for a variance of its own \(3 at least\)",
    ),
    "many strata": (
        lambda d: d.assign(how=np.arange(len(d)) % 40),
        al.AR1("order", strata="how"),
        r"The column 'how' has 40 strata; residual=AR1\('order', strata='how'\) takes at most 30",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_bad_input_gets_a_sentence(frame, case):
    change, structure, text = REFUSALS[case]
    part = "(1 | inner)" if case == "single rows" else "(1 | outer/inner)"
    with pytest.raises((al.FitError, al.FormulaError), match=text):
        fit(f"y ~ order + {part}", change(frame) if change else frame, structure)


def test_names_of_columns_are_checked_at_once():
    with pytest.raises(
        al.FitError, match=r"AR1 takes the name of a column as order, not 3\. Write .*al\.AR1\('order'\)"
    ):
        al.AR1(3)
    with pytest.raises(al.FitError, match="VarIdent takes the name of a column as strata, not None"):
        al.VarIdent(None)
    with pytest.raises(al.FitError, match="CAR1 takes the name of a column as strata, not 2"):
        al.CAR1("time", strata=2)


def test_a_correlation_goes_with_nested_groups_and_without_weights(frame):
    crossed = frame.assign(item=np.arange(len(frame)) % 5, w=1.0 + frame.arm)
    for structure in (al.AR1("order"), al.VarIdent("how")):
        with pytest.raises(
            al.FitError, match="'inner' and 'item' are crossed, so that there is no innermost group"
        ):
            fit("y ~ order + (1 | inner) + (1 | item)", crossed, structure)
    with pytest.raises(al.FitError, match=r"residual=AR1\('order'\) does not go with prior weights"):
        al.MixedModel.from_formula(PART, crossed, weights="w", residual=al.AR1("order")).fit()
    assert al.MixedModel.from_formula(PART, crossed, weights="w", residual=al.VarIdent("how")).fit().converged


def test_a_correlation_needs_a_group_with_two_rows(frame):
    made = al.MixedModel.from_formula("y ~ order + (1 | inner)", frame, residual=al.AR1("order"))
    factor = made.design.factors[0]
    alone = Factor("inner", ("inner",), np.arange(len(frame)), pd.RangeIndex(len(frame)))
    single = replace(made.design, factors=(alone,))
    level = SimpleNamespace(terms=(0,), labels=np.arange(len(frame)))
    assert factor.size < len(frame)
    with pytest.raises(
        al.FitError, match=r"Every group of 'inner' has one row only, .* no two residuals to correlate"
    ):
        read_pattern(al.AR1("order"), single, (level,))


def test_rows_without_a_position_are_left_out_and_counted(frame):
    holes = frame.assign(place=frame.order.where(frame.index % 9 != 0))
    res = fit("y ~ arm + (1 | inner)", holes, al.AR1("place"))
    assert res.n_dropped == int(holes.place.isna().sum())
    assert "rows_dropped" in [f.code for f in res.findings]
    assert holes.place.isna().sum() == res.n_dropped


def test_few_rows_in_a_stratum_are_said(frame):
    rare = frame.assign(how=frame.how.where(frame.index > 5, "rare"))
    res = fit("y ~ order + (1 | inner)", rare, al.VarIdent("how"))
    message = next(f.message for f in res.findings if f.code == "few_rows_in_stratum")
    assert message.startswith("These strata of how have fewer than 10 rows: rare (6)")


def test_two_rows_a_group_cannot_tell_the_correlation_from_an_intercept():
    rng = np.random.default_rng(1)
    both = pd.DataFrame({"g": np.repeat(np.arange(40), 2), "t": np.tile([0, 1], 40)})
    both["y"] = np.repeat(rng.normal(size=40), 2) + rng.normal(size=80)
    res = fit("y ~ t + (1 | g)", both, al.AR1("t"), require_certificate=False)
    assert "not_identified" in [f.code for f in res.findings]


# ---------------------------------------------------------------- recovery


def test_truth_is_recovered():
    """Sixteen data sets of 50 groups; `engine.residual_recovery` runs more of them."""
    table = recovery(range(16), groups=50)
    assert (table["failed"] == 0).all()
    # Bias within three of its own standard errors, for a mean over 16.
    assert (np.abs(table["bias"]) < 3 * table["spread"] / np.sqrt(16)).all()
    assert (table["coverage"] >= 12 / 16).all()


def test_shares_take_the_mean_residual_variance_of_the_rows(frame):
    res = fit("y ~ order + (1 | inner)", frame, al.VarIdent("how"))
    ratio = res.residual_parameters.set_index("name")["estimate"]
    squares = frame.how.map({"a": 1.0, "b": ratio["sd(b)/sd(a)"] ** 2, "c": ratio["sd(c)/sd(a)"] ** 2})
    table = res.icc().set_index("group")
    assert table.loc["Residual", "variance"] == pytest.approx(res.scale * squares.mean())
    own = res.varcorr["vcov"].iloc[0]
    assert table.loc["inner", "icc"] == pytest.approx(own / (own + res.scale * squares.mean()))
    fixed = np.var(res.fit.design.x @ res.params.to_numpy(), ddof=1)
    total = fixed + own + res.scale * squares.mean()
    assert res.r2()["conditional"] == pytest.approx((fixed + own) / total)
    assert "lower" in fit("y ~ order + (1 | inner)", frame, al.AR1("order")).icc(n_boot=3, seed=1)


def test_what_is_not_worked_out_names_what_to_do_instead(frame, monkeypatch):
    res = fit(PART, frame, al.AR1("order"))
    with pytest.raises(
        al.FitError, match=r"BCa intervals are not available for a fit with residual=AR1\('order'\)\. Use"
    ):
        res.conf_int(method="bootstrap", interval="bca", n_boot=2, seed=1)
    with pytest.raises(al.FitError, match=r"A case bootstrap is not available .* Use the parametric one"):
        res.bootstrap(2, kind="case")
    monkeypatch.setattr(kenward_roger_structured, "LARGEST", 5)
    with pytest.raises(
        al.FitError, match=r"Group 'o\d' of 'outer' has \d+ rows; .*Choose df='satterthwaite'"
    ):
        fit(PART, frame, al.AR1("order"), df="kenward-roger")


def test_multiple_membership_has_no_innermost_group(frame):
    made = al.MixedModel.from_formula("y ~ order + (1 | inner)", frame)
    several = replace(made.design.factors[0], codes=np.tile(made.design.factors[0].codes[:, None], (1, 2)))
    with pytest.raises(
        al.FitError, match=r"does not go with the multiple membership of 'inner': a row has no innermost"
    ):
        refuse_crossed(al.AR1("order"), replace(made.design, factors=(several,)))


def test_a_correlation_of_rows_that_are_far_apart_is_not_estimated():
    """With positions in days and rows every hundred of them, phi could be anything; the search's start is no estimate."""
    frame = three_levels(3, outer=8, inner=4, rows=6).assign(day=lambda d: d["week"] * 100)
    res = al.MixedModel.from_formula("y ~ week + (1 | unique)", frame, residual=al.AR1("day")).fit()
    found = res.residual_parameters
    assert found["name"].tolist() == ["phi"]
    assert found[["estimate", "se", "lower", "upper"]].isna().all(axis=None)
    message = next(f.message for f in res.findings if f.code == "not_identified")
    assert "no two rows of a group are closer than 100 positions" in message
