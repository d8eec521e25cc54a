"""The sentences of the report on the course of the alliance."""

import numpy as np

from alliance_longitudinal.analyses.alliance_course.compute import SHAPES, Shapes
from alliance_longitudinal.analyses.alliance_course.design import Courses
from alliance_longitudinal.analyses.kit import Draft, Estimate, Number, Sentence, joined, say
from alliance_longitudinal.data.study import Measure

#: A smaller difference of AIC says little; share of wrong classes from which counts are not interpreted.
CLOSE, CONFUSED = 2.0, 0.30
#: Level of the test of a straight line; the smallest p value that is said.
CLEAR, LEAST_P = 0.05, 0.001

LIMITS = (
    "The average course is not that of any single client.",
    "Late sessions are those of clients who are still in treatment. The models assume that who leaves depends on earlier ratings only.",
    "The alliance follows improvement. A late alliance that goes together with outcome may be its result.",
)


def answer(draft: Draft, shapes: Shapes, courses: Courses, label: str, y: Measure | None) -> None:
    """The question answered in a few sentences."""
    table = shapes.main.table
    best = shapes.main.best
    if len(table) > 1:
        second = float(table["delta_aic"].iloc[1])
        template = (
            "Among the shapes that were compared, '{best}' describes the average course of {label} best"
            + (
                " (the AIC of the next one is {d} higher)."
                if second >= CLOSE
                else ", but '{next}' describes it about as well (AIC {d} higher)."
            )
        )
        draft.say(
            template,
            best=SHAPES[best],
            label=label,
            d=Number(second, n=shapes.main.n),
            next=SHAPES[str(table.index[1])],
        )
    _line(draft, shapes)
    _turn(draft, shapes, courses, label)
    _phases(draft, shapes, courses, label)
    late = draft["late_given_early"]
    if late is not None and y is not None:
        draft.say(
            "Given the early alliance, {what} (difference {e} {y} points per point, 95 % interval {e:interval}).",
            what=_outcome(late, y),
            e=late.number(),
            y=y.instrument.label,
        )


def _line(draft: Draft, shapes: Shapes) -> None:
    """Whether a straight line is clearly worse than the best shape, of which it is a special case."""
    test = draft["line"]
    if test is None:
        return
    draft.say(
        "A straight line is clearly worse (likelihood-ratio test, {p})."
        if test.p < CLEAR
        else "A straight line is not clearly worse (likelihood-ratio test, {p}), and a smaller AIC alone may be due to chance.",
        p=_p(test.p),
    )


def _p(value: float) -> Sentence:
    """A p value with its sign."""
    return say("p {x}" if value < LEAST_P else "p = {x}", x=Number(value, "p"))


def _turn(draft: Draft, shapes: Shapes, courses: Courses, label: str) -> None:
    """Where the average turns, if a curve describes it and the limits are within the sessions."""
    turn, low, high = draft["turning"], draft["turning_low"], draft["turning_high"]
    if turn is None or low is None or high is None:
        return
    if _turns_inside(draft, shapes, courses):
        draft.say(
            "On average {label} is {kind} at session {t} (95 % interval {t:interval}).",
            label=label,
            kind=shapes.main.turning_point.kind,
            t=Number(turn.estimate, low=low.estimate, high=high.estimate),
        )


def _turns_inside(draft: Draft, shapes: Shapes, courses: Courses) -> bool:
    """Whether a curve describes the average about as well as the best shape, and turns within the sessions."""
    low, high = draft["turning_low"], draft["turning_high"]
    if low is None or high is None or not shapes.main.table.loc["quadratic", "delta_aic"] < CLOSE:
        return False
    return bool(low.estimate >= 1 and high.estimate <= float(courses.rows["session"].max()))


def _phases(draft: Draft, shapes: Shapes, courses: Courses, label: str) -> None:
    """What the average does in each phase, and whether it falls and returns."""
    phases = [draft[f"phase_{k + 1}"] for k in range(len(courses.knots) + 1)]
    known = [e for e in phases if e is not None]
    if len(known) < len(phases):
        return
    signs = [0 if e.ci_low <= 0 <= e.ci_high else int(np.sign(e.estimate)) for e in known]
    words = {1: "rises", 0: "does not clearly change", -1: "falls"}
    runs: list[tuple[int, list[str]]] = []  # phases that go the same way are named together
    for sign, sessions in zip(signs, courses.phase_words(), strict=True):
        if runs and runs[-1][0] == sign:
            runs[-1][1].append(sessions)
        else:
            runs.append((sign, [sessions]))
    said = [
        say("{what} in {sessions}", what=words[sign], sessions=" and ".join(sessions))
        for sign, sessions in runs
    ]
    if len(runs) == 1:
        said = [say("{what} in every phase", what=words[signs[0]])]
    if -1 in signs and 1 in signs[signs.index(-1) :]:
        verdict = "It falls and returns (high-low-high)."
    elif _turns_inside(draft, shapes, courses) and shapes.main.turning_point.kind == "lowest":
        verdict = "The curve falls and returns (high-low-high), but in these phases a fall and a rise are not both clear."
    else:
        verdict = "It does not clearly fall and return (high-low-high)."
    draft.say(
        "On average {label} {course}. " + verdict,
        label=label,
        course=joined(said, ", then "),
    )


def _outcome(e: Estimate, y: Measure) -> str:
    if e.ci_low <= 0 <= e.ci_high:
        return "clients with a better late alliance did not clearly differ in outcome"
    better = (e.estimate > 0) == (y.instrument.direction == "higher_better")
    return f"clients with a better late alliance had a {'better' if better else 'worse'} outcome"


def findings(draft: Draft, shapes: Shapes, courses: Courses, label: str) -> None:
    """What a reader of the numbers has to know."""
    for name, why in shapes.main.failed.items():
        draft.find(
            "shape_failed",
            "caution",
            "The shape '{shape}' could not be fitted: {why}",
            label,
            shape=SHAPES[name],
            why=why,
        )
    turn = draft["turning"]
    if turn is not None and (draft["turning_low"] is None or draft["turning_high"] is None):
        draft.find(
            "turning_open",
            "caution",
            "The average course could as well be straight, so it is not known where it turns, and the limits by Fieller are open. Do not "
            "use the turning point.",
            label,
        )
    elif turn is not None:
        last = float(courses.rows["session"].max())
        if not 1 <= turn.estimate <= last:
            draft.find(
                "turning_outside",
                "info",
                "The curve turns outside the sessions, so within them it only rises or only falls.",
                label,
            )
    wrong = [e for e in draft.estimates if e.id.startswith("confusion_")]
    if wrong and max(e.estimate for e in wrong) > CONFUSED:
        worst = max(wrong, key=lambda e: e.estimate)
        draft.find(
            "classes_confused",
            "caution",
            "With these numbers of ratings and this spread, up to {wrong} of the courses of one kind are put into another class. Do not interpret "
            "the shares of the classes.",
            label,
            wrong=Number(worst.estimate, "percent"),
        )
    late = draft["late_given_early"]
    if late is not None and not late.ci_low <= 0 <= late.ci_high:
        draft.find(
            "late_follows_improvement",
            "caution",
            "The late alliance and the outcome go together. This is not evidence that the late alliance helps: in the late sessions the "
            "alliance also follows improvement.",
            label,
        )
    if shapes.shared:
        session, share = (shapes.shared[k].table["aic"].iloc[0] for k in ("session", "share"))
        if share < session - CLOSE:
            draft.find(
                "share_fits_better",
                "info",
                "The share of the own treatment describes the course better than the number of the session.",
                label,
            )


def method_of(
    a: Measure, y: Measure | None, courses: Courses, shapes: Shapes, least: int, late: int
) -> list[str]:
    """The methods paragraphs."""
    names = ", ".join(SHAPES[str(n)] for n in sorted(shapes.main.fits, key=list(SHAPES).index))
    out = [
        f"Shapes of the average course of {a.label} over sessions ({names}) were compared by maximum likelihood with a random intercept and slope "
        "for each client, by Akaike's criterion. The turning point of the curve has limits by the delta method and by Fieller's. A mixed model "
        f"with therapists and clients gave the change in each phase ({'; '.join(courses.phase_words())}). The course was also fitted over the "
        "share of each client's own treatment.",
        f"Courses of clients with {least} or more ratings were classified by the AICc of a constant, a line and a parabola. How often that is "
        "wrong was simulated with independent errors.",
    ]
    if y is not None:
        out.append(
            f"Late alliance: the mean of the ratings in the {late} sessions before the last one with a score of {y.label}. A model of this last "
            "score had the early and the late alliance, the first score, the last score before the late ratings and the number of their first session as predictors, within "
            "therapists."
        )
    return out
