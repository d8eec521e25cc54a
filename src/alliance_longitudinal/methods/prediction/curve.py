"""Area under the ROC curve with its covariance, for persons in clusters."""

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.prediction.given import Given


def areas(risks: "list[Floats]", who: Given) -> tuple[Floats, Floats]:
    """Areas of several predictions of the same persons, shape (k,), and their covariance, shape (k, k).

    The area is the probability that a person with the event has the higher risk, ties counting half. Its variance is that of
    DeLong, DeLong & Clarke-Pearson (1988, doi 10.2307/2531595), with the sums over clusters of Obuchowski (1997, doi
    10.2307/2533958) in place of single persons; clusters of one give DeLong's.
    """
    event, cluster, total = who.event, who.cluster, who.clusters
    m, n = int(event.sum()), int((~event).sum())
    placed = [_placements(risk, event) for risk in risks]
    area = np.array([of_events.mean() for of_events, _ in placed])
    ill = np.bincount(cluster[event], minlength=total).astype(float)
    well = np.bincount(cluster[~event], minlength=total).astype(float)
    a = np.array(
        [np.bincount(cluster[event], p[0], total) - ill * t for p, t in zip(placed, area, strict=True)]
    )
    b = np.array(
        [np.bincount(cluster[~event], p[1], total) - well * t for p, t in zip(placed, area, strict=True)]
    )
    with_event, without = int((ill > 0).sum()), int((well > 0).sum())
    cross = a @ b.T * _inflation(total) / (m * n)
    covariance = (
        a @ a.T * _inflation(with_event) / m**2 + b @ b.T * _inflation(without) / n**2 + cross + cross.T
    )
    return area, np.asarray(covariance)


def _inflation(count: int) -> float:
    return count / (count - 1) if count > 1 else float("nan")


def _placements(risk: Floats, event: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """For each event the share of the others with a lower risk, and for each of the others the share of events with a higher one."""
    with_event, without = risk[event], risk[~event]
    low, high = np.sort(without), np.sort(with_event)
    below = (np.searchsorted(low, with_event, "left") + np.searchsorted(low, with_event, "right")) / 2
    above = len(high) - (np.searchsorted(high, without, "left") + np.searchsorted(high, without, "right")) / 2
    return below / len(low), above / len(high)
