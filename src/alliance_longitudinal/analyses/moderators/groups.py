"""The products in each group of clients, such as the arms of a trial, and their differences."""

from collections.abc import Sequence
from dataclasses import replace

from alliance_longitudinal.analyses.kit import ESTIMATE, Draft, Estimate, Groups, slug
from alliance_longitudinal.analyses.moderators.asked import MIN_CLIENTS, Sample, moderator_of
from alliance_longitudinal.analyses.moderators.compute import fit_model
from alliance_longitudinal.analyses.moderators.design import design_for
from alliance_longitudinal.analyses.moderators.estimates import product_estimates
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.present import Column


def compare_groups(draft: Draft, groups: Groups, sample: Sample, names: Sequence[str]) -> None:
    """Products of the alliance within therapists with each moderator, from models of each group alone."""
    found: dict[str, list[Estimate]] = {}
    for group, clients in groups.split(sample.clients):
        found[group] = []
        if len(clients) < MIN_CLIENTS:
            draft.small_group(groups, group, MIN_CLIENTS)
            continue
        own = replace(
            sample, clients=clients, rows=sample.rows[sample.rows["client"].isin(clients["client"])]
        )
        for name in names:
            found[group] += _products(draft, own, name, group)
    if sum(map(bool, found.values())) > 1:
        draft.by_group(
            found,
            [Column("unit", "Unit"), *ESTIMATE],
            "A separate model for each group and moderator.",
        )


def _products(draft: Draft, sample: Sample, name: str, group: str) -> list[Estimate]:
    design = design_for(draft, sample, moderator_of(draft.study, sample, name))
    if isinstance(design, str):
        return []
    try:
        model = fit_model(design, "slope" if sample.course else "end")
    except FitError:
        return []
    fitted = replace(
        model.fitted, name=f"{model.fitted.name}_{slug(group)}", title=f"{model.fitted.title} ({group})"
    )
    draft.uses(fitted)
    return [e for e in product_estimates(model) if e.id.startswith(f"mod_{slug(name)}_within")]
