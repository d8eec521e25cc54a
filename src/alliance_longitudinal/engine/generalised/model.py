"""A generalised model as the user states it."""

from dataclasses import dataclass, field

import pandas as pd

from alliance_longitudinal.engine.design.design import Design, DesignSpec
from alliance_longitudinal.engine.generalised.fit import fit_generalised
from alliance_longitudinal.engine.generalised.response import Response, read
from alliance_longitudinal.engine.generalised.results import GeneralisedResults, results
from alliance_longitudinal.errors import FitError


@dataclass(frozen=True, slots=True)
class GeneralisedModel:
    """A generalised mixed model: formula and data, read and checked, not yet fitted.

    Made by `MixedModel.from_formula` with a family other than the Gaussian. Nothing about it changes when it is fitted.
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
        family: str,
        link: str | None = None,
        weights: str | None = None,
        offset: str | None = None,
        residual: object = None,
        crossed: bool = False,
    ) -> "GeneralisedModel":
        """Read a formula against data; parameters as in `MixedModel.from_formula`.

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
                "out, or let a random effect carry what neighbouring rows share."
            )
        spec, design, response = read(formula, data, family, link, weights, offset)
        return cls(formula, spec, design, response, crossed, data.copy(deep=False))

    def fit(
        self,
        n_agq: int = 1,
        *,
        reml: bool = False,
        df: str = "normal",
        cov_type: str = "model",
        require_certificate: bool = True,
    ) -> GeneralisedResults:
        """Fit by maximum likelihood to a certified optimum of all parameters together.

        Parameters
        ----------
        n_agq : int
            1 for Laplace's method, for any random effects; an odd number of nodes for adaptive Gauss-Hermite quadrature,
            for one random effect over one grouping or over each of two nested ones.
        reml : False
            There is no restricted likelihood of these models.
        df : "normal"
            Tests are from the normal distribution.
        cov_type : "model"
            Standard errors are from the full second derivative of the log-likelihood: they carry the uncertainty of the
            variance parameters.
        require_certificate : bool
            Whether a fit whose optimum cannot be certified, or whose estimates run off to infinity, is an error.

        Raises
        ------
        FitError
            No certified optimum, a design that cannot be fitted, or an option that is not available.
        """
        if reml:
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
