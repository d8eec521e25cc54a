"""CR0 and CR2 against clubSandwich, against the definition on dense matrices, and what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import linalg

import alliance_longitudinal as al
from engine import small_reference
from engine.designs import three_levels
from inside.engine_inference import cluster_robust
from inside.engine_linalg import dense

CASES = [
    (model, column, kind)
    for model in small_reference.MODELS
    for column in model["robust"] or {}
    for kind in ("CR0", "CR2")
]


@pytest.mark.parametrize(
    ("model", "column", "kind"), CASES, ids=[f"{small_reference.name(m)}, {c}, {k}" for m, c, k in CASES]
)
def test_as_clubsandwich(model, column, kind):
    """At lme4's polished optimum, good to about 1e-5 of a standard error in the variances."""
    reference = model["robust"][column][kind]
    res = small_reference.fit(model, cov_type=kind, cov_groups=column)
    terms = small_reference.in_order(res, model)
    np.testing.assert_allclose(res.bse[terms], reference["se"], rtol=1e-6)
    np.testing.assert_allclose(res.df[terms], reference["df"], rtol=1e-6)
    joint, expected = small_reference.joint(res, model), reference["joint"]
    assert joint.df_num == expected["df_num"]
    np.testing.assert_allclose(
        [joint.statistic, joint.df_den, joint.p],
        [expected["f"], expected["df_den"], expected["p"]],
        rtol=2e-6,
    )


def test_three_level_growth(three_level_growth):
    formula = "phq9 ~ week * alliance + trt + (1 + week | therapist/client)"
    res = al.MixedModel.from_formula(formula, three_level_growth).fit(cov_type="CR2", cov_groups="therapist")
    np.testing.assert_allclose(res.bse, [1.1012236, 0.1659116, 0.5002323, 1.5108560, 0.1009631], atol=6e-8)
    np.testing.assert_allclose(res.df, [6.2348, 12.7791, 8.5737, 11.9763, 7.9356], atol=6e-5)


def test_unbalanced_sleepstudy(shared_data):
    model = al.MixedModel.from_formula(
        "Reaction ~ Days + (Days | Subject)", pd.read_csv(shared_data / "sleepstudy_unbalanced.csv")
    )
    res = model.fit(cov_type="CR2", cov_groups="Subject")
    np.testing.assert_allclose(res.bse, [6.765148, 1.841399], atol=2e-6)
    np.testing.assert_allclose(res.df, [16.1098, 16.8457], atol=6e-5)


def by_definition(res, clusters, rows, kind):
    """Covariance, degrees of freedom and HTZ test from n by n matrices and the array over pairs of clusters."""
    design, fit = res.fit.design, res.fit
    terms = [(t.z, design.factors[t.factor].codes, psi) for t, psi in zip(design.terms, fit.psi, strict=True)]
    v = dense.marginal_covariance(terms, fit.scale, None, len(design.y))
    x, e = design.x, design.y - design.x @ fit.beta
    m = np.linalg.inv(x.T @ np.linalg.solve(v, x))
    weights = np.zeros((len(clusters), len(np.unique(clusters)), len(m)))
    for g, name in enumerate(np.unique(clusters)):
        at = clusters == name
        vg, xg = v[np.ix_(at, at)], x[at]
        a = np.eye(at.sum())
        if kind == "CR2":
            root = np.linalg.cholesky(vg).T
            inner = root @ (vg - xg @ m @ xg.T) @ root.T
            a = root.T @ np.linalg.inv(np.real(linalg.sqrtm(inner))) @ root
        weights[at, g] = a @ np.linalg.solve(vg, xg) @ m
    scores = np.einsum("ngp,n->gp", weights, e)
    cov = scores.T @ scores
    left = np.eye(len(e)) - x @ m @ x.T @ np.linalg.inv(v)  # residuals are left @ errors
    pairs = np.einsum("ngp,nm,mhq->pqgh", weights, left @ v @ left.T, weights, optimize=True)
    single = np.einsum("rp,pqgh,rq->rgh", rows, pairs, rows)
    df = np.trace(single, axis1=1, axis2=2) ** 2 / (single**2).sum(axis=(1, 2))
    pairs = np.einsum("sp,pqgh,tq->stgh", rows, pairs, rows)
    mean = np.real(linalg.sqrtm(np.linalg.inv(np.einsum("stgg->st", pairs))))
    pairs = np.einsum("su,uvgh,vt->stgh", mean, pairs, mean)
    total = np.einsum("stgh,tsgh->", pairs, pairs) + np.einsum("ssgh,ttgh->", pairs, pairs)
    q = len(rows)
    nu = q * (q + 1) / total
    b = rows @ fit.beta
    wald = b @ np.linalg.solve(rows @ cov @ rows.T, b)
    return cov, df, ((nu - q + 1) / (nu * q) * wald, nu - q + 1)


@pytest.mark.parametrize("kind", ["CR0", "CR2"])
@pytest.mark.parametrize(
    ("formula", "reml"),
    [
        ("y ~ week * rating + arm + (1 + week | outer/inner)", True),
        ("y ~ week + arm + (1 | outer) + (1 + week || unique)", False),
        ("y ~ week + arm + (1 + week | unique) + (1 | place)", True),  # crossed within the clusters
    ],
)
def test_as_defined(formula, reml, kind):
    frame = three_levels(6, outer=7, inner=4, rows=6)
    frame["place"] = frame["outer"].astype(str) + "p" + frame["item"].astype(str)
    res = al.MixedModel.from_formula(formula, frame).fit(reml=reml, cov_type=kind, cov_groups="outer")
    rows = np.eye(len(res.params))[1:3]
    cov, df, joint = by_definition(res, frame["outer"].to_numpy(), rows, kind)
    np.testing.assert_allclose(res.cov_params(), cov, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(res.df.iloc[1:3], df, rtol=1e-8)
    ours = res.f_test(rows)
    np.testing.assert_allclose([ours.statistic, ours.df_den], joint, rtol=1e-8)


def test_every_table_uses_it(growth, frame):
    model = al.MixedModel.from_formula(growth.formula, frame)
    res = model.fit(cov_type="CR2", cov_groups="outer")
    pd.testing.assert_series_equal(res.params, growth.params)
    np.testing.assert_allclose(np.diag(res.cov_params()), res.bse**2)
    table = res.contrast(np.eye(5), list(res.params.index))
    np.testing.assert_allclose(table[["se", "df", "p"]], np.stack([res.bse, res.df, res.pvalues], axis=1))
    np.testing.assert_allclose(table[["lower", "upper"]], res.conf_int())
    one = res.f_test({"week": 1})
    assert one.p == pytest.approx(res.pvalues["week"])
    assert one.df_den == pytest.approx(res.df["week"])
    assert "Cluster-robust (CR2) standard errors, 12 clusters of outer" in res.summary()
    assert res.to_dict()["cov_groups"] == "outer"
    normal = model.fit(cov_type="CR2", cov_groups="outer", df="normal")
    np.testing.assert_allclose(normal.bse, res.bse)
    assert np.isinf(normal.df).all()
    assert "tests from the normal distribution" in normal.summary()


def test_other_errors_of_the_same_fit(growth, frame):
    """Without a new search, and back again."""
    model = al.MixedModel.from_formula(growth.formula, frame)
    fitted = model.fit()
    robust, direct = fitted.with_errors("CR2", "outer"), model.fit(cov_type="CR2", cov_groups="outer")
    assert robust.fit is fitted.fit
    pd.testing.assert_series_equal(robust.bse, direct.bse)
    pd.testing.assert_series_equal(robust.df, direct.df)
    assert robust.to_dict()["cov_groups"] == "outer"
    pd.testing.assert_series_equal(robust.with_errors("model").bse, fitted.bse)
    with pytest.raises(al.FitError, match="need the rows of the data, which this fit did not keep"):
        replace(fitted, data=None).with_errors("CR2", "outer")
    with pytest.raises(al.FitError, match="needs the column of the clusters"):
        fitted.with_errors("CR2")


def test_units_and_order_do_not_matter(frame):
    formula = "y ~ week * rating + arm + (1 + week | outer/inner)"
    options = {"cov_type": "CR2", "cov_groups": "outer"}
    res = al.MixedModel.from_formula(formula, frame).fit(**options)
    other = frame.assign(week=7 * frame["week"] + 2000, y=frame["y"] / 10).sample(frac=1, random_state=1)
    moved = al.MixedModel.from_formula(formula, other).fit(**options)
    for term in ("week:rating", "arm"):
        assert moved.df[term] == pytest.approx(res.df[term], rel=1e-6)
        assert moved.tvalues[term] == pytest.approx(res.tvalues[term], rel=1e-6)


def test_a_wrong_model_is_mended():
    """Slopes that vary over groups but are left out: the model's errors are far too small, the robust ones right.

    The spread of 50 estimates has a relative standard error of 10 %; four of them.
    """
    slopes, model_se, robust_se = [], [], []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        g, x = np.repeat(np.arange(20), 8), np.tile(np.arange(8.0), 20)
        y = 0.5 * x + rng.normal(size=20)[g] + rng.normal(size=20)[g] * x + rng.normal(size=160)
        model = al.MixedModel.from_formula("y ~ x + (1 | g)", pd.DataFrame({"g": g, "x": x, "y": y}))
        res = model.fit(cov_type="CR2", cov_groups="g")
        slopes.append(res.params["x"])
        robust_se.append(res.bse["x"])
        model_se.append(np.sqrt(res.fit.cov[1, 1]))
    truth = np.std(slopes)
    assert np.sqrt(np.mean(np.square(robust_se))) == pytest.approx(truth, rel=0.4)
    assert np.mean(model_se) < 0.6 * truth


def test_few_clusters_are_a_finding(frame):
    frame = frame.assign(site=frame["outer"] // 3)
    model = al.MixedModel.from_formula("y ~ week + (1 | outer)", frame)
    res = model.fit(cov_type="CR2", cov_groups="site")
    found = next(f for f in res.findings if f.code == "few_clusters")
    assert found.message.startswith("Robust standard errors from 4 clusters of site are uncertain")
    assert found.where == "site"
    assert found.message in res.summary()
    normal = model.fit(cov_type="CR0", cov_groups="site", df="normal")
    assert "few_clusters" in {f.code for f in normal.findings}
    assert "few_clusters" not in {f.code for f in model.fit(cov_type="CR2", cov_groups="outer").findings}


@pytest.mark.parametrize(
    ("formula", "options", "error", "message"),
    [
        (
            "y ~ week + (1 | outer)",
            {"cov_groups": "outer"},
            al.FitError,
            "belongs to cluster-robust.*Add cov_type='CR2'",
        ),
        (
            "y ~ week + (1 | outer)",
            {"cov_type": "CR2"},
            al.FitError,
            "cov_type='CR2' needs the column of the clusters",
        ),
        (
            "y ~ week + (1 | outer)",
            {"cov_type": "CR2", "cov_groups": "outer", "df": "kenward-roger"},
            al.FitError,
            "has its own standard errors and does not go with cluster-robust ones",
        ),
        (
            "y ~ week + (1 | outer)",
            {"cov_type": "CR2", "cov_groups": "site"},
            al.FormulaError,
            "cov_groups='site' is not a column of the data. There are: outer, unique",
        ),
        (
            "y ~ week + (1 | outer/inner)",
            {"cov_type": "CR2", "cov_groups": "unique"},
            al.FitError,
            "levels of 'outer' occur in several clusters of 'unique'. Choose a grouping at or above the top level",
        ),
        (
            "y ~ week + (1 | outer) + (1 | item)",
            {"cov_type": "CR2", "cov_groups": "outer"},
            al.FitError,
            "levels of 'item' occur in several clusters of 'outer'.* for crossed groupings and several memberships there is mostly none",
        ),
        (
            "y ~ week + (1 | outer)",
            {"cov_type": "CR2", "cov_groups": "one"},
            al.FitError,
            "All rows lie in one cluster of 'one'",
        ),
        (
            "y ~ week + (1 | outer)",
            {"cov_type": "CR2", "cov_groups": "holes"},
            al.FitError,
            "2 rows of the fit have no value in cov_groups='holes', the first is row 3",
        ),
        (
            "y ~ only_here + (1 | outer)",
            {"cov_type": "CR2", "cov_groups": "outer"},
            al.FitError,
            "only_here can be estimated within a single cluster of 'outer' only",
        ),
    ],
)
def test_what_cannot_be_is_refused(frame, formula, options, error, message):
    holes = frame["outer"].astype(float)
    holes.iloc[[3, 5]] = np.nan
    inside = frame["outer"] == frame["outer"].mode()[0]
    within = (frame["week"] - frame.loc[inside, "week"].mean()).where(inside, 0.0)
    frame = frame.assign(one="a", holes=holes, only_here=within)
    with pytest.raises(error, match=message):
        al.MixedModel.from_formula(formula, frame, crossed=True).fit(**options)


def test_weights_do_not_go_with_it(frame):
    model = al.MixedModel.from_formula("y ~ week + (1 | outer)", frame, weights="w")
    with pytest.raises(al.FitError, match="not available for a fit with weights"):
        model.fit(cov_type="CR2", cov_groups="outer")


def test_too_few_clusters_for_a_joint_test(frame):
    frame = frame.assign(site=frame["outer"] % 3)
    res = al.MixedModel.from_formula("y ~ week * rating + (1 | outer)", frame)
    res = res.fit(cov_type="CR2", cov_groups="site")
    with pytest.raises(al.FitError, match="3 clusters of 'site' are too few for a joint test of 3 contrasts"):
        res.f_test(np.eye(4)[1:])


def test_a_cluster_too_large_is_refused(frame, monkeypatch):
    monkeypatch.setattr(cluster_robust, "LARGEST", 3)
    with pytest.raises(
        al.FitError, match=r"Cluster .* of 'outer' has \d+ coordinates; .* at most 3 a cluster"
    ):
        al.MixedModel.from_formula("y ~ week + (1 | outer/inner)", frame).fit(
            cov_type="CR2", cov_groups="outer"
        )
