"""The arrays that methods of accuracy are given: one value per person, checked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import Floats


@dataclass(frozen=True, slots=True)
class Given:
    """Events and who goes together with whom.

    Attributes
    ----------
    event : ndarray of bool, shape (n,)
    cluster : ndarray of int, shape (n,)
        Codes 0, 1, ...; each person alone where none were given.
    clustered : bool
        Whether clusters were given.
    """

    event: NDArray[np.bool_]
    cluster: NDArray[np.int64]
    clustered: bool

    @property
    def clusters(self) -> int:
        """How many there are."""
        return int(self.cluster.max()) + 1


def given(event: Any, cluster: Any = None) -> Given:
    """Check events and clusters.

    Raises
    ------
    DataError
        If events are not 0 and 1, all are equal, or a cluster is missing or there is one only.
    """
    values = np.asarray(event, dtype=float)
    if values.ndim != 1 or not np.isin(values, (0.0, 1.0)).all():
        raise DataError("event holds values other than 0 and 1. Leave out persons whose end is not known.")
    if len(values) == 0 or np.ptp(values) == 0:
        raise DataError("The event happened to everybody or to nobody, so accuracy cannot be computed.")
    if cluster is None:
        return Given(values == 1, np.arange(len(values)), clustered=False)
    codes = pd.factorize(np.asarray(cluster, dtype=object))[0]
    if len(codes) != len(values):
        raise DataError("cluster needs one value for each person.")
    if (codes < 0).any():
        raise DataError("cluster is missing for some persons. Give each of them a value of their own.")
    if codes.max() == 0:
        raise DataError(
            "All persons are in one cluster, so their accuracy has no error that could be estimated."
        )
    return Given(values == 1, codes.astype(np.int64), clustered=True)


def probabilities(risk: Any, n: int, name: str = "risk") -> Floats:
    """Check probabilities.

    Raises
    ------
    DataError
        If they are not ``n`` numbers from 0 to 1.
    """
    values = np.asarray(risk, dtype=float)
    if values.shape != (n,) or not (np.isfinite(values).all() and ((values >= 0) & (values <= 1)).all()):
        raise DataError(f"{name} needs one probability from 0 to 1 for each person.")
    return values


def logit(p: Any) -> Floats:
    """Log odds; probabilities of 0 and 1 are moved inwards by a millionth."""
    inside = np.clip(np.asarray(p, dtype=float), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside / (1 - inside)))


def expit(x: Any) -> Any:
    """Probability of log odds."""
    return 1 / (1 + np.exp(-np.asarray(x, dtype=float)))
