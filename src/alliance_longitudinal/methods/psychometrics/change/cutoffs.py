"""Where the functional range begins: the cut-offs a, b and c of Jacobson and Truax, or a published one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.psychometrics.change.indices import Moments

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_COMPARE = {">=": np.greater_equal, ">": np.greater, "<=": np.less_equal, "<": np.less}


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut-off with what it says about a score.

    ``operator`` tells which scores are clinical (``score operator value``); without one, the value itself
    belongs to neither range. ``direction`` is 1 where higher scores are better, else -1.
    """

    value: float
    kind: str
    direction: int
    operator: str | None = None

    def clinical(self, scores: Floats) -> Bools:
        """Which scores lie in the clinical range."""
        if self.operator:
            return np.asarray(_COMPARE[self.operator](scores, self.value))
        return np.asarray(self.direction * scores < self.direction * self.value)

    def functional(self, scores: Floats) -> Bools:
        """Which scores lie in the functional range."""
        if self.operator:
            return ~self.clinical(scores)
        return np.asarray(self.direction * scores > self.direction * self.value)


@dataclass(frozen=True, slots=True)
class Functional:
    """Mean and standard deviation of people without the disorder."""

    mean: float
    sd: float


def cutoff(
    kind: str, moments: Moments, functional: Functional | None, direction: int, true_scores: bool = False
) -> Cut:
    """Cut-off ``a``, ``b`` or ``c`` of Jacobson and Truax (1991, p. 13).

    a: two SD of the clinical group from its mean, towards health. b: two SD of the functional group from its mean,
    towards illness. c: where both groups are equally likely, (SD_f M_c + SD_c M_f) / (SD_f + SD_c).

    Parameters
    ----------
    moments : Moments
        Mean and SD of the clinical group.
    functional : Functional or None
        Needed for b and c.
    direction : int
        1 if higher scores are better, else -1.
    true_scores : bool
        With the SD of true scores, SD sqrt(r), as Hageman and Arrindell (1999) do; r of each group with SEM held
        constant.
    """
    if kind == "a":
        return Cut(moments.mean + direction * 2 * _spread(moments, moments.sd, true_scores), kind, direction)
    if functional is None:
        raise DataError(
            f"Cut-off {kind!r} needs the mean and the standard deviation of people without the disorder. "
            "Give m_functional=... and sd_functional=..., or take cutoff='a'."
        )
    clinical_sd = _spread(moments, moments.sd, true_scores)
    functional_sd = _spread(moments, functional.sd, true_scores)
    if kind == "b":
        return Cut(functional.mean - direction * 2 * functional_sd, kind, direction)
    value = (functional_sd * moments.mean + clinical_sd * functional.mean) / (functional_sd + clinical_sd)
    return Cut(value, kind, direction)


def _spread(moments: Moments, sd: float, true_scores: bool) -> float:
    return sd * float(np.sqrt(moments.true_reliability(sd))) if true_scores else sd
