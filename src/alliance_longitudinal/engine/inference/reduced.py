"""A fit without some of its random effects, in the units and cross-products of the whole fit.

Leaving an effect out holds its row of the term's covariance at zero: ``D = B S B'`` with ``B`` a basis of the effects
that stay and ``S`` free. The search and its certificate run on ``S``.
"""

from dataclasses import dataclass, replace

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.inference.family import Family, Source, best_over, statistics_at
from alliance_longitudinal.engine.search.criterion import Criterion, profiled
from alliance_longitudinal.engine.search.theta import Face


@dataclass(frozen=True, slots=True)
class Reduction:
    """Which effects of one term are left out.

    Attributes
    ----------
    term : int
    effects : tuple of int
        Positions of the effects that are left out.
    bases : tuple of ndarray, shape (q_t, r_t)
        Of each term: directions of the internal effects that stay.
    entry_order : tuple of int
        Terms with effects that stay, in the order of the criterion's entries.
    back : ndarray, shape (m, m_reduced)
        From the entries of the reduced covariances to those of the whole ones.
    """

    term: int
    effects: tuple[int, ...]
    bases: tuple[Array, ...]
    entry_order: tuple[int, ...]
    back: Array

    @classmethod
    def of(cls, fit: MixedFit, term: int, effects: tuple[int, ...]) -> "Reduction":
        """Leave out ``effects`` of ``term``."""
        bases = [np.eye(len(b)) for b in fit.basis.b]
        rows = np.linalg.inv(fit.basis.b[term])[list(effects)]
        bases[term] = np.asarray(np.linalg.svd(rows)[2][len(effects) :].T)
        order = tuple(fit.blocks.entry_terms)
        stays = tuple(t for t in order if bases[t].shape[1])
        columns: list[Array] = []
        sizes = [len(b) * (len(b) + 1) // 2 for b in bases]
        starts = np.cumsum([0, *(sizes[t] for t in order)])
        for t in stays:
            rows_t, cols_t = np.tril_indices(len(bases[t]))
            begin = starts[order.index(t)]
            for i, j in zip(*np.tril_indices(bases[t].shape[1]), strict=True):
                entry = np.zeros((bases[t].shape[1],) * 2)
                entry[i, j] = entry[j, i] = 1.0
                column = np.zeros(starts[-1])
                column[begin : begin + sizes[t]] = (bases[t] @ entry @ bases[t].T)[rows_t, cols_t]
                columns.append(column)
        back = np.stack(columns, axis=1) if columns else np.zeros((starts[-1], 0))
        return cls(term, effects, tuple(bases), stays, back)

    @property
    def face(self) -> Face:
        """Sizes of the terms that stay, renumbered in design order."""
        stays = sorted(self.entry_order)
        sizes = tuple(self.bases[t].shape[1] for t in stays)
        return Face(sizes, sizes, tuple(stays.index(t) for t in self.entry_order))

    def whole(self, reduced: list[Array]) -> list[Array]:
        """Relative covariances of all terms from those that stay."""
        out = [np.zeros((len(b), len(b))) for b in self.bases]
        for t, s in zip(sorted(self.entry_order), reduced, strict=True):
            out[t] = self.bases[t] @ s @ self.bases[t].T
        return out

    def start(self, relative: list[Array]) -> list[Array]:
        """Covariances that stay, off their boundary."""
        parts = [self.bases[t].T @ relative[t] @ self.bases[t] for t in sorted(self.entry_order)]
        return [s + 0.02 * np.eye(len(s)) for s in parts]

    def optimum(
        self, source: Source, start: list[Array], reml: bool, extra: Array
    ) -> tuple[float, list[Array], Array] | None:
        """Least deviance, the relative covariances of all terms and the structure's coordinates; None without a certificate.

        ``extra`` are the coordinates of a residual structure to start from; none without.
        """
        if not self.entry_order and not isinstance(source, Family):
            none = self.whole([])
            return profiled(source, none, reml, 0).value, none, extra
        first = len(extra)
        back = np.eye(first + self.back.shape[0], first + self.back.shape[1])
        back[first:, first:] = self.back

        def evaluate(reduced: list[Array], order: int, at: Array | tuple[()] = ()) -> Criterion:
            statistics = statistics_at(source, np.asarray(at))
            criterion = profiled(statistics, self.whole(reduced), reml, order)
            if not np.isfinite(criterion.value) or order == 0:
                return criterion
            return replace(
                criterion, gradient=back.T @ criterion.gradient, hessian=back.T @ criterion.hessian @ back
            )

        found = best_over(source, evaluate, self.face, start, extra)
        return None if found is None else (found.value, self.whole(list(found.relative)), found.extra)
