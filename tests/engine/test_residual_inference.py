"""Inference with a residual structure against finite differences of the dense likelihood, and its refusals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal.engine.fitting import dense
from engine.series import dense_residual, natural, series

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
