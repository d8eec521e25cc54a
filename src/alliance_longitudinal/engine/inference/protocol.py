"""What every method of inference for coefficients offers, and tests of contrasts by any of them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions as stats
from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.options import check_alpha
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.findings import Finding


@dataclass(frozen=True, slots=True)
class FTest:
    """Joint test of several contrasts.

    Attributes
    ----------
    statistic : float
        F, multiplied by ``scale``.
    df_num : int
    df_den : float
    p : float
    scale : float
        Factor that brings the Wald statistic to an F distribution; 1 by Satterthwaite's method.
    """

    statistic: float
    df_num: int
    df_den: float
    p: float
    scale: float = 1.0

    @classmethod
    def of(cls, wald: float, df_num: int, df_den: float, scale: float = 1.0) -> "FTest":
        """The test of a Wald statistic (divided by ``df_num``); chi-squared when ``df_den`` is infinite."""
        value = scale * wald
        p = (
            stats.f.sf(value, df_num, df_den)
            if np.isfinite(df_den)
            else stats.chi2.sf(value * df_num, df_num)
        )
        return cls(value, df_num, float(df_den), float(p), scale)


class Inference(Protocol):
    """A covariance of the coefficients with its degrees of freedom."""

    @property
    def cov(self) -> Array:
        """Covariance of the coefficients, shape (p, p)."""

    @property
    def words(self) -> str:
        """What it is, in one sentence."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What a reader of its results has to know."""

    def df(self, rows: Array) -> Array:
        """Degrees of freedom of the contrasts ``rows`` (r, p), shape (r,)."""

    def joint(self, rows: Array) -> FTest:
        """Test that all contrasts are zero."""


def rotated_test(beta: Array, cov: Array, rows: Array) -> tuple[float, Array]:
    """Wald statistic divided by the number of contrasts, and the contrasts turned so that they are uncorrelated.

    Raises
    ------
    FitError
        The contrasts are linearly dependent.
    """
    between = rows @ cov @ rows.T
    root = np.sqrt(np.diag(between))
    if (root == 0).any() or np.linalg.matrix_rank(between / np.outer(root, root)) < len(rows):
        raise FitError(
            "The contrasts of a joint test must not be combinations of each other. Drop the ones that are."
        )
    values, vectors = np.linalg.eigh(between)
    rotated = vectors.T @ rows
    return float(((rotated @ beta) ** 2 / values).mean()), rotated


def pooled_df(df: Array) -> float:
    """Denominator degrees of freedom of a mean of squared t statistics (Fai and Cornelius 1996)."""
    if len(df) == 1:
        return float(df[0])
    heavy = df[df > 2]
    e = float((heavy / (heavy - 2)).sum())
    return 2 * e / (e - len(df)) if e > len(df) else 2.0


def contrast_table(
    inference: Inference, beta: Array, rows: Array, labels: list[str], alpha: float
) -> pd.DataFrame:
    """Estimates, standard errors, t tests and intervals of contrasts.

    Returns
    -------
    DataFrame
        ``estimate, se, df, t, p, lower, upper`` by label.
    """
    check_alpha(alpha)
    estimate = rows @ beta
    se = np.sqrt(np.einsum("ra,ab,rb->r", rows, inference.cov, rows))
    df = inference.df(rows)
    t = estimate / se
    half = stats.t.ppf(1 - alpha / 2, df) * se
    table = {"estimate": estimate, "se": se, "df": df, "t": t, "p": 2 * stats.t.sf(np.abs(t), df)}
    return pd.DataFrame(table | {"lower": estimate - half, "upper": estimate + half}, index=pd.Index(labels))
