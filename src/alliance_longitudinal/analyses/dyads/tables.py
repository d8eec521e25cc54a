"""The tables and figures of the report on couples, families and carers."""

from functools import partial

import pandas as pd

from alliance_longitudinal.analyses.dyads.design import Asked, Cases
from alliance_longitudinal.analyses.kit import (
    COUNT,
    ESTIMATE,
    TEST,
    Draft,
    Estimate,
    joined,
    models_table,
    say,
    slug,
    variance_table,
)
from alliance_longitudinal.present import Column, FigureSpec, plots

_COLUMNS = (Column("label", "Effect"), *ESTIMATE, *TEST)


def show(draft: Draft, cases: Cases, asked: Asked) -> None:
    """In reading order."""
    ends = [f"_{slug(role)}" for role in cases.roles] + [""]
    pairs = [
        e
        for end in ends
        for part in ("actor", "partner", "actor_minus_partner")
        if (e := draft[f"{part}{end}"]) is not None
    ]
    better = "lower" if asked.outcome.instrument.direction == "higher_worse" else "higher"
    y, a = asked.outcome.instrument.label, asked.alliance.instrument.label
    draft.table_of(
        "effects",
        "Actor and partner effects",
        "results",
        pairs,
        _COLUMNS,
        f"In {y} points per {a} point; {better} {y} scores are better. n: members."
        if asked.same_alliance and asked.same_outcome
        else "In points of each member's own questionnaires. n: members.",
    )
    tests = [e for name in ("rho", "distinguishable") if (e := draft[name]) is not None]
    draft.table_of(
        "pairs",
        "How alike the members of a case are",
        "results",
        tests,
        [
            Column("label", "What"),
            Column("estimate", "Estimate", "number", of="n"),
            Column("df", "df", "df"),
            Column("p", "p", "p"),
            Column("n", "Cases", "count"),
        ],
    )
    of_cases = [
        e
        for name in ("split_mean", "split", "split_signed", "shared_purpose")
        if (e := draft[name]) is not None
    ]
    if of_cases:
        draft.table_of(
            "split",
            "Split alliances and outcome",
            "results",
            of_cases,
            _COLUMNS,
            "All predictors are in one model. n: members.",
        )
    leaving = [
        e
        for name in ("retention_mean", "retention_split", "or_retention_split")
        if (e := draft[name]) is not None
    ]
    if leaving:
        draft.table_of(
            "retention",
            "Split alliances and dropout of the case",
            "results",
            leaving,
            _COLUMNS,
            "Log odds per point (above zero: more cases drop out), and the odds ratio. n: cases at the sessions after the early window.",
        )
    same = asked.same_alliance and asked.same_outcome
    draft.show(_figure(pairs, cases, f"{y} points per {a} point" if same else "Points per point"))
    if draft.fitted:
        draft.show(models_table(draft.fitted), variance_table(draft.fitted))


def _figure(pairs: list[Estimate], cases: Cases, unit: str) -> FigureSpec:
    """Actor and partner effects side by side, by role and for all members."""
    panels = {"actor": "Own alliance (actor)", "partner": "Other member's alliance (partner)"}
    names = {f"_{slug(role)}": role for role in cases.roles} | {"": "All members"}
    marks = [
        (title, who, e)
        for part, title in panels.items()
        for end, who in names.items()
        for e in pairs
        if e.id == f"{part}{end}"
    ]
    said = [say("{panel}, {who}: {e} ({e:interval})", panel=p, who=who, e=e.number()) for p, who, e in marks]
    data = pd.DataFrame(
        [
            {
                "panel": p,
                "label": who,
                "estimate": e.estimate,
                "ci_low": e.ci_low,
                "ci_high": e.ci_high,
                "n": e.n,
            }
            for p, who, e in marks
        ]
    )
    return FigureSpec(
        name="actor_partner",
        title="Own and other member's alliance",
        caption="Points: effect of one point of the early alliance on the last outcome score; lines: 95 % intervals.",
        alt="Effects of the early alliance. " + joined(said, "; ") + ".",
        how_to_read="If a line crosses zero, the direction is not clear. If both panels are alike, the own alliance and the other member's go together with "
        "the outcome to the same degree.",
        section="answer",
        data=data,
        columns=(Column("panel", "Whose alliance"), Column("label", "Outcome of"), *ESTIMATE, COUNT),
        draw=partial(plots.forest, panel="panel", x_label=unit),
    )
