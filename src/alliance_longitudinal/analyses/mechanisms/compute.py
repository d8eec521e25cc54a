"""Paths at each level: from sessions within clients, from two models between clients, from latent means between therapists."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import (
    Fitted,
    therapist_df,
    variance_of,
)
from alliance_longitudinal.analyses.mechanisms.design import Before, Cause, Level
from alliance_longitudinal.analyses.mechanisms.pair import Row, pair_of_models
from alliance_longitudinal.methods.basics.inference import t_inference

if TYPE_CHECKING:
    from alliance_longitudinal.methods.mediation.paths import IndirectPaths


@dataclass(frozen=True, slots=True)
class Paths:
    """Paths of one level.

    Attributes
    ----------
    level : {"session", "client", "therapist"}
    rows : dict of str to row
        ``a, b, direct, indirect, total`` and, where there are, ``cov_ab`` and ``prop``: ``estimate, se, df, ci_low, ci_high, p``.
    sd : float
        Of the cause at this level.
    times : float
        What makes of a rate the change over the follow-up; 1 for changes.
    rate : str
        What the outcome's unit says of time, such as " per week".
    n, units : int
        Rows, and units of the level (clients or therapists).
    n_first : int
        Rows of the model of the alliance, where it is another than that of the outcome; else 0.
    confounding : Confounding or None
    models : tuple of Fitted
    terms : tuple of str
        The coefficients of the paths ``a`` and ``b`` in the two models.
    latent : bool
        Whether means are latent.
    """

    level: Level
    rows: dict[str, Row]
    sd: float
    times: float
    rate: str
    n: int
    units: int
    confounding: Any
    models: tuple[Fitted, ...] = ()
    latent: bool = False
    suffix: str = ""
    n_first: int = 0
    terms: tuple[str, str] = ("", "")

    @property
    def kind(self) -> str:
        """``within`` clients, or ``between`` clients or therapists."""
        return "within" if self.level == "session" else "between"

    @property
    def clear(self) -> bool:
        """Whether the interval of the indirect path excludes zero."""
        row = self.rows["indirect"]
        return row["ci_low"] > 0 or row["ci_high"] < 0


def within_paths(steps: pd.DataFrame, seed: int) -> Paths:
    """1-1-1 with paths that differ between clients: the indirect path is a b + cov(a, b).

    Raises
    ------
    DataError
        If the model cannot be fitted.
    """
    from alliance_longitudinal.methods import mediate, unmeasured_confounding

    found = mediate(steps, "x", "m", "y", "client", seed=seed)
    limits, p = found.conf_int(), found.pvalues
    names = {"c_prime": "direct"}
    rows = {
        names.get(name, name): {
            "estimate": float(found.params[name]),
            "se": float(found.bse[name]),
            "df": float("inf"),
            "ci_low": float(limits.loc[name, "lower"]),
            "ci_high": float(limits.loc[name, "upper"]),
            "p": float(p[name]) if name in ("a", "b", "c_prime") else float("nan"),
        }
        for name in found.params.index
    }
    total = found.draws[:, list(found.params.index).index("total")]
    indirect = found.draws[:, list(found.params.index).index("indirect")]
    rows |= _share(rows, indirect / total)
    a, b = rows["a"]["estimate"], rows["b"]["estimate"]
    confounding = None
    if a != 0:
        confounding = unmeasured_confounding(
            a, b + rows["cov_ab"]["estimate"] / a, float(found.sigma["m"]), float(found.sigma["y"])
        )
    return Paths(
        "session", rows, float(steps["x"].std()), 1.0, "", len(steps), steps["client"].nunique(), confounding
    )


def two_models(before: Before, cause: Cause, seed: int, part: str = "") -> Paths:
    """2-1-1: the model of the early alliance and that of the later change.

    Parameters
    ----------
    part : str
        ``"therapist"`` for paths between therapists by observed means; otherwise those between clients of one therapist.

    Raises
    ------
    FitError
        If a model cannot be fitted.
    """
    from alliance_longitudinal.methods import indirect_paths, unmeasured_confounding

    pair = pair_of_models(before, cause, part)
    rows = pair.coefficients()
    a, b, direct = rows["a"], rows["b"], rows["direct"]
    found = indirect_paths(
        a["estimate"],
        a["se"],
        b["estimate"],
        direct["estimate"],
        pair.covariance(),
        (a["df"], b["df"], direct["df"]),
        seed=seed,
    )
    rows |= _products(found)
    rows |= _share(rows, found.draws[:, 5])
    by_therapist, slope, clients = part == "therapist", before.course, before.clients
    sigma_m, sigma_y = _sd(pair.first, part, False), _sd(pair.second, part, slope)
    confounding = None
    if sigma_m > 0 and sigma_y > 0:
        confounding = unmeasured_confounding(a["estimate"], b["estimate"], sigma_m, sigma_y)
    values = clients.groupby("therapist")[pair.cause].first() if by_therapist else clients[pair.cause]
    return Paths(
        "therapist" if by_therapist else "client",
        rows,
        float(values.std()),
        before.weeks if slope else 1.0,
        f" per {before.asked.time}" if slope else "",
        len(before.rows) if slope else len(clients),
        before.therapists if by_therapist else len(clients),
        confounding,
        (pair.first, pair.second),
        suffix="_observed" if by_therapist else "",
        n_first=len(clients),
        terms=(pair.cause, pair.prefix + pair.alliance),
    )


def _products(found: "IndirectPaths") -> dict[str, Row]:
    """The ``indirect`` path and the ``total`` one, whose limits are quantiles of draws."""
    limits, nothing = found.conf_int(), float("nan")
    return {
        name: {
            "estimate": float(found.params[name]),
            "se": float(found.bse[name]),
            "df": nothing,
            "ci_low": float(limits.loc[name, "lower"]),
            "ci_high": float(limits.loc[name, "upper"]),
            "p": nothing,
        }
        for name in ("indirect", "total")
    }


def _sd(fitted: Fitted, part: str, slope: bool) -> float:
    """Standard deviation of a model's errors at the level of a path: of rates of change if ``slope``; 0 where it has none."""
    if not slope and part != "therapist":
        return float(np.sqrt(fitted.result.scale))
    if not fitted.mixed:
        return 0.0
    level = "therapist" if part == "therapist" else "client"
    found = variance_of(fitted.result.varcorr, level, "weeks" if slope else "Intercept")
    return float(np.sqrt(found)) if np.isfinite(found) else 0.0


def latent_paths(before: Before, seed: int) -> Paths:
    """3-1-1: a cause of therapists, latent therapist means of clients' early alliance and of their change from intake.

    Raises
    ------
    AllianceError
        If the model cannot be fitted.
    """
    frame = adjusted(before)
    return _latent(frame, "therapist", "therapist", before, seed)


def latent_clients(before: Before, sessions: pd.DataFrame, seed: int) -> Paths:
    """2-1-1: a cause of clients, latent client means of the alliance and of the change from intake at the next session.

    Raises
    ------
    AllianceError
        If the model cannot be fitted.
    """
    from alliance_longitudinal.methods import lag

    asked, clients = before.asked, before.clients.set_index("client")
    a, y = asked.alliance.name, asked.outcome.name
    frame = lag(sessions[["client", "session", a, y]], [a])
    frame = frame[frame["client"].isin(clients.index)]
    rows = pd.DataFrame(
        {
            "client": frame["client"],
            "x": frame["client"].map(clients["x"]),
            "m": frame[f"{a}_lag"],
            "y": frame[y] - frame["client"].map(clients["intake"]).astype(float),
        }
    )
    return _latent(rows.dropna(), "client", "client", before, seed)


def _latent(frame: pd.DataFrame, group: str, level: Level, before: Before, seed: int) -> Paths:
    """Paths between groups by `latent_mediation`."""
    from alliance_longitudinal.methods import latent_mediation, unmeasured_confounding

    found = latent_mediation(frame, "x", "m", "y", group, seed=seed)
    limits = found.conf_int()
    df = therapist_df(found.groups, 2)
    rows: dict[str, Row] = {}
    for ours, name in (("a", "a"), ("b", "b_between"), ("direct", "c_prime")):
        rows[ours] = t_inference(float(found.params[name]), float(found.bse[name]), df)
    rows["indirect"] = {
        "estimate": float(found.params["indirect"]),
        "se": float(found.bse["indirect"]),
        "df": float("nan"),
        "ci_low": float(limits.loc["indirect", "lower"]),
        "ci_high": float(limits.loc["indirect", "upper"]),
        "p": float("nan"),
    }
    m, y = found.between.iloc[0, 0], found.between.iloc[1, 1]
    rest = float(y - rows["b"]["estimate"] ** 2 * m)
    confounding = None
    if rest > 1e-8 * float(y):
        confounding = unmeasured_confounding(
            rows["a"]["estimate"], rows["b"]["estimate"], float(np.sqrt(m)), float(np.sqrt(rest))
        )
    sd = float(frame.groupby(group)["x"].first().std())
    suffix = "_latent" if level == "client" else ""
    return Paths(level, rows, sd, 1.0, "", len(frame), found.groups, confounding, (), True, suffix)


def adjusted(before: Before) -> pd.DataFrame:
    """Cause, early alliance and change from intake of each client, less what the held-constant columns predict within therapists."""
    clients = before.clients
    wanted = [f"{c}_client" for c in before.asked.adjust]
    extra = [clients[t] - clients.groupby("therapist")[t].transform("mean") for t in before.terms]
    inside = (
        np.column_stack([*(clients[w] for w in wanted), *extra])
        if wanted or extra
        else np.empty((len(clients), 0))
    )
    whole = [clients[f"{c}_total"] for c in before.asked.adjust] + [
        clients[t] - clients[t].mean() for t in before.terms
    ]
    out = pd.DataFrame({"therapist": clients["therapist"], "x": clients["x"]})
    for name, column in (("m", "early"), ("y", "end_change")):
        values = clients[column] - clients.groupby("therapist")[column].transform("mean")
        out[name] = clients[column]
        if inside.shape[1]:
            weights = np.linalg.lstsq(inside, values.to_numpy())[0]
            out[name] = clients[column] - np.column_stack(whole) @ weights
    return out


def _share(rows: dict[str, Row], draws: "np.ndarray[Any, np.dtype[np.float64]]") -> dict[str, Row]:
    """The share of the total path that is indirect: only where the total path is clear."""
    total = rows["total"]
    if total["ci_low"] <= 0 <= total["ci_high"]:
        return {}
    low, high = np.quantile(draws, [0.025, 0.975])
    share = rows["indirect"]["estimate"] / total["estimate"]
    return {
        "prop": {
            "estimate": share,
            "se": float("nan"),
            "df": float("nan"),
            "ci_low": float(low),
            "ci_high": float(high),
            "p": float("nan"),
        }
    }
