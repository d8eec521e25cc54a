"""The effects in each group of clients, such as the arms of a trial, and their differences."""

from dataclasses import replace

from alliance_longitudinal.analyses.early_alliance.compute import effect_estimate
from alliance_longitudinal.analyses.kit import (
    ESTIMATE,
    MIN_THERAPISTS,
    Draft,
    Estimate,
    Groups,
    rows_of_groups,
    say_group_apart,
    slugs,
)
from alliance_longitudinal.analyses.kit.early_design import (
    MIN_CLIENTS,
    Choices,
    EarlyDesign,
    build_design,
)
from alliance_longitudinal.analyses.kit.early_models import course_model, endpoint_model, split_effects
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.errors import FitError

_NO_THERAPISTS = (
    "No client of {name} {group} ({n:noun}) has a therapist. The comparison by {name} sets the effect between all clients of this group "
    "beside the effect within therapists in the others. The main results are about clients with a therapist only."
)
NOTE = "A separate model for each group. A therapist's mean is the mean over the clients of this group."
APART = " In a group without therapists the effect is between all its clients."


def compare_groups(draft: Draft, groups: Groups, choices: Choices) -> None:
    """Effects within and between therapists, from models of each group alone.

    Of a group in which no client has a therapist, the effect is that between its clients: nothing lies between therapists there.
    """
    found: dict[str, list[Estimate]] = {}
    codes = slugs(groups.names)
    for group, rows in rows_of_groups(draft, groups):
        design = build_design(rows, SampleFlow(), choices, MIN_THERAPISTS, draft.adjusters)
        found[group] = []
        if design.n_clients < MIN_CLIENTS:
            draft.small_group(groups, group, MIN_CLIENTS)
            continue
        try:
            found[group] = _effects(draft, design, group, codes[group])
        except FitError:
            draft.unfitted_group(groups, group)
            continue
        if not design.n_therapists:
            draft.apart_analysed.append(design.clients["client"])
            if draft.apart is not None:
                say_group_apart(draft, groups, group, design.n_clients, _NO_THERAPISTS)
    draft.by_group(found, ESTIMATE, NOTE + APART * (draft.apart is not None))


def _effects(draft: Draft, design: EarlyDesign, group: str, code: str) -> list[Estimate]:
    models = {"slope": course_model(design)} if design.course else {}
    models["end"] = endpoint_model(design)
    out = []
    for kind, fitted in models.items():
        draft.uses(replace(fitted, name=f"{fitted.name}_{code}", title=f"{fitted.title} ({group})"))
        effects = split_effects(fitted, design, kind)
        out += [
            effect_estimate(design, kind, effect, effects[effect])
            for effect in ("within", "between")
            if effect in effects
        ]
    return out
