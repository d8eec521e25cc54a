"""The words of the report on predictors of the alliance."""

from collections.abc import Mapping, Sequence

from alliance_longitudinal.analyses.alliance_predictors.compute import TEN, Model
from alliance_longitudinal.analyses.alliance_predictors.design import Effect, Predictor
from alliance_longitudinal.analyses.alliance_predictors.tables import Row
from alliance_longitudinal.analyses.kit import Draft, Estimate, Number, Sentence, listed, say
from alliance_longitudinal.analyses.kit.benchmarks import Benchmark
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.labels import MINUS

LIMITS = (
    "Predictors were not assigned by chance. What goes with a good alliance may not be its cause.",
    "Effects between therapists compare therapists' clients as well as therapists, because clients were not assigned at random.",
    "A predictor that was measured with error shows a smaller effect than the trait itself.",
    "Late ratings come only from clients who stay in treatment. The models assume that missing ratings depend on what was observed.",
    "If predictors were chosen after looking at the data, p, q and intervals are too optimistic.",
)
#: q up to which an effect is called clear.
CLEAR = 0.05
#: Effects that the answer describes; the others are counted.
DESCRIBED = 3


def answer(
    draft: Draft,
    rows: Mapping[str, Sequence[tuple[str, Effect, Row]]],
    joint: Sequence[tuple[tuple[Predictor, Predictor], Row]],
    a: Measure,
    time: str,
) -> None:
    """Which effects are clear, the clearest first; an effect is described for one part of the alliance."""
    every = [row for of_part in rows.values() for row in of_part]
    tested = len(every) + len(joint)
    clear = sorted(
        (r for r in every if r[2].q <= CLEAR), key=lambda r: -abs(r[2].effect.estimate / r[2].effect.se)
    )
    clear_joint = [r for r in joint if r[1].q <= CLEAR]
    n = len(clear) + len(clear_joint)
    said = "Of {all:noun} on {alliance}, " + ("{k} {k:is|are}" if n else "none is")
    draft.say(
        said + " clear after correction for multiple tests (q at most {limit}){more}.",
        k=Number(n, "integer"),
        all=Number(tested, "integer", "effect"),
        alliance=a.instrument.label,
        limit=f"{CLEAR:g}",
        more="; these are the clearest" if n > DESCRIBED else "",
    )
    distinct = {(e.predictor.name, e.part, e.contrast): (part, e, row) for part, e, row in reversed(clear)}
    shown = sorted(distinct.values(), key=lambda r: clear.index(r))[:DESCRIBED]
    for part, effect, row in shown:
        draft.sentences.append(describe(part, effect, row.effect, time))
    pairs = {(one.name, other.name): (one, other, row) for (one, other), row in reversed(clear_joint)}
    draft.sentences += [_describe_interaction(*found) for found in pairs.values()]


def _describe_interaction(client: Predictor, therapist: Predictor, row: Row) -> Sentence:
    estimate = row.effect
    return say(
        "The higher the therapist's {therapist}, the {way} was the effect of {client} on the alliance ({e} per standard deviation, 95 % "
        "interval {e:interval}).",
        therapist=therapist.label,
        client=client.label,
        way="higher (more positive)" if estimate.estimate > 0 else "lower (more negative)",
        e=estimate.number(),
    )


def describe(part: str, effect: Effect, estimate: Estimate, time: str) -> Sentence:
    """One effect as a sentence."""
    higher = estimate.estimate > 0
    what = {
        "early": "rated the early alliance",
        "level": "rated the alliance over the whole course",
        "growth": "saw the alliance grow",
    }[part]
    by = "more" if higher else "less"
    if part != "growth":
        by = "higher" if higher else "lower"
    size = Number(
        abs(estimate.estimate),
        low=min(estimate.ci_low, estimate.ci_high) if higher else -estimate.ci_high,
        high=estimate.ci_high if higher else -estimate.ci_low,
        n=estimate.n if estimate.level != "therapist" else float("inf"),
    )
    return say(
        "{who} {what} {size} standard deviations {by}{over} (95 % interval {size:interval}).",
        who=_who(effect),
        what=what,
        size=size,
        by=by,
        over=say(" over {ten} {time}s", ten=Number(TEN, "integer"), time=time) if part == "growth" else "",
    )


def _who(effect: Effect) -> Sentence:
    """Who is compared with whom."""
    name = effect.predictor.label
    if effect.predictor.level == "therapist":
        if effect.contrast:
            return say("Clients of therapists with {name} {what},", name=name, what=effect.contrast)
        return say("Clients of therapists with one SD more {name}", name=name)
    if effect.contrast:
        who = {
            "within": "Clients with {name} {what} (within therapists),",
            "between": "Therapists whose clients more often have {name} {what}: their clients",
            "client": "Clients with {name} {what},",
        }[effect.part]
        return say(who, name=name, what=effect.contrast)
    who = {
        "within": "Clients with one SD more {name} than other clients of the same therapist",
        "between": "Clients of therapists whose clients have on average one SD more {name}",
        "client": "Clients with one SD more {name}",
    }[effect.part]
    return say(who, name=name)


def say_growth(draft: Draft, a: Measure, time: str) -> None:
    """How much the alliance grows on average."""
    mean = draft["growth_mean"]
    if mean is None:
        return
    clear = mean.ci_low > 0 or mean.ci_high < 0
    if clear:
        draft.say(
            "On average the alliance {did} by {size} {label} points per {time} (95 % interval of the change {e:interval}).",
            did="grew" if mean.estimate > 0 else "fell",
            size=Number(abs(mean.estimate), n=mean.n),
            label=a.instrument.label,
            time=time,
            e=mean.number(),
        )
    else:
        draft.say(
            "On average the alliance did not clearly grow or fall ({e} {label} points per {time}, 95 % interval {e:interval}).",
            label=a.instrument.label,
            time=time,
            e=mean.number(),
        )


def say_published(
    draft: Draft,
    alone: Mapping[str, Estimate],
    attachment: Mapping[str, Predictor],
    published: Mapping[str, Benchmark],
) -> None:
    """The correlations of attachment beside the published ones."""
    for dimension, predictor in attachment.items():
        own, known = alone.get(dimension), published[dimension]
        if own is None:
            continue
        inside = own.ci_low <= known.r <= own.ci_high
        draft.say(
            "For {name} alone, the correlation with the alliance is {r} (95 % interval {r:interval}). The mean of published studies, {mean} "
            "({low} to {high}; {source}), is {where} this interval.",
            name=predictor.label,
            r=own.number(),
            mean=_published(known.r),
            low=_published(known.low),
            high=_published(known.high),
            source=known.source,
            where="inside" if inside else "outside",
        )


def _published(value: float) -> str:
    """A published number with its own decimals."""
    return f"{value:.2f}".replace("-", MINUS)


def say_explained(draft: Draft) -> None:
    """How much of the therapists' variance their covariates explain."""
    found = draft["explained_therapists"]
    if found is None:
        return
    what = found.label.removeprefix("Therapists' variance explained by ")
    draft.say(
        "{share} of the variance between therapists is explained by {what} ({j:noun}; with few therapists this share is very "
        "imprecise).",
        share=Number(max(found.estimate, 0.0), "percent"),
        what=what,
        j=Number(found.n, "integer", "therapist"),
    )


def method_of(
    draft: Draft,
    a: Measure,
    models: Mapping[str, Model],
    predictors: Sequence[Predictor],
    window: tuple[int, int],
    time: str,
    interactions: int,
) -> list[Sentence | str]:
    """Paragraphs of the methods section."""
    any_model = next(iter(models.values()))
    split = any_model.therapists > 0
    out: list[Sentence | str] = [
        say(
            "Predictors of {alliance} were: {names}. ",
            alliance=a.label,
            names=listed([p.label for p in predictors]),
        )
        + (
            "Each predictor of clients was split into the therapist's mean (between therapists) and the client's difference from it "
            "(within therapists), and both parts were in the model. "
            if split
            else "Therapists are not known, so clients were compared with all other clients. "
        )
        + "Numbers were divided by their standard deviation among clients (or therapists); categories are compared with each other if "
        "there are two, and with the mean of all categories otherwise."
    ]
    if "early" in models:
        out.append(
            say(
                "Early alliance is the client's mean over sessions {first} to {last} ({formula}; {words}).",
                first=Number(window[0], "integer"),
                last=Number(window[1], "integer"),
                formula=models["early"].fitted.formula,
                words=models["early"].fitted.structure.words,
            )
        )
    if "course" in models:
        out.append(
            say(
                "Level and growth are from one mixed model of all ratings ({formula}; {words}). Time is in {time}s, less the mean time of "
                "the ratings; the level is that at the mean time.",
                formula=models["course"].fitted.formula,
                words=models["course"].fitted.structure.words,
                time=time,
            )
        )
    tests = (
        "Models were fitted by restricted maximum likelihood, with Satterthwaite's degrees of freedom; effects between therapists have at "
        "most as many as therapists less one less the number of such effects. "
    )
    if any(m.robust is not None for m in models.values()):
        tests += (
            "Effects of clients within therapists have cluster-robust standard errors (CR2, therapists as clusters, with the degrees of freedom "
            "that belong to them), because the effect of a predictor may differ between therapists. "
        )
    tests += (
        "A correlation is r = sign(b) sqrt(F / (F + df)) with Fisher's interval, widened as that of the effect is. q is p corrected over all "
        "effects of the report that have a test with all predictors in the model (Benjamini & Hochberg)."
    )
    if interactions:
        tests += (
            " An interaction is the product of the client's difference within therapists and the therapist's value. It has its own model, in "
            "which the client's effect differs between therapists and Kenward-Roger's degrees of freedom are used; with too few therapists for "
            "that, its errors are cluster-robust."
        )
    out.append(tests)
    return out
