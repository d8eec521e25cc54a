"""Response surfaces: the published arithmetic, lavaan's and lmerTest's figures, and a surface of known shape."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "surface.json").read_text(encoding="utf-8"))
A = ["a1", "a2", "a3", "a4", "a5"]


def test_the_published_arithmetic():
    """methods.md 9: b = (3, .4, .2, -.10, .15, -.05)."""
    found = methods.response_surface([3, 0.4, 0.2, -0.10, 0.15, -0.05], np.eye(6) * 1e-4)
    np.testing.assert_allclose(found.params.to_numpy(), [0.6, 0, 0.2, -0.3, -0.05], atol=1e-12)
    np.testing.assert_allclose(found.stationary, [-28, -40], rtol=1e-10)
    np.testing.assert_allclose(found.ridge, [-1.152077, 1.387426], atol=3e-6)  # printed from rounded digits
    np.testing.assert_allclose(found.bse.to_numpy(), 0.01 * np.sqrt([2, 3, 2, 3, 2]), rtol=1e-12)


def check_features(found):
    """The features of lavaan, which stops within 1e-6; its errors are those of maximum likelihood, with n for n - 6."""
    features, n = REFERENCE["features"], REFERENCE["n"]
    larger = np.sqrt(n / (n - 6))
    np.testing.assert_allclose(found.params.to_numpy(), [features[a]["est"] for a in A], rtol=1e-5)
    np.testing.assert_allclose(found.bse.to_numpy(), [features[a]["se_ml"] * larger for a in A], rtol=1e-5)
    np.testing.assert_allclose(found.stationary, [features[a]["est"] for a in ("X0", "Y0")], rtol=1e-5)
    np.testing.assert_allclose(found.ridge, [features[a]["est"] for a in ("p10", "p11")], rtol=1e-5)
    np.testing.assert_allclose(
        found.ridge_se, [features[a]["se_ml"] * larger for a in ("p10", "p11")], rtol=1e-4
    )


def test_the_features_are_those_of_lavaan():
    check_features(methods.response_surface(REFERENCE["coef"], REFERENCE["vcov"]))


def test_the_fit_to_the_example_of_the_r_package(shared_data):
    frame = pd.read_csv(shared_data / "motive_congruence_rsa.csv")
    found = methods.response_surface_fit(frame, "postVA", "ePow", "iPow")
    np.testing.assert_allclose(found.coefficients.to_numpy(), REFERENCE["coef"], rtol=1e-9)
    check_features(found)
    assert (found.n, found.n_dropped, found.dof) == (84, 0, 78)
    assert not found.congruence


def test_differences_between_groups_against_lmertest(shared_data):
    frame = pd.read_csv(shared_data / "motive_congruence_rsa.csv")
    shift = np.array([-1, 0.5, 0.2, 0, 0.9, -0.6, 0.3, 0.1, -0.4, 0.7, -0.8, 0.1])
    frame = frame.assign(group=np.arange(84) % 12, y=frame["postVA"] + np.tile(shift, 7))
    found = methods.response_surface_fit(frame, "y", "ePow", "iPow", group="group")
    mixed = REFERENCE["mixed"]
    # lme4 stops within about 1e-6 of the optimum.
    np.testing.assert_allclose(found.params.to_numpy(), mixed["est"], rtol=1e-5)
    np.testing.assert_allclose(found.bse.to_numpy(), mixed["se"], rtol=1e-5)
    np.testing.assert_allclose(found.dof, mixed["df"], rtol=2e-4)


def surface(seed, n=250, congruent=True):
    rng = np.random.default_rng(seed)
    x, z = rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], n).T
    y = (-0.5 * (x - z) ** 2 if congruent else 0.5 * x - 0.2 * x**2) + 0.3 * (x + z) + rng.normal(0, 1, n)
    return pd.DataFrame({"y": y, "x": x, "z": z})


def test_a_known_surface_is_recovered_and_its_intervals_cover():
    # y = -.5 (x - z)^2 + .3 (x + z): a1 .6, a2 0, a3 0, a4 -2, a5 0; ridge x = z
    truth, n_sim = np.array([0.6, 0, 0, -2, 0]), 400
    estimates, covered, ridge, congruent = [], [], [], 0
    for seed in range(n_sim):
        found = methods.response_surface_fit(surface(seed), "y", "x", "z")
        limits = found.conf_int()
        estimates.append(found.params.to_numpy())
        covered.append((limits["lower"] <= truth) & (truth <= limits["upper"]))
        ridge.append(found.ridge)
        congruent += found.congruence
    error = np.std(estimates, axis=0) / np.sqrt(n_sim)
    assert (np.abs(np.mean(estimates, axis=0) - truth) < 3.5 * error).all()
    assert (np.abs(np.mean(covered, axis=0) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / n_sim)).all()
    np.testing.assert_allclose(np.median(ridge, axis=0), [0, 1], atol=0.02)
    # Three conditions are tests that a true congruence fails in 5 % each.
    assert congruent / n_sim > 0.8


def test_one_sided_effects_are_not_taken_for_congruence():
    found = [
        methods.response_surface_fit(surface(s, congruent=False), "y", "x", "z").congruence for s in range(50)
    ]
    assert np.mean(found) < 0.1


def test_special_surfaces_have_what_exists():
    plane = methods.response_surface([1, 2, 3, 0, 0, 0], np.eye(6))
    assert np.isnan([*plane.stationary, *plane.ridge]).all()
    assert not plane.congruence
    bowl = methods.response_surface([0, 1, 1, -0.1, 0, -0.5], np.eye(6) * 1e-4)
    np.testing.assert_allclose(bowl.ridge, [1, 0], rtol=1e-12)
    upright = methods.response_surface([0, 1, 1, -0.5, 0, -0.1], np.eye(6) * 1e-4)
    assert np.isnan(upright.ridge).all()
    # The two forms of the slope are one number.
    a = methods.response_surface([0, 1, 1, -0.2, 1e-3, -0.5], np.eye(6)).ridge[1]
    assert a == pytest.approx((-0.3 + np.hypot(0.3, 1e-3)) / 1e-3, rel=1e-9)


def test_ratings_on_unlike_scales_are_a_finding():
    frame = surface(1)
    found = methods.response_surface_fit(frame.assign(z=10 * frame["z"]), "y", "x", "z")
    assert found.findings[0].code == "unlike_scales"
    assert "hardly share a scale" in found.findings[0].message
    assert methods.response_surface_fit(frame, "y", "x", "z").findings == ()
    frame.loc[:4, "x"] = np.nan
    text = methods.response_surface_fit(frame, "y", "x", "z").summary()
    assert "245 rows, 5 without a value" in text
    assert "Congruence: " in text


FRAME = surface(2, 20)


@pytest.mark.parametrize(
    ("frame", "given", "message"),
    [
        (FRAME, {"x": "xx"}, "The frame has no column 'xx'. Did you mean 'x'?"),
        (FRAME, {"z": "x"}, "Column 'x' is named twice in the arguments. Name it once."),
        (FRAME.head(6), {}, "6 rows have a value in each of 'y', 'x' and 'z'. At least 7 are needed."),
        (FRAME.assign(x=1.0), {}, "All values of 'x' are equal. A response surface needs ratings that vary."),
        (FRAME.assign(y=1.0), {}, "All values of 'y' are equal. There is nothing to explain."),
        (FRAME.assign(z=FRAME["x"] * 2), {}, "'x' and 'z' take too few different values together. A surface of second degree needs at least three values of each that do not determine each other."),
        (pd.DataFrame({"x": [1.0, 2, 3, 4, 0, 0, 0, 0], "z": [0.0, 0, 0, 0, 1, 2, 3, 4], "y": [1.0, 3, 2, 5, 1, 4, 2, 2]}), {}, "'x' and 'z' take too few different values together."),
        (FRAME.assign(g=None), {"group": "g"}, "Column 'g' is missing in 20 rows. Fill or drop them."),
        (FRAME.assign(g=range(20)), {"group": "g"}, "The surface with differences between groups cannot be fitted: "),
    ],
)  # fmt: skip
def test_what_a_fit_refuses(frame, given, message):
    with pytest.raises(DataError) as caught:
        methods.response_surface_fit(frame, **({"y": "y", "x": "x", "z": "z"} | given))
    assert str(caught.value).startswith(message)
    assert message.endswith((": ", "together.")) or str(caught.value) == message


@pytest.mark.parametrize(
    ("params", "cov", "message"),
    [
        ([1, 2, 3], np.eye(6), "A response surface has six coefficients in the order b0, x, z, x2, xz, z2 and a 6 by 6 covariance; params has 3 and cov is 6 by 6."),
        (np.zeros(6), 1, "A response surface has six coefficients in the order b0, x, z, x2, xz, z2 and a 6 by 6 covariance; params has 6 and cov is one number."),
        (["a"] * 6, np.eye(6), "params and cov have to hold numbers: six coefficients and their covariance."),
        (np.ones(6), -np.eye(6), "cov is not a covariance: it is not symmetric, or gives a negative variance."),
        (np.ones(6), np.triu(np.ones((6, 6))), "cov is not a covariance: it is not symmetric, or gives a negative variance."),
        ([np.nan] * 6, np.eye(6), "A coefficient or a covariance of the response surface is missing or infinite."),
    ],
)  # fmt: skip
def test_what_coefficients_are_refused(params, cov, message):
    with pytest.raises(DataError) as caught:
        methods.response_surface(params, cov)
    assert str(caught.value) == message
