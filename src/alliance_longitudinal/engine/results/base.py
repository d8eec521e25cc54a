"""What every result has, defined once: that of one fit, linear or generalised, and that pooled over several."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.fitted.tables import missing_table
from alliance_longitudinal.findings import Finding

if TYPE_CHECKING:
    from alliance_longitudinal.engine.fit import MixedFit
    from alliance_longitudinal.engine.generalised_fit import GeneralisedFit


class Results(ABC):
    """Coefficients with their uncertainty, as table and as text."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def formula(self) -> str:
            """Formula of the fit."""

        @property
        def params(self) -> pd.Series:
            """Estimates by term."""

        @property
        def bse(self) -> pd.Series:
            """Standard errors."""

        @property
        def df(self) -> pd.Series:
            """Degrees of freedom."""

        @property
        def tvalues(self) -> pd.Series:
            """Test statistics."""

        @property
        def pvalues(self) -> pd.Series:
            """Two-sided p."""

        def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
            """Confidence intervals."""

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """One row per coefficient: ``term, estimate, se, df, stat, p, low, high``."""
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

    def plot(self, kind: str | None = None, **options: Any) -> Any:
        """A plot as a matplotlib Figure; see ``alliance_longitudinal.plot``.

        Parameters
        ----------
        kind : {"effects", "caterpillar", "residuals", "profile"}, optional
        **options
            Options of each kind: ``term``, ``by``, ``at`` (effects); ``group`` (caterpillar); ``which`` (profile).

        Raises
        ------
        FitError
            If this result has no such plot.
        """
        from alliance_longitudinal.present import plot

        return plot(self, kind, **options)

    @abstractmethod
    def summary(self) -> str:
        """The result as text."""

    @abstractmethod
    def _size(self) -> str:
        """How much data there was, in words."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.formula}; {self._size()}; use .summary()>"

    def __str__(self) -> str:
        return self.summary()


class FitResults(Results):
    """What the results of one fit have, linear or generalised: sizes, likelihood, convergence."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def fit(self) -> "MixedFit | GeneralisedFit":
            """The fit as numbers."""

    @property
    def nobs(self) -> int:
        """Rows used."""
        return self.fit.design.n

    @property
    def n_dropped(self) -> int:
        """Rows left out because a used value is missing."""
        return self.fit.design.lost

    @property
    def dropped_rows(self) -> pd.DataFrame:
        """Rows without a value, by column: ``missing`` counts all, ``alone`` those that lack no other value."""
        return missing_table(self.fit.design.missing)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groupings."""
        return tuple(f.name for f in self.fit.design.factors)

    @property
    def n_groups(self) -> dict[str, int]:
        """Number of levels by group."""
        return {f.name: f.size for f in self.fit.design.factors}

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
        """Whether the optimum is verified."""
        return self.fit.converged

    @property
    def singular(self) -> bool:
        """Whether a covariance is on its boundary."""
        return self.fit.singular

    @property
    def convergence(self) -> str:
        """What was checked, in words."""
        return self.fit.convergence

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What readers of the result need to know."""
        return self.fit.findings

    @abstractmethod
    def glance(self) -> pd.DataFrame:
        """One row about the whole fit."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain data: numbers, text, lists and dictionaries only; missing and infinite numbers are None."""

    def _size(self) -> str:
        return f"{self.nobs} rows"
