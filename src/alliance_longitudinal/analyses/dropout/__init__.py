"""Who drops out: whether a poor alliance comes before leaving."""

from typing import Annotated, Literal

from pydantic import Field

from alliance_longitudinal.analyses.dropout.charts import hazard_figure, incidence_figure
from alliance_longitudinal.analyses.dropout.compute import (
    CLIENT,
    SEVERITY,
    Leaving,
    Link,
    fit_end,
    incidence,
    leaving_of,
)
from alliance_longitudinal.analyses.dropout.findings import note
from alliance_longitudinal.analyses.dropout.groups import compare_groups
from alliance_longitudinal.analyses.dropout.tables import (
    MIN_EVENTS,
    show_definitions,
    show_effects,
    show_planned,
)
from alliance_longitudinal.analyses.dropout.words import LIMITS, method_of, rule_words
from alliance_longitudinal.analyses.kit import (
    AllianceName,
    Audience,
    By,
    Clinic,
    Count,
    Covariates,
    Draft,
    Estimate,
    Number,
    OutcomeName,
    analysis,
    coefficient_table,
    models_table,
    say,
    variance_table,
)
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import StudyError

MIN_CLIENTS = 20
#: Alliance and dropout in the literature: d of Sharf, Primavera & Diener 2010.
BENCHMARK = "0.55"

Ends = Annotated[
    Literal["recorded", "few_sessions"] | None,
    Field(
        description="What counts as dropout. recorded: the endings in the study file. few_sessions: fewer than "
        "k sessions. None: the recorded endings if there are any, otherwise few_sessions."
    ),
]
FewSessions = Annotated[
    int,
    Field(
        ge=3,
        le=100,
        description="A session number. By the rule few_sessions, clients with fewer sessions count as "
        "dropouts. The report gives the share of clients who left before this session.",
    ),
]


@analysis(
    "Who drops out",
    "Does a poor alliance come before dropout?",
    main="drop_alliance_within",
    limits=LIMITS,
)
def dropout(
    study: Study,
    alliance: AllianceName = None,
    outcome: OutcomeName = None,
    ends: Ends = None,
    k: FewSessions = 8,
    lag: Annotated[
        int,
        Field(
            ge=1,
            le=10,
            description="Scores up to so many sessions before the session at risk enter. 2 leaves out the last one, which clients may rate "
            "when they have already decided to leave.",
        ),
    ] = 1,
    link: Annotated[
        Link,
        Field(description="logit: odds ratios, and the size d. cloglog: hazard ratios, as sensitivity."),
    ] = "logit",
    covariates: Covariates = None,
    by: By = None,
    clinic: Clinic = None,
    audience: Audience = "internal",
) -> Draft:
    """Relate the alliance up to a session to leaving before the next.

    Only what was rated before a session enters: the mean of the client's ratings so far, and how far the last one is from it.
    Planned endings are competing events; they do not count as clients who stayed.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.dropout(al.load_study("demo"))
    >>> bool(0 < result.estimates.set_index("id").loc["cif_drop_8", "estimate"] < 1)
    True
    """
    draft = Draft(study, clinic)
    every = draft.sessions
    groups = draft.compare(by)
    draft.adjust(covariates)
    a, y = draft.measure("alliance", alliance), draft.measure("symptoms", outcome)
    recorded = _recorded(study, ends)
    draft.resolved |= {"ends": "recorded" if recorded else "few_sessions"}
    draft.with_therapists(needed=False, partial=True)
    rated = draft.sessions[draft.sessions["session"].ge(1) & draft.sessions[a.name].notna()]["client"]
    draft.keep(
        draft.sessions["client"].isin(rated.unique()),
        f"Clients with a rated {a.instrument.label}",
        "no score at any session",
    )
    clients = draft.sessions["client"].nunique()
    draft.needs(clients, MIN_CLIENTS, "the dropout analysis")
    leaving = leaving_of(draft, every, a, y, k, recorded, lag, link)
    draft.fact("Clients", Count(clients, "client"))
    draft.therapists(leaving.clients["therapist"])
    draft.fact("Dropout means", rule_words(recorded, k))
    _enough(draft, leaving, a, y, k)
    model = fit_end(draft, leaving, "dropout", "Dropout before the next session")
    draft.uses(model)
    show_effects(draft, model, leaving, a, y)
    show_planned(draft, leaving, a)
    _incidence(draft, leaving, k)
    show_definitions(draft, leaving, k)
    if groups is not None:
        compare_groups(draft, groups, leaving, a, k)
    _answer(draft, leaving, a, k, lag)
    draft.show(
        incidence_figure(leaving, a.instrument.label),
        hazard_figure(leaving),
        models_table(draft.fitted, reml=False),
        variance_table(draft.fitted),
        coefficient_table(model),
    )
    note(draft, leaving, model, k)
    draft.method(*method_of(a, y, model, recorded, k, lag, link))
    draft.cite(
        "singer1993", "aalen1978", *(("begg1984", "sharf2010") if link == "logit" else ("prentice1978",))
    )
    return draft


def _recorded(study: Study, ends: str | None) -> bool:
    """Whether ends are those that the study records."""
    there = "ending" in study.clients and bool(study.clients["ending"].notna().any())
    if ends == "recorded" and not there:
        raise StudyError(
            "Parameter 'ends': the study does not record how treatments ended. Name the column 'ending' in the study file, or "
            "use ends='few_sessions'."
        )
    return there if ends is None else ends == "recorded"


def _enough(draft: Draft, leaving: Leaving, a: Measure, y: Measure, k: int) -> None:
    if not leaving.recorded and not (leaving.clients["last"] >= k).any():
        raise draft.too_little(
            "No client has {k:noun} or more, so by the rule few_sessions everybody dropped out. Choose a smaller k, or record how "
            "treatments ended.",
            k=Number(k, "integer", "session"),
        )
    if leaving.dropouts < MIN_EVENTS:
        raise draft.too_little(
            "{n:noun} dropped out after an alliance score, and a model of dropout needs at least {needed}.",
            n=Count(leaving.dropouts, "client"),
            needed=Number(MIN_EVENTS, "integer"),
        )
    rows = leaving.rows.dropna(subset=[SEVERITY])
    flat = [
        words
        for name, words in ((CLIENT, a.instrument.label), (SEVERITY, y.instrument.label))
        if not rows[name].std() > 0
    ]
    if flat:
        raise draft.too_little(
            "The scores of {what} do not differ, so they cannot predict who drops out.", what=flat[0]
        )


def _incidence(draft: Draft, leaving: Leaving, k: int) -> None:
    """Share of clients who have dropped out before session k."""
    row = incidence(leaving, thirds=False).at(k).set_index("event").loc["dropout"]
    draft.estimate(
        Estimate(
            id=f"cif_drop_{k}",
            label="Dropped out by the chosen session",
            estimate=float(row["estimate"]),
            se=float(row["se"]),
            ci_low=float(row["lower"]),
            ci_high=float(row["upper"]),
            n=int(leaving.clients["first"].notna().sum()),
            level="client",
            unit="share of clients",
        )
    )


def _answer(draft: Draft, leaving: Leaving, a: Measure, k: int, lag: int) -> None:
    chosen = draft[f"cif_drop_{k}"]
    if chosen is not None:
        draft.say(
            "Before session {k}, {share} of the clients had dropped out (95 % interval {share:interval}).",
            k=Number(k, "integer"),
            share=chosen.share(),
        )
    later = "" if lag == 1 else say(" {lag:noun} later", lag=Number(lag, "integer", "session"))
    for identity, template in (
        ("alliance_within", "After a session with {alliance} one SD below the client's own mean so far,"),
        ("alliance_client", "For clients with a mean {alliance} one SD lower than that of others,"),
    ):
        found = draft[f"{'or' if leaving.link == 'logit' else 'hr'}_{identity}"]
        if found is None:
            continue
        clear = found.ci_low > 1 or found.ci_high < 1
        words = " the {scale} of dropping out{later} {was} {r} times as high (95 % interval {r:interval})."
        if not clear:
            words = (
                " the {scale} of dropping out{later} {was} not clearly different ({scale} ratio {r}, 95 % interval "
                "{r:interval})."
            )
        draft.say(
            template + words,
            alliance=a.instrument.label,
            r=found.number(),
            scale=leaving.scale,
            was="were" if leaving.link == "logit" else "was",
            later=later if identity == "alliance_within" else "",
        )
    d = draft["d_equivalent"]
    if d is not None:
        draft.say(
            "As a standardised difference between clients who dropped out and the others, the effect of the mean "
            "{alliance} is d = {d} (95 % interval {d:interval}).",
            alliance=a.instrument.label,
            d=d.number(),
        )
        draft.say(
            "A d above zero means that clients with a lower alliance drop out. A meta-analysis found a mean of {mean} ({source}).",
            mean=BENCHMARK,
            source="Sharf et al. 2010",
        )


__all__ = ["dropout"]
