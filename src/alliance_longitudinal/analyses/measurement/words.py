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
            "The loaded study holds totals or subscales of {label}, not the answers to its items: reliability of a form, factor "
            "models and invariance cannot be computed from them.",
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
            "The mean of a client's sessions distinguishes clients with a reliability of {clients}; change from session to session "
            "within a client is seen with a reliability of {change}.",
            clients=_with_limits(clients),
            change=_with_limits(change),
        )
    for sentence in verdicts(found):
        draft.say("{s}", s=sentence)
    pairs = [e.estimate for e in draft.estimates if e.unit == "correlation" and e.level == "client"]
    if pairs and not found.items:
        draft.say(
            "Between clients, its subscales correlate {low} to {high}.",
            low=Number(min(pairs)),
            high=Number(max(pairs)),
        )
    if not draft.sentences:
        draft.say(
            "Nothing can be said about the measurement of {label} with these data; the findings say why.",
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
            text = "loadings differ, so compare scores with care"
        elif steps.get("scalar"):
            text = "loadings and intercepts are equal enough, so means may be compared"
        else:
            text = "loadings are equal enough, but intercepts differ: means are not strictly comparable"
        if steps.get("metric") is not None and any(s.fit.improper for s in found.steps if s.where == where):
            text += " (but the models have improper solutions, so this is not sure)"
        said.setdefault(text, []).append(where)
    return [f"Same measurement ({'; '.join(wheres)}): {text}." for text, wheres in said.items()]


def describe(draft: Draft, found: Found, measure: Measure, occasions: Sequence[int]) -> None:
    """The methods paragraph and its references."""
    used = []
    text = ""
    if found.items:
        form = ", ".join(map(str, occasions))
        text += f"Reliability and structure of {measure.label} were examined at sessions {form}. "
        if found.alphas:
            text += "Alpha has Feldt's interval. "
            used.append("feldt1965")
        if found.omegas:
            text += "Omega is that of a one-factor model. "
            used.append("mcdonald1999")
        if found.change:
            text += (
                "Reliability between and within clients is from variance components of the answers by restricted maximum likelihood, "
                f"for means of {found.change[0].sessions} sessions, with profile-likelihood intervals. "
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
                "Invariance was tested by equal loadings, then equal intercepts, with residuals of the same item correlated; it was "
                "taken to hold where CFI fell by no more than .01. "
            )
            used.append("cheung2002")
    if any(e.unit == "correlation" for e in draft.estimates):
        text += "Correlations of subscales at each level are from variance components of the scales and of their sums. "
    if any(e.id.startswith("icc_") for e in draft.estimates):
        text += "Agreement of raters is given as intraclass correlations. "
        used.append("shrout1979")
    draft.method(text.strip() or f"The totals of {measure.label} are described.")
    draft.cite(*used)
