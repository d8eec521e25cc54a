"""A model whose rows were never at hand together: its sums, and the fit."""

from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, cast

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Index
from alliance_longitudinal.engine.design.design import Design, DesignSpec, TermDesign
from alliance_longitudinal.engine.design.groups import Factor, chain_of, factor
from alliance_longitudinal.engine.fit import fit_statistics
from alliance_longitudinal.engine.inference.methods import inference_of
from alliance_longitudinal.engine.options import CovType, DfMethod, FitOptions
from alliance_longitudinal.engine.results.linear import MixedModelResults, results
from alliance_longitudinal.engine.results.show import Unfitted
from alliance_longitudinal.engine.sources.recipe import learn_recipe
from alliance_longitudinal.engine.sources.source import Source
from alliance_longitudinal.engine.statistics import checks
from alliance_longitudinal.engine.statistics.basis import Basis, orthonormal
from alliance_longitudinal.engine.statistics.nested import Blocks, Level, levels_of, with_products
from alliance_longitudinal.engine.statistics.products import Products
from alliance_longitudinal.engine.statistics.streamed.accumulate import Total, gather
from alliance_longitudinal.engine.statistics.streamed.chunked import ChunkedBlocks
from alliance_longitudinal.engine.statistics.streamed.sums import MEMORY
from alliance_longitudinal.errors import FitError

ROWS = (
    "This fit was made from batches and keeps no rows. Ask for what belongs to rows batch by batch, with "
    "predict(batch), or fit the rows in memory with from_formula."
)


def refuse_rows() -> NoReturn:
    """Say that there are no rows.

    Raises
    ------
    FitError
        Always.
    """
    raise FitError(ROWS)


@dataclass(frozen=True)
class NoRows:
    """Stands where a fit in memory has its rows: everything that needs them says that there are none."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        refuse_rows()


@dataclass(frozen=True)
class StreamedDesign:
    """What is left of a `Design` without its rows; see there.

    ``codes`` of the factors are those of innermost groups; ``stamp`` holds sums by which the rows are known again.
    """

    names: tuple[str, ...]
    dropped: tuple[str, ...]
    terms: tuple[TermDesign, ...]
    factors: tuple[Factor, ...]
    n: int
    lost: int
    missing: dict[str, tuple[int, int]]
    stamp: tuple[float, ...]
    weighted: bool
    offset: None = None
    extra: dict[str, pd.Series] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        refuse_rows()


@dataclass(frozen=True, slots=True, repr=False)
class StreamedModel(Unfitted):
    """A linear mixed model of batches: formula and sums, not yet fitted.

    Attributes
    ----------
    formula : str
    spec : DesignSpec
    n, n_dropped : int
        Rows used, and rows left out because a used value is missing.
    """

    formula: str
    spec: DesignSpec
    design: StreamedDesign = field(repr=False)
    basis: Basis = field(repr=False)
    blocks: Blocks | ChunkedBlocks = field(repr=False)

    @property
    def n(self) -> int:
        """Rows used."""
        return self.design.n

    @property
    def n_dropped(self) -> int:
        """Rows left out because a used value is missing."""
        return self.design.lost

    def fit(
        self,
        reml: bool = True,
        df: DfMethod = "satterthwaite",
        cov_type: CovType = "model",
        cov_groups: str | None = None,
        *,
        require_certificate: bool = True,
    ) -> MixedModelResults:
        """Fit by REML (or maximum likelihood) to a verified optimum; options as in `MixedModel.fit`.

        Fitted values, residuals, simulations and cluster-robust errors need rows, which are not kept.

        Raises
        ------
        FitError
            No verified optimum, or an option that is not available.
        """
        if cov_type != "model" or cov_groups is not None:
            raise FitError(
                f"cov_type={cov_type!r}: cluster-robust errors need rows, and a fit from batches keeps none. Fit the rows in "
                "memory with from_formula, or take df='kenward-roger'."
            )
        options = FitOptions(reml, df, require_certificate=require_certificate)
        design = cast(Design, self.design)
        fit = fit_statistics(design, self.basis, cast(Blocks, self.blocks), reml, require_certificate)
        return results(fit, self.spec, options, inference_of(fit, options, None))


def read(
    formula: str, source: Source, weights: str | None, offset: str | None, memory: int = MEMORY
) -> StreamedModel:
    """Go through the batches of a source and keep what a fit needs; see `Gathered` for ``memory``.

    Raises
    ------
    FormulaError, FitError
        As `MixedModel.from_formula`; and groupings that are not nested in each other, which need rows.
    """
    return assemble(formula, gather(learn_recipe(formula, source, weights, offset), source, memory))


def assemble(formula: str, total: Total) -> StreamedModel:
    """Basis and blocks from the sums of all batches."""
    recipe, sums = total.recipe, total.sums
    terms, factors = recipe.example.terms, recipe.example.factors
    groups = tuple(factor(sums.labels, f.columns) for f in factors)
    sums = replace(sums, labels=sums.labels.iloc[:0].copy())  # the factors have them now
    total = replace(total, sums=sums)
    chain = chain_of(list(groups))
    if chain is None:
        words = " and ".join(f.name for f in groups)
        raise FitError(
            f"The groupings {words} are not nested in each other; crossed groupings need all rows at once. If the ids of "
            "one start again within the other, write (1 | outer/inner); else fit in memory with from_formula."
        )
    bare = tuple(TermDesign(t.group, t.factor, t.names, cast(Any, NoRows())) for t in terms)
    lost, names = total.lost, recipe.spec.names
    design = StreamedDesign(
        names,
        recipe.example.dropped,
        bare,
        groups,
        int(sums.counts.sum()),
        lost,
        total.missing,
        tuple(total.stamp.tolist()),
        recipe.spec.weights is not None,
    )
    checks.refuse_impossible(cast(Design, design), crossed=True)
    basis = _basis(total)
    blocks = _blocks(total, levels_of(bare, basis, chain), chain.places[groups[chain.order[0]].codes])
    return StreamedModel(formula, recipe.spec, design, basis, blocks)


def _blocks(total: Total, levels: tuple[Level, ...], places: Index) -> Blocks | ChunkedBlocks:
    """Statistics in order of elimination, in memory or in a file."""
    sums, p = total.sums, len(total.recipe.spec.names)
    values, counts = sums.values, sums.counts
    if (places[1:] < places[:-1]).any():
        order = np.empty(len(sums), dtype=np.intp)
        order[places] = np.arange(len(sums))
        values, counts = values if total.spill else values[order], counts[order]
    products = Products(values, counts, p, total.units, total.exact.change)
    if total.spill is None:
        return with_products(levels, products, cast(Any, NoRows()))
    return ChunkedBlocks.of(levels, total.spill.regrouped(places, len(sums)), products)


def _basis(total: Total) -> Basis:
    recipe, exact = total.recipe, total.exact
    r = np.asarray(np.linalg.inv(exact.transform), dtype=float)
    p = len(recipe.spec.names)
    pairs = [
        orthonormal(term.names, term.group, r @ loading)
        for term, loading in zip(recipe.example.terms, recipe.loadings(), strict=True)
    ]
    return Basis(
        cast(Any, NoRows()),
        r[:p, :p],
        exact.beta,
        exact.y_scale,
        tuple(c for c, _ in pairs),
        tuple(b for _, b in pairs),
        total.log_weights,
    )
