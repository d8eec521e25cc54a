"""Designs whose groupings cross, nest or have several members, with the dense likelihood beside them."""

import numpy as np
import pandas as pd

import alliance_longitudinal as al
from inside.engine_design import learn, learn_with_members
from inside.engine_linalg import dense
from inside.engine_statistics import basis as internal
from inside.engine_statistics import build

PARTS = [
    "(1 | unit) + (1 + t | item)",
    "(1 + t | unit) + (1 | item)",
    "(1 + t || unit) + (1 + t || outer)",
    "(1 + t | outer/unit) + (1 | item)",
    "(1 + t | unit) + (1 + t | outer) + (1 | item) + (0 + x | item)",
    "(1 | item) + (1 | outer:item) + (1 | unit)",
    "(1 | outer/unit)",
    "(1 + t | leader) + (t | unit)",
    "(1 | leader) + (1 | outer/unit) + (1 | item)",
    "(1 | leader) + (1 | mentor) + (1 | unit)",
]
MEMBERSHIP = {
    "leader": al.MultipleMembership(["l1", "l2", "l3"], ["w1", "w2", "w3"]),
    "mentor": al.MultipleMembership(["l2", "l1"]),
}


def crossing_frame(seed, units=12, rows=4, moved=3):
    """Rows of units in outer groups, some of which change; items and leaders across."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(units), rng.integers(1, rows + 1, units))
    n = len(unit)
    outer = (unit % 4) * 11
    change = np.isin(unit, rng.choice(units, moved, replace=False)) & (rng.random(n) < 0.5)
    frame = pd.DataFrame({"unit": unit + 2**62, "outer": np.where(change, 22, outer)})
    frame["t"] = rng.integers(0, 5, n).astype(float)
    frame["x"] = rng.normal(size=n)
    frame["item"] = [f"i{j}" for j in rng.integers(0, 5, n)]
    frame["l1"] = rng.integers(0, 6, n)
    two, three = rng.random(n) < 0.5, rng.random(n) < 0.3
    frame["l2"] = np.where(two, rng.integers(0, 6, n), np.nan)
    frame["l3"] = np.where(two & three, rng.integers(0, 6, n), np.nan)
    frame["w1"] = np.where(two, np.where(three, 0.2, 0.6), 1.0)
    frame["w2"] = np.where(two, 0.4, np.nan)
    frame["w3"] = np.where(two & three, 0.4, np.nan)
    frame["w"] = rng.uniform(0.5, 2, n)
    frame["y"] = 3 + frame["t"] + rng.normal(size=units)[unit] + rng.normal(size=n)
    return frame


def learned(formula, frame, weights=None):
    """Design of a formula; leaders and mentors are memberships."""
    used = {name: how for name, how in MEMBERSHIP.items() if name in formula}
    if used:
        return learn_with_members(formula, frame, used, weights)[1]
    return learn(formula, frame, weights)[1]


def crossing_of(formula, frame, weights=None):
    """Design, basis and crossed statistics."""
    design = learned(formula, frame, weights)
    basis = internal.build(design)
    return design, basis, build(design, basis)


def dense_parts(design, basis, relative, scale):
    """Covariance of the response, and each term's spread-out effects and covariance, in the user's units."""
    n = len(design.y)
    v = scale * np.diag(np.ones(n) if design.weights is None else 1 / design.weights)
    spread = []
    for term, d, b in zip(design.terms, relative, basis.b, strict=True):
        back = np.linalg.inv(b)
        psi = scale * back @ d @ back.T
        share = design.factors[term.factor].share.toarray()
        z = np.einsum("nj,nq->njq", share, term.z).reshape(n, -1)
        whole = np.kron(np.eye(share.shape[1]), psi)
        v = v + z @ whole @ z.T
        spread.append((z, whole))
    return v, spread


def dense_deviance(design, basis, criterion, relative, reml):
    """The textbook deviance at the criterion's residual variance, and the same from the criterion."""
    scale = criterion.rss / criterion.nu * basis.y_scale**2
    v, spread = dense_parts(design, basis, relative, scale)
    ours = criterion.value + 2 * criterion.nu * np.log(basis.y_scale) - basis.log_weights
    ours += 2 * np.log(np.diag(basis.r_x)).sum() if reml else 0.0
    return dense.deviance(design.y, design.x, v, reml), ours, v, spread
