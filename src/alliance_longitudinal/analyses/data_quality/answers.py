"""How the items were answered: the same throughout, the same as last time, the same as somebody else."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.analyses.data_quality.check import Check, not_checked, verdict_of
from alliance_longitudinal.analyses.data_quality.completion import own_answers
from alliance_longitudinal.analyses.data_quality.records import Records
from alliance_longitudinal.analyses.kit import Count, say
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.labels import number

Floats = NDArray[np.float64]
#: Days, patterns of answers or clients as numbers from 0.
Codes = NDArray[np.intp]
#: With fewer items the same answer throughout is common.
ENOUGH_ITEMS = 5
#: Shuffled copies of the data that say how many rows agree by chance.
_SHIFTS = 20
_NO_ITEMS = "The study has no answers to single items."
_EXPORT = "Export the items, not only the total."
_CARELESS = ("meade2012", "curran2016")


def answer_checks(records: Records) -> list[Check]:
    """Straight-lining, long strings, and forms that repeat another."""
    out = []
    for measure in records.measures:
        forms = records.study.forms
        if forms is None or measure.name not in forms.answers:
            out.append(not_checked("straight", "Straight-lining", measure.name, _NO_ITEMS, _EXPORT))
            continue
        rows, answers = own_answers(records, measure.name)
        if answers.shape[1] < ENOUGH_ITEMS:
            why = f"With fewer than {ENOUGH_ITEMS} items, the same answer to all items is not unusual."
            out.append(not_checked("straight", "Straight-lining", measure.name, why))
            continue
        out.append(_straight(measure, rows, answers, forms.items[measure.name], forms.reversed[measure.name]))
        out.append(_long_string(measure, rows, answers))
        out.append(_repeated(records, measure, rows, answers))
    return [*out, _copied(records)]


def longest_runs(answers: Floats) -> NDArray[np.int64]:
    """Longest run of one and the same answer to consecutive items, shape (n,); an unanswered item ends a run.

    The long-string index of Johnson 2005 (doi 10.1016/j.jrp.2004.09.009).
    """
    run = np.where(np.isnan(answers[:, 0]), 0, 1)
    best = run.copy()
    for k in range(1, answers.shape[1]):
        run = np.where(answers[:, k] == answers[:, k - 1], run + 1, np.where(np.isnan(answers[:, k]), 0, 1))
        best = np.maximum(best, run)
    return best


def same_throughout(answers: Floats) -> NDArray[np.bool_]:
    """Whether all answers of a form, at least four in five of its items, are the same; shape (n,)."""
    enough = (~np.isnan(answers)).mean(axis=1) >= 0.8
    highest, lowest = np.fmax.reduce(answers, axis=1), np.fmin.reduce(answers, axis=1)
    return np.asarray(enough & (highest == lowest))


def _straight(
    measure: Measure,
    rows: NDArray[np.intp],
    answers: Floats,
    items: tuple[int, ...],
    reversed_: tuple[int, ...],
) -> Check:
    same = same_throughout(answers)
    keyed = bool(set(items) & set(reversed_)) and bool(set(items) - set(reversed_))
    if keyed:
        found, look, problem = same, 0.02, 0.10
        rule = (
            "The same answer to all items, including reversed ones. Such answers contradict each "
            "other. Look if more than 2 % of the forms, problem if more than 10 %."
        )
    else:
        ranges = [measure.instrument.item_range(k) for k in items]
        ends = {e for r in ranges if r is not None for e in r}
        at_end = np.isin(np.fmax.reduce(answers, axis=1), list(ends))
        found, look, problem = same & ~at_end, 0.05, 0.20
        rule = (
            "The same answer to all items, other than the lowest or highest possible. Without "
            "reversed items such a form may be honest. Look if more than 5 % of the forms, problem "
            "if more than 20 %."
        )
    n = len(answers)
    return Check(
        "straight",
        "Straight-lining",
        measure.name,
        "form",
        n,
        int(found.sum()),
        verdict_of(float(found.mean()) if n else 0.0, look, problem),
        rule,
        "'alliance check' names the rows. Repeat the analysis without these forms and report both results.",
        cites=_CARELESS,
        rows=rows[found],
    )


def _long_string(measure: Measure, rows: NDArray[np.intp], answers: Floats) -> Check:
    runs, k = longest_runs(answers), answers.shape[1]
    long = (runs >= np.ceil(0.75 * k)) & ~same_throughout(answers)
    middle = f"Longest run of a form: median {number(float(np.median(runs)), 'integer')}" if len(runs) else ""
    return Check(
        "long_string",
        "Long runs of one answer",
        measure.name,
        "form",
        len(answers),
        int(long.sum()),
        verdict_of(float(long.mean()) if len(long) else 0.0, 0.10, 0.30),
        "One answer to at least three quarters of the items in a row, but not to all. Look if more "
        "than 10 % of the forms, problem if more than 30 %; runs at the end of the scale are often "
        "honest.",
        "Compare with the lowest and highest possible scores. Long runs in the middle of the scale "
        "suggest haste.",
        f"{middle}, 95th percentile {number(float(np.quantile(runs, 0.95)), 'integer')} in a row."
        if middle
        else "",
        cites=_CARELESS,
        rows=rows[long],
    )


def _repeated(records: Records, measure: Measure, rows: NDArray[np.intp], answers: Floats) -> Check:
    client = records.study.sessions["client"].to_numpy()[rows]
    same_client = client[1:] == client[:-1]
    equal = ((answers[1:] == answers[:-1]) | (np.isnan(answers[1:]) & np.isnan(answers[:-1]))).all(axis=1)
    varied = ~same_throughout(answers)[1:]
    tested = same_client & varied
    found = tested & equal
    n = int(tested.sum())
    return Check(
        "repeated",
        "Forms that repeat the client's previous one",
        measure.name,
        "form",
        n,
        int(found.sum()),
        verdict_of(found.sum() / n if n else 0.0, 0.10, 0.30),
        "Every item has the same answer as in the client's previous form. Forms with the same "
        "answer to all items are left out. Look if more than 10 % of the forms, problem if more "
        "than 30 %.",
        "Ask whether the software shows or copies the previous answers.",
        rows=rows[1:][found],
    )


def _copied(records: Records) -> Check:
    """Rows of two clients of the same day with the same answers and scores throughout."""
    sessions, title = records.sessions, "Rows copied to another client"
    contents = _contents(records)
    use = (contents.told >= ENOUGH_ITEMS) & contents.varied
    if not use.any():
        return not_checked(
            "copied", title, "", "Too few answers per row to distinguish copies from chance.", _EXPORT
        )
    by_date = "date" in sessions and bool(sessions["date"].notna().any())
    keys = sessions["date" if by_date else "session"].to_numpy()[use]
    day = pd.factorize(keys.astype("int64"))[0]
    pattern = pd.factorize(contents.pattern[use])[0]
    client = pd.factorize(sessions["client"].to_numpy()[use])[0]
    doubled = _doubled(day, pattern)
    expected, most = _by_chance(day, pattern, client)
    many = bool(doubled.sum() > most)
    return Check(
        "copied",
        title,
        "",
        "row",
        int(use.sum()),
        int(doubled.sum()),
        "problem" if many else "fine",
        f"Rows of two clients of the same {'day' if by_date else 'session number'} that agree in "
        f"every answer and score (at least {ENOUGH_ITEMS}, not all the same). Look if there are "
        f"clearly more than by chance: more than the mean of {_SHIFTS} copies of the data in which each client's rows "
        "were moved at random, by at least four standard deviations and three rows.",
        "Look up the rows in the file. Most likely a row was copied and only the client was changed.",
        say("By chance alone about {n} would agree.", n=Count(round(expected), "row"))
        if doubled.any()
        else "",
        rows=records.rows[use][doubled] if many else np.empty(0, dtype=np.intp),
    )


def _doubled(day: Codes, pattern: Codes) -> NDArray[np.bool_]:
    """Which rows agree with another of the same day."""
    codes = pd.factorize(day * (pattern.max(initial=0) + 1) + pattern)[0]
    return np.asarray(np.bincount(codes)[codes] > 1)


def _by_chance(day: Codes, pattern: Codes, client: Codes) -> tuple[float, float]:
    """Mean, and a bound far above it, of the rows that agree where no row was copied.

    Each client's rows are moved by up to two of the client's own places, so that clients stay as ill as they were at that time but
    copies of one day part. Single rows cannot be moved. The bound is four standard deviations above the mean, at least three rows.
    """
    rng = np.random.default_rng(0)
    order = np.argsort(client, kind="stable")
    start = np.r_[0, np.flatnonzero(np.diff(client[order])) + 1]
    size = np.diff(np.r_[start, len(order)])
    place = np.arange(len(order)) - np.repeat(start, size)
    day, pattern = day[order] * (pattern.max(initial=0) + 1), pattern[order]
    shared = np.bincount(pattern)[pattern] > 1  # a row like no other agrees with none, wherever it is moved
    moves, several = np.arange(-2, 3)[:, None] % size, size > 1
    rows = np.tile(size[several], len(moves))
    share = np.bincount(moves[:, several].ravel(), weights=rows) / (len(moves) * len(order))
    counts = []
    for _ in range(_SHIFTS):
        shift = rng.integers(-2, 3, len(size)) % size
        moved = np.repeat(start, size) + (place + np.repeat(shift, size)) % np.repeat(size, size)
        shift[size == 1] = shift.max(initial=0) + 1 + np.arange((size == 1).sum())
        kept = shared[moved]
        counts.append(_n_agreeing((day + pattern[moved])[kept], np.repeat(shift, size)[kept], share))
    mean, spread = float(np.mean(counts)), float(np.std(counts))
    return mean, mean + max(4 * spread, 4 * np.sqrt(mean), 3.0)


def _n_agreeing(codes: Codes, shift: Codes, share: Floats) -> float:
    """How many rows agree with another by chance; ``codes`` are equal where rows agree, ``shift`` where clients were moved alike.

    ``share`` is the share of rows that each move is expected to have.

    Of two clients who were moved alike, one may be a copy of the other, whole. So rows that agree are counted only if not all of them were
    moved alike, and the others, which are so by chance as well, by how often that happens among as many rows.
    """
    if not len(codes):
        return 0.0
    codes, shift = pd.factorize(codes)[0], pd.factorize(shift)[0]
    pairs = np.unique(codes * (shift.max() + 1) + shift) // (shift.max() + 1)
    rows, cells = np.unique(np.bincount(codes)[np.bincount(pairs) > 1], return_counts=True)
    alike = (share[:, None] ** rows).sum(axis=0)
    return float((rows * cells / (1 - alike)).sum())


@dataclass(frozen=True, slots=True)
class _Contents:
    """All answers and given totals of each session, as far as they tell one session from another; each of shape (n,).

    Attributes
    ----------
    told : int array
        How many answers and totals the session has.
    varied : bool array
        Whether the answers differ: a form with one answer throughout agrees with many others, and a total beside it does
        not distinguish them.
    pattern : uint64 array
        A hash of all of them: the same where each is the same, or missing in both.
    """

    told: NDArray[np.int16]
    varied: NDArray[np.bool_]
    pattern: NDArray[np.uint64]


def _contents(records: Records) -> _Contents:
    """Column by column, so that a million sessions need no second copy of their answers."""
    forms, n = records.study.forms, len(records.sessions)
    told, varied = np.zeros(n, dtype=np.int16), np.zeros(n, dtype=bool)
    pattern, totals = np.zeros(n, dtype=np.uint64), []
    for measure in records.measures:
        if forms is None or measure.name not in forms.answers:
            totals.append(measure.name)
            continue
        _take_in(records, measure.name, told, varied, pattern)
    for name in totals:
        values = records.sessions[name].to_numpy(dtype=float)
        told += ~np.isnan(values)
        _mix(pattern, values)
    if len(totals) >= ENOUGH_ITEMS:
        of_totals = records.sessions[totals]
        varied |= (of_totals.max(axis=1) > of_totals.min(axis=1)).to_numpy()
    return _Contents(told, varied, pattern)


def _take_in(
    records: Records,
    name: str,
    told: NDArray[np.int16],
    varied: NDArray[np.bool_],
    pattern: NDArray[np.uint64],
) -> None:
    """Add a measure's answers to the contents, in place; in a function of its own, so that their room is free for the next."""
    rows, answers = own_answers(records, name)
    first: Codes | slice = slice(None)
    if not (np.diff(rows) > 0).all():
        rows, first = np.unique(rows, return_index=True)
    at = np.searchsorted(records.rows, rows)
    varied[at] |= (np.fmax.reduce(answers, axis=1) > np.fmin.reduce(answers, axis=1))[first]
    for column in answers.T:
        values = np.full(len(told), np.nan)
        values[at] = column[first]
        told += ~np.isnan(values)
        _mix(pattern, values)


def _mix(pattern: NDArray[np.uint64], values: Floats) -> None:
    """Take one more column into ``pattern``, in place."""
    pattern *= np.uint64(6364136223846793005)
    pattern += pd.util.hash_array(np.where(np.isnan(values), -1e9, values))
