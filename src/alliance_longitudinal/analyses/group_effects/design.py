"""Who shares what: groups (or therapists) of clients, arms, ratings of a member and of the rest, several therapists of a client."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Draft, slugs, time_unit
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import StudyError

MIN_CLIENTS = 20
#: Fewest groups with two or more members for anything that groups share.
MIN_GROUPS = 5
#: Fewer groups per arm than this are too few, and tests are those of Kenward and Roger.
FEW_PER_ARM = 8
#: Fewest clients of an arm that is compared.
MIN_ARM = 10
#: The study's unit of time: one of it in words, and in weeks.
_UNITS = {
    "days": ("day", 1 / 7),
    "weeks": ("week", 1.0),
    "months": ("month", 365.25 / 12 / 7),
    "sessions": ("session", 1.0),
}
Unit = Literal["group", "therapist"]
Shape = Literal["linear", "log"]


@dataclass(frozen=True, slots=True)
class Shared:
    """Clients and scores with what they share.

    Attributes
    ----------
    unit : {"group", "therapist"}
    clients : DataFrame
        ``client, unit`` (a label of their own for those who share nothing), ``shares`` (bool), ``intake, end_change, n_scores``,
        ``arm`` where there are arms.
    rows : DataFrame
        ``client, unit, y, time`` (since the client's first session), ``arm``.
    arms : tuple of str
        Arms with enough clients; the first is the reference.
    outcome : Measure
    per : str
        What one unit of ``time`` is, as in "per month".
    """

    unit: Unit
    clients: pd.DataFrame
    rows: pd.DataFrame
    arms: tuple[str, ...]
    outcome: Measure
    per: str

    @property
    def changed(self) -> pd.DataFrame:
        """Clients with two or more scores; a change from intake needs two."""
        return self.clients[self.clients["n_scores"] >= 2]

    @property
    def compared(self) -> pd.DataFrame:
        """Clients of a comparison of arms: of courses all, of changes those with two scores."""
        return self.clients if self.course else self.changed

    @property
    def sizes(self) -> "pd.Series[int]":
        """Members with two scores of each group with two or more of them."""
        sizes = self.changed[self.changed["shares"]].groupby("unit").size()
        return sizes[sizes >= 2]

    @property
    def codes(self) -> dict[str, str]:
        """Each arm as a part of ids and columns; CBT and CBT+ differ."""
        return slugs(self.arms)

    @property
    def course(self) -> bool:
        """Whether half of the clients have three or more scores."""
        return bool((self.clients["n_scores"] >= 3).mean() >= 0.5)

    def groups_of(self, arm: str) -> int:
        """Groups with two or more members in an arm."""
        clients = self.compared
        own = clients[clients["arm"].eq(arm) & clients["shares"]]
        return int((own.groupby("unit").size() >= 2).sum())


def shared_of(
    draft: Draft, outcome: Measure, asked: Unit | None, shape: Shape, until: float | None
) -> Shared:
    """Rows and clients; a client without a group or therapist is alone."""
    sessions = draft.sessions
    unit = _unit(draft, sessions, asked)
    scored = sessions[sessions[outcome.name].notna() & sessions["week"].notna()].sort_values(
        ["client", "session"]
    )
    first = scored["client"].map(sessions.groupby("client")["week"].min()).astype(float)
    per, weeks = _UNITS[draft.study.time_unit]
    per = "session" if time_unit(draft.study) == "session" else per
    rows = scored.assign(y=scored[outcome.name], elapsed=(scored["week"] - first) / weeks)
    if until is not None:
        rows = rows[rows["elapsed"] <= until]
    rows["time"] = np.log1p(rows["elapsed"]) if shape == "log" else rows["elapsed"]
    by = rows.groupby("client")
    clients = pd.DataFrame(
        {
            "intake": by["y"].first(),
            "end_change": by["y"].last() - by["y"].first(),
            "n_scores": by["y"].size(),
        }
    ).reset_index()
    of = sessions.dropna(subset=[unit]).groupby("client")[unit].first()
    label = clients["client"].map(of)
    clients["shares"] = label.notna()
    clients["unit"] = label.where(label.notna(), "alone " + clients["client"].astype(str)).astype(str)
    has_arms = "arm" in draft.study.clients
    if has_arms:
        clients["arm"] = clients["client"].map(draft.study.clients.set_index("client")["arm"]).astype(object)
    rows = rows[["client", "y", "time"]].merge(
        clients[["client", "unit", *(["arm"] if has_arms else [])]], on="client", validate="many_to_one"
    )
    found = Shared(
        unit, clients, rows.reset_index(drop=True), (), outcome, f"log {per}" if shape == "log" else per
    )
    if not has_arms:
        return found
    people = found.compared["arm"].value_counts()
    arms = [a for a in sorted(map(str, people.index)) if people[a] >= max(MIN_ARM, draft.study.small_cells)]
    if len(arms) < 2:
        return found
    # The arm whose clients share nothing comes first: it is what the others are compared with.
    return replace(found, arms=tuple(sorted(arms, key=lambda a: (found.groups_of(a) >= 2, a))))


def _unit(draft: Draft, sessions: pd.DataFrame, asked: Unit | None) -> Unit:
    """Groups where the study has them, otherwise therapists."""
    has = {u: u in sessions and bool(sessions[u].notna().any()) for u in ("group", "therapist")}
    if asked is not None and not has[asked]:
        raise StudyError(
            f"Parameter 'shared': the study names no {asked}s. Name the column {asked!r} in the study file."
        )
    if not any(has.values()):
        raise draft.too_little(
            "The study names no therapists and no groups, so clients share nothing that is known. Name the column 'group' or "
            "'therapist' in the study file.",
            "nothing_shared",
        )
    return asked or ("group" if has["group"] else "therapist")


def with_arms(shared: Shared, frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Rows of the arms that are compared, with a column of 0 and 1 for each arm, and their product with time."""
    out = frame[frame["arm"].isin(shared.arms)].copy()
    names = {}
    for arm in shared.arms:
        column = f"in_{shared.codes[arm]}"
        names[arm] = column
        out[column] = out["arm"].eq(arm).astype(float)
        if "time" in out:
            out[f"{column}_time"] = out[column] * out["time"]
    return out, names


# --- ratings of members -------------------------------------------------------------------------------------------------


def members_of(
    sessions: pd.DataFrame, shared: Shared, measure: Measure, window: tuple[int, int]
) -> pd.DataFrame:
    """Members of groups with two or more rated ones: own rating, mean of the rest, mean of the group.

    Returns
    -------
    DataFrame
        ``client, unit, own, others, deviation, group_mean, intake, end_change``; ratings are means of the early window.
    """
    inside = sessions[sessions["session"].between(*window)].dropna(subset=[measure.name])
    own = inside.groupby("client")[measure.name].mean()
    frame = shared.changed[shared.changed["shares"]].copy()
    frame["own"] = frame["client"].map(own)
    frame = frame.dropna(subset=["own"])
    by = frame.groupby("unit")["own"]
    frame["size"], total = by.transform("size"), by.transform("sum")
    frame = frame.assign(total=total)
    frame = frame[frame["size"] >= 2]
    frame["others"] = (frame["total"] - frame["own"]) / (frame["size"] - 1)  # never with the member's own
    frame["group_mean"] = frame["total"] / frame["size"]
    frame["deviation"] = frame["own"] - frame["group_mean"]
    for column in ("own", "others", "group_mean", "intake"):
        frame[column] = frame[column] - frame[column].mean()
    return frame.reset_index(drop=True)


# --- several therapists or groups -------------------------------------------------------------------------------------------------


#: Fewest clients with several therapists for a model of them.
MIN_SEVERAL = 10


def attendance(sessions: pd.DataFrame, clients: "pd.Series[str]", unit: Unit) -> pd.DataFrame:
    """Share of each client's sessions with each therapist (or in each group): ``client, unit, weight``."""
    held = "seen_by" if unit == "therapist" and "seen_by" in sessions else unit
    known = sessions[sessions["client"].isin(clients)].dropna(subset=[held])
    counts = known.groupby(["client", held]).size().rename("n").reset_index()
    counts["weight"] = counts["n"] / counts.groupby("client")["n"].transform("sum")
    counts = counts.rename(columns={held: "unit"})
    return counts[["client", "unit", "weight"]].astype({"client": str, "unit": str})
