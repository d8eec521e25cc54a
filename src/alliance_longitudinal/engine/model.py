"""The model as the user states it: a formula, data, and a method that fits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, overload

import pandas as pd

from alliance_longitudinal.engine.design.design import Design, DesignSpec, learn
from alliance_longitudinal.engine.design.membership import MultipleMembership
from alliance_longitudinal.engine.design.with_members import learn_with_members
from alliance_longitudinal.engine.fitting.fit import fit_mixed
from alliance_longitudinal.engine.inference.clusters import clusters_of
from alliance_longitudinal.engine.inference.methods import inference_of
from alliance_longitudinal.engine.options import FitOptions
from alliance_longitudinal.engine.residuals.pattern import check_columns
from alliance_longitudinal.engine.residuals.structure import Structure, check_structure, columns_of
from alliance_longitudinal.engine.results import MixedModelResults, results
from alliance_longitudinal.errors import FitError

if TYPE_CHECKING:
    from alliance_longitudinal.engine.generalised.model import GeneralisedModel


@dataclass(frozen=True, slots=True)
class MixedModel:
    """A linear mixed model: formula and data, read and checked, not yet fitted.

    Make one with `from_formula`. Nothing about it changes when it is fitted.
    """

    formula: str
    spec: DesignSpec
    design: Design
    crossed: bool
    data: pd.DataFrame = field(repr=False, compare=False)
    residual: Structure | None = None

    @overload
    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: pd.DataFrame,
        *,
        family: Literal["gaussian"] = "gaussian",
        link: None = None,
        weights: str | None = None,
        offset: str | None = None,
        residual: object = None,
        crossed: bool = False,
        membership: Mapping[str, MultipleMembership] | None = None,
    ) -> "MixedModel": ...

    @overload
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
        membership: Mapping[str, MultipleMembership] | None = None,
    ) -> "GeneralisedModel": ...

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: pd.DataFrame,
        *,
        family: str = "gaussian",
        link: str | None = None,
        weights: str | None = None,
        offset: str | None = None,
        residual: object = None,
        crossed: bool = False,
        membership: Mapping[str, MultipleMembership] | None = None,
    ) -> "MixedModel | GeneralisedModel":
        """Read a formula against data.

        Parameters
        ----------
        formula : str
            Fixed part as in formulaic or patsy; random terms ``(1 + x | g)``, ``(1 + x || g)``, ``(1 | g/h)``,
            ``(1 | g:h)``. The groups of ``g/h`` are named ``h:g`` and ``g``.
        data : DataFrame
            One row an observation; not changed. Rows with a missing value in a used column are left out.
        family : {"gaussian", "binomial", "poisson", "negative-binomial", "ordinal"}
            Any but the first gives a `GeneralisedModel`.
        link : str, optional
            Binomial: ``"logit"`` or ``"cloglog"``. The other families have one link.
        weights : str, optional
            Column of prior weights: the residual variance of a row is ``scale / weight``. For binomial shares the
            number of trials.
        offset : str, optional
            Column with the known part of each expected response; of the linear predictor in a generalised model.
        residual : AR1, CAR1 or VarIdent, optional
            Correlated residuals within the innermost groups, or a residual variance in every stratum; None for
            independent residuals of one variance.
        crossed : bool
            Says that factors whose ids look like a counter that starts again in each group are crossed, not
            nested; without it they are refused.
        membership : mapping of str to MultipleMembership, optional
            Groupings of the formula of which a row may have several levels, such as units seen by several others.

        Raises
        ------
        FormulaError
            The formula cannot be read, or names an unknown column.
        FitError
            The data cannot carry the model, or an option is not available.

        Examples
        --------
        >>> import pandas as pd
        >>> data = pd.DataFrame({"y": [3.0, 5, 4, 8, 6, 7], "g": ["a", "a", "b", "b", "c", "c"]})
        >>> MixedModel.from_formula("y ~ 1 + (1 | g)", data).fit().params.round(2).to_dict()
        {'Intercept': 5.5}
        """
        if family != "gaussian" or link is not None:
            from alliance_longitudinal.engine.generalised.model import GeneralisedModel

            if membership:
                raise FitError(
                    f"Multiple membership is available for family='gaussian' only, not for family={family!r}."
                )
            return GeneralisedModel.from_formula(
                formula,
                data,
                family=family,
                link=link,
                weights=weights,
                offset=offset,
                residual=residual,
                crossed=crossed,
            )
        structure = check_structure(residual)
        if structure is not None and isinstance(data, pd.DataFrame):
            check_columns(structure, data)
        if membership:
            spec, design = learn_with_members(
                formula, data, membership, weights, offset, columns_of(structure)
            )
        else:
            spec, design = learn(formula, data, weights, offset, columns_of(structure))
        return cls(formula, spec, design, crossed, data.copy(deep=False), structure)

    def fit(
        self,
        reml: bool = True,
        df: str = "satterthwaite",
        cov_type: str = "model",
        cov_groups: str | None = None,
        *,
        require_certificate: bool = True,
    ) -> MixedModelResults:
        """Fit by REML (or maximum likelihood) to a certified optimum.

        Parameters
        ----------
        reml : bool
        df : {"satterthwaite", "kenward-roger", "normal"}
            Degrees of freedom of t and F tests. Kenward and Roger's method (REML only) also widens the standard errors
            for the uncertainty of the variances, and holds where a variance is zero.
        cov_type : {"model", "CR0", "CR2"}
            Standard errors from the model, or cluster-robust ones: they hold when the model's variances are wrong. CR2
            is for few clusters; its degrees of freedom are Satterthwaite's, joint tests are approximate Hotelling tests.
        cov_groups : str, optional
            Column of the clusters for CR0 and CR2, at or above the top level of the random effects; it need not be in
            the formula.
        require_certificate : bool
            Whether a fit whose optimum cannot be certified is an error.

        Raises
        ------
        FitError
            No certified optimum, a design that cannot be fitted, or an option that is not available.
        """
        options = FitOptions(reml, df, cov_type, cov_groups, require_certificate)
        clusters = clusters_of(self.design, self.data, cov_groups) if cov_groups is not None else None
        fit = fit_mixed(self.design, options.reml, self.crossed, options.require_certificate, self.residual)
        return results(fit, self.spec, options, inference_of(fit, options, clusters), self.data)
