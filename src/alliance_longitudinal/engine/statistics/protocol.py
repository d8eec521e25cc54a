"""What the criterion needs of a design: sufficient statistics that can eliminate the random effects."""

from typing import Protocol, TypeAlias

from alliance_longitudinal.engine.arrays import Array

#: ``log|V|`` with its first (m,) and second (m, m) derivatives; ``U'V^-1 U`` (k, k) of the fixed-effect columns (first)
#: and the response (last) with its first (m, k, k) and second (m(m+1)/2, k, k) derivatives, pairs row by row of the
#: lower triangle.
Parts: TypeAlias = tuple[float, Array, Array, Array, Array, Array]


class Statistics(Protocol):
    """Sufficient statistics of a design, nested (`blocks.Blocks`) or crossed (`crossing.Crossing`)."""

    @property
    def n(self) -> int:
        """Rows."""

    @property
    def p(self) -> int:
        """Fixed effects."""

    @property
    def entry_terms(self) -> tuple[int, ...]:
        """Terms of the design in the order in which their covariance entries are stacked."""

    def sweep(self, relative: list[Array], order: int) -> Parts:
        """Eliminate all random effects at relative covariances, with derivatives up to ``order``."""
