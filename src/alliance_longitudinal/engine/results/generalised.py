"""What a fitted generalised model tells: the object that users hold."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions as stats
from alliance_longitudinal.engine.design.design import DesignSpec
from alliance_longitudinal.engine.diagnostics import generalised_shares as shares
from alliance_longitudinal.engine.families.search import SearchRecord
from alliance_longitudinal.engine.fitted.generalised_tables import fitted, predicted, varcorr
from alliance_longitudinal.engine.fitted.tables import random_effects
from alliance_longitudinal.engine.generalised_fit import GeneralisedFit
from alliance_longitudinal.engine.inference.compare import LikelihoodRatio, refuse_other_kinds
from alliance_longitudinal.engine.inference.contrasts import is_terms, read_contrasts, term_rows
from alliance_longitudinal.engine.inference.generalised_compare import likelihood_ratio
from alliance_longitudinal.engine.inference.generalised_intervals import bootstrap_intervals
from alliance_longitudinal.engine.inference.generalised_profile import profile_intervals
from alliance_longitudinal.engine.inference.protocol import FTest, contrast_table
from alliance_longitudinal.engine.inference.satterthwaite import Normal
from alliance_longitudinal.engine.options import (
    BootstrapInterval,
    BootstrapKind,
    IntervalMethod,
    PredictionScale,
    ShareMethod,
    check_alpha,
    choose,
    switch,
)
from alliance_longitudinal.engine.resampling import generalised as resampling
from alliance_longitudinal.engine.resampling.bootstrap import Bootstrap
from alliance_longitudinal.engine.results.base import FitResults
from alliance_longitudinal.engine.results.linear_only import LinearOnly
from alliance_longitudinal.engine.results.show_generalised import as_html, as_plain_data, as_text, glance_row
from alliance_longitudinal.errors import FitError

#: What ``exp(coefficient)`` is, by family and link.
RATIOS = {
    ("binomial", "logit"): "Odds ratio",
    ("binomial", "cloglog"): "Hazard ratio",
    ("poisson", "log"): "Rate ratio",
    ("negative-binomial", "log"): "Rate ratio",
    ("ordinal", "logit"): "Odds ratio",
}


@dataclass(frozen=True, slots=True, repr=False)
class GeneralisedResults(LinearOnly, FitResults):
    """Results of a generalised mixed model.

    Attributes
    ----------
    params, bse, zvalues, pvalues : Series
        By term: estimate on the scale of the linear predictor, standard error, z statistic, two-sided p. Thresholds of an
        ordered response come first, named ``lower|upper``, with ``logit P(Y <= k) = threshold_k - linear predictor``: a
        positive coefficient means higher categories. The standard errors include the uncertainty of the variance parameters.
    varcorr : DataFrame
        ``group, term1, term2, vcov, sdcor`` on the scale of the linear predictor; there is no residual.
    dispersion, log_dispersion_se : float
        Negative binomial: ``theta`` in ``variance = mu + mu^2 / theta``, and the standard error of its logarithm;
        missing for other families.
    deviance, llf, aic, bic : float
        ``deviance`` is -2 log-likelihood with all constants (of binomial coefficients and factorials), as from lme4's
        ``-2 * logLik`` and in glmmTMB; it is not the deviance against a saturated model. The constant depends on how
        the data are given: rows of 0/1 data and the same trials added up have different constants.
    nobs, n_dropped, n_groups, groups
        As in `MixedModelResults`.
    random_effects, random_effects_sd : dict
        Group to DataFrame (levels by terms): conditional modes, and their standard deviations (from the curvature at the
        mode) given the estimated parameters.
    fittedvalues : Series
        Expected responses with the modes of their groups: probability, share or count; for an ordered response the
        probability of the observed category.
    converged, singular : bool
        Whether the optimum is verified; whether a parameter is on its boundary.
    convergence : str
        What was checked, in words.
    findings : tuple of Finding

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_longitudinal.engine import MixedModel
    >>> data = pd.DataFrame({"better": [1, 0, 0, 1, 1, 1, 0, 1, 0, 1, 1, 0], "g": list("aaabbbcccddd")})
    >>> res = MixedModel.from_formula("better ~ 1 + (1 | g)", data, family="binomial").fit()
    >>> res.ratio_name, res.n_groups
    ('Odds ratio', {'g': 4})
    """

    formula: str
    fit: GeneralisedFit
    spec: DesignSpec
    inference: Normal
    params: pd.Series
    bse: pd.Series
    zvalues: pd.Series
    pvalues: pd.Series
    varcorr: pd.DataFrame
    random_effects: dict[str, pd.DataFrame]
    random_effects_sd: dict[str, pd.DataFrame]
    fittedvalues: pd.Series

    @property
    def family(self) -> str:
        """Name of the family."""
        return self.fit.response.family.name

    @property
    def link(self) -> str:
        """Name of the link."""
        return self.fit.response.family.link

    @property
    def ratio_name(self) -> str:
        """Name of the exponential of a coefficient, such as odds ratio."""
        return RATIOS[self.family, self.link]

    @property
    def n_agq(self) -> int:
        """Quadrature nodes per random effect; 1 is Laplace's method."""
        return self.fit.n_agq

    @property
    def tvalues(self) -> pd.Series:
        """The z statistics, under the name that linear results use."""
        return self.zvalues

    @property
    def df(self) -> pd.Series:
        """Infinite: tests use the normal distribution."""
        return pd.Series(np.inf, index=self.params.index, name="df")

    @property
    def n_thresholds(self) -> int:
        """Number of parameters that are thresholds."""
        return len(self.fit.params) - len(self.fit.beta)

    @property
    def dispersion(self) -> float:
        """Theta of the negative binomial; infinite when the counts are no more dispersed than Poisson counts."""
        return float(np.exp(self.fit.aux[0])) if self.family == "negative-binomial" else np.nan

    @property
    def log_dispersion_se(self) -> float:
        """Standard error of the logarithm of `dispersion`."""
        return float(self.fit.aux_se[0]) if self.family == "negative-binomial" else np.nan

    @property
    def optimization(self) -> SearchRecord:
        """The search: path, evaluations, certificate."""
        return self.fit.record

    def cov_params(self) -> pd.DataFrame:
        """Covariance matrix of `params`."""
        return pd.DataFrame(self.fit.cov, index=list(self.fit.names), columns=list(self.fit.names))

    def conf_int(
        self,
        alpha: float = 0.05,
        method: IntervalMethod = "wald",
        *,
        which: list[str] | None = None,
        n_boot: int = 1000,
        seed: int | None = None,
        kind: BootstrapKind = "parametric",
        interval: BootstrapInterval = "percentile",
    ) -> pd.DataFrame:
        """Confidence intervals: DataFrame with columns ``lower`` and ``upper``.

        ``method="profile"`` gives the values that a likelihood-ratio test does not reject, and ``method="bootstrap"``
        percentiles of a parametric bootstrap. Both add rows for standard deviations (``sd(effect)|group``); the
        bootstrap also adds rows for correlations (``cor(a,b)|group``). ``which`` selects rows of a profile. The
        column ``note`` says why a profile limit is not where the deviance reaches the cut-off, and how many refits
        failed.

        Raises
        ------
        FitError
            Unknown method or parameter; a profile of a fit whose optimum is not verified.
        """
        check_alpha(alpha)
        if kind != "parametric" or interval != "percentile":
            raise FitError(
                f"kind={kind!r} with interval={interval!r} is not available for generalised models; there is the parametric "
                "bootstrap with percentiles."
            )
        if method == "profile":
            return profile_intervals(self.fit, alpha, which)
        if method == "bootstrap":
            return bootstrap_intervals(self.fit, self.bootstrap(n_boot, seed), alpha)
        if method != "wald":
            raise FitError(
                f"method={method!r} is not available for generalised models; there is 'wald', 'profile' and 'bootstrap'."
            )
        half = stats.norm.ppf(1 - alpha / 2) * self.bse
        return pd.DataFrame({"lower": self.params - half, "upper": self.params + half})

    def contrast(
        self, contrasts: Any, labels: list[str] | None = None, *, alpha: float = 0.05
    ) -> pd.DataFrame:
        """Linear combinations of `params`, as in `MixedModelResults.contrast`; tests use the normal distribution."""
        rows, labels = read_contrasts(contrasts, self.fit.names, labels)
        return contrast_table(self.inference, self.fit.params, rows, labels, alpha)

    def f_test(self, contrasts: Any) -> FTest:
        """Joint Wald test that all contrasts, or all coefficients of one or several terms, are zero."""
        if is_terms(contrasts):
            return self.inference.joint(term_rows(contrasts, self.spec, self.fit.names))
        return self.inference.joint(read_contrasts(contrasts, self.fit.names, None)[0])

    def bootstrap(
        self, n_boot: int = 1000, seed: int | None = None, kind: BootstrapKind = "parametric"
    ) -> Bootstrap:
        """Parametric bootstrap (no other ``kind``): refits to simulated responses, started from this optimum."""
        if kind != "parametric":
            raise FitError(
                f"kind={kind!r} is not available for generalised models; there is the parametric bootstrap."
            )
        return resampling.bootstrap(self.fit, n_boot, seed)

    def icc(
        self,
        n_boot: int = 0,
        seed: int | None = None,
        alpha: float = 0.05,
        *,
        method: ShareMethod | None = None,
        **others: object,
    ) -> pd.DataFrame:
        """Shares of the latent variance of a binary or ordered response, by grouping: ``group, variance, icc``.

        ``n_boot`` replicates of a bootstrap or ``method="profile"`` (one random effect) add limits ``lower, upper``; see
        `shares`. The residual variance is that of the link's distribution.
        """
        check_alpha(alpha)
        if others:
            raise FitError(
                f"icc({', '.join(others)}=...) is not available for generalised models. Leave it out."
            )
        if method is not None:
            choose("method", method, ShareMethod)
        if method == "profile":
            return shares.with_profile(self.fit, alpha)
        table = shares.intraclass(self.fit)
        if not n_boot and method is None:
            return table
        return shares.with_percentiles(self.fit, self.bootstrap(n_boot or 1000, seed), alpha)

    def lrt(self, other: "GeneralisedResults") -> LikelihoodRatio:
        """Likelihood-ratio test against another model; one of the two must be nested in the other."""
        refuse_other_kinds(self, other)
        return likelihood_ratio(self.fit, other.fit)

    def predict(
        self,
        data: pd.DataFrame | None = None,
        groups: bool = True,
        scale: PredictionScale = "response",
        **intervals: object,
    ) -> pd.Series | pd.DataFrame:
        """Predictions; without ``data``, for the rows of the fit.

        Parameters
        ----------
        groups : bool
            Add the conditional modes of known groups. Unseen groups, and all rows without ``groups``, get random effects
            of zero: the prediction for a typical group, which is not the mean over groups.
        scale : {"response", "linear"}
            Probability, expected count or (ordered response) one column of probabilities per category; or the linear
            predictor.
        intervals
            Not available; the keywords of `MixedModelResults.predict` are refused.
        """
        if intervals:
            raise FitError(
                f"{', '.join(intervals)}: intervals of predictions are not available for generalised models. Ask contrast() for "
                "the limits of a linear predictor with random effects of zero, and predict() for the expected response."
            )
        return predicted(self.fit, self.spec, data, switch("groups", groups), scale)

    def simulate(self, n: int = 1, seed: int | None = None) -> pd.DataFrame:
        """New responses from the fitted model with new random effects: one row per row of the data, ``n`` columns."""
        return resampling.simulate(self.fit, n, seed)

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


def results(formula: str, fit: GeneralisedFit, spec: DesignSpec) -> GeneralisedResults:
    """Label the numbers of a fit."""
    names = pd.Index(fit.names, name="term")
    bse = np.sqrt(np.diag(fit.cov))
    z = fit.params / bse
    effects, spreads = random_effects(fit)
    words = "Standard errors from the full likelihood, tests from the normal distribution."
    return GeneralisedResults(
        formula=formula,
        fit=fit,
        spec=spec,
        inference=Normal(fit.params, fit.cov, words),
        params=pd.Series(fit.params, index=names, name="estimate"),
        bse=pd.Series(bse, index=names, name="se"),
        zvalues=pd.Series(z, index=names, name="z"),
        pvalues=pd.Series(2 * stats.norm.sf(np.abs(z)), index=names, name="p"),
        varcorr=varcorr(fit),
        random_effects=effects,
        random_effects_sd=spreads,
        fittedvalues=fitted(fit),
    )
