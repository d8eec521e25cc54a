"""Whether therapists' alliances and outcomes change over their cases, and with years of experience."""

from typing import Annotated

import numpy as np
from pydantic import Field

from alliance_longitudinal.analyses.kit import (
    ESTIMATE,
    MIN_THERAPISTS,
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
    TooLittle,
    Window,
    analysis,
    coefficient_table,
    models_table,
    needs_change,
    say,
    say_not_compared,
    time_unit,
    variance_table,
)
from alliance_longitudinal.analyses.therapist_development.charts import course_figure, therapists_figure
from alliance_longitudinal.analyses.therapist_development.compute import (
    Change,
    change_estimate,
    experience_estimate,
    fit_change,
    in_sd,
    spread_estimate,
)
from alliance_longitudinal.analyses.therapist_development.design import (
    Cases,
    cases_of,
    find_experience,
    keep_followed,
    number_cases,
    usual_length,
)
from alliance_longitudinal.analyses.therapist_development.tables import show_changes, steps_table
from alliance_longitudinal.analyses.therapist_development.words import LIMITS, answer, method_of
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.present import Column

MIN_CLIENTS = 20
#: A therapist with fewer cases says little about change.
MIN_CASES = 5


@analysis(
    "Do therapists develop?",
    "Do therapists' alliances and outcomes change over their cases, and with years of experience?",
    main=("alliance_case", "outcome_case"),
    limits=LIMITS,
)
def therapist_development(
    study: Study,
    alliance: AllianceName = None,
    outcome: OutcomeName = None,
    window: Window = None,
    horizon: Annotated[
        float | None,
        Field(
            gt=0,
            le=520,
            description="Weeks within which the end score is taken (sessions, where the study has no dates and weeks); clients who began later than that before the end of the data are left "
            "out. None: the median length of the treatments.",
        ),
    ] = None,
    case_number: Annotated[
        str | None,
        Field(
            description="Covariate of clients that holds the number of the therapist's case. None: the order of first sessions."
        ),
    ] = None,
    experience: Annotated[
        str | None,
        Field(
            description="Covariate of therapists that holds experience, such as years. None: the one that is named experience, if there is one."
        ),
    ] = None,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    audience: Audience = "internal",
) -> Draft:
    """Relate the early alliance and the outcome of a client to the number of the therapist's case.

    Later clients of a therapist are compared with earlier clients of the same therapist; how fast scores change may differ between
    therapists.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.therapist_development(al.load_study("demo"))
    >>> result.estimates["id"].tolist()[:3]
    ['alliance_case', 'alliance_case_d', 'alliance_case_sd']
    """
    draft = Draft(study, clinic)
    groups = draft.compare(by)
    draft.adjust(covariates)
    a, y = _measures(draft, alliance, outcome)
    draft.with_therapists(why="it is about therapists")
    people = number_cases(study, case_number)
    name = find_experience(study, experience)
    if people is None:
        raise draft.too_little(
            "The order of a therapist's clients is not known. Name a column of dates in the study file, or a covariate of clients that "
            "holds the number of the case (parameter 'case_number').",
            "no_order",
        )
    span = window or study.early_window
    weeks = horizon or max(usual_length(draft.sessions), 1.0)
    keep_followed(draft, people, weeks)
    y = _that_changes(draft, a, y)
    cases = cases_of(draft, people, a, y, span, weeks, name)
    _enough(draft, cases)
    draft.fact("Clients", Count(len(cases.clients), "client"))
    draft.therapists(cases.clients["therapist"])
    most = cases.clients.groupby("therapist").size()
    draft.fact("Cases per therapist, median", Count(round(float(most.median())), "client"))
    draft.fact("Followed for", say("{n:noun}", n=Number(weeks, "integer", time_unit(study))))
    draft.resolved |= {"horizon": weeks, "window": list(span), "experience": name}
    changes = _main(draft, cases, a, y)
    further = _further(draft, cases, a, y, name)
    answer(draft, changes, a, y)
    main = [e for e in draft.estimates if e.id not in {f.id for f in further}]
    for outcome_name, measure in (("alliance", a), ("end", y)):
        if outcome_name in changes and measure is not None:
            _figures(draft, changes[outcome_name], measure)
    show_changes(draft, main, further)
    draft.show(steps_table(cases, a, y, study.small_cells))
    if groups is not None:
        _compare(draft, groups, cases, a, y)
    draft.show(models_table(draft.fitted), variance_table(draft.fitted))
    draft.show(*(coefficient_table(c.fitted) for c in changes.values()))
    _check(draft, changes, a, y)
    draft.usual_findings(most)
    draft.method(*method_of(draft, cases, changes, a, y, span, case_number))
    draft.cite("goldberg2016", "raudenbush2002")
    return draft


def _measures(
    draft: Draft, alliance: str | None, outcome: str | None
) -> tuple[Measure | None, Measure | None]:
    """Alliance and symptoms, or the one that the study has."""
    there = {m.construct for m in draft.study.measures.values()}
    a = draft.measure("alliance", alliance) if alliance or "alliance" in there else None
    y = draft.measure("symptoms", outcome) if outcome or "symptoms" in there else None
    for kind, own, other in (("alliance", a, y), ("symptoms", y, a)):
        if own is None and other is not None:
            draft.find(
                "one_measure",
                "info",
                "The study has no {kind} measure, so the report is about {other} only.",
                kind=kind,
                other=other.label,
            )
    return a, y


def _that_changes(draft: Draft, a: Measure | None, y: Measure | None) -> Measure | None:
    """The outcome; none, with a finding, where no client's scores change and the alliance is left to report on."""
    if y is None:
        return None
    try:
        needs_change(draft, y)
    except TooLittle:
        if a is None:
            raise
        draft.find(
            "outcome_without_change",
            "caution",
            "No client's score of {outcome} changes, so the report is about {other} only.",
            outcome=y.label,
            other=a.label,
        )
        return None
    return y


def _enough(draft: Draft, cases: Cases) -> None:
    clients = cases.clients
    with_any = clients[clients["alliance"].notna() | clients[["intake", "end"]].notna().all(axis=1)]
    draft.needs(len(with_any), MIN_CLIENTS, "the analysis of therapists' development")
    several = int((with_any.groupby("therapist").size() >= MIN_CASES).sum())
    if several < MIN_THERAPISTS:
        raise draft.too_little(
            "{n:noun} {n:has|have} at least {cases} cases in the analysis, and change over cases needs {needed} such therapists.",
            "few_therapists_with_cases",
            n=Number(several, "integer", "therapist"),
            cases=Number(MIN_CASES, "integer"),
            needed=Number(MIN_THERAPISTS, "integer"),
        )


def _enough_rows(cases: Cases, outcome: str) -> bool:
    rows = cases.rows(outcome)
    several = int((rows.groupby("therapist").size() >= MIN_CASES).sum())
    return len(rows) >= MIN_CLIENTS and several >= MIN_THERAPISTS and float(np.ptp(rows[outcome])) > 0


def _main(draft: Draft, cases: Cases, a: Measure | None, y: Measure | None) -> dict[str, Change]:
    """The models over cases, with their estimates."""
    changes: dict[str, Change] = {}
    for outcome, measure, words in (
        ("alliance", a, "Early alliance, over ten cases"),
        ("end", y, "End score adjusted for intake, over ten cases"),
    ):
        if measure is None:
            continue
        label = measure.instrument.label
        if not _enough_rows(cases, outcome):
            draft.find(
                "outcome_not_analysed",
                "caution",
                "Too few clients or therapists have scores of {label} for this, or all scores are equal, so the report does not relate {label} "
                "to cases.",
                label,
                label=label,
            )
            continue
        change = fit_change(draft, cases, outcome, "case", draft.fit)
        if change is None:
            continue
        changes[outcome] = change
        unit = f"{label} points"
        found = change_estimate(change, words, unit)
        sign = 1.0 if outcome == "alliance" or measure.instrument.direction == "higher_better" else -1.0
        sd = float(change.rows["alliance" if outcome == "alliance" else "intake"].std())
        draft.estimate(found)
        if sd > 0:  # all clients may have the same score at intake
            draft.estimate(in_sd(found, sd, f"{words}, in standard deviations", sign))
        spread = spread_estimate(change, f"{words}: standard deviation between therapists", unit)
        if spread is not None:
            draft.estimate(spread)
    if not changes:
        raise draft.too_little("Neither alliance nor outcome can be related to cases.", "no_outcome")
    return changes


def _further(
    draft: Draft, cases: Cases, a: Measure | None, y: Measure | None, experience: str | None
) -> list[Estimate]:
    """Other clocks, no adjustment, severity at intake, and experience."""
    out: list[Estimate] = []
    for outcome, measure, words in (
        ("alliance", a, "Early alliance"),
        ("end", y, "End score adjusted for intake"),
    ):
        if measure is None or not _enough_rows(cases, outcome):
            continue
        unit = f"{measure.instrument.label} points"
        for clock, said in (
            ("years", "per year with clients in the data"),
            ("doubling", "per doubling of cases"),
        ):
            if clock == "years" and not cases.dated:
                continue
            change = _try(draft, cases, outcome, clock)
            if change is not None:
                out.append(change_estimate(change, f"{words}, {said}", unit))
        if outcome == "end":
            change = _try(draft, cases, outcome, "case", adjusted=False)
            if change is not None:
                out.append(
                    change_estimate(change, "End score not adjusted for intake, over ten cases", unit, "_raw")
                )
            change = _try(draft, cases, "intake", "case")
            if change is not None:
                out.append(change_estimate(change, "Score at intake, over ten cases", unit))
        if experience is not None:
            label = f"{words}: therapists with one unit more {experience.replace('_', ' ')}"
            found = experience_estimate(draft, cases, outcome, unit, label)
            if found is not None:
                out.append(found[0])
    draft.estimate(*out)
    return out


def _try(draft: Draft, cases: Cases, outcome: str, clock: str, *, adjusted: bool = True) -> Change | None:
    tag = "" if adjusted else "not adjusted for intake"
    try:
        return fit_change(draft, cases, outcome, clock, adjusted=adjusted, tag=tag)
    except FitError:
        return None


def _figures(draft: Draft, change: Change, measure: Measure) -> None:
    label = measure.instrument.label
    up = change.outcome == "alliance" or measure.instrument.direction == "higher_better"
    shown = f"Early {label}" if change.outcome == "alliance" else f"{label} at the end"
    draft.show(course_figure(change, shown, "rises" if up else "falls", draft.study.small_cells))
    figure = therapists_figure(change, shown, f"{label} points over ten cases")
    if figure is not None:
        draft.show(figure)


def _check(draft: Draft, changes: dict[str, Change], a: Measure | None, y: Measure | None) -> None:
    """Residuals, floor and ceiling, and each therapist left out, for the change over cases."""
    for outcome, measure in (("alliance", a), ("end", y)):
        if outcome in changes and measure is not None:
            change = changes[outcome]
            label = f"{measure.instrument.label}: change over ten cases"
            rows = change.rows.assign(y=change.rows[outcome])
            unit = f"{measure.instrument.label} points"
            draft.checks(
                change.fitted,
                rows,
                measure,
                label,
                term="time",
                unit=unit,
                figures=outcome == "end" or y is None,
            )


def _compare(draft: Draft, groups: Groups, cases: Cases, a: Measure | None, y: Measure | None) -> None:
    """Change over cases in each group of clients."""
    found: dict[str, list[Estimate]] = {}
    for group in groups.names:
        inside = cases.clients["client"].map(groups.of).eq(group)
        own = Cases(cases.clients[inside].reset_index(drop=True), cases.dated, cases.horizon)
        estimates, failed = [], False
        for outcome, measure in (("alliance", a), ("end", y)):
            if measure is None or not _enough_rows(own, outcome):
                continue
            try:
                change = fit_change(draft, own, outcome, "case", tag=group)
            except FitError:
                failed = True
                continue
            if change is not None:
                draft.uses(change.fitted)
                words = "Early alliance" if outcome == "alliance" else "End score adjusted for intake"
                estimates.append(
                    change_estimate(change, f"{words}, over ten cases", f"{measure.instrument.label} points")
                )
        if estimates:
            found[group] = estimates
        elif failed:
            draft.unfitted_group(groups, group)
        elif len(own.clients) < MIN_CLIENTS:
            draft.small_group(groups, group, MIN_CLIENTS)
        else:
            why = "has too few therapists with several cases, or only equal scores"
            say_not_compared(draft, groups, group, len(own.clients), why)
    if len(found) > 1:
        draft.by_group(found, [Column("unit", "Unit"), *ESTIMATE], "A separate model for each group.")


__all__ = ["therapist_development"]
