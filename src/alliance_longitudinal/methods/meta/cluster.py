"""Standard errors that hold whatever the effects of one study have in common: CR2 by study."""

import numpy as np

from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.meta.evidence import Evidence, at


def cr2(e: Evidence, a: float, b: float) -> tuple[Floats, Floats]:
    """CR2 covariance of the coefficients, shape (p, p), and Satterthwaite's degrees of freedom, shape (p,).

    Bell & McCaffrey (2002); Pustejovsky & Tipton (2018, doi 10.1080/07350015.2016.1247004), with the fitted covariance as
    working model: residuals of study g get the weights ``u_g = A_g V_g^-1 X_g M`` with ``A (V - X M X') A = V``.
    """
    point = at(e, a, b, reml=True)
    m, residual = point.cov, e.y - e.x @ point.beta
    p = e.x.shape[1]
    own, fixed = np.empty((e.studies, p)), np.empty((e.studies, p, p))
    scores = np.empty((e.studies, p))
    for g in range(e.studies):
        rows = np.flatnonzero(e.study == g)
        v = np.diag(e.v[rows] + b) + a
        u = _weights(e.x[rows], v, m)
        own[g] = np.einsum("rp,rs,sp->p", u, v, u)
        fixed[g] = e.x[rows].T @ u
        scores[g] = u.T @ residual[rows]
    df = np.empty(p)
    for i in range(p):
        shared = fixed[:, :, i] @ m @ fixed[:, :, i].T
        products = np.diag(own[:, i]) - shared
        df[i] = np.trace(products) ** 2 / np.sum(products**2)
    return scores.T @ scores, df


def _weights(x: Floats, v: Floats, m: Floats) -> Floats:
    """Weights of one study's residuals in each coefficient, shape (n, p)."""
    root = np.linalg.cholesky(v)
    inner = root.T @ (v - x @ m @ x.T) @ root
    values, vectors = np.linalg.eigh(0.5 * (inner + inner.T))
    usable = values > 1e-12 * max(values[-1], 1e-300)
    vectors = vectors[:, usable]
    whitened = np.linalg.solve(root, x @ m)
    return np.asarray(root @ (vectors / np.sqrt(values[usable]) @ (vectors.T @ whitened)))
