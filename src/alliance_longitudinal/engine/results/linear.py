"""What a fitted model tells: the object that users hold."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions as stats
from alliance_longitudinal.engine.design.design import DesignSpec
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.predict import fitted
from alliance_longitudinal.engine.fitted.tables import random_effects, varcorr
from alliance_longitudinal.engine.inference.clusters import clusters_of
from alliance_longitudinal.engine.inference.methods import inference_of
from alliance_longitudinal.engine.inference.protocol import Inference
from alliance_longitudinal.engine.inference.residual_estimates import residual_parameters
from alliance_longitudinal.engine.options import CovType, FitOptions
from alliance_longitudinal.engine.results.base import FitResults
from alliance_longitudinal.engine.results.diagnostic_questions import AfterQuestions
from alliance_longitudinal.engine.results.inference_questions import InferenceQuestions
from alliance_longitudinal.engine.results.show import as_html, as_plain_data, as_text, glance_row
from alliance_longitudinal.engine.search.optimize import OptimRecord
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.findings import Finding


@dataclass(frozen=True, repr=False)
class MixedModelResults(InferenceQuestions, AfterQuestions, FitResults):
    """Results of a linear mixed model.

    Attributes
    ----------
    params, bse, df, tvalues, pvalues : Series
        By fixed-effect term: estimate, standard error, degrees of freedom, t statistic, two-sided p.
    varcorr : DataFrame
        ``group, term1, term2, vcov, sdcor``; ``term2`` is missing on a variance's row; the last row is ``Residual``.
    deviance, llf, aic, bic : float
        ``deviance`` is -2 log-likelihood (under REML the REML criterion), with lme4's constants. ``aic`` and ``bic``
        count all coefficients and variance parameters; ``bic`` uses the number of rows.
    nobs, n_dropped : int
        Rows used, and rows left out because a used value is missing.
    n_groups : dict
        Number of levels by group.
    groups : tuple of str
        Names of the groupings in formula order; of ``a/b`` the finer comes first, as ``b:a``.
    scale : float
        Residual variance (of a row with weight one, in the reference stratum).
    random_effects, random_effects_sd : dict
        Group to DataFrame (levels by terms): conditional modes, and their standard deviations given the
        estimated parameters.
    fittedvalues, resid : Series
        In the row order of the data; the fitted values include the conditional modes.
    converged, singular : bool
        Whether the optimum is verified; whether a covariance is on its boundary.
    convergence : str
        What was checked, in words.
    findings : tuple of Finding
        What readers of the result need to know.
    data : DataFrame or None
        The data of the fit, if available; marginal means need them.

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_longitudinal.engine import MixedModel
    >>> data = pd.DataFrame({"y": [3.0, 5, 4, 8, 6, 7], "g": list("aabbcc")})
    >>> res = MixedModel.from_formula("y ~ 1 + (1 | g)", data).fit()
    >>> res.n_groups, res.converged, round(res.deviance, 3)
    ({'g': 3}, True, 22.245)
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
    data: pd.DataFrame | None = None

    @cached_property
    def varcorr(self) -> pd.DataFrame:
        """Variance components."""
        return varcorr(self.fit)

    @cached_property
    def _random_effects(self) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
        return random_effects(self.fit)

    @property
    def random_effects(self) -> dict[str, pd.DataFrame]:
        """Conditional modes by group."""
        return self._random_effects[0]

    @property
    def random_effects_sd(self) -> dict[str, pd.DataFrame]:
        """Standard deviations of the conditional modes, given the estimated parameters."""
        return self._random_effects[1]

    @cached_property
    def fittedvalues(self) -> pd.Series:
        """Fitted values of the rows used, conditional modes included."""
        return pd.Series(fitted(self.fit), index=self.fit.design.index, name="fitted")

    @cached_property
    def resid(self) -> pd.Series:
        """Response less fitted values."""
        values = self.fit.design.y - self.fittedvalues.to_numpy()
        return pd.Series(values, index=self.fit.design.index, name="resid")

    @property
    def reml(self) -> bool:
        """Whether the fit is by REML."""
        return self.fit.reml

    @property
    def scale(self) -> float:
        """Residual variance."""
        return self.fit.scale

    @property
    def residual_parameters(self) -> pd.DataFrame:
        """Parameters of the residual structure: ``name, estimate, se, lower, upper`` (95 % Wald limits).

        ``phi`` is the correlation of residuals one position or one unit of time apart; ``sd(b)/sd(a)`` a stratum's
        residual standard deviation relative to the reference's, whose variance is ``scale``. Without a structure
        there are no rows.
        """
        return residual_parameters(self.fit)

    @property
    def optimization(self) -> OptimRecord:
        """The search: starts, path, evaluations, certificate."""
        return self.fit.record

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What readers of the result need to know."""
        return (*super().findings, *self.inference.findings)

    def cov_params(self) -> pd.DataFrame:
        """Covariance matrix of the coefficients by the fit's method of inference, shape (terms, terms)."""
        names = list(self.params.index)
        return pd.DataFrame(self.inference.cov, index=names, columns=names)

    def with_errors(self, cov_type: CovType = "CR2", cov_groups: str | None = None) -> "MixedModelResults":
        """The same fit with other standard errors: as ``fit(cov_type=..., cov_groups=...)`` gives them, without a new search.

        Parameters
        ----------
        cov_type : {"model", "CR0", "CR2"}
        cov_groups : str, optional
            Column of the clusters, needed for CR0 and CR2.

        Raises
        ------
        FormulaError, FitError
            As `MixedModel.fit`; or the rows of the fit are not in memory.

        Examples
        --------
        >>> import pandas as pd
        >>> from alliance_longitudinal.engine import MixedModel
        >>> data = pd.DataFrame({"y": [3.0, 5, 4, 8, 6, 7], "x": [0, 1, 0, 1, 0, 1], "g": list("aabbcc")})
        >>> res = MixedModel.from_formula("y ~ x + (1 | g)", data).fit()
        >>> res.with_errors("CR2", "g").bse.round(3).to_dict()
        {'Intercept': 0.882, 'x': 0.882}
        """
        if cov_type != "model" and self.data is None:
            raise FitError(
                "Cluster-robust standard errors need the rows of the data, which this fit did not keep."
            )
        options = replace(self.options, cov_type=cov_type, cov_groups=cov_groups)
        clusters = None
        if cov_groups is not None and self.data is not None:
            clusters = clusters_of(self.fit.design, self.data, cov_groups)
        return results(self.fit, self.spec, options, inference_of(self.fit, options, clusters), self.data)

    def glance(self) -> pd.DataFrame:
        """One row about the whole fit."""
        return pd.DataFrame([glance_row(self)])

    def to_dict(self) -> dict[str, Any]:
        """Plain data: numbers, text, lists and dictionaries only; missing and infinite numbers are None."""
        return as_plain_data(self)

    def summary(self) -> str:
        """The fit as text."""
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)


@lru_cache(maxsize=64)
def _terms(names: tuple[str, ...]) -> pd.Index:
    """Labels of the coefficients; each result gets a view, so that what its user does to it stays there."""
    return pd.Index(names, name="term")


def results(
    fit: MixedFit,
    spec: DesignSpec,
    options: FitOptions,
    inference: Inference,
    data: pd.DataFrame | None = None,
) -> MixedModelResults:
    """Label the numbers of a fit."""
    names = _terms(fit.design.names).view()
    bse = np.sqrt(np.diag(inference.cov))
    df = inference.df(np.eye(len(names)))
    t = fit.beta / bse

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
        data=data,
    )
