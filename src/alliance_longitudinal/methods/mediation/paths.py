"""An indirect path from two fitted models, and how much unmeasured confounding would take it away."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.basics.values import real, whole
from alliance_longitudinal.methods.mediation.product import product_interval

_NAMES = ("a", "b", "c_prime", "indirect", "total", "proportion")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class IndirectPaths(Estimates):
    """Paths of two models: cause to mediator, and both to outcome.

    Attributes
    ----------
    draws : ndarray, shape (n_draws, 6)
        Simulated estimates; the intervals of ``total`` and ``proportion`` are taken from them.
    """

    draws: Floats = field(repr=False)

    def _title(self) -> str:
        return "Indirect path from two models"

    def _facts(self) -> list[str]:
        return ["Interval of the indirect path: exact distribution of the product of a and b"]

    def _limits(self, alpha: float) -> pd.DataFrame:
        limits = Estimates._limits(self, alpha)
        se = self.bse
        limits.loc["indirect"] = product_interval(
            self.params["a"], se["a"], self.params["b"], se["b"], alpha, *np.asarray(self.dof)[:2].tolist()
        )
        for name in ("total", "proportion"):
            limits.loc[name] = np.quantile(self.draws[:, _NAMES.index(name)], [alpha / 2, 1 - alpha / 2])
        return limits


def indirect_paths(
    a: float,
    se_a: float,
    b: float,
    c_prime: float,
    cov: Any,
    dof: Sequence[float] | float = float("inf"),
    *,
    n_draws: int = 20_000,
    seed: int = 0,
) -> IndirectPaths:
    """Indirect, direct and total path from the model of the mediator and the model of the outcome.

    ``indirect = a b`` has an interval from the exact distribution of the product (`product_interval`; MacKinnon
    et al. 2004), with the degrees of freedom of ``a`` and ``b``. ``total = a b + c'`` and ``proportion = a b / total`` have Monte Carlo intervals. ``a`` comes
    from a different model than ``b`` and ``c'``, and is independent of them given the predictors of both
    models.

    Parameters
    ----------
    a, se_a : float
        Path from the cause to the mediator.
    b, c_prime : float
        Paths to the outcome: from the mediator given the cause, and from the cause given the mediator.
    cov : array, shape (2, 2)
        Covariance of ``b`` and ``c_prime``.
    dof : float or sequence of three floats
        Degrees of freedom of the intervals of ``a, b, c_prime``.
    n_draws, seed : int
        Number of draws and seed for the Monte Carlo intervals.

    Returns
    -------
    IndirectPaths
        ``params``: ``a, b, c_prime, indirect, total, proportion``.

    Raises
    ------
    DataError
        If a number is missing, a standard error is not above 0, or ``cov`` is not a covariance matrix.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> found = methods.indirect_paths(0.30, 0.10, -0.50, -0.20, [[0.0225, 0.0], [0.0, 0.01]])
    >>> found.conf_int().loc["indirect"].round(5).tolist()
    [-0.30411, -0.03682]
    >>> float(found.params["total"].round(2))
    -0.35
    """
    a, b, c_prime = (
        real(name, x, "an estimate, a finite number")
        for name, x in (("a", a), ("b", b), ("c_prime", c_prime))
    )
    se_a = real("se_a", se_a, "a standard error, more than 0", above=0)
    n_draws = whole("n_draws", n_draws, "a number of draws, at least 1000", least=1000)
    v = np.asarray(cov, dtype=float)
    if v.shape != (2, 2) or not np.isfinite(v).all() or not (np.diag(v) > 0).all() or np.linalg.det(v) < 0:
        raise DataError(
            "cov is not a covariance of b and c_prime: it has two rows and two columns, variances above 0 on the diagonal."
        )
    both = np.zeros((3, 3))
    both[0, 0], both[1:, 1:] = se_a**2, v
    mean = np.array([a, b, c_prime])
    limits = np.broadcast_to(np.asarray(dof, dtype=float), 3)
    draws = _effects(mean + _errors(both, limits, n_draws, np.random.default_rng(seed)))
    values = _effects(mean[None])[0]
    covariance = np.full((6, 6), np.nan)
    covariance[:3, :3] = both
    # The exact variance of the product; of what is made of it, the delta method. The share has no variance.
    covariance[3, 3] = a**2 * v[0, 0] + b**2 * se_a**2 + se_a**2 * v[0, 0]
    covariance[4, 4] = covariance[3, 3] + v[1, 1] + 2 * a * v[0, 1]
    return IndirectPaths(
        params=pd.Series(values, index=list(_NAMES), name="estimate"),
        covariance=covariance,
        dof=np.r_[limits, np.inf, np.inf, np.inf],
        draws=draws,
    )


def _errors(cov: Floats, dof: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Draws of the errors of ``a, b, c'`` with t distributions: the scales of b and c', of one model, go together."""
    from scipy import special

    errors = rng.multivariate_normal(np.zeros(3), cov, n, method="eigh")
    at = rng.random((n, 2))[:, [0, 1, 1]]
    for k, df in enumerate(dof):
        if np.isfinite(df):
            errors[:, k] *= np.sqrt(df / special.chdtri(df, at[:, k]))
    return errors


def _effects(values: Floats) -> Floats:
    indirect = values[:, 0] * values[:, 1]
    total = indirect + values[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.column_stack([values, indirect, total, indirect / total])


@dataclass(frozen=True, slots=True)
class Confounding:
    """What a cause of mediator and outcome that nobody measured would do to an indirect path.

    Attributes
    ----------
    rho_zero : float
        Correlation of the errors of mediator and outcome at which the indirect path is zero.
    """

    rho_zero: float
    _a: float
    _b: float
    _ratio: float

    def indirect(self, rho: "float | Sequence[float] | Floats") -> Floats:
        """The indirect path if the errors correlate at ``rho`` (each above -1 and below 1)."""
        r = np.atleast_1d(np.asarray(rho, dtype=float))
        if not (np.abs(r) < 1).all():
            raise DataError("rho is a correlation, or several: above -1 and below 1.")
        return np.asarray(self._a * (self._b - self._ratio * r / np.sqrt(1 - r**2)), dtype=float)


def unmeasured_confounding(a: float, b: float, sigma_m: float, sigma_y: float) -> Confounding:
    """The indirect path as a function of the correlation between the errors of mediator and outcome.

    The two models assume that no unmeasured variable affects both mediator and outcome. If one does, the errors
    correlate at ``rho``, and the path from the mediator to the outcome is
    ``b - rho / sqrt(1 - rho^2) sigma_y / sigma_m`` (Imai, Keele & Yamamoto 2010, doi 10.1214/10-STS321, for
    linear models). ``rho_zero`` is the partial correlation of mediator and outcome given the cause.

    Parameters
    ----------
    a, b : float
        Paths from the cause to the mediator, and from the mediator to the outcome given the cause.
    sigma_m, sigma_y : float
        Standard deviations of the errors of the two models, at the level of the path.

    Returns
    -------
    Confounding
        ``rho_zero`` and ``indirect(rho)``.

    Raises
    ------
    DataError
        If a number is missing or a standard deviation is not above 0.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> found = methods.unmeasured_confounding(a=0.5, b=-0.3, sigma_m=1.0, sigma_y=0.9)
    >>> round(found.rho_zero, 3)
    -0.316
    >>> found.indirect([0.0, -0.1]).round(3).tolist()
    [-0.15, -0.105]
    """
    a, b = (real(name, x, "an estimate, a finite number") for name, x in (("a", a), ("b", b)))
    sigma_m, sigma_y = (
        real(name, x, "a standard deviation, more than 0", above=0)
        for name, x in (("sigma_m", sigma_m), ("sigma_y", sigma_y))
    )
    t = b * sigma_m / sigma_y
    return Confounding(float(t / np.hypot(1, t)), a, b, sigma_y / sigma_m)
