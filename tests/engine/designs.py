"""Simulated designs for the engine's tests: outer and inner groups, crossed items, unbalanced, near-singular truths."""

import numpy as np
import pandas as pd

from inside.engine_design import design
from inside.engine_search import criterion, theta
from inside.engine_statistics import basis
from inside.engine_statistics import nested as blocks

GROWTH = "y ~ week * rating + arm + (1 + week | outer/inner)"


def three_levels(seed, outer=8, inner=5, rows=6, truth=(1.0, 1.0), unit=1.0):
    """Unbalanced growth data; ``truth`` scales the random effects' standard deviations at the two levels."""
    rng = np.random.default_rng(seed)
    table = []
    for o in range(outer):
        b_outer = rng.normal(size=2) * [2.0, 0.5] * np.array(truth[0])
        for i in range(rng.integers(1, inner + 1)):
            b_inner = rng.normal(size=2) * [2.5, 0.5] * np.array(truth[1])
            rating = rng.normal()
            for week in range(rng.integers(1, rows + 1)):
                mean = 15 - 0.8 * week + 0.2 * rating * week + b_outer[0] + b_inner[0]
                y = mean + (b_outer[1] + b_inner[1]) * week + 2 * rng.normal()
                item = int(rng.integers(0, 4))
                table.append((o, f"{o}-{i}", i, week * unit, rating, o % 2, item, y, rng.uniform(0.5, 2)))
    columns = ["outer", "unique", "inner", "week", "rating", "arm", "item", "y", "w"]
    return pd.DataFrame(table, columns=columns)


def blocks_of(formula, frame, weights=None):
    """Design, basis, blocks of a formula."""
    _, made = design.learn(formula, frame, weights)
    made_basis = basis.build(made)
    return made, made_basis, blocks.build(made, made_basis)


def face_of(made_basis, made_blocks):
    sizes = tuple(len(b) for b in made_basis.b)
    return theta.Face(sizes, sizes, tuple(criterion.entry_terms(made_blocks)))


def entries(made_blocks, relative):
    """Stacked covariance entries as (term, row, column), in the criterion's order."""
    order = criterion.entry_terms(made_blocks)
    return [(t, i, j) for t in order for i in range(len(relative[t])) for j in range(i + 1)]


def random_relative(made_basis, rng, zero=False):
    """Random relative covariances; with ``zero`` each has rank one less than full."""
    out = []
    for b in made_basis.b:
        a = rng.normal(size=(len(b), len(b) - 1 if zero else len(b)))
        out.append(0.5 * a @ a.T)
    return out
