"""Joint recovery over two measures, as English routine services (NHS Talking Therapies) count it.

Caseness: at or beyond the caseness cut-off of either measure. Recovery: at caseness before, and after treatment
beyond it on neither. Reliable improvement: reliably better on at least one measure and reliably worse on neither;
reliable deterioration the other way round. Reliable recovery: recovery and reliable improvement. Recovery and
reliable recovery are shares of the clients at caseness before treatment; the other two of all clients.
(NHS England, Talking Therapies manual; Gyani et al. 2013, doi 10.1016/j.brat.2013.06.004.)
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.methods.psychometrics.change.categories import reliable
from alliance_longitudinal.methods.psychometrics.change.classify import ChangeCategories

Bools = NDArray[np.bool_]
OUTCOMES = (
    "joint_caseness",
    "joint_recovery",
    "joint_reliable_improvement",
    "joint_reliable_deterioration",
    "joint_reliable_recovery",
)
LABELS = {
    "joint_caseness": "at caseness on either measure before treatment",
    "joint_recovery": "recovered on both measures (of those at caseness)",
    "joint_reliable_improvement": "reliably improved on one or both, reliably worse on neither",
    "joint_reliable_deterioration": "reliably worse on one or both, reliably improved on neither",
    "joint_reliable_recovery": "reliably recovered (of those at caseness)",
}
OF_CASES = ("joint_recovery", "joint_reliable_recovery")


def joint_recovery(measures: Sequence[ChangeCategories]) -> pd.DataFrame:
    """Who meets each joint outcome.

    Parameters
    ----------
    measures : sequence of ChangeCategories
        Of the same clients in the same rows, each with an index and a cut-off and without missing scores.

    Returns
    -------
    DataFrame
        One bool column an outcome of ``OUTCOMES``, in the rows of the input.

    Raises
    ------
    StudyError
        If a measure has no cut-off.
    """
    parts = [_one(m) for m in measures]
    before = np.any([p[0] for p in parts], axis=0)
    after = np.any([p[1] for p in parts], axis=0)
    better = np.any([p[2] for p in parts], axis=0)
    worse = np.any([p[3] for p in parts], axis=0)
    recovered = before & ~after
    improved = better & ~worse
    values = (before, recovered, improved, worse & ~better, recovered & improved)
    return pd.DataFrame(dict(zip(OUTCOMES, values, strict=True)), index=measures[0].frame.index)


def _one(change: ChangeCategories) -> tuple[Bools, Bools, Bools, Bools]:
    """Clinical before, clinical after, reliably better, reliably worse."""
    if change.cut is None or change.index is None:
        raise StudyError(
            "Recovery on both measures needs a cut-off and points of reliable change for each. Add "
            "what is missing in an instrument file of your own."
        )
    pre, post, rci = (change.frame[c].to_numpy(float) for c in ("pre", "post", "rci"))
    better, worse = reliable(rci, change.index.critical, change.index.inclusive, change.cut.direction)
    return change.cut.clinical(pre), change.cut.clinical(post), better, worse
