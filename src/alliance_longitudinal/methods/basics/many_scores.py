"""The restricted deviance of `two_scores` at many covariances at once: what slopes by differences need."""

import numpy as np

from alliance_longitudinal.methods.basics.frames import Codes, Floats
from alliance_longitudinal.methods.basics.two_scores import TwoScores


def deviances(data: TwoScores, units: Floats, levels: "list[Floats]") -> Floats:
    """Restricted -2 log-likelihood at each of B sets of covariances, as `solve` gives it at one.

    Parameters
    ----------
    data : TwoScores
    units : ndarray, shape (B, 2, 2)
        Positive definite; infinite where one is not.
    levels : list of ndarray, shape (B, 2, 2)
        Lowest first.

    Returns
    -------
    ndarray, shape (B,)
    """
    det = units[:, 0, 0] * units[:, 1, 1] - units[:, 0, 1] ** 2
    sound = (det > 0) & (units[:, 0, 0] > 0)
    out = np.full(len(units), np.inf)
    if sound.any():
        out[sound] = _of_sound(data, units[sound], det[sound], [level[sound] for level in levels])
    return out


def _of_sound(data: TwoScores, units: Floats, det: Floats, levels: "list[Floats]") -> Floats:
    inverse = _inverse(units, det)
    one, two = 1 / units[:, 0, 0], 1 / units[:, 1, 1]
    n, s = data.counts.sum(axis=0), data.squares
    p = data.kinds[:, 0, None, None] * inverse[:, None]
    p[:, :, 0, 0] += np.multiply.outer(one, data.kinds[:, 1])
    p[:, :, 1, 1] += np.multiply.outer(two, data.kinds[:, 2])
    h = data.sums[:, :2] @ inverse
    h[:, :, 0] += np.multiply.outer(one, data.sums[:, 2])
    h[:, :, 1] += np.multiply.outer(two, data.sums[:, 3])
    out = n[0] * np.log(det) - n[1] * np.log(one) - n[2] * np.log(two) + data.scores * np.log(2 * np.pi)
    out = out + inverse[:, 0, 0] * s[0] + 2 * inverse[:, 0, 1] * s[1] + inverse[:, 1, 1] * s[2]
    out = out + one * s[3] + two * s[4]
    kind: Codes | None = data.kind  # above the lowest level every group has a precision of its own
    for level, parent in zip(levels, (*data.parents, None), strict=True):
        inner = np.eye(2) + p @ level[:, None]
        inner_det = inner[..., 0, 0] * inner[..., 1, 1] - inner[..., 0, 1] * inner[..., 1, 0]
        own = _inverse(inner, inner_det)
        p, log_det = own @ p, np.log(inner_det)
        if kind is not None:
            own, log_det, p, kind = own[:, kind], log_det[:, kind], p[:, kind], None
        new_h = (own @ h[..., None])[..., 0]
        out = out + log_det.sum(axis=1) - np.einsum("bgi,bgi->b", h @ level, new_h)
        h = new_h
        if parent is not None:
            p, h = _collect(p, parent), _collect(h, parent)
    q = data.x.shape[1]
    information = np.einsum("bgij,ga,gc->biajc", p, data.x, data.x).reshape(-1, 2 * q, 2 * q)
    right = np.einsum("bgi,ga->bia", h, data.x).reshape(-1, 2 * q)
    out = out - np.einsum("bi,bi->b", right, np.linalg.solve(information, right[..., None])[..., 0])
    return np.asarray(out + np.linalg.slogdet(information)[1] - 2 * q * np.log(2 * np.pi))


def _inverse(matrices: Floats, det: Floats) -> Floats:
    out = np.empty_like(matrices)
    out[..., 0, 0], out[..., 1, 1] = matrices[..., 1, 1], matrices[..., 0, 0]
    out[..., 0, 1], out[..., 1, 0] = -matrices[..., 0, 1], -matrices[..., 1, 0]
    return np.asarray(out / det[..., None, None])


def _collect(values: Floats, parent: Codes) -> Floats:
    """Sums over the groups of each parent: (B, G, ...) to (B, P, ...)."""
    flat = np.moveaxis(values, 1, 0).reshape(values.shape[1], -1)
    out = np.column_stack([np.bincount(parent, column) for column in flat.T])
    return np.asarray(np.moveaxis(out.reshape(len(out), len(values), *values.shape[2:]), 0, 1))
