"""The effects in each group of clients, such as the arms of a trial, and their differences."""

from dataclasses import replace

from alliance_longitudinal.analyses.kit import ESTIMATE, Draft, Estimate, Groups, say_not_compared, slug
from alliance_longitudinal.analyses.within_between.compute import TIME, fit_version, level_estimates
from alliance_longitudinal.analyses.within_between.design import MIN_CLIENTS, pairs_of
from alliance_longitudinal.data.study import Measure


def compare_groups(
    draft: Draft, groups: Groups, a: Measure, y: Measure, *, adjust_intake: bool, slopes: bool
) -> None:
    """Effects with the common course, from a model of each group alone."""
    unit = f"{y.instrument.label} points per {a.instrument.label} point"
    found: dict[str, list[Estimate]] = {}
    for group, rows in groups.split(draft.sessions):
        if int((rows.groupby("client").size() >= 2).sum()) < MIN_CLIENTS:
            draft.small_group(groups, group, MIN_CLIENTS)
            continue
        pairs = pairs_of(
            rows, y.name, draft.adjusters, therapists=draft.therapists_known, intake=adjust_intake
        )
        if "within" not in pairs.terms("common"):
            why = "has no client whose alliance differs between sessions"
            say_not_compared(draft, groups, group, rows["client"].nunique(), why)
            continue
        title = f"Time: {TIME['common']} ({group})"
        fitted = fit_version(draft, pairs, "common", f"common_{slug(group)}", title, slopes=slopes)
        if fitted is None:
            continue
        ids = {"within": "within_common"} | {level: level for level in pairs.levels}
        effects = level_estimates(pairs, fitted, "common", unit, ids, "")
        found[group] = [replace(e, label=e.label.removesuffix("; ")) for e in effects]
    if len(found) > 1:
        draft.by_group(
            found,
            ESTIMATE,
            "A separate model for each group. A mean of a client or therapist is that over the rows of this group.",
        )
