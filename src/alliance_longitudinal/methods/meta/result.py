"""What a meta-analysis gives, and the questions that can be asked of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.estimates import Estimated, Estimates, check_alpha
from alliance_longitudinal.methods.basics.frames import Floats, is_number
from alliance_longitudinal.methods.meta.cluster import cr2
from alliance_longitudinal.methods.meta.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Placement:
    """One more effect, compared with those of the studies.

    Attributes
    ----------
    z : float
        Its distance from the mean in standard deviations of such effects: the true effects' spread, the mean's uncertainty and
        the effect's own sampling variance together.
    percentile : float
        Share of such effects that would lie below it, between 0 and 1.
    p : float
        Two-sided p of an effect as far from the mean.
    shrunken : float
        The effect pulled towards the mean, the more so the larger its own sampling variance: ``mu + tau2 / (tau2 + variance) (effect -
        mu)``.
    mu, sd : float
        The mean, and the standard deviation that ``z`` is in.
    """

    z: float
    percentile: float
    p: float
    shrunken: float
    mu: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class RobustEstimates(Estimates):
    """Estimates with CR2 standard errors by study and Satterthwaite's degrees of freedom.

    Attributes
    ----------
    clusters : int
        Number of studies.
    """

    clusters: int

    @property
    def se(self) -> float:
        """Standard error of the mean effect."""
        return float(self.bse.iloc[0])

    @property
    def df(self) -> float:
        """Degrees of freedom of the mean effect."""
        return float(np.atleast_1d(self.dof)[0])

    def _title(self) -> str:
        return "Meta-analysis with cluster-robust (CR2) standard errors"

    def _facts(self) -> list[str]:
        return [f"Studies: {self.clusters}"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class MetaAnalysis(Estimated):
    """Mean effect of studies, and how much their true effects differ.

    Attributes
    ----------
    sigma2 : mapping of str to float
        Variance of true effects by level: ``effect``, and ``study`` with three levels.
    q, q_df, q_p : float
        Cochran's test that all true effects are equal (or on the regression).
    i2 : float
        Percent of the variance of observed effects that is not sampling error (Higgins & Thompson 2002).
    i2_levels : mapping of str to float
        Its parts by level.
    llf : float
        (Restricted) log-likelihood; NaN for the methods of moments.
    k, studies : int
        Numbers of effects and of studies.
    method, test : str
    """

    sigma2: Mapping[str, float]
    q: float
    q_df: int
    q_p: float
    i2: float
    i2_levels: Mapping[str, float]
    llf: float
    k: int
    studies: int
    method: str
    test: str
    evidence: Evidence

    @property
    def mu(self) -> float:
        """Mean effect; with moderators that where all of them are zero."""
        return float(self.params.iloc[0])

    @property
    def se(self) -> float:
        """Standard error of the mean effect."""
        return float(self.bse.iloc[0])

    @property
    def df(self) -> float:
        """Degrees of freedom of tests and intervals; infinite for the normal distribution."""
        return float(np.atleast_1d(self.dof)[0])

    @property
    def tau2(self) -> float:
        """Variance of true effects, over all levels."""
        return float(sum(self.sigma2.values()))

    def conf_int(self, alpha: float = 0.05, term: str | None = None) -> tuple[float, float]:
        """Confidence interval of the mean effect, or of another term; those of all terms are in ``tidy``."""
        limits = self._limits(check_alpha(alpha))
        name = self.params.index[0] if term is None else term
        if name not in limits.index:
            raise DataError(f"There is no term {term!r}. There are: {', '.join(map(str, limits.index))}.")
        return float(limits.loc[name, "lower"]), float(limits.loc[name, "upper"])

    def prediction_interval(
        self, alpha: float = 0.05, at: Mapping[str, float] | None = None
    ) -> tuple[float, float]:
        """Where the true effect of a new study lies with probability ``1 - alpha``: ``mu +- q sqrt(tau2 + se^2)``.

        The variance ``tau2`` is taken as known. With few studies (about 10 or fewer) the interval is too short as a rule, with
        ``test="z"`` more than with ``test="knapp-hartung"``; where ``tau2`` is estimated as zero it is that of the mean.

        Parameters
        ----------
        at : mapping, optional
            Values of terms of the moderators; those that are not named are zero.
        """
        mean, variance = self._mean(at)
        half = self._quantile(check_alpha(alpha)) * np.sqrt(self.tau2 + variance)
        return float(mean - half), float(mean + half)

    def cluster_robust(self) -> RobustEstimates:
        """Estimates with CR2 standard errors by study.

        They hold whatever the effects of one study have in common, as where they share persons.
        """
        covariance, df = cr2(self.evidence, self.sigma2.get("study", 0.0), self.sigma2["effect"])
        return RobustEstimates(
            params=self.params, covariance=covariance, dof=df, findings=self.findings, clusters=self.studies
        )

    def place(self, effect: float, variance: float, at: Mapping[str, float] | None = None) -> Placement:
        """Where one more effect lies among those of studies like these.

        An observed effect has a sampling error of its own; it belongs to ``mu +- q sqrt(tau2 + se^2 + variance)``, and not to
        the prediction interval, which is for a true effect.

        Parameters
        ----------
        effect, variance : float
            On the scale of the effects (for correlations Fisher's z), with its sampling variance.
        at : mapping, optional
            As in ``prediction_interval``.

        Raises
        ------
        DataError
            If the effect is not a number or its variance not above zero.
        """
        if not is_number(effect) or not np.isfinite(effect):
            raise DataError(f"The effect is {effect!r}; it has to be a number.")
        if not is_number(variance) or not 0 < variance < np.inf:
            raise DataError(f"The variance of the effect is {variance!r}; it has to be a number above 0.")
        mean, own = self._mean(at)
        sd = float(np.sqrt(self.tau2 + own + variance))
        z = (effect - mean) / sd
        p = 2 * float(distributions.t.sf(abs(z), self.df))
        below = p / 2 if z < 0 else 1 - p / 2
        shrunken = mean + self.tau2 / (self.tau2 + variance) * (effect - mean)
        return Placement(float(z), below, p, float(shrunken), mean, sd)

    def _mean(self, at: Mapping[str, float] | None) -> tuple[float, float]:
        """Mean effect at some values of the moderators, and its variance."""
        unknown = [name for name in at or {} if name not in self.params.index[1:]]
        if unknown:
            terms = ", ".join(map(str, self.params.index[1:])) or "none"
            raise DataError(f"There is no moderator {unknown[0]!r}. There are: {terms}.")
        row: Floats = np.array([1.0, *((at or {}).get(name, 0.0) for name in self.params.index[1:])])
        return float(row @ self.params.to_numpy()), float(row @ self.covariance @ row)

    def _quantile(self, alpha: float) -> float:
        return float(distributions.t.ppf(1 - alpha / 2, self.df))

    def _title(self) -> str:
        levels = "three levels" if "study" in self.sigma2 else "random effects"
        return f"Meta-analysis, {levels}, {self.method}"

    def _facts(self) -> list[str]:
        spread = ", ".join(f"{name} {value:.4g}" for name, value in self.sigma2.items())
        low, high = self.prediction_interval()
        of = f" of {self.studies} studies" if "study" in self.sigma2 else ""
        return [
            f"Effects: {self.k}{of}",
            f"Variance of true effects: {spread}; I2 {self.i2:.1f} %",
            f"Q({self.q_df}) = {self.q:.4g}, p = {self.q_p:.3g}",
            f"95 % prediction interval: {low:.4g} to {high:.4g}",
        ]
