"""Method HLM: each client's rate of change from a mixed model, set against its own standard error."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Count, Number
from alliance_longitudinal.errors import DataError, FitError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say

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
        ``client, time, score``, one row per occasion. Clients with fewer than three scores are left out.

    Raises
    ------
    DataError
        If too few clients have three scores.
    FitError
        If the model cannot be fitted, if slopes do not differ, or if no client's slope can be distinguished from the average.
    """
    from alliance_longitudinal.engine import MixedModel

    known = scores.dropna(subset=["client", "time", "score"]).sort_values(["client", "time"], kind="stable")
    enough = known.groupby("client")["score"].transform("size") >= MIN_SCORES
    rows = known[enough].reset_index(drop=True)
    n = int(rows["client"].nunique())
    if n < MIN_CLIENTS:
        raise DataError(
            say(
                "Method HLM needs at least {needed} clients with {each} or more scores; there {n:is|are} {n}.",
                needed=Number(MIN_CLIENTS, "integer"),
                each=Number(MIN_SCORES, "integer"),
                n=Count(n, "client"),
            )
        )
    result = MixedModel.from_formula("score ~ time + (time | client)", rows).fit(reml=True, df="normal")
    _check_slopes(result, rows)
    deviation = result.random_effects["client"]["time"]
    spread = result.random_effects_sd["client"]["time"]
    ends = rows.groupby("client")["score"].agg(pre="first", post="last")
    rci = (deviation / spread).rename("rci")
    rci.index = rci.index.astype(ends.index.dtype)
    return Slopes(
        frame=ends.join(rci).reset_index(),
        average=float(result.params["time"]),
        result=result,
        findings=tuple(result.findings),
    )


def _check_slopes(result: Any, rows: pd.DataFrame) -> None:
    """Refuse a model by which no client's rate can be distinguished from the average.

    At a correlation of 1 or -1 a client's rate is a multiple of the client's level and has the level's small standard error: more
    than half of all clients then seem to differ where nobody does, and near it (.8) up to a fifth. A model is used only if the rates
    improve it, by the restricted likelihood-ratio test against equal rates (half chi-squared with 1, half with 2 df; Stram & Lee 1994,
    Biometrics 50).
    """
    from alliance_longitudinal.engine import MixedModel
    from alliance_longitudinal.engine import distributions as stats

    table = result.varcorr
    sd = table[table["term2"].isna()].set_index("term1")["sdcor"]
    noise = 1e-6 * float(np.sqrt(result.scale))
    # Differences in slope that move a score by a millionth of the noise over the whole time are none.
    if not result.converged or sd["time"] * float(rows["time"].max() - rows["time"].min()) <= noise:
        raise FitError(
            "Method HLM cannot be used: the model finds no differences between clients in their rate of change."
        )
    equal = MixedModel.from_formula("score ~ time + (1 | client)", rows).fit(reml=True, df="normal")
    ratio = max(equal.deviance - result.deviance, 0.0)
    p = float(stats.chi2.sf(ratio, 1) + stats.chi2.sf(ratio, 2)) / 2
    if p > 0.05:
        raise FitError(
            say(
                "Method HLM cannot be used: no client's rate of change can be distinguished from the average rate (SD of the rates "
                "{sd} points per unit of time, p {p} against equal rates){boundary}.",
                boundary=", and the model is at the boundary of what is possible" if result.singular else "",
                sd=Number(float(sd["time"])),
                p=Number(p, "p"),
            )
        )
