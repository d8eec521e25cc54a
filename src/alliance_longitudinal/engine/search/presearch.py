"""A start near the optimum of a large fit, from a sample of its top groups.

A Newton search from afar takes about ten evaluations; from the optimum of a twentieth of the data it takes three or four,
and the certificate is that of all data in any case.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from alliance_longitudinal.engine.arrays import Array, Index
from alliance_longitudinal.engine.linalg.matrices import spread
from alliance_longitudinal.engine.search.criterion import Criterion, profiled
from alliance_longitudinal.engine.search.optimize import OptimRecord, descend, search
from alliance_longitudinal.engine.search.quick import quick_start
from alliance_longitudinal.engine.search.theta import Face
from alliance_longitudinal.engine.statistics.crossed.crossing import Crossing
from alliance_longitudinal.engine.statistics.nested import Blocks, Level
from alliance_longitudinal.engine.statistics.protocol import Statistics
from alliance_longitudinal.engine.statistics.streamed.chunked import ChunkedBlocks

#: Fewest top groups in a sample, and the share of all that is taken; with less than three times as many there is none.
FEWEST = 50
SHARE = 20
#: Decrement at which a large fit has all digits that its evaluations have.
EXACT = 1e-16
#: Least and largest relative variance of a start from moments.
_MODERATE = (0.05, 100.0)
#: Added to a relative covariance that the sample puts on the boundary: no search can leave zero itself.
_LEAVE_BOUNDARY = 0.02


@dataclass(slots=True)
class Remembered:
    """The criterion of a fit; the last and the lowest that were evaluated with second derivatives are kept."""

    statistics: Statistics
    reml: bool
    last: list[tuple[bytes, Criterion]] = field(default_factory=list)
    lowest: list[tuple[bytes, Criterion]] = field(default_factory=list)

    def __call__(self, relative: list[Array], order: int) -> Criterion:
        """Evaluate at relative covariances."""
        at = b"".join(d.tobytes() for d in relative)
        for known, criterion in self.last + self.lowest:
            if known == at:
                return criterion
        criterion = profiled(self.statistics, relative, self.reml, order)
        if order == 2:
            self.last = [(at, criterion), *self.last[:1]]
            if not self.lowest or criterion.value < self.lowest[0][1].value + 1e-9:  # later ones are nearer
                self.lowest = self.last[:1]
        return criterion


def find(evaluate: Remembered, face: Face, several: int) -> OptimRecord:
    """Search the optimum, from that of a sample where the fit is large; see `optimize.search`."""
    first = moment_start(evaluate.statistics, face)
    if isinstance(evaluate.statistics, Crossing):
        start = quick_start(evaluate.statistics, face, evaluate.reml, first)
    else:
        start = sample_start(evaluate.statistics, face, evaluate.reml)
    if start is not None:
        best = descend(evaluate, face, start, enough=EXACT)
        if best.certificate.exact:
            return OptimRecord(best, (best.value,), (float("nan"),), best.evaluations)
    return search(evaluate, face, several, first=first)


def moment_start(statistics: Statistics, face: Face) -> list[Array] | None:
    """Relative covariances by moments, of one grouping or of crossed factors of one effect each; None for other designs.

    None as well where some group has too few rows. The spread of each group's own least-squares effects, less what their
    errors add to it (Swamy 1970, Econometrica 38:311-323, eq. 3.1): for balanced data nearly the optimum itself.
    """
    if isinstance(statistics, Crossing):
        return crossed_moments(statistics)
    if not isinstance(statistics, Blocks) or len(statistics.levels) > 1:
        return None
    level, groups, q = statistics.levels[0], *statistics.saa.shape[:2]
    rest = statistics.n - groups * q
    values = np.linalg.eigvalsh(statistics.saa)
    if rest <= 0 or groups <= q or not (values[:, 0] > 1e-6 * values[:, -1]).all():
        return None
    errors = np.linalg.inv(statistics.saa)
    response = statistics.w[:, :, -1]
    own = (errors @ response[:, :, None])[:, :, 0]
    scale = (statistics.s[:, -1, -1].sum() - (own * response).sum()) / rest
    if not scale > 0:
        return None
    spread, vectors = np.linalg.eigh(own.T @ own / (groups * scale) - errors.mean(axis=0))
    whole = (vectors * np.clip(spread, *_MODERATE)) @ vectors.T
    out: list[Array] = [np.eye(size) for size in face.sizes]
    at = 0
    for t in level.terms:
        out[t] = whole[at : at + face.sizes[t], at : at + face.sizes[t]]
        at += face.sizes[t]
    return out


def crossed_moments(statistics: Crossing) -> list[Array] | None:
    """Relative variances of crossed factors of one effect each, by the sums of each level; None for other designs.

    With residuals e of least squares, ``sum_g (z_g'e)^2`` is about ``v_f sum_g (z_g'z_g)^2 + (v - v_f) sum_g z_g'z_g`` for
    the variance ``v_f`` of a factor among the whole variance v, as if the other factors were spread evenly over its levels.
    """
    if any(
        len(terms) > 1 or rows.shape[1] > 1
        for terms, rows in zip(statistics.terms, statistics.rows, strict=True)
    ):
        return None
    total = statistics.uu[-1, -1] / statistics.n
    sizes, sums = statistics.k.diagonal(), statistics.zu[:, -1]
    own = np.empty(len(statistics.terms))
    for (t,), rows in zip(statistics.terms, statistics.rows, strict=True):
        n, s = sizes[rows[:, 0]], sums[rows[:, 0]]
        own[t] = ((s @ s) - total * n.sum()) / max(n @ n - n.sum(), 1.0)
    rest = total - np.clip(own, 0.0, None).sum()
    if not rest > 0:
        return None
    return [np.array([[v]]) for v in np.clip(own / rest, *_MODERATE)]


def sample_start(statistics: Statistics, face: Face, reml: bool) -> list[Array] | None:
    """Relative covariances at the optimum of a sample; None where the fit is small or the sample says nothing."""
    if isinstance(statistics, ChunkedBlocks):
        made = sampled_levels(statistics.levels)
        some = None if made is None else statistics.some(*made)
    else:
        some = sample(statistics) if isinstance(statistics, Blocks) else None
    if some is None:
        return None
    at_one = [np.eye(q) for q in face.sizes]
    if not np.isfinite(profiled(some, at_one, reml, 0).value):
        return None

    def evaluate(relative: list[Array], order: int) -> Criterion:
        return profiled(some, relative, reml, order)

    best = descend(evaluate, face, at_one, polish=False)
    if not best.certificate.holds:
        return None
    return [
        d + (_LEAVE_BOUNDARY * np.eye(len(d)) if rank < len(d) else 0.0)
        for d, rank in zip(best.relative, best.face.ranks, strict=True)
    ]


def sample(blocks: Blocks) -> Blocks | None:
    """Evenly spaced top groups with all that is in them; None where they are few."""
    products, made = blocks.products, sampled_levels(blocks.levels)
    if products is None or made is None:
        return None
    levels, kept = made
    part = replace(products, packed=products.packed[kept], counts=products.counts[kept])
    within = np.add.reduceat(part.packed, levels[0].starts[:-1], axis=0)
    whole = np.eye(products.width)
    return replace(
        blocks,
        n=part.n,
        levels=levels,
        w=blocks.w[kept],
        saa=blocks.saa[kept],
        s=part.mapped(whole, whole, within),
        products=part,
    )


def sampled_levels(levels: tuple[Level, ...]) -> tuple[tuple[Level, ...], Index] | None:
    """Levels of the sample, and its innermost groups among all; None where the top groups are few."""
    top = levels[-1]
    if top.size < 3 * FEWEST:
        return None
    kept = spread(top.size, max(FEWEST, top.size // SHARE))
    out = [replace(top, size=len(kept), starts=np.array([0, len(kept)]), labels=top.labels[kept])]
    for level in reversed(levels[:-1]):
        kept, starts = _children(level, kept)
        out.append(replace(level, size=len(kept), starts=starts, labels=level.labels[kept]))
    return tuple(out[::-1]), kept


def _children(level: Level, parents: Index) -> tuple[Index, Index]:
    """Groups of a level that lie in some of its parents, and where those of each parent begin."""
    counts = np.diff(level.starts)[parents]
    starts = np.append(0, counts.cumsum())
    inside = np.arange(starts[-1]) - np.repeat(starts[:-1], counts)
    return np.repeat(level.starts[parents], counts) + inside, starts
