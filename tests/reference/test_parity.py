"""The engine gives lme4's figures, wherever the rows are at hand, and never a higher criterion."""

import pytest

import alliance_longitudinal as al
from reference.catalogue import DATA, Figure, at_hand, exact, figures, reference

MODELS = {model["name"]: model for model in reference()["models"] if at_hand(model["data"])}


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    model = MODELS[request.param]
    return model, al.MixedModel.from_formula(model["formula"], DATA[model["data"]]()).fit(reml=model["reml"])


def test_every_figure_agrees_with_lme4(fitted):
    model, result = fitted
    off = [f for f in figures(model, result) if not f.agrees]
    assert not off, "\n".join(map(str, off))
    assert result.n_dropped + result.nobs == len(DATA[model["data"]]())


def test_the_optimum_is_the_exact_one(fitted):
    model, result = fitted
    assert result.deviance <= model["criterion"] + 1e-8
    if model["name"] in exact():
        # Known to ten digits at least.
        assert result.deviance == pytest.approx(exact()[model["name"]], rel=3e-12)


def test_the_boundary_is_recognised(fitted):
    model, result = fitted
    assert result.singular == model["singular"]
    assert result.converged


def test_a_figure_that_is_off_does_not_agree():
    assert not Figure("x: estimate", 1.0, 1.1, 0.01).agrees
    assert not Figure("criterion", 10.0, 10.1, 0.01).agrees
    assert Figure("criterion", 10.0, 9.0, 0.01).agrees
