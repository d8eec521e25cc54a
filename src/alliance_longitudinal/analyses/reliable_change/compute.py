"""Every method that the known facts allow, on the same clients."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Estimate
from alliance_longitudinal.analyses.kit.norms import Given, KnownNorms, known_norms
from alliance_longitudinal.analyses.reliable_change.design import ClientScores
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import AllianceError, DataError, FitError, StudyError
from alliance_longitudinal.methods.basics.proportions import proportion
from alliance_longitudinal.methods.psychometrics.change.classify import (
    METHODS,
    ChangeCategories,
    by_index,
    by_slopes,
)
from alliance_longitudinal.methods.psychometrics.change.joint import LABELS, OF_CASES, joint_recovery
from alliance_longitudinal.sentences import told


@dataclass(frozen=True, slots=True)
class AllMethods:
    """What each method says, and why those that say nothing do not.

    ``main`` is the method that the answer speaks of; ``direction`` is 1 if higher scores are better, else -1.
    """

    done: Mapping[str, ChangeCategories]
    refused: Mapping[str, str]
    main: str
    direction: int

    @property
    def chosen(self) -> ChangeCategories:
        """The main method's categories."""
        return self.done[self.main]


def all_methods(scores: ClientScores, known: KnownNorms, wanted: str | None, label: str) -> AllMethods:
    """Classify by every method; ``wanted`` is the main one, by default JT, else published points.

    Raises
    ------
    StudyError
        If the wanted method cannot be used, or neither reliability nor points are known.
    """
    done: dict[str, ChangeCategories] = {}
    refused: dict[str, str] = {}
    for method in METHODS:
        try:
            if method == "HLM":
                done[method] = by_slopes(scores.course, known.norms)
            else:
                done[method] = by_index(scores.ends, method, known.norms)
        except (DataError, FitError) as error:
            refused[method] = told(error)
    main = wanted or next((m for m in ("JT", "points") if m in done), None)
    if main is None:
        raise StudyError(
            f"Neither a reliability nor points of reliable change of {label} are known. Give one: reliability=0.85 (from "
            "the manual, for people like yours), or points=6."
        )
    if main not in done:
        raise StudyError(f"Parameter 'method': {main} cannot be used here. {refused[main]}")
    return AllMethods(done, refused, main, known.norms.direction)


def published(scores: ClientScores, known: KnownNorms, label: str) -> ChangeCategories:
    """Categories for joint recovery: published points before computed ones, as the services do.

    Raises
    ------
    StudyError
        If the measure has neither points nor a reliability.
    """
    problem: AllianceError | None = None
    for method in ("points", "JT"):
        try:
            return by_index(scores.ends, method, known.norms)
        except DataError as error:
            problem = error
    raise StudyError(
        f"Joint recovery needs points of reliable change or a reliability of {label}. Add them in an instrument file."
    ) from problem


def joint_outcomes(
    shared: list[str],
    one: tuple[ClientScores, Measure, Given],
    other: tuple[ClientScores, Measure, Given],
) -> list[Estimate]:
    """Joint outcomes over two measures of the clients ``shared``, who have scores before and after on both."""
    changes = []
    for scores, measure, given in (one, other):
        ends = scores.ends.set_index("client").loc[shared].reset_index()
        both = ClientScores(ends, scores.course, scores.flow)
        changes.append(published(both, known_norms(measure, given), measure.instrument.label))
    therapist = one[0].ends.set_index("client").loc[shared, "therapist"].reset_index(drop=True)
    return _joint_shares(joint_recovery(changes), therapist)


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


def _joint_shares(outcomes: pd.DataFrame, therapist: pd.Series) -> list[Estimate]:
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
    """Share reliably better of each therapist with enough clients, and how many therapists have too few.

    Without names and in order of the share, and only where at least ``smallest`` clients are reliably better and as
    many are not. It is no ranking: see the note of the table.
    """
    known = change.frame["category"].notna()
    better = change.frame.loc[known, "category"].isin(["recovered", "improved"])
    counts = better.groupby(therapist[known.to_numpy()].to_numpy()).agg(["sum", "size"])
    counts.columns = pd.Index(["better", "n"])
    enough = (counts["better"] >= smallest) & (counts["n"] - counts["better"] >= smallest)
    rows = []
    for hits, n in counts[enough].itertuples(index=False):
        p = proportion(np.arange(n) < hits)
        rows.append({"n": int(n), "share": p.estimate, "share_low": p.low, "share_high": p.high})
    frame = pd.DataFrame(rows, columns=["n", "share", "share_low", "share_high"])
    return frame.sort_values("share", ignore_index=True), int((~enough).sum())


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
