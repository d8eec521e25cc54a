"""Which clients of a sample have a therapist, and what becomes of the others."""

from typing import TYPE_CHECKING

from alliance_longitudinal.analyses.kit.nesting import ALONE
from alliance_longitudinal.analyses.kit.references import short
from alliance_longitudinal.counts import Count
from alliance_longitudinal.sentences import say

if TYPE_CHECKING:
    from alliance_longitudinal.analyses.kit.sample import Sample

#: How clients without a therapist stay: each alone, or (True) as a group that models compare with itself.
_KEPT = {
    False: "for the intervals each of them counts alone.",
    True: "they have no part in differences between therapists.",
}


def with_therapists(
    draft: "Sample", *, needed: bool, alone: bool, partial: bool, as_one: bool, why: str
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
                "No therapist is named for these clients, so the report says nothing of differences between therapists. What it calls "
                "within therapists is among all clients.",
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
        draft.closing.append(
            say(
                "{n} of {all:noun} {n:has|have} no therapist and {n:is|are} not in this analysis{why}.",
                n=n,
                all=Count(draft.sessions["client"].nunique(), "client"),
                why=f": {why}" if why else "",
            )
        )
        draft.keep(known, "Clients with a therapist", "no therapist recorded for the client")
