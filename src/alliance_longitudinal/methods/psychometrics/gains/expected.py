"""How many sudden gains would be seen if nobody had any: steady change and ordinary fluctuation alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.methods.psychometrics.gains.events import Around, Intervals, Rules, around, sudden

Floats = NDArray[np.float64]
FORMULA = "score ~ session + log_session + (1 + session | client)"
#: Simulated scores that are held in memory at a time.
_AT_A_TIME = 4_000_000


@dataclass(frozen=True, slots=True)
class Steady:
    """The model of steady change.

    Attributes
    ----------
    result : MixedModelResults
    phi : float
        Correlation of neighbouring sessions' fluctuations; missing where the model has none.
    """

    result: Any
    phi: float


@dataclass(frozen=True, slots=True)
class Counts:
    """Gains and losses in each simulated data set by one set of rules; arrays of shape (n_simulations,)."""

    gains: Floats
    gain_clients: Floats
    losses: Floats
    loss_clients: Floats


def steady_change(ordered: pd.DataFrame) -> Steady:
    """Fit a smooth course: a curve common to all, a straight line of each client, and AR(1) fluctuation around it.

    Parameters
    ----------
    ordered : DataFrame
        ``client, session, score`` in order.

    Raises
    ------
    AllianceError
        If no such model can be fitted.
    """
    from alliance_longitudinal.engine import AR1, MixedModel

    session = ordered["session"].to_numpy(float)
    rows = ordered.assign(log_session=np.log(session - session.min() + 1))
    try:
        result = MixedModel.from_formula(FORMULA, rows, residual=AR1("session")).fit(reml=True, df="normal")
        phi = float(result.residual_parameters.set_index("name").loc["phi", "estimate"])
    except AllianceError:
        result = MixedModel.from_formula(FORMULA, rows).fit(reml=True, df="normal")
        phi = float("nan")
    return Steady(result, phi)


def expected_counts(
    steady: Steady,
    ordered: pd.DataFrame,
    found: Intervals,
    rules: Sequence[Rules],
    *,
    fall: bool,
    limits: tuple[float, float] | None,
    n: int,
    seed: int,
) -> list[Counts]:
    """Count gains and losses in ``n`` data sets simulated from the model, with the sessions that are there.

    Parameters
    ----------
    ordered, found
        The scores and their intervals.
    fall : bool
        Whether a gain is a fall.
    limits : pair of float, or None
        Lowest and highest score of the instrument: simulated scores beyond are set to them. Where most scores are whole
        numbers, the simulated ones of the same sessions are rounded.

    Returns
    -------
    list of Counts
        One for each of ``rules``, all on the same simulated data.
    """
    scores = ordered["score"].to_numpy(float)
    whole = _whole(scores)
    client = pd.factorize(ordered["client"])[0][found.row]
    rows: list[list[tuple[float, float, float, float]]] = [[] for _ in rules]
    batch = max(1, _AT_A_TIME // len(scores))
    for start in range(0, n, batch):
        simulated = steady.result.simulate(min(batch, n - start), seed=seed + start).to_numpy(float)
        if limits is not None:
            simulated = np.clip(simulated, *limits)
        simulated = np.where(whole[:, None], np.round(simulated), simulated)
        for column in simulated.T:
            seen = around(found.values(column))
            for k, one in enumerate(rules):
                rows[k].append(_count(seen, one, client, fall))
    return [Counts(*np.array(r, dtype=float).T) for r in rows]


def _whole(scores: Floats) -> NDArray[np.bool_]:
    """Which scores to simulate as whole numbers, shape (n,): those that are whole, where at least half of all are.

    One score with a fraction (a mean put in for an unanswered item) then changes one simulated score, not all of them. Of scores
    in tenths only every tenth is whole by chance, and none is rounded.
    """
    whole: NDArray[np.bool_] = scores == np.round(scores)
    return whole & bool(whole.mean() >= 0.5)


def _count(
    seen: Around, rules: Rules, client: NDArray[np.int64], fall: bool
) -> tuple[float, float, float, float]:
    out: list[float] = []
    for falling in (fall, not fall):
        hits = sudden(seen, rules, falling)
        out += [float(hits.sum()), float(len(np.unique(client[hits])))]
    return out[0], out[1], out[2], out[3]
