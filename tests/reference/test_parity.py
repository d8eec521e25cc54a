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
    digits = exact().get(model["name"])
    if digits is None:
        assert result.deviance <= model["criterion"] + 1e-8
    else:
        assert result.deviance == pytest.approx(
            digits, abs=0.6 * 10.0 ** -len(repr(digits).partition(".")[2]) + 1e-9
        )


def test_the_boundary_is_recognised(fitted):
    model, result = fitted
    assert result.singular == model["singular"]
    assert result.converged


def test_a_figure_that_is_off_does_not_agree():
    assert not Figure("x: estimate", 1.0, 1.1, 0.01).agrees
    assert not Figure("criterion", 10.0, 10.1, 0.01).agrees
    assert Figure("criterion", 10.0, 9.0, 0.01).agrees
