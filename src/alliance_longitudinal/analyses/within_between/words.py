"""The words of the report: labels, the answer, findings, limits and methods."""

import numpy as np

from alliance_longitudinal.analyses.kit import Draft, Estimate, Fitted, Number, Sentence, say
from alliance_longitudinal.analyses.within_between.compute import TIME, slope_group
from alliance_longitudinal.analyses.within_between.design import Detrend, Pairs, Treatment
from alliance_longitudinal.analyses.within_between.latent import NEARLY_ALL, Choice
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.sentences import Value

LIMITS = (
    "The three effects within clients describe these data. If the alliance follows earlier improvement (feedback), each of "
    "them is biased, because a client's mean contains later scores. The report lagged_effects gives the effect from one "
    "session to the next that allows for feedback.",
    "All effects are associations. Something that was not measured may have changed both alliance and outcome.",
    "Effects between clients and between therapists compare means over the whole treatment. They do not say what came first.",
    "The mean of a client is taken as exact. With few sessions per client it contains chance, which pulls the effect between "
    "clients towards the effect within clients.",
    "Scores are assumed to be missing at random: clients may drop out because of observed scores, but not because of "
    "unobserved ones.",
)
#: Median pairs per client below which a client's mean is rough.
FEW_PAIRS = 4


def treatment_words() -> dict[str, str]:
    """What is done with outlying alliance scores."""
    two, three = Number(2, "integer"), Number(3, "integer")
    out = "scores more than {k} SD from the mean left out"
    moved = "scores more than {k} SD from the mean moved to this limit"
    return {
        "keep": "all scores kept",
        "sd3": say(out, k=three),
        "sd2": say(out, k=two),
        "winsor3": say(moved, k=three),
        "winsor2": say(moved, k=two),
    }


def clear(e: Estimate) -> bool:
    """Whether the interval leaves zero out."""
    return e.ci_low > 0 or e.ci_high < 0


def when(steps: int) -> str:
    """How long after the rating the outcome was scored."""
    return (
        "at the next session" if steps == 1 else say("{n:noun} later", n=Number(steps, "integer", "session"))
    )


def answer(
    draft: Draft, a: Measure, y: Measure, detrend: tuple[Detrend, ...], steps: int, choice: Choice | None
) -> None:
    """Within clients under each way to remove time, with the warning; then between clients and between therapists."""
    values = {d: draft[f"within_{d}"] for d in detrend}
    shown = {d: e for d, e in values.items() if e is not None}
    ways = {
        "none": "{none} points without an adjustment for time ({none:interval})",
        "common": "{common} points around the common course of all clients ({common:interval})",
        "client": "{client} points around a course for each client ({client:interval})",
        "lines": "{lines} points with each client's line removed from both ({lines:interval})",
    }
    parts = [ways[d] for d in shown]
    if parts:
        listing = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
        draft.say(
            "When a client rated {alliance} one point above his or her usual, {outcome} {later} differed by "
            + listing
            + ". The brackets are 95 % intervals.",
            alliance=a.instrument.label,
            outcome=y.instrument.label,
            later=when(steps),
            **{d: e.number() for d, e in shown.items()},
        )
        draft.say(
            "None of these numbers is the main result: if the alliance follows earlier improvement (feedback), all of them are "
            "biased. Read the report lagged_effects for the effect from one session to the next."
        )
    _between(draft, "client", a, y)
    if choice is not None:
        _between(draft, choice.main, a, y)


def _between(draft: Draft, identity: str, a: Measure, y: Measure) -> None:
    found = draft[identity]
    if found is None:
        return
    who = {
        "client": "Clients whose mean {alliance} was one point higher than that of {others}",
        "therapist": "Clients of therapists whose observed mean {alliance} was one point higher",
        "therapist_latent_ml": "Clients of therapists whose usual {alliance} was one point higher (corrected for small caseloads)",
    }[identity]
    others = "other clients of the same therapist" if "one therapist" in found.label else "other clients"
    values: dict[str, Value | str] = {
        "alliance": a.instrument.label,
        "outcome": y.instrument.label,
        "others": others,
        "size": found.number(),
    }
    if clear(found):
        draft.say(
            who + " had {outcome} scores that were {up} ({size} points, 95 % interval {size:interval}).",
            up="higher" if found.estimate > 0 else "lower",
            **values,
        )
    else:
        draft.say(
            who
            + " did not have clearly different {outcome} scores ({size} points per point, 95 % interval {size:interval}).",
            **values,
        )


def findings(
    draft: Draft, pairs: Pairs, detrend: tuple[Detrend, ...], main: Fitted, choice: Choice | None
) -> None:
    """What a reader has to know of these numbers."""
    shown = [e for d in detrend if (e := draft[f"within_{d}"]) is not None]
    if differ(shown):
        draft.find(
            "detrend_changes_answer",
            "caution",
            "The effect within clients depends on how time is removed: in sign, or in whether its interval contains zero. Do not "
            "choose one of the versions after seeing them.",
            "within clients",
        )
    per_client = float(pairs.rows.groupby("client").size().median())
    if per_client < FEW_PAIRS:
        draft.find(
            "few_pairs",
            "caution",
            "Half of the clients have {n:noun} or fewer. A client's mean over so few sessions is rough, and effects within clients "
            "are biased most in short series.",
            "within clients",
            n=Number(
                per_client, "integer" if per_client.is_integer() else "number", "pair", "pairs of sessions"
            ),
        )
    group = slope_group(main)
    if group is not None and _at_zero(main, group):
        draft.find(
            "equal_slopes",
            "info",
            "The data show no difference between clients in the effect within them: its variance between clients is estimated as "
            "zero. A small difference may still exist.",
            "within clients",
        )
    for identity in ("within_common", "client", "therapist"):
        kept = draft[identity]
        others = [
            e
            for e in draft.estimates
            if e.id.startswith(f"{identity}_sd") or e.id.startswith(f"{identity}_winsor")
        ]
        if kept is not None and others and differ([kept, *others]):
            draft.find(
                "outliers_change_answer",
                "caution",
                "{label}: the result depends on the treatment of outlying alliance scores. It changes in sign, or in whether its "
                "interval contains zero.",
                "outliers",
                label=kept.label,
            )
    if choice is not None and choice.main == "therapist" and not choice.ratio > NEARLY_ALL:
        draft.find(
            "means_not_corrected",
            "caution",
            "The effect between therapists uses observed means and is not corrected for small caseloads, so it may be pulled towards "
            "the effect between clients.",
            "effect between therapists",
        )


def differ(estimates: list[Estimate]) -> bool:
    """Whether estimates disagree: in which of them are clear, or in the sign of the clear ones."""
    signs = {0 if not clear(e) else int(np.sign(e.estimate)) for e in estimates}
    return len(signs) > 1


def _at_zero(fitted: Fitted, group: str) -> bool:
    table = fitted.result.varcorr
    own = table[(table["group"] == group) & (table["term1"] == "within") & table["term2"].isna()]
    return bool(own["vcov"].iloc[0] <= 0)


def methods_text(
    draft: Draft,
    a: Measure,
    y: Measure,
    steps: int,
    main: Fitted,
    pairs: Pairs,
    treatments: tuple[Treatment, ...],
    choice: Choice | None,
) -> None:
    """The methods section."""
    levels = (
        "the difference of a score from the client's mean (within clients), of the client's mean from the mean of the "
        "therapist's clients (between clients), and of this from the mean of all therapists (between therapists)"
        if pairs.between
        else "the difference of a score from the client's mean (within clients), and of the client's mean from the mean of all "
        "(between clients)"
    )
    first = (
        " Models adjust for the first score of the outcome, divided between clients and therapists in the same way."
        if pairs.intake
        else ""
    )
    draft.method(
        say(
            "{y} at a session was related to {a} {steps:noun} before. The alliance was divided into {levels}, over the analysed pairs "
            "of sessions.{first} The outcome of the session in which the alliance was rated is not a predictor, because together "
            "with centring on clients' means it biases the effect within clients.",
            y=y.label,
            a=a.label,
            steps=Number(steps, "integer", "session"),
            levels=levels,
            first=first,
        ),
        Sentence(
            f"The versions are: {TIME['none']}; {TIME['common']} (a mean for each session, and the mean session of clients and of "
            f"therapists); {TIME['client']} (also an intercept and a slope over sessions that differ between clients); and {TIME['lines']} "
            "(the alliance less each client's least-squares line). Effects between clients and between therapists are from the version with "
            "the common course. Models with two levels leave the therapists out."
        ),
        f"The model with the common course is {main.formula} ({main.structure.words}), by restricted maximum likelihood with "
        "Satterthwaite's degrees of freedom; those of an effect between therapists are not more than the number of therapists allows.",
    )
    if len(treatments) > 1 or treatments[:1] != ("keep",):
        draft.method(
            "Outlying alliance scores were left out or moved to the limit, and the parts of the alliance were computed again."
        )
    if choice is not None:
        draft.method(_choice_words(choice))
        draft.cite("luedtke2008")
    draft.cite("raudenbush2002", "enders2007", "falkenstrom2020")


def _choice_words(choice: Choice) -> Sentence:
    rule = say(
        "The main effect between therapists is that of the observed means if the median therapist has more than {half} of his or her "
        "clients in the analysis; otherwise, from {few} therapists on, that of latent means.",
        half=Number(NEARLY_ALL, "percent"),
        few=Number(20, "integer"),
    )
    if np.isnan(choice.ratio):
        return rule + " The study file gives no caseload."
    return rule + say(" The median is {ratio}.", ratio=Number(choice.ratio, "percent"))
