"""Multiple membership: lme4 with its Z replaced, shares that are read and refused, everything that is asked of a fit."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al

REFERENCE = Path(__file__).parents[1] / "reference"
SLOPES = "y ~ t + (1 + t | leader) + (1 | unit)"
MEMBERS = al.MultipleMembership(columns=["l1", "l2", "l3"], weights=["w1", "w2", "w3"])


@pytest.fixture(scope="module")
def figures():
    return json.loads((REFERENCE / "crossing.json").read_text())


@pytest.fixture(scope="module")
def frame():
    return pd.read_csv(REFERENCE / "small" / "membership.csv")


def model(formula, frame, how=MEMBERS):
    return al.MixedModel.from_formula(formula, frame, membership={"leader": how})


@pytest.fixture(scope="module")
def fitted(frame):
    return model(SLOPES, frame).fit()


@pytest.mark.parametrize(
    ("name", "formula", "reml"),
    [
        ("membership", SLOPES, True),
        ("membership_ml", SLOPES, False),
        ("membership_alone", "y ~ t + (1 | leader)", True),
    ],
)
def test_figures_equal_those_of_lme4_with_another_z(figures, frame, name, formula, reml):
    expected, res = figures[name], model(formula, frame).fit(reml=reml)
    # Polished optima of a derivative-free search: criterion to 1e-9, estimates to its square root.
    assert res.deviance == pytest.approx(expected["criterion"], abs=1e-7)
    np.testing.assert_allclose(res.params, expected["beta"], rtol=1e-5)
    np.testing.assert_allclose(res.bse, expected["se"], rtol=1e-4)
    order = {"unit": 0, "leader": 1, "Residual": 2}
    ours = res.varcorr.assign(rank=res.varcorr["group"].map(order)).sort_values("rank", kind="stable")
    np.testing.assert_allclose(ours["vcov"], expected["vcov"], rtol=1e-3, atol=1e-5)
    groups = sorted(res.random_effects, key=order.__getitem__)
    modes = np.concatenate([res.random_effects[group].to_numpy().ravel() for group in groups])
    np.testing.assert_allclose(modes, expected["modes"], atol=2e-3)


@pytest.mark.parametrize("name", ["first_leader", "penicillin"])
def test_crossed_figures_equal_those_of_lme4(figures, frame, name):
    if name == "penicillin":
        data, formula = (
            pd.read_csv(REFERENCE / "small" / "penicillin.csv"),
            "diameter ~ 1 + (1 | plate) + (1 | sample)",
        )
    else:
        data, formula = frame.rename(columns={"l1": "leader"}), SLOPES
    res = al.MixedModel.from_formula(formula, data, crossed=True).fit()
    assert res.deviance == pytest.approx(figures[name]["criterion"], abs=1e-7)
    np.testing.assert_allclose(np.sort(res.varcorr["vcov"]), np.sort(figures[name]["vcov"]), rtol=1e-3)
    np.testing.assert_allclose(res.bse, figures[name]["se"], rtol=1e-4)


def test_a_long_table_says_the_same(frame, fitted):
    parts = [
        pd.DataFrame({"row": frame.index, "who": frame[f"l{j}"], "share": frame[f"w{j}"]}).dropna()
        for j in (3, 1, 2)
    ]
    how = al.MultipleMembership.from_long(pd.concat(parts), key="row", level="who", weight="share")
    res = model(SLOPES, frame.assign(row=frame.index), how).fit()
    assert res.deviance == pytest.approx(fitted.deviance, abs=1e-9)
    assert list(res.random_effects["leader"].index) == list(range(1, 10))


def test_one_member_a_row_is_an_ordinary_grouping(frame):
    plain = al.MixedModel.from_formula(SLOPES, frame.assign(leader=frame["l1"]), crossed=True).fit()
    res = model(SLOPES, frame, al.MultipleMembership(["l1"])).fit()
    assert res.deviance == pytest.approx(plain.deviance, abs=1e-9)
    pd.testing.assert_series_equal(res.params, plain.params, rtol=1e-7)


def test_a_level_named_twice_counts_once_with_the_sum(frame, fitted):
    twice = frame.assign(l4=frame["l1"], w4=frame["w1"] / 4, w1=frame["w1"] * 3 / 4)
    how = al.MultipleMembership(["l1", "l2", "l3", "l4"], ["w1", "w2", "w3", "w4"])
    assert model(SLOPES, twice, how).fit().deviance == pytest.approx(fitted.deviance, abs=1e-9)


def test_weights_are_shares(frame, fitted):
    tripled = frame.assign(**{f"w{j}": 3 * frame[f"w{j}"] for j in (1, 2, 3)})
    how = al.MultipleMembership(MEMBERS.columns, MEMBERS.weights, normalise=True)
    assert model(SLOPES, tripled, how).fit().deviance == pytest.approx(fitted.deviance, abs=1e-9)
    equal = model(SLOPES, frame, al.MultipleMembership(["l1", "l2"]))
    weights = equal.design.factors[0].weights
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert set(np.unique(weights)) == {0.0, 0.5, 1.0}


def test_rows_without_members_are_left_out_and_levels_without_rows_too(frame):
    frame = frame.astype({"l1": float})
    frame.loc[:9, ["l1", "l2", "l3", "w1", "w2", "w3"]] = np.nan
    frame.loc[:9, "l1"], frame.loc[:9, "w1"], frame.loc[:9, "y"] = 77, 1, np.nan
    frame.loc[10, ["l1", "l2", "l3", "w1", "w2", "w3"]] = np.nan
    res = model(SLOPES, frame).fit()
    assert res.n_dropped == 11
    assert list(res.random_effects["leader"].index) == list(range(1, 10))


@pytest.mark.parametrize(
    ("change", "how", "message"),
    [
        ({"w1": -0.5}, MEMBERS, r"A weight of 'leader' is negative in row 3 \(-0.5\)"),
        ({"w1": 0.9}, MEMBERS, r"must sum to 1 in each row; in row 3 they sum to .* or pass normalise=True"),
        ({"w1": np.nan}, MEMBERS, r"level of 'leader' has no finite weight in row 3"),
        ({"w1": np.inf}, MEMBERS, r"level of 'leader' has no finite weight in row 3"),
        ({"l1": np.nan}, MEMBERS, r"Row 3 has a weight in 'w1' but no level in 'l1'"),
        ({"w1": 0, "w2": 0, "w3": 0}, MEMBERS, r"in row 3 they sum to 0. Correct them.$"),
        ({}, al.MultipleMembership(["l1", "l9"]), r"columns that are not in the data: 'l9'"),
        ({}, al.MultipleMembership(["l1"], ["word"]), r"weights 'word' of 'leader' are not numbers"),
        ({}, "l1", r"membership\['leader'\] must be a MultipleMembership, not str"),
    ],
)
def test_shares_that_cannot_be_are_refused(frame, change, how, message):
    frame = frame.astype({"l1": float}).assign(word="x")
    frame.loc[3, ["l2", "l3", "w2", "w3"]] = np.nan
    for column, value in change.items():
        frame.loc[3, column] = value
    with pytest.raises(al.FormulaError, match=message):
        model(SLOPES, frame, how)


def test_a_membership_is_stated_rightly(frame):
    with pytest.raises(al.FormulaError, match=r"has 2 columns and 1 weights; give one weight for each"):
        al.MultipleMembership(["a", "b"], ["w"])
    with pytest.raises(al.FormulaError, match=r"takes a list of columns, not 'abc' alone"):
        al.MultipleMembership("abc")
    with pytest.raises(al.FormulaError, match=r"table of members has no column 'who'"):
        al.MultipleMembership.from_long(frame, key="unit", level="who")
    with pytest.raises(al.FormulaError, match=r"data have no column 'row', which names the rows"):
        model(
            SLOPES,
            frame,
            al.MultipleMembership.from_long(pd.DataFrame({"row": [1], "who": [2]}), "row", "who"),
        )
    with pytest.raises(al.FormulaError, match=r"The data have a column 'leader'; give the membership a name"):
        model(SLOPES, frame.assign(leader=1))
    with pytest.raises(
        al.FormulaError, match=r"membership 'leader' is not a grouping of 'y ~ t \+ \(1 \| unit\)'"
    ):
        model("y ~ t + (1 | unit)", frame)
    with pytest.raises(al.FormulaError, match=r"'leader' cannot be joined to other groupings by '/' or ':'"):
        model("y ~ t + (1 | leader/unit)", frame)
    with pytest.raises(al.FormulaError, match=r"membership 'leader' has no value of its own"):
        model("y ~ leader + (1 | leader)", frame)
    with pytest.raises(al.FitError, match=r"must be a pandas DataFrame, not dict"):
        model(SLOPES, {"y": [1]})
    with pytest.raises(al.FitError, match=r"available for family='gaussian' only, not for family='poisson'"):
        al.MixedModel.from_formula(SLOPES, frame, family="poisson", membership={"leader": MEMBERS})


def test_predictions_for_known_new_and_partly_new_members(frame, fitted):
    np.testing.assert_allclose(fitted.predict(frame), fitted.fittedvalues, atol=1e-10)
    row = pd.DataFrame({"t": [2.0] * 4, "unit": [1, 1, 999, 1], "l1": [1.0, 1.0, 1.0, np.nan]})
    row["l2"], row["l3"] = [2.0, 555.0, 444.0, np.nan], np.nan
    row["w1"], row["w2"], row["w3"] = [0.75, 0.75, 0.75, np.nan], [0.25, 0.25, 0.25, np.nan], np.nan
    effects = fitted.random_effects["leader"] @ [1.0, 2.0]
    unit = fitted.random_effects["unit"].loc[1, "Intercept"]
    fixed = fitted.params @ [1.0, 2.0]
    expected = [
        0.75 * effects[1] + 0.25 * effects[2] + unit,
        0.75 * effects[1] + unit,
        0.75 * effects[1],
        unit,
    ]
    np.testing.assert_allclose(fitted.predict(row), fixed + np.array(expected), atol=1e-10)
    nobody = fitted.predict(row.iloc[[3]])  # not one row names a member
    np.testing.assert_allclose(nobody, fixed + unit, atol=1e-10)
    alone = fitted.predict(row[["t"]], groups=False)
    np.testing.assert_allclose(alone, fixed, atol=1e-10)


def test_simulated_variances_are_those_of_the_model(frame, fitted):
    drawn = fitted.simulate(4000, seed=1).to_numpy()
    z = np.column_stack([np.ones(len(frame)), frame["t"]])
    factor = fitted.fit.design.factors[0]
    share = (factor.weights**2).sum(axis=1)
    own = np.einsum("ni,ij,nj->n", z, fitted.fit.psi[0], z)
    expected = share * own + fitted.fit.psi[1][0, 0] + fitted.scale
    # 240 relative errors of variances from 4000 draws: 5 sqrt(2/4000).
    np.testing.assert_allclose(drawn.var(axis=1), expected, rtol=0.115)


def test_truth_is_recovered_and_small_samples_are_answered(frame, fitted):
    boot = fitted.bootstrap(60, seed=2)
    assert boot.n_failed == 0
    # The standard deviation of 60 draws has a relative standard error of 9 %; four of them.
    np.testing.assert_allclose(boot.params.std() / fitted.bse, 1, atol=0.37)
    kenward = model(SLOPES, frame).fit(df="kenward-roger")
    assert (kenward.bse >= fitted.bse * 0.999).all()
    # Nine leaders carry the slope: all methods see about eight degrees of freedom for it.
    assert 5 < kenward.df["t"] < 9
    assert 5 < fitted.df["t"] < 9
    true = pd.Series({"Intercept": 5.0, "t": -0.5})
    assert ((fitted.params - true).abs() < 3 * fitted.bse).all()


def test_robust_errors_are_refused_where_clusters_are_cut(frame):
    with pytest.raises(al.FitError, match=r"levels of 'leader' occur in several clusters of 'unit'"):
        model(SLOPES, frame).fit(cov_type="CR2", cov_groups="unit")
    halves = frame.assign(
        **{f"l{j}": frame[f"l{j}"] + 10 * (frame["unit"] % 8) for j in (1, 2, 3)}, site=frame["unit"] % 8
    )
    res = model("y ~ t + (1 | leader) + (1 | unit)", halves).fit(cov_type="CR2", cov_groups="site")
    assert np.isfinite(res.bse).all()


@pytest.mark.parametrize("kind", ["CR0", "CR2"])
def test_robust_errors_by_matrices_of_all_rows(kind):
    """Leaders of the first site come first and last, so that rows of neighbouring units differ in nothing but them."""
    rng = np.random.default_rng(0)
    site, t = np.repeat(np.arange(4), 30), rng.normal(size=120)
    unit, own = site * 3 + np.tile(np.arange(3), 40), np.arange(24).reshape(4, 6) + 2
    own[0] = [0, 40, 41, 42, 43, 44]
    pairs = np.array([rng.choice(own[s], 2, replace=False) for s in site])
    levels, codes = np.unique(pairs, return_inverse=True)
    z = np.zeros((120, len(levels)))
    z[np.arange(120)[:, None], codes.reshape(pairs.shape)] = 0.5
    y = 1 + 0.5 * t + z @ rng.normal(0, 2, len(levels)) + rng.normal(size=12)[unit] + rng.normal(size=120)
    data = pd.DataFrame({"y": y, "t": t, "site": site, "unit": unit, "l1": pairs[:, 0], "l2": pairs[:, 1]})
    res = model("y ~ t + (1 | unit) + (1 | leader)", data, al.MultipleMembership(["l1", "l2"])).fit(
        cov_type=kind, cov_groups="site"
    )
    variance = res.varcorr.set_index("group")["vcov"]
    v = variance["leader"] * z @ z.T + variance["unit"] * (unit[:, None] == unit) + res.scale * np.eye(120)
    x = np.column_stack([np.ones(120), t])
    bread = np.linalg.inv(x.T @ np.linalg.solve(v, x))
    meat = np.zeros((2, 2))
    for g in range(4):
        at = np.flatnonzero(site == g)
        e, vg = (y - x @ res.params)[at], v[np.ix_(at, at)]
        if kind == "CR2":  # Pustejovsky and Tipton (2018), eq. 7
            d = np.linalg.cholesky(vg).T
            b = d @ (vg - x[at] @ bread @ x[at].T) @ d.T
            values, vectors = np.linalg.eigh(b)
            e = d.T @ (vectors / np.sqrt(values)) @ vectors.T @ d @ e
        u = x[at].T @ np.linalg.solve(vg, e)
        meat += np.outer(u, u)
    np.testing.assert_allclose(res.cov_params(), bread @ meat @ bread, rtol=1e-7)
