"""One answer from fits to several imputed data sets: Rubin's rules with small-sample degrees of freedom."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.engine import distributions as stats
from alliance_longitudinal.engine.inference.contrasts import read_contrasts
from alliance_longitudinal.engine.inference.protocol import FTest, rotated_test
from alliance_longitudinal.engine.results import MixedModelResults
from alliance_longitudinal.engine.show.tables import varcorr_values
from alliance_longitudinal.errors import FitError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shares:
    """What imputation adds to the uncertainty of some estimates; each of shape (r,).

    Attributes
    ----------
    riv : relative increase in variance due to missing values, ``(1 + 1/m) B / U``
    lambda_ : share of the variance due to missing values, ``(1 + 1/m) B / T``
    fmi : fraction of missing information, ``(riv + 2 / (df + 3)) / (1 + riv)``
    df : degrees of freedom
    """

    riv: Array
    lambda_: Array
    fmi: Array
    df: Array


@dataclass(frozen=True, slots=True, repr=False)
class PooledResults:
    """Estimates pooled over imputed data sets.

    Attributes
    ----------
    params, bse, df, tvalues, pvalues : Series
        By fixed-effect term. The variance is ``T = U + (1 + 1/m) B``: mean variance within data sets (by each fit's own
        method: Kenward and Roger's, cluster-robust...) and variance between them (Rubin 1987, section 3.1).
    df_complete : Series
        Mean of the fits' own degrees of freedom, the complete-data value of Barnard and Rubin.
    riv, lambda_, fmi : Series
        Relative increase in variance, its share, and fraction of missing information.
    varcorr : DataFrame
        As that of a fit; variances and covariances are means over the data sets. They have no interval: their estimates
        are not normal, and Rubin's rules do not hold for them.
    n_imputations : int
    formula : str
    """

    results: tuple[MixedModelResults, ...]
    params: pd.Series
    bse: pd.Series
    df: pd.Series
    tvalues: pd.Series
    pvalues: pd.Series
    df_complete: pd.Series
    riv: pd.Series
    lambda_: pd.Series
    fmi: pd.Series
    varcorr: pd.DataFrame
    cov: Array

    @property
    def n_imputations(self) -> int:
        """Number of data sets."""
        return len(self.results)

    @property
    def formula(self) -> str:
        """Formula of every fit."""
        return self.results[0].formula

    def cov_params(self) -> pd.DataFrame:
        """Total covariance of the coefficients, terms by terms."""
        return pd.DataFrame(self.cov, index=self.params.index, columns=list(self.params.index))

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Confidence intervals: columns ``lower`` and ``upper``."""
        half = stats.t.ppf(1 - alpha / 2, self.df) * self.bse
        return pd.DataFrame({"lower": self.params - half, "upper": self.params + half})

    def contrast(
        self, contrasts: Any, labels: list[str] | None = None, *, alpha: float = 0.05
    ) -> pd.DataFrame:
        """Linear combinations: ``estimate, se, df, t, p, lower, upper, fmi`` by label; contrasts as for a fit."""
        rows, labels = read_contrasts(contrasts, tuple(self.params.index), labels)
        estimate, se, shares, _ = _pooled(self.results, rows)
        t = estimate / se
        half = stats.t.ppf(1 - alpha / 2, shares.df) * se
        table = {
            "estimate": estimate,
            "se": se,
            "df": shares.df,
            "t": t,
            "p": 2 * stats.t.sf(np.abs(t), shares.df),
        }
        limits = {"lower": estimate - half, "upper": estimate + half, "fmi": shares.fmi}
        return pd.DataFrame(table | limits, index=pd.Index(labels))

    def f_test(self, contrasts: Any) -> FTest:
        """Joint test that all contrasts are zero, by `joint_test`."""
        rows, _ = read_contrasts(contrasts, tuple(self.params.index), None)
        return joint_test(self.results, rows)

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """One row a coefficient: ``term, estimate, se, df, stat, p, low, high, riv, lambda, fmi``."""
        limits = self.conf_int(alpha)
        columns = {
            "estimate": self.params,
            "se": self.bse,
            "df": self.df,
            "stat": self.tvalues,
            "p": self.pvalues,
            "low": limits["lower"],
            "high": limits["upper"],
            "riv": self.riv,
            "lambda": self.lambda_,
            "fmi": self.fmi,
        }
        return pd.DataFrame(columns).rename_axis("term").reset_index()

    def summary(self) -> str:
        """The pooled fit as text."""
        first = self.results[0]
        return "\n".join(
            [
                f"Linear mixed models on {self.n_imputations} imputed data sets, pooled by Rubin's rules",
                f"Formula: {self.formula}",
                f"Rows: {first.nobs} each   {first.inference.words}",
                "Degrees of freedom after Barnard and Rubin (1999), fmi: fraction of missing information.",
                "",
                self.tidy().set_index("term").rename_axis(None).to_string(float_format=lambda v: f"{v:.4g}"),
                "",
                "Random effects: means over the data sets; they have no interval.",
                self.varcorr.fillna("").to_string(index=False, float_format=lambda v: f"{v:.6g}"),
            ]
        )

    def __repr__(self) -> str:
        return f"<PooledResults: {self.formula}; {self.n_imputations} data sets; use .summary()>"

    def __str__(self) -> str:
        return self.summary()


def pool(results: Sequence[MixedModelResults]) -> PooledResults:
    """Pool fits of one model to several imputed data sets.

    Rubin (1987), Multiple Imputation for Nonresponse in Surveys; degrees of freedom by Barnard and Rubin (1999),
    Biometrika 86:948-955, with the mean of the fits' own (Satterthwaite's, Kenward and Roger's...) as the complete-data
    value of each coefficient.

    Parameters
    ----------
    results : sequence of MixedModelResults
        At least two, of the same formula, terms, rows, groups and method.

    Raises
    ------
    FitError
        The fits do not belong together.
    """
    fits = tuple(results)
    _refuse(fits)
    names = fits[0].params.index
    estimate, se, shares, cov = _pooled(fits, np.eye(len(names)))
    t = estimate / se
    psi = tuple(np.mean([f.fit.psi[i] for f in fits], axis=0) for i in range(len(fits[0].fit.psi)))
    vcov, sdcor = varcorr_values(psi, float(np.mean([f.scale for f in fits])))

    def series(values: Array, name: str) -> pd.Series:
        return pd.Series(values, index=names, name=name)

    return PooledResults(
        results=fits,
        params=series(estimate, "estimate"),
        bse=series(se, "se"),
        df=series(shares.df, "df"),
        tvalues=series(t, "t"),
        pvalues=series(2 * stats.t.sf(np.abs(t), shares.df), "p"),
        df_complete=series(np.mean([f.df for f in fits], axis=0), "df"),
        riv=series(shares.riv, "riv"),
        lambda_=series(shares.lambda_, "lambda"),
        fmi=series(shares.fmi, "fmi"),
        varcorr=fits[0].varcorr.assign(vcov=vcov, sdcor=sdcor),
        cov=cov,
    )


def _refuse(fits: tuple[MixedModelResults, ...]) -> None:
    if len(fits) < 2:
        raise FitError(
            f"Pooling needs the fits to at least two imputed data sets; got {len(fits)}. Pass a list of results."
        )
    for i, other in enumerate(fits):
        if not isinstance(other, MixedModelResults):
            raise FitError(
                f"Only results of MixedModel.fit can be pooled; number {i + 1} is a {type(other).__name__}."
            )
    first = fits[0]
    for i, other in enumerate(fits[1:], start=2):
        for what, a, b, remedy in (
            ("formula", first.formula, other.formula, "Fit the same formula to each data set."),
            (
                "terms",
                list(first.params.index),
                list(other.params.index),
                "Give every data set the same categories.",
            ),
            ("number of rows", first.nobs, other.nobs, "Impute every value that the model needs."),
            ("groups", first.n_groups, other.n_groups, "Impute the same data set each time."),
            ("criterion", _criterion(first), _criterion(other), "Fit all with the same reml=."),
            (
                "inference",
                first.inference.words,
                other.inference.words,
                "Fit all with the same df= and cov_type=.",
            ),
        ):
            if a != b:
                raise FitError(
                    f"Fits 1 and {i} cannot be pooled: their {what} differ ({a} and {b}). {remedy}"
                )


def _criterion(res: MixedModelResults) -> str:
    return "REML" if res.reml else "maximum likelihood"


def _pooled(fits: tuple[MixedModelResults, ...], rows: Array) -> tuple[Array, Array, Shares, Array]:
    """Estimates and standard errors of contrasts, what imputation adds, and the total covariance."""
    m = len(fits)
    each = np.array([rows @ f.fit.beta for f in fits])
    within = np.mean([rows @ f.inference.cov @ rows.T for f in fits], axis=0)
    between = np.atleast_2d(np.cov(each, rowvar=False))
    total = within + (1 + 1 / m) * between
    complete = np.mean([f.inference.df(rows) for f in fits], axis=0)
    shares = shares_of(m, np.diag(within), np.diag(between), complete)
    return each.mean(axis=0), np.sqrt(np.diag(total)), shares, total


def shares_of(m: int, within: Array, between: Array, complete: Array) -> Shares:
    """Barnard and Rubin's degrees of freedom and what depends on them.

    Barnard and Rubin (1999), eqs 3-5: ``1 / df = 1 / df_old + 1 / df_obs``, ``df_old = (m - 1) / lambda^2``,
    ``df_obs = (c + 1) / (c + 3) c (1 - lambda)`` with the complete-data value ``c``.

    Parameters
    ----------
    m : int
        Number of data sets.
    within, between, complete : ndarray, shape (r,)
        Mean variance within, variance between, complete-data degrees of freedom (may be infinite).
    """
    extra = (1 + 1 / m) * between
    lambda_ = extra / (within + extra)
    with np.errstate(divide="ignore"):
        old = (m - 1) / lambda_**2
        observed = np.where(np.isinf(complete), np.inf, 0.0)
        finite = np.isfinite(complete)
        c = complete[finite]
        observed[finite] = (c + 1) / (c + 3) * c * (1 - lambda_[finite])
        df = 1 / (1 / old + 1 / observed)
    riv = extra / within
    return Shares(riv, lambda_, (riv + 2 / (df + 3)) / (1 + riv), df)


def joint_test(fits: tuple[MixedModelResults, ...], rows: Array) -> FTest:
    """Wald test of several contrasts with one relative increase in variance for all of them.

    The statistic D1 of Li, Raghunathan and Rubin (1991), J Am Stat Assoc 86:1065-1073, with the degrees of freedom of
    Reiter (2007), Biometrika 94:502-508, the complete-data value being the mean over the fits' own joint tests. A single
    contrast has those of Barnard and Rubin.
    """
    estimate, se, shares, _ = _pooled(fits, rows)
    if len(rows) == 1:
        return FTest.of(float((estimate[0] / se[0]) ** 2), 1, float(shares.df[0]))
    m, k = len(fits), len(rows)
    each = np.array([rows @ f.fit.beta for f in fits])
    within = np.mean([rows @ f.inference.cov @ rows.T for f in fits], axis=0)
    wald, _ = rotated_test(estimate, within, np.eye(k))
    r = float((1 + 1 / m) * np.trace(np.linalg.solve(within, np.cov(each, rowvar=False))) / k)
    complete = float(np.mean([f.inference.joint(rows).df_den for f in fits]))
    return FTest.of(wald / (1 + r), k, joint_df(m, k, r, complete))


def joint_df(m: int, k: int, r: float, complete: float) -> float:
    """Denominator degrees of freedom of D1: Reiter's (2007, eq. 2.6), Li and others' where the former do not exist.

    Parameters
    ----------
    m, k : int
        Data sets, contrasts.
    r : float
        Mean relative increase in variance.
    complete : float
        Complete-data degrees of freedom; may be infinite.
    """
    t = k * (m - 1)
    if r <= 0:
        return complete
    large = 4 + (t - 4) * (1 + (1 - 2 / t) / r) ** 2 if t > 4 else t * (1 + 1 / k) * (1 + 1 / r) ** 2 / 2
    if np.isinf(complete):
        return float(large)
    star = (complete + 1) / (complete + 3) * complete
    a = r * t / (t - 2) if t > 2 else np.inf
    c1, c2 = star - 2 * (1 + a), star - 4 * (1 + a)
    if t <= 4 or c2 <= 0:
        return float(min(large, star / (1 + r)))
    z = a**2 * c1 / ((1 + a) ** 2 * c2) + 8 * a**2 * c1 / ((1 + a) * c2**2) + 4 * a**2 / ((1 + a) * c2)
    z += 4 * a**2 / (c2 * c1) + 16 * a**2 * c1 / c2**3 + 8 * a**2 / c2**2
    return float(4 + 1 / (1 / c2 + z / (t - 4)))
