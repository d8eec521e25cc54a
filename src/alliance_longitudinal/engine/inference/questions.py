"""Questions of inference that a fitted model answers: intervals, contrasts, joint tests, comparisons."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from scipy import stats

from alliance_longitudinal.engine.fitting.fit import MixedFit
from alliance_longitudinal.engine.inference.compare import LikelihoodRatio, likelihood_ratio
from alliance_longitudinal.engine.inference.contrasts import read_contrasts
from alliance_longitudinal.engine.inference.intervals import bootstrap_intervals
from alliance_longitudinal.engine.inference.profile import profile_intervals, profile_paths
from alliance_longitudinal.engine.inference.protocol import FTest, Inference, contrast_table
from alliance_longitudinal.engine.options import choose
from alliance_longitudinal.engine.resampling.bootstrap import Bootstrap, bootstrap


class InferenceQuestions:
    """Methods of `MixedModelResults` about uncertainty."""

    __slots__ = ()

    fit: MixedFit
    inference: Inference
    params: pd.Series
    bse: pd.Series
    df: pd.Series

    def conf_int(
        self,
        alpha: float = 0.05,
        method: str = "wald",
        *,
        which: str | Sequence[str] | None = None,
        n_boot: int = 1000,
        seed: int | None = None,
    ) -> pd.DataFrame:
        """Confidence intervals: DataFrame with columns ``lower`` and ``upper``.

        ``method="profile"`` and ``method="bootstrap"`` add rows for standard deviations (``sd(effect)|group``),
        correlations (``cor(a,b)|group``) and ``sigma``; ``which`` names the rows of a profile that are wanted.

        Profile intervals hold the values that a likelihood-ratio test does not reject. Variance parameters of a REML
        fit are profiled in the restricted likelihood, coefficients in the full one (column ``criterion``); for
        coefficients with few groups ``method="wald"`` with ``df="kenward-roger"`` is the better interval. Column
        ``note`` says why a limit is not where the deviance reaches the cut: zero or a perfect correlation is not
        excluded, or the parameter is not identified.

        ``method="bootstrap"`` gives percentile intervals of a parametric bootstrap.
        """
        if choose("method", method) == "profile":
            return profile_intervals(self.fit, which, alpha)
        if method == "bootstrap":
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

    def bootstrap(self, n_boot: int = 1000, seed: int | None = None) -> Bootstrap:
        """Parametric bootstrap: refits to simulated responses, started from this optimum."""
        return bootstrap(self.fit, n_boot, seed)

    def profile(self, which: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Profile likelihoods for plots, up to the 99 % limits.

        Returns
        -------
        DataFrame
            ``parameter, value, deviance, zeta`` (the signed root of the rise of the deviance: a straight line where the
            estimate is normally distributed); a coefficient's deviance is that of maximum likelihood.
        """
        return profile_paths(self.fit, which)

    def lrt(self, other: "InferenceQuestions") -> LikelihoodRatio:
        """Likelihood-ratio test against a model nested in this one, or one that this one is nested in."""
        return likelihood_ratio(self.fit, other.fit)
