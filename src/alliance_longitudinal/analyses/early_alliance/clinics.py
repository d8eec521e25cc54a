"""The same effects with clinics held constant, where several clinics are analysed together."""

from alliance_longitudinal.analyses.early_alliance.compute import EarlyModels, effect_estimate
from alliance_longitudinal.analyses.kit import (
    COUNT,
    ESTIMATE,
    Draft,
    Estimate,
    Number,
    fit_first,
    joined,
    say,
    with_robust,
)
from alliance_longitudinal.analyses.kit.early_design import EarlyDesign
from alliance_longitudinal.analyses.kit.early_models import split_effects
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.present import Column

#: A main effect that moves by more than this many of its standard errors depends on the clinics.
MOVED = 0.5
_NOTE = (
    "The same models with a fixed effect for each clinic. They compare clients, and therapists, of the same clinic. If a clinic has a single "
    "therapist, there are no robust errors, and intervals are those of the model."
)
_NAMES = {"slope": "rate of change", "end": "change from intake"}


def clinic_effects(draft: Draft, design: EarlyDesign, models: EarlyModels) -> None:
    """A row for each effect within and between therapists with clinic effects, and what they do to the answer."""
    if design.n_clinics < 2:
        return
    try:
        found = clinic_estimates(design, models)
    except FitError:
        draft.find(
            "clinics_pooled",
            "caution",
            "{n} clinics are analysed together, and a model with clinic effects cannot be fitted. "
            "Differences between clinics may be part of every effect in this report. Analyse the "
            "clinics one by one.",
            "clinics",
            n=Number(design.n_clinics, "integer"),
        )
        return
    draft.estimate(*found)
    main = [e for e in draft.estimates if f"{e.id}_clinics" in {f.id for f in found}]
    draft.table_of(
        "clinic_effects",
        "Effects with a separate level and change for each clinic",
        "sensitivity",
        [row for e in main for row in (e, *(f for f in found if f.id == f"{e.id}_clinics"))],
        [Column("label", "Effect"), *ESTIMATE, COUNT],
        _NOTE
        if design.n_therapists
        else "The same models with a fixed effect for each clinic. They compare clients of the same clinic.",
    )
    _tell(draft, design, main, found)


def clinic_estimates(design: EarlyDesign, models: EarlyModels) -> list[Estimate]:
    """``slope_within_clinics``, ``slope_between_clinics``, ``end_within_clinics``, ``end_between_clinics``.

    The random part is that of the main model. A therapist-level coefficient loses a df for each clinic but the first.
    """
    out = []
    for kind in ("slope", "end"):
        main = models.of(kind)
        if main is None:
            continue
        formula = (
            design.growth_formula(clinics=True) if kind == "slope" else design.endpoint_formula(clinics=True)
        )
        rows = design.rows if kind == "slope" else design.clients
        fitted = with_robust(fit_first(f"{kind}_clinics", main.title, formula, rows, (main.structure,)))
        effects = split_effects(fitted, design, kind, design.n_clinics - 1)
        out += [
            effect_estimate(design, kind, effect, effects[effect], "_clinics", ", within clinics")
            for effect in ("within", "between")
            if effect in effects
        ]
    return out


def _tell(draft: Draft, design: EarlyDesign, main: list[Estimate], found: list[Estimate]) -> None:
    """Whether clinic effects move the answer."""
    pairs = [(e, next(f for f in found if f.id == f"{e.id}_clinics")) for e in main]
    moved = [(e, f) for e, f in pairs if abs(e.estimate - f.estimate) > MOVED * e.se]
    clinics = Number(design.n_clinics, "integer")
    if not moved:
        draft.find(
            "clinics_pooled",
            "info",
            "{n} clinics are analysed together. With a separate level and change for each clinic, "
            "no effect changes by more than half of its standard error.",
            "clinics",
            n=clinics,
        )
        return
    said = [
        say(
            "{level}, on the {outcome}: {main} becomes {now}",
            level=design.among if "_within" in e.id else "between therapists",
            outcome=_NAMES[e.id.split("_")[0]],
            main=e.number(),
            now=f.number(),
        )
        for e, f in moved
    ]
    draft.find(
        "clinics_move_the_answer",
        "caution",
        "{n} clinics are analysed together, and differences between clinics matter. With a "
        "separate level and change for each clinic, these effects change by more than half of "
        "their standard error: {which}. Use the rows with clinic effects, or analyse the clinics "
        "one by one.",
        "clinics",
        n=clinics,
        which=joined(said, "; "),
    )
