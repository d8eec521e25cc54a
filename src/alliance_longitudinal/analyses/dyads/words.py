"""The words of the report on couples, families and carers."""

from typing import TYPE_CHECKING

from alliance_longitudinal.analyses.dyads.compute import MIN_CLUSTERS
from alliance_longitudinal.analyses.dyads.design import Asked, Cases
from alliance_longitudinal.analyses.kit import Count, Draft, Estimate, Number, Sentence, Share, say, slug

if TYPE_CHECKING:
    from alliance_longitudinal.methods.dyads.actor_partner import ActorPartner

LIMITS = (
    "The effects are associations. Something that was not measured may have changed alliance and outcome of both members.",
    "Members of one case influence one another. The model allows for what their outcomes share, but it does not say who influences whom.",
    "Each member rates the own alliance and the own outcome, so an actor effect also contains how this person answers questions. A partner effect "
    "has two raters.",
    "Only cases that were in treatment at the end of the early window are analysed.",
)
#: Fewer cases than this give uncertain effects.
FEW_CASES = 50


def clear(e: Estimate) -> bool:
    """Whether the interval leaves zero out."""
    return e.ci_low > 0 or e.ci_high < 0


def answer(draft: Draft, cases: Cases, asked: Asked) -> None:
    """Actor and partner effects, the roles, the split, and dropout."""
    y = asked.outcome.instrument.label
    for member, role in enumerate(cases.roles or ("",)):
        end = f"_{slug(role)}" if role else ""
        own, other = draft[f"actor{end}"], draft[f"partner{end}"]
        if own is None or other is None:
            continue
        a, score = asked.labels(member)
        beside = asked.labels(1 - member)[0]
        draft.say(
            "{start} one more point of the member's own early {a}, the last {score} was {own_how} ({own} points, 95 % interval {own:interval}); with one more "
            "point of the other member's early {beside}, it was {other_how} ({other} points, {other:interval}).",
            start=f"Outcome of {role}: with" if role else "With",
            a=a,
            score=score,
            own_how=_how(own),
            beside=beside,
            other_how=_how(other),
            own=own.number(),
            other=other.number(),
        )
    test = draft["distinguishable"]
    if test is not None:
        draft.say(
            "The roles {differ} (likelihood-ratio test of equal means, effects and variances, p {p}).",
            differ="differ" if test.p < 0.05 else "do not clearly differ",
            p=Number(test.p, "p"),
        )
    split = draft["split"]
    if split is not None:
        draft.say(
            "At the same mean alliance, with members one point further apart (a split alliance), the last {outcome} was {how} ({size} points, 95 % "
            "interval {size:interval}).",
            outcome=y,
            how=_how(split),
            size=split.number(),
        )
    leaving = draft["or_retention_split"]
    if leaving is not None:
        draft.say(
            "For members one point further apart, the odds that the case dropped out at the next session were {how} (odds ratio {size}, 95 % interval "
            "{size:interval}).",
            how=("higher" if leaving.estimate > 1 else "lower")
            if leaving.ci_low > 1 or leaving.ci_high < 1
            else "not clearly different",
            size=leaving.number(),
        )


def _how(e: Estimate) -> str:
    return ("higher" if e.estimate > 0 else "lower") if clear(e) else "not clearly different"


def findings(draft: Draft, cases: Cases, asked: Asked, found: "ActorPartner", group: str | None) -> None:
    """What a reader of these numbers has to know."""
    people = cases.people
    if cases.n < FEW_CASES:
        draft.find(
            "few_cases",
            "caution",
            "{n:noun} {n:is|are} few for actor and partner effects, so the estimates are uncertain.",
            "cases",
            n=Count(cases.n, "case"),
        )
    if asked.missing == "fiml":
        lacking = people[["x", "y"]].isna().any(axis=1).groupby(people["case"]).any() | people.groupby(
            "case"
        ).size().lt(2)
        draft.find(
            "members_missing",
            "info",
            "In {share} of the cases a member or a score is missing. Full information uses what is there and assumes that the rest is missing at "
            "random.",
            "cases",
            share=Share(int(lacking.sum()), cases.n),
        )
    if draft.therapists_known and group is None:
        draft.find(
            "no_therapist_level",
            "caution",
            "Too few therapists have two or more cases, so the actor and partner effects take cases of one therapist as independent.",
            "therapists",
        )
    if not (asked.same_alliance and asked.same_outcome):
        draft.find(
            "different_scales",
            "info",
            "The two members filled in different questionnaires, so the report compares neither their effects nor their alliances (no split).",
            "cases",
        )
    larger = int((people.groupby("case").size() > 2).sum())
    if larger:
        draft.find(
            "larger_cases",
            "info",
            "{n:noun} {n:has|have} more than two members. For them, the mean of the others counts as the other member's alliance, and the split is the "
            "distance between the highest and the lowest.",
            "cases",
            n=Count(larger, "case"),
        )
    draft.findings += [f for f in found.findings if f.code != "members_alone"]


def method_of(
    asked: Asked, cases: Cases, group: str | None, *, split: bool, retention: bool
) -> list[Sentence | str]:
    """Paragraphs of the methods section."""
    what = (
        f"The cases are clients with two raters, the {cases.roles[0]} and the {cases.roles[1]}."
        if asked.raters
        else "The cases are couples and families; their members are clients."
    )
    missing = {
        "error": "No member and no score was missing.",
        "drop": "Cases in which a member or a score is missing are left out.",
        "fiml": "Members with some score count (full-information maximum likelihood, which assumes that scores are missing at random).",
    }[asked.missing]
    errors = {
        (
            "fiml",
            True,
        ): f"Standard errors allow for cases of the same therapist (each therapist left out in turn, from {MIN_CLUSTERS} therapists on), with as many degrees of freedom as therapists less one.",
        (
            "fiml",
            False,
        ): "Standard errors are those of the observed information, enlarged for the number of coefficients.",
    }.get((asked.missing, group is not None))
    if errors is None:
        level = "; therapists are a level of the model" if group else ""
        errors = f"The model was fitted by restricted maximum likelihood with Satterthwaite's degrees of freedom{level}."
    by_role = (
        " Each role has its own means, effects and residual variance. A likelihood-ratio test, corrected for few cases, compares this model with one of equal roles."
        if cases.roles
        else " Members have equal means, effects and variances."
    )
    first = "the own first score and " if asked.first else ""
    out: list[Sentence | str] = [
        say(
            "{what} The mean {alliance} in {window} is related to the last {outcome} after it. {missing}",
            what=what,
            alliance=asked.alliance.instrument.label,
            window=str(asked.window),
            outcome=asked.outcome.instrument.label,
            missing=missing,
        ),
        f"An actor-partner model relates each member's outcome to {first}the own alliance (actor) and the other member's (partner). The residuals of the members "
        f"of a case are correlated.{by_role} {errors}",
    ]
    if split:
        out.append(
            "A mixed model with cases as a level relates the outcome to the mean alliance of the members and to their distance (split), together, because "
            "without the mean a split only shows that one alliance is low."
        )
    if retention:
        out.append(
            "A discrete-time hazard model relates the dropout of the case at each session after the window to the mean and the split of the early alliances, "
            "with a linear course of the log odds over sessions. Other endings are competing events."
        )
    return out
