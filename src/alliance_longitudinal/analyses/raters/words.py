"""The sentences of the report on raters."""

from collections.abc import Sequence

from alliance_longitudinal.analyses.kit import Draft, Estimate, Number
from alliance_longitudinal.analyses.raters.design import Pair, Rated
from alliance_longitudinal.analyses.raters.sources import Sources, Surface
from alliance_longitudinal.timing import TimeWindow

#: Mean difference of therapists and clients with severe disturbances: d of 22 comparisons (Igra et al. 2020).
LITERATURE = "−0.46"
#: Below this agreement raters hardly see the same.
LITTLE = 0.3

LIMITS = (
    "No rater knows the true alliance. The comparison says how two views differ, and not who is right.",
    "A cross-source correlation is lower than the true one, because raters do not see everything alike. It is free of what one rater adds "
    "to both ratings.",
    "Holding the score at the end of the early window constant also removes what a rater adds to that score and to the later one alike. "
    "The same-source correlation may therefore contain little of a lasting halo.",
    "The corrected correlation assumes that errors of raters are independent. Raters who know of the same events, or of each other's "
    "ratings, share errors.",
    "Where many ratings of one rater reach the end of the scale, tracking between clients is estimated a little too high.",
    "For effects from session to session with both raters see the analysis lagged_effects with the second rater's measure under 'other'.",
)


def answer(draft: Draft, pair: Pair, sources: Sources | None, surface: Surface | None) -> None:
    """The question answered in a few sentences."""
    _gap(draft, pair)
    _tracking(draft, pair)
    _sources(draft, sources, pair)
    if surface is not None:
        draft.say(
            "The data are compatible with the view that agreement itself matters for outcome."
            if surface.main.congruence
            else "The data do not show that agreement itself matters for outcome."
        )


def _gap(draft: Draft, pair: Pair) -> None:
    gap, d = draft["gap"], draft["gap_d"]
    if gap is None or d is None:
        return
    clear = gap.ci_low > 0 or gap.ci_high < 0
    template = (
        "The {second} rated the alliance {more} than the {first}, by {size} {unit} (95 % interval {size:interval}; d = {d})."
        if clear
        else "The {second} and the {first} did not clearly differ in level (difference {size} {unit}, 95 % interval {size:interval}; d = {d})."
    )
    draft.say(
        template,
        second=pair.second.rater,
        first=pair.first.rater,
        more="higher" if gap.estimate > 0 else "lower",
        size=Number(
            gap.estimate if not clear else abs(gap.estimate),
            low=gap.ci_low if not clear else min(abs(gap.ci_low), abs(gap.ci_high)),
            high=gap.ci_high if not clear else max(abs(gap.ci_low), abs(gap.ci_high)),
            n=gap.n,
        ),
        unit=pair.unit,
        d=d.number(),
    )
    if (pair.first.rater, pair.second.rater) == ("client", "therapist"):
        draft.say(
            "A meta-analysis found a mean d of {d} in clients with severe disturbances ({source}).",
            d=LITERATURE,
            source="Igra et al. 2020",
        )
        draft.cite("igra2020")


def _tracking(draft: Draft, pair: Pair) -> None:
    for identity, what in (
        ("tracking_within", "When the {first} rated a session one point higher than usual,"),
        ("tracking_between", "In cases in which the {first}'s ratings were one point higher on average,"),
    ):
        estimate = draft[identity]
        if estimate is None:
            continue
        clear = estimate.ci_low > 0 or estimate.ci_high < 0
        draft.say(
            what + " the {second}'s rating was {how} ({e} points, 95 % interval {e:interval}).",
            first=pair.first.rater,
            second=pair.second.rater,
            how=("higher" if estimate.estimate > 0 else "lower") if clear else "not clearly different",
            e=estimate.number(),
        )


def _sources(draft: Draft, sources: Sources | None, pair: Pair) -> None:
    same, cross, difference = draft["same_source"], draft["cross_source"], draft["source_difference"]
    if sources is None or same is None or cross is None or difference is None:
        return
    a, y = sources.found.pair
    draft.say(
        "With alliance and outcome both rated by the {own}, their correlation was {same} (95 % interval {same:interval}); with the alliance rated "
        "by the {a} and the outcome by the {y}, it was {cross} ({cross:interval}).",
        own=sources.own,
        same=same.number(),
        a=a,
        y=y,
        cross=cross.number(),
    )
    clear = difference.ci_low > 0 or difference.ci_high < 0
    draft.say(
        "The difference is {d} (95 % interval {d:interval}){verdict}.",
        d=difference.number(),
        verdict="" if clear else ", so the data do not clearly show that a shared rater changes the link",
    )
    _corrected(draft, sources, pair)


def _corrected(draft: Draft, sources: Sources, pair: Pair) -> None:
    """The bound without what raters see differently; with two raters of both, it rests on both correlations between raters."""
    corrected = draft["cross_source_corrected"]
    if corrected is None:
        return
    other = next(m.rater for m in (pair.first, pair.second) if m.rater != sources.own)
    turned = draft[f"source_{other}_{sources.own}"] if len(sources.outcomes) > 1 else None
    if turned is None:
        draft.say(
            "The second number is too low, because raters do not see everything alike. Corrected for that, it could be up to about {c} "
            "({c:interval}).",
            c=corrected.number(),
        )
        return
    draft.say(
        "With the alliance rated by the {a} and the outcome by the {y}, the correlation was {turned} ({turned:interval}). Correlations between raters are too "
        "low, because raters do not see everything alike. Corrected for that, the mean of these two could be up to about {c} ({c:interval}).",
        a=other,
        y=sources.own,
        turned=turned.number(),
        c=corrected.number(),
    )


def findings(
    draft: Draft, pair: Pair, rated: Rated, sources: Sources | None, surface: Surface | None
) -> None:
    """What a reader of the numbers has to know."""
    if pair.apart:
        draft.find(
            "not_commensurable",
            "caution",
            "{why}. The report gives neither the gap nor a response surface. If both forms have the same items and answers, set "
            "items=stated.",
            "raters",
            why=pair.apart,
        )
    if not rated.several:
        draft.find(
            "no_several_sessions",
            "caution",
            "Too few clients have several sessions that both rated, so the report cannot separate ups and downs within clients from "
            "differences between clients.",
            "raters",
        )
    agreed = draft["agreement_alliance"]
    if agreed is not None and agreed.estimate < LITTLE:
        draft.find(
            "raters_disagree",
            "caution",
            "The raters hardly agree on which clients have the better early alliance (correlation {r}). Cross-source correlations are "
            "then low even if the alliance matters.",
            "raters",
            r=agreed.number(),
        )
    if sources is not None:
        for found in sources.found.findings:
            draft.find(found.code, found.severity, "{why}", "sources", why=found.message)
        if len(sources.outcomes) == 1:
            draft.find(
                "one_outcome_rater",
                "info",
                "Only the {rater} rated the outcome, so the comparison of sources uses the second rater's alliance. Agreement on the "
                "outcome is not known, and the correction is for the alliance only.",
                "sources",
                rater=sources.outcomes[0].rater,
            )
        if draft.therapists_known and not sources.clustered:
            draft.find(
                "not_clustered",
                "info",
                "There are too few therapists for errors by therapist, so the correlations take clients as independent.",
                "sources",
            )
    if surface is not None and surface.main.congruence:
        draft.find(
            "congruence_is_weak",
            "caution",
            "That the conditions of congruence hold is weak evidence: three of them only have to be compatible with the data.",
            "response surface",
        )


def method_of(
    pair: Pair,
    window: TimeWindow,
    sources: Sources | None,
    surface: Surface | None,
    recip: Sequence[Estimate],
) -> list[str]:
    """The methods paragraphs."""
    first, second = pair.first, pair.second
    out = [
        f"Ratings of the alliance by {first.label} and {second.label} were compared in the sessions that both rated. A mixed model of the "
        f"{second.rater}'s rating had as predictors the {first.rater}'s rating, split into the client's mean and the deviation from it, and the "
        "session (model of truth and bias, West & Kenny). All ratings were centred on the mean of the first rater's, so that the intercept is the "
        "mean difference."
    ]
    if recip:
        out.append(
            "Variances of both ratings between therapists, clients and sessions, and their correlations at each level, are from a "
            "one-with-many model by restricted maximum likelihood (Marcus, Kashy & Baldwin)."
        )
    if sources is not None:
        errors = "by therapist" if sources.clustered else "by client"
        out.append(
            f"Sources: partial correlations of the mean alliance of sessions {window.first} to {window.last} with the last outcome score after them, "
            "given the last score up to their end and within therapists, for each pair of raters in the same clients. Standard errors are "
            f"robust and {errors}. Corrected correlations divide by the raters' agreement."
        )
    if sources is not None:
        out.append(
            "Both raters' alliance together: an actor-partner model of both outcomes (Kenny, Kashy & Cook) if they are on one questionnaire, otherwise a "
            "mixed model of each outcome."
        )
    if surface is not None:
        out.append(
            "A response surface of second degree related the outcome to both raters' early alliance (Edwards & Parry). Congruence was "
            "judged by the four conditions of Humberg, Nestler & Back."
        )
    return out
