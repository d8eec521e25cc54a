"""Who can improve reliably, when it was first seen, how treatment ended, and how long it was."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.analyses.kit.norms import direction_of
from alliance_longitudinal.data.study import Measure

#: Scores of a client from which there is a rate of change.
MIN_SCORES = 3


@dataclass(frozen=True, slots=True)
class Dose:
    """Clients and their scores.

    Attributes
    ----------
    clients : DataFrame
        One row per client who could improve reliably: ``client, therapist``; ``time``, the session of the first reliable
        improvement or else of the last score; ``end``, ``improved``, ``left`` (treatment ended without), or missing (still in treatment);
        ``low, high``, sessions between which it came; ``held``, the session of the first improvement that the next score kept.
    scores : DataFrame
        Scores of clients whose treatment has ended and who have several: ``client, therapist, session, y, time`` (sessions), ``length``
        (last attended session, less the mean).
    mean_length : float
    points : float
    """

    clients: pd.DataFrame
    scores: pd.DataFrame
    mean_length: float
    points: float


def scored_sessions(draft: Draft, y: Measure) -> pd.DataFrame:
    """Sessions with a score, in order."""
    rows = draft.sessions[draft.sessions[y.name].notna()]
    return rows.sort_values(["client", "session"], kind="stable")


def dose_of(draft: Draft, y: Measure, points: float, *, inclusive: bool) -> Dose:
    """First reliable improvements, and lengths of treatment, from the sessions that the draft has."""
    better = direction_of(y)
    rows = scored_sessions(draft, y)
    first = rows.groupby("client")[y.name].transform("first")
    gain = better * (rows[y.name] - first)
    hit = gain >= points if inclusive else gain > points
    rows = rows.assign(hit=hit, next_hit=hit.groupby(rows["client"]).shift(-1, fill_value=False))
    ending = _endings(draft)
    out: list[dict[str, Any]] = []
    limit = y.instrument.total_min if better < 0 else y.instrument.total_max
    for client, own in rows.groupby("client", sort=True):
        if len(own) < 2 or not _can_improve(
            float(own[y.name].iloc[0]), limit, better, points, inclusive=inclusive
        ):
            continue
        out.append(_one(str(client), own, ending.get(client, "ended")))
    clients = pd.DataFrame(out)
    return Dose(clients, *_lengths(draft, rows, y, ending), points)


def _endings(draft: Draft) -> dict[str, str]:
    """``ended`` or ``open`` for clients of whom the study knows it; without a record every treatment counts as ended."""
    clients = draft.study.clients
    if "ending" not in clients or not clients["ending"].notna().any():
        return {}
    return {
        str(client): "ended" if isinstance(how, str) else "open"
        for client, how in zip(clients["client"], clients["ending"], strict=True)
    }


def _can_improve(first: float, limit: float | None, better: int, points: float, *, inclusive: bool) -> bool:
    """Whether the best possible score would be a reliable improvement."""
    if limit is None:
        return True
    room = better * (limit - first)
    return room >= points if inclusive else room > points


def _one(client: str, own: pd.DataFrame, ended: str) -> dict[str, Any]:
    sessions = own["session"].to_numpy(float)
    hits = own["hit"].to_numpy(bool)
    where = int(np.argmax(hits)) if hits.any() else -1
    held = own["hit"].to_numpy(bool) & own["next_hit"].to_numpy(bool)
    return {
        "client": client,
        "therapist": own["therapist"].iloc[0],
        "time": sessions[where],
        "end": "improved" if where >= 0 else "left" if ended == "ended" else None,
        "low": sessions[where - 1] if where > 0 else sessions[-1],
        "high": sessions[where] if where >= 0 else np.nan,
        "held": sessions[int(np.argmax(held))] if held.any() else np.nan,
        "last": sessions[-1],
    }


def _lengths(
    draft: Draft, rows: pd.DataFrame, y: Measure, ending: dict[str, str]
) -> tuple[pd.DataFrame, float]:
    """Scores with the length of the client's treatment, of treatments that have ended."""
    last = draft.sessions.groupby("client")["session"].max()
    size = rows.groupby("client")["session"].transform("size")
    ended = rows["client"].astype(str).map(lambda c: ending.get(c, "ended")).eq("ended")
    kept = rows[(size >= MIN_SCORES) & ended]
    length = kept["client"].map(last).astype(float)
    mean = float(length.groupby(kept["client"]).first().mean()) if len(kept) else float("nan")
    scores = kept[["client", "therapist", "session"]].assign(
        y=kept[y.name], time=kept["session"].astype(float), length=length - mean
    )
    return scores.reset_index(drop=True), mean


def early_of(draft: Draft, alliance: Measure, scores: pd.DataFrame, window: tuple[int, int]) -> pd.DataFrame:
    """One row per client of ``scores``: early mean alliance, length, first score; clients who stayed beyond the window."""
    early = draft.sessions[draft.sessions["session"].between(*window)]
    means = early.groupby("client")[alliance.name].mean()
    by_client = scores.groupby("client")
    out = pd.DataFrame(
        {
            "therapist": by_client["therapist"].first(),
            "length": by_client["length"].first(),
            "intake": by_client["y"].first(),
            "last": by_client["session"].max(),
        }
    )
    out["early"] = means.reindex(out.index)
    out = out[out["last"] > window[1]].dropna(subset=["early"])
    return out.rename_axis("client").reset_index()
