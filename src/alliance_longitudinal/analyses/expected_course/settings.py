"""How courses are expected and judged: the report's parameters, checked."""

from dataclasses import dataclass
from typing import Literal

from alliance_longitudinal.errors import StudyError

TimeShape = Literal["log", "linear", "spline3"]
Holdout = Literal["therapist", "client"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How courses are expected and judged.

    Attributes
    ----------
    shape : {"log", "linear", "spline3"}
    after : tuple of float
        Times up to which scores are known.
    decide : float
        The time of the warning, one of ``after``.
    bands : tuple of float
        Shares of single scores in the bands; the first is the band of the warning and of the figures.
    update : bool
        Whether the scores so far change what is expected later.
    holdout : {"therapist", "client"}
        Whether all clients of a therapist are left out together, too.
    folds, seed : int
    """

    shape: TimeShape
    after: tuple[float, ...]
    decide: float
    bands: tuple[float, ...]
    update: bool
    holdout: Holdout
    folds: int
    seed: int

    @property
    def band(self) -> float:
        """Share of single scores in the band of the warning."""
        return self.bands[0]

    @property
    def cover(self) -> str:
        """Name of the estimate of that share."""
        return cover_name(self.band)

    @property
    def z(self) -> float:
        """Half the band's width in standard deviations."""
        from statistics import NormalDist

        return NormalDist().inv_cdf((1 + self.band) / 2)

    def known(self, after: float) -> str:
        """What is known of a client whose later scores are predicted."""
        if self.update:
            return f"scores up to {after:g} known"
        return f"first score known, scores after {after:g}"


def cover_name(band: float) -> str:
    """The share of scores in a band: ``cover80``."""
    return f"cover{100 * band:g}"


def settings_of(
    time: TimeShape,
    times: tuple[float, ...],
    decide: float | None,
    bands: tuple[float, ...],
    update: bool,
    holdout: Holdout,
    folds: int,
    seed: int,
) -> Settings:
    """The settings.

    Raises
    ------
    StudyError
        Times before the first score, or a time of the warning that is none of them.
    """
    after = tuple(sorted(set(times)))
    if after[0] < 0:
        raise StudyError(f"Parameter 'after': {after[0]:g} is before the first score. Give times from 0 on.")
    when = after[-1] if decide is None else decide
    if when not in after or when < 1:
        raise StudyError(
            f"Parameter 'decide': {when:g} is not one of the times in 'after' ({', '.join(f'{t:g}' for t in after)}) from 1 on. A warning needs "
            "scores after the first."
        )
    return Settings(time, after, float(when), tuple(dict.fromkeys(bands)), update, holdout, folds, seed)
