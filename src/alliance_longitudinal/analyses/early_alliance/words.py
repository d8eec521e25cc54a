"""The early-alliance analysis in words: answer, methods and limits, all generated from the numbers."""

from alliance_longitudinal.analyses.early_alliance.compute import EarlyModels
from alliance_longitudinal.analyses.kit import MIN_THERAPISTS, Count, Draft, Estimate, Number, Sentence, say
from alliance_longitudinal.analyses.kit.checks import FEW
from alliance_longitudinal.analyses.kit.early_design import Choices, EarlyDesign
from alliance_longitudinal.analyses.kit.fits import CLIENTS_FOR_OWN_EFFECT, MIN_FOR_OWN_EFFECT
from alliance_longitudinal.analyses.kit.shares import interval_words
from alliance_longitudinal.labels import listing

_SPLIT = (
    "It was split into the therapist's mean (the mean over the therapist's clients, each client counting once) and the client's deviation "
    "from this mean. Effects within therapists (between clients of the same therapist) and between therapists are therefore estimated "
    "separately (Baldwin et al., 2007; Raudenbush & Bryk, 2002). The contextual effect is the effect between therapists minus the effect "
    "within therapists."
)
_WHOLE = "No therapist is named for these clients, so effects are those between all clients, and the models have no level of therapists."
_LEVEL = (
    f"A therapist level needs {MIN_THERAPISTS} therapists with two or more clients. An effect of alliance that differs between therapists "
    f"needs {MIN_FOR_OWN_EFFECT} therapists with {CLIENTS_FOR_OWN_EFFECT} or more clients. "
)
_DF = (
    "For therapist-level coefficients the degrees of freedom are at most the number of therapists minus one minus the number of "
    "therapist-level predictors. "
)
_OF_ALLIANCE = "; the interval of the therapist share of early alliance is from the F distribution (Thomas & Hultquist, 1978)"

Values = dict[str, Number | Count | Sentence | str]


def answer(draft: Draft, design: EarlyDesign, weeks: float) -> None:
    """The question answered in two sentences: clients of one therapist, then therapists."""
    _within(draft, design, weeks)
    _between(draft, design, weeks)


def _improvement(effect: Estimate, design: EarlyDesign) -> tuple[float, float, float]:
    """Estimate and interval ends, turned so that positive means more improvement with better alliance."""
    sign = design.choices.good_sign
    low, high = sorted((sign * effect.ci_low, sign * effect.ci_high))
    return sign * effect.estimate, low, high


def _size(effect: Estimate, design: EarlyDesign) -> tuple[Number, str]:
    """The improvement as a value, and ``more`` or ``fewer`` points; the word is empty where the direction is open.

    With a direction in words the numbers have no signs, the interval's smaller end first.
    """
    value, low, high = _improvement(effect, design)
    if low <= 0 <= high:
        return Number(value, low=low, high=high, n=effect.n), ""
    ends = sorted((abs(low), abs(high)))
    return Number(abs(value), low=ends[0], high=ends[1], n=effect.n), "more" if low > 0 else "fewer"


def _effect(draft: Draft, design: EarlyDesign, level: str) -> Estimate | None:
    """The effect that answers: on the course, or on the change from intake where there is no course."""
    return draft[f"{'slope' if design.course else 'end'}_{level}_per_sd"]


def _span(design: EarlyDesign, weeks: float) -> Sentence:
    if not design.course:
        return Sentence("from intake to the last score")
    return say("over {time:noun}", time=Number(weeks, "integer", design.choices.time))


def _within(draft: Draft, design: EarlyDesign, weeks: float) -> None:
    effect = _effect(draft, design, "within")
    if effect is None:
        draft.say(
            "The effect of early alliance within therapists cannot be estimated, because no "
            "therapist has clients whose early alliance differs."
        )
        return
    size, more = _size(effect, design)
    values: Values = {
        "sd": Number(design.sd("early_client")),
        "alliance": design.choices.alliance.instrument.label,
        "outcome": design.choices.outcome.instrument.label,
        "size": size,
        "more": more,
        "span": _span(design, weeks),
    }
    values["among"] = "clients of the same therapist" if design.n_therapists else "all clients"
    if more:
        draft.say(
            "Among {among}, those whose early alliance was one standard deviation ({sd} {alliance} points) "
            "higher improved by {size} {more} {outcome} points {span} (95 % interval {size:interval}).",
            **values,
        )
    else:
        draft.say(
            "Among {among}, those whose early alliance was one standard "
            "deviation ({sd} {alliance} points) higher differed in improvement by {size} {outcome} "
            "points {span}. The 95 % interval ({size:interval}) includes zero, so it is not clear "
            "whether early alliance is related to later change.",
            **values,
        )


def _between(draft: Draft, design: EarlyDesign, weeks: float) -> None:
    effect = _effect(draft, design, "between")
    therapists = Number(design.n_therapists, "integer", "therapist")
    if effect is None or design.n_therapists < FEW:
        if not design.n_therapists:
            why = Sentence("no therapist is named for these clients")
        elif design.n_therapists < FEW:
            why = say("{n:noun} {n:is|are} too few to estimate differences between therapists", n=therapists)
        else:
            why = say(
                "too few of the {n:noun} have two or more analysed clients, or their mean alliances do not differ",
                n=therapists,
            )
        draft.say(
            "The data cannot show whether therapists with better alliances have clients who "
            "improve more: {why}.",
            why=why,
        )
        return
    size, more = _size(effect, design)
    values: Values = {
        "sd": Number(design.sd_of_therapists()),
        "alliance": design.choices.alliance.instrument.label,
        "outcome": design.choices.outcome.instrument.label,
        "size": size,
        "more": more,
        "span": _span(design, weeks),
        "n": therapists,
    }
    if more:
        draft.say(
            "Clients of therapists whose mean early alliance was one standard deviation ({sd} {alliance} points) higher "
            "improved by {size} {more} {outcome} points {span} (95 % interval {size:interval}; {n:noun}).",
            **values,
        )
    else:
        draft.say(
            "Between therapists the result is not clear. Clients of therapists whose mean early "
            "alliance was one standard deviation ({sd} {alliance} points) higher differed in "
            "improvement by {size} {outcome} points {span} (95 % interval {size:interval}; "
            "{n:noun}).",
            **values,
        )


def methods(draft: Draft, design: EarlyDesign, models: EarlyModels, n_boot: int) -> None:
    """The methods section, from the parameters."""
    c = design.choices
    a, known = c.alliance.label, bool(design.n_therapists)
    rated = say("{n:noun}", n=Count(c.min_rated, "rated session"))
    draft.method(
        f"Early alliance is the mean {a} score in {c.window}, for clients with at least {rated} in it. {_SPLIT if known else _WHOLE}",
        f"{_outcome(design)} Only clients in treatment at the end of the window are analysed; the "
        f"sample flow gives the number of the others. {_adjusted(design)}{_covariates(draft, design)}",
        f"{_models(models)} Only the design decides whether a simpler model is used. {_LEVEL * known}{_rates(design)}Variances estimated as zero stay in the model. Only "
        f"fits whose optimum was verified are reported. {_own_effect(models)}".rstrip(),
        f"Intervals are 95 % t intervals with Satterthwaite degrees of freedom. {_DF * known}Correlations are partial correlations, r = t / "
        "√(t² + df); a positive sign means a better outcome. Intervals of variance shares are "
        f"{interval_words(n_boot)}{_OF_ALLIANCE * known}. The primary estimate is "
        f"{_primary(design)}. All others are secondary; their p values are not corrected for multiple "
        f"tests. {_missing(design)}",
    )
    if models.robust:
        draft.cite("bell2002", "pustejovsky2018")
    if known:
        draft.cite("baldwin2007", "luedtke2008", "raudenbush2002", "thomas1978")
    draft.cite("fluckiger2018", "satterthwaite1946")


def leaving_methods(draft: Draft, design: EarlyDesign, m: int) -> None:
    """How clients who left are dealt with, where the report has these rows."""
    ids = {e.id for e in draft.estimates}
    said = []
    if "slope_within_delta_0" in ids:
        said.append(
            f"Scores of clients who left were filled in {m} times from the model of the course (its parameters, each client's own course and the "
            "scatter drawn anew), and moved by a delta that grows with time since the last score (Carpenter et al., 2013). The model was fitted to "
            "the completed scores, and the results pooled (Rubin, 1987; df of Barnard & Rubin, 1999); the variances of a delta are those of "
            "several copies."
        )
    if "slope_within_ipw" in ids:
        said.append(
            "Weights for clients who left before the end of the window are the inverse of the chance of staying, by a logistic regression on the "
            "last outcome score and the mean alliance before each session, stabilised and truncated at both ends (Robins et al., 2000)."
        )
    if "mv_p_mean_t" in ids:
        said.append(
            "The other windows and adjustments were judged together by permuting the alliance of "
            f"{'clients of the same therapist' if design.n_therapists else 'all clients'} (Simonsohn et al., 2020)."
        )
    if said:
        draft.method(" ".join(said))


def _outcome(design: EarlyDesign) -> str:
    c = design.choices
    if not design.course:
        return f"The outcome is the change in {c.outcome.label} from intake to the client's last score."
    return (
        f"There are two outcomes: the course of {c.outcome.label} after the window, in {c.time}s "
        f"since the client's last session in the window{_counted(c)}, and the change from intake to "
        "the client's last score."
    )


def _primary(design: EarlyDesign) -> str:
    outcome = "course after the window" if design.course else "change from intake to the last score"
    return f"the effect of early alliance {design.among} on the {outcome} ({'slope' if design.course else 'end'}_within)"


def _models(models: EarlyModels) -> str:
    endpoint = f"{models.endpoint.structure.words or 'least squares'}: {models.endpoint.formula}"
    if models.growth is None:
        return f"The change from intake was modelled by restricted maximum likelihood ({endpoint})."
    return (
        f"The course was modelled with a linear mixed model ({models.growth.structure.words}) by restricted maximum "
        f"likelihood: {models.growth.formula}. The change from intake: {models.endpoint.formula}."
    )


def _own_effect(models: EarlyModels) -> str:
    """How effects that differ between therapists are dealt with."""
    if models.own_effect:
        return (
            "The effect of alliance varies between therapists in the model, so its interval "
            "applies to therapists in general. Correlations are from the same models with one "
            "effect for all therapists; their intervals are widened as much as that of the "
            "effect is."
        )
    if models.robust:
        return (
            "The models take the effect of alliance to be the same for all therapists, because there are too few of them to estimate how it "
            "differs. Intervals within therapists and in total are therefore cluster-robust (CR2; clusters: therapists; Bell & McCaffrey, "
            "2002; df of Pustejovsky & Tipton, 2018), which hold if it does differ; those between therapists are the model's. The interval "
            "that assumes one effect for all therapists is shown as well. Correlations are from the models; their intervals are widened as "
            "much as that of the effect is. The figure of the course has bands with the same errors."
        )
    if models.endpoint.structure.therapist:
        return (
            "The models, and their intervals, take the effect of alliance to be the same for all therapists."
        )
    return ""


def _counted(c: Choices) -> str:
    if c.time != "session":
        return ""
    return " (the study has no dates or weeks, so `weeks` in the formulas counts sessions)"


def _covariates(draft: Draft, design: EarlyDesign) -> str:
    if not draft.covariates:
        return ""
    return f" They also adjust {_parts(design)} for {listing([c.words for c in draft.covariates])}."


def _missing(design: EarlyDesign) -> str:
    last = "the change from intake uses the last available score."
    if not design.course:
        return last[0].upper() + last[1:]
    return (
        "The model of the course uses all available outcome scores, assuming that scores are missing at random; "
        + last
    )


def _rates(design: EarlyDesign) -> str:
    if not design.course:
        return ""
    return "Rates of change for each client need three or more scores for half of the clients. "


def _parts(design: EarlyDesign) -> str:
    """What the models adjust."""
    return "level and rate of change" if design.course else "the change from intake"


def _adjusted(design: EarlyDesign) -> str:
    c = design.choices
    unit = "session" if c.window.sessions == 1 else "window"
    names = {
        "intake": "intake severity (the first score)",
        "change": f"change in {c.outcome.label} from intake to the last score in the {unit}",
    }
    adjust = [names[k] for k in c.covariates]
    if not adjust:
        return "The models do not adjust for anything else."
    return (
        f"All models adjust {_parts(design)} for {listing(adjust)}"
        + ", each split into therapist mean and client deviation like the alliance."
        * bool(design.n_therapists)
        + "." * (not design.n_therapists)
    )


def limits(draft: Draft, design: EarlyDesign) -> None:
    """What this design cannot say."""
    c = design.choices
    draft.limits += [
        "The result is an association, not a cause. Clients who improve early may rate the "
        "alliance higher, and something that was not measured may influence both.",
        "The result applies to clients who were still in treatment at the end of the early window "
        "and had an outcome score after it, not to the others.",
    ]
    if c.alliance.rater == c.outcome.rater:
        draft.limits.append(
            f"Alliance and outcome were both rated by the {c.alliance.rater}. A shared rater tends "
            "to inflate their association (halo)."
        )
    if c.adjust_early_change:
        draft.limits.append(
            "Adjusting for early change removes benefits of alliance that had occurred by the end "
            "of the window. Without this adjustment, early improvement counts as an effect of "
            "alliance. The sensitivity table shows both."
        )
    else:
        draft.limits.append(
            "The models do not adjust for early change, so improvement before the end of the "
            "window may count as an effect of alliance."
        )
    draft.limits.append(
        "The therapist's mean alliance is the mean over the analysed clients. With few clients per "
        "therapist, the effect between therapists is pulled towards the effect within therapists."
        if design.n_therapists
        else "Differences between therapists may be part of the effect, because the therapists are not known. If clients have therapists in "
        "common, the intervals are too narrow."
    )
    draft.limits += [
        "The end point is the last score, whenever treatment ended. For clients who ended "
        "treatment early this is an early score.",
    ]
