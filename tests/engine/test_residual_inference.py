"""Inference with a residual structure against finite differences of the dense likelihood, and its refusals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from engine.series import dense_residual, natural, series
from inside.engine_linalg import dense

SMALL = Path(__file__).parents[1] / "reference" / "small"

CASES = {
    "AR1": ("y ~ order * arm + (1 + order | inner)", al.AR1("order"), "inner"),
    "CAR1 strata": ("y ~ order + arm + (1 | outer/inner)", al.CAR1("order", strata="how"), "inner"),
    "VarIdent": ("y ~ order + arm + (1 + order | inner)", al.VarIdent("how"), "inner"),
    "Orthodont": ("distance ~ age * sex + (1 | subject)", al.AR1("position"), "subject"),
}


class Oracle:
    """The dense likelihood in (structure, lower factors of the covariances, logarithm of the residual variance)."""

    def __init__(self, res, frame, structure, group):
        self.fit, self.frame, self.structure, self.group = res.fit, frame, structure, group
        residual = res.fit.residual
        self.t = len(residual.tau)
        lower = [np.linalg.cholesky(psi)[np.tril_indices(len(psi))] for psi in res.fit.psi]
        self.at = np.concatenate([residual.tau, *lower, [np.log(res.scale)]])

    def covariance(self, parameters):
        design = self.fit.design
        phi, ratios = natural(self.fit.residual.model, parameters[: self.t])
        v = np.exp(parameters[-1]) * dense_residual(self.frame, self.group, self.structure, phi, ratios)
        at = self.t
        for term, psi in zip(design.terms, self.fit.psi, strict=True):
            lower = np.zeros_like(psi)
            places = np.tril_indices(len(psi))
            lower[places] = parameters[at : at + len(places[0])]
            at += len(places[0])
            codes = design.factors[term.factor].codes
            v += (codes[:, None] == codes) * (term.z @ lower @ lower.T @ term.z.T)
        return v

    def deviance(self, parameters):
        design = self.fit.design
        return dense.deviance(design.y, design.x, self.covariance(parameters), self.fit.reml)

    def coefficients(self, parameters):
        return np.linalg.inv(dense.gls(self.fit.design.y, self.fit.design.x, self.covariance(parameters))[1])

    def parameter_covariance(self, step=2e-3):
        """Inverse of half the Hessian by central differences, twice, extrapolated."""
        m = len(self.at)

        def hessian(h):
            moves = h * np.eye(m)
            return np.array(
                [
                    [
                        sum(
                            a * b * self.deviance(self.at + a * moves[i] + b * moves[j])
                            for a in (1, -1)
                            for b in (1, -1)
                        )
                        / (4 * h * h)
                        for j in range(m)
                    ]
                    for i in range(m)
                ]
            )

        return 2 * np.linalg.inv((4 * hessian(step) - hessian(2 * step)) / 3)

    def satterthwaite(self):
        cov, step = self.parameter_covariance(), 1e-4
        variance = np.diag(self.coefficients(self.at))
        slopes = [
            (np.diag(self.coefficients(self.at + m)) - np.diag(self.coefficients(self.at - m))) / (2 * step)
            for m in step * np.eye(len(self.at))
        ]
        slopes = np.array(slopes)
        return 2 * variance**2 / np.einsum("ip,ij,jp->p", slopes, cov, slopes)


def unbounded(res, side):
    """One side of the limits on the scale of the interval."""
    values = res.residual_parameters[side].to_numpy().copy()
    if res.fit.residual.model.pattern.correlated:
        ar1 = isinstance(res.fit.residual.model.pattern.structure, al.AR1)
        phi = np.arctanh(values[0]) if ar1 else -np.log(-np.log(values[0]))
        return np.append(phi, np.log(values[1:]))
    return np.log(values)


def fit_case(case, **options):
    formula, structure, group = CASES[case]
    frame = (
        pd.read_csv(SMALL / "orthodont_series.csv") if case == "Orthodont" else series(11, outer=6, rows=7)
    )
    res = al.MixedModel.from_formula(formula, frame, residual=structure).fit(**options)
    return res, frame, structure, group


@pytest.mark.parametrize("case", CASES)
def test_degrees_of_freedom_and_standard_errors_equal_differences_of_the_dense_likelihood(case):
    res, frame, structure, group = fit_case(case)
    assert res.fit.record.best.face.ranks == res.fit.record.best.face.sizes
    oracle = Oracle(res, frame, structure, group)
    assert oracle.deviance(oracle.at) == pytest.approx(res.deviance, abs=1e-7)
    np.testing.assert_allclose(oracle.coefficients(oracle.at), res.cov_params(), rtol=1e-7)
    # Extrapolated differences of step 2e-3: error of the fourth order.
    np.testing.assert_allclose(res.df, oracle.satterthwaite(), rtol=2e-4)
    residual = res.fit.residual
    spread = np.sqrt(np.diag(oracle.parameter_covariance())[: len(residual.tau)])
    limits = np.stack([unbounded(res, side) for side in ("lower", "upper")])
    np.testing.assert_allclose((limits[1] - limits[0]) / (2 * 1.959964), spread, rtol=2e-4)


def natural_covariance(res, oracle, eta):
    """V in (covariance entries, correlation, residual variances), from the rows; the correlation of the median gap."""
    design, pattern = res.fit.design, res.fit.residual.model.pattern
    v, at = np.zeros((len(design.y), len(design.y))), 0
    for term, psi in zip(design.terms, res.fit.psi, strict=True):
        q = len(psi)
        matrix = np.zeros((q, q))
        for i, j in zip(*np.tril_indices(q), strict=True):
            matrix[i, j] = matrix[j, i] = eta[at]
            at += 1
        codes = design.factors[term.factor].codes
        v += (codes[:, None] == codes) * (term.z @ matrix @ term.z.T)
    phi, at = (eta[at] ** (1 / pattern.unit), at + 1) if pattern.correlated else (0.0, at)
    ratios = dict(zip(pattern.strata, np.sqrt(eta[at:]), strict=True))
    structure = oracle.structure
    residual = dense_residual(oracle.frame, oracle.group, structure, phi, ratios)
    return v + (residual if structure.strata is not None else eta[at] * residual)


def natural_parameters(res):
    residual = res.fit.residual
    pattern = residual.model.pattern
    phi, ratios = natural(residual.model, residual.tau)
    psi = [m[np.tril_indices(len(m))] for m in res.fit.psi]
    correlation = [phi**pattern.unit] if pattern.correlated else []
    return np.concatenate([*psi, correlation, res.scale * np.array(list(ratios.values())) ** 2])


def dense_kenward_roger(x, eta, covariance):
    """The paper's formulas on n by n matrices, their derivatives by differences: adjusted covariance and 2 / A of terms."""
    m = len(eta)
    steps = 1e-4 * np.maximum(np.abs(eta), 0.1)
    moves = np.diag(steps)
    v = covariance(eta)
    first = [(covariance(eta + d) - covariance(eta - d)) / (2 * h) for d, h in zip(moves, steps, strict=True)]
    w = np.linalg.inv(v)
    phi = np.linalg.inv(x.T @ w @ x)
    p = [-x.T @ w @ d @ w @ x for d in first]
    information, middle = np.empty((m, m)), np.empty((m, m, *phi.shape))
    for i in range(m):
        for j in range(m):
            q = x.T @ w @ first[i] @ w @ first[j] @ w @ x
            corners = [
                a * b * covariance(eta + a * moves[i] + b * moves[j]) for a in (1, -1) for b in (1, -1)
            ]
            r = x.T @ w @ (sum(corners) / (4 * steps[i] * steps[j])) @ w @ x
            trace = np.trace(w @ first[i] @ w @ first[j])
            information[i, j] = trace - 2 * np.trace(phi @ q) + np.trace(phi @ p[i] @ phi @ p[j])
            middle[i, j] = q - p[i] @ phi @ p[j] - r / 4
    cov = 2 * np.linalg.inv(information)
    adjusted = phi + 2 * phi @ np.einsum("ij,ijab->ab", cov, middle) @ phi
    relative = np.array([np.diag(phi @ d @ phi) / np.diag(phi) for d in p])
    return adjusted, 2 / np.einsum("ip,ij,jp->p", relative, cov, relative)


@pytest.mark.parametrize("case", [case for case in CASES if case != "Orthodont"])
def test_kenward_roger_equals_the_formulas_written_out(case):
    res, frame, structure, group = fit_case(case, df="kenward-roger")
    oracle = Oracle(res, frame, structure, group)
    eta = natural_parameters(res)
    np.testing.assert_allclose(
        natural_covariance(res, oracle, eta), oracle.covariance(oracle.at), rtol=1e-8, atol=1e-10
    )
    cov, df = dense_kenward_roger(res.fit.design.x, eta, lambda e: natural_covariance(res, oracle, e))
    # Second differences with a relative step of 1e-4 keep seven digits of a term that is itself small.
    np.testing.assert_allclose(res.cov_params(), cov, rtol=1e-5, atol=1e-8 * np.abs(cov).max())
    np.testing.assert_allclose(res.df, df, rtol=1e-5)
    assert (res.bse > np.sqrt(np.diag(oracle.coefficients(oracle.at)))).any()


def test_without_correlation_kenward_roger_is_that_of_independent_residuals():
    frame = series(2, outer=8)
    formula = "y ~ order * arm + (1 | outer/inner)"
    edge = al.MixedModel.from_formula(formula, frame, residual=al.CAR1("time")).fit(df="kenward-roger")
    plain = al.MixedModel.from_formula(formula, frame).fit(df="kenward-roger")
    assert edge.residual_parameters["estimate"].tolist() == [0.0]
    assert edge.aic == pytest.approx(plain.aic + 2, abs=1e-7)
    np.testing.assert_allclose(edge.bse, plain.bse, rtol=1e-7)
    np.testing.assert_allclose(edge.df, plain.df, rtol=1e-6)
    contrast = [{"order": 1.0}, {"order:arm": 1.0}]
    assert edge.f_test(contrast).df_den == pytest.approx(plain.f_test(contrast).df_den, rel=1e-6)


def test_strata_of_numbers_and_texts_have_the_order_of_their_texts():
    frame = series(2, outer=8)
    texts = frame.assign(how=np.where(frame["how"] == frame["how"].iloc[0], "b", "10"))
    mixed = texts.assign(how=[10 if label == "10" else label for label in texts["how"]])
    formula = "y ~ order + (1 | outer)"
    one, two = (
        al.MixedModel.from_formula(formula, data, residual=al.VarIdent("how")).fit()
        for data in (texts, mixed)
    )
    assert one.residual_parameters["name"].tolist() == ["sd(b)/sd(10)"]
    pd.testing.assert_frame_equal(one.residual_parameters, two.residual_parameters)
    assert two.deviance == pytest.approx(one.deviance, abs=1e-9)
