"""The early-alliance analysis in words: answer, facts, methods and limits, all generated from the numbers."""

from alliance_longitudinal.analyses.early_parts.design import EarlyDesign
from alliance_longitudinal.analyses.early_parts.effects import EarlyModels
from alliance_longitudinal.analyses.kit.benchmarks import ALLIANCE_OUTCOME
from alliance_longitudinal.analyses.kit.checks import FEW
from alliance_longitudinal.analyses.kit.fits import MIN_THERAPISTS
from alliance_longitudinal.analyses.kit.shares import interval_words
from alliance_longitudinal.analyses.result import Estimate, Methods
from alliance_longitudinal.present.labels import count, listing, number, with_interval


def answer(estimates: list[Estimate], design: EarlyDesign, weeks: float) -> tuple[str, str]:
    """The question answered in two sentences: clients of one therapist, then therapists."""
    by_id = {e.id: e for e in estimates}
    return _within_sentence(by_id, design, weeks), _between_sentence(by_id, design, weeks)


def _improvement(effect: Estimate, design: EarlyDesign) -> tuple[float, float, float]:
    """Estimate and interval ends, turned so that positive means more improvement with better alliance."""
    sign = design.choices.good_sign
    low, high = sorted((sign * effect.ci_low, sign * effect.ci_high))
    return sign * effect.estimate, low, high


def _within_sentence(by_id: dict[str, Estimate], design: EarlyDesign, weeks: float) -> str:
    effect = by_id.get("slope_within_per_sd")
    if effect is None:
        return (
            "The effect of early alliance within therapists cannot be estimated: no therapist has clients whose early "
            "alliance differs."
        )
    a, y = design.choices.alliance.instrument.label, design.choices.outcome.instrument.label
    sd = number(design.sd("early_client"))
    value, low, high = _improvement(effect, design)
    who = f"Among clients of the same therapist, one standard deviation more early alliance ({sd} {a} points)"
    unit = f"{y} points over {weeks:.0f} {design.choices.time}s"
    if low > 0 or high < 0:
        more = "more" if low > 0 else "fewer"
        shown, between = with_interval(*_sizes(value, low, high))
        return (
            f"{who} went with {shown} {more} {y} points of improvement over {weeks:.0f} {design.choices.time}s "
            f"(95 % interval {between})."
        )
    shown, between = with_interval(value, low, high)
    return (
        f"{who} went with a difference in improvement of {shown} {unit}, but the 95 % interval "
        f"({between}) includes zero: the data leave open whether early alliance goes with later change."
    )


def _between_sentence(by_id: dict[str, Estimate], design: EarlyDesign, weeks: float) -> str:
    effect = by_id.get("slope_between_per_sd")
    therapists = count(design.n_therapists, "therapist")
    if design.n_therapists >= FEW and effect is None:
        return (
            "Whether therapists with better alliances have clients who improve more cannot be said: too few of the "
            f"{therapists} have two or more analysed clients, or their mean alliances do not differ."
        )
    if design.n_therapists < FEW or effect is None:
        return (
            f"Whether therapists with better alliances have clients who improve more cannot be said: {therapists} cannot "
            "carry an estimate of differences between therapists."
        )
    y = design.choices.outcome.instrument.label
    value, low, high = _improvement(effect, design)
    sd = f"{number(design.sd_of_therapists())} {design.choices.alliance.instrument.label} points"
    if low > 0 or high < 0:
        more = "more" if value > 0 else "less"
        shown, interval = with_interval(*_sizes(value, low, high))
        return (
            f"Clients of therapists whose mean early alliance was one standard deviation ({sd}) higher improved by "
            f"{shown} {y} points {more} over {weeks:.0f} {design.choices.time}s (95 % interval {interval}; {therapists})."
        )
    shown, interval = with_interval(value, low, high)
    return (
        f"Between therapists the picture is unclear: one standard deviation more mean alliance ({sd}) went with "
        f"{shown} {y} points of improvement over {weeks:.0f} {design.choices.time}s, with a 95 % interval from {interval} ({therapists})."
    )


def _sizes(value: float, low: float, high: float) -> tuple[float, float, float]:
    """Without signs, for sentences that say the direction in words: the interval's smaller end first."""
    return abs(value), min(abs(low), abs(high)), max(abs(low), abs(high))


def facts(design: EarlyDesign, clinic: str | None) -> list[tuple[str, str]]:
    """The header of the report."""
    c = design.choices
    out = [
        ("Alliance", c.alliance.label),
        ("Outcome", c.outcome.label),
        ("Early window", str(c.window)),
        ("Clients", number(design.n_clients, "integer")),
        ("Therapists", number(design.n_therapists, "integer")),
        ("Later outcome scores", number(len(design.rows), "integer")),
    ]
    return [("Clinic", clinic), *out] if clinic else out


def methods(design: EarlyDesign, models: EarlyModels, n_boot: int, versions: str) -> Methods:
    """The methods section, from the parameters."""
    c = design.choices
    a, y = c.alliance.label, c.outcome.label
    counted = " (neither dates nor weeks are known: `weeks` in the formulas counts sessions)" * (
        c.time == "session"
    )
    unit = "session" if c.window.sessions == 1 else "window"
    names = {
        "intake": "intake severity (the first score)",
        "change": f"change in {y} from intake to the last score in the {unit}",
    }
    adjust = [names[k] for k in c.covariates]
    adjusted = (
        f"All models adjust for {listing(adjust)}, split into therapist mean and client deviation like the alliance, "
        "on level and on rate of change."
        if adjust
        else "The models adjust for nothing else."
    )
    paragraphs = [
        f"Early alliance is the mean {a} score in {c.window}, for clients with at least {count(c.min_rated, 'rated session')} "
        f"in it. It was split into the mean of each therapist's clients (mean of client means, each client counting "
        f"once) and the client's deviation from it, so that effects within therapists (between clients of the same "
        f"therapist) and between therapists are estimated apart (Baldwin et al., 2007; Raudenbush & Bryk, 2002). "
        f"The contextual effect is the difference between the two.",
        f"The outcome is the course of {y} after the window, in {c.time}s since the client's last session in it{counted}, and, side by "
        f"side, the change from intake to the client's last score. Only clients in treatment at the end of the window "
        f"can have this outcome; the sample flow gives the number lost to this condition. {adjusted}",
        f"The course was modelled with a linear mixed model ({models.growth.structure.words}) by restricted maximum likelihood: "
        f"{models.growth.formula}. The change from intake: {models.endpoint.formula}. The rule for simpler models looks at the "
        f"design only: a therapist level needs {MIN_THERAPISTS} therapists with two or more clients, rates of change for each "
        f"client need three or more scores for half of the clients; variances estimated as zero stay in the model. "
        f"A fit counts only with a certificate of its optimum.",
        f"Intervals are 95 % t intervals with Satterthwaite degrees of freedom, for therapist-level coefficients at most "
        f"therapists minus one minus therapist-level predictors. Correlations are partial correlations, "
        f"r = t / √(t² + df), signed so that positive means better. Intervals of variance shares are "
        f"{interval_words(n_boot)}, that of the therapist share of early alliance is from the F distribution "
        f"(Thomas & Hultquist, 1978). No correction for multiple tests was made. In the model of the course, missing "
        f"outcome scores are handled by the likelihood under missingness at random; the change from intake takes the last "
        f"score that there is. {versions}",
    ]
    references = [
        "Baldwin, S. A., Wampold, B. E., & Imel, Z. E. (2007). Untangling the alliance-outcome correlation. Journal of "
        "Consulting and Clinical Psychology, 75, 842-852. doi 10.1037/0022-006X.75.6.842",
        ALLIANCE_OUTCOME.reference,
        "Lüdtke, O., et al. (2008). The multilevel latent covariate model. Psychological Methods, 13, 203-229. "
        "doi 10.1037/a0012869",
        "Raudenbush, S. W., & Bryk, A. S. (2002). Hierarchical linear models (2nd ed.). Sage.",
        "Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. Biometrics "
        "Bulletin, 2, 110-114. doi 10.2307/3002019",
    ]
    references.append(
        "Thomas, J. D., & Hultquist, R. A. (1978). Interval estimation for the unbalanced case of the one-way random "
        "effects model. Annals of Statistics, 6, 582-587. doi 10.1214/aos/1176344202",
    )
    references += [ref for m in (c.alliance, c.outcome) for ref in m.instrument.citations]
    return Methods(tuple(paragraphs), tuple(sorted(set(references))))


def limits(design: EarlyDesign) -> tuple[str, ...]:
    """What this design cannot say."""
    c = design.choices
    same = c.alliance.rater == c.outcome.rater
    out = [
        "An observational association: clients who improve early may rate the alliance higher, and what was not measured "
        "may drive both.",
        "It speaks of clients who were still in treatment at the end of the early window and had an outcome score after it, "
        "not of those who had left.",
    ]
    if same:
        out.append(
            f"Alliance and outcome were both rated by the {c.alliance.rater}: a shared rater tends to inflate their association (halo)."
        )
    if c.adjust_early_change:
        out.append(
            "Adjusting for early change removes any benefit of alliance that had already worked by the end of the window; "
            "not adjusting counts early improvement as an effect of alliance. The sensitivity table shows both."
        )
    else:
        out.append(
            "Early change is not adjusted for: improvement before the end of the window may be counted as an effect of alliance."
        )
    out += [
        "The effect of a therapist's mean alliance is that of the mean observed in the analysed clients; where caseloads are "
        "small, it is pulled towards the within effect.",
        "The end point is the last score, whenever treatment ended; clients who left early contribute an early score.",
    ]
    return tuple(out)
