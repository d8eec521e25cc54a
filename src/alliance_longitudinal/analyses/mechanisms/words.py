"""The mechanisms in words: answer, findings and methods. The words claim an order of time and an association, nothing else."""

from collections.abc import Sequence

from alliance_longitudinal.analyses.kit import Draft, Number, Sentence, say
from alliance_longitudinal.analyses.mechanisms.compute import Paths
from alliance_longitudinal.analyses.mechanisms.design import Asked, Cause, Detrend
from alliance_longitudinal.analyses.mechanisms.estimates import place, shown
from alliance_longitudinal.labels import listing

LIMITS = (
    "An indirect path is a product of two associations. It shows a mechanism only if nothing unmeasured is related to both the alliance and "
    "the outcome, or to the cause and either of them. Neither is assigned at random.",
    "The cause, the alliance and the outcome may come in another order than the one examined.",
    "The path is that of an average client (or therapist). It may differ where the effect of the alliance depends on the cause.",
    "Questionnaires measure with error. Error in the alliance makes its path to the outcome smaller.",
)
#: Correlation of errors that is easily reached by something unmeasured.
SMALL_RHO = 0.10


def answer(draft: Draft, every: Sequence[Paths], cause: Cause, asked: Asked) -> None:
    """Each level in two or three sentences."""
    for paths in shown(every):
        _legs(draft, paths, cause, asked)
        _indirect(draft, paths, cause, asked)
        _rho(draft, paths)


def _clear(row: dict[str, float]) -> bool:
    return row["ci_low"] > 0 or row["ci_high"] < 0


def _number(row: dict[str, float], factor: float, n: int) -> Number:
    return Number(factor * row["estimate"], low=factor * row["ci_low"], high=factor * row["ci_high"], n=n)


def _legs(draft: Draft, paths: Paths, cause: Cause, asked: Asked) -> None:
    """The two legs of the path, each in the order of time of this level."""
    a, y = asked.alliance.instrument.label, asked.outcome.instrument.label
    n = paths.n if paths.level != "therapist" else 0
    legs = {
        "session": (
            "Within clients, after sessions with {cause} one standard deviation ({sd}) above the client's usual, {alliance} at the next session was "
            "{a_how} ({a} points, 95 % interval {a:interval}). After sessions with {alliance} one point above the usual, {outcome} one session later "
            "was {b_how} ({b} points, {b:interval})."
        ),
        "client": (
            "Clients{of} with {cause} one standard deviation ({sd}) higher had an early {alliance} that was {a_how} ({a} points, 95 % interval {a:interval}). "
            "With early {alliance} one point higher, later change in {outcome}{rate}, given {cause}, was {b_how} ({b} points, {b:interval})."
        ),
        "therapist": (
            "Clients of therapists with {cause} one standard deviation ({sd}) higher had an early {alliance} that was {a_how} ({a} points, 95 % interval "
            "{a:interval}; {units:noun}). With a therapist's mean one point higher, the change in {outcome} from intake, given {cause}, was {b_how} "
            "({b} points, {b:interval})."
        ),
    }
    how_a, how_b = _how(paths.rows["a"]), _how(paths.rows["b"])
    draft.say(
        legs[paths.level],
        cause=cause.label,
        sd=Number(paths.sd, n=n or float("inf")),
        alliance=a,
        outcome=y,
        a=_number(paths.rows["a"], paths.sd, n or paths.n),
        a_how=how_a,
        b=_number(paths.rows["b"], 1.0, n or paths.n),
        b_how=how_b,
        rate=paths.rate,
        of=" of the same therapist" if draft.therapists_known else "",
        units=Number(paths.units, "integer", "therapist"),
    )


def _how(row: dict[str, float]) -> str:
    """Direction of a leg, if it is clear."""
    return ("higher" if row["estimate"] > 0 else "lower") if _clear(row) else "not clearly different"


def _indirect(draft: Draft, paths: Paths, cause: Cause, asked: Asked) -> None:
    """The indirect path for one SD of the cause, and how clear it is."""
    size = _number(paths.rows["indirect"], paths.sd * paths.times, paths.n)
    values: dict[str, Number | Sentence | str] = {
        "place": place(paths).capitalize(),
        "cause": cause.label,
        "outcome": asked.outcome.instrument.label,
        "size": size,
        "span": _span(paths, asked),
    }
    if _clear(paths.rows["indirect"]):
        draft.say(
            "{place}, the path from {cause} by way of the alliance is {size} {outcome} points{span} for one standard deviation (95 % interval "
            "{size:interval}), so it is clearly not zero.",
            **values,
        )
    else:
        draft.say(
            "{place}, it is not clear whether there is a path from {cause} by way of the alliance: it is {size} {outcome} points{span} for one "
            "standard deviation, and the 95 % interval ({size:interval}) includes zero.",
            **values,
        )


def _span(paths: Paths, asked: Asked) -> Sentence:
    if not paths.rate:
        return Sentence("")
    return say(" over {time:noun}", time=Number(paths.times, "integer", asked.time))


def _rho(draft: Draft, paths: Paths) -> None:
    if paths.confounding is None or not _clear(paths.rows["indirect"]):
        return
    draft.say(
        "Something unmeasured that moves both the alliance and the outcome could account for this path if the errors of the two correlated "
        "at {rho}.",
        rho=Number(paths.confounding.rho_zero, n=paths.n if paths.level != "therapist" else float("inf")),
    )


def findings(draft: Draft, every: Sequence[Paths], cause: Cause, asked: Asked) -> None:
    """Feedback, order of time, few therapists, weak robustness."""
    levels = {p.level: p for p in every}
    if "session" in levels:
        draft.find(
            "feedback",
            "caution",
            "The alliance may follow earlier improvement. Then paths within clients from deviations of the client's mean are biased, most of "
            "all in short series. The analysis lagged_effects with a third measure (other=) allows for this feedback.",
            "within clients",
        )
    if cause.level == "session" and "client" in levels:
        draft.find(
            "no_order_between",
            "caution",
            "Between clients, {cause} and the alliance are from the same sessions of the early window, so it is not known which came first.",
            "between clients",
            cause=cause.label,
        )
    if cause.level == "client":
        draft.find(
            "order_of_cause",
            "info",
            "The report assumes that {cause} was known before the early window. If it was measured later, it is not known which came first.",
            "between clients",
            cause=cause.label,
        )
    therapist = levels.get("therapist")
    if therapist is not None:
        draft.find(
            "path_of_few_therapists",
            "underpowered" if therapist.units < 20 else "caution",
            "The path between therapists rests on {n:noun}, however many clients they have. Its two legs are both estimated from "
            "this number.",
            "between therapists",
            n=Number(therapist.units, "integer", "therapist"),
        )
    for paths in shown(every):
        if paths.confounding is not None and paths.clear and abs(paths.confounding.rho_zero) < SMALL_RHO:
            draft.find(
                "weak_path",
                "caution",
                "{place}, a correlation of errors of only {rho} would make the indirect path zero.",
                place(paths),
                place=place(paths).capitalize(),
                rho=Number(paths.confounding.rho_zero),
            )
        if "prop" in paths.rows and not 0 <= paths.rows["prop"]["estimate"] <= 1:
            draft.find(
                "share_outside",
                "info",
                "{place}, the indirect and the direct path have opposite signs, so the indirect path cannot be given as a share of the total.",
                place(paths),
                place=place(paths).capitalize(),
            )


def methods(draft: Draft, every: Sequence[Paths], cause: Cause, asked: Asked, detrend: Detrend) -> None:
    """The methods section: one paragraph for each level."""
    a, y = asked.alliance.label, asked.outcome.label
    levels = {p.level for p in every}
    parts: list[str] = []
    if "session" in levels:
        time = {
            "mean": "",
            "common": " and from the common course (a parabola over sessions)",
            "client": " and from the client's own line over sessions",
        }[detrend]
        parts.append(
            f"Within clients, {cause.label} of a session, {a} of the next session and {y} one session after that were taken as deviations from the "
            f"client's mean{time}. One mixed model of both (1-1-1) has paths that differ between clients, and a residual variance "
            "for each outcome; the indirect path is the product of the mean paths plus their covariance between clients (Bauer, Preacher & Gil). "
            "Its interval is by Monte Carlo, and includes the sampling error of the covariance."
        )
        draft.cite("bauer2006", "preacher2012")
    held = {"intake": "intake severity", "change": "change up to the end of the window"}
    adjusted = listing([held[k] for k in asked.adjust])
    if "client" in levels:
        parts.append(
            f"Between clients, a mixed model related early alliance (mean {a} in {asked.window}) to {cause.label}, and another the later "
            f"course of {y} to both; both hold {adjusted} constant, and all predictors are split into the therapist's mean and the "
            "client's deviation from it. The interval of the indirect path is from the exact distribution of the product of two estimates "
            "with their degrees of freedom."
        )
        draft.cite("mackinnon2004", "baldwin2007")
    if any(p.latent and p.level == "client" for p in every):
        parts.append(
            f"A second look between clients uses all sessions: latent client means of {a} and of the change in {y} from intake at the next "
            "session (2-1-1; Preacher, Zyphur & Zhang). It takes clients as independent and adjusts for nothing else."
        )
        draft.cite("preacher2010")
    if "therapist" in levels:
        parts.append(
            f"Between therapists, a model with latent therapist means related {cause.label} to clients' early alliance and this to their "
            f"change in {y} from intake to the last score (Preacher, Zyphur & Zhang); {adjusted} were taken out by their effect within therapists. "
            "The interval of the indirect path is by Monte Carlo. A second look uses observed means and the course after the window."
        )
        draft.cite("preacher2010")
    parts.append(
        "Sensitivity to unmeasured confounding is the correlation between the errors of alliance and outcome at which the indirect path is zero "
        "(Imai, Keele & Yamamoto), with the errors of the level of the path. No p value is given for an indirect path. The share of the total path is given only if the total path is "
        "clear."
    )
    if draft.checked:
        parts.append(
            "An indirect path is a product of two paths, so internal reports check the model of each of the two. Latent means, and the "
            "path within clients, have no such checks: their models are of alliance and outcome together."
        )
    else:
        parts.append(
            "There are no checks of residuals: the paths are not from mixed models of one score, but from models of alliance and outcome together or "
            "without random effects."
        )
    draft.method(*parts)
    draft.cite("imai2010")
