"""Questions about units and variance that a fitted model answers: predictions, simulations, shares."""

import pandas as pd

from alliance_longitudinal.engine.after.predict import predict
from alliance_longitudinal.engine.after.rows import known_part
from alliance_longitudinal.engine.after.shares import intraclass, r_squared
from alliance_longitudinal.engine.design.design import DesignSpec
from alliance_longitudinal.engine.fitting.fit import MixedFit
from alliance_longitudinal.engine.resampling.bootstrap import bootstrap, simulate


class AfterQuestions:
    """Methods of `MixedModelResults` about rows, groups and variances."""

    __slots__ = ()

    fit: MixedFit
    spec: DesignSpec
    fittedvalues: pd.Series

    def predict(self, data: pd.DataFrame | None = None, groups: bool = True) -> pd.Series:
        """Expected response; without ``data`` for the rows of the fit.

        With ``groups`` the conditional modes of known groups are added; unseen groups get their expected
        value, zero.
        """
        if data is None:
            values = (
                self.fittedvalues
                if groups
                else self.fit.design.x @ self.fit.beta + known_part(self.fit.design)
            )
            return pd.Series(values, index=self.fit.design.index, name="predicted")
        return predict(self.fit, self.spec, data, groups)

    def simulate(self, n: int = 1, seed: int | None = None) -> pd.DataFrame:
        """New responses from the fitted model, random effects drawn anew: rows of the data by ``n`` draws."""
        return simulate(self.fit, n, seed)

    def icc(self, n_boot: int = 0, seed: int | None = None, alpha: float = 0.05) -> pd.DataFrame:
        """Share of the variance at each level; with ``n_boot``, percentile intervals."""
        return intraclass(self.fit, bootstrap(self.fit, n_boot, seed) if n_boot else None, alpha)

    def r2(self) -> pd.Series:
        """Marginal and conditional R2 of Nakagawa and Schielzeth (2013), for random slopes Johnson (2014)."""
        return r_squared(self.fit)
