"""How subscales go together between therapists, between clients and within clients."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit.fits import LEVEL, fit_first

#: Group of the model's variances -> level.
_LEVELS = {"therapist": "therapist", "client:therapist": "client", "client": "client", "Residual": "session"}


def level_correlations(rows: pd.DataFrame, scales: Sequence[str]) -> pd.DataFrame:
    """Correlations of every two scales at each level.

    From variance components: ``cov(x, y) = (var(x + y) - var(x) - var(y)) / 2`` holds at each level. The three models of
    a pair are fitted by REML with the fullest structure that the design can carry; scales are standardised first. A
    correlation is missing where a variance is estimated as zero, and cut at 1 where sampling takes it beyond.

    Parameters
    ----------
    rows : DataFrame
        ``client, therapist`` and the scales, without missing values.
    scales : sequence of str

    Returns
    -------
    DataFrame
        ``first, second, level, r, beyond`` (whether it was cut).
    """
    z = {s: (rows[s] - rows[s].mean()) / rows[s].std() for s in scales}
    alone = {s: _variances(rows, z[s]) for s in scales}
    out = []
    for a, b in combinations(scales, 2):
        together = _variances(rows, z[a] + z[b])
        for level in ("therapist", "client", "session"):
            if not all(level in v for v in (alone[a], alone[b], together)):
                continue
            product = alone[a][level] * alone[b][level]
            covariance = (together[level] - alone[a][level] - alone[b][level]) / 2
            r = covariance / np.sqrt(product) if product > 1e-12 else float("nan")
            beyond = bool(abs(r) > 1)
            out.append((a, b, level, float(np.clip(r, -1, 1)), beyond))
    return pd.DataFrame(out, columns=["first", "second", "level", "r", "beyond"])


def _variances(rows: pd.DataFrame, y: pd.Series) -> dict[str, float]:
    frame = rows[["client", "therapist"]].assign(y=y.to_numpy(), weeks=0.0)
    table = fit_first("levels", "Levels", "y ~ 1", frame, LEVEL).result.varcorr
    return {_LEVELS[g]: float(v) for g, v in zip(table["group"], table["vcov"], strict=True) if g in _LEVELS}
