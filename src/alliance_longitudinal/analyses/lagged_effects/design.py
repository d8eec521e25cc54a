"""Which sessions of which clients: an unbroken run of sessions that most clients have, without long gaps."""

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Draft, Number, time_unit
from alliance_longitudinal.analyses.lagged_effects.processes import Names
from alliance_longitudinal.errors import StudyError

MIN_CLIENTS = 50
#: Share of clients with all measures at a session that makes it usable.
PRESENT = 0.6
#: Sessions that the model needs; one more with lines of clients.
FEWEST = 3
#: Coefficient of variation of the days between sessions from which equal steps are in doubt.
UNEVEN = 0.5
#: Fewest therapists for standard errors by therapist.
MIN_CLUSTERS = 20


def as_span(value: object) -> object:
    """``"2-7"``, ``"2,7"`` or a pair as a pair of sessions."""
    if value is None:
        return None
    parts: object = value.strip("()[] ").replace("-", ",").split(",") if isinstance(value, str) else value
    try:
        first, last = (int(str(part).strip()) for part in parts)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        message = "give the first and the last session, such as 2-7"
        raise ValueError(message) from None
    if first < 0 or last <= first:
        message = "the last session has to come after the first, as in 2-7"
        raise ValueError(message)
    return first, last


def as_names(value: object) -> object:
    """A list of names, also as a text with commas."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def choose(draft: Draft, names: list[str], asked: tuple[int, int] | None, fewest: int) -> tuple[int, int]:
    """The sessions to analyse: those asked for, or the longest run that 60 % of the clients have.

    Raises
    ------
    StudyError
        If fewer sessions are asked for than the model needs.
    """
    if asked is not None:
        if asked[1] - asked[0] + 1 < fewest:
            raise StudyError(
                f"Parameter 'sessions': {asked[0]} to {asked[1]} are {asked[1] - asked[0] + 1} sessions, and the model needs "
                f"at least {fewest}."
            )
        return asked
    complete = draft.sessions[draft.sessions[names].notna().all(axis=1)]
    share = complete.groupby("session")["client"].nunique() / draft.sessions["client"].nunique()
    usable = sorted(int(s) for s, value in share.items() if value >= PRESENT)
    runs: list[list[int]] = []
    for session in usable:
        if runs and session == runs[-1][-1] + 1:
            runs[-1].append(session)
        else:
            runs.append([session])
    best = max(runs, key=len, default=[])
    if len(best) < fewest:
        raise draft.too_little(
            "The model needs at least {fewest:noun} in a row at which {share} of the clients have all scores; these data have "
            "{n}. Choose the sessions yourself, or analyse a study with more complete sessions.",
            fewest=Number(fewest, "integer", "session"),
            share=Number(PRESENT, "percent"),
            n=Number(len(best), "integer"),
        )
    return best[0], best[-1]


def keep(draft: Draft, names: list[str], span: tuple[int, int], max_gap_days: float | None) -> None:
    """Keep the rows of the analysis; the sample flow counts the rest.

    Raises
    ------
    StudyError
        If gaps are asked for in a study without dates or weeks.
    """
    if max_gap_days is not None and time_unit(draft.study) == "session":
        raise StudyError(
            "Parameter 'max_gap_days': the study has no dates or weeks, so the days between sessions are not known. Leave it out."
        )
    inside = draft.sessions["session"].between(*span)
    draft.keep(inside, f"Sessions {span[0]} to {span[1]}", "another session")
    if max_gap_days is not None:  # before sessions without a score go, which would hide the gap before them
        long = (gaps(draft.sessions) > max_gap_days).loc[_ordered(draft.sessions).index]
        after = long.groupby(draft.sessions["client"]).cummax().reindex(draft.sessions.index)
        draft.keep(~after, "Sessions before a long gap", f"after a gap of more than {max_gap_days:g} days")
    rated = draft.sessions[names].notna().any(axis=1)
    draft.keep(rated, "Sessions with a score", "no score at the session")


def enough(draft: Draft, names: Names) -> None:
    """Without enough clients with two complete sessions, or where a score never changes within a client, there is no answer."""
    rows = draft.sessions
    labels = {names.a: names.a_label, names.y: names.y_label} | ({names.z: names.z_label} if names.z else {})
    several = rows[list(labels)].notna().all(axis=1).groupby(rows["client"]).sum()
    draft.needs(
        int((several >= 2).sum()), MIN_CLIENTS, "the analysis of effects from one session to the next"
    )
    for column, label in labels.items():
        if not rows.groupby("client")[column].nunique().gt(1).any():
            raise draft.too_little(
                "The scores of {label} do not change within any client, so nothing can come before or after a change.",
                label=label,
            )


def _ordered(sessions: pd.DataFrame) -> pd.DataFrame:
    return sessions.sort_values(["client", "session"], kind="stable")


def gaps(sessions: pd.DataFrame) -> "pd.Series[float]":
    """Days of each step since the client's row before, in row order; missing at the first.

    Where session numbers are left out, the days are shared between the steps that the model takes.
    """
    by = _ordered(sessions).groupby("client")
    return (7 * by["week"].diff() / by["session"].diff()).reindex(sessions.index)


def check_gaps(draft: Draft) -> None:
    """A caution where the days between sessions vary much; nothing is known of them where time is counted in sessions."""
    if time_unit(draft.study) == "session":
        return
    days = gaps(draft.sessions).dropna()
    if len(days) < 2 or float(days.mean()) <= 0:
        return
    spread = float(days.std() / days.mean())
    draft.fact("Days between sessions", Number(float(np.median(days)), "number", "day"))
    if spread > UNEVEN:
        draft.find(
            "uneven_gaps",
            "caution",
            "The days between sessions vary much (coefficient of variation {cv}), but the model takes each step from one session to "
            "the next as equal. Set max_gap_days, or read the effects as averages over short and long steps.",
            cv=Number(spread, "number"),
        )
