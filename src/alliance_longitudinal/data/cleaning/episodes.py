"""Episodes of care: a client who comes back begins a new one, and the study file says which are analysed."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.counts import Count
from alliance_longitudinal.data.cells.columns import Places
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.study_file.format import Episodes, StudyFile
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say

WORDS = {
    "first": "first episode of care of each client",
    "last": "last episode of care of each client",
    "each": "",
}


@dataclass(frozen=True, slots=True)
class FoundEpisodes:
    """Episodes of n rows.

    Attributes
    ----------
    number : int array, shape (n,)
        1, 2, ... within each client, in order of time.
    keep : bool array, shape (n,)
        Rows of the episodes that are analysed.
    client : Categorical of n texts
        The client, or under ``analyse: each`` the client and the episode.
    session : float array, shape (n,)
        Session numbers, from the start again in an episode where the export counts on.
    """

    number: NDArray[np.int64]
    keep: NDArray[np.bool_]
    client: pd.Categorical
    session: NDArray[np.float64]


def find_episodes(
    keys: pd.DataFrame, places: Places, spec: StudyFile, problems: Problems
) -> FoundEpisodes | None:
    """The episodes of the rows of ``keys``; None if the study file has no such block."""
    rule = spec.episodes
    if rule is None:
        return None
    number = _numbers(keys, places, rule, problems)
    clients = keys["client"].cat.codes.to_numpy()
    last = pd.Series(number).groupby(clients).transform("max").to_numpy()
    keep = {"first": number == 1, "last": number == last, "each": np.ones(len(keys), dtype=bool)}[
        rule.analyse
    ]
    client = keys["client"].array
    if rule.analyse == "each":
        names = keys["client"].astype(str).where(number == 1, keys["client"].astype(str) + _suffix(number))
        client = pd.Categorical(names.astype(object))
    return FoundEpisodes(number, keep, client, _sessions_in_episode(keys, number))


def episode_findings(
    person: "pd.Series[str]", number: NDArray[np.int64], rule: Episodes
) -> tuple[Finding, ...]:
    """How many clients came back, and what became of their episodes; one row per row read."""
    per_client = pd.Series(number).groupby(person.cat.codes.to_numpy()).max()
    back = int((per_client > 1).sum())
    if not back:
        return (Finding("episodes", "info", "No client has more than one episode of care.", "episode"),)
    ways = [f"after a pause of more than {rule.after_days} days"] if rule.after_days is not None else []
    ways += ["at another intake"] if rule.at_intake else []
    how = f" (a new one begins {' or '.join(ways)})" if ways else ""
    what = {
        "first": "only the first is analysed.",
        "last": "only the last is analysed.",
        "each": "each counts as a client, as if the episodes of one person were independent.",
    }[rule.analyse]
    message = say(
        "{back:noun} {back:has|have} more than one episode of care, {all:noun} in total{how}; {what}",
        back=Count(back, "client"),
        all=Count(int(per_client.sum()), "episode"),
        how=how,
        what=what,
    )
    return (Finding("episodes", "caution", message, "episode"),)


def _numbers(keys: pd.DataFrame, places: Places, rule: Episodes, problems: Problems) -> NDArray[np.int64]:
    """Number of the episode of each row, shape (n,); the order of the rows does not matter."""
    days = keys["day"].to_numpy().astype("datetime64[D]")
    clients = keys["client"].cat.codes.to_numpy()
    undated = np.isnat(days)
    dated = not undated.all()
    if dated or rule.after_days is not None or rule.at_intake:
        problems.add_rows(
            "missing_date",
            "a row has no date, so its episode of care is not known.",
            "fill it in, or remove the row.",
            places=places,
            at=np.flatnonzero(undated),
            column="date",
            value=lambda _: "",
        )
    in_time = days.astype("int64") if dated else np.zeros(len(keys), dtype=np.int64)
    session = keys["session"].to_numpy()
    label = _labelled(keys, in_time, dated, places, problems)
    order = np.lexsort((np.arange(len(keys)), session, in_time, label, clients))
    client, day = clients[order], in_time[order]
    same = np.r_[False, client[1:] == client[:-1]][: len(keys)]
    begins = ~same
    if rule.after_days is not None:
        begins |= same & (np.r_[0, np.diff(day)][: len(keys)] > rule.after_days)
    if rule.at_intake:
        begins |= _other_intake(session[order], same)
    begins |= np.r_[False, np.diff(label[order]) != 0][: len(keys)]
    count = np.cumsum(begins)
    start = np.maximum.accumulate(np.where(~same, count - 1, 0))
    number = np.empty(len(keys), dtype=np.int64)
    number[order] = count - start
    return number


def _labelled(
    keys: pd.DataFrame, in_time: NDArray[np.int64], dated: bool, places: Places, problems: Problems
) -> NDArray[np.int64]:
    """For each row, the place of its word in the column ``episode`` among those of its client, in order of time.

    Without dates, words that are numbers are in their order, and others in that of the session numbers.
    """
    if "episode" not in keys:
        return np.zeros(len(keys), dtype=np.int64)
    words = keys["episode"].cat.categories
    numeric = np.asarray(pd.to_numeric(words.to_series(), errors="coerce"), dtype=float)
    codes = keys["episode"].cat.codes.to_numpy()
    by_word = not dated and bool(np.isfinite(numeric).all())
    when = in_time if dated else numeric[codes] if by_word else keys["session"].to_numpy()
    frame = pd.DataFrame({"client": keys["client"].cat.codes.to_numpy(), "word": codes, "when": when})
    spans = frame.groupby(["client", "word"])["when"].agg(["min", "max"]).sort_values(["client", "min"])
    before = spans["max"].groupby(level="client").shift()
    rank = spans.groupby(level="client").cumcount()
    rows = pd.MultiIndex.from_frame(frame[["client", "word"]])
    if not dated and not by_word:
        unclear = (spans["min"] <= before).reindex(rows).to_numpy()
        problems.add_rows(
            "episode_order",
            "the order of a client's episodes is not known, because there are no dates and session "
            "numbers start again.",
            "name a 'date' column, or write the episodes as numbers 1, 2, ...",
            places=places,
            at=np.flatnonzero(unclear),
            column="episode",
            value=lambda _: "",
        )
    several = spans.groupby(level="client").size().reindex(frame["client"]).to_numpy() > 1
    problems.add_rows(
        "missing_episode",
        "a row of a client with several episodes does not say to which it belongs.",
        "fill it in, or remove the row.",
        places=places,
        at=np.flatnonzero(several & (keys["episode"] == "").to_numpy()),
        column="episode",
        value=lambda _: "",
    )
    return np.asarray(rank.reindex(rows).to_numpy(), dtype=np.int64)


def _other_intake(session: NDArray[np.float64], same: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows of session 0 that are not the first row of their client; of several in a row only the first counts."""
    intake = session == 0
    return np.asarray(same & intake & ~np.r_[False, intake[:-1]][: len(session)])


def _sessions_in_episode(keys: pd.DataFrame, number: NDArray[np.int64]) -> NDArray[np.float64]:
    """Session numbers; where an episode counts on from the one before, it starts where the first one started.

    One that begins with 0 or 1 already starts again.
    """
    frame = pd.DataFrame(
        {
            "client": keys["client"].cat.codes.to_numpy(),
            "number": number,
            "session": keys["session"].to_numpy(),
        }
    )
    spans = frame.groupby(["client", "number"])["session"].agg(["min", "max"])
    before = spans["max"].groupby(level="client").shift()
    first = spans["min"].groupby(level="client").transform("first")
    counts_on = (spans["min"] > before) & (spans["min"] > 1)
    shift = (spans["min"] - first).where(counts_on, 0.0).fillna(0.0)
    rows = pd.MultiIndex.from_frame(frame[["client", "number"]])
    return np.asarray(frame["session"].to_numpy() - shift.reindex(rows).to_numpy(), dtype=float)


def _suffix(number: NDArray[np.int64]) -> "pd.Series[str]":
    return pd.Series([f" (episode {n})" for n in number], dtype=object)
