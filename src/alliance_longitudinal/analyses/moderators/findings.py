"""What a reader of the report on moderators has to know."""

from collections.abc import Mapping

from alliance_longitudinal.analyses.kit import Count, Draft, Number, Share, listed
from alliance_longitudinal.analyses.moderators.asked import INTAKE, MIN_CLIENTS, Moderator, Sample
from alliance_longitudinal.analyses.moderators.compute import Model
from alliance_longitudinal.analyses.moderators.design import MIN_CATEGORY, MIN_FOR_THERAPISTS, Moderated
from alliance_longitudinal.analyses.moderators.estimates import Numbers, alliance_scale

#: A moderator that is missing for more than this share of the clients is named as a caution.
MANY_MISSING = 0.20
_WHY = {
    "moderator_few_clients": (
        "Fewer than {needed:noun} with a known {label} are in the analysis (without categories of fewer than {category}), so the report "
        "does not test it."
    ),
    "moderator_constant": "{label} is the same for all analysed clients, so it cannot moderate anything.",
    "moderator_few_therapists": (
        "{label} does not differ between clients of the same therapist, and fewer than {therapists} therapists have analysed clients. These are too few to "
        "test it."
    ),
    "alliance_constant": "Early alliance is the same for all clients whose {label} is known, so the report does not test it.",
}


def not_tested(draft: Draft, moderator: Moderator, code: str) -> None:
    """Why a moderator has no model."""
    draft.find(
        code,
        "caution" if code != "moderator_constant" else "info",
        _WHY[code],
        moderator.label,
        label=moderator.label,
        category=Number(max(MIN_CATEGORY, draft.study.small_cells), "integer"),
        needed=Number(MIN_CLIENTS, "integer", "client"),
        therapists=Number(MIN_FOR_THERAPISTS, "integer"),
    )


def about(draft: Draft, sample: Sample, design: Moderated) -> None:
    """Missing values, small categories, and categories that therapists do not share."""
    moderator = design.moderator
    known = sample.clients["client"].map(moderator.values)
    missing = int(known.isna().sum())
    if missing > MANY_MISSING * len(known):
        draft.find(
            "moderator_missing",
            "caution",
            "{label} is not known for {share} of the analysed clients. They are not in its model, and may differ from the others.",
            moderator.label,
            label=moderator.label,
            share=Share(missing, len(known)),
        )
    small = int(known.notna().sum()) - design.n
    if small:
        draft.find(
            "small_categories",
            "info",
            "Categories of {label} with fewer than {least} clients are left out ({n:noun}).",
            moderator.label,
            label=moderator.label,
            least=Number(max(MIN_CATEGORY, draft.study.small_cells), "integer"),
            n=Count(small, "client"),
        )
    shared = design.of_therapists or design.mixed_therapists >= min(MIN_FOR_THERAPISTS, design.n_therapists)
    if design.categories and draft.therapists_known and not shared:
        draft.find(
            "categories_between_therapists",
            "caution",
            "Few therapists have clients in more than one category of {label} ({n:noun}). The comparison of categories is mostly one of "
            "therapists.",
            moderator.label,
            label=moderator.label,
            n=Number(design.mixed_therapists, "integer", "therapist"),
        )


def note(
    draft: Draft,
    models: Mapping[str, Model],
    numbers: Mapping[str, Numbers],
    planned: str | None,
    weeks: float,
) -> None:
    """Searching among moderators, floors, differences too small to find, therapists and models."""
    if planned is None and len(models) > 1:
        draft.find(
            "moderators_searched",
            "caution",
            "No moderator was named as planned, so the report searches among {n}. A clear one is a result to be tested again in other "
            "data. Name the planned one with planned=.",
            "moderators",
            n=Number(len(models), "integer"),
        )
    if INTAKE in models:
        draft.find(
            "intake_and_range",
            "info",
            "Clients with few symptoms at intake can improve little, and chance in the first score makes those with many appear to improve "
            "more. A dependence on intake severity can come from this alone.",
            models[INTAKE].design.moderator.label,
        )
    weak = []
    for name, model in models.items():
        effect = model.slope("", 0.0)["estimate"] * alliance_scale(model, weeks)
        if any(least.estimate > abs(effect) for least in numbers[name].least):
            weak.append(model.design.moderator.label)
    if weak:
        draft.find(
            "low_power",
            "caution",
            "For {names} this study finds only differences that are larger than the whole effect of the alliance in it. That the effect "
            "does not clearly depend on {these} says little.",
            "moderators",
            names=listed(weak),
            these="them" if len(weak) > 1 else "it",
        )
    caseloads = (
        max((m.design for m in models.values()), key=lambda d: d.n).clients.groupby("therapist").size()
    )
    draft.usual_findings(caseloads)
