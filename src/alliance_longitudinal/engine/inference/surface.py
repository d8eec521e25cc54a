"""The deviance with exact derivatives in the coordinates of a chart."""

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.inference.charts import Chart, Placed, offsets
from alliance_longitudinal.engine.inference.family import Source, statistics_at
from alliance_longitudinal.engine.search.criterion import Criterion, profiled


def surface(
    source: Source, reml: bool, chart: Chart, u: Array, order: int, back: Array | None
) -> tuple[float, Array, Array]:
    """Deviance, gradient and Hessian in the coordinates of a chart."""
    lost = np.inf, u * np.nan, np.full((len(u), len(u)), np.nan)
    with np.errstate(over="ignore", invalid="ignore"):  # a trial step may overflow; it is then lost
        placed = chart.place(u)
    if placed.kappa <= 1e-150 or placed.kappa > 1e150 or not np.isfinite(placed.factor).all():
        return lost
    factors = chart.face.factors(placed.factor)
    relative = []
    for t, factor in enumerate(factors):
        full = chart.turn[t] @ factor if t in chart.turn else factor
        relative.append(full @ full.T)
    statistics = statistics_at(source, placed.factor[: chart.face.extra])
    criterion = profiled(statistics, relative, reml, order)
    if not np.isfinite(criterion.value):
        return lost
    value, gradient, hessian = _chain(chart, placed, criterion, back)
    if chart.gauge is not None:
        pull = chart.gauge @ u[:-1]
        excess = float(u[:-1] @ pull) - 1
        value += excess**2 / 2
        gradient[:-1] += 2 * excess * pull
        hessian[:-1, :-1] += 4 * np.outer(pull, pull) + 2 * excess * chart.gauge
    return value, gradient, hessian


def _chain(
    chart: Chart, placed: Placed, criterion: Criterion, back: Array | None
) -> tuple[float, Array, Array]:
    kappa = placed.kappa
    profiled_out = np.isnan(kappa)
    if profiled_out:
        value, gradient, hessian = criterion.value, criterion.gradient, criterion.hessian
    else:
        nu, rss = criterion.nu, criterion.rss
        logdet = criterion.value - nu * (1 + np.log(2 * np.pi * rss / nu))
        value = logdet + nu * np.log(2 * np.pi) - 2 * nu * np.log(kappa) + kappa**2 * rss
        gradient = criterion.dlogdet + kappa**2 * criterion.drss
        hessian = criterion.ddlogdet + kappa**2 * criterion.ddrss
    drss = criterion.drss
    if back is not None:
        gradient, hessian, drss = back.T @ gradient, back.T @ hessian @ back, back.T @ drss
    in_factor, second = chart.face.chain(placed.factor, gradient, hessian)
    j = placed.jacobian
    out = j.T @ in_factor
    curved = j.T @ second @ j + np.tensordot(in_factor, placed.bend, axes=1)
    if not profiled_out and placed.kappa_gradient is not None and placed.kappa_bend is not None:
        k1 = placed.kappa_gradient
        slope = -2 * nu / kappa + 2 * kappa * rss
        out = out + slope * k1
        mixed = j.T @ (chart.face.jacobian(placed.factor).T @ (2 * kappa * drss))
        curved = curved + np.outer(mixed, k1) + np.outer(k1, mixed)
        curved += (2 * nu / kappa**2 + 2 * rss) * np.outer(k1, k1) + slope * placed.kappa_bend
    return float(value), out, curved


def turned_back(chart: Chart) -> Array | None:
    """Linear map from the entries of ``L L'`` to those of ``G L L' G'``, stacked; None when nothing is turned."""
    if not chart.turn:
        return None
    face, at = chart.face, offsets(chart.face)
    out = np.eye(face.dimension)
    for t, g in chart.turn.items():
        q = face.sizes[t]
        rows, cols = np.tril_indices(q)
        for k, (i, j) in enumerate(zip(rows, cols, strict=True)):
            entry = np.zeros((q, q))
            entry[i, j] = entry[j, i] = 1.0
            out[at[t] : at[t] + len(rows), at[t] + k] = (g @ entry @ g.T)[rows, cols]
    return out
