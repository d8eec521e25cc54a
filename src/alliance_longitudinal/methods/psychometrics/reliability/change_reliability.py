"""How reliably a questionnaire tells clients apart, and how reliably it tells a client's own changes (Cranford et al. 2006).

With items i, sessions t and clients as facets of a generalisability study, m items and k sessions:

====  =========================================================================================================
RkF   clients' means over k fixed sessions     (C + CI/m) / (C + CI/m + E/(km))
R1R   one session taken at random              (C + CI/m) / (C + CI/m + S + CS + E/m)
RkR   clients' means over k random sessions    (C + CI/m) / (C + CI/m + S/k + CS/k + E/(km))
Rc    change within clients                    CS / (CS + E/m)
RkRn  as RkR, sessions nested in clients       C / (C + CS/k + E/(km))
Rcn   as Rc, sessions nested in clients        CS / (CS + E/m)
====  =========================================================================================================

C clients, S sessions, CS clients by sessions, CI clients by items, E residual (Shrout & Lane 2012). The nested
coefficients need no common session numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import FitError

NESTED = "value ~ 1 + (1 | client) + (1 | client:session)"
CROSSED = "value ~ 1 + (1 | client) + (1 | session) + (1 | item) + (1 | client:session) + (1 | client:item) + (1 | session:item)"


@dataclass(frozen=True, slots=True)
class ChangeReliability:
    """Coefficients by name, variance components by name, m and k that they are for, and clients behind them.

    ``limits`` holds 95 % limits by name, where they could be computed.
    """

    coefficients: dict[str, float]
    components: dict[str, float]
    items: int
    sessions: int
    clients: int
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def nested_reliability(long: pd.DataFrame, sessions: int) -> ChangeReliability:
    """RkRn and Rcn, with profile-likelihood limits.

    Parameters
    ----------
    long : DataFrame
        ``client, session, item, value``, one row per answer, without missing values.
    sessions : int
        k: number of sessions that a client's mean is taken over.
    """
    (fit, v), m, k = _components(NESTED, long, crossed=False), int(long["item"].nunique()), sessions
    c, cs, e = v["client"], v["client:session"], v["Residual"]
    found = {"RkRn": _share(c, cs / k + e / (k * m)), "Rcn": _share(cs, e / m)}
    limits = _limits(fit, {"RkRn": (0, (1, 1 / k), 1 / (k * m)), "Rcn": (1, (0, 1), 1 / m)})
    return ChangeReliability(found, v, m, k, int(long["client"].nunique()), limits)


def crossed_reliability(long: pd.DataFrame, sessions: int) -> ChangeReliability:
    """RkF, R1R, RkR and Rc; session numbers mean the same for all clients. Input as for ``nested_reliability``."""
    (_, v), m, k = _components(CROSSED, long, crossed=True), int(long["item"].nunique()), sessions
    s, cs, e = v["session"], v["client:session"], v["Residual"]
    c = v["client"] + v["client:item"] / m
    found = {
        "RkF": _share(c, e / (k * m)),
        "R1R": _share(c, s + cs + e / m),
        "RkR": _share(c, s / k + cs / k + e / (k * m)),
        "Rc": _share(cs, e / m),
    }
    return ChangeReliability(found, v, m, k, int(long["client"].nunique()))


def _components(formula: str, long: pd.DataFrame, *, crossed: bool) -> tuple[Any, dict[str, float]]:
    """The fit, and its variance components by group."""
    from alliance_longitudinal.engine import MixedModel

    fit = MixedModel.from_formula(formula, long, crossed=crossed).fit(reml=True, df="normal")
    return fit, dict(zip(fit.varcorr["group"], fit.varcorr["vcov"].astype(float), strict=True))


def _limits(
    fit: Any, shares: Mapping[str, tuple[int, tuple[float, float], float]]
) -> dict[str, tuple[float, float]]:
    """95 % profile-likelihood limits: a coefficient is a term's share of weighted variance components.

    ``shares`` has for each coefficient the term in its numerator, and the weights of both terms and of the residual.
    """
    from alliance_longitudinal.engine.inference.charts_shares import Rest
    from alliance_longitudinal.engine.inference.profile_shares import share_intervals

    out = {}
    for name, (term, weights, residual) in shares.items():
        moments = [np.full((1, 1), float(w)) for w in weights]
        try:
            row = share_intervals(fit.fit, moments, Rest(residual), [[term]], 0.05).iloc[0]
        except FitError:
            continue
        out[name] = float(row["lower"]), float(row["upper"])
    return out


def _share(signal: float, noise: float) -> float:
    return signal / (signal + noise) if signal + noise > 0 else float("nan")
