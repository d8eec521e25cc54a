"""The numbers of the report, by their ids: products, effects at values of a moderator, where an effect is clear, power."""

from dataclasses import dataclass

import numpy as np

from alliance_longitudinal.analyses.kit import Estimate, slug
from alliance_longitudinal.analyses.moderators.compute import (
    QUANTILES,
    Model,
    estimate,
    fit_model,
    other_errors,
)
from alliance_longitudinal.analyses.moderators.probe import Line, line_of
from alliance_longitudinal.errors import FitError

#: Chance of finding an effect that is called detectable.
POWER = 0.8


def per(model: Model) -> str:
    """The unit of an effect of the alliance: points of the outcome (per unit of time) per alliance point."""
    asked = model.design.asked
    points = asked.rate if model.kind == "slope" else f"{asked.outcome.instrument.label} points"
    return f"{points} per {asked.alliance.instrument.label} point"


def product_estimates(model: Model, suffix: str = "") -> list[Estimate]:
    """``mod_<m>_within`` and ``mod_<m>_between`` (with several categories one of each for every category but the first).

    A number that differs within and between therapists has two more products: ``mod_<m>_within_therapist`` (the alliance
    within therapists by the therapist's mean of the moderator) and ``mod_<m>_between_client``.
    """
    design = model.design
    m, label = slug(design.moderator.name), design.moderator.label
    out = []
    for alliance in design.alliance:
        level = "between" if alliance == "early_therapist" else "within"
        for column in _ordered(design.terms, level):
            row = model.product(alliance, column)
            if row is None:
                continue
            identity, words = f"mod_{m}_{level}", f"{label}: alliance {level} therapists"
            if alliance == "early_total":
                words = f"{label}: alliance, total (not split)"
            unit = f"{per(model)} per point of {label}"
            if design.categories:
                category = design.categories[column]
                identity += f"_{design.codes[category]}" * (len(design.categories) > 1)
                words += f"; {category} compared with {design.reference}"
                unit = per(model)
            elif len(design.terms) == 2:
                other = column == "moderator_therapist"
                if other != (level == "between"):
                    identity += "_therapist" if other else "_client"
                words += f", by {'the mean of the therapist' if other else 'the client'}"
            of = "therapist" if level == "between" or column.endswith("_therapist") else "client"
            of = "therapist" if design.of_therapists else of
            out.append(estimate(identity + suffix, words, row, model, unit, level=of))
    return out


def _ordered(terms: tuple[str, ...], level: str) -> tuple[str, ...]:
    """The moderator's part of the same level first."""
    return terms[::-1] if level == "between" else terms


def main_products(model: Model) -> dict[str, str]:
    """Columns of the moderator whose products with the alliance within therapists are tested, and ids of the estimates."""
    design, m = model.design, slug(model.design.moderator.name)
    if len(design.categories) > 1:
        return {column: f"mod_{m}_within_{design.codes[name]}" for column, name in design.categories.items()}
    return {design.along: f"mod_{m}_within"}


def scaled_estimates(model: Model, weeks: float) -> list[Estimate]:
    """``..._per_sd``: the products for one SD of the alliance and one of a number, in outcome points over the follow-up."""
    out = []
    for column, identity in main_products(model).items():
        row = model.product(model.design.part, column)
        if row is not None:
            words = _what(model, column)
            unit = f"{model.design.asked.outcome.instrument.label} points"
            out.append(
                estimate(f"{identity}_per_sd", words, row, model, unit, factor=scale(model, column, weeks))
            )
    return out


def alliance_scale(model: Model, weeks: float) -> float:
    """What makes of an effect per point the points of the outcome for one SD of the alliance, over the follow-up."""
    return model.design.sd(model.design.part) * (weeks if model.kind == "slope" else 1.0)


def scale(model: Model, column: str, weeks: float) -> float:
    """The same for a product: for one SD of the alliance and, of a number, one of the moderator."""
    sd = 1.0 if model.design.categories else model.design.sd(column)
    return alliance_scale(model, weeks) * sd


def _what(model: Model, column: str) -> str:
    design = model.design
    if design.categories:
        return f"{design.moderator.label}: {design.categories[column]} compared with {design.reference}"
    return f"{design.moderator.label}, per SD"


def detectable(model: Model, weeks: float) -> list[Estimate]:
    """``..._detectable``: the smallest product, on the same scale, that this study finds with a power of .8."""
    from alliance_longitudinal.methods import detectable_effect

    out = []
    for column, identity in main_products(model).items():
        row = model.product(model.design.part, column)
        if row is None or not row["se"] > 0:
            continue
        size = detectable_effect(row["se"], row["df"], POWER) * scale(model, column, weeks)
        out.append(
            Estimate(
                f"{identity}_detectable",
                _what(model, column),
                size,
                n=len(model.design.rows),
                level="client",
                unit=f"{model.design.asked.outcome.instrument.label} points",
            )
        )
    return out


def other_estimates(model: Model) -> list[Estimate]:
    """``..._same``: the tested products with the model's errors, where the main ones let the effect differ between therapists."""
    out = []
    for column, identity in main_products(model).items():
        row = other_errors(model, column)
        if row is not None:
            words = f"{_what(model, column)}; effect the same for all therapists"
            unit = (
                per(model)
                if model.design.categories
                else f"{per(model)} per point of {model.design.moderator.label}"
            )
            out.append(estimate(f"{identity}_same", words.replace(", per SD", ""), row, model, unit))
    return out


def slope_estimates(model: Model, *, main: bool) -> list[Estimate]:
    """``slope_at_<percentile or category>``: the effect of the alliance within therapists there; of other moderators with their name."""
    design = model.design
    m = "" if main else f"_{slug(design.moderator.name)}"
    label = design.moderator.label
    unit = per(model)
    if design.categories:
        first = estimate(
            f"slope_at_{design.codes[design.reference]}{m}",
            f"{label}: {design.reference}",
            model.slope("", 0.0),
            model,
            unit,
        )
        return [
            first,
            *(
                estimate(
                    f"slope_at_{design.codes[name]}{m}",
                    f"{label}: {name}",
                    model.slope(column, 1.0),
                    model,
                    unit,
                )
                for column, name in design.categories.items()
            ),
        ]
    out = []
    for q, at in quantiles(model):
        row = model.slope(design.along, at - design.centre)
        out.append(estimate(f"slope_at_{q}{m}", f"{label}: {q}th percentile ({at:.4g})", row, model, unit))
    return out


def quantiles(model: Model) -> list[tuple[int, float]]:
    """Percentiles of the moderator over clients, and its values there."""
    values = model.design.clients["moderator"].to_numpy(float)
    return [(q, float(np.quantile(values, q / 100))) for q in QUANTILES]


def line_estimates(model: Model, line: Line, *, main: bool) -> list[Estimate]:
    """``jn_low``, ``jn_high``: where clearness changes within the data; ``jn_where``: 1 if the effect is clear beyond, 0 between."""
    m = "" if main else f"_{slug(model.design.moderator.name)}"
    label, n = model.design.moderator.label, model.design.n
    ends = dict(zip(("low", "high"), (line.roots[0], line.roots[-1]), strict=True)) if line.roots else {}
    if len(line.roots) == 1:  # the only change lies at one end of the range in which the effect is clear
        ends = {"low" if line.clear and line.clear[0][0] == line.roots[0] else "high": line.roots[0]}
    out = [
        Estimate(
            f"jn_{end}{m}",
            f"{label}: {'lower' if end == 'low' else 'upper'} limit of significance",
            value,
            n=n,
            level="client",
            unit=f"points of {label}",
        )
        for end, value in ends.items()
    ]
    where = Estimate(
        f"jn_where{m}",
        f"{label}: whether the effect is clear beyond the limits on the whole line (one) or between them (zero)",
        float(line.outside),
        n=n,
        level="client",
        unit="code",
    )
    return [*out, where]


@dataclass(frozen=True, slots=True)
class Numbers:
    """All estimates of one moderator, and the line of a number."""

    line: Line | None
    products: list[Estimate]
    scaled: list[Estimate]
    least: list[Estimate]
    other_errors: list[Estimate]
    slopes: list[Estimate]
    limits: list[Estimate]
    other: list[Estimate]

    @property
    def all(self) -> list[Estimate]:
        """In the order of the report."""
        return [
            *self.products,
            *self.scaled,
            *self.least,
            *self.other_errors,
            *self.slopes,
            *self.limits,
            *self.other,
        ]


def numbers_of(model: Model, weeks: float, *, main: bool) -> Numbers:
    """Every estimate of one moderator; ``main``: whether the ids of its effects go without its name."""
    line = line_of(model)
    return Numbers(
        line,
        product_estimates(model),
        scaled_estimates(model, weeks),
        detectable(model, weeks),
        other_estimates(model),
        slope_estimates(model, main=main),
        line_estimates(model, line, main=main) if line is not None else [],
        _other_outcome(model) if model.kind == "slope" else [],
    )


def _other_outcome(model: Model) -> list[Estimate]:
    """The tested products for the change from intake, ``..._end``; none where that model cannot be fitted."""
    try:
        other = fit_model(model.design, "end")
    except FitError:
        return []
    return [e for e in product_estimates(other, "_end") if "_within" in e.id]
