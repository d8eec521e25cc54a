"""How many sessions clients need to improve reliably, and how length of treatment and change go together."""

from typing import Annotated

from pydantic import Field

from alliance_longitudinal.analyses.dose import words
from alliance_longitudinal.analyses.dose.charts import improvement_figure, length_figure
from alliance_longitudinal.analyses.dose.compute import time_estimates, times_of
from alliance_longitudinal.analyses.dose.design import Dose, dose_of, early_of, scored_sessions
from alliance_longitudinal.analyses.dose.length import (
    MIN_LENGTHS,
    alliance_models,
    fit_length,
    length_estimates,
)
from alliance_longitudinal.analyses.kit import (
    AllianceName,
    Audience,
    By,
    Clinic,
    Count,
    Covariates,
    Draft,
    Estimate,
    Groups,
    Number,
    OutcomeName,
    Window,
    analysis,
    models_table,
    say_not_compared,
    variance_table,
)
from alliance_longitudinal.analyses.kit.norms import Given, direction_of, known_norms, unchecked_findings
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.present import Column
from alliance_longitudinal.timing import TimeWindow

MIN_CLIENTS = 20


@analysis(
    "Sessions to improvement, and length of treatment",
    "How many sessions do clients need to improve reliably, and do clients who improve slowly stay longer?",
    main="median_sessions_reliable",
    limits=words.LIMITS,
)
def dose(
    study: Study,
    outcome: OutcomeName = None,
    alliance: AllianceName = None,
    points: Annotated[
        float | None,
        Field(
            gt=0,
            description="Points of a reliable improvement. None: those of reliable change in the instrument file.",
        ),
    ] = None,
    by_session: Annotated[
        int,
        Field(
            ge=1,
            le=200,
            description="The report gives the share of clients who have improved by this session.",
        ),
    ] = 8,
    window: Window = None,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    audience: Audience = "internal",
) -> Draft:
    """Estimate the sessions to the first reliable improvement, and compare the good-enough-level model with the dose model.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.dose(al.load_study("demo"))
    >>> bool(0 < result.estimates.set_index("id").loc["share_by_8", "estimate"] < 1)
    True
    """
    draft = Draft(study, clinic)
    groups = draft.compare(by)
    draft.adjust(covariates)
    y = draft.measure("symptoms", outcome)
    direction_of(y)
    has = any(m.construct == "alliance" for m in study.measures.values())
    a = draft.measure("alliance", alliance) if has or alliance is not None else None
    draft.with_therapists(needed=False, alone=True)
    needed, inclusive = _points(draft, y, points)
    rows = scored_sessions(draft, y)
    several = rows.groupby("client")["session"].size() >= 2
    draft.keep(
        draft.sessions["client"].isin(several.index[several]),
        f"Clients with two scores of {y.instrument.label}",
        "one score or none",
    )
    found = dose_of(draft, y, needed, inclusive=inclusive)
    all_clients = draft.sessions["client"].nunique()
    draft.analysed = found.clients["client"] if len(found.clients) else draft.sessions["client"].iloc[:0]
    draft.needs(len(found.clients), MIN_CLIENTS, "the analysis of sessions to reliable improvement")
    if not found.clients["end"].eq("improved").any():
        raise draft.too_little(
            "None of the clients improved by {points} points or more, so there is no time to improvement.",
            points=Number(needed),
        )
    draft.fact("Clients who could improve", Count(len(found.clients), "client"))
    draft.therapists(found.clients["therapist"])
    draft.fact("Reliable improvement", f"{needed:g} points")
    draft.begin()
    times = times_of(found)
    draft.estimate(*time_estimates(times, found, by_session))
    modelled = _length(draft, found, a, y, TimeWindow(*(window or study.early_window)))
    words.answer(draft, found, y, by_session)
    words.tables(draft, by_session)
    draft.show(improvement_figure(times, len(found.clients)), length_figure(found, y.instrument.label))
    if groups is not None:
        _compare(draft, groups, found, by_session)
    if draft.fitted:
        draft.show(models_table(draft.fitted), variance_table(draft.fitted))
    words.findings(draft, found, times, y, all_clients > len(found.clients))
    draft.usual_findings(found.clients.groupby("therapist")["client"].nunique())
    draft.method(*words.method_of(y, found, inclusive, by_session, modelled, bool(draft.checked)))
    draft.cite("aalen1978", "kaplan1958", "turnbull1976", "howard1986")
    if modelled:
        draft.cite("barkham2006", "baldwin2009")
    return draft


def _points(draft: Draft, y: Measure, points: float | None) -> tuple[float, bool]:
    """Points of reliable improvement, and whether exactly that many are enough."""
    known = known_norms(y, Given(points=points))
    if known.norms.points is None:
        raise draft.too_little(
            "The instrument file of {label} has no points of reliable change. Give 'points'.",
            "no_points",
            label=y.instrument.label,
        )
    draft.resolved["points"] = known.norms.points
    draft.findings += unchecked_findings(
        y.instrument.label, [m for m in known.from_memory if "reliable change" in m]
    )
    return float(known.norms.points), known.norms.points_inclusive


def _length(draft: Draft, found: Dose, a: Measure | None, y: Measure, window: TimeWindow) -> bool:
    """Models of length; whether there are any."""
    scores = found.scores
    lengths = scores.groupby("client")["length"].first()
    if len(lengths) < MIN_LENGTHS or lengths.nunique() < 3:
        draft.find(
            "few_lengths",
            "caution",
            "Too few clients have three scores and a treatment that has ended, or all treatments have the same length, so the report does not relate "
            "length to change.",
            "length",
        )
        return False
    models = fit_length(draft, scores)
    if not models:
        return False
    draft.uses(*models.values())
    estimates = length_estimates(models, found, y)
    draft.estimate(*estimates)
    shown = next(e for e in estimates if e.id == "slope_by_length")
    draft.checks(models["gel"], scores, y, shown.label, term="t_length", unit=shown.unit)
    if a is not None:
        alliance_models(
            draft, early_of(draft, a, scores, (window.first, window.last)), scores, window.last, a, y
        )
    return True


def _compare(draft: Draft, groups: Groups, found: Dose, by: int) -> None:
    """Shares of each group, from its own curves."""
    out: dict[str, list[Estimate]] = {}
    for group, rows in groups.split(found.clients):
        if len(rows) < MIN_CLIENTS:
            draft.small_group(groups, group, MIN_CLIENTS)
            continue
        if not rows["end"].eq("improved").any():
            say_not_compared(draft, groups, group, len(rows), "has no client who improved reliably")
            continue
        own = Dose(rows.reset_index(drop=True), found.scores, found.mean_length, found.points)
        keep = {f"share_by_{by}", f"share_by_{by}_km"}
        out[group] = [e for e in time_estimates(times_of(own), own, by) if e.id in keep]
    if len(out) > 1:
        modelled = [
            Column(key, label, "percent", of="n", modelled=True)
            for key, label in (("estimate", "Estimate"), ("ci_low", "95 % low"), ("ci_high", "95 % high"))
        ]
        draft.by_group(out, modelled, "Separate curves for each group.")


__all__ = ["dose"]
