"""Beside the main models: every predictor alone, and four attachment styles in place of two dimensions."""

from collections.abc import Sequence
from dataclasses import replace

from alliance_longitudinal.analyses.alliance_predictors.asked import (
    Asked,
    occurring,
    style_predictor,
    without_styles,
)
from alliance_longitudinal.analyses.alliance_predictors.compute import (
    Model,
    Ratings,
    correlations_of,
    estimates_of,
    fit_course,
    fit_early,
    units,
)
from alliance_longitudinal.analyses.alliance_predictors.design import Effect
from alliance_longitudinal.analyses.alliance_predictors.findings import note_styles
from alliance_longitudinal.analyses.alliance_predictors.tables import PARTS, Row, alone_table
from alliance_longitudinal.analyses.kit import (
    ESTIMATE,
    TEST,
    Draft,
    Estimate,
    listed,
    short,
)
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.present import Column


def show_alone(
    draft: Draft,
    ratings: Ratings,
    everybody: Ratings,
    asked: Asked,
    parts: Sequence[str],
    rows: dict[str, Row],
) -> dict[str, Estimate]:
    """Every predictor alone; returns the correlations of attachment by dimension, of the first part."""
    out: dict[str, Estimate] = {}
    wide = replace(
        everybody, sd=ratings.sd, sd_early=ratings.sd_early, split=ratings.split, between=ratings.between
    )
    dimension = {p.name: d for d, p in asked.attachment.items()}
    for part in (p for p in parts if p != "growth"):
        found: list[tuple[Estimate, Estimate | None]] = []
        for predictor in asked.predictors:
            known = predictor.of(wide.clients).notna()
            own = wide.of(known)
            try:
                if part == "early":
                    model = fit_early(draft, own, [predictor], ratings.clients)
                else:
                    model = fit_course(draft, own, [predictor], ratings.clients, growth=False)
            except FitError:
                continue
            effects = [
                e
                for e in estimates_of(model, part, *units(asked.a, part, ""), "_alone")
                if not e.id.endswith("_points")
            ]
            r = correlations_of(model, part, "_alone")
            found += [(effect, r.get(effect.id)) for effect in effects]
            if part == parts[0]:
                draft.estimate(*r.values())
                if predictor.name in dimension and found:
                    main = [x for e, x in found[-len(effects) :] if x is not None and e.level == "client"]
                    out |= {dimension[predictor.name]: main[0]} if main else {}
        draft.estimate(*(e for e, _ in found))
        if found and len(asked.predictors) > 1:
            draft.show(alone_table(part, rows, found))
    return out


def show_same(
    draft: Draft, model: Model, part: str, effects: Sequence[tuple[Effect, Estimate]], of: tuple[str, str]
) -> None:
    """The effects of one model with errors that take them as the same for all therapists, beside the main ones (CR2)."""
    if model.robust is None:
        return
    own = [
        replace(e, label=f"{e.label}: same for all therapists")
        for e in estimates_of(model.same, part, *of, "_same")
        if not e.id.endswith("_points") and e.level == "client"
    ]
    usual = {e.id: (x, e) for x, e in effects}
    shown, turned = [], []
    for e in own:
        effect, main = usual[e.id.removesuffix("_same")]
        shown += [main, e]
        if (main.ci_low > 0 or main.ci_high < 0) != (e.ci_low > 0 or e.ci_high < 0):
            turned.append(effect.label)
    if not own:
        return
    draft.estimate(*own)
    draft.table_of(
        "same",
        f"{PARTS[part]}: if effects were the same for all therapists",
        "sensitivity",
        shown,
        [Column("label", "Effect of"), *ESTIMATE, *TEST],
        "The first row of each effect is the main result: its interval holds even if the effect differs between therapists (cluster-robust "
        "errors, CR2). The interval of the second row holds only if the effect is the same for all of them.",
    )
    if turned:
        draft.find(
            "robust_errors_differ",
            "info",
            "Whether these effects are clear depends on whether they may differ between therapists (as in the main results) or are taken to be "
            "the same for all: {names}.",
            model.fitted.title,
            short("pustejovsky2018"),
            names=listed(turned),
        )


def show_styles(draft: Draft, ratings: Ratings, asked: Asked, part: str) -> None:
    """Four attachment styles in place of the two dimensions."""
    if set(asked.attachment) != {"anxiety", "avoidance"} or asked.midpoint is None or part == "growth":
        draft.find(
            "no_styles",
            "caution",
            "Attachment styles need both anxiety and avoidance among the predictors, and the early alliance or its level.",
            "attachment style",
        )
        return
    (style,) = occurring((style_predictor(asked.attachment, asked.midpoint),), ratings.clients)
    if len(style.categories) < 2:
        draft.find(
            "one_style",
            "caution",
            "All clients have the same attachment style by this midpoint, so styles are not compared.",
            "attachment style",
        )
        return
    others = [*without_styles(asked.predictors, asked.attachment), style]
    fit = fit_early if part == "early" else fit_course
    model = fit(draft, ratings, others, ratings.clients, "attachment styles", draft.fit)
    own = [
        e
        for e in estimates_of(model, part, *units(asked.a, part, ""))
        if f"{e.id}_".startswith(f"{part}_style_") and e.level == "client" and not e.id.endswith("_points")
    ]
    draft.estimate(*own)
    several = len(style.categories) > 2
    compared = (
        "Each style compared with the mean of all." if several else "The two styles that occur are compared."
    )
    draft.table_of(
        "styles",
        "Attachment styles",
        "results",
        own,
        [Column("label", "Style"), *ESTIMATE, *TEST],
        f"{compared} The other predictors are in the model.",
    )
    note_styles(draft)
    draft.cite("bartholomew1991", "fraley2015")
