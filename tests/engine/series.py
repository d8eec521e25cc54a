"""Simulated three-level series with gaps, strata and single-row groups, and the dense oracle of a residual structure."""

import numpy as np
import pandas as pd

from alliance_longitudinal import AR1, CAR1
from inside.engine_design import design
from inside.engine_linalg import dense
from inside.engine_statistics import basis, build_model, columns_of
from inside.engine_statistics import nested as blocks


def series(seed, outer=7, inner=6, rows=9, phi=0.5, ratios=(1.0, 1.6, 0.7), slopes=(1.0, 1.0)):
    """Unbalanced growth with gaps in ``order``, irregular ``time``, strata ``how`` and AR1 residuals."""
    rng = np.random.default_rng(seed)
    table = []
    for o in range(outer):
        b_outer = rng.normal(size=2) * [1.5, 0.3] * np.array(slopes[0])
        for i in range(rng.integers(2, inner + 1)):
            b_inner = rng.normal(size=2) * [2.0, 0.4] * np.array(slopes[1])
            size = int(rng.integers(1, rows + 1))
            order = np.sort(rng.choice(rows + 3, size, replace=False))
            time = np.sort(rng.choice(300, size, replace=False)) / 10
            how = rng.choice(len(ratios), size)
            r = phi ** np.abs(order[:, None] - order)
            e = 1.5 * np.array(ratios)[how] * (np.linalg.cholesky(r) @ rng.normal(size=size))
            y = 12 - 0.5 * order + b_outer[0] + b_inner[0] + (b_outer[1] + b_inner[1]) * order + e
            arm = int(rng.integers(0, 2))
            for j in range(size):
                table.append((f"o{o}", f"o{o}i{i}", arm, order[j], time[j], "abc"[how[j]], y[j]))
    columns = ["outer", "inner", "arm", "order", "time", "how", "y"]
    return pd.DataFrame(table, columns=columns).sample(frac=1, random_state=seed).reset_index(drop=True)


def model_of(formula, frame, structure, weights=None):
    """Design, basis and residual model of a formula."""
    _, made = design.learn(formula, frame, weights, None, columns_of(structure))
    made_basis = basis.build(made)
    return made, made_basis, build_model(structure, made, made_basis, blocks.build(made, made_basis))


def dense_residual(frame, group, structure, phi, ratios):
    """Relative covariance of the residuals, written out pair by pair; ``ratios`` maps stratum to SD ratio."""
    codes = frame[group].to_numpy()
    same = codes[:, None] == codes
    sd = np.ones(len(frame))
    if structure.strata is not None:
        sd = frame[structure.strata].map(ratios).to_numpy(float)
    if not isinstance(structure, AR1 | CAR1):
        return np.diag(sd**2)
    position = frame[structure.order if isinstance(structure, AR1) else structure.time].to_numpy(float)
    return same * phi ** np.abs(position[:, None] - position) * np.outer(sd, sd)


def natural(model, tau):
    """Correlation per unit of time and ratios by stratum, from the internal parameters."""
    pattern = model.pattern
    phi, ratios = 0.0, tau
    if pattern.correlated:
        ratios = tau[1:]
        ar1 = isinstance(pattern.structure, AR1)
        phi = np.tanh(tau[0]) if ar1 else np.exp(-np.exp(-tau[0]) / pattern.unit)
    return phi, dict(zip(pattern.strata, np.exp([0.0, *ratios]), strict=True))


def dense_covariance(made, made_basis, relative, residual, scale):
    """Covariance of the response at relative covariances and a relative residual covariance."""
    v = scale * residual
    for term, d, b in zip(made.terms, relative, made_basis.b, strict=True):
        back = np.linalg.inv(b)
        codes = made.factors[term.factor].codes
        v = v + (codes[:, None] == codes) * (term.z @ (scale * back @ d @ back.T) @ term.z.T)
    return v


def dense_value(made, made_basis, model, tau, relative, reml, criterion, frame):
    """-2 log-likelihood from the rows."""
    group = made.factors[made.terms[model.levels[0].terms[0]].factor].columns[0]
    phi, ratios = natural(model, tau)
    residual = dense_residual(frame, group, model.pattern.structure, phi, ratios)
    if made.weights is not None:
        residual = residual / np.sqrt(np.outer(made.weights, made.weights))
    scale = criterion.rss / criterion.nu * made_basis.y_scale**2
    v = dense_covariance(made, made_basis, relative, residual, scale)
    return dense.deviance(made.y, made.x, v, reml), v
