"""Questions of inference that a fitted model answers: intervals, contrasts, joint tests, comparisons.

What answers them is loaded when it is asked: all of it takes longer to load than a small fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from alliance_longitudinal.engine import distributions as stats
from alliance_longitudinal.engine.design.design import DesignSpec
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.inference.contrasts import is_terms, read_contrasts, term_rows
from alliance_longitudinal.engine.inference.protocol import FTest, Inference, contrast_table
from alliance_longitudinal.engine.options import (
    BootstrapInterval,
    BootstrapKind,
    IntervalMethod,
    MeanWeights,
    VarianceTest,
    check_alpha,
    choose,
)
from alliance_longitudinal.errors import FitError

if TYPE_CHECKING:
    from alliance_longitudinal.engine.arrays import Array
    from alliance_longitudinal.engine.inference.compare import LikelihoodRatio
    from alliance_longitudinal.engine.inference.means import MarginalMeans
    from alliance_longitudinal.engine.inference.simulated import SimulatedTests
    from alliance_longitudinal.engine.inference.variance_power import VariancePower
    from alliance_longitudinal.engine.resampling.bootstrap import Bootstrap


class InferenceQuestions:
    """Methods of `MixedModelResults` about uncertainty."""

    __slots__ = ()

    fit: MixedFit
    inference: Inference
    spec: DesignSpec
    data: pd.DataFrame | None
    params: pd.Series
    bse: pd.Series
    df: pd.Series

    def conf_int(
        self,
        alpha: float = 0.05,
        method: IntervalMethod = "wald",
        *,
        which: str | Sequence[str] | None = None,
        n_boot: int = 1000,
        seed: int | None = None,
        kind: BootstrapKind = "parametric",
        interval: BootstrapInterval = "percentile",
    ) -> pd.DataFrame:
        """Confidence intervals: DataFrame with columns ``lower`` and ``upper``.

        ``method="profile"`` and ``method="bootstrap"`` add rows for standard deviations (``sd(effect)|group``),
        correlations (``cor(a,b)|group``) and ``sigma``. ``which`` selects rows of a profile.

        Profile intervals contain the values that a likelihood-ratio test does not reject. Variance parameters of a
        REML fit are profiled in the restricted likelihood, coefficients in the full likelihood (column
        ``criterion``). For coefficients with few groups, ``method="wald"`` with ``df="kenward-roger"`` gives the
        better interval. The column ``note`` says why a limit is not where the deviance reaches the cut-off: zero or a
        perfect correlation is not excluded, or the parameter is not identified.

        ``method="bootstrap"`` takes the ``kind`` of `bootstrap` and an ``interval``: ``"percentile"``, ``"basic"`` or
        ``"bca"`` (nested groupings). Replicates on a boundary are kept; ``note`` counts them and those that failed.
        """
        check_alpha(alpha)
        if choose("method", method, IntervalMethod) == "profile":
            from alliance_longitudinal.engine.inference.profile import profile_intervals

            return profile_intervals(self.fit, which, alpha)
        if method == "bootstrap":
            from alliance_longitudinal.engine.inference.intervals import bootstrap_intervals

            choose("interval", interval, BootstrapInterval)
            return bootstrap_intervals(self.fit, self.bootstrap(n_boot, seed, kind), alpha, interval)
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
        """Joint test that all contrasts (as in `contrast`), or all coefficients of one or several terms, are zero.

        Examples
        --------
        >>> import pandas as pd
        >>> from alliance_longitudinal.engine import MixedModel
        >>> data = pd.DataFrame({"y": [3.0, 5, 4, 8, 6, 7], "x": list("abcabc"), "g": list("aabbcc")})
        >>> res = MixedModel.from_formula("y ~ x + (1 | g)", data).fit()
        >>> res.f_test("x").df_num
        2
        """
        if is_terms(contrasts):
            return self.inference.joint(term_rows(contrasts, self.spec, self.fit.design.names))
        rows, _ = read_contrasts(contrasts, self.fit.design.names, None)
        return self.inference.joint(rows)

    def anova(self) -> pd.DataFrame:
        """Joint tests of every term of the fixed part with the fit's degrees of freedom: ``term, F, df_num, df_den, p``.

        The tests are those of SAS's type III. They do not depend on the coding of categories: a term is tested on
        average over the categories that it interacts with. Numeric variables in an interaction are held at zero, so
        centre them.

        Raises
        ------
        FitError
            Columns were left out of the fixed part, or the data of the fit are not available.

        Examples
        --------
        >>> import pandas as pd
        >>> from alliance_longitudinal.engine import MixedModel
        >>> data = pd.DataFrame({"y": [3.0, 5, 4, 8, 6, 7], "x": list("abcabc"), "g": list("aabbcc")})
        >>> MixedModel.from_formula("y ~ x + (1 | g)", data).fit().anova()[["term", "df_num"]]
          term  df_num
        0    x       2
        """
        from alliance_longitudinal.engine.inference.anova import joint_tests

        if self.data is None:
            raise FitError("anova() needs the rows of the data. Fit them in memory with from_formula.")
        return joint_tests(self.spec, self.data.loc[self.fit.design.kept], self.inference.joint)

    def means(
        self,
        specs: str | Sequence[str],
        at: Mapping[str, Any] | None = None,
        by: str | Sequence[str] | None = None,
        weights: MeanWeights = "equal",
        *,
        alpha: float = 0.05,
    ) -> MarginalMeans:
        """Estimated marginal means, with ``pairs()`` for their differences.

        The fixed part is averaged over a grid of all levels of its categorical variables. Numeric variables are at
        their mean over the rows used.

        Parameters
        ----------
        specs : str or sequence of str
            Variables whose means are wanted.
        at : mapping, optional
            Other values of some variables, as in ``{"week": [0, 10]}``.
        by : str or sequence of str, optional
            Variables within whose levels pairs are compared.
        weights : {"equal", "proportional"}
            Weights of the categories that are averaged over: equal, or as frequent as in the rows.
        """
        from alliance_longitudinal.engine.inference.means import Question, marginal_means

        asked = Question.of(specs, by, at, weights, alpha)
        return marginal_means(self.fit, self.spec, self.inference, self.data, asked)

    def slopes(
        self,
        variable: str,
        specs: str | Sequence[str] | None = None,
        at: Mapping[str, Any] | None = None,
        by: str | Sequence[str] | None = None,
        weights: MeanWeights = "equal",
        *,
        alpha: float = 0.05,
    ) -> MarginalMeans:
        """Slopes of a numeric variable over the same grid, one per combination of ``specs``; see `means`."""
        from alliance_longitudinal.engine.inference.means import Question, marginal_slopes

        asked = Question.of(specs, by, at, weights, alpha)
        return marginal_slopes(self.fit, self.spec, self.inference, self.data, variable, asked)

    def bootstrap(
        self, n_boot: int = 1000, seed: int | None = None, kind: BootstrapKind = "parametric"
    ) -> Bootstrap:
        """Refits to simulated responses or resampled groups, started from this optimum.

        Parameters
        ----------
        kind : {"parametric", "cluster", "case", "two-stage"}
            In this order: responses drawn from the fitted model; whole groups of the top level drawn with
            replacement; innermost groups drawn within their parents; the last two together.
        """
        from alliance_longitudinal.engine.resampling.bootstrap import bootstrap

        return bootstrap(self.fit, n_boot, seed, choose("kind", kind, BootstrapKind))

    def profile(self, which: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Profile likelihoods for plots, up to the 99 % limits.

        Returns
        -------
        DataFrame
            ``parameter, value, deviance, zeta`` (signed square root of the rise in deviance; a straight line if the
            estimate is normally distributed). The deviance of a coefficient is that of maximum likelihood.
        """
        from alliance_longitudinal.engine.inference.profile import profile_paths

        return profile_paths(self.fit, which)

    def variance_tests(
        self,
        method: VarianceTest = "exact",
        *,
        n_sim: int | None = None,
        seed: int | None = None,
        group: str | None = None,
        effects: str | None = None,
        exceedances: int | None = None,
    ) -> pd.DataFrame:
        """Tests that random effects have no variance: restricted likelihood ratios with their correct distributions.

        One row per random effect, left out with its correlations (an intercept only where it is alone), and one row
        per whole term of several effects. The statistic is that of REML, whatever the method of the fit.

        Parameters
        ----------
        method : {"exact", "mixture", "bootstrap"}
            ``"exact"`` simulates the finite-sample distribution for effects that are alone in their term (Crainiceanu
            and Ruppert 2004). For other effects, and with a residual structure, it uses the mixture. ``"mixture"`` is
            the equal mixture of two chi-squared distributions (Stram and Lee 1994), for many groups. ``"bootstrap"``
            refits data drawn without the effects.
        n_sim : int, optional
            Draws of the exact distribution (10,000), or refits of the bootstrap (1,000).
        seed : int, optional
        group : str, optional
            Only effects of this grouping.
        effects : str, optional
            Only the test of these effects, as column ``effects`` names them.
        exceedances : int, optional
            End the bootstrap once so many refits reach the statistic; p is then their share (Besag and Clifford 1991). A large p
            then needs few refits, a small one all of them.

        Returns
        -------
        DataFrame
            ``group, effects, deviance_without, statistic, df, p, distribution``.
        """
        from alliance_longitudinal.engine.inference.boundary_tests import variance_tests

        usual = 1000 if choose("method", method, VarianceTest) == "bootstrap" else 10_000
        draws = usual if n_sim is None else n_sim
        return variance_tests(self.fit, method, draws, seed, group, effects, exceedances)

    def variance_power(
        self, group: str, variance: float, *, n_sim: int = 10_000, seed: int | None = None
    ) -> VariancePower:
        """Whether a design could have found that groups differ: power, and probability of an estimate of zero.

        For an effect that is alone in its term. The statistic is the restricted likelihood ratio, tested at 5 %. Its
        distributions with and without the variance are those of the exact test of `variance_tests`, for these rows
        and coefficients, with the other relative variances at their estimates.

        Parameters
        ----------
        group : str
            The effect's grouping.
        variance : float
            True variance of the effect, at least 0.
        n_sim : int
            Draws of each distribution.
        seed : int, optional

        Returns
        -------
        VariancePower
            ``zero, power`` and ``n_sim``.

        Raises
        ------
        FitError
            No such grouping, several effects of it, a residual structure, too many groups, or a value outside its limits.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from alliance_longitudinal.engine import MixedModel
        >>> rng = np.random.default_rng(1)
        >>> data = pd.DataFrame({"y": rng.normal(size=100), "g": np.repeat(range(20), 5)})
        >>> res = MixedModel.from_formula("y ~ 1 + (1 | g)", data).fit()
        >>> found = res.variance_power("g", 0.05 / 0.95 * res.scale, seed=1)
        >>> round(found.zero, 1), round(found.power, 1)
        (0.3, 0.2)
        """
        from alliance_longitudinal.engine.inference.variance_power import variance_power

        return variance_power(self.fit, group, variance, n_sim, seed)

    def simulated_tests(
        self,
        contrasts: Any,
        psi: Sequence[Array],
        scale: float,
        *,
        n_sim: int = 1000,
        seed: int | None = None,
    ) -> SimulatedTests:
        """Simulate and fit responses with other variances: errors, standard errors, degrees of freedom.

        The estimates of this fit are not used. In a linear model none of the three depends on the coefficients, so
        one run serves every effect size: an effect ``d`` is found where ``abs(d + error) / se`` exceeds the quantile
        of t.

        Parameters
        ----------
        contrasts : as in `contrast`
        psi : sequence of ndarray
            True covariance of each term's effects, in the order of ``fit.design.terms``.
        scale : float
            True residual variance.
        n_sim : int
        seed : int, optional

        Returns
        -------
        SimulatedTests
            ``error, se, df`` (n_sim, contrasts), ``variances, boundary, failed``.

        Raises
        ------
        FitError
            Covariances that do not match the design, fewer than two simulations, or a residual structure.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from alliance_longitudinal.engine import MixedModel
        >>> data = pd.DataFrame({"x": np.tile([0.0, 1], 20), "g": np.repeat(range(10), 4)})
        >>> res = MixedModel.from_formula("y ~ x + (1 | g)", data.assign(y=np.sin(range(40)))).fit()
        >>> found = res.simulated_tests({"x": 1}, [np.array([[0.5]])], 1.0, n_sim=200, seed=1)
        >>> float(found.se.mean().round(1)), found.failed
        (0.3, 0)
        """
        from alliance_longitudinal.engine.inference.simulated import simulated_tests

        rows, _ = read_contrasts(contrasts, self.fit.design.names, None)
        return simulated_tests(self.fit, psi, scale, rows, n_sim, seed)

    def lrt(self, other: InferenceQuestions) -> LikelihoodRatio:
        """Likelihood-ratio test against another model; one of the two must be nested in the other."""
        from alliance_longitudinal.engine.inference.compare import likelihood_ratio, refuse_other_kinds

        refuse_other_kinds(self, other)
        return likelihood_ratio(self.fit, other.fit)
