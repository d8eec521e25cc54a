"""A negative binomial of counts that are Poisson's, or vary even less: the limit is found without long searches."""

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from inside.engine_generalised_fit import generalised_fit


def counts(groups, rows, mean, sd, kind="poisson", seed=0):
    rng = np.random.default_rng(seed)
    group, x = np.repeat(np.arange(groups), rows), rng.normal(size=groups * rows)
    mu = np.exp(np.log(mean) + 0.2 * x + sd * rng.normal(size=groups)[group])
    if kind == "poisson":
        y = rng.poisson(mu)
    elif kind == "less":
        y = rng.binomial(np.maximum(1, np.round(2 * mu)).astype(int), 0.5)
    else:
        y = rng.negative_binomial(1.5, 1.5 / (1.5 + mu))
    return pd.DataFrame({"y": y, "x": x, "t": np.tile(np.arange(rows) / rows, groups), "g": group})


SHAPES = {
    "small means": ((50, 10, 0.3, 0.5), "(1 | g)"),
    "large means": ((50, 10, 1e4, 0.5), "(1 | g)"),
    "less than Poisson": ((50, 10, 5, 0.3, "less"), "(1 | g)"),
    "no difference between groups": ((50, 10, 3, 0.0), "(1 | g)"),
    "slopes": ((60, 12, 4, 0.5), "(t | g)"),
    "slopes, less than Poisson": ((100, 20, 6, 0.5, "less"), "(t | g)"),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_limit_is_found_in_two_searches_and_said(shape, monkeypatch):
    frame = counts(*shape[0])
    formula = f"y ~ x + {shape[1]}"
    begun, plain = [], generalised_fit.search

    def watched(criterion, face, fixed, *starts):
        begun.append(criterion.problem.family.name)
        return plain(criterion, face, fixed, *starts)

    monkeypatch.setattr(generalised_fit, "search", watched)
    res = al.MixedModel.from_formula(formula, frame, family="negative-binomial").fit()
    assert begun in (["negative-binomial", "poisson"], ["poisson"])
    poisson = al.MixedModel.from_formula(formula, frame, family="poisson").fit()
    assert res.converged
    assert res.deviance == pytest.approx(poisson.deviance, abs=1e-6)
    np.testing.assert_allclose(res.params, poisson.params, atol=1e-6)
    np.testing.assert_allclose(res.bse, poisson.bse, rtol=1e-5)
    assert "no_overdispersion" in {f.code for f in res.findings}


def test_counts_that_vary_more_keep_their_dispersion():
    res = al.MixedModel.from_formula(
        "y ~ x + (1 | g)", counts(60, 12, 4, 0.5, "more"), family="negative-binomial"
    ).fit()
    assert "no_overdispersion" not in {f.code for f in res.findings}
    assert float(np.exp(res.fit.aux[0])) == pytest.approx(1.5, rel=0.15)  # three standard errors
