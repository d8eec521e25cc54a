"""The moderators in words: answer, methods and limits, all generated from the numbers."""

from collections.abc import Sequence

from alliance_longitudinal.analyses.kit import (
    Count,
    Draft,
    Number,
    Sentence,
    Share,
    listed,
    say,
    slug,
)
from alliance_longitudinal.analyses.kit.fits import CLIENTS_FOR_OWN_EFFECT, MIN_FOR_OWN_EFFECT
from alliance_longitudinal.analyses.moderators.compute import Model, Test
from alliance_longitudinal.analyses.moderators.estimates import alliance_scale, quantiles
from alliance_longitudinal.analyses.moderators.probe import Line
from alliance_longitudinal.labels import listing

LIMITS = (
    "A moderator was not assigned at random. The effect of the alliance may differ because of something that goes together with "
    "the moderator.",
    "The result is an association, not a cause. Clients who improve early may rate the alliance higher.",
    "The result applies to clients who were still in treatment at the end of the early window and had an outcome score after it.",
    "A product is estimated less precisely than the effect of the alliance. A moderator that is not clear may still be one.",
)
#: Below this a test counts as clear.
ALPHA = 0.05


def overview(draft: Draft, tests: Sequence[Test], followed: Test) -> None:
    """How many moderators were tested, which are clear, and which one the answer is about."""
    if len(tests) < 2:
        return
    clear = [t for t in tests if t.q < ALPHA]
    names = listed([t.label for t in clear])
    why = "it was planned" if followed.planned else "it has the smallest p value"
    draft.say(
        "{n} moderators were tested. With allowance for the number of tests, the effect of the early alliance clearly depends on "
        "{clear}. The following is about {label}, because {why}.",
        n=Number(len(tests), "integer"),
        clear=names if clear else "none of them",
        label=followed.label,
        why=why,
    )


def answer(draft: Draft, model: Model, test: Test, line: Line | None, weeks: float) -> None:
    """The effect of the alliance at values of one moderator, whether they differ, and where the effect is clear."""
    _effects(draft, model, weeks)
    _difference(draft, model, test, weeks)
    if line is not None and not line.clear:
        draft.say(
            "The effect is not clearly different from zero at any value of {label} in the data.",
            label=model.design.moderator.label,
        )
    elif line is not None:
        draft.say(
            "The effect is clearly different from zero {where}, which is where {share} of the clients are.",
            where=where_words(model, line),
            share=Share(line.inside_data, model.design.n),
        )


def span_words(model: Model, weeks: float) -> Sentence:
    """Over which time the outcome changes."""
    if model.kind == "end":
        return Sentence("from intake to the last score")
    return say("over {time:noun}", time=Number(weeks, "integer", model.design.asked.time))


def _turned(model: Model, row: dict[str, float], factor: float) -> Number:
    """The effect of one SD of alliance as points of improvement."""
    times = model.design.asked.good_sign * factor
    low, high = sorted((times * row["ci_low"], times * row["ci_high"]))
    return Number(times * row["estimate"], low=low, high=high, n=model.design.n)


def _effects(draft: Draft, model: Model, weeks: float) -> None:
    design = model.design
    outcome = design.asked.outcome.instrument.label
    factor = alliance_scale(model, weeks)
    if design.categories:
        places = [(say("for {name}", name=design.reference), model.slope("", 0.0))]
        places += [
            (say("for {name}", name=name), model.slope(column, 1.0))
            for column, name in design.categories.items()
        ]
    else:
        (_, low), _, (_, high) = quantiles(model)
        places = [
            (
                say("at {label} of {value}", label=design.moderator.label, value=Number(value, n=design.n)),
                model.slope(design.along, value - design.centre),
            )
            for value in (low, high)
        ]
    sizes = [_turned(model, row, factor) for _, row in places]
    said: list[str] = [
        say(
            "{size} {outcome} points {place} (95 % interval {size:interval})",
            size=size,
            place=place,
            outcome=outcome,
        )
        for size, (place, _) in zip(sizes, places, strict=True)
    ]
    draft.say(
        "{whose}, one standard deviation ({sd} {alliance} points) more early alliance was related to this much more improvement "
        "{span}: {places}.{below}",
        whose="Among all clients" if design.part == "early_total" else "Among clients of the same therapist",
        sd=Number(design.sd(design.part), n=design.n),
        alliance=design.asked.alliance.instrument.label,
        span=span_words(model, weeks),
        places=listed(said),
        below=" Below zero means less improvement." if min(s.low for s in sizes) < 0 else "",
    )


def _difference(draft: Draft, model: Model, test: Test, weeks: float) -> None:
    design = model.design
    p = Number(test.q, "p", n=test.n)
    corrected = "" if test.planned else " corrected for the number of tests"
    if test.q < ALPHA:
        draft.say(
            "The effect of the alliance clearly differs by {label} (p{corrected}: {p}).",
            label=design.moderator.label,
            corrected=corrected,
            p=p,
        )
        return
    draft.say(
        "It is not clear whether the effect of the alliance depends on {label} (p{corrected}: {p}).",
        label=design.moderator.label,
        corrected=corrected,
        p=p,
    )
    least = draft[f"mod_{slug(design.moderator.name)}_within_detectable"]
    if least is not None:
        draft.say(
            "Four of five studies of this size would find it if the effect differed {between} by at least {size} {outcome} points {span}.",
            size=Number(least.estimate, n=least.n),
            outcome=design.asked.outcome.instrument.label,
            span=span_words(model, weeks),
            between="between the two categories"
            if design.categories
            else f"between clients who are one standard deviation of {design.moderator.label} apart",
        )


def where_words(model: Model, line: Line) -> Sentence:
    """For which values of the moderator the effect is clear: above, below, between, everywhere or nowhere in the data."""
    label, n = model.design.moderator.label, model.design.n
    low, high = float(line.values[0]), float(line.values[-1])
    if not line.clear:
        return say("at no value of {label} in the data", label=label)
    if not line.roots:
        return say("at every value of {label} in the data", label=label)
    said: list[str] = []
    for a, b in line.clear:
        ends = {"a": Number(a, n=n), "b": Number(b, n=n)}
        if a <= low:
            said.append(say("below {b}", b=ends["b"]))
        elif b >= high:
            said.append(say("above {a}", a=ends["a"]))
        else:
            said.append(say("between {a} and {b}", a=ends["a"], b=ends["b"]))
    return say("for values of {label} {where}", label=label, where=listed(said))


def ranges_words(ranges: Sequence[tuple[float, float]], n: int) -> Sentence:
    """Ranges of values, or that there is none."""
    if not ranges:
        return Sentence("nowhere")
    return listed([say("{a} to {b}", a=Number(a, n=n), b=Number(b, n=n)) for a, b in ranges])


def methods(draft: Draft, model: Model, adjust: Sequence[str], planned: str | None, min_rated: int) -> None:
    """The methods section, from the parameters."""
    asked = model.design.asked
    rated = say("{n:noun}", n=Count(min_rated, "rated session"))
    outcome = (
        f"the course of {asked.outcome.label} after it, in {asked.time}s since the client's last session in the window"
        if model.kind == "slope"
        else f"the change in {asked.outcome.label} from intake to the client's last score"
    )
    held = {"intake": "intake severity", "change": "change up to the end of the window"}
    draft.method(
        say(
            "Early alliance is the mean {alliance} score in {window}, for clients with at least {rated} in it. It was split into the "
            "therapist's mean and the client's deviation from it, and so was every moderator that is a number. Each moderator has a "
            "model of its own with the products of both parts of the alliance and both parts (or the categories) of the moderator; the "
            "outcome is {outcome}. The models also adjust level and change for {held}, split in the same way.",
            alliance=asked.alliance.label,
            window=str(asked.window),
            rated=rated,
            outcome=outcome,
            held=listing([held[k] for k in adjust]),
        ),
        say(
            "Categories stay categories: the effect of the alliance is estimated in each, and numbers are not cut into groups. "
            "Therapists differ in the effect of the alliance within them where {n} of them have at least {k} clients. Otherwise "
            "errors of effects within therapists and of their dependence on a moderator are cluster-robust, so that "
            "they hold if therapists differ. The random part is the fullest that the design allows. "
            "Intervals are of t with Satterthwaite's degrees of freedom; those of what differs between therapists only are bounded by "
            "the number of therapists.",
            n=Number(MIN_FOR_OWN_EFFECT, "integer"),
            k=Number(CLIENTS_FOR_OWN_EFFECT, "integer"),
        ),
        "The tested product is that of the alliance within therapists with the client's moderator (or with the therapist's, if "
        "clients of a therapist do not differ in it). "
        + (
            "One moderator was planned; its p value is not corrected. p values of the others are"
            if planned is not None
            else "No moderator was named as planned. The p values are"
        )
        + " corrected for their number by the false discovery rate (Benjamini & Hochberg).",
        "The effect is followed along a number by the method of Johnson and Neyman, with the degrees of freedom of the effect at each "
        "value, within the values in the data. The second version controls the false discovery rate over these values (Esarey & "
        "Sumner). The detectable difference would be found in four of five studies with this standard error; it does not use the estimate.",
    )
    draft.cite(
        "benjamini1995",
        "bauer2005",
        "esarey2018",
        "baldwin2007",
        "satterthwaite1946",
        "hoenig2001",
        "bloom1995",
    )
    if not model.fitted.structure.own_effect:
        draft.cite("bell2002", "pustejovsky2018")
