"""Cluster-robust covariances CR0 and CR2 with their small-sample tests.

Bell and McCaffrey (2002), Survey Methodology 28:169-181; Pustejovsky and Tipton (2018), J Bus Econ Stat 36:672-683, with
the fitted model as working model, as clubSandwich does for lme4.
"""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.counts import Count, Number
from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.design.groups import Factor
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.inference.cells import Cells, condense
from alliance_longitudinal.engine.inference.protocol import FTest, rotated_test
from alliance_longitudinal.engine.statistics.structured.whiten import relative_covariance
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say

#: Fewer clusters than this are said to be few.
FEW_CLUSTERS = 10
#: Most coordinates of one cluster, whose covariance is a dense matrix.
LARGEST = 3000


@dataclass(frozen=True, slots=True)
class ClusterRobust:
    """A cluster-robust covariance, and what its degrees of freedom need.

    With ``u`` the weights that a contrast gives to the residuals of a cluster, the variance of the contrast is a sum over
    clusters of ``(u'e)^2``. Internal units.

    Attributes
    ----------
    fit : MixedFit
    kind : {"CR0", "CR2"}
    clusters : Factor
    cov : ndarray, shape (p, p)
        Robust covariance of the coefficients, in the user's units.
    own : ndarray, shape (G, p, p)
        ``u'V u`` of each cluster, for every pair of coefficients.
    fixed : ndarray, shape (G, p, p)
        ``X'u`` of each cluster, one column a coefficient.
    """

    fit: MixedFit
    kind: str
    clusters: Factor
    cov: Array
    own: Array
    fixed: Array

    @property
    def words(self) -> str:
        """What it is, in one sentence."""
        return (
            f"Cluster-robust ({self.kind}) standard errors, {self.clusters.size} clusters of {self.clusters.name}, and "
            "Satterthwaite's degrees of freedom."
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """That there are few clusters."""
        return few_clusters(self.clusters)

    def df(self, rows: Array) -> Array:
        """Degrees of freedom ``2 E(v)^2 / Var(v)`` of each contrast's variance under the fitted model, shape (r,)."""
        return np.array([2 / self._relative_variance(row[None])[0] for row in self._internal(rows)])

    def joint(self, rows: Array) -> FTest:
        """Approximate Hotelling test (HTZ; Tipton and Pustejovsky 2015, J Educ Behav Stat 40:604-634).

        Raises
        ------
        FitError
            Too few clusters for so many contrasts.
        """
        q = len(rows)
        if q < self.clusters.size:
            wald, _ = rotated_test(self.fit.beta, self.cov, rows)
            total, _ = self._relative_variance(self._internal(rows))
            nu = q * (q + 1) / total
            if nu > q - 1:
                return FTest.of(wald, q, nu - q + 1, (nu - q + 1) / nu)
        raise FitError(
            f"{self.clusters.size} clusters of {self.clusters.name!r} are too few for a joint test of {q} contrasts. Test "
            "fewer contrasts together."
        )

    def _relative_variance(self, rows: Array) -> tuple[float, Array]:
        """Total variance of the covariance's entries, its mean scaled to the identity, and that mean.

        ``Cov(u_i'e, u_j'e) = 1(i = j) own_i - fixed_i' M fixed_j`` summed over all pairs of clusters, without a matrix
        of pairs.

        Raises
        ------
        FitError
            The variance of a contrast is zero.
        """
        turned = np.linalg.cholesky(self.fit.criterion.cov_x).T @ self.fixed @ rows.T
        own = rows @ self.own @ rows.T
        mean = (own - turned.transpose(0, 2, 1) @ turned).sum(axis=0)
        if not (np.diag(mean) > 1e-10 * np.diag(own.sum(axis=0))).all():
            raise FitError(
                f"With clusters of {self.clusters.name!r} the robust variance of a contrast is zero, so it has no degrees of freedom: the model "
                "predicts the response exactly, or the contrast rests on one cluster."
            )
        values, vectors = np.linalg.eigh(mean)
        scale = (vectors / np.sqrt(values)) @ vectors.T
        turned, own = turned @ scale, scale @ own @ scale
        both = turned.transpose(0, 2, 1) @ turned
        pairs = np.einsum("gas,gct->asct", turned, turned, optimize=True)
        traces = np.einsum("gss->g", own), np.einsum("gss->g", both)
        products = np.sum(own * own) - 2 * np.sum(own * both) + np.sum(pairs * pairs.transpose(0, 3, 2, 1))
        squares = np.sum(traces[0] ** 2) - 2 * np.sum(traces[0] * traces[1]) + np.sum(pairs**2)
        return float(products + squares), mean

    def _internal(self, rows: Array) -> Array:
        return np.asarray(np.linalg.solve(self.fit.basis.r_x.T, rows.T).T)


def few_clusters(clusters: Factor) -> tuple[Finding, ...]:
    """A finding where the clusters are few."""
    if clusters.size >= FEW_CLUSTERS:
        return ()
    return (
        Finding(
            "few_clusters",
            "caution",
            say(
                "Robust standard errors from {n:noun} of {name} are uncertain. With fewer than "
                "{least}, look at the degrees of freedom.",
                n=Count(clusters.size, "cluster"),
                name=clusters.name,
                least=Number(FEW_CLUSTERS, "integer"),
            ),
            where=clusters.name,
        ),
    )


def cluster_robust(fit: MixedFit, kind: str, clusters: Factor) -> ClusterRobust:
    """Robust covariance with the fitted model as working model.

    Parameters
    ----------
    kind : {"CR0", "CR2"}
    clusters : Factor
        Over the rows of the design; every group of the random effects lies in one of them.

    Raises
    ------
    FitError
        A cluster is too large for a dense matrix, or a coefficient depends on one cluster only.
    """
    cells = condense(fit)
    member = clusters.codes[cells.row]
    order = np.argsort(member, kind="stable")
    edges = np.searchsorted(member[order], np.arange(clusters.size + 1))
    p, size = fit.blocks.p, np.diff(edges)
    if size.max() > LARGEST:
        raise FitError(
            f"Cluster {clusters.levels[int(size.argmax())]!r} of {clusters.name!r} has {size.max()} coordinates; robust "
            f"standard errors are computed for at most {LARGEST} a cluster. Choose smaller clusters."
        )
    own, fixed = np.empty((clusters.size, p, p)), np.empty((clusters.size, p, p))
    scores = np.empty((clusters.size, p))
    residual = cells.y - cells.columns[:, :p] @ fit.criterion.beta
    for g in range(clusters.size):
        at = order[edges[g] : edges[g + 1]]
        x, v = cells.columns[at, :p], _covariance(fit, cells, at)
        u = _weights(x, v, fit.criterion.cov_x, kind)
        own[g], fixed[g], scores[g] = u.T @ v @ u, x.T @ u, u.T @ residual[at]
    _refuse_one_cluster(fit, clusters, own, fixed)
    back = fit.basis.y_scale * np.linalg.inv(fit.basis.r_x)
    return ClusterRobust(fit, kind, clusters, back @ (scores.T @ scores) @ back.T, own, fixed)


def _refuse_one_cluster(fit: MixedFit, clusters: Factor, own: Array, fixed: Array) -> None:
    """Stop where the robust variance of a coefficient is zero whatever the data say."""
    m, back = fit.criterion.cov_x, np.linalg.inv(fit.basis.r_x)
    expected = (own - fixed.transpose(0, 2, 1) @ m @ fixed).sum(axis=0)
    share = np.diag(back @ expected @ back.T) / np.diag(back @ m @ back.T)
    alone = [name for name, part in zip(fit.design.names, share, strict=True) if part < 1e-8]
    if alone:
        raise FitError(
            f"{', '.join(alone)} can be estimated within a single cluster of {clusters.name!r} only, so that its robust "
            "variance is zero. Leave out the term or use cov_type='model'."
        )


def _covariance(fit: MixedFit, cells: Cells, at: Index) -> Array:
    """Relative covariance of the coordinates of one cluster."""
    v = np.eye(len(at))
    if fit.residual is not None:
        model = fit.residual.model
        inner = fit.design.factors[fit.design.terms[model.levels[0].terms[0]].factor].codes
        v = relative_covariance(model.pattern, fit.residual.tau, inner, cells.row[at])
    for t, term in enumerate(fit.design.terms):
        z = cells.columns[at] @ fit.basis.c[t]
        v += fit.design.factors[term.factor].overlap(cells.row[at]) * (z @ fit.record.best.relative[t] @ z.T)
    return v


def _weights(x: Array, v: Array, m: Array, kind: str) -> Array:
    """``A V^-1 X M``: weights of one cluster's residuals in each coefficient, shape (d, p).

    For CR2 ``A`` is the symmetric solution of ``A (V - X M X') A = V``, which makes the variance unbiased under the
    fitted model; with ``V = R R'`` it is ``R (R' (V - X M X') R)^-1/2 R'``.
    """
    root = np.linalg.cholesky(v)
    whitened = np.linalg.solve(root, x @ m)
    if kind == "CR0":
        return np.asarray(np.linalg.solve(root.T, whitened))
    inner = root.T @ (v - x @ m @ x.T) @ root
    values, vectors = np.linalg.eigh(0.5 * (inner + inner.T))
    usable = values > 1e-12 * values[-1]
    vectors = vectors[:, usable]
    return np.asarray(root @ (vectors / np.sqrt(values[usable]) @ (vectors.T @ whitened)))
