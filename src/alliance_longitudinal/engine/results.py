"""What a fitted model tells: the object that users hold."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from alliance_longitudinal.engine.after.predict import fitted, predict
from alliance_longitudinal.engine.after.shares import intraclass, r_squared
from alliance_longitudinal.engine.design.design import DesignSpec
from alliance_longitudinal.engine.fitting.fit import MixedFit
from alliance_longitudinal.engine.fitting.optimize import OptimRecord
from alliance_longitudinal.engine.inference.compare import LikelihoodRatio, likelihood_ratio
from alliance_longitudinal.engine.inference.contrasts import read_contrasts
from alliance_longitudinal.engine.inference.intervals import bootstrap_intervals
from alliance_longitudinal.engine.inference.protocol import FTest, Inference, contrast_table
from alliance_longitudinal.engine.options import FitOptions, choose
from alliance_longitudinal.engine.resampling.bootstrap import Bootstrap, bootstrap, simulate
from alliance_longitudinal.engine.show.summary import as_html, as_plain_data, as_text, glance_row
from alliance_longitudinal.engine.show.tables import random_effects, varcorr
from alliance_longitudinal.findings import Finding


@dataclass(frozen=True, slots=True, repr=False)
class MixedModelResults:
    """Results of a linear mixed model.

    Attributes
    ----------
    params, bse, df, tvalues, pvalues : Series
        By fixed-effect term: estimate, standard error, degrees of freedom, t statistic, two-sided p.
    varcorr : DataFrame
        ``group, term1, term2, vcov, sdcor``; ``term2`` is missing on a variance's row; the last row is ``Residual``.
    deviance, llf, aic, bic : float
        ``deviance`` is -2 log-likelihood, the REML criterion under REML, with lme4's constants; the criteria
        count all coefficients and variance parameters, ``bic`` with the number of rows.
    nobs, n_dropped : int
        Rows used, and rows left out because a used value is missing.
    n_groups : dict
        Number of levels by group.
    groups : tuple of str
        Names of the groupings in formula order, the finer of ``a/b`` first as ``b:a``.
    scale : float
        Residual variance (of a row of weight one).
    random_effects, random_effects_sd : dict
        Group to DataFrame (levels by terms): conditional modes, and their standard deviations given the
        estimated parameters.
    fittedvalues, resid : Series
        In row order of the data; the fitted values include the conditional modes.
    converged, singular : bool
        Optimum certified; some covariance on its boundary.
    convergence : str
        What was checked, in words.
    findings : tuple of Finding
        What a reader of the result has to know.
    """

    formula: str
    fit: MixedFit
    spec: DesignSpec
    options: FitOptions
    inference: Inference
    params: pd.Series
    bse: pd.Series
    df: pd.Series
    tvalues: pd.Series
    pvalues: pd.Series
    varcorr: pd.DataFrame
    random_effects: dict[str, pd.DataFrame]
    random_effects_sd: dict[str, pd.DataFrame]
    fittedvalues: pd.Series
    resid: pd.Series

    @property
    def reml(self) -> bool:
        """Whether the fit is by REML."""
        return self.fit.reml

    @property
    def nobs(self) -> int:
        """Rows used."""
        return len(self.fit.design.y)

    @property
    def n_dropped(self) -> int:
        """Rows left out because a used value is missing."""
        return int((~self.fit.design.kept).sum())

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groupings."""
        return tuple(f.name for f in self.fit.design.factors)

    @property
    def n_groups(self) -> dict[str, int]:
        """Number of levels by group."""
        return {f.name: f.size for f in self.fit.design.factors}

    @property
    def scale(self) -> float:
        """Residual variance."""
        return self.fit.scale

    @property
    def deviance(self) -> float:
        """-2 log-likelihood; the REML criterion under REML."""
        return self.fit.deviance

    @property
    def llf(self) -> float:
        """Log-likelihood (restricted under REML)."""
        return -self.fit.deviance / 2

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return self.fit.deviance + 2 * self.fit.n_parameters

    @property
    def bic(self) -> float:
        """Schwarz's criterion, with the number of rows."""
        return float(self.fit.deviance + np.log(self.nobs) * self.fit.n_parameters)

    @property
    def converged(self) -> bool:
        """Whether the optimum is certified."""
        return self.fit.converged

    @property
    def singular(self) -> bool:
        """Whether some covariance lies on its boundary."""
        return self.fit.singular

    @property
    def convergence(self) -> str:
        """What was checked, in words."""
        return self.fit.convergence

    @property
    def optimization(self) -> OptimRecord:
        """The search: starts, path, evaluations, certificate."""
        return self.fit.record

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What a reader of the result has to know."""
        return (*self.fit.findings, *self.inference.findings)

    def cov_params(self) -> pd.DataFrame:
        """Covariance matrix of the coefficients by the fit's method of inference, terms by terms."""
        names = list(self.params.index)
        return pd.DataFrame(self.inference.cov, index=names, columns=names)

    def conf_int(
        self, alpha: float = 0.05, method: str = "wald", *, n_boot: int = 1000, seed: int | None = None
    ) -> pd.DataFrame:
        """Confidence intervals: DataFrame with columns ``lower`` and ``upper``.

        ``method="bootstrap"`` gives percentile intervals of a parametric bootstrap and adds rows for standard
        deviations (``sd(effect)|group``), correlations (``cor(a,b)|group``) and ``sigma``.
        """
        if choose("method", method) == "bootstrap":
            return bootstrap_intervals(self.fit, self.bootstrap(n_boot, seed), alpha)
        half = stats.t.ppf(1 - alpha / 2, self.df) * self.bse
        return pd.DataFrame({"lower": self.params - half, "upper": self.params + half})

    def contrast(
        self, contrasts: Any, labels: list[str] | None = None, *, alpha: float = 0.05
    ) -> pd.DataFrame:
        """Linear combinations of the coefficients with the small-sample test of the fit.

        Parameters
        ----------
        contrasts : array of shape (r, p) or (p,), mapping of term to weight, list of mappings, or DataFrame
        labels : list of str, optional

        Returns
        -------
        DataFrame
            ``estimate, se, df, t, p, lower, upper`` by label.
        """
        rows, labels = read_contrasts(contrasts, self.fit.design.names, labels)
        return contrast_table(self.inference, self.fit.beta, rows, labels, alpha)

    def f_test(self, contrasts: Any) -> FTest:
        """Joint test that all contrasts (as in `contrast`) are zero."""
        rows, _ = read_contrasts(contrasts, self.fit.design.names, None)
        return self.inference.joint(rows)

    def predict(self, data: pd.DataFrame | None = None, groups: bool = True) -> pd.Series:
        """Expected response; without ``data`` for the rows of the fit.

        With ``groups`` the conditional modes of known groups are added; unseen groups get their expected
        value, zero.
        """
        if data is None:
            values = self.fittedvalues if groups else self.fit.design.x @ self.fit.beta
            return pd.Series(values, index=self.fit.design.index, name="predicted")
        return predict(self.fit, self.spec, data, groups)

    def simulate(self, n: int = 1, seed: int | None = None) -> pd.DataFrame:
        """New responses from the fitted model, random effects drawn anew: rows of the data by ``n`` draws."""
        return simulate(self.fit, n, seed)

    def bootstrap(self, n_boot: int = 1000, seed: int | None = None) -> Bootstrap:
        """Parametric bootstrap: refits to simulated responses, started from this optimum."""
        return bootstrap(self.fit, n_boot, seed)

    def lrt(self, other: "MixedModelResults") -> LikelihoodRatio:
        """Likelihood-ratio test against a model nested in this one, or one that this one is nested in."""
        return likelihood_ratio(self.fit, other.fit)

    def icc(self, n_boot: int = 0, seed: int | None = None, alpha: float = 0.05) -> pd.DataFrame:
        """Share of the variance at each level; with ``n_boot``, percentile intervals."""
        return intraclass(self.fit, self.bootstrap(n_boot, seed) if n_boot else None, alpha)

    def r2(self) -> pd.Series:
        """Marginal and conditional R2 of Nakagawa and Schielzeth (2013), for random slopes Johnson (2014)."""
        return r_squared(self.fit)

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """One row a coefficient: ``term, estimate, se, df, stat, p, low, high``."""
        limits = self.conf_int(alpha)
        columns = {
            "estimate": self.params,
            "se": self.bse,
            "df": self.df,
            "stat": self.tvalues,
            "p": self.pvalues,
        }
        table = pd.DataFrame(columns | {"low": limits["lower"], "high": limits["upper"]})
        return table.rename_axis("term").reset_index()

    def glance(self) -> pd.DataFrame:
        """One row about the whole fit."""
        return pd.DataFrame([glance_row(self)])

    def to_dict(self) -> dict[str, Any]:
        """Plain data: numbers, text, lists and dictionaries only; missing and infinite numbers are None."""
        return as_plain_data(self)

    def summary(self) -> str:
        """The fit as text."""
        return as_text(self)

    def __repr__(self) -> str:
        return f"<MixedModelResults: {self.formula}; {self.nobs} rows; use .summary()>"

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)


def results(fit: MixedFit, spec: DesignSpec, options: FitOptions, inference: Inference) -> MixedModelResults:
    """Label the numbers of a fit."""
    names = pd.Index(fit.design.names, name="term")
    bse = np.sqrt(np.diag(inference.cov))
    df = inference.df(np.eye(len(names)))
    t = fit.beta / bse
    values = fitted(fit)
    effects, spreads = random_effects(fit)

    def series(numbers: Any, name: str) -> pd.Series:
        return pd.Series(numbers, index=names, name=name)

    return MixedModelResults(
        formula=spec.formula,
        fit=fit,
        spec=spec,
        options=options,
        inference=inference,
        params=series(fit.beta, "estimate"),
        bse=series(bse, "se"),
        df=series(df, "df"),
        tvalues=series(t, "t"),
        pvalues=series(2 * stats.t.sf(np.abs(t), df), "p"),
        varcorr=varcorr(fit),
        random_effects=effects,
        random_effects_sd=spreads,
        fittedvalues=pd.Series(values, index=fit.design.index, name="fitted"),
        resid=pd.Series(fit.design.y - values, index=fit.design.index, name="resid"),
    )
