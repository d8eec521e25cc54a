"""Which comes first: alliance or symptom change, from session to session within clients."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import pandas as pd
from pydantic import BeforeValidator, Field

from alliance_longitudinal.analyses.kit import (
    ESTIMATE,
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
    analysis,
    begin_numbers,
    models_table,
    number_of_therapists,
)
from alliance_longitudinal.analyses.lagged_effects import words
from alliance_longitudinal.analyses.lagged_effects.charts import show
from alliance_longitudinal.analyses.lagged_effects.compute import (
    Estimator,
    check_panel,
    cross_lagged,
    equal_lags_p,
    of_cross_lagged,
    others,
)
from alliance_longitudinal.analyses.lagged_effects.design import (
    FEWEST,
    MIN_CLIENTS,
    MIN_CLUSTERS,
    as_names,
    as_span,
    check_gaps,
    choose,
    enough,
    keep,
)
from alliance_longitudinal.analyses.lagged_effects.processes import Names, directions
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import DataError, StudyError
from alliance_longitudinal.present import Column
from alliance_longitudinal.sentences import told

if TYPE_CHECKING:
    from alliance_longitudinal.methods.panel.riclpm import CrossLagged


@analysis(
    "Alliance and symptoms from session to session",
    "Does the alliance come before symptom change, do symptoms come before change in the alliance, or both?",
    main="riclpm_a_to_y",
    limits=(
        "An effect from one session to the next is an association. Something that was not measured "
        "may have changed both.",
        "The model removes stable differences between clients and, with trend=true, each client's "
        "line over sessions. It does not remove other slow changes.",
        "What does not change, such as age or diagnosis, biases no effect as long as what goes with it is the same at all sessions, because the "
        "model removes it. If it is not, make it one of the covariates. A measure or covariate that changes from session to session can be the third process "
        "(other).",
        "The dynamic panels and the centred mixed model have no line for each client, so they are "
        "biased if the courses of clients differ.",
        "Measurement error at single sessions makes the effects and the carry-over smaller.",
        "Scores are assumed to be missing at random: clients may drop out because of observed "
        "scores, but not because of unobserved ones.",
    ),
)
def lagged_effects(
    study: Study,
    alliance: AllianceName = None,
    outcome: OutcomeName = None,
    sessions: Annotated[
        tuple[int, int] | None,
        BeforeValidator(as_span),
        Field(
            description="First and last session, such as 2-7. None: the longest run of sessions that 60 % of the clients have."
        ),
    ] = None,
    other: Annotated[
        str | None,
        Field(
            description="A third measure in the model, or a covariate of sessions that is a number, by its name in the study file; its "
            "effects are reported, too. None: only alliance and outcome."
        ),
    ] = None,
    trend: Annotated[
        bool | None,
        Field(
            description="Whether the main model has a line over sessions for each client. None: if this "
            "describes the data better (lower AIC)."
        ),
    ] = None,
    equal_lags: Annotated[
        bool,
        Field(description="Hold the effects equal over sessions. Otherwise the report gives their mean."),
    ] = True,
    max_gap_days: Annotated[
        float | None,
        Field(gt=0, description="Leave out sessions after a longer gap than this. None: keep all."),
    ] = None,
    estimators: Annotated[
        tuple[Estimator, ...] | None,
        BeforeValidator(as_names),
        Field(
            description="Estimators to compare with the main model (riclpm): some of mldpm, gmm, mlm. None: "
            "all."
        ),
    ] = None,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    audience: Audience = "internal",
) -> Draft:
    """Relate alliance and symptoms of one session to those of the next, within clients and in both directions.

    The headline allows feedback: the alliance may follow earlier improvement, which biases models that centre on clients' means.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.lagged_effects(al.load_study("demo"), sessions=(1, 5), estimators=("riclpm",))
    >>> result.estimates["id"].tolist()[:2]
    ['riclpm_a_to_y', 'riclpm_y_to_a']
    """
    draft = Draft(study, clinic)
    groups = draft.compare(by)
    a, y = draft.measure("alliance", alliance), draft.measure("symptoms", outcome)
    names = _names(a, y, _third(draft, other))
    _adjust(draft, covariates)
    columns = [c for c in (names.a, names.y, names.z) if c is not None]
    draft.with_therapists(needed=False, partial=True)
    span = choose(draft, columns, sessions, FEWEST + bool(trend))
    draft.resolved["sessions"] = list(span)
    keep(draft, columns, span, max_gap_days)
    enough(draft, names)
    rows, held = draft.adjusters(draft.sessions)
    names = replace(names, held=tuple(held))
    draft.fact("Sessions analysed", f"{span[0]} to {span[1]}")
    draft.fact("Clients", Count(rows["client"].nunique(), "client"))
    draft.fact("Scored sessions", Count(len(rows), "session"))
    check_gaps(draft)
    n_therapists = number_of_therapists(rows["therapist"]) if draft.therapists_known else 0
    cluster = "therapist" if n_therapists >= MIN_CLUSTERS else None
    if n_therapists and cluster is None:
        draft.find(
            "not_clustered",
            "info",
            "{n:noun} {n:is|are} too few for standard errors by therapist, so clients are taken as independent.",
            n=Number(n_therapists, "integer", "therapist"),
        )
    draft.resolved["equal_lags"] = equal_lags
    models = _versions(draft, rows, names, cluster, span[1] - span[0] >= FEWEST)
    lines = _with_lines(models) if trend is None else trend
    draft.resolved["trend"] = lines
    main = _main(draft, rows, names, cluster, models, lines, equal_lags)
    draft.estimate(*others(draft, rows, names, estimators or ("mldpm", "gmm", "mlm"), cluster))
    words.answer(draft, names, a, y)
    words.findings(draft, main, names)
    words.estimators_differ(draft)
    show(draft, names, main)
    if groups is not None:
        _compare(draft, groups, names, lines)
    if draft.fitted:
        draft.show(models_table(draft.fitted))
    draft.usual_findings(rows.groupby("therapist")["client"].nunique(), therapists=False)
    words.methods_text(
        draft,
        names,
        span,
        {"trend": lines, "equal_lags": bool(draft.resolved["equal_lags"]), "chosen": trend is None},
        cluster is not None,
    )
    return draft


def _adjust(draft: Draft, covariates: Sequence[str] | None) -> None:
    """Adjust for covariates of clients and therapists.

    Raises
    ------
    StudyError
        If one of them changes from session to session.
    """
    draft.adjust(covariates)
    changing = next((c.name for c in draft.covariates if c.level == "session"), None)
    if changing is not None:
        raise StudyError(
            f"Parameter 'covariates': {changing!r} changes from session to session, and the model holds constant what does not change. "
            f"Make it the third process: other={changing}."
        )


def _third(draft: Draft, other: str | None) -> tuple[str, str] | None:
    """Column and label of the third process: a measure, or a covariate of sessions that is a number."""
    if other is None:
        return None
    if other in draft.study.measures or other not in draft.study.session_covariates:
        measure = draft.any_measure(other, "other")
        return measure.name, measure.instrument.label
    if not pd.api.types.is_numeric_dtype(draft.sessions[other]):
        raise StudyError(
            f"Parameter 'other': {other!r} is a covariate with categories, and a third process needs numbers."
        )
    draft.resolved["other"] = other
    return other, other


def _names(a: Measure, y: Measure, third: tuple[str, str] | None) -> Names:
    """Columns and labels; two measures by the same instrument also show their names."""
    known = [(m.name, m.instrument.label) for m in (a, y)] + ([] if third is None else [third])
    labels = [label for _, label in known]
    said = [f"{label} ({name})" if labels.count(label) > 1 else label for name, label in known]
    more = () if third is None else (third[0], said[2])
    return Names(a.name, y.name, said[0], said[1], *more)


def _versions(
    draft: Draft, rows: pd.DataFrame, names: Names, cluster: str | None, lines: bool
) -> "dict[bool, CrossLagged]":
    """The model without and with lines of clients, where sessions are enough for them."""
    try:
        check_panel(rows, names)
        begin_numbers()
        return {
            trend: cross_lagged(rows, names, cluster, trend=trend) for trend in (False, True)[: 1 + lines]
        }
    except DataError as error:
        raise draft.too_little("{why}", why=told(error)) from None


def _with_lines(models: "dict[bool, CrossLagged]") -> bool:
    """Whether lines of clients describe the data better, by Akaike's criterion."""
    return True in models and models[True].converged and models[True].aic < models[False].aic


def _main(
    draft: Draft,
    rows: pd.DataFrame,
    names: Names,
    cluster: str | None,
    models: "dict[bool, CrossLagged]",
    lines: bool,
    equal_lags: bool,
) -> "CrossLagged":
    """The main model, its other version, and the model without client levels; without the first there is no report."""
    equal = models[lines]
    if not equal.converged:
        raise draft.too_little(
            "The main model did not converge in these data, so there is no estimate. Choose other sessions.",
            "not_converged",
            "failed",
        )
    free = cross_lagged(rows, names, cluster, trend=lines, equal_lags=False)
    if not equal_lags and not free.converged:
        draft.find(
            "free_effects_failed",
            "caution",
            "The model with effects of its own at each step did not converge, so the effects are held equal over sessions.",
        )
        draft.resolved["equal_lags"] = True
    found = equal if equal_lags or not free.converged else free
    draft.models["riclpm"] = found
    draft.estimate(*of_cross_lagged(found, names, "riclpm", "Main model", full=True))
    p = equal_lags_p(equal, free) if free.converged else float("nan")
    draft.estimate(Estimate("equal_lags_p", "Effects are equal over sessions (p)", p, n=equal.nobs, unit="p"))
    clpm = cross_lagged(rows, names, cluster, random_intercepts=False)
    beside = [("clpm", "Without client levels (biased)", clpm)]
    if (not lines) in models:
        key, title = (
            ("riclpm_level", "Without client lines") if lines else ("riclpm_trend", "With client lines")
        )
        beside.insert(0, (key, title, models[not lines]))
    for key, title, model in beside:
        if model.converged:
            draft.models[key] = model
            draft.estimate(*of_cross_lagged(model, names, key, title))
    return found


def _compare(draft: Draft, groups: Groups, names: Names, lines: bool) -> None:
    """The main model's effects in each group, and their differences; clients are taken as independent."""
    found: dict[str, list[Estimate]] = {}
    columns = [c for c in (names.a, names.y, names.z) if c is not None]
    for group, sessions in groups.split(draft.sessions):
        rows, held = draft.adjusters(sessions)
        complete = rows[columns].notna().all(axis=1).groupby(rows["client"]).sum()
        if int((complete >= 2).sum()) < MIN_CLIENTS:
            draft.small_group(groups, group, MIN_CLIENTS)
            continue
        try:
            model = cross_lagged(rows, replace(names, held=tuple(held)), None, trend=lines)
        except DataError as error:
            draft.find("group_failed", "caution", "{group}: {why}", group, group=group, why=told(error))
            continue
        if model.converged:
            keys = {d.key: d.words for d in directions(names)}
            estimates = of_cross_lagged(model, names, "riclpm", "Main model")
            found[group] = [replace(e, label=keys[e.id.removeprefix("riclpm_")]) for e in estimates]
    if len(found) > 1:
        draft.by_group(
            found,
            [Column("unit", "Unit"), *ESTIMATE],
            "Effects from one session to the next, from the main model in each group.",
        )


__all__ = ["lagged_effects"]
