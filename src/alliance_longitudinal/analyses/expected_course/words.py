"""The sentences of the report on expected courses."""

from alliance_longitudinal.analyses.expected_course.compute import MIN_EVENTS, Judged, Validated
from alliance_longitudinal.analyses.kit import Count, Draft, Number, Share, say

LIMITS = (
    "A band says what is usual for clients like this one in these data. It does not say what treatment can reach, nor why a course "
    "differs.",
    "The last score counts as the end. Clients who left early have an early end, and clients who were helped because somebody saw that "
    "they were not improving count as if nobody had looked.",
    "All clients are from the same services. In other services the bands and the accuracy can be different.",
)

#: Fewest percentage points by which coverage differs from what a band promises, to be worth a caution.
OFF = 0.03


def answer(
    draft: Draft, symptoms: Validated, alliance: Validated | None, judged: Judged | None, unit: str
) -> None:
    """The question answered in a few sentences."""
    settings = symptoms.settings
    for found, infix in ((symptoms, ""), (alliance, "alliance_")):
        if found is None:
            continue
        cover, rmse = (draft[f"{name}_{infix}k{settings.decide:g}"] for name in (settings.cover, "rmse"))
        assert cover is not None
        assert rmse is not None
        draft.say(
            "{known}, the band that should hold {band} of later scores held {share} (95 % interval "
            "{share:interval}) of those of clients who were not used to make it. The typical error was {rmse} points.",
            known=_known(found, unit),
            band=Number(settings.band, "percent"),
            share=cover.share(),
            rmse=rmse.number(),
        )
    if judged is None or judged.rows.empty:
        return
    deteriorated = judged.rule.event == "deteriorated"
    event, ppv, npv = draft[judged.rule.event], draft["ppv"], draft["npv"]
    assert event is not None
    draft.say(
        "{share} of the clients {what} by their last score.",
        share=event.share(),
        what="deteriorated" if deteriorated else "did not improve reliably",
    )
    if ppv is not None and npv is not None and judged.flag is not None:
        rest = 1 - npv.estimate
        draft.say(
            "Of the clients with a warning at {when:noun}, {ppv} (95 % interval {ppv:interval}) later {what}; of the others, {rest}.",
            when=Number(settings.decide, "integer", unit),
            ppv=ppv.share(),
            what="deteriorated" if deteriorated else "had not improved",
            rest=Share.of(rest, npv.n),
        )
    delta, odds = draft["delta_auc_alliance"], draft["or_alliance"]
    if delta is not None and odds is not None:
        draft.say(
            "With the same symptoms so far, clients with a lower alliance {what} (odds ratio per SD {odds}, 95 % interval {odds:interval}). The "
            "alliance changed the accuracy of the prediction by {d} in AUC (95 % interval {d:interval}).",
            what=_tendency(odds.ci_low, odds.ci_high, deteriorated),
            odds=odds.number(),
            d=delta.number(),
        )


def _known(found: Validated, unit: str) -> str:
    return say(
        "With the {label} scores of the first {when:noun}"
        if found.settings.update
        else "From the first {label} score alone, for scores later than {when:noun} after the start",
        label=found.track.label,
        when=Number(found.settings.decide, "integer", unit),
    )


def _tendency(low: float, high: float, deteriorated: bool) -> str:
    event = "deteriorated" if deteriorated else "failed to improve"
    if low > 1:
        return f"{event} more often"
    if high < 1:
        return f"{event} less often"
    return f"did not clearly {'deteriorate' if deteriorated else 'fail to improve'} more or less often"


def findings(draft: Draft, symptoms: Validated, alliance: Validated | None, judged: Judged | None) -> None:
    """What a reader of the numbers has to know."""
    for found, infix in ((symptoms, ""), (alliance, "alliance_")):
        if found is None:
            continue
        band = found.settings.band
        cover = draft[f"{found.settings.cover}_{infix}k{found.settings.decide:g}"]
        assert cover is not None
        if abs(cover.estimate - band) > OFF and not cover.ci_low <= band <= cover.ci_high:
            draft.find(
                "band_off",
                "caution",
                "The band of {label} that should hold {band} of later scores held {share}, so it is too {what}. Try another shape of time.",
                found.track.label,
                label=found.track.label,
                band=Number(band, "percent"),
                share=cover.share(),
                what="narrow" if cover.estimate < band else "wide",
            )
        if found.by_therapist is None and found.settings.holdout == "therapist":
            draft.find(
                "therapists_not_left_out",
                "info",
                "There are too few therapists with two or more clients to leave therapists out. How well courses are predicted for a new "
                "therapist's clients is not known.",
                found.track.label,
            )
    if judged is None:
        draft.find(
            "no_rule",
            "caution",
            "Neither points of reliable change nor a reliability of {label} are known, so the report does not say who deteriorated. Give "
            "points=.",
            symptoms.track.label,
            label=symptoms.track.label,
        )
        return
    if judged.rows.empty:
        draft.find(
            "nobody_judged",
            "caution",
            "No client has a {label} score up to the time of the warning and one later. Choose other times with after= and decide=.",
            symptoms.track.label,
            label=symptoms.track.label,
        )
        return
    if not judged.enough:
        what = "deteriorated" if judged.rule.event == "deteriorated" else "did not improve reliably"
        draft.find(
            "accuracy_not_judged",
            "caution",
            "Of {all:noun} with a score before and after the warning, {n} {what}. At least {needed} with the event and {needed} without it are "
            "needed, so accuracy cannot be judged.",
            symptoms.track.label,
            all=Count(len(judged.rows), "client"),
            n=Count(judged.events, "client"),
            what=what,
            needed=Number(MIN_EVENTS, "integer"),
        )
        return
    ppv = draft["ppv_5"]
    if ppv is not None and ppv.estimate < 0.5:
        draft.find(
            "warnings_mostly_false",
            "caution",
            "Most warnings are false where the event is rare: if {five} of clients have it, {ppv} of the clients with a warning do (95 % interval "
            "{ppv:interval}). A warning is a reason to look at the case, not a forecast.",
            "warning",
            five=Number(0.05, "percent"),
            ppv=ppv.number("percent"),
        )
    slope = draft["calibration_slope"]
    if slope is not None and not slope.ci_low <= 1 <= slope.ci_high:
        draft.find(
            "risks_not_calibrated",
            "caution",
            "The risks are too {what} (calibration slope {s}, 95 % interval {s:interval}; right would be one).",
            "risk",
            what="extreme" if slope.estimate < 1 else "moderate",
            s=slope.number(),
        )


#: How a client's course is found, with the scores so far and without.
_NEW_CLIENT = {
    True: "For a new client, intercept and slope have a normal distribution given the scores so far.",
    False: "What is expected of a new client rests on the first score alone, not on the scores since.",
}


def describe(
    draft: Draft, symptoms: Validated, alliance: Validated | None, judged: Judged | None, unit: str
) -> list[str]:
    """The methods paragraphs."""
    s, track = symptoms.settings, symptoms.track
    function = {
        "log": f"log({unit}s + 1)",
        "linear": f"{unit}s",
        "spline3": f"natural cubic spline of {unit}s with three degrees of freedom",
    }[s.shape]
    slope = f" of log({unit}s + 1)" if s.shape == "spline3" else ""
    first = (
        f"The course of {track.measure.label} was modelled by REML: score ~ first score + {function}"
        f"{' + covariates' if track.covariates else ''}, with a random intercept and slope{slope} for each client"
        f"{' and a random intercept for each therapist' if track.known else ''}. Only scores after the first enter, because the first score is a "
        f"predictor. {_NEW_CLIENT[s.update]} Bands take the model's numbers as known. Each client was predicted from a model of the clients in the "
        f"other {s.folds - 1} of {s.folds} parts (seed {s.seed})"
        f"{'; in a second round all clients of a therapist were left out together' if symptoms.by_therapist is not None else ''}. "
        f"Scores {'up to' if s.update else 'later than'} {', '.join(f'{k:g}' for k in s.after)} {unit}s were "
        f"{'taken as known' if s.update else 'predicted'}. Intervals allow for clients of the same therapist "
        "(cluster-robust errors)."
    )
    out = [first]
    if judged is not None:
        out.append(
            f"A warning at {s.decide:g} {unit}s: the last score so far is worse than the {100 * s.band:g} % band expected from the first score. The event: "
            f"{'deterioration' if judged.rule.event == 'deteriorated' else 'no reliable improvement'} from the first to the last score "
            f"({judged.rule.points:.3g} points; {judged.rule.source}), in clients with a score up to the warning and one after it. The risk is the "
            f"probability of the event at {symptoms.held.at:.3g} {unit}s (the median length) given {'all scores so far' if s.update else 'the first score'}. Predictive values at "
            "other frequencies follow from sensitivity and specificity (Bayes)."
        )
    if alliance is not None:
        out.append(
            f"The course of {alliance.track.measure.label} was modelled and validated in the same way, from each client's first rating. What the alliance "
            "adds: two logistic models of the event, with the log odds of the risk, and with it and the mean alliance so far, each predicting the part "
            "of the clients that it was not fitted to; the error of the difference of their areas under the ROC curve is from leaving out each therapist in turn "
            "(jackknife), because the usual error takes the models as known."
        )
    return out


def accuracy_note(symptoms: Validated, judged: Judged, unit: str) -> str:
    """What the rows of the table of accuracy are."""
    return say(
        "At {when:noun}, among {n:noun} with a score so far and one later, {events} of whom had the event. Sensitivity, specificity and predictive values "
        "are of the warning (last score worse than the band); AUC, Brier score and calibration are of the risk. A prediction that gives everybody the "
        "observed share has a Brier score of {constant}.",
        when=Number(symptoms.settings.decide, "integer", unit),
        n=Count(len(judged.rows), "client"),
        events=Count(judged.events, "client"),
        constant=Number(judged.risk.brier_constant if judged.risk else float("nan"), n=len(judged.rows)),
    )
