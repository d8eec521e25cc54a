"""The same effects for each part of the alliance: goal, task and bond, and the lowest of them."""

from dataclasses import replace

from alliance_longitudinal.analyses.early_alliance.compute import effect_estimate
from alliance_longitudinal.analyses.kit import ESTIMATE, MIN_THERAPISTS, TEST, Draft, Estimate
from alliance_longitudinal.analyses.kit.early_design import (
    MIN_CLIENTS,
    EarlyDesign,
    build_design,
    differs,
)
from alliance_longitudinal.analyses.kit.early_models import course_model, endpoint_model, split_effects
from alliance_longitudinal.analyses.kit.scales import LOWEST, scale_scores
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.present import Column


def scale_effects(draft: Draft, design: EarlyDesign) -> None:
    """A row for each scale of the alliance measure beside the total, each for one standard deviation of its own.

    Bordin (1979) holds that goal, task and bond are all needed: then the lowest of them, not the mean, goes with outcome.
    """
    choices = design.choices
    scales = scale_scores(draft.sessions, choices.alliance)
    if scales.empty:
        return
    found = per_sd(_effects(design), design, "total score")
    for name in scales:
        words = "lowest of the scales" if name == LOWEST else f"{name} scale"
        sessions = draft.sessions.assign(**{choices.alliance.name: scales[name]})
        own = build_design(sessions, SampleFlow(), choices, MIN_THERAPISTS, draft.adjusters)
        if own.n_clients < MIN_CLIENTS or not differs(own.clients["early"]):
            continue
        try:
            found += per_sd(_effects(own), own, words, name)
        except FitError:
            continue  # the row is missing, and the note says what a missing row means
    own_rows = [e for e in found if "_scale_" in e.id]
    whose = "clients of one therapist" if design.n_therapists else "clients"
    draft.estimate(*own_rows)
    draft.table_of(
        "scales",
        "Goal, task and bond: each scale alone",
        "results",
        found,
        [Column("label", f"Effect {design.among} of the"), *ESTIMATE, *TEST],
        "Each row is a model of its own with this scale in the place of the total, for one standard deviation of the scale between "
        f"{whose}. The scales share most of their variance, so their effects do not add up. The lowest of the "
        "scales is that of each session, in points per item. A scale whose models cannot be fitted has no row.",
    )
    draft.cite("bordin1979")


Effects = dict[str, dict[str, float]]


def _effects(design: EarlyDesign) -> Effects:
    """The effect within therapists on the course and on the end point."""
    models = {"slope": course_model(design)} if design.course else {}
    models["end"] = endpoint_model(design)
    found = {kind: split_effects(fitted, design, kind).get("within") for kind, fitted in models.items()}
    return {kind: row for kind, row in found.items() if row}


def per_sd(effects: Effects, design: EarlyDesign, words: str, name: str = "") -> list[Estimate]:
    """Effects for one standard deviation of the scale between clients of one therapist."""
    sd = design.sd("early_client")
    y = design.choices.outcome.instrument.label
    out = []
    for kind, row in effects.items():
        scaled = row | {key: row[key] * sd for key in ("estimate", "se", "ci_low", "ci_high")}
        of = design.choices.rate if kind == "slope" else "change from intake to last score"
        per_time = f" per {design.choices.time}" if kind == "slope" else ""
        found = effect_estimate(design, kind, "within", scaled)
        identity = f"{kind}_scale_{name}" if name else f"{kind}_total_score"
        out.append(
            replace(
                found,
                id=identity,
                label=f"{words} ({of})",
                unit=f"{y} points{per_time} per standard deviation",
            )
        )
    return out
