"""From an index and a cut-off to the five categories of a client's change."""

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.methods.psychometrics.change.cutoffs import Cut
from alliance_longitudinal.methods.psychometrics.change.indices import ChangeIndex, Moments

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
CATEGORIES = ("recovered", "improved", "unchanged", "deteriorated", "harmed")
WITHOUT_CUTOFF = ("improved", "unchanged", "deteriorated")
WHAT = {
    "recovered": "reliably better, and from the clinical into the functional range",
    "improved": "reliably better, without crossing the cut-off",
    "unchanged": "no reliable change",
    "deteriorated": "reliably worse, without crossing the cut-off",
    "harmed": "reliably worse, and from the functional into the clinical range",
}


def reliable(rci: Floats, critical: float, inclusive: bool, direction: int) -> tuple[Bools, Bools]:
    """Who is reliably better, and who reliably worse; shapes (n,)."""
    good = direction * rci
    if inclusive:
        # Differences of one-decimal scores are not exact in binary: a change of exactly the published points counts.
        slack = 1e-9
        return good >= critical - slack, good <= -critical + slack
    return good > critical, good < -critical


def crossings(
    index: ChangeIndex, pre: Floats, post: Floats, cut: Cut, moments: Moments
) -> tuple[Bools, Bools]:
    """Who crossed from clinical to functional, and who from functional to clinical; shapes (n,).

    For HA, whether a score after treatment lies beyond the cut-off is itself a test (Hageman & Arrindell 1999,
    CS_INDIV): the estimated true score has to be further away than the critical value.
    """
    was_clinical, was_functional = cut.clinical(pre), cut.functional(pre)
    if index.method != "HA":
        return was_clinical & cut.functional(post), was_functional & cut.clinical(post)
    r_post = moments.true_reliability(moments.sd_post)
    true_post = moments.mean_post + (post - moments.mean_post) * r_post
    distance = cut.direction * (true_post - cut.value) / (np.sqrt(r_post) * moments.sem)
    return was_clinical & (distance > index.critical), was_functional & (distance < -index.critical)


def categorise(
    rci: Floats, index: ChangeIndex, direction: int, crossed: tuple[Bools, Bools] | None
) -> NDArray[np.str_]:
    """Category of each of n clients; ``crossed`` is None where there is no cut-off."""
    better, worse = reliable(rci, index.critical, index.inclusive, direction)
    out = np.full(len(rci), "unchanged", dtype="<U12")
    out[better], out[worse] = "improved", "deteriorated"
    if crossed is not None:
        out[better & crossed[0]] = "recovered"
        out[worse & crossed[1]] = "harmed"
    return out
