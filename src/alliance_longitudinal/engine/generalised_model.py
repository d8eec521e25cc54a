"""A generalised model as the user states it."""

from dataclasses import dataclass, field

import pandas as pd

from alliance_longitudinal.engine.design.design import Design, DesignSpec
from alliance_longitudinal.engine.design.given import Given, with_given
from alliance_longitudinal.engine.families.response import Response, read
from alliance_longitudinal.engine.generalised_fit import fit_generalised
from alliance_longitudinal.engine.options import CovType, DfMethod, FamilyName, LinkName, switch
from alliance_longitudinal.engine.results.generalised import GeneralisedResults, results
from alliance_longitudinal.engine.results.show import Unfitted
from alliance_longitudinal.errors import FitError


@dataclass(frozen=True, slots=True, repr=False)
class GeneralisedModel(Unfitted):
    """A generalised mixed model: formula and data, read and checked, not yet fitted.

    Made by `MixedModel.from_formula` with a family other than the Gaussian. Fitting does not change it.

    Examples
    --------
    Time until units leave, observed in periods (a discrete-time hazard). There is one row per unit and period at
    risk, and the event is 1 in the period in which the unit left. With the complementary log-log link the
    exponentials of the coefficients are hazard ratios (Prentice and Gloeckler 1978, Biometrics 34:57-67). Only the
    groups of units get a random effect: a unit has one event at most, which is too little for its own effect. The fit
    adds up rows that are alike. Adding them up beforehand gives the same estimates.

    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> group, unit = np.repeat(np.arange(20), 8), np.arange(160)
    >>> frailty = 0.5 * rng.normal(size=20)[group]
    >>> hazard = 1 - np.exp(-np.exp(-1.5 + 0.7 * (unit % 2) + frailty))
    >>> left = np.minimum(rng.geometric(hazard), 6)
    >>> at_risk = pd.DataFrame({"unit": unit.repeat(np.minimum(left, 5))})
    >>> at_risk["period"] = at_risk.groupby("unit").cumcount() + 1
    >>> at_risk["group"] = np.char.add("g", group[at_risk["unit"]].astype(str))
    >>> at_risk["arm"] = at_risk["unit"] % 2
    >>> at_risk["event"] = (at_risk["period"] == left[at_risk["unit"]]).astype(int)
    >>> model = GeneralisedModel.from_formula(
    ...     "event ~ C(period) + arm + (1 | group)", at_risk, family="binomial", link="cloglog"
    ... )
    >>> res = model.fit()
    >>> bool(res.converged), round(float(np.exp(res.params["arm"])), 2)
    (True, 2.18)
    """

    formula: str
    spec: DesignSpec
    design: Design
    response: Response
    crossed: bool
    data: pd.DataFrame = field(repr=False, compare=False)

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: pd.DataFrame,
        *,
        family: FamilyName,
        link: LinkName | None = None,
        weights: Given | None = None,
        offset: Given | None = None,
        residual: object = None,
        crossed: bool = False,
    ) -> "GeneralisedModel":
        """Read a formula and check it against the data; parameters as in `MixedModel.from_formula`.

        Raises
        ------
        FormulaError
            The formula cannot be read, or names an unknown column.
        FitError
            The response does not fit the family, or an option is not available.
        """
        if residual is not None:
            raise FitError(
                f"residual={residual!r} belongs to linear mixed models: a generalised model has no residual of its own. Leave it "
                "out, or describe by a random effect what neighbouring rows share."
            )
        crossed = switch("crossed", crossed)
        data, names = with_given(data, weights=weights, offset=offset)
        spec, design, response = read(formula, data, family, link, names["weights"], names["offset"])
        return cls(formula, spec, design, response, crossed, data.copy(deep=False))

    def fit(
        self,
        n_agq: int = 1,
        *,
        reml: bool = False,
        df: DfMethod = "normal",
        cov_type: CovType = "model",
        require_certificate: bool = True,
    ) -> GeneralisedResults:
        """Fit by maximum likelihood to a verified optimum of all parameters together.

        Parameters
        ----------
        n_agq : int
            1 for Laplace's method, with any random effects. A larger odd number for adaptive Gauss-Hermite quadrature
            with that many nodes, for one random effect of one grouping or of each of two nested groupings.
        reml : False
            These models have no restricted likelihood.
        df : "normal"
            Tests use the normal distribution.
        cov_type : "model"
            Standard errors come from the second derivatives of the log-likelihood by all parameters, so they include
            the uncertainty of the variance parameters.
        require_certificate : bool
            Whether to raise an error if the optimum cannot be verified or estimates go to infinity.

        Raises
        ------
        FitError
            No verified optimum, a design that cannot be fitted, or an option that is not available.
        """
        switch("require_certificate", require_certificate)
        if switch("reml", reml):
            raise FitError(
                "Generalised mixed models have no restricted likelihood (REML). Leave out reml=True: they are fitted by "
                "maximum likelihood."
            )
        if df != "normal":
            raise FitError(
                f"df={df!r} belongs to linear mixed models. Generalised ones have tests from the normal distribution; with few "
                "groups use conf_int(method='bootstrap')."
            )
        if cov_type != "model":
            raise FitError(
                f"cov_type={cov_type!r} is not available for generalised models; their standard errors come from the "
                "likelihood."
            )
        fit = fit_generalised(self.design, self.response, n_agq, self.crossed, require_certificate)
        return results(self.formula, fit, self.spec)
