"""Slow, independent versions of what the generalised engine computes: densities by SciPy, dense matrices, plain sums."""

import numpy as np
from scipy import optimize, special, stats


def log_density(family, link, y, size, eta, aux):
    """Log-density of every row, with all constants."""
    if family == "binomial":
        p = special.expit(eta) if link == "logit" else 1 - np.exp(-np.exp(eta))
        return stats.binom.logpmf(y, size, p)
    if family == "poisson":
        return stats.poisson.logpmf(y, np.exp(eta))
    if family == "negative-binomial":
        theta, mu = np.exp(aux[0]), np.exp(eta)
        return stats.nbinom.logpmf(y, theta, theta / (theta + mu))
    cuts = np.concatenate([[-np.inf], aux, [np.inf]])
    k = np.asarray(y, dtype=int)
    return np.log(special.expit(cuts[k + 1] - eta) - special.expit(cuts[k] - eta))


def dense_parts(design, psi):
    """All random effects as one matrix: Z (n, all) and a root of their covariance."""
    n = len(design.y)
    blocks, roots = [], []
    for term, covariance in zip(design.terms, psi, strict=True):
        factor = design.factors[term.factor]
        q = len(term.names)
        z = np.zeros((n, factor.size * q))
        for i, j in enumerate(factor.codes):
            z[i, j * q : (j + 1) * q] = term.z[i]
        blocks.append(z)
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0))
        roots.append(np.kron(np.eye(factor.size), root))
    size = sum(r.shape[0] for r in roots)
    root, at = np.zeros((size, size)), 0
    for r in roots:
        root[at : at + len(r), at : at + len(r)] = r
        at += len(r)
    return np.concatenate(blocks, axis=1), root


def laplace(design, response, beta, aux, psi):
    """-2 log-likelihood by Laplace's method: modes by a general optimiser, W by numerical second derivatives."""
    family, link = response.family.name, response.family.link
    z, root = dense_parts(design, psi)
    loadings = z @ root
    fixed = design.x @ beta + (0 if design.offset is None else design.offset)

    def rows(eta):
        return log_density(family, link, response.y, response.size, eta, aux)

    def slope(eta, h=1e-4):
        return (8 * (rows(eta + h) - rows(eta - h)) - (rows(eta + 2 * h) - rows(eta - 2 * h))) / (12 * h)

    def objective(u):
        eta = fixed + loadings @ u
        return u @ u / 2 - rows(eta).sum(), u - loadings.T @ slope(eta)

    found = optimize.minimize(
        objective, np.zeros(loadings.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-8}
    )
    eta, h = fixed + loadings @ found.x, 2e-3
    second = -rows(eta + 2 * h) + 16 * rows(eta + h) - 30 * rows(eta) + 16 * rows(eta - h) - rows(eta - 2 * h)
    w = -second / (12 * h**2)
    information = np.eye(loadings.shape[1]) + loadings.T @ (w[:, None] * loadings)
    return 2 * found.fun + np.linalg.slogdet(information)[1]


def brute_force(design, response, beta, aux, psi, nodes=120):
    """-2 log-likelihood of one scalar factor, or of two nested ones, by a fixed grid over +-9 standard deviations."""
    family, link = response.family.name, response.family.link
    fixed = design.x @ beta + (0 if design.offset is None else design.offset)
    x, weights = np.polynomial.legendre.leggauss(nodes)
    x, log_phi = 9 * x, np.log(9 * weights) + stats.norm.logpdf(9 * x)
    order = sorted(range(len(design.terms)), key=lambda t: -design.factors[design.terms[t].factor].size)
    inner = design.terms[order[0]]
    codes = design.factors[inner.factor].codes
    sd = np.sqrt(psi[order[0]][0, 0])

    def integrate(eta, which):
        out = np.zeros(len(which))
        for m, j in enumerate(which):
            at = codes == j
            eta_at = eta[at][:, None] + inner.z[at] * sd * x
            y, size = response.y[at][:, None], response.size[at][:, None]
            out[m] = special.logsumexp(log_phi + log_density(family, link, y, size, eta_at, aux).sum(axis=0))
        return out

    if len(order) == 1:
        return -2 * integrate(fixed, np.unique(codes)).sum()
    outer = design.terms[order[1]]
    above, top = design.factors[outer.factor].codes, np.sqrt(psi[order[1]][0, 0])
    total = 0.0
    for g in np.unique(above):
        which = np.unique(codes[above == g])
        terms = [
            p + integrate(fixed + outer.z[:, 0] * top * u, which).sum()
            for p, u in zip(log_phi, x, strict=True)
        ]
        total += special.logsumexp(terms)
    return -2 * total
