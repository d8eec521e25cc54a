"""What a reader of the early-alliance report has to know."""

from alliance_longitudinal.analyses.early_alliance.compute import EarlyModels
from alliance_longitudinal.analyses.kit import Count, Draft, Number, Sentence, Share, joined, say, short
from alliance_longitudinal.analyses.kit.early_design import MIN_CLIENTS, EarlyDesign
from alliance_longitudinal.findings import Severity

#: Below this reliability a therapist's mean says more about chance than about the therapist.
LOW_RELIABILITY = 0.7
#: Robust standard errors that are this much larger than the model's speak against one effect for all therapists.
MUCH_LARGER = 1.25
#: Fewer clients per fixed effect than this are few for a regression (a rule of thumb, milder than the usual ten).
CLIENTS_PER_COEFFICIENT = 5
_ADJUSTMENTS = {"intake": "intake severity", "change": "early change"}


def early_findings(draft: Draft, design: EarlyDesign, models: EarlyModels) -> None:
    """All findings; among equally grave ones, what the answer rests on most comes first."""
    _left_out(draft, design)
    _selection(draft, design)
    _reliability(draft)
    _many_coefficients(draft, design)
    late_intake(draft, design)
    _course(draft, design)
    _robust(draft)
    _not_robust(draft, models)
    draft.usual_findings(design.clients.groupby("therapist").size(), clinics=False)


def _course(draft: Draft, design: EarlyDesign) -> None:
    if design.course:
        return
    draft.find(
        "no_course",
        "caution",
        "The course after the window is not analysed, because {n:noun} {n:has|have} two or more "
        "{outcome} scores after the window and {needed} are needed. The answer is about the change "
        "from intake to the last score.",
        "course after the window",
        n=Count(design.n_with_course, "client"),
        outcome=design.choices.outcome.instrument.label,
        needed=Number(MIN_CLIENTS, "integer"),
    )


def _robust(draft: Draft) -> None:
    """Whether errors that let the effect differ between therapists are much larger than those that do not; or are missing."""
    wider = []
    for kind, words in (("slope", "rate of change"), ("end", "change from intake")):
        usual, robust = draft[f"{kind}_within_same"], draft[f"{kind}_within"]
        if usual and robust and robust.se > MUCH_LARGER * usual.se:
            value = say("{words}, {size:interval}", words=words, size=usual.number())
            wider.append(value)
    if wider:
        draft.find(
            "robust_errors_larger",
            "caution",
            "The effect of early alliance may differ between therapists: its robust standard error, which "
            "the report uses, is more than a quarter larger than the one for an effect that is the same for all "
            "therapists. With the latter the 95 % interval within therapists would be too narrow: {which}.",
            "effect within therapists",
            short("bell2002"),
            which=joined(wider, "; "),
        )


def _not_robust(draft: Draft, models: EarlyModels) -> None:
    """Where no errors hold if the effect differs between therapists."""
    fitted = models.growth or models.endpoint
    if draft["slope_within"] is None and draft["end_within"] is None:
        return
    if fitted.structure.own_effect or not fitted.structure.therapist or fitted.robust is not None:
        return
    draft.find(
        "no_robust_errors",
        "caution",
        "The interval within therapists takes the effect of early alliance to be the same for all therapists. If it differs between them, "
        "the interval is too narrow. Robust errors cannot be computed. This happens where a coefficient rests on the clients of a single "
        "therapist: leave out such a covariate.",
        "effect within therapists",
    )


def _selection(draft: Draft, design: EarlyDesign) -> None:
    step = next(s for s in design.flow.steps if s.step.startswith("In treatment at the end"))
    later = sum(s.clients_lost for s in design.flow.steps if "after the early window" in s.step)
    lost = step.clients_lost
    if not lost + later:
        return
    severity: Severity = "caution" if lost + later > 0.2 * step.clients_in else "info"
    if not lost:
        draft.find(
            "conditioned_on_treatment",
            severity,
            "{later:noun} of {all} ({share}) {later:has|have} no score after the early window and cannot be analysed. If they left because of "
            "poor alliance or severe symptoms, the results do not apply to them.",
            "sample flow",
            later=Count(later, "client"),
            all=Count(step.clients_in, "client"),
            share=Share(later, step.clients_in),
        )
        return
    others = say(", and {later} of the others have no score after it", later=Count(later, "client"))
    draft.find(
        "conditioned_on_treatment",
        severity,
        "{lost:noun} of {all} had ended treatment before the end of the early window{others}. For "
        "this reason {share} cannot be analysed. If they left because of poor alliance or severe "
        "symptoms, the results do not apply to them.",
        "sample flow",
        lost=Count(lost, "client"),
        all=Count(step.clients_in, "client"),
        others=others if later else "",
        share=Share(lost + later, step.clients_in),
    )


def _many_coefficients(draft: Draft, design: EarlyDesign) -> None:
    """More fixed effects than so many clients can inform: estimates are unstable, and intervals may be too narrow."""
    models = [m for m in draft.fitted if m.name in ("growth", "endpoint")]
    most = max((len(m.result.params) for m in models), default=0)
    if design.n_clients >= CLIENTS_PER_COEFFICIENT * most:
        return
    draft.find(
        "many_coefficients",
        "caution",
        "The largest model has {k} coefficients for {n:noun}, fewer than {few} clients per coefficient. Its estimates are "
        "unstable. Leave out an adjustment, or analyse more clients together.",
        "models",
        k=Number(most, "integer"),
        n=Count(design.n_clients, "client"),
        few=Number(CLIENTS_PER_COEFFICIENT, "integer"),
    )


def late_intake(draft: Draft, design: EarlyDesign) -> None:
    """Clients whose intake severity is a score from later in the window."""
    late = int((design.clients["intake_session"] > 1).sum())
    if not late:
        return
    draft.find(
        "late_intake",
        "caution" if late > 0.1 * design.n_clients else "info",
        "{late:noun} ({share}) had the first outcome score after the first session. This score is "
        "used as intake severity, so part of their early change is not measured.",
        "intake severity",
        late=Count(late, "client"),
        share=Share(late, design.n_clients),
    )


def _left_out(draft: Draft, design: EarlyDesign) -> None:
    present = design.predictors(split=True)
    if not design.n_therapists:
        pass  # said where the study's therapists were looked for
    elif not design.between and "early_client" not in present:
        draft.find(
            "no_therapist_means",
            "underpowered",
            "No therapist has two analysed clients whose early alliance differs. Effects within and between therapists cannot "
            "be separated, and only the total effect of alliance is estimated.",
            "therapists",
        )
    elif not design.between:
        draft.find(
            "no_therapist_means",
            "underpowered",
            "Too few therapists have two or more clients, so only effects between clients of the "
            "same therapist are estimated, not effects between therapists.",
            "therapists",
        )
    elif "early_client" not in present:
        draft.find(
            "no_within_variation",
            "failed",
            "No therapist has clients whose early alliance differs, so the effect within "
            "therapists cannot be estimated.",
            "early alliance",
        )
    constant = [
        w for k, w in _ADJUSTMENTS.items() if k in design.choices.covariates and not _varies(k, present)
    ]
    for words in constant:
        draft.find(
            "constant_covariate",
            "caution",
            "All clients have the same {words}, so the models do not adjust for it.",
            words,
            words=words,
        )


def _varies(name: str, predictors: list[str]) -> bool:
    return any(p.startswith(f"{name}_") for p in predictors)


def _reliability(draft: Draft) -> None:
    found = draft["reliability_therapist_mean"]
    if found is None or found.estimate >= LOW_RELIABILITY:
        return
    corrected = draft["end_between_latent"]
    beside = Sentence("")
    if corrected is not None:
        beside = say(
            " Corrected for this, the effect between therapists on the change from intake is {effect} "
            "(95 % interval {effect:interval}).",
            effect=corrected.number(),
        )
    draft.find(
        "unreliable_therapist_mean",
        "caution",
        "The reliability of a therapist's mean early alliance is {value}. The effect between "
        "therapists is therefore pulled towards the effect within therapists.{beside}",
        "therapists",
        short("luedtke2008"),
        value=Number(found.estimate),
        beside=beside,
    )
