"""The effects in each group of clients, such as the arms of a trial, and their differences."""

from dataclasses import replace

from alliance_longitudinal.analyses.early_alliance.compute import effect_estimate
from alliance_longitudinal.analyses.kit import ESTIMATE, MIN_THERAPISTS, Draft, Estimate, Groups, slug
from alliance_longitudinal.analyses.kit.early_design import (
    MIN_CLIENTS,
    Choices,
    EarlyDesign,
    build_design,
)
from alliance_longitudinal.analyses.kit.early_models import course_model, endpoint_model, split_effects
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.errors import FitError


def compare_groups(draft: Draft, groups: Groups, choices: Choices) -> None:
    """Effects within and between therapists, from models of each group alone."""
    found: dict[str, list[Estimate]] = {}
    for group, rows in groups.split(draft.sessions):
        design = build_design(rows, SampleFlow(), choices, MIN_THERAPISTS, draft.adjusters)
        found[group] = []
        if design.n_clients < MIN_CLIENTS:
            draft.small_group(groups, group, MIN_CLIENTS)
            continue
        try:
            found[group] = _effects(draft, design, group)
        except FitError:
            draft.unfitted_group(groups, group)
    draft.by_group(
        found,
        ESTIMATE,
        "A separate model for each group. A therapist's mean is the mean over the clients of this group.",
    )


def _effects(draft: Draft, design: EarlyDesign, group: str) -> list[Estimate]:
    models = {"slope": course_model(design)} if design.course else {}
    models["end"] = endpoint_model(design)
    out = []
    for kind, fitted in models.items():
        draft.uses(replace(fitted, name=f"{fitted.name}_{slug(group)}", title=f"{fitted.title} ({group})"))
        effects = split_effects(fitted, design, kind)
        out += [
            effect_estimate(design, kind, effect, effects[effect])
            for effect in ("within", "between")
            if effect in effects
        ]
    return out
