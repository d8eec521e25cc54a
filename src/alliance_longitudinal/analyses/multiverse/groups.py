"""The main question in each group of clients, such as the arms of a trial."""

from dataclasses import replace

import pandas as pd

from alliance_longitudinal.analyses.kit import (
    MIN_THERAPISTS,
    Draft,
    Estimate,
    Groups,
    rows_of_groups,
    say_group_apart,
    slugs,
)
from alliance_longitudinal.analyses.kit.curves import summary_of
from alliance_longitudinal.analyses.kit.early_design import MIN_CLIENTS, Choices, build_design
from alliance_longitudinal.analyses.multiverse.compute import Multiverse, Setting, multiverse_of
from alliance_longitudinal.analyses.multiverse.grid import LEAST
from alliance_longitudinal.counts import Things
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.present import Column, Table

_BESIDE = (
    "No client of {name} {group} ({n:noun}) has a therapist. The comparison by {name} sets the effect between all clients of this group "
    "beside the effect within therapists in the others. The main results are about clients with a therapist only."
)
_LEFT_OUT = "No client of {name} {group} ({n:noun}) has a therapist, so the report gives no effect between therapists for this group."
NOTE = (
    "Least-squares analyses of the main question with the clients of each group alone. A median has no interval, so the groups are "
    "shown side by side and not tested against each other."
)
APART = " In a group without therapists the effect is between all its clients, for one standard deviation of all of them."


def compare_groups(
    draft: Draft,
    groups: Groups,
    found: Multiverse,
    setting: Setting,
    choices: Choices,
    n_perm: int,
    seed: int,
) -> None:
    """Median and joint test of the least-squares analyses of the main question in each group.

    Of a group in which no client has a therapist, the effect is that between its clients; between therapists it has none.
    """
    own = {
        replace(spec, estimator=LEAST).key: replace(spec, estimator=LEAST)
        for spec, question in zip(found.specs, found.questions, strict=True)
        if question == found.question
    }
    main = replace(found.specs[found.main], estimator=LEAST)
    rows = []
    codes = slugs(groups.names)
    for group, sessions in rows_of_groups(draft, groups):
        clients = _apart(draft, groups, group, sessions, choices)
        if clients is not None and setting.effect == "between":
            say_group_apart(draft, groups, group, len(clients), _LEFT_OUT)
            continue
        curve = multiverse_of(sessions, list(own.values()), main, setting, n_perm, seed)
        if curve is None:
            if sessions["client"].nunique() < MIN_CLIENTS:
                draft.small_group(groups, group, MIN_CLIENTS)
            else:
                draft.unfitted_group(groups, group)
            continue
        if clients is not None:
            draft.apart_analysed.append(clients)
            say_group_apart(draft, groups, group, len(clients), _BESIDE)
        s = summary_of(curve.curve, 1.0)
        rows.append(
            {
                "group": group,
                "cells": Things(s.cells),
                "median": s.median,
                "same": s.same,
                "p_median": s.p_median,
                "p_mean_t": s.p_mean_t,
                "n": s.n,
            }
        )
        for identity, label, value, unit in (
            ("mv_median", "Median of the analyses", s.median, "SD of outcome per SD of alliance"),
            ("mv_p_mean_t", "Joint test by the mean t", s.p_mean_t, "p"),
        ):
            draft.estimate(
                Estimate(
                    f"{identity}_{codes[group]}",
                    f"{label}; {groups.name} {group}",
                    value,
                    n=s.n,
                    level="client",
                    unit=unit,
                )
            )
    if rows:
        draft.show(_table(groups, rows, NOTE + APART * bool(draft.apart_analysed)))


def _apart(
    draft: Draft, groups: Groups, group: str, sessions: pd.DataFrame, choices: Choices
) -> "pd.Series[str] | None":
    """Clients of the main analysis in a group in which nobody has a therapist; None for other groups."""
    if draft.apart is None or not groups.column(draft.apart).eq(group).any():
        return None
    design = build_design(sessions, SampleFlow(), choices, MIN_THERAPISTS, draft.adjusters)
    return design.clients["client"]


def _table(groups: Groups, rows: list[dict[str, object]], note: str) -> Table:
    columns = [
        Column("group", groups.name.capitalize()),
        Column("cells", "Analyses", "integer"),
        Column("median", "Median", "number", of="n"),
        Column("same", "Better alliance, better outcome", "percent", modelled=True),
        Column("p_median", "p (median)", "p"),
        Column("p_mean_t", "p (mean t)", "p"),
        Column("n", "Clients at most", "count"),
    ]
    return Table.from_rows("by_group", f"The main question by {groups.name}", "results", rows, columns, note)
