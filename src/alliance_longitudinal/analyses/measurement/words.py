"""The sentences of the measurement report."""

from collections.abc import Sequence
from math import isfinite

from alliance_longitudinal.analyses.kit import Draft, Estimate, Number
from alliance_longitudinal.analyses.measurement.compute import Found
from alliance_longitudinal.data.study import Measure


def answer(draft: Draft, found: Found, label: str) -> None:
    """The question answered in a few sentences."""
    if not found.items:
        draft.say(
            "The study has totals or subscales of {label}, not the answers to its items. "
            "Reliability of a form, factor models and invariance cannot be computed from totals.",
            label=label,
        )
    alphas = [e.estimate for e in draft.estimates if e.id.startswith("alpha_")]
    if alphas:
        ends = list(dict.fromkeys(f"{x:.2f}" for x in (min(alphas), max(alphas))))
        draft.say(
            "The reliability of one form of {label} (alpha) is {span}.", label=label, span=" to ".join(ends)
        )
    change, clients = draft["change_Rcn"], draft["change_RkRn"]
    if change is not None and clients is not None:
        draft.say(
            "The mean over a client's sessions distinguishes clients with a reliability of "
            "{clients}. Change from session to session within a client has a reliability of "
            "{change}.",
            clients=_with_limits(clients),
            change=_with_limits(change),
        )
    for sentence in verdicts(found):
        draft.say("{s}", s=sentence)
    pairs = [e.estimate for e in draft.estimates if e.unit == "correlation" and e.level == "client"]
    if pairs and not found.items:
        draft.say(
            "Between clients, the subscales correlate {low} to {high}.",
            low=Number(min(pairs)),
            high=Number(max(pairs)),
        )
    if not draft.sentences:
        draft.say(
            "With these data nothing can be said about the reliability of {label}. The findings say why.",
            label=label,
        )


def _with_limits(e: Estimate) -> str:
    """A coefficient with its interval, if it has one."""
    if not isfinite(e.ci_low) or not isfinite(e.ci_high):
        return f"{e.estimate:.2f}"
    return f"{e.estimate:.2f} (95 % interval {e.ci_low:.2f} to {e.ci_high:.2f})"


def verdicts(found: Found) -> list[str]:
    """One sentence per verdict on the invariance, with all that it is about."""
    said: dict[str, list[str]] = {}
    for where in dict.fromkeys(s.where for s in found.steps):
        steps = {s.level: s.holds for s in found.steps if s.where == where}
        if steps.get("metric") is None:
            text = "could not be judged, because a model did not converge"
        elif not steps["metric"]:
            text = "loadings differ, so compare scores only with caution"
        elif steps.get("scalar"):
            text = "loadings and intercepts are equal enough, so means may be compared"
        else:
            text = "loadings are equal enough, but intercepts differ, so means are not strictly comparable"
        if steps.get("metric") is not None and any(s.fit.improper for s in found.steps if s.where == where):
            text += " (but the models have improper solutions, so this is uncertain)"
        said.setdefault(text, []).append(where)
    return [f"Measurement invariance ({'; '.join(wheres)}): {text}." for text, wheres in said.items()]


def describe(draft: Draft, found: Found, measure: Measure, occasions: Sequence[int]) -> None:
    """The methods paragraph and its references."""
    used = []
    text = ""
    if found.items:
        form = ", ".join(map(str, occasions))
        text += f"Reliability and structure of {measure.label} were examined at sessions {form}. "
        if found.alphas:
            text += "Alpha was computed with Feldt's interval. "
            used.append("feldt1965")
        if found.omegas:
            text += "Omega was computed from a one-factor model. "
            used.append("mcdonald1999")
        if found.change:
            text += (
                "Reliability between and within clients was computed from variance components of "
                "the answers (restricted maximum likelihood), for means of "
                f"{found.change[0].sessions} sessions, with profile-likelihood intervals. "
            )
            used.append("cranford2006")
        if found.models:
            text += (
                "Factor models were fitted by full-information maximum likelihood, with standard errors from the observed information "
                "and the first loading of a factor fixed at 1 (in the bifactor model, variances fixed at 1). "
            )
            used.append("enders2010")
        if found.steps:
            text += (
                "To test invariance, first loadings and then also intercepts were set equal, with "
                "correlated residuals of the same item. Invariance was accepted if CFI fell by at "
                "most .01. "
            )
            used.append("cheung2002")
    if any(e.unit == "correlation" for e in draft.estimates):
        text += (
            "Correlations of subscales at each level were computed from variance components of the "
            "subscales and of their sums. "
        )
    if any(e.id.startswith("icc_") for e in draft.estimates):
        text += "Agreement of raters was measured by intraclass correlations. "
        used.append("shrout1979")
    draft.method(text.strip() or f"The report describes the totals of {measure.label}.")
    draft.cite(*used)
