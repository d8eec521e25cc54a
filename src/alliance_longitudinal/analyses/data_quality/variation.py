"""Scores that do not differ: in the whole study, within each client, or for all clients of a therapist."""

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.data_quality.check import Check, not_checked, verdict_of
from alliance_longitudinal.analyses.data_quality.records import Records
from alliance_longitudinal.data.study import Measure

#: Scores of a client from which one that never changes is remarkable, and clients that are enough to say so.
SCORES, CLIENTS = 3, 5
#: Scores of a therapist's clients, and clients of a therapist, from which it is remarkable if all scores are the same.
OF_THERAPIST, CLIENTS_OF_THERAPIST = 10, 2
#: Scores that differ by less are the same.
SAME = 1e-9
_TITLES = {
    "same_score": "Scores that are all the same",
    "same_client": "Clients whose score never changes",
    "same_therapist": "Therapists with the same score for all clients",
}


def variation_checks(records: Records) -> list[Check]:
    """For each measure: whether its scores differ at all, within clients, and between the clients of each therapist."""
    return [check for measure in records.measures for check in _of_measure(records, measure)]


def _of_measure(records: Records, measure: Measure) -> list[Check]:
    sessions = records.sessions
    scores = sessions[measure.name].to_numpy(dtype=float)
    known = ~np.isnan(scores)
    frame = pd.DataFrame(
        {
            "client": sessions["client"].to_numpy(object)[known],
            "therapist": sessions["therapist"].to_numpy(object)[known] if "therapist" in sessions else None,
            "score": scores[known],
            "row": records.rows[known],
        }
    )
    if frame["client"].nunique() < 2:
        why = "Fewer than two clients have a score."
        return [not_checked(id_, title, measure.name, why) for id_, title in _TITLES.items()]
    if np.ptp(frame["score"]) <= SAME:
        why = "All scores of the measure are the same."
        others = [
            not_checked(id_, _TITLES[id_], measure.name, why) for id_ in ("same_client", "same_therapist")
        ]
        return [_all_the_same(measure, frame, same=True), *others]
    return [
        _all_the_same(measure, frame, same=False),
        _within_clients(measure, frame),
        _of_therapists(measure, frame),
    ]


def _all_the_same(measure: Measure, frame: pd.DataFrame, *, same: bool) -> Check:
    return Check(
        "same_score",
        _TITLES["same_score"],
        measure.name,
        "score",
        len(frame),
        len(frame) if same else 0,
        "problem" if same else "fine",
        "Problem if all clients have the same score at all sessions. Such a measure cannot be related to anything.",
        "Look in the export whether the study file names the right column. A constant or a default value may have been exported in its "
        "place.",
        rows=frame["row"].to_numpy(np.intp) if same else np.empty(0, dtype=np.intp),
    )


def _constant(frame: pd.DataFrame, by: str) -> "pd.Series[bool]":
    groups = frame.groupby(by, sort=False)["score"]
    return groups.max() - groups.min() <= SAME


def _within_clients(measure: Measure, frame: pd.DataFrame) -> Check:
    sizes = frame.groupby("client", sort=False).size()
    enough = sizes.index[sizes >= SCORES]
    if len(enough) < CLIENTS:
        why = "Fewer than five clients have three or more scores."
        return not_checked("same_client", _TITLES["same_client"], measure.name, why)
    constant = _constant(frame[frame["client"].isin(enough)], "client")
    who = constant.index[constant]
    return Check(
        "same_client",
        _TITLES["same_client"],
        measure.name,
        "client",
        len(constant),
        len(who),
        verdict_of(float(constant.mean()), 0.20, 0.80),
        "Clients with three or more scores that are all the same. Look if more than 20 % of these clients, problem if more than 80 %. A "
        "client who is well at every session may keep the lowest symptom score.",
        "Look in the export whether one score per client was copied to all of the client's sessions. The measure then tells nothing of change.",
        rows=frame.loc[frame["client"].isin(who), "row"].to_numpy(np.intp),
        who=tuple(map(str, who)),
    )


def _of_therapists(measure: Measure, frame: pd.DataFrame) -> Check:
    frame = frame[frame["therapist"].notna()]
    groups = frame.groupby("therapist", sort=False)
    sizes = groups["score"].size()
    enough = sizes.index[(sizes >= OF_THERAPIST) & (groups["client"].nunique() >= CLIENTS_OF_THERAPIST)]
    if not len(enough):
        why = "No therapist has ten scores of two or more clients."
        return not_checked("same_therapist", _TITLES["same_therapist"], measure.name, why)
    constant = _constant(frame[frame["therapist"].isin(enough)], "therapist")
    who = constant.index[constant]
    return Check(
        "same_therapist",
        _TITLES["same_therapist"],
        measure.name,
        "therapist",
        len(constant),
        len(who),
        verdict_of(float(constant.mean()), 0.0, 0.20),
        "Therapists with ten or more scores of at least two clients, all of them the same. Look at any, problem if more than 20 % of these "
        "therapists.",
        "Ask how the form is filled in there. A rater who gives everybody the same score tells nothing of how clients differ; repeat the "
        "analysis without this therapist.",
        rows=frame.loc[frame["therapist"].isin(who), "row"].to_numpy(np.intp),
        who=tuple(map(str, who)),
    )
