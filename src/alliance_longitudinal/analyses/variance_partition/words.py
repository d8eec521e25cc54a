"""The words of the report on variance."""

from collections.abc import Sequence

from alliance_longitudinal.analyses.kit import Count, Draft, Number
from alliance_longitudinal.analyses.kit.shares import interval_words
from alliance_longitudinal.analyses.variance_partition.compute import Divided
from alliance_longitudinal.analyses.variance_partition.therapists import (
    DRAWS,
    MIN_CORRELATED,
    SETTLED,
    Therapists,
)
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.labels import listing
from alliance_longitudinal.sentences import joined, say

LIMITS = (
    "Clients were not assigned to therapists at random, so a share between therapists also "
    "contains differences between their clients.",
    "A share between sessions includes measurement error.",
    "If therapists work in different clinics, differences between clinics count as differences "
    "between therapists, unless the report separates clinics.",
    "A share of the level, of the rate of change and of the last score given the first answer different questions. Compare shares "
    "only with shares of the same kind.",
)
#: Below this power an unclear share says little.
LOW_POWER = 0.8


def answer_share(draft: Draft, measure: Measure) -> None:
    """How much therapists differ in one measure."""
    label = measure.instrument.label
    level, change, end = (draft[f"{kind}_{measure.name}_therapist"] for kind in ("level", "change", "end"))
    among = draft[f"level_{measure.name}_client"]
    if not draft.therapists_known and among is not None:
        draft.say(
            "Of the differences in {label} level, {share} lie between clients (95 % interval "
            "{share:interval}) and the others between the sessions of a client.",
            label=label,
            share=among.number("percent"),
        )
        return
    if level is None:
        draft.say(
            "For {label}, too few therapists have two or more clients, so how much therapists "
            "differ cannot be estimated.",
            label=label,
        )
        return
    parts = [
        say(
            "Of the differences in {label} level, {level} lie between therapists (95 % interval {level:interval})",
            label=label,
            level=level.number("percent"),
        )
    ]
    if change is not None:
        parts.append(
            say(
                "of those in its rate of change, {change} ({change:interval})",
                change=change.number("percent"),
            )
        )
    if end is not None:
        parts.append(
            say(
                "of those in the last score given the first, {end} ({end:interval})",
                end=end.number("percent"),
            )
        )
    draft.say("{parts}.", parts=joined(parts, "; "))


def answer_power(draft: Draft, caseloads: Sequence[int], median: int, share: float) -> None:
    """Whether this study could have seen that therapists differ."""
    zero, power = draft["p_zero"], draft["power_here"]
    if zero is None or power is None:
        return
    draft.say(
        "With {j:noun} and a median of {n:noun}, a share of {share} between therapists would be found with a probability of {power}; in "
        "{zero} of such studies the estimate would be zero.",
        j=Number(len(caseloads), "integer", "therapist"),
        n=Count(median, "client"),
        share=Number(share, "percent"),
        power=Number(power.estimate, "percent"),
        zero=Number(zero.estimate, "percent"),
    )
    if power.estimate < LOW_POWER:
        draft.find(
            "low_power",
            "caution",
            "With one score per client, these therapists and clients would show a true share of {share} with a probability of only "
            "{power}. If no difference is found, that does not mean that therapists are alike.",
            "therapists",
            share=Number(share, "percent"),
            power=Number(power.estimate, "percent"),
        )


def answer_correlation(draft: Draft) -> None:
    """Whether therapists with better alliances have better outcomes."""
    r = draft["r_therapist_alliance_outcome"]
    if r is None:
        return
    clear = r.ci_low > 0 or r.ci_high < 0
    template = (
        "Therapists with better alliances had {what} outcomes (correlation {r}, 95 % interval {r:interval})."
    )
    if not clear:
        template = "Whether therapists with better alliances had better outcomes is not clear (correlation {r}, 95 % interval {r:interval})."
    draft.say(template, what="better" if r.estimate > 0 else "worse", r=r.number())


def no_correlation(draft: Draft, why: str) -> None:
    """Why therapists' effects on alliance and outcome were not related."""
    messages = {
        "few": "Fewer than {n} therapists have two clients with an alliance score and two outcome scores, so therapists' alliances and "
        "outcomes were not related to each other.",
        "failed": "The model of therapists' alliances and outcomes together did not converge, so they were not related to each other.",
        "zero": "The data show no difference between therapists in the alliance or in the outcome, so the two cannot be related to each "
        "other.",
    }
    draft.find(
        "no_correlation",
        "info",
        messages[why],
        "therapists",
        n=Number(MIN_CORRELATED, "integer"),
    )


def not_in_order(draft: Draft, every: Sequence[Therapists]) -> None:
    """Therapists whose estimates are too unreliable to be put in order."""
    for own in every:
        left = int((~own.frame["shown"]).sum())
        if left:
            draft.find(
                "not_in_order",
                "info",
                "{n} of {all:noun} {n:has|have} too few clients, or an estimate that is too unreliable, to be put in order. The report "
                "shows no order of therapists that includes them.",
                own.divided.words,
                n=Number(left, "integer"),
                all=Number(len(own.frame), "integer", "therapist"),
            )


def method_of(
    draft: Draft, measures: Sequence[Measure], every: Sequence[Divided], n_boot: int, n_sim: int, time: str
) -> list[str]:
    """Paragraphs of the methods section."""
    titles: dict[str, list[str]] = {}
    for m in draft.fitted:
        titles.setdefault(m.structure.words, []).append(m.title)
    used = joined(
        [say("{models}: {structure}", models=listing(of), structure=words) for words, of in titles.items()],
        "; ",
    )
    third = (
        say(
            "A third model relates the last symptom score to the first one, divided into the therapist's mean and the difference "
            "from it. "
        )
        if any(d.kind == "end" for d in every)
        else ""
    )
    paragraphs: list[str] = [
        say(
            "Linear mixed models with a linear course over {times} divided the variance of {labels} between levels, by restricted maximum "
            "likelihood. Shares of level are from the models of level, shares of change from the models of the course. {third}Each model "
            "has the fullest random structure that the design allows ({used}). Intervals are {intervals}.",
            times=f"{time}s",
            labels=listing([m.label for m in measures]),
            third=third,
            used=used,
            intervals=interval_words(n_boot),
        )
    ]
    if any(d.of_therapists for d in every):
        paragraphs.append(
            say(
                "A variance cannot be negative, so tests of no difference between therapists use a mixture of chi-squared distributions "
                "and a simulated distribution of the restricted likelihood ratio ({draws} draws; for the rate of change a parametric "
                "bootstrap of {refits} refits, ended early when {enough} of them have reached the statistic). Power and the probability of an estimate of zero are those of this test in the same design; "
                "the other variances are at their estimates. Therapists' estimates are conditional modes, which pull averages of few "
                "clients towards the mean. Two therapists are compared by intervals of about {width} standard errors, which overlap in "
                "95 % of pairs of equal therapists. The reliability of an estimate is one less its conditional variance over the variance "
                "between therapists.",
                draws=str(DRAWS),
                refits=str(n_sim),
                enough=str(round(SETTLED * n_sim)),
                width=Number(1.39),
            )
        )
    return paragraphs
