"""From batches to the sufficient statistics of a nested design: one pass in provisional units, more only if needed."""

from dataclasses import dataclass, replace
from functools import partial, reduce

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.groups import factor
from alliance_longitudinal.engine.linalg.matrices import independent_columns, unseen_directions
from alliance_longitudinal.engine.sources.recipe import BatchRows, Recipe
from alliance_longitudinal.engine.sources.source import Source
from alliance_longitudinal.engine.sources.spill import Spill
from alliance_longitudinal.engine.statistics.products import Exact, Units, better, full, sample_units, settle
from alliance_longitudinal.engine.statistics.streamed.sums import MEMORY, Gathered, Sums
from alliance_longitudinal.errors import FitError


@dataclass(frozen=True, slots=True)
class BatchSums:
    """What one batch adds: sums of its groups, what was left out, and sums by which its rows are known again."""

    sums: Sums
    lost: int
    missing: dict[str, tuple[int, int]]
    stamp: Array


@dataclass(frozen=True, slots=True)
class Total:
    """What all batches give.

    Attributes
    ----------
    recipe : Recipe
    units : Units
    exact : Exact
    sums : Sums
        Packed cross-products of each innermost group, provisional units.
    spill : Spill or None
        These cross-products, if they are in a file.
    lost : int
    missing : dict
    log_weights : float
    stamp : ndarray, shape (4,)
        See `stamp_of`.
    """

    recipe: Recipe
    units: Units
    exact: Exact
    sums: Sums
    spill: Spill | None
    lost: int
    missing: dict[str, tuple[int, int]]
    log_weights: float
    stamp: Array


def part_of(recipe: Recipe, units: Units, batch: pd.DataFrame) -> BatchSums:
    """Sums of one batch."""
    from alliance_longitudinal.engine.linalg.compiled_products import add_rows

    rows = recipe.read(batch)
    k = len(rows.columns)
    if not len(rows.y):
        none = Sums(rows.groups, np.zeros((0, (k + 1) * (k + 2) // 2)), np.zeros(0, dtype=np.intp))
        return BatchSums(none, rows.lost, rows.missing, stamp_of(rows))
    groups = factor(rows.groups, recipe.grouping)
    values, counts = np.zeros((groups.size, (k + 1) * (k + 2) // 2)), np.zeros(groups.size, dtype=np.intp)
    add_rows(
        rows.columns,
        np.ascontiguousarray(rows.y),
        rows.root,
        groups.codes,
        units.transform,
        units.beta,
        units.y_scale,
        0,
        groups.size,
        values,
        counts,
    )
    first = np.empty(groups.size, dtype=np.intp)
    first[groups.codes[::-1]] = np.arange(len(groups.codes) - 1, -1, -1)
    labels = rows.groups.take(first).reset_index(drop=True)
    return BatchSums(Sums(labels, values, counts), rows.lost, rows.missing, stamp_of(rows))


def stamp_of(rows: BatchRows) -> Array:
    """Sums of response (less its offset) and weights that do not depend on the model: fits of the same rows share them."""
    y, total = rows.y, float(rows.y.sum())
    if not len(rows.root):
        return np.array([total, y @ y, len(y), total])
    weight = rows.root**2
    return np.array([total, y @ y, weight.sum(), weight @ y])


def log_weights_of(recipe: Recipe, batch: pd.DataFrame) -> float:
    """Sum of the logarithms of the weights of one batch."""
    return float(2 * np.log(recipe.read(batch).root).sum())


def triangle_of(recipe: Recipe, batch: pd.DataFrame) -> Array:
    """R of the QR decomposition of one batch's columns and response, which stands for its rows."""
    rows = recipe.read(batch)
    table = np.column_stack([rows.columns.T, rows.y])
    return np.asarray(np.linalg.qr(table * rows.root[:, None] if len(rows.root) else table, mode="r"))


#: Residuals this small beside the response are rounding errors, which some processors leave and others do not.
NOTHING_LEFT = 1e-9


def gather(recipe: Recipe, source: Source, memory: int = MEMORY) -> Total:
    """All sums, in units in which they lose no digits; see `Gathered` for ``memory``.

    Raises
    ------
    FitError
        The response does not vary around the fixed part.
    """
    recipe, units = _first_units(recipe, source)
    for _ in range(4):
        sums, spill, lost, missing, stamp = _pass(recipe, units, source, memory)
        packed = sums.values.sum(axis=0) if spill is None else spill.total()
        total = full(packed, len(units.transform) + 1)
        n, p = int(sums.counts.sum()), len(recipe.spec.names)
        exact = settle(total, n, p, units)
        if exact is not None and exact.y_scale <= NOTHING_LEFT * _spread_of_response(stamp, n):
            break
        if exact is not None:
            weighted = recipe.spec.weights is not None
            logs = source.map(partial(log_weights_of, recipe), recipe.used) if weighted else ()
            return Total(recipe, units, exact, sums, spill, lost, missing, float(sum(logs)), stamp)
        del sums, spill  # before another pass makes new ones
        improved = better(units, total, n, p)
        if improved is None:
            break
        units = improved
    raise FitError("The fixed part predicts the response exactly, so no variation is left for a mixed model.")


def _spread_of_response(stamp: Array, n: int) -> float:
    """SD of the response, in the weighted units of its residuals; see `stamp_of`."""
    mean = stamp[0] / n
    return float(np.sqrt(max(stamp[1] / n - mean**2, 0.0) * stamp[2] / n))


def _first_units(recipe: Recipe, source: Source) -> tuple[Recipe, Units]:
    """Units from the rows that the formula was learned from; from all rows where those leave columns in doubt."""
    if not recipe.example.dropped and not recipe.categories:
        sample = recipe.read(_example_rows(recipe, source))
        root = sample.root if len(sample.root) else np.ones(len(sample.y))
        units = sample_units((sample.columns * root).T, sample.y * root, len(recipe.spec.names))
        if units is not None:
            return recipe, units
    return _units_of_all(recipe, source)


def _example_rows(recipe: Recipe, source: Source) -> pd.DataFrame:
    return next(iter(source.map(_as_it_is, recipe.used)))


def _as_it_is(batch: pd.DataFrame) -> pd.DataFrame:
    return batch.iloc[:: max(1, len(batch) // 8192)]


def _units_of_all(recipe: Recipe, source: Source) -> tuple[Recipe, Units]:
    """A pass for the triangle of all rows: which columns are combinations of others, and exact units at once."""
    every = recipe.keeping(recipe.fixed_names)
    triangles = source.map(partial(triangle_of, every), recipe.used)
    r = reduce(lambda a, b: np.asarray(np.linalg.qr(np.vstack([a, b]), mode="r")), triangles)
    n = max(1, sum(source.map(partial(_rows_of, recipe), recipe.used)))
    fixed = independent_columns(r[:, : len(every.spec.names)])
    kept = recipe.keeping(tuple(every.distinct[j] for j in fixed))
    p, k = len(fixed), len(kept.distinct)
    if p < len(every.spec.names):
        kept = replace(kept, spec=replace(kept.spec, unseen=unseen_directions(r[:, : len(every.spec.names)])))
    if n <= k:
        raise FitError(
            f"{n} complete rows are too few to estimate {p} fixed effects, the random effects and a residual. Leave out terms."
        )
    columns = r[:, [*(every.distinct.index(name) for name in kept.distinct), -1]]
    free = independent_columns(columns[:, :k])
    kept = replace(kept, combined=_combinations(kept.distinct, columns[:, :k], free))
    r = np.asarray(np.linalg.qr(columns[:, [*free, -1]], mode="r"))
    r = np.where(np.diag(r) < 0, -1.0, 1.0)[:, None] * r
    rest, size, k = np.abs(r[p:, -1]), np.sqrt(n), len(free)
    transform = np.linalg.inv(r[:k, :k]) * size
    beta = np.linalg.solve(r[:p, :p], r[:p, -1])
    return kept, Units(
        np.asarray(transform), np.asarray(beta), max(float(np.sqrt(rest @ rest)), 1e-300) / size
    )


def _combinations(names: tuple[str, ...], columns: Array, free: list[int]) -> dict[str, Array]:
    """Each column that is a combination of the free ones: its coefficients, shape (number of free ones,)."""
    others = [j for j in range(len(names)) if j not in free]
    found: Array = np.asarray(
        np.linalg.lstsq(columns[:, free], columns[:, others], rcond=None)[0], dtype=float
    )
    return {names[j]: found[:, i] for i, j in enumerate(others)}


def _rows_of(recipe: Recipe, batch: pd.DataFrame) -> int:
    return len(recipe.read(batch).y)


def _pass(
    recipe: Recipe, units: Units, source: Source, memory: int
) -> tuple[Sums, Spill | None, int, dict[str, tuple[int, int]], Array]:
    gathered, lost, stamp = Gathered(memory), 0, np.zeros(4)
    missing: dict[str, tuple[int, int]] = {}
    for part in source.map(partial(part_of, recipe, units), recipe.used):
        if len(part.sums):
            gathered.add(part.sums)
        lost += part.lost
        stamp = stamp + part.stamp
        for name, (lacks, alone) in part.missing.items():
            before = missing.get(name, (0, 0))
            missing[name] = before[0] + lacks, before[1] + alone
    return gathered.settle(), gathered.spill, lost, missing, stamp
