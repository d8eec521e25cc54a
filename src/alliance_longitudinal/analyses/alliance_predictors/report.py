"""Fills the report in its order: models, effects with q, figures, tables, words."""

from collections.abc import Sequence

import numpy as np

from alliance_longitudinal.analyses.alliance_predictors import words
from alliance_longitudinal.analyses.alliance_predictors.asked import Asked
from alliance_longitudinal.analyses.alliance_predictors.charts import (
    effects_figure,
    growth_figure,
    therapists_figure,
)
from alliance_longitudinal.analyses.alliance_predictors.compute import (
    Model,
    Ratings,
    correlations_of,
    estimates_of,
    fit_course,
    fit_early,
    identity_of,
    units,
)
from alliance_longitudinal.analyses.alliance_predictors.design import (
    Effect,
    Predictor,
)
from alliance_longitudinal.analyses.alliance_predictors.filled import show_filled
from alliance_longitudinal.analyses.alliance_predictors.findings import (
    note_design,
    note_equal_effects,
    note_leavers,
    note_tests,
)
from alliance_longitudinal.analyses.alliance_predictors.further import show_alone, show_same, show_styles
from alliance_longitudinal.analyses.alliance_predictors.groups import compare_groups
from alliance_longitudinal.analyses.alliance_predictors.leaving import show_leaving
from alliance_longitudinal.analyses.alliance_predictors.tables import (
    Row,
    effects_note,
    effects_table,
    show_points,
)
from alliance_longitudinal.analyses.alliance_predictors.therapists import explained, interaction
from alliance_longitudinal.analyses.kit import (
    ESTIMATE,
    TEST,
    Draft,
    Estimate,
    Number,
    coefficient_table,
    models_table,
    time_unit,
    variance_table,
)
from alliance_longitudinal.analyses.kit.benchmarks import ATTACHMENT
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.present import Column

#: Fewest clients with an early rating.
MIN_CLIENTS = 20


#: Part -> its effects; and each interaction with what it is of.
Found = dict[str, list[tuple[Effect, Estimate]]]
Joint = list[tuple[tuple[Predictor, Predictor], Estimate]]


def report(draft: Draft, ratings: Ratings, everybody: Ratings, asked: Asked) -> None:
    """All of it; ``everybody`` has the clients for whom not all predictors are known, too."""
    time = time_unit(draft.study)
    parts = _possible(draft, ratings, asked.parts)
    models: dict[str, Model] = {}
    if "early" in parts:
        models["early"] = fit_early(draft, ratings, asked.predictors, ratings.clients, fit=draft.fit)
    if "level" in parts or "growth" in parts:
        models["course"] = fit_course(
            draft, ratings, asked.predictors, ratings.clients, fit=draft.fit, growth="growth" in parts
        )
    main = parts[0] if parts[0] != "growth" else "growth"
    found = _effects(draft, models, parts, asked.a, time)
    joint = _interactions(draft, ratings, asked, parts)
    rows = _with_q(draft, models, found, joint)
    if "course" in models:
        _growth_mean(draft, models["course"], asked.a, time)
    if main != "growth":
        _explained(draft, ratings, asked, models, main)
    alone = show_alone(draft, ratings, everybody, asked, parts, rows)
    words.answer(
        draft,
        {p: [(p, e, rows[est.id]) for e, est in every] for p, every in found.items()},
        [(pair, rows[e.id]) for pair, e in joint],
        asked.a,
        time,
    )
    words.say_published(draft, alone, asked.attachment, ATTACHMENT)
    words.say_growth(draft, asked.a, time)
    words.say_explained(draft)
    _show(draft, ratings, asked, models, found, rows, joint, time)
    show_same(
        draft, models["early" if main == "early" else "course"], main, found[main], units(asked.a, main, time)
    )
    if main == "early":
        of_clients = estimates_of(models["early"].same, "early", *units(asked.a, "early", time))
        show_filled(draft, ratings, everybody, asked, models["early"], of_clients, asked.seed)
    if asked.midpoint is not None:
        show_styles(draft, ratings, asked, main)
    if asked.groups is not None and main != "growth":
        compare_groups(
            draft, asked.groups, ratings, asked.predictors, ratings.clients, main, units(asked.a, main, time)
        )
    draft.show(
        models_table(draft.fitted),
        variance_table(draft.fitted),
        *(coefficient_table(m.fitted, m.robust) for m in models.values()),
    )
    _check(draft, models.get("course"), asked.a)
    note_design(draft, models, asked.predictors)
    note_equal_effects(draft, models)
    if "growth" in parts:
        note_leavers(draft, ratings, time)
        show_leaving(
            draft, ratings, models["course"], _paired(models["course"].same, "growth", asked.a, time), time
        )
    draft.usual_findings(ratings.clients.groupby("therapist")["client"].nunique())
    draft.method(*words.method_of(draft, asked.a, models, asked.predictors, asked.window, time, len(joint)))
    if any(m.robust is not None for m in models.values()):
        draft.cite("bell2002", "pustejovsky2018")
    draft.cite("raudenbush2002", "benjamini1995", *(("notsu2024",) if asked.attachment else ()))
    if joint:
        draft.cite("kenward1997", "heisig2019")


def _possible(draft: Draft, ratings: Ratings, parts: Sequence[str]) -> list[str]:
    """The parts that the ratings allow; the others are named."""
    out = list(parts)
    early = int(ratings.clients["early"].notna().sum())
    if "early" in out and (early < MIN_CLIENTS or not ratings.sd_early > 0):
        out.remove("early")
        draft.find(
            "no_early",
            "caution",
            "Fewer than {needed} clients have a rating in the early sessions, or all have the same one, so the early alliance is not "
            "analysed.",
            "early alliance",
            needed=Number(MIN_CLIENTS, "integer"),
        )
    if not ratings.course and {"level", "growth"} & set(out):
        out = [p for p in out if p == "early"]
        draft.find(
            "no_course",
            "caution",
            "Fewer than half of the clients have two or more ratings, so level and growth of the alliance are not analysed.",
            "course",
        )
    if not out:
        raise draft.too_little("No part of the alliance that was asked for can be analysed.")
    return out


def _effects(draft: Draft, models: dict[str, Model], parts: Sequence[str], a: Measure, time: str) -> Found:
    """Effects of every part, as estimates of the report; correlations of the first part."""
    found: Found = {}
    for part in parts:
        model = models["early" if part == "early" else "course"]
        draft.estimate(*estimates_of(model, part, *units(a, part, time)))
        found[part] = _paired(model, part, a, time)
    if parts[0] != "growth":
        main = models["early" if parts[0] == "early" else "course"]
        draft.estimate(*correlations_of(main, parts[0]).values())
    return found


def _paired(model: Model, part: str, a: Measure, time: str) -> list[tuple[Effect, Estimate]]:
    """Each effect of a model with its estimate in standard deviations."""
    known = {e.id: e for e in estimates_of(model, part, *units(a, part, time))}
    named = [(effect, identity_of(part, effect)) for effect in model.design.effects]
    return [(effect, known[name]) for effect, name in named if name in known]


def _interactions(draft: Draft, ratings: Ratings, asked: Asked, parts: Sequence[str]) -> Joint:
    """Client by therapist interactions, for the early alliance and for its level."""
    out: Joint = []
    for pair in asked.pairs:
        for part in parts:
            if part == "growth" or not ratings.between:
                continue
            estimate = interaction(draft, ratings, asked.predictors, ratings.clients, pair, part)
            if estimate is not None:
                out.append((pair, estimate))
    draft.estimate(*(e for _, e in out))
    return out


def _with_q(draft: Draft, models: dict[str, Model], found: Found, joint: Joint) -> dict[str, Row]:
    """Every tested effect by its id, with q over all of them."""
    from alliance_longitudinal.methods.basics.adjust import benjamini_hochberg

    tested = [e for every in found.values() for _, e in every] + [e for _, e in joint]
    p = np.array([e.p for e in tested], dtype=float)
    q = np.full(len(p), np.nan)
    known = np.isfinite(p)
    q[known] = benjamini_hochberg(p[known])
    r: dict[str, Estimate] = {}
    for part in found:
        if part != "growth":
            r |= correlations_of(models["early" if part == "early" else "course"], part)
    rows = {}
    for e, value in zip(tested, q, strict=True):
        rows[e.id] = Row(e, r.get(e.id), float(value))
    note_tests(draft, int(known.sum()), len({x.predictor.name for v in found.values() for x, _ in v}))
    return rows


def _growth_mean(draft: Draft, model: Model, a: Measure, time: str) -> None:
    row = model.fitted.combination({"weeks": 1.0})
    numbers = {k: row[k] for k in ("estimate", "se", "df", "ci_low", "ci_high", "p")}
    unit = f"{a.instrument.label} points per {time}"
    draft.estimate(
        Estimate(
            "growth_mean", "Mean growth of the alliance", n=model.n, level="client", unit=unit, **numbers
        )
    )


def _explained(draft: Draft, ratings: Ratings, asked: Asked, models: dict[str, Model], part: str) -> None:
    model = models["early" if part == "early" else "course"]
    try:
        found = explained(draft, ratings, asked.predictors, ratings.clients, model, part)
    except FitError:
        return
    if found is not None:
        draft.estimate(found)


def _show(
    draft: Draft,
    ratings: Ratings,
    asked: Asked,
    models: dict[str, Model],
    found: Found,
    rows: dict[str, Row],
    joint: Joint,
    time: str,
) -> None:
    """Figures and tables of the effects."""
    published = {}
    for dimension, predictor in asked.attachment.items():
        for part, every in found.items():
            for effect, estimate in every:
                if effect.predictor.name == predictor.name and not effect.of_therapists and part != "growth":
                    published[estimate.id] = ATTACHMENT[dimension]
    shown = {p: [(x.of_therapists, e) for x, e in v] for p, v in found.items()}
    levels = {p: [e for upper, e in v if not upper] for p, v in shown.items()}
    therapists = {p: [e for upper, e in v if upper] for p, v in shown.items()}
    draft.show(
        effects_figure(levels, published),
        growth_figure(levels.get("growth", []), time),
        therapists_figure(therapists),
    )
    alone = [t for t in draft.tables if t.name.startswith("alone_")]
    draft.tables = [t for t in draft.tables if not t.name.startswith("alone_")]
    for part, every in found.items():
        model = models["early" if part == "early" else "course"]
        note = effects_note(part, model, asked.a, ratings.middle, time)
        draft.show(effects_table(part, [rows[e.id] for _, e in every], note))
    if joint:
        draft.table_of(
            "interactions",
            "Interactions of clients and therapists",
            "results",
            [e for _, e in joint],
            [Column("label", "Interaction"), *ESTIMATE, *TEST],
            "How much the client's effect within therapists changes per standard deviation of the therapist's predictor.",
        )
    show_points(draft, [e for e in draft.estimates if e.id.endswith("_points")])
    draft.show(*alone)


def _check(draft: Draft, model: Model | None, a: Measure) -> None:
    """Residuals, floor and ceiling, and each therapist left out, for the first effect of clients on the level."""
    effects = () if model is None else model.design.effects
    first = next((e for e in effects if not e.of_therapists and len(e.weights) == 1), None)
    if model is not None and first is not None:
        unit = f"{a.instrument.label} points"
        draft.checks(model.fitted, model.rows, a, first.label, term=next(iter(first.weights)), unit=unit)
