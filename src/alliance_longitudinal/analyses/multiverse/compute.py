"""From sessions to the curve: the rows of each analysis, its cell, and all of them judged together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import ALONE, MIN_THERAPISTS, Fitted
from alliance_longitudinal.analyses.kit.early_cells import (
    Cell,
    Effect,
    Units,
    least_squares,
    run,
)
from alliance_longitudinal.analyses.kit.early_cells import outcome_of as change_or_slope
from alliance_longitudinal.analyses.kit.early_design import (
    MIN_CLIENTS,
    Adjusters,
    Choices,
    EarlyDesign,
    design_of,
    unadjusted,
)
from alliance_longitudinal.analyses.kit.norms import Given, known_norms
from alliance_longitudinal.analyses.kit.scales import scale_scores
from alliance_longitudinal.analyses.multiverse.grid import LEAST, TOTAL, Spec, axes_of
from alliance_longitudinal.analyses.multiverse.held import mixed_cell
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.timing import Landmark, landmark

if TYPE_CHECKING:
    from alliance_longitudinal.methods.probing.curve import SpecificationCurve
    from alliance_longitudinal.methods.psychometrics.change.classify import Norms


@dataclass(frozen=True, slots=True)
class Setting:
    """What all analyses have in common.

    Attributes
    ----------
    outcome : Measure
    time : str
        Unit of time, as in ``Choices``.
    effect : {"within", "between"}
    horizon : float
        When the fixed-time outcome is taken, in units of time after the window.
    adjusters : callable
        Of the draft.
    """

    outcome: Measure
    time: str
    effect: Effect
    horizon: float
    adjusters: Adjusters = unadjusted


@dataclass(frozen=True, slots=True, eq=False)
class Multiverse:
    """All analyses and their curve.

    Attributes
    ----------
    specs : tuple of Spec
    curve : SpecificationCurve
    questions : list of str
        Of each analysis.
    main : int
        Place of the main analysis.
    fitted : Fitted or None
        Its model, if it is a mixed model.
    """

    specs: tuple[Spec, ...]
    curve: "SpecificationCurve"
    questions: list[str]
    main: int
    fitted: Fitted | None

    @property
    def question(self) -> str:
        """The question of the main analysis."""
        return self.questions[self.main]

    def of(self, question: str) -> "SpecificationCurve | None":
        """The curve of one question; None where no analysis of it could be made."""
        rows = np.array([q == question for q in self.questions])
        if self.curve.table["estimate"][rows].isna().all():
            return None
        return self.curve.part(rows)


def multiverse_of(
    sessions: pd.DataFrame, specs: Sequence[Spec], main: Spec, setting: Setting, n_perm: int, seed: int
) -> Multiverse | None:
    """Run all analyses; None where not one can be made."""
    if setting.adjusters is unadjusted:
        sessions = _with_short_ids(sessions)
    units = Units.of(sessions, setting.effect)
    measures = list({s.measure.name: s.measure for s in specs}.values())
    axes = axes_of(measures)
    raters = len({m.rater for m in measures}) > 1
    cells: dict[tuple[Any, ...], Cell | None] = {}
    choices = [spec.choice(axes) for spec in specs]
    keys = {spec.key: tuple(choice.values()) for spec, choice in zip(specs, choices, strict=True)}
    fitted: Fitted | None = None
    for spec, cell, model in _cells(sessions, specs, setting, units):
        cells[keys[spec.key]] = cell
        if spec.key == main.key:
            fitted = model
    curve = run(cells, choices, units, n_perm, seed)
    if curve is None:
        return None
    questions = [spec.question(raters=raters) for spec in specs]
    place = [spec.key for spec in specs].index(main.key)
    return Multiverse(tuple(specs), curve, questions, place, fitted)


def _with_short_ids(sessions: pd.DataFrame) -> pd.DataFrame:
    """The same rows with whole numbers as ids: many designs are made of them, and text is slow to look up."""
    named = [c for c in ("client", "therapist") if c in sessions and not sessions[c].eq(ALONE).any()]
    ids = {c: pd.factorize(sessions[c])[0] for c in named}
    return sessions.assign(**ids)


def _cells(
    sessions: pd.DataFrame, specs: Sequence[Spec], setting: Setting, units: Units
) -> "Iterator[tuple[Spec, Cell | None, Fitted | None]]":
    """The cell of each analysis, and its model if it is a mixed one."""
    norms = known_norms(setting.outcome, Given()).norms
    groups: dict[Any, dict[str, list[Spec]]] = {}
    for spec in specs:
        part = groups.setdefault((spec.measure.name, spec.scale, str(spec.early)), {})
        part.setdefault(spec.adjust, []).append(spec)
    for by_adjustment in groups.values():
        first = next(iter(by_adjustment.values()))[0]
        found = early_rows(sessions, first, setting)
        for own in by_adjustment.values():
            design = design_for(found, own[0], setting)
            yield from _of_design(found, design, own, setting, units, norms)


def early_rows(sessions: pd.DataFrame, spec: Spec, setting: Setting) -> Landmark:
    """Clients and their later scores for one definition of early alliance."""
    name, window = spec.measure.name, spec.early.window
    if spec.scale != TOTAL:
        sessions = sessions.assign(**{name: scale_scores(sessions, spec.measure)[spec.scale]})
    if spec.early.first:
        rated = sessions["session"].between(window.first, window.last) & sessions[name].notna()
        again = sessions.loc[rated].groupby("client").cumcount() > 0
        later = again.index[again]
        sessions = sessions.assign(**{name: sessions[name].mask(sessions.index.isin(later))})
    return landmark(
        sessions,
        SampleFlow(),
        alliance=name,
        outcome=setting.outcome.name,
        window=window,
        min_rated=1,
        need_change=False,
    )


def design_for(found: Landmark, spec: Spec, setting: Setting) -> EarlyDesign:
    """The design of one adjustment: those whose early change is known, where it is adjusted for."""
    choices = Choices(
        spec.measure,
        setting.outcome,
        spec.early.window,
        1,
        adjust_intake=spec.adjust != "nothing",
        adjust_early_change=spec.adjust == "change",
        time=setting.time,
    )
    if spec.adjust == "change":
        found = only(found, found.clients["change"].notna())
    return design_of(found, choices, MIN_THERAPISTS, lambda rows: _by_client(rows, setting.adjusters))


def _by_client(rows: pd.DataFrame, adjusters: Adjusters) -> tuple[pd.DataFrame, list[str]]:
    """Covariates of sessions enter as the client's mean, so that every model has them per client."""
    if "session" not in rows:
        return adjusters(rows)
    out, terms = adjusters(rows.drop(columns="session"))
    return out.assign(session=rows["session"]), terms


def only(found: Landmark, clients: "pd.Series[bool]") -> Landmark:
    """Some of the clients."""
    kept = found.clients[clients].reset_index(drop=True)
    return replace(
        found,
        clients=kept,
        followup=found.followup[found.followup["client"].isin(kept["client"])].reset_index(drop=True),
    )


def _of_design(
    found: Landmark,
    design: EarlyDesign,
    specs: Sequence[Spec],
    setting: Setting,
    units: Units,
    norms: "Norms",
) -> "Iterator[tuple[Spec, Cell | None, Fitted | None]]":
    """All outcomes and estimators of one design."""
    scored: dict[str, tuple[pd.Series, float] | None] = {}
    narrowed: dict[str, EarlyDesign] = {}
    for spec in specs:
        if spec.outcome not in scored:
            scored[spec.outcome] = outcome_of(design, spec.outcome, setting, norms)
        of = scored[spec.outcome]
        if of is None or design.n_clients < MIN_CLIENTS or int(of[0].notna().sum()) < MIN_CLIENTS:
            yield spec, None, None
            continue
        values, points = of
        if spec.estimator == LEAST:
            yield spec, least_squares(design, values, units, setting.effect, points), None
            continue
        if spec.outcome not in narrowed:
            narrowed[spec.outcome] = _with_outcome(found, design, spec, values, setting)
        kind = "slope" if spec.outcome == "slope" else "end"
        pair = mixed_cell(narrowed[spec.outcome], kind, spec.estimator, units, setting.effect, points)
        yield (spec, None, None) if pair is None else (spec, *pair)


def _with_outcome(
    found: Landmark, design: EarlyDesign, spec: Spec, values: "pd.Series[float]", setting: Setting
) -> EarlyDesign:
    """The design of the clients who have the outcome, which takes the place of the change from intake."""
    if spec.outcome in ("slope", "last"):
        return design
    known = pd.Series(values.to_numpy(), index=design.clients["client"]).dropna()
    design = design_for(only(found, found.clients["client"].isin(known.index)), spec, setting)
    return replace(
        design, clients=design.clients.assign(end_change=design.clients["client"].map(known).astype(float))
    )


def outcome_of(
    design: EarlyDesign, outcome: str, setting: Setting, norms: "Norms"
) -> "tuple[pd.Series[float], float] | None":
    """Each client's outcome, and what turns points into standard deviations where better is positive.

    Courses and changes are in standard deviations of the intake score, a course over the horizon; recovery is in standard deviations of
    its own. None where the outcome is not defined for this measure.
    """
    clients = design.clients
    alliance = 1.0 if design.choices.alliance.instrument.direction == "higher_better" else -1.0
    if outcome == "recovered":
        values = recovered(clients["intake"], clients["end"], norms)
        sd = float(values.std()) if values is not None else 0.0
        return (values, alliance / sd) if values is not None and sd > 0 else None
    if outcome == "horizon":
        found = change_or_slope(design, "last", setting.horizon)
        return None if found is None else (at_horizon(design, setting.horizon), found[1])
    return change_or_slope(design, outcome, setting.horizon)


def at_horizon(design: EarlyDesign, horizon: float) -> "pd.Series[float]":
    """Change from intake to the score nearest to the horizon, at most a quarter of it (and one unit of time) away."""
    rows = design.rows
    away = (rows["weeks"] - horizon).abs()
    near = rows[away <= max(horizon / 4, 1.0)].assign(away=away)
    nearest = near.sort_values(["client", "away", "weeks"]).groupby("client")["y"].first()
    clients = design.clients
    return clients["client"].map(nearest).astype(float) - clients["intake"]


def recovered(
    intake: "pd.Series[float]", end: "pd.Series[float]", norms: "Norms"
) -> "pd.Series[float] | None":
    """1 for clients who recovered, 0 for others in the clinical range at intake; None without a cut-off or points."""
    from alliance_longitudinal.methods.psychometrics.change.classify import by_index

    method = "points" if norms.points is not None else "JT"
    if norms.cut is None or (norms.points is None and norms.reliability is None) or len(intake) < MIN_CLIENTS:
        return None
    change = by_index(pd.DataFrame({"pre": intake, "post": end}), method, norms)
    assert change.cut is not None
    hit = change.frame["category"].eq("recovered").astype(float)
    return hit.where(change.cut.clinical(intake.to_numpy(float)))
