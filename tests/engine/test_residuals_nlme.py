"""Residual structures against nlme (``make_residuals.R``)."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al

REFERENCE = Path(__file__).parents[1] / "reference"
MODELS = json.loads((REFERENCE / "residuals.json").read_text(encoding="utf-8"))["models"]


def name(model):
    return f"{model['data']} {model['residual']} {'REML' if model['reml'] else 'ML'}"


def structure(model):
    given = model["residual"]
    if given["kind"] == "VarIdent":
        return al.VarIdent(given["strata"])
    return getattr(al, given["kind"])(given["position"], strata=given.get("strata"))


@cache
def fitted(at):
    model = MODELS[at]
    frame = pd.read_csv(REFERENCE / "small" / f"{model['data']}.csv")
    made = al.MixedModel.from_formula(model["formula"], frame, residual=structure(model))
    return model, made.fit(reml=model["reml"])


every = pytest.mark.parametrize("at", range(len(MODELS)), ids=[name(m) for m in MODELS])


@every
def test_the_optimum_is_that_of_nlme_or_better(at):
    model, res = fitted(at)
    assert res.converged
    # nlme stops when a step changes the deviance by a relative 1e-10 or so.
    assert res.deviance == pytest.approx(model["deviance"], abs=2e-6)
    assert res.deviance < model["deviance"] + 1e-8


@every
def test_coefficients_and_standard_errors(at):
    model, res = fitted(at)
    ours = {frozenset(t.replace("[T.", "").replace("]", "").split(":")): t for t in res.params.index}
    order = [ours[frozenset(t.replace("(Intercept)", "Intercept").split(":"))] for t in model["terms"]]
    # nlme's optimum is flat to 1e-8 of the deviance, so that its parameters have four digits or more.
    np.testing.assert_allclose(res.params[order], model["beta"], rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(res.bse[order], model["se"], rtol=2e-4)


@every
def test_variances(at):
    model, res = fitted(at)
    groups = {}
    for group, first, second, value, _ in res.varcorr.itertuples(index=False):
        if group != "Residual":
            groups.setdefault(group, {})[first, second if isinstance(second, str) else first] = value
    assert len(groups) == len(model["covariances"])
    for expected, entries in zip(model["covariances"], groups.values(), strict=True):
        expected = np.array(expected)
        names = list(dict.fromkeys(a for a, _ in entries))
        found = np.array([[entries.get((a, b), entries.get((b, a), 0.0)) for b in names] for a in names])
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.diag(expected).max())


@every
def test_residual_parameters_and_their_standard_errors(at):
    model, res = fitted(at)
    table = res.residual_parameters.set_index("name")
    expected = {"phi": model["phi"]} if "phi" in model else {}
    for ratio in model.get("ratios", []):
        expected[next(n for n in table.index if n.startswith(f"sd({ratio['stratum']})/"))] = ratio
    assert list(table.index) == list(expected)
    estimates, errors = (np.array([e[key] for e in expected.values()]) for key in ("estimate", "se"))
    np.testing.assert_allclose(table["estimate"], estimates, rtol=1e-3, atol=1e-4)
    # nlme's Hessian is a finite difference with a coarse step where a parameter is near zero, as Orthodont's phi of
    # -0.04; `test_residual_inference` has ours there against differences of the dense likelihood.
    near_zero = model["data"] == "orthodont_series" and "phi" in model
    np.testing.assert_allclose(table["se"], errors, rtol=0.08 if near_zero else 0.02)
    assert (table["lower"] < table["estimate"]).all()
    assert (table["estimate"] < table["upper"]).all()
    assert np.sqrt(res.scale) == pytest.approx(model["sigma"]["estimate"], rel=1e-4)


def test_published_figures():
    """The figures of the engine's notes, taken with tighter settings of nlme."""
    by_name = {name(m): i for i, m in enumerate(MODELS)}
    weight = fitted(next(i for n, i in by_name.items() if n.startswith("body") and n.endswith("REML")))[1]
    assert weight.deviance == pytest.approx(1132.05918012, abs=1e-7)
    assert weight.residual_parameters["estimate"][0] == pytest.approx(0.76038252, abs=5e-8)
    sexes = fitted(next(i for n, i in by_name.items() if "sex" in n and n.endswith("REML")))[1]
    assert sexes.deviance == pytest.approx(411.52248, abs=5e-6)
    assert 1 / sexes.residual_parameters["estimate"][0] == pytest.approx(0.408847, abs=1e-6)


@pytest.mark.parametrize("at", [i for i, m in enumerate(MODELS) if m.get("robust")])
@pytest.mark.parametrize("kind", ["CR0", "CR2"])
def test_cluster_robust_errors_equal_those_of_clubsandwich(at, kind):
    model, res = fitted(at)
    frame = pd.read_csv(REFERENCE / "small" / f"{model['data']}.csv")
    made = al.MixedModel.from_formula(model["formula"], frame, residual=structure(model))
    robust = made.fit(cov_type=kind, cov_groups="outer")
    # clubSandwich works at nlme's optimum, which has four digits.
    np.testing.assert_allclose(robust.bse, model["robust"][kind]["se"], rtol=2e-4)
    if kind == "CR2":
        np.testing.assert_allclose(robust.df, model["robust"][kind]["df"], rtol=2e-4)
    assert not np.allclose(robust.bse, res.bse, rtol=1e-2)
