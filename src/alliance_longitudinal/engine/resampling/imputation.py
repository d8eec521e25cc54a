"""Responses that were not observed, drawn from what a fit knows of them."""

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array, Index, Mask
from alliance_longitudinal.engine.design.design import DesignSpec
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.noise import noise_of
from alliance_longitudinal.engine.fitted.rows import Effects, Rows, rows_of_data
from alliance_longitudinal.engine.options import generator
from alliance_longitudinal.engine.resampling.draws import root_of
from alliance_longitudinal.engine.resampling.posterior import Posterior, PosteriorDraw


def impute_responses(
    fit: MixedFit, spec: DesignSpec, frame: pd.DataFrame, wanted: Mask, m: int, seed: int | None
) -> tuple[Array, Mask]:
    """Draw the response of some rows ``m`` times: parameters, effects and residuals vary from draw to draw.

    Rows of one group share its effects; a group that was not in the data of the fit gets new ones, the same in all its rows.

    Parameters
    ----------
    frame : DataFrame
        Not changed. Needs the columns of the right-hand side.
    wanted : ndarray of bool, shape (N,)
        Rows of the frame to draw.

    Returns
    -------
    draws : ndarray, shape (m, r)
    made : ndarray of bool, shape (N,)
        The r rows that were drawn: those wanted that have a value in every column that the model needs.
    """
    rows = rows_of_data(fit, spec, frame, groups=True)
    noise = noise_of(fit, spec, frame, rows)
    made = wanted & rows.complete
    here = wanted[rows.complete]
    new = _new_groups(fit, rows, frame.loc[rows.complete], here)
    rng = generator(seed)
    posterior = Posterior.of(fit)
    draws = np.empty((m, int(made.sum())))
    for i in range(m):
        draw = posterior.draw(rng)
        mean = (rows.x[here] @ draw.beta) + rows.offset[here] + _effects(rows, new, draw, here, rng)
        draws[i] = mean + np.sqrt(draw.scale * noise.variance[here]) * rng.standard_normal(len(mean))
    return draws, made


def _new_groups(fit: MixedFit, rows: Rows, frame: pd.DataFrame, here: Mask) -> list[Index]:
    """Of each term: codes 0, 1, ... of the groups of the wanted rows that are not in the fit, -1 for the others."""
    out = []
    for term, effects in zip(fit.design.terms, rows.effects, strict=True):
        codes = np.full(int(here.sum()), -1, dtype=np.intp)
        unknown = np.any((effects.codes < 0) & (effects.shares > 0), axis=1, keepdims=True)[here, 0]
        columns = list(fit.design.factors[term.factor].columns)
        if unknown.any():
            ids = frame.loc[here, columns].loc[unknown]
            codes[unknown] = ids.groupby(columns, dropna=False).ngroup().to_numpy()
        out.append(codes)
    return out


def _effects(
    rows: Rows, new: list[Index], draw: PosteriorDraw, here: Mask, rng: np.random.Generator
) -> Array:
    """Random effects of the wanted rows, put together; shape (r,)."""
    out = np.zeros(int(here.sum()))
    for t, effects in enumerate(rows.effects):
        part = Effects(effects.z[here], effects.codes[here], effects.shares[here])
        for codes, share in zip(part.codes.T, part.shares.T, strict=True):
            known = codes >= 0
            values = np.einsum("nq,nq->n", part.z[known], draw.effects[t][codes[known]])
            out[known] += share[known] * values
        fresh = new[t] >= 0
        if fresh.any():
            root = root_of(draw.psi[t])
            drawn = rng.standard_normal((int(new[t].max()) + 1, len(root))) @ root.T
            out[fresh] += np.einsum("nq,nq->n", part.new[fresh], drawn[new[t][fresh]])
    return out
