"""The words of a plan."""

from typing import TYPE_CHECKING

from alliance_longitudinal.analyses.kit import Draft, Number, Sentence, listed, say
from alliance_longitudinal.analyses.kit.fits import CLIENTS_FOR_OWN_EFFECT, MIN_FOR_OWN_EFFECT
from alliance_longitudinal.analyses.planning.basis import Basis
from alliance_longitudinal.analyses.planning.compute import (
    SMALLEST,
    USUAL_SHARE,
    USUAL_SPREAD,
    Planned,
    doubtful,
    without_therapists,
)
from alliance_longitudinal.data.study import Measure

if TYPE_CHECKING:
    from alliance_longitudinal.methods.planning.simulate import SimulatedPlan

LIMITS = (
    "Power is a property of a plan, for an effect that somebody states. It does not say whether the effect exists.",
    "The plan takes the variances of this study as they are. Another clinic, another measure or other clients may differ.",
    "Dropout and missing scores in the simulation depend on nothing. If clients leave because of their symptoms or their alliance, the "
    "study can be biased.",
)
#: Why the study's own estimate is refused as the size of an effect.
REFUSED = (
    "Parameter 'sizes': the power that a study has for its own estimate ('observed power') is not computed. It only restates the p value: an "
    "effect just at p = .05 has an observed power of about one half, whatever the truth. Use sizes='interval', or state the smallest effect that "
    "matters with 'within' and 'between'."
)
#: More studies than this with a variance at its boundary are said.
MANY_SINGULAR = 0.20
_FEW = 20
#: A difference in power that is said.
NOTICED = 0.05
#: A higher power is not said as a number.
MOST_SAID = 0.99


def answer(
    draft: Draft, planned: Planned, y: Measure, time: str, found: "SimulatedPlan", adviser: str
) -> None:
    """What the plan can find, what it needs, and what fewer therapists with as many clients would find."""
    plan = planned.plan
    table = found.table(planned.effects)
    span = plan.times[-1] - plan.times[0]
    within, between = (Number(abs(span * planned.effects[k])) for k in ("within", "between"))
    mean = plan.clients / plan.therapists
    draft.say(
        "{j:noun} with {equal}{n:noun} each would find an effect of the alliance within therapists ({x} {outcome} points over {span} {time}s for each "
        "SD of the alliance) with a power of {p}, and an effect between therapists ({y} points) with a power of {q}.",
        j=Number(plan.therapists, "integer", "therapist"),
        equal="" if len(set(plan.caseloads)) == 1 else "on average ",
        n=Number(mean, "integer" if mean == int(mean) else "number", "client"),
        x=within,
        y=between,
        outcome=y.instrument.label,
        span=_time(span),
        time=time,
        p=said_power(float(table.loc["within", "power"])),
        q=said_power(float(table.loc["between", "power"])),
    )
    if {planned.sources[k] for k in ("within", "between")} == {"interval"}:
        draft.say(
            "Both sizes are the ends nearer to zero of the {whose} intervals, not its estimates, which are likely to be too large.",
            whose="study's" if adviser == "This study" else "report's",
        )
    _needed(draft, planned)
    _alike(draft, planned)
    fewer = without_therapists(planned)
    if fewer.therapists < plan.therapists:
        draft.say(
            "About as many clients of only {j:noun} would find the effect between therapists with a power of {p}: more clients do not replace "
            "therapists.",
            j=Number(fewer.therapists, "integer", "therapist"),
            p=said_power(planned.power(fewer, "between")),
        )


def _alike(draft: Draft, planned: Planned) -> None:
    """What a plan would promise that takes all therapists as alike, where it promises more."""
    same, own = (planned.power(planned.plan, name) for name in ("within_same", "within"))
    if same - own > NOTICED:
        draft.say(
            "If the effect within therapists were the same for all of them, the power for it would be {p}. The plan assumes that it differs between "
            "therapists, so more clients per therapist help less than more therapists.",
            p=said_power(same),
        )


def said_power(value: float) -> str:
    """A power in percent; no simulation shows that a study cannot fail."""
    if value > MOST_SAID:
        return say("more than {x}", x=Number(MOST_SAID, "percent"))
    return say("{x}", x=Number(round(value, 2), "percent"))


def _time(value: float) -> Number:
    return Number(value, "integer" if value == int(value) else "number")


def _needed(draft: Draft, planned: Planned) -> None:
    words = {"within": "for the effect within therapists", "between": "for the effect between therapists"}
    found = {what: draft[f"n_for_80_{name}"] for name, what in words.items()}
    parts: list[str] = [
        say("{n:noun} {what}", n=Number(e.estimate, "integer", "therapist"), what=what)
        for what, e in found.items()
        if e is not None
    ]
    if parts:
        draft.say(
            "With this caseload, a power of {target} needs {numbers}.",
            target=Number(planned.target, "percent"),
            numbers=listed(parts),
        )


def notes(
    draft: Draft, basis: Basis, planned: Planned, found: "SimulatedPlan", unit: str, adviser: str
) -> None:
    """What a reader of the plan has to know."""
    for name in planned.effects:
        if planned.sources[name] == "usual":
            draft.find(
                "no_size",
                "caution",
                "{source} does not say which effect {name} therapists to plan for, because its 95 % interval includes zero or there is none. "
                "The report takes {x} {unit}, which is {k} standard deviations of clients' true rates of change. State the smallest effect that "
                "matters with '{name}'.",
                f"planned_{name}",
                source=adviser,
                name=name,
                x=Number(abs(planned.effects[name]), n=basis.clients),
                unit=unit,
                k=Number(SMALLEST),
            )
        if doubtful(planned, found, name):
            draft.find(
                "closed_form_off",
                "info",
                "Closed form and simulation differ for the effect {name} therapists. The closed form is approximate with "
                "dropout, missing scores, unequal caseloads and very few therapists, so use the simulated power.",
                f"power_{name}",
                name=name,
            )
    if planned.effects:
        _spread_notes(draft, planned, unit, adviser)
    if planned.sources["share"] == "usual" or planned.sources["least_share"] == "usual":
        draft.find(
            "no_share",
            "info",
            "{source} does not say how much therapists differ in their clients' rates of change. Where a share was missing, the report takes "
            "{share}, about the mean of the literature.",
            "planned_share",
            source=adviser,
            share=Number(USUAL_SHARE, "percent"),
        )
    if planned.plan.therapists < _FEW:
        draft.find(
            "few_planned",
            "caution",
            "The plan has {j:noun}. With so few, effects between therapists and differences between therapists are found only if they are "
            "very large. Plan more therapists rather than more clients of each.",
            "therapists",
            j=Number(planned.plan.therapists, "integer", "therapist"),
        )
    if found.singular > MANY_SINGULAR:
        draft.find(
            "often_singular",
            "caution",
            "In {share} of the simulated studies a variance was estimated as zero or a correlation as perfect. The design has too few therapists "
            "or assessments for the planned model.",
            "simulated",
            share=Number(found.singular, "percent"),
        )
    if found.failed:
        draft.find(
            "not_converged",
            "caution",
            "The model of {n} of {all} simulated studies did not converge. They count as studies that find nothing.",
            "simulated",
            n=Number(found.failed, "integer"),
            all=Number(found.n_sim, "integer"),
        )


def _spread_notes(draft: Draft, planned: Planned, unit: str, adviser: str) -> None:
    """Where the differences of the effect between therapists are from, and which plan its analysis needs."""
    if planned.sources["effect_sd"] == "usual":
        draft.find(
            "no_effect_sd",
            "info",
            "{source} does not say how much the effect within therapists differs between them. The report takes a standard deviation of {x} {unit}, "
            "which is {k} of the effect. State another with 'effect_sd'; with {none} the effect is the same for all.",
            "planned_effect_sd",
            source=adviser,
            x=Number(planned.effect_sd),
            unit=unit,
            k=Number(USUAL_SPREAD, "percent"),
            none=Number(0, "integer"),
        )
    enough = sum(n >= CLIENTS_FOR_OWN_EFFECT for n in planned.plan.caseloads)
    if planned.plan.effect_variance > 0 and enough < MIN_FOR_OWN_EFFECT:
        draft.find(
            "too_few_for_own_effect",
            "info",
            "The plan's model estimates how the effect within therapists differs between them. The report on early alliance does so from {needed} therapists "
            "with {clients} clients on. With {n} such therapists it uses cluster-robust errors instead, so the planned power is approximate.",
            "therapists",
            needed=Number(MIN_FOR_OWN_EFFECT, "integer"),
            clients=Number(CLIENTS_FOR_OWN_EFFECT, "integer"),
            n=Number(enough, "integer"),
        )


def method_of(
    a: Measure | None, y: Measure, basis: Basis, planned: Planned, n_sim: int, time: str
) -> list[Sentence | str]:
    """Paragraphs of the methods section."""
    times = planned.plan.times
    first = (
        say(
            "This study's model of {outcome} after the early window ({formula}), which is the main model of the report on early alliance, gave the variances "
            "of level and rate of change and the effects of {alliance}, each per standard deviation. ",
            outcome=y.label,
            alliance=a.label,
            formula=basis.fitted.formula,
        )
        if a is not None
        else say(
            "This study's model of {outcome} ({formula}) gave the variances of level and rate of change. ",
            outcome=y.label,
            formula=basis.fitted.formula,
        )
    )
    return [
        first
        + "The plan takes the end of each 95 % interval that asks for more clients, not the estimate. "
        + say(
            "Planned: {j:noun}, assessments at {first} to {last} {time}s, {losses}.",
            j=Number(planned.plan.therapists, "integer", "therapist"),
            first=_time(times[0]),
            last=_time(times[-1]),
            time=time,
            losses=_losses(planned.plan.dropout, planned.plan.missing),
        ),
        _forms(planned),
        say(
            "{n} studies of the plan, and a fifth as many with half and with double the therapists, were simulated, and each was fitted by REML with "
            "Satterthwaite's degrees of freedom (between therapists at most their number less two). Monte Carlo errors are given with the results. "
            "A plan has no residuals to look at.",
            n=Number(n_sim, "integer"),
        ),
    ]


def _forms(planned: Planned) -> str:
    """What the closed forms are."""
    share = "The power for differences between therapists uses the F distribution of their mean squares, or simulated restricted likelihood ratios if caseloads differ."
    if not planned.effects:
        return share
    own = (
        "The effect within therapists is their mean effect: each has an effect of their own, with the planned standard deviation. "
        if planned.plan.effect_variance > 0
        else ""
    )
    return (
        f"{own}Closed forms use the noncentral t distribution for slopes of clients. They allow for studies in which a variance between therapists is "
        f"estimated as zero, which is common with few therapists. {share}"
    )


def _losses(dropout: float, missing: float) -> str:
    if not dropout and not missing:
        return "no dropout and no missing scores"
    return say(
        "a probability of {dropout} of leaving before each assessment and of {missing} of a missing score",
        dropout=Number(dropout, "percent"),
        missing=Number(missing, "percent"),
    )
