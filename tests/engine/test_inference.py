"""Satterthwaite, contrasts and intervals."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_longitudinal as al
from engine.designs import three_levels
from inside.engine_linalg import dense


def by_hand(frame, res):
    """Satterthwaite degrees of freedom from numerical derivatives of the dense likelihood in (Psi, s)."""
    codes = frame["outer"].to_numpy()
    x = np.column_stack([np.ones(len(frame)), frame["week"]])
    y = frame["y"].to_numpy()

    def covariance(phi):
        psi = np.array([[phi[0], phi[2]], [phi[2], phi[1]]])
        return dense.marginal_covariance([(x, codes, psi)], phi[3], None, len(y))

    phi = res.varcorr["vcov"].to_numpy()
    steps = 1e-3 * np.array([phi[0], phi[1], np.sqrt(phi[0] * phi[1]), phi[3]])
    hessian = np.empty((4, 4))
    units = np.diag(steps)
    for i in range(4):
        for j in range(4):
            corners = [dense.deviance(y, x, covariance(phi + a * units[i] + b * units[j]), True)
                       for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))]  # fmt: skip
            hessian[i, j] = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * steps[i] * steps[j])

    def variances(phi):
        return np.diag(np.linalg.inv(dense.gls(y, x, covariance(phi))[1]))

    gradient = np.array([(variances(phi + u) - variances(phi - u)) / (2 * u.sum()) for u in units])
    spread = np.einsum("ip,ij,jp->p", gradient, 2 * np.linalg.inv(hessian), gradient)
    return 2 * variances(phi) ** 2 / spread


def test_satterthwaite_equals_the_definition(frame):
    res = al.MixedModel.from_formula("y ~ week + (1 + week | outer)", frame).fit()
    assert not res.singular
    # Second differences with relative steps of 1e-3 are good to about 1e-5.
    np.testing.assert_allclose(res.df, by_hand(frame, res), rtol=1e-4)


def test_a_boundary_fit_uses_its_face():
    frame = three_levels(3, outer=10, truth=(0.0, 1.0))
    full = al.MixedModel.from_formula("y ~ week + (1 | outer) + (1 + week | unique)", frame).fit()
    assert full.singular
    face = al.MixedModel.from_formula("y ~ week + (1 + week | unique)", frame).fit()
    np.testing.assert_allclose(full.bse, face.bse, rtol=1e-7)
    np.testing.assert_allclose(full.df, face.df, rtol=1e-6)
    assert any("treat a value on the boundary as fixed" in f.message for f in full.findings)


def test_contrasts_agree_with_the_coefficients(growth):
    table = growth.contrast(np.eye(5), list(growth.params.index))
    np.testing.assert_allclose(table["estimate"], growth.params)
    np.testing.assert_allclose(table["se"], growth.bse)
    np.testing.assert_allclose(table["df"], growth.df)
    np.testing.assert_allclose(table["p"], growth.pvalues)
    np.testing.assert_allclose(table[["lower", "upper"]], growth.conf_int())
    assert list(table.columns) == ["estimate", "se", "df", "t", "p", "lower", "upper"]


def test_a_contrast_may_be_written_by_name(growth):
    table = growth.contrast([{"week": 1, "rating": -1}, {"arm": 2}])
    assert list(table.index) == ["week - rating", "+2 arm"]
    cov = growth.cov_params()
    expected = cov.loc["week", "week"] + cov.loc["rating", "rating"] - 2 * cov.loc["week", "rating"]
    assert table["se"].iloc[0] == pytest.approx(np.sqrt(expected))
    named = growth.contrast(pd.DataFrame({"week": [1.0]}, index=["slope"]))
    assert named.loc["slope", "estimate"] == growth.params["week"]


def test_a_joint_test_of_one_row_is_the_squared_t(growth):
    one = growth.f_test({"week": 1})
    assert one.statistic == pytest.approx(growth.tvalues["week"] ** 2)
    assert one.p == pytest.approx(growth.pvalues["week"])
    with pytest.raises(al.FitError, match="must not be combinations of each other"):
        growth.f_test([{"week": 1}, {"week": 2}])


@pytest.mark.parametrize(
    ("contrast", "labels", "message"),
    [
        ({"weak": 1}, None, "No coefficient is called weak. There are: Intercept, week"),
        ([1, 0], None, "needs 5 weights, one for each of Intercept"),
        ([0, 0, 0, 0, 0], None, "only zero weights tests nothing"),
        ({"week": 1}, ["a", "b"], "1 contrasts and 2 labels"),
    ],
)
def test_a_contrast_that_cannot_be(growth, contrast, labels, message):
    with pytest.raises(al.FitError, match=message):
        growth.contrast(contrast, labels)


def test_normal_theory_has_infinite_df(frame):
    res = al.MixedModel.from_formula("y ~ week + (1 | outer)", frame).fit(df="normal")
    assert np.isinf(res.df).all()
    np.testing.assert_allclose(res.pvalues, 2 * stats.norm.sf(np.abs(res.tvalues)))
    joint = res.f_test([{"Intercept": 1}, {"week": 1}])
    assert joint.p == pytest.approx(stats.chi2.sf(2 * joint.statistic, 2))
    assert "normal distribution" in res.summary()


def test_intervals_cover_the_truth():
    """120 sets of two-level data with 10 groups: coverage of 95 % intervals, with 4 standard errors of room."""
    inside = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        g = np.repeat(np.arange(10), 6)
        x = np.tile(np.arange(6.0), 10)
        b = rng.normal(size=(10, 2)) * [2.0, 0.6]
        frame = pd.DataFrame({"g": g, "x": x, "y": 1 + 0.5 * x + b[g, 0] + b[g, 1] * x + rng.normal(size=60)})
        limits = al.MixedModel.from_formula("y ~ x + (1 + x | g)", frame).fit().conf_int()
        inside.append((limits["lower"] < [1, 0.5]) & (limits["upper"] > [1, 0.5]))
    coverage = np.mean(inside, axis=0)
    assert (coverage > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 120)).all()
    assert (coverage <= 1.0).all()
