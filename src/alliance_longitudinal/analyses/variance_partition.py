"""Who differs, therapists, clients or sessions: for alliance and for symptoms."""

import pandas as pd

from alliance_longitudinal.analyses.kit import (
    GROWTH,
    LEVEL,
    PERCENT,
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
    Samples,
    Seed,
    analysis,
    models_table,
    shares_figure,
    slug,
    time_unit,
    variance_table,
)
from alliance_longitudinal.analyses.kit.shares import (
    interval_words,
    share_estimates,
    variance_shares,
    with_failures,
)
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.labels import listing
from alliance_longitudinal.present import Column

MIN_CLIENTS = 20


@analysis(
    "Who differs: therapists, clients, sessions",
    "How much of the differences in alliance and in symptoms lies between therapists, clients and sessions?",
    limits=(
        "Clients were not assigned to therapists at random, so a share between therapists also "
        "contains differences between their clients.",
        "A share between sessions includes measurement error.",
        "If therapists work in different clinics, differences between clinics count as differences "
        "between therapists.",
    ),
)
def variance_partition(
    study: Study,
    alliance: AllianceName = None,
    outcome: OutcomeName = None,
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    n_boot: Samples = 0,
    seed: Seed = 20_260_101,
    audience: Audience = "internal",
) -> Draft:
    """Divide the variance of alliance and of symptoms between therapists, clients and sessions.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.variance_partition(al.load_study("demo"))
    >>> shares = result.estimates.set_index("id")["estimate"]
    >>> round(float(shares.filter(like="level_phq9").sum()), 6)
    1.0
    """
    draft = Draft(study, clinic)
    groups = draft.compare(by)
    draft.adjust(covariates)
    measures = _measures(draft, alliance, outcome)
    labels = " or ".join(m.instrument.label for m in measures)
    draft.with_therapists()
    scored = draft.sessions[[m.name for m in measures]].notna().any(axis=1)
    draft.keep(
        scored,
        f"Sessions with {labels}",
        "no score at the session" if len(measures) == 1 else "no score of either at the session",
    )
    sessions = draft.sessions
    draft.fact("Clients", Count(sessions["client"].nunique(), "client"))
    draft.fact("Therapists", Number(sessions["therapist"].nunique(), "integer"))
    draft.fact("Sessions", Count(len(sessions), "session"))
    for k, measure in enumerate(measures):
        draft.needs(
            _clients(sessions, measure), MIN_CLIENTS, f"the variance partition of {measure.instrument.label}"
        )
        draft.estimate(*_divide(draft, measure, sessions, n_boot, seed + 10 * k))
        _answer(draft, measure)
    _shares(draft, measures, time_unit(study))
    if groups is not None:
        _compare(draft, groups, measures, n_boot, seed)
    draft.show(models_table(draft.fitted), variance_table(draft.fitted))
    draft.usual_findings(sessions.groupby("therapist")["client"].nunique())
    draft.method(_method(draft, measures, n_boot, time_unit(study)))
    draft.cite("raudenbush2002")
    return draft


def _measures(draft: Draft, alliance: str | None, outcome: str | None) -> list[Measure]:
    """Alliance and symptoms, or the one that the study has."""
    there = {m.construct for m in draft.study.measures.values()}
    asked = (("alliance", alliance, "Alliance"), ("symptoms", outcome, "Symptoms"))
    found = [
        draft.measure(kind, name, fact=fact)
        for kind, name, fact in asked
        if name is not None or kind in there
    ]
    for kind, name, _ in asked:
        if name is None and kind not in there:
            draft.find(
                "one_measure",
                "info",
                "The study has no {kind} measure, so the report is about {other} only.",
                kind=kind,
                other=found[0].label,
            )
    return found


_KINDS = (("level", "level"), ("change", "rate of change"))


def _clients(sessions: pd.DataFrame, measure: Measure) -> int:
    return int(sessions.loc[sessions[measure.name].notna(), "client"].nunique())


def _divide(
    draft: Draft, measure: Measure, sessions: pd.DataFrame, n_boot: int, seed: int, group: str = ""
) -> list[Estimate]:
    """Shares of level and of rate of change of one measure; time since the client's first row."""
    rated = sessions[sessions[measure.name].notna()]
    rows = rated[["client", "therapist", "session"]].assign(y=rated[measure.name], weeks=rated["week"])
    rows, adjusted = draft.adjusters(rows)
    label, name = measure.instrument.label, measure.name
    n = {
        "therapist": int(rows["therapist"].nunique()),
        "client": int(rows["client"].nunique()),
        "session": len(rows),
    }
    of, title = (f"_{slug(group)}", f" ({group})") if group else ("", "")
    formulas = (
        " + ".join(["y ~ weeks", *adjusted]),
        " + ".join(["y ~ weeks", *(f"weeks * {a}" for a in adjusted)]),
    )
    level = draft.fit(f"level_{name}{of}", f"{label} level{title}", formulas[0], rows, LEVEL)
    change = draft.fit(f"change_{name}{of}", f"{label} course{title}", formulas[1], rows, GROWTH)
    found: list[Estimate] = []
    for k, (fitted, term, (kind, words)) in enumerate(
        zip((level, change), ("Intercept", "weeks"), _KINDS, strict=True)
    ):
        shares = variance_shares(fitted, term, n_boot=n_boot, seed=seed + k)
        found += share_estimates(shares, f"{kind}_{name}", f"{label} {words}", n) if shares else []
        draft.uses(with_failures(fitted, shares))
        if shares and "therapist" in shares.estimate.index and not group:
            number = f"{label} {words}: share between therapists"
            draft.checks(
                fitted, rows, measure, number, share=term, seed=seed + k, figures=term != "Intercept"
            )
    return found


def _compare(draft: Draft, groups: Groups, measures: list[Measure], n_boot: int, seed: int) -> None:
    """The shares between therapists of each group, and their differences."""
    found: dict[str, list[Estimate]] = {}
    for g, (group, rows) in enumerate(groups.split(draft.sessions), start=1):
        enough = [m for m in measures if _clients(rows, m) >= MIN_CLIENTS]
        if len(enough) < len(measures):
            draft.small_group(groups, group, MIN_CLIENTS)
        divided = [
            _divide(draft, m, rows, n_boot, seed + 100 * g + 10 * k, group) for k, m in enumerate(enough)
        ]
        found[group] = [e for estimates in divided for e in estimates if e.level == "therapist"]
    draft.by_group(found, PERCENT, "Shares between therapists, from models of each group alone.")


def _answer(draft: Draft, measure: Measure) -> None:
    label = measure.instrument.label
    level, change = draft[f"level_{measure.name}_therapist"], draft[f"change_{measure.name}_therapist"]
    if level is None:
        draft.say(
            "For {label}, too few therapists have two or more clients, so how much therapists "
            "differ cannot be estimated.",
            label=label,
        )
        return
    template = (
        "Of the differences in {label} level, {level} lie between therapists (95 % interval {level:interval})"
    )
    values: dict[str, str | Number] = {"label": label, "level": level.number("percent")}
    if change is not None:
        template += "; of those in its rate of change, {change} ({change:interval})"
        values["change"] = change.number("percent")
    draft.say(template + ".", **values)


def _shares(draft: Draft, measures: list[Measure], time: str) -> None:
    bars = {f"{kind}_{m.name}": f"{m.instrument.label}, {word}" for m in measures for kind, word in _KINDS}
    draft.table_of(
        "variance_shares",
        "Shares of variance",
        "results",
        draft.estimates,
        [Column("label", "Share"), *PERCENT, Column("n", "n", "count")],
        f"From models with a linear course over {time}s. A rate of change has no session level. n: "
        "therapists, clients or sessions.",
    )
    title = "Shares of variance between therapists, clients and sessions"
    draft.show(shares_figure(draft.estimates, bars, title))


def _method(draft: Draft, measures: list[Measure], n_boot: int, time: str) -> str:
    titles: dict[str, list[str]] = {}
    for m in draft.fitted:
        titles.setdefault(m.structure.words, []).append(m.title)
    structures = "; ".join(f"{listing(of)}: {words}" for words, of in titles.items())
    return (
        f"Linear mixed models with a linear course over {time}s divided the variance of "
        f"{' and '.join(m.label for m in measures)} between levels, by restricted maximum "
        "likelihood. Shares of level are from the models of level, shares of change from the "
        "models of the course. Each model has the fullest random structure that the design allows "
        f"({structures}). Intervals are {interval_words(n_boot)}."
    )


__all__ = ["variance_partition"]
