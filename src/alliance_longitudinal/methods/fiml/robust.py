"""Standard errors that allow for rows which belong together, such as the clients of one therapist."""

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.methods.fiml.likelihood import Model, jacobian, local, triangle
from alliance_longitudinal.methods.fiml.patterns import Floats, patterns


def scores(values: Floats, spec: Model, free: Floats) -> Floats:
    """Gradient of each row's log-likelihood, shape (n, q); rows of ``values``, (n, p), without any value have zeros."""
    mean, cov = spec.moments(free)
    n, p = values.shape
    i, j, _, times = triangle(p)
    known = ~np.isnan(values)
    out = np.zeros((n, p + len(i)))
    kinds, which = np.unique(known, axis=0, return_inverse=True)
    for k, kind in enumerate(kinds):
        rows = np.flatnonzero(which.ravel() == k)
        if not kind.any():
            continue
        square = np.ix_(kind, kind)
        weight = np.zeros((p, p))
        weight[square] = np.linalg.inv(cov[square])
        pull = np.where(kind, values[rows] - mean, 0.0) @ weight
        out[rows, :p] = pull
        out[rows, p:] = (pull[:, i] * pull[:, j] - weight[i, j]) * times / 2
    return np.asarray(out @ jacobian(spec, free).T)


def sandwich(bread: Floats, rows: Floats, clusters: NDArray[np.int64]) -> Floats:
    """Cluster-robust covariance (q, q): ``bread`` times the crossproduct of the clusters' scores times ``bread``.

    It is multiplied by J / (J - 1) for J clusters, as lavaan does.

    Parameters
    ----------
    bread : float array, shape (q, q)
        Inverse of the observed information.
    rows : float array, shape (n, q)
        Scores of the rows.
    clusters : int array, shape (n,)
        Code of each row's cluster, 0, 1, ...
    """
    sums = np.zeros((int(clusters.max()) + 1, rows.shape[1]))
    np.add.at(sums, clusters, rows)
    j = len(sums)
    return np.asarray(bread @ (sums.T @ sums) @ bread) * j / (j - 1)


def jackknife(values: Floats, spec: Model, free: Floats, clusters: NDArray[np.int64]) -> Floats:
    """Covariance (q, q) from leaving out one cluster at a time, each by one Newton step from the estimates.

    ``(J - 1) / J sum_j d_j d_j'`` with ``d_j = (H - H_j)^-1 s_j``: the score ``s_j`` and the observed information ``H_j`` of cluster j.
    It is what CR3 is for least squares (Bell & McCaffrey 2002; MacKinnon, Nielsen & Webb 2023, doi 10.1002/jae.2969). With few clusters
    the crossproduct of their scores is too small, because the estimates have followed each of them; this is not.

    Parameters
    ----------
    values : float array, shape (n, p)
        Rows with at least one value.
    free : float array, shape (q,)
        The estimates.
    clusters : int array, shape (n,)
        Code of each row's cluster, 0, 1, ...
    """
    sums = np.zeros((int(clusters.max()) + 1, len(free)))
    np.add.at(sums, clusters, scores(values, spec, free))
    own = [
        local(patterns(values[clusters == j]), spec, free, "observed").information for j in range(len(sums))
    ]
    whole = np.sum(own, axis=0)
    steps = np.stack([np.linalg.solve(whole - h, s) for h, s in zip(own, sums, strict=True)])
    return np.asarray(steps.T @ steps) * (len(sums) - 1) / len(sums)
