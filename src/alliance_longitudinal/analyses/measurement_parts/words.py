"""The sentences of the measurement report."""

from collections.abc import Sequence
from math import isfinite

from alliance_longitudinal.analyses.kit.versions import versions_sentence
from alliance_longitudinal.analyses.measurement_parts.compute import Found
from alliance_longitudinal.analyses.result import Estimate, Methods
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.labels import number

_REFERENCES = {
    "alpha": "Feldt, L. S. (1965). The approximate sampling distribution of Kuder-Richardson reliability coefficient twenty. "
    "Psychometrika, 30, 357-370.",
    "omega": "McDonald, R. P. (1999). Test theory: A unified treatment. Erlbaum.",
    "change": "Cranford, J. A., Shrout, P. E., Iida, M., Rafaeli, E., Yip, T., & Bolger, N. (2006). A procedure for evaluating "
    "sensitivity to within-person change. Personality and Social Psychology Bulletin, 32, 917-929.",
    "raters": "Shrout, P. E., & Fleiss, J. L. (1979). Intraclass correlations: Uses in assessing rater reliability. Psychological "
    "Bulletin, 86, 420-428.",
    "factors": "Enders, C. K. (2010). Applied missing data analysis. Guilford.",
    "invariance": "Cheung, G. W., & Rensvold, R. B. (2002). Evaluating goodness-of-fit indexes for testing measurement invariance. "
    "Structural Equation Modeling, 9, 233-255.",
}
LIMITS = (
    "Answers on few steps are treated as continuous; chi-square and fit indices suffer from that more than loadings.",
    "Factor models take clients as independent, although clients of one therapist may be alike.",
    "Equal loadings and intercepts in these data do not show that clients understand the questions in the same way.",
)


def answer(found: Found | None, estimates: list[Estimate], label: str) -> tuple[str, ...]:
    """The question answered in a few sentences."""
    by_id = {e.id: e for e in estimates}
    out = []
    if found is None:
        out.append(
            f"The loaded study holds totals or subscales of {label}, not the answers to its items: reliability of a form, factor "
            "models and invariance cannot be had from it."
        )
    alphas = [e for e in estimates if e.id.startswith("alpha_")]
    if alphas:
        low, high = min(e.estimate for e in alphas), max(e.estimate for e in alphas)
        span = f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"
        out.append(f"The reliability of one form of {label} (alpha) is {span}.")
    if "change_Rcn" in by_id:
        out.append(
            f"Clients are told apart with a reliability of {_with_limits(by_id['change_RkRn'])} by the mean of their sessions; change "
            f"from session to session within a client is told with a reliability of {_with_limits(by_id['change_Rcn'])}."
        )
    if found is not None and found.steps:
        out += _verdicts(found)
    if not out[1:] and found is None:
        pairs = [e for e in estimates if e.unit == "correlation" and e.level == "client"]
        if pairs:
            values = [e.estimate for e in pairs]
            out.append(
                f"Between clients, its subscales correlate {number(min(values))} to {number(max(values))}."
            )
    return tuple(
        out
        or [f"Nothing can be said about the measurement of {label} with these data; the findings say why."]
    )


def _with_limits(e: Estimate) -> str:
    """A coefficient with its interval, if it has one."""
    if not isfinite(e.ci_low) or not isfinite(e.ci_high):
        return f"{e.estimate:.2f}"
    return f"{e.estimate:.2f} (95 % interval {e.ci_low:.2f} to {e.ci_high:.2f})"


def _verdicts(found: Found) -> list[str]:
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
            text += " (but the models have impossible values, so this is not sure)"
        said.setdefault(text, []).append(where)
    return [f"Same measurement ({'; '.join(wheres)}): {text}." for text, wheres in said.items()]


def methods_parts(
    found: Found | None, measure: Measure, occasions: Sequence[int], estimates: list[Estimate]
) -> Methods:
    """The methods paragraph and its references."""
    used = []
    text = ""
    if found is not None:
        form = ", ".join(map(str, occasions))
        text += f"Reliability and structure of {measure.label} were examined at sessions {form}. "
        if found.alphas:
            text += "Alpha has Feldt's interval. "
            used.append("alpha")
        if found.omegas:
            text += "Omega is that of a one-factor model. "
            used.append("omega")
        if found.change:
            text += (
                "Reliability between and within clients is from variance components of the answers by restricted maximum likelihood, "
                f"for means of {found.change[0].sessions} sessions, with profile-likelihood intervals. "
            )
            used.append("change")
        if found.models:
            text += (
                "Factor models were fitted by full-information maximum likelihood, with standard errors from the observed information "
                "and the first loading of a factor fixed at 1 (in the bifactor model, variances fixed at 1). "
            )
            used.append("factors")
        if found.steps:
            text += (
                "Invariance was tested by equal loadings, then equal intercepts, with residuals of the same item correlated; it was "
                "taken to hold where CFI fell by no more than .01. "
            )
            used.append("invariance")
    if any(e.unit == "correlation" for e in estimates):
        text += "Correlations of subscales at each level are from variance components of the scales and of their sums. "
    if any(e.id.startswith("icc_") for e in estimates):
        text += "Agreement of raters is given as intraclass correlations. "
        used.append("raters")
    references = [_REFERENCES[u] for u in used] + list(measure.instrument.citations)
    return Methods((text + versions_sentence(),), tuple(sorted(set(references))))
