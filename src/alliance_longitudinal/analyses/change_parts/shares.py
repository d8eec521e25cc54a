"""Shares of clients in each category, with intervals that respect therapists."""

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.result import Estimate
from alliance_longitudinal.methods.proportions import proportion
from alliance_longitudinal.methods.psychometrics.change.classify import ChangeCategories
from alliance_longitudinal.methods.psychometrics.change.joint import LABELS, OF_CASES


def category_shares(change: ChangeCategories, therapist: pd.Series) -> list[Estimate]:
    """One share a category, and the sums over reliable change in either direction.

    Parameters
    ----------
    change : ChangeCategories
    therapist : Series
        Of each row of ``change.frame``.
    """
    known = change.frame["category"].notna()
    category, by = change.frame.loc[known, "category"], therapist[known.to_numpy()]
    out = [
        _share(f"{change.method}_{name}", f"{change.method}: {name}", category.eq(name), by)
        for name in change.categories
    ]
    if change.cut is not None:
        better, worse = category.isin(["recovered", "improved"]), category.isin(["deteriorated", "harmed"])
        out.append(_share(f"{change.method}_better", f"{change.method}: reliably better", better, by))
        out.append(_share(f"{change.method}_worse", f"{change.method}: reliably worse", worse, by))
        clinical = pd.Series(
            change.cut.clinical(change.frame.loc[known, "pre"].to_numpy(float)), index=category.index
        )
        if clinical.any() and not clinical.all():
            label = f"{change.method}: recovered, of those in the clinical range before"
            recovered = category.eq("recovered")
            out.append(
                _share(f"{change.method}_recovered_of_clinical", label, recovered[clinical], by[clinical])
            )
    return out


def joint_shares(outcomes: pd.DataFrame, therapist: pd.Series) -> list[Estimate]:
    """Shares of the joint outcomes; recovery of those at caseness before treatment."""
    cases = outcomes["joint_caseness"]
    return [
        _share(
            name,
            LABELS[name].capitalize(),
            outcomes.loc[cases, name] if name in OF_CASES else outcomes[name],
            therapist[cases] if name in OF_CASES else therapist,
        )
        for name in outcomes
        if cases.any() or name not in OF_CASES
    ]


def therapist_shares(
    change: ChangeCategories, therapist: pd.Series, smallest: int
) -> tuple[pd.DataFrame, int]:
    """Share reliably better of each therapist whose counts may be shown, and how many therapists may not be.

    Shown without names and in order of the share, and only where at least ``smallest`` clients are reliably better
    and as many are not. It is no ranking: see the note of the table.
    """
    known = change.frame["category"].notna()
    better = change.frame.loc[known, "category"].isin(["recovered", "improved"])
    counts = better.groupby(therapist[known.to_numpy()].to_numpy()).agg(["sum", "size"])
    counts.columns = pd.Index(["better", "n"])
    shown = _with_safe_rest(counts, smallest)
    rows = []
    for hits, n in shown.itertuples(index=False):
        p = proportion(np.arange(n) < hits)
        rows.append({"n": int(n), "share": p.estimate, "share_low": p.low, "share_high": p.high})
    frame = pd.DataFrame(rows, columns=["n", "share", "share_low", "share_high"])
    return frame.sort_values("share", ignore_index=True), len(counts) - len(shown)


def _with_safe_rest(counts: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """Therapists whose counts may be shown, so that those of the others together may be worked out, too."""
    other = counts["n"] - counts["better"]
    shown = counts[(counts["better"] >= smallest) & (other >= smallest)].sort_values("n", ascending=False)
    while len(shown):
        rest = counts.drop(index=shown.index)
        better, n = int(rest["better"].sum()), int(rest["n"].sum())
        few = any(0 < k < smallest for k in (better, n - better))
        if not n or (len(rest) > 1 and not few):
            break
        shown = shown.iloc[:-1]
    return shown


def _share(name: str, label: str, hits: "pd.Series[bool]", therapist: pd.Series) -> Estimate:
    p = proportion(hits.to_numpy(bool), therapist.to_numpy(object))
    return Estimate(
        id=name,
        label=label,
        estimate=p.estimate,
        se=p.se,
        df=p.df,
        ci_low=p.low,
        ci_high=p.high,
        n=p.n,
        level="client",
        unit="share of clients",
    )
