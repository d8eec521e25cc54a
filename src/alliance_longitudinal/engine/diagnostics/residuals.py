"""Residuals of every kind, of the fit's own response or of simulated ones at the fit's variances."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.equations import Equations, equations
from alliance_longitudinal.engine.fitted.noise import noise_of_fit
from alliance_longitudinal.errors import FitError

#: Most random effects of groups that hang together, whose rows are whitened by a dense decomposition.
LARGEST = 3000


@dataclass(frozen=True, slots=True)
class Standing:
    """A fit at its variances, ready for any response.

    Attributes
    ----------
    fit : MixedFit
    system : Equations
    """

    fit: MixedFit
    system: Equations

    def residuals(self, kind: str, response: Array) -> Array:
        """Residuals of responses (n, N), coefficients and modes estimated from each; see `residuals`."""
        gamma, effects = self.system.estimates(self.fit, response)
        c, basis = self.system.columns, self.fit.basis
        fixed = self.fit.design.x @ basis.beta_ols
        marginal = (response.T - fixed).T - basis.y_scale * (c.raw_x @ gamma)
        if kind == "marginal":
            return np.asarray(marginal)
        if kind == "whitened":
            return _whitened(self.fit, self.system, c.rows @ marginal)
        conditional = marginal - basis.y_scale * (c.raw_z @ effects)
        if kind == "conditional":
            return np.asarray(conditional)
        return np.asarray((conditional.T / np.sqrt(self.fit.scale * noise_of_fit(self.fit))).T)

    def modes(self, t: int, effect: int, response: Array) -> Array:
        """Modes of one effect of a term for responses (n, N), in the user's units; shape (groups, N)."""
        _, effects = self.system.estimates(self.fit, response)
        back = np.linalg.inv(self.fit.basis.b[t])
        q = len(back)
        start = self.system.columns.starts[t]
        size = self.fit.design.factors[self.fit.design.terms[t].factor].size
        own = effects[start : start + size * q].reshape(size, q, -1)
        return np.asarray(self.fit.basis.y_scale * np.einsum("q,jqn->jn", back[effect], own))


def standing(fit: MixedFit) -> Standing:
    """A fit, made ready."""
    return Standing(fit, equations(fit))


def residuals(fit: MixedFit, kind: str) -> Array:
    """Residuals of the fit's rows, shape (n,).

    Parameters
    ----------
    kind : {"conditional", "marginal", "pearson", "whitened"}
        Response less its expectation in its own groups; less the fixed part only; the first divided by the residual's
        standard deviation; or the second made uncorrelated with variance one, ``V^-1/2 (y - X b)``, within the groups
        that hang together (Houseman, Ryan and Coull 2004, J Am Stat Assoc 99:383-394, with the symmetric root, which does
        not depend on the order of the rows).
    """
    return standing(fit).residuals(kind, fit.design.centred[:, None])[:, 0]


def _whitened(fit: MixedFit, system: Equations, rows: Array) -> Array:
    """``(I + B B')^-1/2 r`` for each set of groups that hang together, ``B = ZL``.

    With ``B'B = Q l Q'`` it is ``r + B Q f(l) Q'B'r`` where ``f(l) = (1 / sqrt(1 + l) - 1) / l``.
    """
    zl = sparse.csr_array(system.columns.z @ system.lower)
    out = rows / np.sqrt(fit.scale)
    for at, used in _together(zl):
        if len(used) > LARGEST:
            raise FitError(
                f"Groups with {len(used)} random effects hang together; residuals are whitened for at most {LARGEST}. Use "
                "kind='conditional' or 'marginal'."
            )
        b = zl[at][:, used].toarray()
        values, vectors = np.linalg.eigh(b.T @ b)
        values = np.maximum(values, 0.0)
        root = np.sqrt(1 + values)
        shrink = -1 / (root * (1 + root))
        out[at] += b @ (vectors @ (shrink[:, None] * (vectors.T @ (b.T @ out[at]))))
    return np.asarray(out)


def _together(zl: sparse.csr_array) -> list[tuple[Index, Index]]:
    """Rows and columns of each connected part of the effects' design."""
    pattern = sparse.csr_array((zl != 0).astype(float))
    _, part = connected_components(pattern.T @ pattern, directed=False)
    of_row = np.full(zl.shape[0], -1)
    counts = np.diff(pattern.indptr)
    of_row[counts > 0] = part[pattern.indices[pattern.indptr[:-1][counts > 0]]]
    order, columns = np.argsort(of_row, kind="stable"), np.argsort(part, kind="stable")
    out = []
    for p in range(part.max() + 1 if len(part) else 0):
        at = order[np.searchsorted(of_row[order], p) : np.searchsorted(of_row[order], p, "right")]
        used = columns[np.searchsorted(part[columns], p) : np.searchsorted(part[columns], p, "right")]
        if len(at):
            out.append((at, used))
    return out
