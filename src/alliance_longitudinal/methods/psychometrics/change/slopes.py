"""Method HLM: each client's rate of change from a mixed model, set against its own standard error."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import DataError, FitError
from alliance_longitudinal.findings import Finding

#: Fewest scores of a client for a slope with a standard error, and fewest clients for a distribution of slopes.
MIN_SCORES, MIN_CLIENTS = 3, 10


@dataclass(frozen=True, slots=True)
class Slopes:
    """The deviations of clients' slopes from the average slope, in standard errors.

    Attributes
    ----------
    frame : DataFrame
        ``client, pre, post, rci``: first and last score, and empirical Bayes deviation / conditional SD.
    average : float
        The average slope per unit of time: with what each client is compared.
    result : MixedModelResults
    findings : tuple of Finding
    """

    frame: pd.DataFrame
    average: float
    result: Any
    findings: tuple[Finding, ...]


def client_slopes(scores: pd.DataFrame) -> Slopes:
    """Fit ``score ~ time + (time | client)`` by REML and divide each client's slope deviation by its conditional SD.

    The deviation is that of the random effect alone, as Speer and Greenbaum (1995) compare clients among each other:
    a client who improves as much as the average has an index of 0.

    Parameters
    ----------
    scores : DataFrame
        ``client, time, score``, one row an occasion. Clients with fewer than three scores are left out.

    Raises
    ------
    DataError
        If too few clients have three scores.
    FitError
        If the model cannot be fitted, or slopes do not differ.
    """
    from alliance_longitudinal.engine import MixedModel

    known = scores.dropna(subset=["client", "time", "score"]).sort_values(["client", "time"], kind="stable")
    enough = known.groupby("client")["score"].transform("size") >= MIN_SCORES
    rows = known[enough].reset_index(drop=True)
    n = int(rows["client"].nunique())
    if n < MIN_CLIENTS:
        raise DataError(
            f"Method HLM needs at least {MIN_CLIENTS} clients with {MIN_SCORES} or more scores; there are {n}."
        )
    result = MixedModel.from_formula("score ~ time + (time | client)", rows).fit(reml=True, df="normal")
    deviation = result.random_effects["client"]["time"]
    spread = result.random_effects_sd["client"]["time"]
    table = result.varcorr
    slope_sd = float(table.loc[table["term1"].eq("time") & table["term2"].isna(), "sdcor"].iloc[0])
    span = float(rows["time"].max() - rows["time"].min())
    # Differences in slope that move a score by a millionth of the noise over the whole time are none.
    if not result.converged or slope_sd * span <= 1e-6 * float(np.sqrt(result.scale)):
        raise FitError(
            "Method HLM cannot be used: the model finds no differences between clients in their rate of change."
        )
    ends = rows.groupby("client")["score"].agg(pre="first", post="last")
    rci = (deviation / spread).rename("rci")
    rci.index = rci.index.astype(ends.index.dtype)
    return Slopes(
        frame=ends.join(rci).reset_index(),
        average=float(result.params["time"]),
        result=result,
        findings=tuple(result.findings),
    )
