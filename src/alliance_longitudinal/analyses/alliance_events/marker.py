"""Ruptures that an observer or the client recorded, beside those that rules find in the ratings."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.alliance_events.compute import Found
from alliance_longitudinal.analyses.kit import LEVEL, Count, Covariate, Draft, Estimate, Hits
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.present import Column, Table

#: Fewest marked ratings for a comparison of ratings.
FEWEST = 10
#: Shares that differ by less do not differ.
FLAT = 1e-9


@dataclass(frozen=True, slots=True)
class Marked:
    """Ratings whose session has a record.

    Attributes
    ----------
    name : str
        Of the marker.
    rows : DataFrame
        ``client, therapist, session, score, marked`` and ``starts``: marked, and the session before is not.
    repaired : Series of bool
        Of the rows that start a rupture, with their index: whether one of the next ratings without a mark comes back to the client's mean
        of the unmarked ratings.
    """

    name: str
    rows: pd.DataFrame
    repaired: "pd.Series[bool]"


def marker_of(study_covariates: dict[str, Covariate], name: str) -> Covariate:
    """The covariate of sessions called ``name``.

    Raises
    ------
    StudyError
        If there is none, or it is one of clients or therapists, or a category of more than two kinds.
    """
    found = study_covariates.get(name)
    sessions = [c.name for c in study_covariates.values() if c.level == "session"]
    has = (
        f"It has: {', '.join(sessions)}."
        if sessions
        else "It has none. Name the column under 'covariates: session:' in the study file."
    )
    if found is None or found.level != "session":
        raise StudyError(f"Parameter 'marker': the study has no covariate of sessions {name!r}. {has}")
    if len(found.categories) > 2:
        raise StudyError(
            f"Parameter 'marker': {name} has {len(found.categories)} categories. A marker has two: without and with a rupture. Name the first with "
            "'reference' in the study file."
        )
    return found


def marked_ratings(draft: Draft, found: Found, marker: Covariate, within: int, to_sd: float) -> Marked | None:
    """The ratings with a record of the marker; None without a marked one, which the report says."""
    values = marker.values(draft.study)
    index = pd.MultiIndex.from_frame(found.ratings[["client", "session"]])
    own = values[~values.index.duplicated()].reindex(index)
    known = own.notna().to_numpy()
    if marker.categories:
        on = (
            own.eq(marker.categories[-1]).to_numpy()
            if len(marker.categories) == 2
            else np.zeros(len(own), dtype=bool)
        )
    else:
        on = own.astype(float).gt(0).to_numpy()
    rows = found.ratings[known].assign(marked=on[known]).sort_values(["client", "session"], kind="stable")
    rows = rows.reset_index(drop=True)
    if not rows["marked"].any():
        draft.find(
            "no_marks",
            "caution",
            "No rated session has a mark of {name}, so this rule finds nothing.",
            "marker",
            name=marker.name,
        )
        return None
    same = rows["client"].eq(rows["client"].shift()) & rows["session"].eq(rows["session"].shift() + 1)
    starts = rows["marked"] & ~(same & rows["marked"].shift(fill_value=False).astype(bool))
    rows = rows.assign(starts=starts)
    return Marked(marker.name, rows, _repaired(rows, within, to_sd * found.main.sd))


def _repaired(rows: pd.DataFrame, within: int, near: float) -> "pd.Series[bool]":
    """Whether one of the next ratings is unmarked and comes back to the client's mean of unmarked ratings."""
    centre = rows["score"].where(~rows["marked"]).groupby(rows["client"]).transform("mean")
    back = ~rows["marked"] & (rows["score"] >= centre - near)
    out = pd.Series(False, index=rows.index)
    for step in range(1, within + 1):
        later = back.groupby(rows["client"]).shift(-step, fill_value=False).astype(bool)
        out |= later
    return out[rows["starts"]]


def marker_hits(found: Found, marked: Marked) -> list[Hits]:
    """Ratings with a mark, ruptures that were repaired, and those that the main rule finds in the same session."""
    rows = marked.rows
    cluster = found.together_with(rows["client"])
    client = rows["client"].to_numpy(object)
    starts = rows["starts"].to_numpy(bool)
    marks = found.main.marks().rename(columns={"person": "client"})
    both = rows.merge(marks, on=["client", "session"], how="left")["event"]
    judged = both.notna().to_numpy()
    event = both.fillna(False).to_numpy(bool)
    every = Hits(
        "rate_marker",
        f"Ratings in sessions with a mark of {marked.name}",
        rows["marked"].to_numpy(bool),
        client,
        cluster,
        "session",
        "share of ratings",
    )
    begun = Hits("", "", np.ones(len(rows), dtype=bool), client, cluster, "session", "share of ruptures").of(
        starts
    )
    out = [
        every,
        Hits(
            "repaired_marker",
            f"Ruptures recorded as {marked.name} that were repaired",
            marked.repaired.to_numpy(bool),
            begun.client,
            begun.cluster,
            "session",
            "share of ruptures",
        ),
    ]
    if (starts & judged).any():
        out.append(
            Hits(
                "marker_found",
                f"Ruptures recorded as {marked.name} that the main rule finds in the same session",
                event,
                client,
                cluster,
                "session",
                "share of ruptures",
            ).of(starts & judged)
        )
    return out


def kappas(found: Found, marked: Marked) -> list[Estimate]:
    """Agreement of each rule with the beginnings of marked ruptures, over the ratings that both judge."""
    from alliance_longitudinal.methods.events.agreement import kappa

    out = []
    rows = marked.rows[["client", "session", "starts"]]
    for rule, events in zip(found.rules, found.events, strict=True):
        both = rows.merge(events.marks().rename(columns={"person": "client"}), on=["client", "session"])
        value = kappa(both["starts"].to_numpy(bool), both["event"].to_numpy(bool)) if len(both) else np.nan
        if np.isfinite(value):
            label = f"Agreement: {rule.words}; mark of {marked.name}"
            out.append(
                Estimate(f"kappa_{rule.id}_marker", label, value, n=len(both), level="session", unit="kappa")
            )
    return out


def alliance_at_marks(draft: Draft, marked: Marked, label: str) -> Estimate | None:
    """How far the client's rating is from the client's other ratings in a marked session; None with few marks."""
    rows = marked.rows
    if min(int(rows["marked"].sum()), int((~rows["marked"]).sum())) < FEWEST:
        return None
    share = rows["marked"].astype(float).groupby(rows["client"]).transform("mean")
    data = rows.assign(
        y=rows["score"], within=rows["marked"].astype(float) - share, often=share - share.mean()
    )
    if not data["within"].std() > FLAT:
        return None
    model = draft.fit(
        "marker",
        f"{label} and {marked.name}",
        "y ~ within" + (" + often" if data["often"].std() > FLAT else ""),
        data,
        LEVEL,
    )
    return draft.coefficient(
        "marker_alliance",
        f"{label} in sessions with a mark of {marked.name}, compared with the client's other sessions",
        model,
        "within",
        level="session",
        unit=f"{label} points",
        robust=True,
    )


def show_marker(draft: Draft, found: Found, marked: Marked, label: str) -> None:
    """Estimates, table and sentences of the marker."""
    rows = marked.rows
    hits = [h.estimate() for h in marker_hits(found, marked)]
    agreement = kappas(found, marked)
    count = Estimate(
        "n_marker",
        f"Found: mark of {marked.name}",
        float(rows["starts"].sum()),
        n=len(rows),
        level="session",
        unit="sessions",
    )
    draft.estimate(count, *hits, *agreement)
    shift = alliance_at_marks(draft, marked, label)
    draft.say(
        "The record '{name}' marks the beginning of {n:noun} in sessions with {all:noun}.",
        name=marked.name,
        n=Count(int(rows["starts"].sum()), "rupture"),
        all=Count(len(rows), "rating"),
    )
    if shift is not None:
        clear = shift.ci_low > 0 or shift.ci_high < 0
        draft.say(
            "In sessions with a mark, clients rated the alliance {what} than in their other sessions ({d} {label} points, 95 % interval {d:interval})."
            if clear
            else "In sessions with a mark, clients did not rate the alliance clearly differently from their other sessions ({d} {label} points, 95 % "
            "interval {d:interval}).",
            label=label,
            what="lower" if shift.estimate < 0 else "higher",
            d=shift.number(),
        )
    table = [
        {"label": e.label, "estimate": e.estimate, "ci_low": e.ci_low, "ci_high": e.ci_high, "n": e.n}
        for e in hits
    ]
    draft.show(
        Table.from_rows(
            "marker",
            f"Ruptures recorded as {marked.name}",
            "results",
            table,
            [
                Column("label", "What"),
                Column("estimate", "Estimate", "percent", of="n"),
                Column("ci_low", "95 % low", "percent", of="n"),
                Column("ci_high", "95 % high", "percent", of="n"),
                Column("n", "Of", "count"),
            ],
            "A rupture begins with the first mark of a run of marked sessions. It was repaired if one of the next ratings without a mark comes back to the "
            "client's mean of unmarked ratings. What fluctuation alone would produce is not known for a mark.",
        )
    )
