"""What predictions and tables need of a fit, of whatever kind of model."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.fitting.modes import Modes


class Fitted(Protocol):
    """A fit with coefficients and predicted random effects."""

    @property
    def design(self) -> Design:
        """What was fitted."""

    @property
    def beta(self) -> NDArray[np.float64]:
        """Coefficients, shape (p,)."""

    @property
    def modes(self) -> tuple[Modes, ...]:
        """Predicted effects of each term."""
