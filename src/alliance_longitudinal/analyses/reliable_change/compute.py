"""Every method that the known facts allow, on the same clients."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Hits
from alliance_longitudinal.analyses.kit.norms import Given, KnownNorms, known_norms
from alliance_longitudinal.analyses.kit.people import clusters
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
            f"The instrument file of {label} has neither a reliability nor points of reliable "
            "change. Give one: reliability=0.85 (from the manual, for people like your clients), "
            "or points=6."
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
        f"Recovery on both measures needs points of reliable change or a reliability of {label}. "
        "Add them in an instrument file."
    ) from problem


def joint_outcomes(
    shared: list[str],
    one: tuple[ClientScores, Measure, Given],
    other: tuple[ClientScores, Measure, Given],
) -> list[Hits]:
    """Joint outcomes over two measures of the clients ``shared``, who have scores before and after on both."""
    changes = []
    for scores, measure, given in (one, other):
        ends = scores.ends.set_index("client").loc[shared].reset_index()
        both = ClientScores(ends, scores.course, scores.flow)
        changes.append(published(both, known_norms(measure, given), measure.instrument.label))
    ends = one[0].ends.set_index("client").loc[shared].reset_index()
    therapist = pd.Series(clusters(ends["client"], ends["therapist"]))
    return _joint_shares(joint_recovery(changes), pd.Series(shared, dtype=object), therapist)


def category_hits(change: ChangeCategories, client: pd.Series, therapist: pd.Series) -> list[Hits]:
    """Who is in each category, and in the sums over reliable change in either direction.

    Parameters
    ----------
    change : ChangeCategories
    client, therapist : Series
        Of each row of ``change.frame``.
    """
    known = change.frame["category"].notna().to_numpy()
    category = change.frame.loc[known, "category"]
    who, by = client.to_numpy(object)[known], therapist.to_numpy(object)[known]
    method = change.method

    def hits(name: str, words: str, found: "pd.Series[bool]") -> Hits:
        return Hits(f"{method}_{name}", f"{method}: {words}", found.to_numpy(bool), who, by)

    out = [hits(name, name, category.eq(name)) for name in change.categories]
    if change.cut is not None:
        out.append(hits("better", "reliably better", category.isin(["recovered", "improved"])))
        out.append(hits("worse", "reliably worse", category.isin(["deteriorated", "harmed"])))
        clinical = change.cut.clinical(change.frame.loc[known, "pre"].to_numpy(float))
        if clinical.any() and not clinical.all():
            words = "recovered, of those in the clinical range before"
            out.append(hits("recovered_of_clinical", words, category.eq("recovered")).of(clinical))
    return out


def _joint_shares(outcomes: pd.DataFrame, client: pd.Series, therapist: pd.Series) -> list[Hits]:
    """Shares of the joint outcomes; recovery of those at caseness before treatment."""
    cases = outcomes["joint_caseness"].to_numpy(bool)
    out = []
    for name in outcomes:
        of_cases = name in OF_CASES
        if of_cases and not cases.any():
            continue
        every = Hits(
            str(name),
            LABELS[name].capitalize(),
            outcomes[name].to_numpy(bool),
            client.to_numpy(object),
            therapist.to_numpy(object),
        )
        out.append(every.of(cases) if of_cases else every)
    return out


def therapist_shares(
    change: ChangeCategories, therapist: pd.Series, smallest: int
) -> tuple[pd.DataFrame, int]:
    """Share reliably better of each therapist with enough clients, and how many therapists have too few.

    ``therapist`` is that of each row of the frame. Without names and in order of the share, and only where at least ``smallest`` clients are reliably better and as
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
