"""What a reader of the early-alliance report has to know."""

import pandas as pd

from alliance_longitudinal.analyses.early_parts.design import EarlyDesign
from alliance_longitudinal.analyses.kit.checks import clinic_findings, model_findings, therapist_findings
from alliance_longitudinal.analyses.kit.fits import Fitted
from alliance_longitudinal.analyses.result import Estimate
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.findings import SEVERITIES, Finding
from alliance_longitudinal.present.labels import count, number

#: Below this reliability a therapist's mean says more about chance than about the therapist.
LOW_RELIABILITY = 0.7


def early_findings(
    study: Study,
    design: EarlyDesign,
    models: list[Fitted],
    sessions: pd.DataFrame,
    clinic: str | None,
    estimates: list[Estimate],
) -> tuple[Finding, ...]:
    """All findings, the gravest first, and among equals what the answer rests on most."""
    used = {design.choices.alliance.name, design.choices.outcome.name}
    others = {m for m in study.measures if m not in used}
    found = therapist_findings(design.n_therapists, design.clients.groupby("therapist").size())
    found += _left_out(design)
    found += _selection(design)
    found += _reliability(estimates)
    found += model_findings(models)
    found += late_intake(design)
    found += [f for f in study.findings if f.where not in others]
    found += clinic_findings(sessions, clinic)
    return tuple(sorted(dict.fromkeys(found), key=lambda f: -SEVERITIES.index(f.severity)))


def _selection(design: EarlyDesign) -> list[Finding]:
    step = next(s for s in design.flow.steps if s.step.startswith("In treatment at the end"))
    later = sum(s.clients_lost for s in design.flow.steps if "after the early window" in s.step)
    lost = step.clients_lost
    if not lost + later:
        return []
    share = (lost + later) / step.clients_in
    also = f", and {number(later, 'integer')} of the others have no score after it" if later else ""
    return [
        Finding(
            "conditioned_on_treatment",
            "caution" if share > 0.2 else "info",
            f"{count(lost, 'client')} of {number(step.clients_in, 'integer')} had ended treatment before the end of the early "
            f"window{also}: {number(share, 'percent')} cannot be analysed for this reason; if they left because of poor "
            "alliance or severe symptoms, the results do not speak for them.",
            "sample flow",
        )
    ]


def late_intake(design: EarlyDesign) -> list[Finding]:
    """Clients whose intake severity is a score from later in the window."""
    late = int((design.clients["intake_session"] > 1).sum())
    if not late:
        return []
    share = late / design.n_clients
    return [
        Finding(
            "late_intake",
            "caution" if share > 0.1 else "info",
            f"{count(late, 'client')} ({number(share, 'percent')}) had the first outcome score after session 1; that score "
            "stands for intake severity, so part of their early change is not seen.",
            "intake severity",
        )
    ]


def _left_out(design: EarlyDesign) -> list[Finding]:
    out = []
    present = design.predictors(split=True)
    if not design.between and "early_client" not in present:
        out.append(
            Finding(
                "no_therapist_means",
                "underpowered",
                "No therapist has two analysed clients whose early alliance differs: effects within and between therapists "
                "cannot be told apart, and only the effect of alliance undivided is estimated.",
                "therapists",
            )
        )
    elif not design.between:
        out.append(
            Finding(
                "no_therapist_means",
                "underpowered",
                "Too few therapists have two or more clients: effects between therapists are not estimated, only effects "
                "between clients of the same therapist.",
                "therapists",
            )
        )
    elif "early_client" not in present:
        out.append(
            Finding(
                "no_within_variation",
                "failed",
                "No therapist has clients whose early alliance differs: the effect within therapists cannot be estimated.",
                "early alliance",
            )
        )
    for name in design.choices.covariates:
        if not any(p.startswith(f"{name}_") for p in present):
            words = {"intake": "intake severity", "change": "early change"}[name]
            out.append(
                Finding(
                    "constant_covariate",
                    "caution",
                    f"All clients have the same {words}; it is not adjusted for.",
                    words,
                )
            )
    return out


def _reliability(estimates: list[Estimate]) -> list[Finding]:
    found = next((e for e in estimates if e.id == "reliability_therapist_mean"), None)
    if found is None or found.estimate >= LOW_RELIABILITY:
        return []
    return [
        Finding(
            "unreliable_therapist_mean",
            "caution",
            f"The reliability of a therapist's mean early alliance is {number(found.estimate)}: the between-therapist effect is pulled "
            "towards the within-therapist effect.",
            "therapists",
            "Lüdtke et al. 2008, doi 10.1037/a0012869",
        )
    ]
