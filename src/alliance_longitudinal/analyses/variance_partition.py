"""Who differs, therapists, clients or sessions: for alliance and for symptoms."""

import pandas as pd

from alliance_longitudinal.analyses.disclosure import protected
from alliance_longitudinal.analyses.kit.analysis import Analysis
from alliance_longitudinal.analyses.kit.charts import shares_figure
from alliance_longitudinal.analyses.kit.checks import (
    clinic_findings,
    model_findings,
    models_table,
    therapist_findings,
    variance_table,
)
from alliance_longitudinal.analyses.kit.fits import GROWTH, LEVEL, Fitted, fit_first
from alliance_longitudinal.analyses.kit.result import AnalysisResult, Estimate, Methods, estimate_frame
from alliance_longitudinal.analyses.kit.selection import (
    choose_clinic,
    choose_measure,
    require_clients,
    time_unit,
)
from alliance_longitudinal.analyses.kit.shares import (
    ShareParams,
    interval_words,
    share_estimates,
    variance_shares,
    with_failures,
)
from alliance_longitudinal.analyses.kit.versions import versions_sentence
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.findings import SEVERITIES, Finding
from alliance_longitudinal.present import Column, Table
from alliance_longitudinal.present.labels import interval, number

TITLE = "Who differs: therapists, clients, sessions"
QUESTION = (
    "How much of the differences in alliance and in symptoms lies between therapists, clients and sessions?"
)
MIN_CLIENTS = 20


class VariancePartitionParams(ShareParams):
    """Parameters of the variance partition.

    Attributes
    ----------
    alliance, outcome : str or None
        Names of measures in the study file; None takes the first of each kind.
    clinic : str or None
        Analyse this clinic only.
    n_boot, seed : int
        See `ShareParams`.
    """

    alliance: str | None = None
    outcome: str | None = None
    clinic: str | None = None


def variance_partition(
    study: Study,
    alliance: str | None = None,
    outcome: str | None = None,
    clinic: str | None = None,
    n_boot: int = 0,
    seed: int = 20_260_101,
    audience: str = "internal",
) -> AnalysisResult:
    """Divide the variance of alliance and of symptoms between therapists, clients and sessions.

    Parameters
    ----------
    study : Study
        From ``al.load_study``.
    alliance, outcome, clinic, n_boot, seed, audience
        See ``VariancePartitionParams``.

    Returns
    -------
    AnalysisResult

    Raises
    ------
    StudyError
        If a parameter cannot be used with this study.
    DataError
        If too few clients remain.
    FitError
        If no model can be fitted.
    """
    asked = {k: v for k, v in locals().items() if k != "study"}
    return run(study, VariancePartitionParams.from_mapping(asked))


@protected
def run(study: Study, params: VariancePartitionParams) -> AnalysisResult:
    """The analysis in named steps."""
    sessions, flow = choose_clinic(study, params.clinic)
    measures = [
        choose_measure(study, "alliance", params.alliance),
        choose_measure(study, "symptoms", params.outcome),
    ]
    names = [m.name for m in measures]
    labels = " or ".join(m.instrument.label for m in measures)
    rated = sessions[names].notna().any(axis=1)
    sessions, flow = flow.filter(sessions, rated, f"Sessions with {labels}", "neither score at the session")
    estimates: list[Estimate] = []
    models: list[Fitted] = []
    for k, measure in enumerate(measures):
        found, fitted = _partition(_rows(sessions, measure), measure, params, k)
        estimates += found
        models += fitted
    bars = {f"{kind}_{m.name}": f"{m.instrument.label}, {word}" for m in measures for kind, word in _KINDS}
    return AnalysisResult(
        analysis="variance_partition",
        title=TITLE,
        question=QUESTION,
        study=study,
        parameters=params.to_dict() | {"alliance": measures[0].name, "outcome": measures[1].name},
        facts=_facts(measures, sessions, params.clinic),
        answer=_answer(estimates, measures),
        estimates=estimate_frame(estimates),
        models={m.name: m.result for m in models},
        notes=_notes(study, sessions, models, measures, params.clinic),
        flow=flow,
        tables=_tables(estimates, models, time_unit(study)),
        figure_specs=(
            shares_figure(estimates, bars, "Shares of variance between therapists, clients and sessions"),
        ),
        methods_parts=_methods(measures, models, params, time_unit(study)),
        limits=_LIMITS,
        seed=params.seed,
    )


_KINDS = (("level", "level"), ("change", "rate of change"))
_LIMITS = (
    "Clients were not assigned to therapists at random: a share between therapists also holds differences between their clients.",
    "A share between sessions includes measurement error.",
    "Where therapists work in different clinics, differences between clinics count as differences between therapists.",
)


def _rows(sessions: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The rated sessions of one measure; time since the client's first row."""
    rated = sessions[sessions[measure.name].notna()]
    rows = rated[["client", "therapist"]].assign(y=rated[measure.name], weeks=rated["week"])
    what = f"the variance partition of {measure.instrument.label}"
    require_clients(int(rows["client"].nunique()), MIN_CLIENTS, what)
    return rows


def _partition(
    rows: pd.DataFrame, measure: Measure, params: VariancePartitionParams, order: int
) -> tuple[list[Estimate], list[Fitted]]:
    label = measure.instrument.label
    n = {
        "therapist": int(rows["therapist"].nunique()),
        "client": int(rows["client"].nunique()),
        "session": len(rows),
    }
    seed = params.seed + 10 * order
    level = fit_first(f"level_{measure.name}", f"{label} level", "y ~ weeks", rows, LEVEL)
    change = fit_first(f"change_{measure.name}", f"{label} course", "y ~ weeks", rows, GROWTH)
    out: list[Estimate] = []
    models: list[Fitted] = []
    for fitted, term, prefix, what in (
        (level, "Intercept", f"level_{measure.name}", f"{label} level"),
        (change, "weeks", f"change_{measure.name}", f"{label} rate of change"),
    ):
        shares = variance_shares(fitted, term, n_boot=params.n_boot, seed=seed + len(models))
        out += share_estimates(shares, prefix, what, n) if shares else []
        models.append(with_failures(fitted, shares))
    return out, models


def _facts(
    measures: list[Measure], sessions: pd.DataFrame, clinic: str | None
) -> tuple[tuple[str, str], ...]:
    facts = [
        ("Alliance", measures[0].label),
        ("Symptoms", measures[1].label),
        ("Clients", number(sessions["client"].nunique(), "integer")),
        ("Therapists", number(sessions["therapist"].nunique(), "integer")),
        ("Sessions", number(len(sessions), "integer")),
    ]
    return tuple([("Clinic", clinic), *facts] if clinic else facts)


def _answer(estimates: list[Estimate], measures: list[Measure]) -> tuple[str, ...]:
    by_id = {e.id: e for e in estimates}
    out = []
    for m in measures:
        level, change = by_id.get(f"level_{m.name}_therapist"), by_id.get(f"change_{m.name}_therapist")
        if level is None:
            out.append(
                f"For {m.instrument.label}, too few therapists have two or more clients to say how much therapists differ."
            )
            continue
        sentence = (
            f"Of the differences in {m.instrument.label} level, {number(level.estimate, 'percent')} lie between therapists "
            f"(95 % interval {interval(level.ci_low, level.ci_high, 'percent')})"
        )
        if change is not None:
            sentence += (
                f"; of those in its rate of change, {number(change.estimate, 'percent')} "
                f"({interval(change.ci_low, change.ci_high, 'percent')})"
            )
        out.append(sentence + ".")
    return tuple(out)


def _notes(
    study: Study, sessions: pd.DataFrame, models: list[Fitted], measures: list[Measure], clinic: str | None
) -> tuple[Finding, ...]:
    used = {m.name for m in measures}
    found = [f for f in study.findings if f.where not in set(study.measures) - used]
    caseloads = sessions.groupby("therapist")["client"].nunique()
    found += therapist_findings(len(caseloads), caseloads)
    found += clinic_findings(sessions, clinic)
    found += model_findings(models)
    return tuple(sorted(dict.fromkeys(found), key=lambda f: -SEVERITIES.index(f.severity)))


def _tables(estimates: list[Estimate], models: list[Fitted], time: str) -> tuple[Table, ...]:
    columns = [
        Column("label", "Share"),
        Column("estimate", "Estimate", "percent"),
        Column("ci_low", "95 % low", "percent"),
        Column("ci_high", "95 % high", "percent"),
        Column("n", "Units", "integer"),
    ]
    note = f"Models with a common linear course over {time}s. A rate of change has no session level."
    shares = Table.from_frame(
        "variance_shares", "Shares of variance", "results", estimate_frame(estimates), columns, note
    )
    variances = variance_table(models)
    return tuple(t for t in (shares, models_table(models), variances) if t is not None)


def _methods(
    measures: list[Measure], models: list[Fitted], params: VariancePartitionParams, time: str
) -> Methods:
    names = " and ".join(m.label for m in measures)
    structures = "; ".join(f"{m.title}: {m.structure.words}" for m in models)
    text = (
        f"The variance of {names} was divided by linear mixed models with a linear course over {time}s, by restricted maximum "
        f"likelihood: shares of level from the models of level, shares of change from the models of the course. What may "
        f"differ in them is the fullest structure that the design can carry ({structures}). "
        f"Intervals are {interval_words(params.n_boot)}. {versions_sentence()}"
    )
    references = ["Raudenbush, S. W., & Bryk, A. S. (2002). Hierarchical linear models (2nd ed.). Sage."]
    references += [c for m in measures for c in m.instrument.citations]
    return Methods((text,), tuple(sorted(set(references))))


ANALYSIS = Analysis("variance_partition", TITLE, QUESTION, VariancePartitionParams, run)
