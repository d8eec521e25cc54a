"""Reliable and clinically significant change of each client, by seven methods and published points."""

from typing import Annotated, Literal

import pandas as pd
from pydantic import Field

from alliance_longitudinal.analyses.kit import (
    Audience,
    By,
    Clinic,
    Count,
    Draft,
    Hits,
    Number,
    OutcomeName,
    analysis,
    choose_measure,
)
from alliance_longitudinal.analyses.kit.norms import Given, known_norms
from alliance_longitudinal.analyses.kit.people import clusters
from alliance_longitudinal.analyses.reliable_change.charts import bars_figure, map_figure
from alliance_longitudinal.analyses.reliable_change.compute import (
    AllMethods,
    all_methods,
    category_hits,
    joint_outcomes,
    therapist_shares,
)
from alliance_longitudinal.analyses.reliable_change.design import ClientScores, client_scores
from alliance_longitudinal.analyses.reliable_change.findings import change_findings
from alliance_longitudinal.analyses.reliable_change.tables import change_tables
from alliance_longitudinal.analyses.reliable_change.words import answer, describe
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import StudyError

MIN_CLIENTS = 10
Method = Literal["points", "JT", "GLN", "HLL", "EN", "NK", "HA", "HLM"]


@analysis(
    "Reliable and clinically significant change",
    "How many clients changed by more than measurement error, and how many returned to the functional range?",
    main="{method}_better",
    limits=(
        "Categories divide a continuous change at a limit. A client just below the limit hardly "
        "differs from one just above it.",
        "Change is not the effect of treatment. Clients also improve without treatment, and by "
        "regression to the mean.",
        "If a client dropped out of treatment, the last score counts as the score after treatment.",
    ),
)
def reliable_change(
    study: Study,
    outcome: OutcomeName = None,
    method: Annotated[
        Method | None,
        Field(
            description="The method of the answer; the report also shows all others. None: JT if a reliability "
            "is known, otherwise the published points."
        ),
    ] = None,
    first: Annotated[
        int | None, Field(ge=0, description="Session of the score before. None: each client's first score.")
    ] = None,
    last: Annotated[
        int | None, Field(ge=0, description="Session of the score after. None: each client's last score.")
    ] = None,
    reliability: Annotated[
        float | None, Field(ge=0, lt=1, description="Reliability. None: that of the instrument file.")
    ] = None,
    reliability_post: Annotated[
        float | None,
        Field(ge=0, lt=1, description="Reliability of the scores after treatment, for method NK."),
    ] = None,
    sd: Annotated[
        float | None,
        Field(
            gt=0,
            description="SD before treatment. None: that of the instrument file, otherwise that of the sample.",
        ),
    ] = None,
    points: Annotated[
        float | None,
        Field(gt=0, description="Points of reliable change. None: those of the instrument file."),
    ] = None,
    cutoff: Annotated[
        Literal["a", "b", "c"] | float | None,
        Field(
            description="Cut-off in points, or a criterion. None: that of the instrument file, if it has "
            "exactly one."
        ),
    ] = None,
    m_functional: Annotated[
        float | None, Field(description="Mean of people without the disorder, for criteria b and c.")
    ] = None,
    sd_functional: Annotated[
        float | None, Field(gt=0, description="SD of people without the disorder, for criteria b and c.")
    ] = None,
    joint: Annotated[str | None, Field(description="A second symptom measure, for recovery on both.")] = None,
    by: By = None,
    clinic: Clinic = None,
    audience: Audience = "internal",
) -> Draft:
    """Classify each client's change as recovered, improved, unchanged, deteriorated or harmed.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> result = al.reliable_change(al.load_study("demo"), method="points")
    >>> result.estimates.loc[0, "label"]
    'points: recovered'
    """
    draft = Draft(study, clinic)
    draft.compare(by)
    measure = draft.measure("symptoms", outcome)
    draft.with_therapists(needed=False, alone=True)
    second = _second(study, measure, joint)
    _check_sessions(first, last)
    given = Given(reliability, reliability_post, sd, points, cutoff, m_functional, sd_functional)
    scores = client_scores(draft.sessions, measure, draft.flow, first, last)
    draft.flow, draft.analysed = scores.flow, scores.ends["client"]
    _header(draft, scores)
    draft.needs(
        len(scores.ends), MIN_CLIENTS, f"the analysis of reliable change in {measure.instrument.label}"
    )
    known = known_norms(measure, given)
    methods = all_methods(scores, known, method, measure.instrument.label)
    draft.resolved["method"] = methods.main
    if "HLM" in methods.done:
        draft.models["HLM"] = methods.done["HLM"].slopes.result  # type: ignore[union-attr]
    hits = {name: hits_of(methods, scores, name) for name in methods.done}
    for name in [methods.main, *(m for m in methods.done if m != methods.main)]:
        draft.estimate(*(h.estimate() for h in hits[name]))
    both: list[Hits] = []
    if second is not None:
        other = client_scores(draft.sessions, second, scores.flow, first, last)
        both = _joint(draft, (scores, measure, given), (other, second, Given()))
    answer(draft, methods, measure.instrument.label)
    by_therapist = therapist_shares(
        methods.chosen, people_of(methods, scores, methods.main)[1], study.small_cells
    )
    change_tables(draft, methods, known, by_therapist)
    draft.shares_by_group(
        [*hits[methods.main], *both],
        "The same rules and the same SD in every group; they come from all clients together.",
    )
    draft.show(map_figure(methods, measure.instrument.label), bars_figure(methods))
    change_findings(draft, methods, known, scores.ends, measure.instrument.label)
    describe(draft, methods, known, measure, _when(first, last), second)
    return draft


def _second(study: Study, measure: Measure, name: str | None) -> Measure | None:
    if name is None:
        return None
    second = choose_measure(study, "symptoms", name)
    if second.name == measure.name:
        raise StudyError(
            f"Parameter 'joint': {name!r} is the outcome itself. Joint recovery needs a second symptom measure."
        )
    return second


def _check_sessions(first: int | None, last: int | None) -> None:
    if first is not None and last is not None and last <= first:
        raise StudyError(
            f"Parameter 'last': session {last} is not after session {first}, which is the first."
        )


def _header(draft: Draft, scores: ClientScores) -> None:
    between = (scores.ends["post_session"] - scores.ends["pre_session"]).median()
    draft.fact("Clients", Count(len(scores.ends), "client"))
    draft.therapists(scores.ends["therapist"])
    draft.fact("Sessions between the scores (median)", Number(float(between), "integer"))


def people_of(methods: AllMethods, scores: ClientScores, name: str) -> tuple[pd.Series, pd.Series]:
    """Client and therapist of each row of a method's frame; HLM has fewer clients."""
    ends = scores.ends
    if name != "HLM":
        return ends["client"], ends["therapist"]
    client = methods.done[name].frame["client"]
    return client, client.map(ends.set_index("client")["therapist"])


def hits_of(methods: AllMethods, scores: ClientScores, name: str) -> list[Hits]:
    """Who is in each category of a method."""
    client, therapist = people_of(methods, scores, name)
    return category_hits(methods.done[name], client, pd.Series(clusters(client, therapist)))


def _joint(
    draft: Draft, one: tuple[ClientScores, Measure, Given], other: tuple[ClientScores, Measure, Given]
) -> list[Hits]:
    """Joint outcomes of the clients who have scores before and after on both measures."""
    shared = sorted(set(one[0].ends["client"]) & set(other[0].ends["client"]))
    labels = " and ".join(m.instrument.label for _, m, _ in (one, other))
    draft.needs(len(shared), MIN_CLIENTS, f"the analysis of joint recovery in {labels}")
    hits = joint_outcomes(shared, one, other)
    draft.estimate(*(h.estimate() for h in hits))
    return hits


def _when(first: int | None, last: int | None) -> str:
    start = "each client's first score" if first is None else f"session {first}"
    end = "the last" if last is None else f"session {last}"
    return f"{start} to {end}"


__all__ = ["reliable_change"]
