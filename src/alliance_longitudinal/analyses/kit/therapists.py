"""Which clients of a sample have a therapist, and what becomes of the others."""

from typing import TYPE_CHECKING

import pandas as pd

from alliance_longitudinal.analyses.kit.nesting import ALONE
from alliance_longitudinal.analyses.kit.references import short
from alliance_longitudinal.counts import Count, Private
from alliance_longitudinal.sentences import say

if TYPE_CHECKING:
    from alliance_longitudinal.analyses.kit.groups import Groups
    from alliance_longitudinal.analyses.kit.sample import Sample

#: How clients without a therapist stay: each alone, or (True) as a group that models compare with itself.
_KEPT = {
    False: "for the intervals each of them counts alone.",
    True: "they have no part in differences between therapists.",
}


def with_therapists(
    draft: "Sample", *, needed: bool, alone: bool, partial: bool, as_one: bool, compared: bool, why: str
) -> None:
    """Keep the clients of a sample whose therapist is known, or say how the others stay; see `Sample.with_therapists`."""
    if "therapist" not in draft.sessions or draft.sessions["therapist"].isna().all():
        if needed:
            raise draft.too_little(
                "The study names no therapists, so neither clients of the same therapist nor "
                "therapists can be compared. Name the column 'therapist' in the study file.",
                "no_therapists",
            )
        draft.sessions = draft.sessions.assign(therapist=ALONE if as_one else draft.sessions["client"])
        draft.therapists_known = False
        if as_one:
            draft.find(
                "no_therapists",
                "info",
                "No therapist is named for these clients, so the report says nothing of differences between therapists. Each client "
                "is compared with all others.",
                "therapists",
            )
    elif draft.sessions["therapist"].isna().any():
        known = draft.sessions["therapist"].notna()
        n = Count(draft.sessions.loc[~known, "client"].nunique(), "client")
        if alone or partial:
            draft.find(
                "some_without_therapist",
                "info",
                "{n:noun} {n:has|have} no therapist. {n:This client stays|They stay} in the analysis; "
                + _KEPT[partial],
                "therapists",
                short("bauer2008") if partial else "",
                n=n,
            )
            return
        others = draft.sessions[~known]
        apart = _nobody_has_one(draft) if compared else []
        draft.closing.append(
            say(
                "{n} of {all:noun} {n:has|have} no therapist and {n:is|are} not in {what}{why}.",
                n=n,
                all=Count(draft.sessions["client"].nunique(), "client"),
                what="the main results" if apart else "this analysis",
                why=f": {why}" if why else "",
            )
        )
        draft.keep(known, "Clients with a therapist", "no therapist recorded for the client")
        if apart and draft.groups is not None:
            draft.apart = others[draft.groups.column(others).isin(apart)]


def _nobody_has_one(draft: "Sample") -> list[str]:
    """The groups to compare in which no client has a therapist."""
    if draft.groups is None:
        return []
    every = draft.groups.split(draft.sessions)
    return [name for name, rows in every if len(rows) and rows["therapist"].isna().all()]


def rows_of_groups(draft: "Sample", groups: "Groups") -> list[tuple[str, pd.DataFrame]]:
    """The rows of each group as `Sample.with_therapists` (``as_one=True, compared=True``) left them.

    Where no client of a group has a therapist, each of them is compared with all others of the group, as within one therapist.
    """
    found = groups.split(draft.sessions)
    if draft.apart is None:
        return found
    alone = dict(groups.split(draft.apart.assign(therapist=ALONE)))
    return [(name, rows if len(rows) else alone[name]) for name, rows in found]


def say_not_compared(draft: "Sample", groups: "Groups", group: str, clients: int, why: str) -> None:
    """A finding on a group of enough clients that cannot be compared; ``why`` goes on after its name, such as "has one therapist"."""
    draft.find(
        "group_not_compared",
        "caution",
        "{name} {group} {why}, so the report does not compare it.",
        groups.name,
        name=groups.name,
        group=Private(group, "(one group)", clients),
        why=why,
    )


def say_group_apart(draft: "Sample", groups: "Groups", group: str, clients: int, template: str) -> None:
    """A finding on a group in which no client has a therapist; ``template`` has ``{name}``, ``{group}`` and ``{n}``, its clients."""
    draft.find(
        "group_without_therapists",
        "info",
        template,
        groups.name,
        short("bauer2008"),
        name=groups.name,
        group=Private(group, "(one group)", clients),
        n=Count(clients, "client"),
    )
