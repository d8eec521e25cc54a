"""Dynamic panels by instruments: generalised method of moments, Anderson and Hsiao, within persons, least squares.

Equations, instruments and weights are those of R's plm (Croissant & Millo 2008), so that figures can be compared.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.panel.dynamic_model import Columns
from alliance_longitudinal.methods.panel.waves import Waves


@dataclass(frozen=True, slots=True)
class Settings:
    """What the generalised method of moments may do; see `dynamic_panel`."""

    system: bool = False
    steps: int = 1
    time_effects: bool = False
    max_instrument_lag: int | None = None
    collapse: bool = False
    windmeijer: bool = True


@dataclass(frozen=True, slots=True)
class Equations:
    """Stacked equations of N persons: response (N, R), regressors (N, R, K), instruments (N, R, J), first rows in differences.

    Rows that miss a value are zero everywhere.
    """

    y: Floats
    x: Floats
    z: Floats
    n_differences: int
    used: int


@dataclass(frozen=True, slots=True)
class Moments:
    """Estimates (K,), their covariance (K, K), and the tests."""

    params: Floats
    covariance: Floats
    tests: dict[str, float]
    used: int


def levels(panel: Waves, fixed: Floats, columns: Columns) -> tuple[Floats, Floats]:
    """Response (N, T) and regressors (N, T, K) of the equation in levels, NaN where a value is missing."""
    at = {name: k for k, name in enumerate(panel.columns)}
    own = panel.values
    y = own[:, :, at[columns.y]]
    parts = [_back(y, k) for k in range(1, columns.lags + 1)]
    parts += [_back(own[:, :, at[x]], 1) for x in (*columns.predetermined, *columns.lagged_exogenous)]
    parts += [own[:, :, at[x]] for x in columns.exogenous]
    parts += [np.repeat(fixed[:, [k]], own.shape[1], axis=1) for k in range(len(columns.constant))]
    return y, np.stack(parts, axis=2)


def _back(values: Floats, k: int) -> Floats:
    out = np.full(values.shape, np.nan)
    out[:, k:] = values[:, :-k]
    return out


def _differences(values: Floats) -> Floats:
    out = np.full(values.shape, np.nan)
    out[:, 1:] = values[:, 1:] - values[:, :-1]
    return out


def _dummies(times: int, first: int) -> Floats:
    """A constant from the second step on, and one column per time after ``first``, shape (times, times - first)."""
    return np.hstack([np.ones((times, 1)), np.eye(times)[:, first + 1 :]])


def equations(panel: Waves, fixed: Floats, columns: Columns, settings: Settings) -> Equations:
    """Equations in differences, in the system followed by those in levels, with their instruments."""
    y, x = levels(panel, fixed, columns)
    first = max(columns.lags, 1)  # the first time that has an equation in levels; in differences the next one
    at = {name: k for k, name in enumerate(panel.columns)}
    instrumented = [panel.values[:, :, at[name]] for name in (columns.y, *columns.predetermined)]
    n_gmm = columns.lags + len(columns.predetermined)
    n_constant = len(columns.constant)
    plain = x[:, :, n_gmm:]
    varying = plain[:, :, : plain.shape[2] - n_constant]
    times = y.shape[1]
    dy, dx, dz = _differences(y), _differences(x), _differences(varying)
    span = settings.max_instrument_lag or times
    deep = [_deep(values, first + 1, span, settings.collapse) for values in instrumented]
    blocks = [(dy[:, first + 1 :], dx[:, first + 1 :], [*deep, dz[:, first + 1 :]])]
    if settings.system:
        shallow = [_shallow(values, first, settings.collapse) for values in instrumented]
        blocks.append((y[:, first:], x[:, first:], [*shallow, plain[:, first:]]))
    if settings.time_effects:
        blocks = _with_times(blocks, times, first, settings.system)
    return _stacked(blocks)


def _deep(values: Floats, start: int, span: int, collapse: bool) -> Floats:
    """Levels from two times before the equation backwards, shape (N, T - start, J)."""
    n, times = values.shape
    columns: list[Floats] = []
    cells = [(t, lag) for t in range(start, times) for lag in range(2, min(t, span) + 1)]
    kinds = (
        [[c for c in cells if c[1] == lag] for lag in range(2, times)] if collapse else [[c] for c in cells]
    )
    for kind in kinds:
        column = np.zeros((n, times - start))
        for t, lag in kind:
            column[:, t - start] = values[:, t - lag]
        columns.append(column)
    return np.stack(columns, axis=2) if columns else np.zeros((n, times - start, 0))


def _shallow(values: Floats, start: int, collapse: bool) -> Floats:
    """Differences of the time before the equation in levels, shape (N, T - start, J)."""
    n, times = values.shape
    before = _back(_differences(values), 1)[:, start:]
    if collapse:
        return before[:, :, None]
    out = np.zeros((n, times - start, times - start))
    at = np.arange(times - start)
    out[:, at, at] = before
    keep = at[np.arange(start, times) >= 2]  # there is no difference before the third time
    return out[:, :, keep]


def _with_times(
    blocks: list[tuple[Floats, Floats, list[Floats]]], times: int, first: int, system: bool
) -> list[tuple[Floats, Floats, list[Floats]]]:
    """Add time effects: in the system a constant and dummies in levels, otherwise the differences of dummies."""
    n = len(blocks[0][0])
    level = _dummies(times, first)[first:]
    if not system:
        rows = np.diff(np.eye(times)[first:, first + 1 :], axis=0)
        rows = np.repeat(rows[None], n, axis=0)
        y, x, z = blocks[0]
        return [(y, np.concatenate([x, rows], axis=2), [*z, rows])]
    (y1, x1, z1), (y2, x2, z2) = blocks
    below = np.repeat(level[None], n, axis=0)
    above = np.repeat(np.diff(level, axis=0)[None], n, axis=0)
    return [
        (y1, np.concatenate([x1, above], axis=2), z1),
        (y2, np.concatenate([x2, below], axis=2), [*z2, below]),
    ]


def _stacked(blocks: list[tuple[Floats, Floats, list[Floats]]]) -> Equations:
    ys, xs, zs, used = [], [], [], 0
    widths = [sum(part.shape[2] for part in z) for _, _, z in blocks]
    for k, (y, x, z) in enumerate(blocks):
        known = ~np.isnan(y) & ~np.isnan(x).any(axis=2)
        inside = np.nan_to_num(np.concatenate(z, axis=2)) * known[:, :, None]
        left, right = sum(widths[:k]), sum(widths[k + 1 :])
        ys.append(np.where(known, np.nan_to_num(y), 0.0))
        xs.append(np.nan_to_num(x) * known[:, :, None])
        zs.append(np.pad(inside, ((0, 0), (0, 0), (left, right))))
        used += int(known.sum())
    z_all = np.concatenate(zs, axis=1)
    z_all = z_all[:, :, np.abs(z_all).sum(axis=(0, 1)) > 0]
    return Equations(np.concatenate(ys, axis=1), np.concatenate(xs, axis=1), z_all, ys[0].shape[1], used)


def gmm(panel: Waves, fixed: Floats, columns: Columns, settings: Settings) -> Moments:
    """One or two steps, with robust errors (two steps: Windmeijer's 2005, doi 10.1016/j.jeconom.2004.02.005), and the tests.

    Raises
    ------
    DataError
        If the instruments do not determine the coefficients.
    """
    eq = equations(panel, fixed, columns, settings)
    n, k = len(eq.y), eq.x.shape[2]
    zx = np.einsum("nrj,nrk->jk", eq.z, eq.x)
    zy = np.einsum("nrj,nr->j", eq.z, eq.y)
    if eq.z.shape[2] < k or np.linalg.matrix_rank(zx) < k:
        raise DataError(
            "The instruments do not determine the coefficients: too few times, or a column that does not change. Choose a longer window."
        )
    weight = n * _inverse(np.einsum("nrj,rs,nsl->jl", eq.z, _steps(eq), eq.z, optimize=True))
    bread = np.linalg.inv(zx.T @ weight @ zx)
    params = bread @ zx.T @ weight @ zy
    errors = eq.y - eq.x @ params
    ze = np.einsum("nrj,nr->nj", eq.z, errors)
    spread = ze.T @ ze
    second = _inverse(spread)
    robust = bread @ (zx.T @ weight @ spread @ weight @ zx) @ bread
    if settings.steps == 2:
        first_errors, first_cov = errors, robust
        weight, bread = second, np.linalg.inv(zx.T @ second @ zx)
        params = bread @ zx.T @ weight @ zy
        errors = eq.y - eq.x @ params
        robust = bread
        if settings.windmeijer:
            robust = _windmeijer(eq, zx, second, bread, first_errors, first_cov, errors)
    total = np.einsum("nrj,nr->j", eq.z, errors)
    tests = {
        "sargan": float(total @ weight @ total),
        "hansen": float(total @ second @ total),
        "overidentification_df": float(eq.z.shape[2] - k),
        **_serial(eq, zx, weight, bread, robust, errors),
        "n_instruments": float(eq.z.shape[2]),
    }
    return Moments(params, robust, tests, eq.used)


def _inverse(matrix: Floats) -> Floats:
    """Inverse, or the general one where instruments depend on each other."""
    values = np.linalg.eigvalsh(matrix)
    return np.asarray(np.linalg.pinv(matrix, hermitian=True) if values[0] < 1e-9 else np.linalg.inv(matrix))


def _steps(eq: Equations) -> Floats:
    """Covariance of the errors of one person, if those in levels are independent with variance 1."""
    d, rows = eq.n_differences, eq.y.shape[1]
    difference = np.diff(np.eye(d + 1), axis=0)
    top = difference @ difference.T
    return top if rows == d else np.block([[top, difference], [difference.T, np.eye(rows - d)]])


def _windmeijer(
    eq: Equations, zx: Floats, weight: Floats, bread: Floats, first: Floats, first_cov: Floats, errors: Floats
) -> Floats:
    """Covariance of the two-step estimates that allows for weights which are estimated."""
    ze = np.einsum("nrj,nr->nj", eq.z, first)
    pull = weight @ np.einsum("nrj,nr->j", eq.z, errors)
    slopes = np.empty(bread.shape)
    for k in range(len(bread)):
        zk = np.einsum("nrj,nr->nj", eq.z, eq.x[:, :, k])
        change = -(zk.T @ ze + ze.T @ zk)
        slopes[:, k] = -bread @ zx.T @ weight @ change @ pull
    return np.asarray(bread + slopes @ bread + bread @ slopes.T + slopes @ first_cov @ slopes.T)


def _serial(
    eq: Equations, zx: Floats, weight: Floats, bread: Floats, robust: Floats, errors: Floats
) -> dict[str, float]:
    """Arellano and Bond's tests that the errors in differences are not correlated at lags 1 and 2 (normal statistics)."""
    d = eq.n_differences
    out = {}
    own = errors.copy()
    own[:, d:] = 0
    for order in (1, 2):
        if d <= order:
            out[f"m{order}"] = float("nan")
            continue
        lagged = np.zeros(errors.shape)
        lagged[:, order:d] = errors[:, : d - order]
        each = np.einsum("nr,nr->n", own, lagged)
        by_x = np.einsum("nr,nrk->k", lagged, eq.x)
        by_z = np.einsum("nrj,nr->nj", eq.z, own).T @ each
        variance = each @ each - 2 * by_x @ bread @ zx.T @ weight @ by_z + by_x @ robust @ by_x
        out[f"m{order}"] = float(each.sum() / np.sqrt(variance)) if variance > 0 else float("nan")
    return out


def regressions(panel: Waves, fixed: Floats, columns: Columns, method: str, time_effects: bool) -> Moments:
    """Least squares, within persons, or Anderson and Hsiao's instruments, with errors clustered by person.

    Raises
    ------
    DataError
        If the columns do not determine the coefficients.
    """
    y, x = levels(panel, fixed, columns)
    times = y.shape[1]
    extra = np.repeat(np.eye(times)[None], len(y), axis=0)
    if method == "anderson-hsiao":
        z = x.copy()
        n_gmm = columns.lags + len(columns.predetermined)
        z[:, :, :n_gmm] = np.stack([_back(x[:, :, k], 1) for k in range(n_gmm)], axis=2)
        z[:, :, n_gmm:] = _differences(x[:, :, n_gmm:])
        y, x = _differences(y), _differences(x)
        extra = np.diff(extra, axis=1, prepend=np.nan)
        extra = extra[:, :, columns.lags + 2 :]
    else:
        z = x
        extra = extra[:, :, columns.lags + 1 :]
    known = ~np.isnan(y) & ~np.isnan(x).any(axis=2) & ~np.isnan(z).any(axis=2)
    person = np.nonzero(known)[0]
    yr, xr, zr = y[known], x[known], z[known]
    if time_effects:
        xr, zr = np.hstack([xr, extra[known]]), np.hstack([zr, extra[known]])
    if method == "ols":
        one = np.ones((len(yr), 1))
        xr, zr = np.hstack([xr, one]), np.hstack([zr, one])
    elif method == "within":
        yr, xr = (_demeaned(v, person, len(y)) for v in (yr[:, None], xr))
        yr, zr = yr[:, 0], xr
    if len(yr) <= xr.shape[1] or np.linalg.matrix_rank(zr.T @ xr) < xr.shape[1]:
        raise DataError(
            "The columns do not determine the coefficients: too few rows, or a column that does not change. Choose a longer window."
        )
    bread = np.linalg.inv(zr.T @ xr)
    params = bread @ (zr.T @ yr)
    scores = np.zeros((len(y), xr.shape[1]))
    np.add.at(scores, person, zr * (yr - xr @ params)[:, None])
    k = x.shape[2]
    covariance = (bread @ scores.T @ scores @ bread.T)[:k, :k]
    return Moments(params[:k], covariance, {}, len(yr))


def _demeaned(values: Floats, person: NDArray[np.intp], n: int) -> Floats:
    counts = np.maximum(np.bincount(person, minlength=n), 1)[:, None]
    sums = np.zeros((n, values.shape[1]))
    np.add.at(sums, person, values)
    return np.asarray(values - (sums / counts)[person])
