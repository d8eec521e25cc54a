"""Small-sample inference for coefficients: Satterthwaite degrees of freedom, contrasts, joint F tests."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.errors import FitError

Array = NDArray[np.float64]
DfMethod = Literal["satterthwaite", "normal"]


@dataclass(frozen=True, slots=True)
class FTest:
    """Joint test of several contrasts: F statistic, its two degrees of freedom, p."""

    statistic: float
    df_num: int
    df_den: float
    p: float


def variance_information(fit: MixedFit) -> tuple[Array, Array]:
    """Curvature of the deviance in the variance parameters that are free at the optimum.

    The parameters are the Cholesky parameters on the optimum's face and the residual variance, in internal
    units. At an optimum the result of Satterthwaite's formula does not depend on the parameterisation, so
    that it equals the one in variances and covariances.

    Returns
    -------
    information : ndarray, shape (m + 1, m + 1)
        Half the Hessian of -2 log-likelihood, coefficients profiled out; its inverse is the covariance.
    jacobian : ndarray, shape (entries, m)
        Derivative of the covariance entries in the Cholesky parameters.
    """
    c = fit.criterion
    best = fit.record.best
    s = c.rss / c.nu
    jacobian = best.face.jacobian(best.theta)
    m = len(best.theta)
    hessian = np.empty((m + 1, m + 1))
    hessian[:m, :m] = best.face.chain(best.theta, c.dlogdet + c.drss / s, c.ddlogdet + c.ddrss / s)[1]
    hessian[:m, m] = hessian[m, :m] = -(jacobian.T @ c.drss) / s**2
    hessian[m, m] = c.nu / s**2
    return hessian / 2, jacobian


def satterthwaite(fit: MixedFit, rows: Array) -> Array:
    """Satterthwaite degrees of freedom ``2 v^2 / Var(v)`` of each contrast's variance ``v``.

    Satterthwaite (1946), Biometrics Bulletin 2:110-114, with the exact Hessian and gradient (Kuznetsova,
    Brockhoff and Christensen 2017, J Stat Softw 82(13), use finite differences). Parameters on the boundary
    are held there.

    Parameters
    ----------
    rows : ndarray, shape (r, p)
        Contrasts of the coefficients.

    Returns
    -------
    ndarray, shape (r,)
    """
    c = fit.criterion
    s = c.rss / c.nu
    information, jacobian = variance_information(fit)
    internal = np.linalg.solve(fit.basis.r_x.T, rows.T).T
    scaled = internal @ c.cov_x
    variance = np.einsum("rp,rp->r", scaled, internal)
    in_entries = -s * np.einsum("ra,mab,rb->rm", scaled, c.dt_x, scaled)
    gradient = np.concatenate([in_entries @ jacobian, variance[:, None]], axis=1)
    values, vectors = np.linalg.eigh(information)
    usable = values > 1e-12 * values[-1]
    along = gradient @ vectors[:, usable]
    spread = np.einsum("rm,rm->r", along / values[usable], along)
    return np.asarray(2 * (s * variance) ** 2 / spread)


def degrees_of_freedom(fit: MixedFit, rows: Array, method: str) -> Array:
    """Degrees of freedom of contrasts by the named method; infinite for ``normal``."""
    if method == "normal":
        return np.full(len(rows), np.inf)
    return satterthwaite(fit, rows)


def contrast_table(fit: MixedFit, rows: Array, labels: list[str], method: str, alpha: float) -> pd.DataFrame:
    """Estimates, standard errors, t tests and intervals of contrasts.

    Returns
    -------
    DataFrame
        ``estimate, se, df, t, p, lower, upper`` by label.
    """
    estimate = rows @ fit.beta
    se = np.sqrt(np.einsum("ra,ab,rb->r", rows, fit.cov, rows))
    df = degrees_of_freedom(fit, rows, method)
    t = estimate / se
    half = stats.t.ppf(1 - alpha / 2, df) * se
    table = {"estimate": estimate, "se": se, "df": df, "t": t, "p": 2 * stats.t.sf(np.abs(t), df)}
    return pd.DataFrame(table | {"lower": estimate - half, "upper": estimate + half}, index=pd.Index(labels))


def joint_test(fit: MixedFit, rows: Array, method: str) -> FTest:
    """F test that all contrasts are zero.

    Denominator degrees of freedom from the rotated single contrasts (Fai and Cornelius 1996, J Stat Comput
    Simul 54:363-378).

    Raises
    ------
    FitError
        The contrasts are linearly dependent.
    """
    cov = rows @ fit.cov @ rows.T
    root = np.sqrt(np.diag(cov))
    if (root == 0).any() or np.linalg.matrix_rank(cov / np.outer(root, root)) < len(rows):
        raise FitError(
            "The contrasts of a joint test must not be combinations of each other. Drop the ones that are."
        )
    values, vectors = np.linalg.eigh(cov)
    rotated = vectors.T @ rows
    t2 = (rotated @ fit.beta) ** 2 / values
    statistic = float(t2.mean())
    q = len(rows)
    df = degrees_of_freedom(fit, rotated, method)
    if q == 1 or np.isinf(df).all():
        denominator = float(df[0])
    else:
        heavy = df[df > 2]
        e = float((heavy / (heavy - 2)).sum())
        denominator = 2 * e / (e - q) if e > q else 2.0
    p = stats.f.sf(statistic, q, denominator) if np.isfinite(denominator) else stats.chi2.sf(statistic * q, q)
    return FTest(statistic, q, denominator, float(p))


def read_contrasts(
    contrasts: object, names: tuple[str, ...], labels: list[str] | None
) -> tuple[Array, list[str]]:
    """Contrast rows from an array, a mapping of terms to weights, or a list of either.

    Raises
    ------
    FitError
        Unknown term or wrong length.
    """
    if isinstance(contrasts, pd.DataFrame):
        labels = labels or [str(label) for label in contrasts.index]
        contrasts = [row.to_dict() for _, row in contrasts.iterrows()]
    if isinstance(contrasts, dict):
        contrasts = [contrasts]
    if isinstance(contrasts, list) and all(isinstance(row, dict) for row in contrasts):
        unknown = sorted({str(t) for row in contrasts for t in row if t not in names})
        if unknown:
            raise FitError(f"No coefficient is called {', '.join(unknown)}. There are: {', '.join(names)}.")
        rows = np.array([[float(row.get(name, 0.0)) for name in names] for row in contrasts])
    else:
        rows = np.atleast_2d(np.asarray(contrasts, dtype=float))
    if rows.shape[1] != len(names):
        raise FitError(
            f"A contrast needs {len(names)} weights, one for each of {', '.join(names)}; got {rows.shape[1]}."
        )
    if not np.any(rows != 0, axis=1).all():
        raise FitError(
            "A contrast with only zero weights tests nothing. Give at least one coefficient a weight."
        )
    labels = labels or [_label(row, names) for row in rows]
    if len(labels) != len(rows):
        raise FitError(f"There are {len(rows)} contrasts and {len(labels)} labels; give one label for each.")
    return rows, list(labels)


def _label(row: Array, names: tuple[str, ...]) -> str:
    parts = [f"{weight:+g} {name}" for weight, name in zip(row, names, strict=True) if weight]
    return " ".join(parts).replace("+1 ", "+ ").replace("-1 ", "- ").removeprefix("+ ")
