"""The sentences of the answer, the findings and the methods section."""

from typing import TYPE_CHECKING

from alliance_longitudinal.analyses.kit import Draft, Estimate, Number, short
from alliance_longitudinal.analyses.lagged_effects.processes import Names, directions
from alliance_longitudinal.data.study import Measure

if TYPE_CHECKING:
    from alliance_longitudinal.methods.panel.riclpm import CrossLagged

#: Estimators that allow feedback and remove what is stable, in the order of the text.
ROBUST = ("mldpm", "gmm_difference", "gmm_system")
#: Findings of a dynamic panel model that say not to use it.
DOUBTS = {"outside_bracket", "serial_correlation", "many_instruments"}


def clear(e: Estimate) -> bool:
    """Whether the interval leaves zero out."""
    return e.ci_low > 0 or e.ci_high < 0


def answer(draft: Draft, names: Names, a: Measure, y: Measure) -> None:
    """One sentence for each direction, and whether other estimators agree."""
    for d, lead, follow in zip(directions(names), (a, y), (y, a), strict=True):
        found = draft[f"riclpm_{d.key}"]
        if found is None:
            continue
        up = "higher" if found.estimate > 0 else "lower"
        if clear(found):
            draft.say(
                "After a session with {lead} one point higher than usual for the client, {follow} was {up} at the next session "
                "({size} points, 95 % interval {size:interval}).",
                lead=lead.instrument.label,
                follow=follow.instrument.label,
                size=found.number(),
                up=up,
            )
        else:
            draft.say(
                "After a session with {lead} higher than usual for the client, {follow} at the next session was not clearly "
                "different ({size} points per point, 95 % interval {size:interval}).",
                lead=lead.instrument.label,
                follow=follow.instrument.label,
                size=found.number(),
            )
        _agreement(draft, d.key, found)


def _doubtful(draft: Draft, key: str) -> bool:
    """Whether the estimator's own tests speak against it: then it neither supports the main estimate nor contradicts it."""
    found = getattr(draft.models.get(key), "findings", ())
    return any(f.code in DOUBTS for f in found)


def _agreement(draft: Draft, key: str, main: Estimate) -> None:
    there = [
        e
        for name in (*ROBUST, "riclpm_trend", "riclpm_level")
        if (e := draft[f"{name}_{key}"]) is not None and not _doubtful(draft, f"{name}_{key}")
    ]
    if not there:
        return
    apart = [e for e in there if e.ci_low > main.ci_high or e.ci_high < main.ci_low]
    sides = [e for e in there if clear(e) and clear(main) and (e.estimate > 0) != (main.estimate > 0)]
    if apart or sides:
        draft.say(
            "Of {n:noun} that also remove stable differences between clients, {k} {what}.",
            n=Number(len(there), "integer", "other estimate"),
            k=Number(len(apart) + len([e for e in sides if e not in apart]), "integer"),
            what="disagrees" if len({*apart, *sides}) == 1 else "disagree",
        )
    elif len(there) == 1:
        draft.say(
            "The other estimate that also removes stable differences between clients agrees with this within the intervals."
        )
    else:
        draft.say(
            "The {n:noun} that also remove stable differences between clients agree with this within the intervals.",
            n=Number(len(there), "integer", "other estimate"),
        )


def findings(draft: Draft, found: "CrossLagged", names: Names) -> None:
    """What the main model's fit means for a reader."""
    labels = {"x": names.a_label, "y": names.y_label, "z": names.z_label}
    for f in found.findings:
        if f.code in ("not_converged", "no_fit_test", "few_persons", "improper_solution", "few_clusters"):
            draft.findings.append(f)
    for letter, label in labels.items():
        value = found.params.get(f"var_ri_{letter}")
        if value is not None and value <= 1e-8:
            draft.find(
                "no_stable_levels",
                "caution",
                "These data show no stable differences between clients in {label}: the model is then the ordinary cross-lagged model.",
                label=label,
            )
    bad = found.cfi < 0.95 or found.rmsea > 0.06
    if bad:
        draft.find(
            "poor_fit",
            "caution",
            "The main model describes these data only roughly (CFI {cfi}, RMSEA {rmsea}). Compare its estimates with those of the other "
            "versions, and with a shorter run of sessions.",
            reference=short("hu1999"),
            cfi=Number(found.cfi, "number"),
            rmsea=Number(found.rmsea, "number"),
        )


def estimators_differ(draft: Draft) -> None:
    """Where the usual centred model says something else, or the dynamic panel lies far off."""
    for key in ("a_to_y", "y_to_a"):
        main, centred = draft[f"riclpm_{key}"], draft[f"mlm_{key}"]
        if main and centred and (clear(main) != clear(centred)):
            draft.find(
                "centred_model_differs",
                "info",
                "The mixed model centred on clients' means gives {other} where the main model gives {main}. Centring on a short series is "
                "biased where the alliance answers to earlier change (feedback), so the main model is reported.",
                other=centred.number(),
                main=main.number(),
            )
            return


def methods_text(
    draft: Draft, names: Names, span: tuple[int, int], options: dict[str, bool], clustered: bool
) -> None:
    """The methods section."""
    lines = " and a line over sessions" if options["trend"] else ""
    rule = " (chosen by the lower AIC, with lines of clients or without)" if options["chosen"] else ""
    lags = "held equal over sessions" if options["equal_lags"] else "free at each step and averaged"
    errors = (
        "standard errors allow for clients of the same therapist (sandwich)"
        if clustered
        else "clients are taken as independent"
    )
    draft.method(
        f"Sessions {span[0]} to {span[1]}. The main estimates come from a random-intercept cross-lagged panel model of "
        f"{names.a_label} and {names.y_label}. In both, each client has his or her own level{lines}{rule}. Deviations from it at one session are "
        f"related to those at the next, with effects {lags}. The model was fitted by full-information maximum likelihood to all scores, which "
        f"assumes that missing scores are missing at random; {errors}. The alliance may follow earlier symptoms (feedback), and symptoms "
        "may follow the alliance. The model is of means and covariances, so residuals of single scores are not shown; what can be tested of "
        "its assumptions is in the tables.",
        "Other estimators: a dynamic panel model by maximum likelihood, with a client effect that may "
        "correlate with all predictors, and a predictor that may correlate with the "
        "outcome of the same session; two-step GMM in differences and in the system, with "
        "collapsed instruments and Windmeijer's correction, and the instruments of Anderson and Hsiao, both with "
        "clients taken as independent; "
        "and, as description, a mixed model centred on clients' means and the cross-lagged model "
        "without client levels, which feedback and stable differences bias.",
    )
    if names.held:
        draft.method(
            "In the main model each measure depends on the covariates at every session, with effects that may change over sessions (Mulder & "
            "Hamaker, 2021); the dynamic panel by likelihood and the centred model have one effect of each. The GMM estimators remove what does not "
            "change."
        )
        draft.cite("mulder2021")
    draft.cite("hamaker2015", "allison2017", "arellano1991", "windmeijer2005", "falkenstrom2020")
