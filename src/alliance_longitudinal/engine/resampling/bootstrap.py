"""Simulation from a fit, and bootstraps: parametric, or of whole groups; each refit starts at the optimum."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Number
from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.groups import Factor
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.residual_names import names_of
from alliance_longitudinal.engine.fitted.residual_nesting import refuse_structure
from alliance_longitudinal.engine.fitted.tables import varcorr_keys
from alliance_longitudinal.engine.options import generator
from alliance_longitudinal.engine.resampling.draws import Noise, draws_of, many_refitted, root_of
from alliance_longitudinal.engine.resampling.refits import Refitter, start_of
from alliance_longitudinal.engine.resampling.regroup import Groups
from alliance_longitudinal.engine.resampling.structured import structured_draws, structured_refits
from alliance_longitudinal.engine.statistics.protocol import Statistics
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Estimates of the refits, one row a replicate; a replicate without a verified optimum is missing.

    Attributes
    ----------
    params : DataFrame, n_boot by terms
    varcorr : DataFrame, n_boot by rows of the table of variance components
        Variances and covariances; columns ``(group, term1, term2)``, with empty text where the table has a
        missing value. Replicates on the boundary are kept.
    n_failed : int
        Replicates without a verified optimum.
    n_boundary : int
        Replicates with some covariance on its boundary; they are kept.
    kind : str
        What was drawn.
    residual : DataFrame, n_boot by parameters of the residual structure
        As in ``residual_parameters``; without columns for independent residuals of one variance.
    """

    params: pd.DataFrame
    varcorr: pd.DataFrame
    n_failed: int
    n_boundary: int = 0
    kind: str = "parametric"
    residual: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What a reader of intervals from it has to know."""
        if not self.n_failed:
            return ()
        return (
            Finding(
                "bootstrap_failures",
                "caution",
                say(
                    "{failed} of {all:noun} of the {kind} bootstrap {failed:has|have} no verified "
                    "optimum and {failed:is|are} left out. If {failed:it was|these were} extreme, "
                    "the intervals are too narrow.",
                    failed=Number(self.n_failed, "integer"),
                    all=Number(len(self.params), "integer", "refit"),
                    kind=self.kind,
                ),
            ),
        )


def _grouping(factor: Factor) -> Any:
    return factor.codes if factor.weights is None else factor.share


def simulate(fit: MixedFit, n: int, seed: int | None) -> pd.DataFrame:
    """Draw ``n`` responses from the fitted model, random effects included; columns 0 to n - 1."""
    if n < 1:
        raise FitError(f"The number of draws must be at least 1, not {n}.")
    rng = generator(seed)
    design = fit.design
    weights = 1.0 if design.weights is None else design.weights
    mean = design.x @ fit.beta + (0.0 if design.offset is None else design.offset)
    if fit.residual:
        series = structured_draws(fit, internal=False)
        return pd.DataFrame(np.stack([mean + series.draw(rng) for _ in range(n)], axis=1), index=design.index)
    noise = Noise(
        tuple(t.z for t in design.terms),
        tuple(_grouping(design.factors[t.factor]) for t in design.terms),
        tuple(design.factors[t.factor].size for t in design.terms),
        tuple(root_of(psi) for psi in fit.psi),
        np.sqrt(fit.scale / weights) * np.ones(len(design.y)),
    )
    return pd.DataFrame(np.stack([mean + noise.draw(rng) for _ in range(n)], axis=1), index=design.index)


def bootstrap(fit: MixedFit, n_boot: int, seed: int | None, kind: str = "parametric") -> Bootstrap:
    """Bootstrap of coefficients and variance components.

    ``parametric`` draws random effects and residuals from the fitted model. The others draw groups with replacement
    (Davison and Hinkley 1997, section 3.8; van der Leeden, Meijer and Busing 2008): ``cluster`` those of the top level
    whole, which holds without the model's assumptions within them; ``case`` the innermost ones within their parents;
    ``two-stage`` both, which adds the lower level's variation twice and so overstates it where groups are small.

    Raises
    ------
    FitError
        Fewer than two replicates asked for; groups drawn where groupings are not nested, or with a residual structure.
    """
    if n_boot < 2:
        raise FitError(f"A bootstrap needs at least 2 replicates, not {n_boot}; 1000 or more for intervals.")
    if kind != "parametric":
        refuse_structure(
            fit, f"A {kind} bootstrap is", "Use the parametric one, which draws the structure too."
        )
    rng = generator(seed)
    keys = varcorr_keys(fit.design).fillna("")
    if fit.residual:
        made = structured_refits(fit, n_boot, rng)
        return Bootstrap(
            pd.DataFrame(made.params, columns=list(fit.design.names)),
            pd.DataFrame(made.components, columns=pd.MultiIndex.from_frame(keys)),
            made.failed,
            made.boundary,
            kind,
            pd.DataFrame(made.residual, columns=names_of(fit.residual)),
        )
    samples, origin = _samples(fit, kind, n_boot, rng)
    params, components, failed, boundary = Refitter(fit, start_of(fit), origin).all(
        samples, many_refitted(fit.blocks)
    )
    return Bootstrap(
        pd.DataFrame(params, columns=list(fit.design.names)),
        pd.DataFrame(components, columns=pd.MultiIndex.from_frame(keys)),
        failed,
        boundary,
        kind,
    )


def _samples(
    fit: MixedFit, kind: str, n_boot: int, rng: np.random.Generator
) -> tuple[Iterator[Statistics], Array]:
    """Cross-products of the samples, and the coefficients that they are centred at."""
    if kind == "parametric":
        draws = draws_of(fit)
        return (draws.draw(rng) for _ in range(n_boot)), fit.beta
    groups = Groups.of(fit.blocks)
    return (groups.draw(rng, kind) for _ in range(n_boot)), fit.basis.beta_ols


def jackknife(fit: MixedFit) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Coefficients and variance components without each group of the top level in turn (as in `Bootstrap`)."""
    groups = Groups.of(fit.blocks)
    every = np.arange(groups.top)
    samples = (groups.take(np.delete(every, g)) for g in every)
    refitter = Refitter(fit, start_of(fit), fit.basis.beta_ols)
    params, components, _, _ = refitter.all(samples, many_refitted(fit.blocks))
    keys = varcorr_keys(fit.design).fillna("")
    return (
        pd.DataFrame(params, columns=list(fit.design.names)),
        pd.DataFrame(components, columns=pd.MultiIndex.from_frame(keys)),
    )
