"""Alliance: what is felt in a session, ruptures and repairs, and what each rater writes down."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.simulation.truth import ClinicTruth

Array = NDArray[np.float64]

#: Items of the WAI-SR, rated 1 to 5.
ITEMS = 12


def shape_of(truth: ClinicTruth, session: NDArray[np.int_]) -> Array:
    """Alliance points that the average course adds at each session: straight, levelling off, and with a dip in the middle."""
    at = np.maximum(session, 1)
    dip = np.clip(1 - np.abs(session - 8) / 3, 0, None)
    straight = truth.alliance_growth * (session - 1)  # as far back as intake, where nobody rates
    return np.asarray(straight + truth.alliance_log * np.log(at) - truth.alliance_dip * dip, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Ruptures:
    """Alliance points lost, and whether a rupture is open; clients by sessions 0 to S."""

    loss: Array
    open: NDArray[np.bool_]


def ruptures(rng: np.random.Generator, truth: ClinicTruth, shape: tuple[int, int]) -> Ruptures:
    """Ruptures from session 2 on; a repair brings the alliance back in equal steps, without one it stays down."""
    loss = np.zeros(shape)
    if truth.rupture_chance == 0:
        return Ruptures(loss, np.zeros(shape, dtype=bool))
    step = truth.rupture_depth / truth.rupture_length
    healing = np.zeros(shape[0], dtype=bool)
    for session in range(2, shape[1]):
        carried = np.maximum(loss[:, session - 1] - step * healing, 0.0)
        breaks = (rng.random(shape[0]) < truth.rupture_chance) & (carried == 0)
        healing = np.where(breaks, rng.random(shape[0]) < truth.rupture_repaired, healing)
        loss[:, session] = np.where(breaks, truth.rupture_depth, carried)
    return Ruptures(loss, loss > 0)


@dataclass(frozen=True, slots=True)
class Ratings:
    """Noise of the client's ratings for some sessions, drawn before it is known what is rated.

    Attributes
    ----------
    total : ndarray, shape (n, s)
        Of the session.
    items : ndarray, shape (n, s, 12), or None
        Of each item; None where only totals are wanted.
    """

    total: Array
    items: Array | None

    @classmethod
    def drawn(
        cls, rng: np.random.Generator, truth: ClinicTruth, shape: tuple[int, int], items: bool
    ) -> "Ratings":
        """Draw the noise."""
        total = rng.normal(0, truth.alliance_session_sd, shape)
        return cls(total, rng.normal(0, 0.5, (*shape, ITEMS)) if items else None)

    def written(self, felt: Array, session: slice | int = slice(None)) -> Array:
        """Item ratings (..., 12), or totals, for a felt alliance that holds the session's noise already."""
        if self.items is None:
            rounded: Array = np.clip(np.round(felt), ITEMS, 5 * ITEMS)
            return rounded
        easiness = np.linspace(-0.25, 0.25, ITEMS)
        answers: Array = np.clip(np.round(felt[..., None] / ITEMS + easiness + self.items[:, session]), 1, 5)
        return answers


def other_raters(
    rng: np.random.Generator,
    truth: ClinicTruth,
    felt: Array,
    therapist: NDArray[np.intp],
    raters: tuple[str, ...],
) -> dict[str, Array]:
    """Totals (n, S + 1) of therapist, observer and carer, who see the felt alliance without the client's halo."""
    around = felt - truth.alliance_mean
    middle = truth.alliance_mean
    noise = {
        "therapist": (truth.therapist_rating_accuracy, truth.therapist_rating_error_sd),
        "observer": (truth.observer_accuracy, truth.observer_error_sd),
        "carer": (truth.carer_accuracy, truth.carer_error_sd),
    }
    out = {}
    for rater in raters:
        accuracy, error = noise[rater]
        seen = middle + accuracy * around + rng.normal(0, error, felt.shape)
        if rater == "therapist":
            style = rng.normal(0, truth.therapist_rating_style_sd, truth.therapists)[therapist]
            seen += truth.therapist_rating_bias + style[:, None]
        out[rater] = np.clip(np.round(seen), ITEMS, 5 * ITEMS)
        out[rater][:, 0] = np.nan
    return out
