"""The sentences of the report on what clients share."""

from alliance_longitudinal.analyses.group_effects.compute import Arms, Several
from alliance_longitudinal.analyses.group_effects.design import FEW_PER_ARM, Shape, Shared
from alliance_longitudinal.analyses.kit import Count, Draft, Number

LIMITS = (
    "Members of a group were not assigned to it at random. They may be alike before they meet.",
    "Ratings of the others and the member's outcome come from the same meetings. What happens in a meeting may move both.",
    "Without random assignment, arms differ in more than the treatment.",
)


def answer(draft: Draft, shared: Shared, arms: Arms | None, several: Several | None) -> None:
    """What clients share, and what follows for the comparison of arms."""
    icc, effect = draft["icc"], draft["design_effect"]
    word = "group" if shared.unit == "group" else "therapist"
    if icc is not None and effect is not None:
        draft.say(
            "Of the differences in change from intake, given intake, {share} lie between {unit}s (95 % interval {share:interval}). With {sizes} of "
            "this size, the variance of a mean is {times} times that of clients who share nothing.",
            share=Number(icc.estimate, "percent", low=icc.ci_low, high=icc.ci_high),
            unit=word,
            sizes="groups" if word == "group" else "caseloads",
            times=Number(effect.estimate),
        )
    if arms is not None:
        for arm in arms.terms:
            _arm(draft, shared, arms, arm)
    own, others = draft["cohesion_self"], draft["cohesion_others"]
    if own is not None and others is not None:
        draft.say(
            "A member's own rating one point higher was related to {own} points of change (95 % interval {own:interval}), and a mean of the "
            "rest of the group one point higher to {others} points ({others:interval}).",
            own=own.number(),
            others=others.number(),
        )
    if several is not None:
        draft.say(
            "{n:noun} had several {unit}s. With all of them counted by their share of sessions, {mm} of the variance lies between {unit}s; with "
            "only the main one, {first}.",
            n=Count(several.n_several, "client"),
            unit=word,
            mm=Number(several.share("weighted"), "percent"),
            first=Number(several.share("first"), "percent"),
        )


def _arm(draft: Draft, shared: Shared, arms: Arms, arm: str) -> None:
    tail = "" if len(arms.terms) == 1 else f"_{shared.codes[arm]}"
    main, plain = draft[f"arm{tail}"], draft[f"arm_ignoring_groups{tail}"]
    if main is None or plain is None:
        return
    better = (main.estimate > 0) == (shared.outcome.instrument.direction == "higher_better")
    clear = main.ci_low > 0 or main.ci_high < 0
    draft.say(
        "Compared with {reference}, {arm} {what}: {size} {unit} (95 % interval {size:interval}). If clients shared nothing, the standard error "
        "would be {without} in place of {se}.",
        reference=shared.arms[0],
        arm=arm,
        what=("improved more" if better else "improved less") if clear else "did not clearly differ",
        size=main.number(),
        unit=main.unit,
        without=Number(plain.se, n=plain.n),
        se=Number(main.se, n=main.n),
    )


def findings(draft: Draft, shared: Shared, arms: Arms | None) -> None:
    """Few groups, groups in several arms, what cannot be looked at."""
    n = len(shared.sizes)
    unit = "group" if shared.unit == "group" else "therapist"
    if n < 20:
        draft.find(
            "few_groups",
            "underpowered" if n < FEW_PER_ARM else "caution",
            "{n:noun} with two or more clients {n:is|are} few to estimate what their clients share. A variance of zero here does not mean that "
            "clients share nothing.",
            unit,
            n=Number(n, "integer", unit),
        )
    if arms is None:
        return
    few = [a for a in arms.shared if shared.groups_of(a) < FEW_PER_ARM]
    for arm in few:
        draft.find(
            "few_groups_in_arm",
            "underpowered",
            "{arm} has {n:noun} with two or more clients. These are too few to estimate how they differ, so the interval of the comparison is uncertain. The "
            "tests are those of Kenward and Roger.",
            arm,
            arm=arm,
            n=Number(shared.groups_of(arm), "integer", unit),
        )
    if not arms.shared:
        draft.find(
            "no_arm_shares",
            "info",
            "In no arm do clients share {unit}s, so nothing had to be allowed for.",
            "arms",
            unit=unit,
        )
    both = shared.clients[shared.clients["shares"]].groupby("unit")["arm"].nunique()
    crossed = int((both > 1).sum())
    if crossed:
        draft.find(
            "in_several_arms",
            "caution",
            "{n:noun} {n:has|have} clients in more than one arm. The model takes what they share in each arm as independent, although it may be the same.",
            "arms",
            n=Number(crossed, "integer", unit),
        )


def methods(
    draft: Draft, shared: Shared, arms: Arms | None, several: Several | None, rated: str, shape: Shape
) -> None:
    """The methods section."""
    unit = "therapy groups" if shared.unit == "group" else "therapists"
    y = shared.outcome.label
    draft.method(
        f"Likeness is the share of the variance of change in {y} (last score less first, given the first) that lies between {unit}; its interval is "
        "from the profile of the restricted likelihood. The design effect is one plus this share times the mean size less one, with sizes weighted by size."
    )
    draft.cite("kish1965")
    if arms is not None:
        over = (
            f"{shared.per}s since the first session"
            if shape == "linear"
            else f"the logarithm of {shared.per}s since the first score plus one"
        )
        what = (
            f"the course of {y} over {over}" if arms.course else f"the change in {y}, given the first score"
        )
        draft.method(
            f"Arms were compared in {what}. Only arms in which clients share {unit} have a variance between them (partial nesting); the "
            "variances of clients and of single scores are those of each arm. Two other models show what this matters: one as if clients shared nothing, one with the "
            f"same variances in all arms. Degrees of freedom are those of {'Kenward and Roger' if arms.kenward else 'Satterthwaite'}."
        )
        draft.cite("bauer2008", "baldwin2011")
    if rated:
        draft.method(
            f"Ratings of {rated} are members' means in the early window. The rest of the group is the mean of the other members, without the member. A second "
            "model has the member's deviation from the group and the group's mean; both models hold the first score constant, with an effect of each group."
        )
        draft.cite("kenny2012", "raudenbush2002")
    if several is not None:
        draft.method(
            f"Several {shared.unit}s of a client enter by multiple membership: each with its share of the client's sessions."
        )
        draft.cite("browne2001")
