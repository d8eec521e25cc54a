"""Kenward and Roger's adjusted covariance and degrees of freedom, from one sweep over the groups.

Kenward and Roger (1997), Biometrics 53:983-997; moments as in Halekoh and Hojsgaard (2014), J Stat Softw 59(9).
The covariance of the response is linear in the variance parameters, so its second derivatives vanish, and all
products of n by n matrices in the paper are derivatives of ``X'V^-1 X`` and ``log|V|``.
"""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.inference.kenward_roger_structured import moments
from alliance_longitudinal.engine.inference.protocol import FTest, rotated_test
from alliance_longitudinal.engine.search.criterion import entry_terms, sweep
from alliance_longitudinal.errors import FitError


@dataclass(frozen=True, slots=True)
class KenwardRoger:
    """Adjusted covariance, and what its degrees of freedom need.

    The m + 1 variance parameters are all variances and covariances, also those on their boundary, and the residual
    variance. Internal units are those of the basis, with residual variance 1.

    Attributes
    ----------
    fit : MixedFit
    cov : ndarray, shape (p, p)
        Adjusted covariance of the coefficients, in the user's units.
    phi : ndarray, shape (p, p)
        Model-based covariance, internal units.
    slopes : ndarray, shape (m + 1, p, p)
        Derivatives of ``X'V^-1 X`` in the variance parameters, internal units.
    w : ndarray, shape (m + 1, m + 1)
        Covariance of the variance parameters, from the expected information.
    """

    fit: MixedFit
    cov: Array
    phi: Array
    slopes: Array
    w: Array
    words = "Adjusted standard errors and degrees of freedom by Kenward and Roger's method."
    findings = ()

    def df(self, rows: Array) -> Array:
        """Degrees of freedom of each contrast, shape (r,); for one contrast the paper's moments give ``2 / A``."""
        scaled = self._internal(rows) @ self.phi
        variance = np.einsum("rp,rp->r", scaled, self._internal(rows))
        relative = np.einsum("ra,mab,rb->rm", scaled, self.slopes, scaled) / variance[:, None]
        return np.asarray(2 / np.einsum("ri,ij,rj->r", relative, self.w, relative))

    def joint(self, rows: Array) -> FTest:
        """Scaled F test of several contrasts.

        Raises
        ------
        FitError
            Dependent contrasts, or too few groups for so many.
        """
        wald, _ = rotated_test(self.fit.beta, self.cov, rows)
        q = len(rows)
        if q == 1:
            return FTest.of(wald, 1, float(self.df(rows)[0]))
        internal = self._internal(rows)
        theta = internal.T @ np.linalg.solve(internal @ self.phi @ internal.T, internal)
        u = theta @ self.phi @ self.slopes @ self.phi
        trace = np.einsum("maa->m", u)
        a1 = float(trace @ self.w @ trace)
        a2 = float(np.einsum("iab,ij,jba->", u, self.w, u))
        df, scale = scaled_f(a1, a2, q)
        if not (np.isfinite(df) and df > 0 and scale > 0):
            raise FitError(
                f"Kenward and Roger's method gives no F distribution for {q} contrasts at once: there are too few groups. "
                "Test fewer contrasts together."
            )
        return FTest.of(wald, q, df, scale)

    def _internal(self, rows: Array) -> Array:
        return np.asarray(np.linalg.solve(self.fit.basis.r_x.T, rows.T).T)


def kenward_roger(fit: MixedFit) -> KenwardRoger:
    """Adjusted covariance of a REML fit."""
    if fit.residual is not None:
        return _with_structure(fit)
    basis, c = fit.basis, fit.criterion
    slopes, curves, log_curves = _derivatives(fit)
    phi = c.cov_x
    phi_slopes = phi @ slopes
    crossed = np.einsum("iab,jba->ij", phi_slopes, phi_slopes)
    information = -log_curves - np.einsum("ab,ijba->ij", phi, curves) + crossed
    w = 2 * _inverse(information)
    middle = np.einsum("ij,ijab->ab", w, curves) / 2 - np.einsum(
        "ij,iab,jbc->ac", w, slopes, phi_slopes, optimize=True
    )
    adjusted = phi + 2 * phi @ middle @ phi
    back = np.linalg.inv(basis.r_x)
    cov = fit.scale * back @ adjusted @ back.T
    return KenwardRoger(fit, 0.5 * (cov + cov.T), phi, slopes, w)


def _with_structure(fit: MixedFit) -> KenwardRoger:
    """The same where the covariance of the response is not linear in the parameters of its residuals."""
    phi, made = fit.criterion.cov_x, moments(fit)
    phi_slopes = phi @ made.slopes
    crossed = np.einsum("iab,jba->ij", phi_slopes, phi_slopes)
    information = made.traces - 2 * np.einsum("ab,ijba->ij", phi, made.products) + crossed
    w = 2 * _inverse(0.5 * (information + information.T))
    middle = np.einsum("ij,ijab->ab", w, made.products - made.curves / 4)
    middle -= np.einsum("ij,iab,jbc->ac", w, made.slopes, phi_slopes, optimize=True)
    adjusted = phi + 2 * phi @ middle @ phi
    back = np.linalg.inv(fit.basis.r_x)
    cov = fit.scale * back @ adjusted @ back.T
    return KenwardRoger(fit, 0.5 * (cov + cov.T), phi, made.slopes, w)


def _derivatives(fit: MixedFit) -> tuple[Array, Array, Array]:
    """First and second derivatives of ``X'V^-1 X``, second ones of ``log|V|``, the residual variance last.

    Shapes (m + 1, p, p), (m + 1, m + 1, p, p), (m + 1, m + 1). ``V = s I + sum psi_i V_i`` is taken at ``s = 1``, where
    ``psi`` is the relative covariance ``d`` and the chain rule for ``d = psi / s`` has no powers of ``s``.
    """
    blocks, p = fit.blocks, fit.blocks.p
    relative = list(fit.record.best.relative)
    _, dl, ddl, t, dt, ddt = sweep(blocks, relative, 2)
    d = np.concatenate([relative[i][np.tril_indices(len(relative[i]))] for i in entry_terms(blocks)])
    t, dt = t[:p, :p], dt[:, :p, :p]
    m = len(d)
    rows, cols = np.tril_indices(m)
    full = np.empty((m, m, p, p))
    full[rows, cols] = full[cols, rows] = ddt[:, :p, :p]
    along = np.einsum("j,jab->ab", d, dt)
    through = np.einsum("j,ijab->iab", d, full)
    slopes = np.concatenate([dt, -(t + along)[None]])
    curves = np.empty((m + 1, m + 1, p, p))
    curves[:m, :m] = full
    curves[:m, m] = curves[m, :m] = -(2 * dt + through)
    curves[m, m] = 2 * t + 4 * along + np.einsum("i,iab->ab", d, through)
    log_curves = np.empty((m + 1, m + 1))
    log_curves[:m, :m] = ddl
    log_curves[:m, m] = log_curves[m, :m] = -(dl + ddl @ d)
    log_curves[m, m] = -blocks.n + 2 * d @ dl + d @ ddl @ d
    return slopes, curves, log_curves


def _inverse(information: Array) -> Array:
    """Inverse on the directions that the data inform, each parameter scaled to information 1."""
    size = np.sqrt(np.maximum(np.diag(information), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(information / np.outer(size, size))
    usable = values > 1e-10 * values[-1]
    vectors = vectors[:, usable] / size[:, None]
    return np.asarray((vectors / values[usable]) @ vectors.T)


def scaled_f(a1: float, a2: float, q: int) -> tuple[float, float]:
    """Denominator degrees of freedom and scale of F from the paper's ``A1`` and ``A2`` for ``q`` contrasts."""
    b = (a1 + 6 * a2) / (2 * q)
    g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
    below = 3 * q + 2 * (1 - g)
    c1, c2, c3 = g / below, (q - g) / below, (q + 2 - g) / below
    v0, v1, v2 = 1 + c1 * b, 1 - c2 * b, 1 - c3 * b
    mean = 1 - a2 / q
    ratio = 1.0 if abs(mean) < 1e-14 and abs(v1) < 1e-14 else mean / v1
    rho = ratio**2 * v0 / v2 / q
    df = 4 + (q + 2) / (q * rho - 1)
    return float(df), float(1.0 if abs(df - 2) < 0.01 else df * mean / (df - 2))
