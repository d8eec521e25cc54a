"""Paths at each level: from sessions within clients, from two models between clients, from latent means between therapists."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import (
    ENDPOINT,
    GROWTH,
    Fitted,
    fit_first,
    therapist_df,
    variance_of,
    with_own_effect,
    with_robust,
)
from alliance_longitudinal.analyses.mechanisms.design import Before, Cause, Level
from alliance_longitudinal.methods.basics.inference import t_inference

OWN = "the effect of early alliance"
Row = dict[str, float]


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

    x, early = before.parts("x"), before.parts("early")
    by_therapist = part == "therapist"
    own_x, own_m = (x[-1], early[-1]) if by_therapist else (x[0], early[0])
    held = before.held()
    slope = before.course
    first = fit_first(
        f"alliance{part and '_' + part}",
        f"Early alliance by {cause.label}",
        "early ~ " + " + ".join([*x, *held]),
        before.clients,
        ENDPOINT,
    )
    right = " + ".join([*early, *x, *held])
    prefix = "weeks:" if slope else ""
    second = fit_first(
        f"outcome{part and '_' + part}",
        f"{'Course after the window' if slope else 'Change from intake'} by early alliance and {cause.label}",
        f"y ~ weeks * ({right})" if slope else f"end_change ~ {right}",
        before.rows if slope else before.clients,
        with_own_effect(GROWTH if slope else ENDPOINT, prefix + early[0], OWN),
    )
    if not by_therapist:  # each path may differ between therapists; the model lets one of them differ, and that where there are enough
        first, second = with_robust(first), with_robust(second, other=True)
    predictors = sum(c.endswith("_therapist") for c in (*x, *early, *held))
    bound = therapist_df(before.therapists, predictors) if by_therapist else float("inf")
    a = first.judged.combination({own_x: 1.0}, bound)
    b = second.judged.combination({prefix + own_m: 1.0}, bound)
    direct = second.judged.combination({prefix + own_x: 1.0}, bound)
    cov = pd.DataFrame(second.judged.result.cov_params()).loc[
        [prefix + own_m, prefix + own_x], [prefix + own_m, prefix + own_x]
    ]
    found = indirect_paths(
        a["estimate"],
        a["se"],
        b["estimate"],
        direct["estimate"],
        cov,
        (a["df"], b["df"], direct["df"]),
        seed=seed,
    )
    limits = found.conf_int()
    rows = {"a": a, "b": b, "direct": direct} | {
        name: {
            "estimate": float(found.params[name]),
            "se": float(found.bse[name]),
            "df": float("nan"),
            "ci_low": float(limits.loc[name, "lower"]),
            "ci_high": float(limits.loc[name, "upper"]),
            "p": float("nan"),
        }
        for name in ("indirect", "total")
    }
    rows |= _share(rows, found.draws[:, 5])
    sigma_m, sigma_y = (_sd(first, part, False), _sd(second, part, slope))
    confounding = None
    if sigma_m > 0 and sigma_y > 0:
        confounding = unmeasured_confounding(a["estimate"], b["estimate"], sigma_m, sigma_y)
    clients = before.clients
    sd = float(clients.groupby("therapist")[own_x].first().std() if by_therapist else clients[own_x].std())
    return Paths(
        "therapist" if by_therapist else "client",
        rows,
        sd,
        before.weeks if slope else 1.0,
        f" per {before.asked.time}" if slope else "",
        len(before.rows) if slope else len(clients),
        before.therapists if by_therapist else len(clients),
        confounding,
        (first, second),
        suffix="_observed" if by_therapist else "",
        n_first=len(clients),
    )


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
            "y": frame[y] - frame["client"].map(clients["intake"]),
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
