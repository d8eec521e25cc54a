"""The criterion against dense and brute-force versions, its gradient against differences."""

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from engine.glmm_oracle import brute_force, laplace
from inside.engine_families import Criterion
from inside.engine_families import problem as internal
from inside.engine_generalised_fit import face_of, reported
from reference.generalised import rows

LAPLACE = [
    ("yes ~ week + x + (1 + week | outer)", {"family": "binomial"}),
    ("yes ~ x + (1 + week | outer) + (1 | unit)", {"family": "binomial", "link": "cloglog"}),
    ("share ~ x + (1 | unit) + (1 + x || item)", {"family": "binomial", "weights": "trials"}),
    (
        "count ~ x + (1 + x | outer) + (1 | unit) + (1 | item)",
        {"family": "poisson", "offset": "log_exposure"},
    ),
    ("over ~ week + (1 | outer) + (1 | item)", {"family": "negative-binomial"}),
    ("grade ~ week + x + (1 | outer) + (1 | unit)", {"family": "ordinal"}),
]
QUADRATURE = [
    ("yes ~ x + (1 | unit)", {"family": "binomial", "link": "cloglog"}),
    ("over ~ x + (0 + week | outer)", {"family": "negative-binomial"}),
    ("grade ~ x + (1 | unit)", {"family": "ordinal"}),
]
NESTED = [
    ("yes ~ x + (1 | outer/unit)", {"family": "binomial"}),
    ("grade ~ x + (1 | outer/unit)", {"family": "ordinal"}),
]


@pytest.fixture(scope="module")
def mixed():
    return rows("mixed_responses").query("outer <= 6")


def criterion_at(formula, frame, n_agq, options, seed=1):
    """A criterion, and a point away from any optimum."""
    model = al.MixedModel.from_formula(formula, frame, crossed=True, **options)
    response = model.response
    problem, units = internal.build(model.design, response.family, response.y, response.size)
    rng = np.random.default_rng(seed)
    face = face_of(units)
    aux, _ = response.family.start(response.y, response.size)
    beta = 0.3 * rng.normal(size=problem.x.shape[1])
    aux = aux + 0.1 * np.sort(rng.normal(size=len(aux)))
    theta = 0.5 + 0.3 * rng.normal(size=face.dimension)
    return model, Criterion(problem, n_agq), units, face, np.concatenate([beta, aux, theta])


def in_users_units(model, criterion, units, face, params):
    beta, aux, theta = criterion.split(params)
    found, _ = reported(criterion.problem, units, beta, aux)
    if criterion.problem.family.name == "ordinal":
        aux, beta = found[: len(aux)], found[len(aux) :]
    else:
        beta = found
    turned = [np.linalg.inv(b) for b in units.b]
    psi = [t @ d @ t.T for t, d in zip(turned, face.covariances(theta), strict=True)]
    return beta, aux, psi


@pytest.mark.parametrize(("formula", "options"), LAPLACE)
def test_laplace_equals_a_dense_version(mixed, formula, options):
    model, criterion, units, face, params = criterion_at(formula, mixed, 1, options)
    value = criterion.evaluate(face, params)[0].value + model.response.constant
    dense = laplace(model.design, model.response, *in_users_units(model, criterion, units, face, params))
    # the dense version differentiates the log-density numerically
    assert value == pytest.approx(dense, abs=2e-6)


@pytest.mark.parametrize(("formula", "options"), QUADRATURE)
def test_quadrature_equals_brute_force_integration(mixed, formula, options):
    model, criterion, units, face, params = criterion_at(formula, mixed, 31, options)
    value = criterion.evaluate(face, params)[0].value + model.response.constant
    brute = brute_force(model.design, model.response, *in_users_units(model, criterion, units, face, params))
    assert value == pytest.approx(brute, abs=1e-7)
    one_node = Criterion(criterion.problem, 1).evaluate(face, params)[0].value + model.response.constant
    assert abs(one_node - brute) > 1e-3


@pytest.mark.parametrize(("formula", "options"), NESTED)
def test_quadrature_inside_quadrature_equals_brute_force(mixed, formula, options):
    few = mixed.query("outer <= 2")
    model, criterion, units, face, params = criterion_at(formula, few, 25, options)
    value = criterion.evaluate(face, params)[0].value + model.response.constant
    arguments = in_users_units(model, criterion, units, face, params)
    assert value == pytest.approx(brute_force(model.design, model.response, *arguments, nodes=50), abs=1e-7)


@pytest.mark.parametrize(
    ("formula", "options", "n_agq"),
    [*((*model, 1) for model in LAPLACE), *((*model, 5) for model in [*QUADRATURE, *NESTED])],
)
def test_the_gradient_is_that_of_the_approximation_itself(mixed, formula, options, n_agq):
    _, criterion, _, face, params = criterion_at(formula, mixed, n_agq, options, seed=2)
    gradient = criterion.evaluate(face, params)[1]
    h = 1e-4
    numerical = []
    for unit in np.eye(len(params)):
        near, far = (
            criterion.evaluate(face, params + k * h * unit)[0].value
            - criterion.evaluate(face, params - k * h * unit)[0].value
            for k in (1, 2)
        )
        numerical.append((8 * near - far) / (12 * h))
    np.testing.assert_allclose(gradient, numerical, atol=2e-8 * np.abs(gradient).max())


def test_standard_errors_are_from_the_dense_likelihoods_own_second_derivatives():
    """An ordered response by Laplace's method, for which clmm's standard errors are rough."""
    frame = rows("wine")
    res = al.MixedModel.from_formula("rating ~ temp + contact + (1 | judge)", frame, family="ordinal").fit()
    point = np.concatenate([res.params, [np.log(res.varcorr["sdcor"][0])]])

    def value(at):
        psi = [np.array([[np.exp(2 * at[6])]])]
        return laplace(res.fit.design, res.fit.response, at[4:6], at[:4], psi)

    h, m = 0.02, len(point)
    hessian = np.zeros((m, m))
    unit = np.eye(m) * h
    for i in range(m):
        for j in range(i + 1):
            corners = [
                value(point + a * unit[i] + b * unit[j]) for a, b in [(1, 1), (1, -1), (-1, 1), (-1, -1)]
            ]
            hessian[i, j] = hessian[j, i] = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * h**2)
    dense = np.sqrt(np.diag(2 * np.linalg.inv(hessian)))[:6]
    np.testing.assert_allclose(res.bse, dense, rtol=2e-3)


def test_equal_rows_are_added_up_without_a_change():
    frame = rows("mixed_responses")
    frame["high"] = (frame["x"] > 0).astype(int)
    for response, family in [
        ("yes", "binomial"),
        ("count", "poisson"),
        ("over", "negative-binomial"),
        ("grade", "ordinal"),
    ]:
        model = al.MixedModel.from_formula(f"{response} ~ high + (1 | outer)", frame, family=family)
        r = model.response
        short, units = internal.build(model.design, r.family, r.y, r.size)
        long, _ = internal.build(model.design, r.family, r.y, r.size, collapse=False)
        assert len(short.y) < len(long.y) == len(frame)
        face = face_of(units)
        aux, _ = r.family.start(r.y, r.size)
        params = np.array([*[0.2] * short.x.shape[1], *aux, 0.7])
        found = [Criterion(p, 1).evaluate(face, params) for p in (short, long)]
        assert found[0][0].value == pytest.approx(found[1][0].value, rel=1e-12)
        np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-8)


def test_one_row_for_each_unit_or_counts_of_units_give_the_same_estimates():
    frame = rows("hazard")
    counts = frame.groupby(["group", "period", "arm"], as_index=False).agg(
        share=("event", "mean"), trials=("event", "size")
    )
    formula = "{} ~ C(period) + arm + (1 | group)"
    one = al.MixedModel.from_formula(formula.format("event"), frame, family="binomial", link="cloglog").fit()
    many = al.MixedModel.from_formula(
        formula.format("share"), counts, family="binomial", link="cloglog", weights="trials"
    ).fit()
    pd.testing.assert_series_equal(one.params, many.params, rtol=1e-8)
    pd.testing.assert_series_equal(one.bse, many.bse, rtol=1e-7)
    assert one.deviance > many.deviance  # binomial coefficients
