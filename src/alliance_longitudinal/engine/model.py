"""The model as the user states it: a formula, data, and a method that fits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast, overload

import pandas as pd

from alliance_longitudinal.engine.design.design import Design, DesignSpec, learn
from alliance_longitudinal.engine.design.given import Given, with_given
from alliance_longitudinal.engine.design.membership import MultipleMembership
from alliance_longitudinal.engine.design.with_members import learn_with_members
from alliance_longitudinal.engine.fit import fit_mixed
from alliance_longitudinal.engine.inference.clusters import clusters_of
from alliance_longitudinal.engine.inference.methods import inference_of
from alliance_longitudinal.engine.options import CovType, DfMethod, FamilyName, FitOptions, LinkName, switch
from alliance_longitudinal.engine.results.linear import MixedModelResults, results
from alliance_longitudinal.engine.results.show import Unfitted
from alliance_longitudinal.engine.statistics.structured.pattern import check_columns
from alliance_longitudinal.engine.statistics.structured.structure import (
    Structure,
    check_structure,
    columns_of,
)
from alliance_longitudinal.errors import FitError

if TYPE_CHECKING:
    from alliance_longitudinal.engine.generalised_model import GeneralisedModel
    from alliance_longitudinal.engine.streamed_model import StreamedModel


@dataclass(frozen=True, slots=True, repr=False)
class MixedModel(Unfitted):
    """A linear mixed model: formula and data, read and checked, not yet fitted.

    Create one with `from_formula`. Fitting does not change it.

    Examples
    --------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"y": [3.0, 5, 4, 8, 6, 7], "g": ["a", "a", "b", "b", "c", "c"]})
    >>> MixedModel.from_formula("y ~ 1 + (1 | g)", data)
    <MixedModel: y ~ 1 + (1 | g); 6 rows; groups: g 3; not fitted yet, use .fit()>
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
        weights: Given | None = None,
        offset: Given | None = None,
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
        family: FamilyName,
        link: LinkName | None = None,
        weights: Given | None = None,
        offset: Given | None = None,
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
        family: Literal["gaussian"] | FamilyName = "gaussian",
        link: LinkName | None = None,
        weights: Given | None = None,
        offset: Given | None = None,
        residual: object = None,
        crossed: bool = False,
        membership: Mapping[str, MultipleMembership] | None = None,
    ) -> "MixedModel | GeneralisedModel":
        """Read a formula and check it against the data.

        Parameters
        ----------
        formula : str
            Fixed part as in formulaic or patsy; random terms ``(1 + x | g)``, ``(1 + x || g)``, ``(1 | g/h)``,
            ``(1 | g:h)``. The groups of ``g/h`` are named ``h:g`` and ``g``.
        data : DataFrame
            One row per observation; not changed. Rows with a missing value in a used column are left out.
        family : {"gaussian", "binomial", "poisson", "negative-binomial", "ordinal"}
            Any but the first gives a `GeneralisedModel`.
        link : str, optional
            Binomial: ``"logit"`` or ``"cloglog"``. The other families have one link.
        weights : str, array or Series, optional
            Prior weights, as a column or one value per row: the residual variance of a row is ``scale / weight``. For
            binomial shares, the number of trials.
        offset : str, array or Series, optional
            Column or values of the known part of each expected response; in a generalised model, of the linear
            predictor.
        residual : AR1, CAR1 or VarIdent, optional
            Correlated residuals within the innermost groups, or a separate residual variance in each stratum; None
            for independent residuals with equal variance.
        crossed : bool
            Whether factors whose ids look like a counter that restarts in each group are crossed, not nested. If
            False, they are refused.
        membership : mapping of str to MultipleMembership, optional
            Groupings of the formula in which a row may belong to several levels, such as units seen by several
            others.

        Raises
        ------
        FormulaError
            The formula cannot be read, or names an unknown column.
        FitError
            There are too few data for the model, or an option is not available.

        Examples
        --------
        >>> import pandas as pd
        >>> data = pd.DataFrame({"y": [3.0, 5, 4, 8, 6, 7], "g": ["a", "a", "b", "b", "c", "c"]})
        >>> MixedModel.from_formula("y ~ 1 + (1 | g)", data).fit().params.round(2).to_dict()
        {'Intercept': 5.5}
        """
        if family != "gaussian" or link is not None:
            from alliance_longitudinal.engine.generalised_model import GeneralisedModel

            if membership:
                raise FitError(
                    f"Multiple membership is available for family='gaussian' only, not for family={family!r}."
                )
            return GeneralisedModel.from_formula(
                formula,
                data,
                family=cast(FamilyName, family),  # gaussian with a link is refused there
                link=link,
                weights=weights,
                offset=offset,
                residual=residual,
                crossed=crossed,
            )
        crossed = switch("crossed", crossed)
        data, names = with_given(data, weights=weights, offset=offset)
        structure = check_structure(residual)
        if structure is not None and isinstance(data, pd.DataFrame):
            check_columns(structure, data)
        if membership:
            spec, design = learn_with_members(
                formula, data, membership, names["weights"], names["offset"], columns_of(structure)
            )
        else:
            spec, design = learn(formula, data, names["weights"], names["offset"], columns_of(structure))
        return cls(formula, spec, design, crossed, data.copy(deep=False), structure)

    @classmethod
    def from_parquet(
        cls,
        formula: str,
        data: object,
        *,
        batch_rows: int = 262_144,
        memory: int = 400_000_000,
        weights: str | None = None,
        offset: str | None = None,
    ) -> "StreamedModel":
        """Read a Parquet data set in batches and keep only sums over groups, so it may be larger than memory.

        Parameters
        ----------
        formula : str
            As in `from_formula`; the groupings must be nested. Transformations that depend on all rows, such as
            ``center(x)``, are refused.
        data : path or pyarrow.dataset.Dataset
            A Parquet file, a folder of them, or a data set.
        batch_rows : int
            Rows read at a time. Groups may be spread over any batches.
        memory : int
            Bytes that the sums of the groups may take. Larger sums are kept in a temporary file, which every step of
            the search reads once. The file disappears with the model. A bootstrap needs them in memory.
        weights, offset : str, optional
            As in `from_formula`.

        Returns
        -------
        StreamedModel
            Its ``fit`` gives the results of a fit in memory, except those that need single rows.

        Raises
        ------
        FormulaError, FitError
            As `from_formula`, or the data cannot be read.
        """
        from alliance_longitudinal.engine.sources.parquet import parquet_source
        from alliance_longitudinal.engine.streamed_model import read

        return read(formula, parquet_source(data, batch_rows), weights, offset, memory)

    @classmethod
    def from_dask(
        cls,
        formula: str,
        data: object,
        *,
        scheduler: object = None,
        memory: int = 400_000_000,
        weights: str | None = None,
        offset: str | None = None,
    ) -> "StreamedModel":
        """Let a Dask cluster turn partitions into sums over groups, and fit from those.

        Parameters
        ----------
        formula : str
            As in `from_parquet`.
        data : dask.dataframe.DataFrame, or list of Delayed
            Partitions, each a pandas frame.
        scheduler : object, optional
            Connection to the cluster, as ``distributed`` creates it. Without one, this process reads the partitions
            one after the other.
        memory : int
            As in `from_parquet`, in this process.
        weights, offset : str, optional
            As in `from_formula`.

        Returns
        -------
        StreamedModel
            Its ``fit`` gives the results of a fit in memory, except those that need single rows.

        Raises
        ------
        FormulaError, FitError
            As `from_formula`, or Dask is not installed.
        """
        from alliance_longitudinal.engine.sources.dask import dask_source
        from alliance_longitudinal.engine.streamed_model import read

        return read(formula, dask_source(data, scheduler), weights, offset, memory)

    def fit(
        self,
        reml: bool = True,
        df: DfMethod = "satterthwaite",
        cov_type: CovType = "model",
        cov_groups: str | None = None,
        *,
        require_certificate: bool = True,
    ) -> MixedModelResults:
        """Fit by REML (or maximum likelihood) to a verified optimum.

        Parameters
        ----------
        reml : bool
        df : {"satterthwaite", "kenward-roger", "normal"}
            Degrees of freedom of t and F tests. Kenward and Roger's method (REML only) also widens the standard
            errors for the uncertainty of the variances. It remains valid where a variance is zero.
        cov_type : {"model", "CR0", "CR2"}
            Standard errors from the model, or cluster-robust ones: valid even when the model's variances are wrong.
            CR2 is for few clusters; its degrees of freedom are Satterthwaite's, and its joint tests are approximate
            Hotelling tests.
        cov_groups : str, optional
            Column of the clusters for CR0 and CR2, at or above the top level of the random effects; it need not be in
            the formula.
        require_certificate : bool
            Whether to raise an error if the optimum cannot be verified.

        Raises
        ------
        FitError
            No verified optimum, a design that cannot be fitted, or an option that is not available.
        """
        options = FitOptions(reml, df, cov_type, cov_groups, require_certificate)
        clusters = clusters_of(self.design, self.data, cov_groups) if cov_groups is not None else None
        fit = fit_mixed(self.design, options.reml, self.crossed, options.require_certificate, self.residual)
        return results(fit, self.spec, options, inference_of(fit, options, clusters), self.data)
