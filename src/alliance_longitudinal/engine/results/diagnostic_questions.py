"""Questions about units and variance that a fitted model answers: predictions, simulations, shares.

What answers them is loaded when it is asked: all of it takes longer to load than a small fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from alliance_longitudinal.engine.design.design import DesignSpec
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.inference.protocol import Inference
from alliance_longitudinal.engine.options import (
    BootstrapKind,
    EnvelopeKind,
    FitOptions,
    InfluenceMethod,
    PredictionInterval,
    ResidualKind,
    ShareMethod,
    choose,
    switch,
)
from alliance_longitudinal.errors import FitError

if TYPE_CHECKING:
    from alliance_longitudinal.engine.diagnostics.caterpillar import Caterpillar
    from alliance_longitudinal.engine.diagnostics.envelope import Envelope
    from alliance_longitudinal.engine.diagnostics.influence import Influence
    from alliance_longitudinal.engine.results.linear import MixedModelResults


class AfterQuestions:
    """Methods of `MixedModelResults` about rows, groups and variances."""

    __slots__ = ()

    fit: MixedFit
    spec: DesignSpec
    options: FitOptions
    inference: Inference
    data: pd.DataFrame | None

    if TYPE_CHECKING:

        @cached_property
        def fittedvalues(self) -> pd.Series:
            """Fitted values of the rows used."""

    def predict(
        self,
        data: pd.DataFrame | None = None,
        groups: bool = True,
        *,
        interval: PredictionInterval | None = None,
        alpha: float = 0.05,
        n_boot: int = 0,
        seed: int | None = None,
    ) -> pd.Series | pd.DataFrame:
        """Expected response; without ``data``, for the rows of the fit.

        With ``groups``, the conditional modes of known groups are added. Unseen groups get their expected value,
        zero.

        Parameters
        ----------
        data : DataFrame, optional
        groups : bool
        interval : {None, "confidence", "prediction"}
            Interval for the expected response of the row's own groups, or for one new observation in them. What is
            known about a group is used. A group that was not in the data (also an inner one in a known outer one)
            adds the variance of its effects. With ``groups=False`` a confidence interval is for the fixed part alone,
            and a prediction interval for an observation in new groups at every level.
        alpha : float
        n_boot : int
            Replicates of a parametric bootstrap for the uncertainty of the variances (Laird and Louis 1987); 0 treats
            them as known.
        seed : int, optional

        Returns
        -------
        Series, or DataFrame ``predicted, se, df, lower, upper`` with an interval
            ``df`` is Satterthwaite's for the variance of the prediction's error; that of the fit's own method (Kenward
            and Roger, cluster-robust) for the fixed part alone; infinite with ``df="normal"``, and with ``n_boot``, where
            the limits are quantiles of a mixture.
        """
        switch("groups", groups)
        if interval is not None:
            from alliance_longitudinal.engine.diagnostics.prediction_intervals import (
                Request,
                predict_with_interval,
            )

            choose("interval", interval, PredictionInterval)
            request = Request(groups, interval, alpha, self.options.df == "normal", n_boot, seed)
            return predict_with_interval(self.fit, self.spec, self.inference, data, request)
        from alliance_longitudinal.engine.fitted.predict import predict
        from alliance_longitudinal.engine.fitted.rows import known_part

        if data is None:
            values = (
                self.fittedvalues
                if groups
                else self.fit.design.x @ self.fit.beta + known_part(self.fit.design)
            )
            return pd.Series(values, index=self.fit.design.index, name="predicted")
        return predict(self.fit, self.spec, data, groups)

    def simulate(self, n: int = 1, seed: int | None = None) -> pd.DataFrame:
        """New responses from the fitted model with new random effects: one row per row of the data, ``n`` columns."""
        from alliance_longitudinal.engine.resampling.bootstrap import simulate

        return simulate(self.fit, n, seed)

    def refit(self, response: Any) -> MixedModelResults:
        """The same model and options fitted to another response: a Series by row label, or values in row order."""
        from alliance_longitudinal.engine.diagnostics.refit import refit
        from alliance_longitudinal.engine.results.linear import results

        fit, inference = refit(self.fit, self.options, self.inference, response)
        return results(fit, self.spec, self.options, inference, self.data)

    def influence(self, group: str, method: InfluenceMethod = "auto") -> Influence:
        """What changes when each group of a grouping is left out: Cook's distance, DFBETAS, COVRATIO, variances.

        ``method``: ``"auto"`` (one Newton step of the variances, or a refit where that step is long or does not
        exist), ``"one-step"``, ``"fixed"`` (variances held) or ``"refit"``; see
        `engine.diagnostics.influence.influence`.
        """
        from alliance_longitudinal.engine.diagnostics.influence import influence

        return influence(self.fit, group, choose("method", method, InfluenceMethod))

    def residuals(self, kind: ResidualKind = "conditional") -> pd.Series:
        """Residuals by row of the fit.

        ``kind``: ``"conditional"`` (response minus its expectation in its own groups), ``"marginal"`` (minus the
        fixed part only), ``"pearson"`` (conditional, divided by the residual standard deviation) or ``"whitened"``
        (marginal, made uncorrelated with variance one).
        """
        from alliance_longitudinal.engine.diagnostics.residuals import residuals

        values = residuals(self.fit, choose("kind", kind, ResidualKind))
        return pd.Series(values, index=self.fit.design.index, name=kind)

    def envelope(
        self,
        kind: EnvelopeKind = "whitened",
        n: int = 99,
        seed: int | None = None,
        *,
        group: str | None = None,
        effect: str | None = None,
        refit: bool = False,
        alpha: float = 0.05,
    ) -> Envelope:
        """Simulation envelope of residuals or modes for a quantile plot, with a Monte Carlo test of their shape.

        Parameters
        ----------
        kind : str
            As in `residuals`; ``"quantile"`` (randomised rank of each response among simulated ones, groups drawn anew);
            or ``"modes"`` of the random effect named by ``group`` and ``effect``.
        n : int
            Simulated responses.
        refit : bool
            Whether the variances are estimated again from each simulated response (slower, but fairer with few
            groups) or held fixed.
        """
        from alliance_longitudinal.engine.diagnostics.envelope import asked_of, envelope

        asked = asked_of(self.fit, choose("kind", kind, EnvelopeKind), group, effect)
        return envelope(self.fit, asked, n, seed, switch("refit", refit), alpha)

    def caterpillar(
        self,
        group: str,
        *,
        fixed_uncertainty: bool = False,
        alpha: float = 0.05,
        n_draws: int = 1000,
        seed: int | None = 0,
    ) -> Caterpillar:
        """Modes of a grouping in order, with intervals, comparison intervals and ranks; see `Caterpillar`."""
        from alliance_longitudinal.engine.diagnostics.caterpillar import caterpillar

        uncertain = switch("fixed_uncertainty", fixed_uncertainty)
        return caterpillar(self.fit, group, uncertain, alpha, n_draws, seed)

    def icc(
        self,
        n_boot: int = 0,
        seed: int | None = None,
        alpha: float = 0.05,
        *,
        method: ShareMethod | None = None,
        at: Mapping[str, object] | None = None,
        of: str | None = None,
        kind: BootstrapKind = "parametric",
    ) -> pd.DataFrame:
        """Share of the variance around the fixed part at each level, and in the residual.

        Parameters
        ----------
        n_boot : int
            Replicates of a bootstrap for percentile intervals.
        method : {None, "profile", "bootstrap"}
            ``"profile"`` gives profile-likelihood intervals. ``"bootstrap"`` uses 1000 replicates if ``n_boot`` is 0.
        at : mapping of str to value, optional
            Values of the covariates with random slopes at which to compute the shares, such as ``{"week": 6}``.
            Without it, the variance of a random term is its mean over the rows (Johnson 2014).
        of : str, optional
            A random effect, such as the slope ``"week"``, whose variance is divided among the groupings that have it.
        kind : {"parametric", "cluster", "case", "two-stage"}
            Of the bootstrap.

        Returns
        -------
        DataFrame
            ``group, variance, icc`` and, with intervals, ``lower, upper`` (profile: also ``criterion, note``; bootstrap:
            ``attrs["n_failed"]`` is the number of refits without a verified optimum, which are left out).
        """
        from alliance_longitudinal.engine.diagnostics.shares import (
            intraclass,
            mean_weights,
            weights_at,
            weights_of,
            with_percentiles,
            with_profile,
        )
        from alliance_longitudinal.engine.resampling.bootstrap import bootstrap

        if method is not None:
            choose("method", method, ShareMethod)
        if at is not None and of is not None:
            raise FitError(
                "Give either at, for the variance of the response there, or of, for that of an effect."
            )
        if of is not None:
            weights = weights_of(self.fit, of)
        else:
            weights = mean_weights(self.fit) if at is None else weights_at(self.fit, self.spec, at)
        table = intraclass(self.fit, weights)
        if method == "profile":
            return with_profile(table, self.fit, weights, alpha)
        if not n_boot and method is None:
            return table
        boot = bootstrap(self.fit, n_boot or 1000, seed, choose("kind", kind, BootstrapKind))
        return with_percentiles(table, weights, boot, alpha)

    def r2(
        self,
        n_boot: int = 0,
        seed: int | None = None,
        alpha: float = 0.05,
        *,
        kind: BootstrapKind = "parametric",
    ) -> pd.Series | pd.DataFrame:
        """Marginal and conditional R2 of Nakagawa and Schielzeth (2013), for random slopes Johnson (2014).

        With ``n_boot`` a DataFrame ``r2, lower, upper`` with percentile limits of a bootstrap of that ``kind``.
        """
        from alliance_longitudinal.engine.diagnostics.shares import r_squared, r_squared_intervals
        from alliance_longitudinal.engine.resampling.bootstrap import bootstrap

        if not n_boot:
            return r_squared(self.fit)
        return r_squared_intervals(
            self.fit, bootstrap(self.fit, n_boot, seed, choose("kind", kind, BootstrapKind)), alpha
        )
