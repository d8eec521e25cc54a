"""Conditional modes of the random effects and their covariances, from the top level down to the innermost."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.linalg.kernels import leaf_level, upper_level
from alliance_longitudinal.engine.statistics.nested import Blocks, Level, covariance


@dataclass(frozen=True, slots=True)
class Modes:
    """Predicted effects of one term, by level of its factor.

    Attributes
    ----------
    values : ndarray, shape (size, q)
    variances : ndarray, shape (size, q, q)
        Conditional covariance given the data, coefficients and variance parameters taken as known (as lme4's
        ``condVar``).
    """

    values: Array
    variances: Array


class FindsModes(Protocol):
    """Statistics that are not at hand all at once and find the modes themselves."""

    def modes(self, relative: list[Array], beta: Array, scale: float) -> list[Modes]:
        """See `conditional_modes`."""


def conditional_modes(
    blocks: Blocks | FindsModes, relative: list[Array], beta: Array, scale: float
) -> list[Modes]:
    """Modes of every term, in design order, in internal units.

    With ``r`` the coefficients that turn a row into its residual so far, each group has
    ``b = P C'S r`` and passes ``r - C b`` to the groups inside it.

    Parameters
    ----------
    relative : list of ndarray
        Relative covariances, design order.
    beta : ndarray, shape (p,)
    scale : float
        Residual variance.
    """
    if not isinstance(blocks, Blocks):
        return blocks.modes(relative, beta, scale)
    products = _products(blocks, relative)
    k = blocks.w.shape[-1]
    r = np.zeros((1, k))
    r[0, : len(beta)], r[0, -1] = -beta, 1.0
    spread = np.zeros((1, k, k))
    out: dict[int, Modes] = {}
    for level, cs in zip(reversed(blocks.levels), reversed(products), strict=True):
        d = covariance(level, relative)
        above = np.repeat(np.arange(len(level.starts) - 1), np.diff(level.starts))
        p = d @ np.linalg.inv(np.eye(len(d)) + cs @ level.c @ d)
        f = p @ cs
        b = np.einsum("jqk,jk->jq", f, r[above])
        variance = scale * p + f @ spread[above] @ f.transpose(0, 2, 1)
        out |= _by_term(level, b, variance, [len(x) for x in relative])
        if level is not blocks.levels[0]:
            keep = np.eye(k) - level.c @ f
            r = r[above] - b @ level.c.T
            spread = keep @ spread[above] @ keep.transpose(0, 2, 1) + scale * level.c @ p @ level.c.T
    return [out[t] for t in range(len(relative))]


def _products(blocks: Blocks, relative: list[Array]) -> list[Array]:
    """``C'S`` of every group before its own elimination, one array a level."""
    none = np.zeros((0, 0, 0))
    leaf = blocks.levels[0]
    d = covariance(leaf, relative)
    s = leaf_level(blocks.w, blocks.saa, blocks.s, leaf.starts, d, none, 0)[3]
    out = [blocks.w]
    k = s.shape[-1]
    for level in blocks.levels[1:]:
        out.append(level.c.T @ s)
        empty = np.zeros((len(s), 0, k, k))
        s = upper_level(s, empty, empty, level.c, covariance(level, relative), none, 0)[3]
        if len(level.starts) - 1 < len(s):
            s = np.add.reduceat(s, level.starts[:-1], axis=0)
    return out


def _by_term(level: Level, b: Array, variance: Array, sizes: list[int]) -> dict[int, Modes]:
    out = {}
    at = 0
    for t in level.terms:
        q = sizes[t]
        values, variances = np.empty((level.size, q)), np.empty((level.size, q, q))
        values[level.labels] = b[:, at : at + q]
        variances[level.labels] = variance[:, at : at + q, at : at + q]
        out[t] = Modes(values, variances)
        at += q
    return out
