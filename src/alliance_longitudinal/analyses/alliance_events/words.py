"""The sentences of the report on ruptures."""

from alliance_longitudinal.analyses.alliance_events.compute import Asked, Found
from alliance_longitudinal.analyses.kit import Count, Draft, Estimate, Number, Share, listed
from alliance_longitudinal.data.study import Measure

#: Below this kappa two rules hardly find the same sessions.
AGREE = 0.4
#: Fewest ruptures for a share of repaired ones that says something.
FEW = 20


def answer(draft: Draft, found: Found, label: str, outcome: Measure) -> None:
    """The question answered in a few sentences."""
    main, clients = found.main, draft["clients"]
    assert clients is not None
    low, high = main.expected_limits
    draft.say(
        "{s} (95 % interval {s:interval}) of {n:noun} had a rupture in {label}: a {rule}.",
        s=clients.share(),
        n=Count(clients.n, "client"),
        label=label,
        rule=found.rules[0].words,
    )
    if found.rules[0].id == "drop_1sd":
        draft.say(
            "One standard deviation (SD) within clients is {sd} {label} points.",
            sd=Number(main.sd, n=found.clients),
            label=label,
        )
    draft.say(
        "There were {n:noun}. Random fluctuation alone would produce {e} ({e:interval} in 95 % of simulated data), so there were "
        "{more}.",
        n=Count(len(main.events), "rupture"),
        e=Number(main.expected, "integer", low=low, high=high, n=main.transitions),
        more="more than expected"
        if len(main.events) > high
        else "fewer than expected"
        if len(main.events) < low
        else "no more than expected",
    )
    more = _rules_with_more(found)
    if len(main.events) <= high and more:
        draft.say("Other rules found more ruptures than expected: {rules}.", rules=listed(more))
    if len(main.events):
        draft.say(
            "{r} of the ruptures were repaired. Random fluctuation alone would produce {e}.",
            r=Share(int(main.events["repaired"].sum()), len(main.events)),
            e=Number(main.expected_repaired, "percent", n=len(main.events)),
        )
    effect = draft["outcome_events"]
    if effect is not None:
        draft.say(
            "Clients with one more rupture in ten ratings than the therapist's other clients {what} (difference in change {e} {outcome} "
            "points, 95 % interval {e:interval}).",
            what=_direction(effect, outcome),
            e=effect.number(),
            outcome=outcome.instrument.label,
        )


def _rules_with_more(found: Found) -> list[str]:
    """The rules that find more ruptures than fluctuation alone would produce, in words."""
    return [
        rule.words
        for rule, events in zip(found.rules, found.events, strict=True)
        if len(events.events) > events.expected_limits[1]
    ]


def _direction(effect: Estimate, outcome: Measure) -> str:
    if effect.ci_low <= 0 <= effect.ci_high:
        return "did not clearly differ in their change"
    better = (effect.estimate > 0) == (outcome.instrument.direction == "higher_better")
    return "improved more" if better else "improved less"


def event_findings(draft: Draft, found: Found, label: str) -> None:
    """What a reader of the numbers has to know."""
    main = found.main
    if len(main.events) <= main.expected_limits[1]:
        draft.find(
            "events_within_noise",
            "caution",
            "There are no more ruptures in {label} than random fluctuation alone would produce. What came before or after them may not be "
            "their cause or their effect.",
            label,
            label=label,
        )
    if _rules_with_more(found) and len(main.events) <= main.expected_limits[1]:
        draft.find(
            "other_rules_find_more",
            "caution",
            "Other rules find more ruptures than random fluctuation alone would produce: {rules}. Deep, rare ruptures widen the spread by "
            "which falls between two sessions are judged.",
            label,
            rules=listed(_rules_with_more(found)),
        )
    if 0 < len(main.events) < FEW:
        draft.find(
            "few_events",
            "caution",
            "Only {n:noun} {n:was|were} found, so the share of repaired ones is imprecise.",
            label,
            n=Count(len(main.events), "rupture"),
        )
    repaired = draft["outcome_repaired"]
    if repaired is not None and not repaired.ci_low <= 0 <= repaired.ci_high:
        draft.find(
            "repair_follows_improvement",
            "caution",
            "Change differs between clients with and without repairs. This is not evidence that repair helps: the alliance also follows "
            "improvement, so ratings come back where symptoms fall.",
            label,
        )
    early, late = draft["rate_first"], draft["rate_last"]
    if (
        early is not None
        and late is not None
        and (early.ci_high < late.ci_low or late.ci_high < early.ci_low)
    ):
        draft.find(
            "ruptures_by_phase",
            "info",
            "Ruptures are {more} in the last third of treatment ({late}) than in the first ({early}).",
            label,
            more="more frequent" if late.estimate > early.estimate else "less frequent",
            late=late.share(),
            early=early.share(),
        )
    kappas = [e for e in draft.estimates if e.unit == "kappa"]
    low = [e for e in kappas if e.estimate < AGREE]
    if low:
        draft.find(
            "rules_disagree",
            "caution",
            "Rules hardly agree on which sessions are ruptures (lowest kappa {lowest}). Choose the rule before you see the results.",
            label,
            lowest=Number(min(e.estimate for e in low)),
        )


def describe(
    found: Found, asked: Asked, related: bool, who: bool = False, marker: str = "", checked: bool = False
) -> str:
    """The methods paragraph."""
    within, outcome = asked.repair_within, asked.outcome
    text = (
        f"Ruptures were found in {asked.alliance.label} of clients with {asked.min_ratings} or more ratings. The main rule was a {found.rules[0].words}; "
        f"the other rules were: {'; '.join(r.words for r in found.rules[1:])}. SD is the pooled standard deviation within clients (for the line, "
        "each client's residual standard deviation). Control charts have limits of three sigma from the moving ranges. Falls were "
        f"looked for between sessions with consecutive numbers. A rupture was called repaired if one of the next {within} ratings came "
        f"within {asked.repair_to_sd:g} SD of the rating before it (or of the client's centre or line). The expected numbers are from {asked.simulations} data sets "
        f"(seed {asked.seed}). In them each client's ratings are a stationary normal series around the client's mean, within the range of the "
        "instrument. The correlation of neighbouring sessions is the same for all clients; spreads differ between clients as in the data. "
        "The main number is a share of clients, which has no residuals to look at"
        + ("; internal reports check the models of change instead. " if checked else ". ")
    )
    if related:
        text += (
            f"A mixed model related the change in {outcome.label} from the first to the last score to the number of ruptures in ten "
            "ratings, within and between therapists. Among clients with ruptures, a second model related it to the share of ruptures that "
            "were repaired. Both adjust for the first score and for the mean and the trend of the client's alliance. They have a random "
            "intercept for therapists if there are enough therapists."
        )
    if who:
        text += (
            " A logistic mixed model related whether a rupture was repaired to the rating before it (in SD above the client's mean), to the third "
            "of treatment and to the covariates that were asked for."
        )
    if marker:
        text += (
            f" Ruptures recorded by {marker} begin with the first of a run of marked sessions. A mixed model compared the client's ratings in marked "
            "sessions with the client's other ratings."
        )
    return text.strip()
