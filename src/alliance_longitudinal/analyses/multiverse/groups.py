"""The main question in each group of clients, such as the arms of a trial."""

from dataclasses import replace

from alliance_longitudinal.analyses.kit import Draft, Estimate, Groups, slug
from alliance_longitudinal.analyses.kit.curves import summary_of
from alliance_longitudinal.analyses.kit.early_design import MIN_CLIENTS
from alliance_longitudinal.analyses.multiverse.compute import Multiverse, Setting, multiverse_of
from alliance_longitudinal.analyses.multiverse.grid import LEAST
from alliance_longitudinal.counts import Things
from alliance_longitudinal.present import Column, Table


def compare_groups(
    draft: Draft, groups: Groups, found: Multiverse, setting: Setting, n_perm: int, seed: int
) -> None:
    """Median and joint test of the least-squares analyses of the main question in each group."""
    own = {
        replace(spec, estimator=LEAST).key: replace(spec, estimator=LEAST)
        for spec, question in zip(found.specs, found.questions, strict=True)
        if question == found.question
    }
    main = replace(found.specs[found.main], estimator=LEAST)
    rows = []
    for group, sessions in groups.split(draft.sessions):
        curve = multiverse_of(sessions, list(own.values()), main, setting, n_perm, seed)
        if curve is None:
            draft.small_group(groups, group, MIN_CLIENTS)
            continue
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
                    f"{identity}_{slug(group)}",
                    f"{label}; {groups.name} {group}",
                    value,
                    n=s.n,
                    level="client",
                    unit=unit,
                )
            )
    if rows:
        draft.show(_table(groups, rows))


def _table(groups: Groups, rows: list[dict[str, object]]) -> Table:
    columns = [
        Column("group", groups.name.capitalize()),
        Column("cells", "Analyses", "integer"),
        Column("median", "Median", "number", of="n"),
        Column("same", "Better alliance, better outcome", "percent", modelled=True),
        Column("p_median", "p (median)", "p"),
        Column("p_mean_t", "p (mean t)", "p"),
        Column("n", "Clients at most", "count"),
    ]
    note = (
        "Least-squares analyses of the main question with the clients of each group alone. A median has no interval, so the "
        "groups are shown side by side and not tested against each other."
    )
    return Table.from_rows("by_group", f"The main question by {groups.name}", "results", rows, columns, note)
