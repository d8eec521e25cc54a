"""The clients and scores that a plan rests on, and their model: with the alliance, or symptoms alone."""

from dataclasses import dataclass, replace

import pandas as pd

from alliance_longitudinal.analyses.kit import (
    ESTIMATE,
    GROWTH,
    MIN_THERAPISTS,
    Draft,
    Estimate,
    Groups,
    fit_first,
    slug,
    time_unit,
)
from alliance_longitudinal.analyses.kit.early_design import (
    MIN_CLIENTS,
    Choices,
    EarlyDesign,
    build_design,
    drafted_design,
)
from alliance_longitudinal.analyses.kit.early_models import Fit
from alliance_longitudinal.analyses.planning.basis import Basis, own_basis, own_estimates, symptom_basis
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import FitError, StudyError
from alliance_longitudinal.timing import TimeWindow


@dataclass(frozen=True, slots=True)
class Ground:
    """What a plan's model is fitted to.

    Attributes
    ----------
    clients : DataFrame
        ``client, therapist``, one row per client.
    rows : DataFrame
        ``client, therapist, weeks, y``, one row per score; after the early window where the alliance is in the model.
    design : EarlyDesign or None
        Of the alliance and its adjustment; None for symptoms alone.
    """

    clients: pd.DataFrame
    rows: pd.DataFrame
    design: EarlyDesign | None

    def basis(self, draft: Draft, fit: Fit) -> Basis:
        """The study's own effects and variances.

        Raises
        ------
        FitError
            If no model can be fitted.
        """
        if self.design is not None:
            return own_basis(self.design, fit)
        rows, adjusted = draft.adjusters(self.rows)
        fixed = f"y ~ weeks * ({' + '.join(adjusted)})" if adjusted else "y ~ weeks"
        return symptom_basis(fit("course", "Course of symptoms", fixed, rows, GROWTH), rows)


def alliance_of(draft: Draft, study: Study, name: str | None) -> Measure | None:
    """The alliance measure; None if the study has none and none was asked for, which the report says."""
    if name is not None or any(m.construct == "alliance" for m in study.measures.values()):
        return draft.measure("alliance", name)
    draft.find(
        "no_alliance",
        "info",
        "The study has no alliance measure, so the plan is about differences between therapists in their clients' rates of change, not about effects "
        "of the alliance.",
        "the alliance",
    )
    return None


def refuse_effects(given: dict[str, float | None]) -> None:
    """Effects of the alliance that were asked for where there is no alliance.

    Raises
    ------
    StudyError
        If one was asked for.
    """
    for name in ("within", "between", "effect_sd"):
        if given[name] is not None:
            raise StudyError(
                f"Parameter '{name}': the study has no alliance measure, so no effect of the alliance can be planned. Leave it out, or name an "
                "alliance measure in the study file."
            )


def ground_of(
    draft: Draft, a: Measure | None, y: Measure, window: TimeWindow, adjusted: tuple[bool, bool]
) -> Ground:
    """The draft's clients and scores; its sample flow counts the others.

    Parameters
    ----------
    adjusted : tuple of bool
        For intake severity, for early change.
    """
    if a is not None:
        choices = Choices(a, y, window, 1, *adjusted, time_unit(draft.study))
        design = drafted_design(draft, choices)
        return Ground(design.clients, design.rows, design)
    scored = draft.sessions[y.name].notna() & draft.sessions["week"].notna()
    label = y.instrument.label
    draft.keep(scored, f"Sessions with {label}", f"no {label} score, or no date or week at the session")
    return _courses(draft.sessions, y)


def _courses(sessions: pd.DataFrame, y: Measure) -> Ground:
    scored = sessions[sessions[y.name].notna() & sessions["week"].notna()]
    start = scored.groupby("client")["week"].transform("min")
    rows = scored.assign(y=scored[y.name], weeks=scored["week"] - start).reset_index(drop=True)
    return Ground(rows.drop_duplicates("client")[["client", "therapist"]], rows, None)


def compare_groups(draft: Draft, groups: Groups, ground: Ground, y: Measure, unit: str) -> None:
    """The effects (without an alliance: the share of therapists) that each group's own interval suggests."""
    shown = ("own_within", "own_between") if ground.design is not None else ("own_share",)
    found: dict[str, list[Estimate]] = {}
    for group, rows in groups.split(draft.sessions):
        own = _of_group(draft, ground, rows, y)
        found[group] = []
        if len(own.clients) < MIN_CLIENTS:
            draft.small_group(groups, group, MIN_CLIENTS)
            continue
        try:
            basis = own.basis(draft, fit_first)
        except FitError:
            draft.unfitted_group(groups, group)
            continue
        fitted = basis.fitted
        draft.uses(replace(fitted, name=f"{fitted.name}_{slug(group)}", title=f"{fitted.title} ({group})"))
        found[group] = [e for e in own_estimates(basis, unit) if e.id in shown]
    what = (
        "Effects on the rate of change per standard deviation"
        if ground.design is not None
        else "Shares of therapists"
    )
    draft.by_group(found, ESTIMATE, f"{what}, from models of each group alone.")


def _of_group(draft: Draft, ground: Ground, rows: pd.DataFrame, y: Measure) -> Ground:
    if ground.design is None:
        return _courses(rows, y)
    design = build_design(rows, SampleFlow(), ground.design.choices, MIN_THERAPISTS, draft.adjusters)
    return Ground(design.clients, design.rows, design)
