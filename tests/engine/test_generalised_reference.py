"""Generalised models beside glmmTMB, ordinal and lme4."""

from functools import cache

import numpy as np
import pytest

from reference import generalised
from reference.generalised import at_hand, figures, reference

MODELS = reference()["models"]


@cache
def fit(name):
    return generalised.fit(next(m for m in MODELS if m["name"] == name))


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m["name"])
def test_every_figure_agrees_with_its_reference(model):
    if not at_hand(model["data"]):
        pytest.skip(f"{model['data']} is not here; make_generalised.R writes it")
    result = fit(model["name"])
    assert result.converged
    found = list(figures(model, result))
    assert len(found) > 2 * len(model["params"]) or model["program"] == "ordinal"
    assert [f for f in found if not f.agrees] == []


def test_published_figures_of_cbpp_by_laplace_and_by_quadrature():
    """glmmTMB as it prints (its search stops within 1e-6) and lme4's 25 nodes; not the estimates of lme4's nAGQ = 0."""
    laplace, nodes = fit("cbpp"), fit("cbpp, 25 nodes")
    assert laplace.deviance == pytest.approx(184.05256373, abs=1e-8)
    np.testing.assert_allclose(
        laplace.params, [-1.39853247, -0.99233229, -1.12867130, -1.58031369], atol=1e-6
    )
    assert laplace.varcorr["sdcor"][0] == pytest.approx(0.64226167, abs=1e-6)
    assert laplace.bse.iloc[0] == pytest.approx(0.23247205, abs=1e-6)
    np.testing.assert_allclose(nodes.params, [-1.39922, -0.99141, -1.12781, -1.57948], atol=2e-5)
    assert nodes.varcorr["sdcor"][0] == pytest.approx(0.64752, abs=5e-6)
    assert abs(laplace.params.iloc[0] - nodes.params.iloc[0]) > 5e-4
    assert abs(laplace.params.iloc[0] + 1.3605) > 0.03


def test_published_figures_of_wine():
    result = fit("wine, 11 nodes")
    assert result.llf == pytest.approx(-81.53246, abs=1e-5)
    np.testing.assert_allclose(result.params.iloc[-2:], [1.83343, 3.06189][::-1], atol=1e-5)
    assert result.varcorr["sdcor"][0] == pytest.approx(1.13478, abs=1e-5)
