"""What predictions and tables need of a fit, of whatever kind of model."""

from typing import Protocol

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.statistics.modes import Modes


class Fitted(Protocol):
    """A fit with coefficients and predicted random effects."""

    @property
    def design(self) -> Design:
        """What was fitted."""

    @property
    def beta(self) -> Array:
        """Coefficients, shape (p,)."""

    @property
    def modes(self) -> tuple[Modes, ...]:
        """Predicted effects of each term."""
