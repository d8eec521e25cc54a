"""The same model fitted to another response."""

from dataclasses import replace

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.fit import MixedFit, fit_mixed, package
from alliance_longitudinal.engine.inference.cluster_robust import ClusterRobust
from alliance_longitudinal.engine.inference.methods import inference_of
from alliance_longitudinal.engine.inference.protocol import Inference
from alliance_longitudinal.engine.options import FitOptions
from alliance_longitudinal.engine.resampling.refits import careful, start_of
from alliance_longitudinal.engine.search.criterion import Criterion, profiled
from alliance_longitudinal.engine.search.optimize import OptimRecord
from alliance_longitudinal.engine.statistics.basis import build
from alliance_longitudinal.engine.statistics.choose import statistics_of
from alliance_longitudinal.errors import FitError


def refit(
    fit: MixedFit, options: FitOptions, inference: Inference, response: object
) -> tuple[MixedFit, Inference]:
    """Fit the design of a fit to a new response, with the same options.

    Neither formula nor grouping is read again.

    Parameters
    ----------
    response : Series or array
        By the labels of the fit's rows, or in their order: as many values as rows used, or as rows of the data.

    Raises
    ------
    FitError
        Wrong length or labels, a value that is not finite, no verified optimum; or a fit whose clusters are not kept.
    """
    clusters = inference.clusters if isinstance(inference, ClusterRobust) else None
    if options.cov_groups is not None and clusters is None:
        raise FitError(
            "A fit with cluster-robust standard errors and df='normal' cannot be refitted. Fit with df='satterthwaite', or "
            "fit the new response from its formula."
        )
    again = refit_design(fit, read_response(fit.design, response), options.require_certificate)
    return again, inference_of(again, options, clusters)


def refit_design(fit: MixedFit, y: Array, require_certificate: bool) -> MixedFit:
    """The fit of another response (n,) by the same design and residual structure."""
    structure = fit.residual.model.pattern.structure if fit.residual else None
    return fit_mixed(replace(fit.design, y=y), fit.reml, True, require_certificate, structure)


def refit_near(fit: MixedFit, response: object) -> MixedFit | None:
    """The fit of a response that is close to the fit's own, searched from its optimum; None if none is certified from there.

    For nested groups and independent residuals.
    """
    design = replace(fit.design, y=read_response(fit.design, response))
    basis = build(design)
    blocks = statistics_of(design, basis)

    def evaluate(relative: list[Array], order: int) -> Criterion:
        return profiled(blocks, relative, fit.reml, order)

    found = careful(evaluate, fit.record.best.face.full(), start_of(fit))
    if found is None:
        return None
    record = OptimRecord(found, (found.value,), (float("nan"),), found.evaluations)
    return package(design, basis, blocks, fit.reml, record)


def read_response(design: Design, response: object) -> Array:
    """A response over the rows of a fit, shape (n,)."""
    n = len(design.y)
    if isinstance(response, pd.Series) and not response.index.equals(design.index):
        if not response.index.is_unique or not design.index.isin(response.index).all():
            raise FitError(
                f"The labels of the new response do not name the {n} rows of the fit once each. Pass an array in their order."
            )
        response = response.loc[design.index]
    values: Array = np.asarray(response, dtype=float)
    if values.shape == (len(design.kept),):
        values = values[design.kept]
    if values.shape != (n,):
        raise FitError(f"The new response has shape {values.shape}; the fit has {n} rows.")
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise FitError(
            f"The new response has {len(bad)} values that are not finite, the first in row {design.index[bad[0]]}."
        )
    return values
