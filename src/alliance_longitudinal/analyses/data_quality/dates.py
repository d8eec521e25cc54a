"""Rows that stand twice, and when the sessions were held: order, future, weekends, gaps, the same day."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.analyses.data_quality.check import Check, not_checked, verdict_of
from alliance_longitudinal.analyses.data_quality.records import Records
from alliance_longitudinal.analyses.kit import Share, say
from alliance_longitudinal.data.schedule import planned_pause

#: Weeks without a session after which a treatment may be another one; the same as reading a study takes.
LONG_GAP = 26


def date_checks(records: Records) -> list[Check]:
    """All checks of rows and dates."""
    n = len(records.sessions)
    twice = Check(
        "duplicates",
        "Sessions entered twice",
        "",
        "session",
        n,
        0,
        "fine",
        "If a client has the same session twice, the study is refused when it is read, and the "
        "message names both rows.",
        "Nothing. Each session was entered once.",
    )
    if "date" not in records.sessions:
        why = "The study names no date column."
        missing = not_checked("dates", "Dates", "", why, "Name it under 'columns: date'.")
        return [twice, missing, *_gaps(records)]
    order = Check(
        "date_order",
        "Sessions out of order",
        "",
        "session",
        n,
        0,
        "fine",
        "If a session has an earlier date than the one before it, the study is refused when it is "
        "read, and the message names both rows.",
        "Nothing. Dates and session numbers agree.",
    )
    days = records.sessions["date"]
    return [twice, order, _missing(records, days), *_of_days(records, days), *_gaps(records)]


def _missing(records: Records, days: pd.Series) -> Check:
    none = days.isna().to_numpy()
    return Check(
        "date_missing",
        "Sessions without a date",
        "",
        "session",
        len(days),
        int(none.sum()),
        verdict_of(float(none.mean()) if len(none) else 0.0, 0.0, 0.05),
        "Look at any, problem if more than 5 %. Without a date, the time of a session is not known.",
        "Add the dates.",
        rows=records.rows[none],
    )


def _of_days(records: Records, days: pd.Series) -> list[Check]:
    known = days.notna().to_numpy()
    n = int(known.sum())
    if not n:
        return []

    def check(
        id_: str,
        title: str,
        found: NDArray[np.bool_],
        limits: tuple[float, float],
        rule: str,
        do: str,
        means: str = "",
    ) -> Check:
        verdict = verdict_of(found.sum() / n, *limits)
        rows = records.rows[found] if verdict != "fine" else np.empty(0, dtype=np.intp)
        return Check(id_, title, "", "session", n, int(found.sum()), verdict, rule, do, means, rows=rows)

    future = known & (days > pd.Timestamp(records.today)).to_numpy()
    weekend = known & (days.dt.day_of_week >= 5).to_numpy()
    same_day = known & records.same_client & (days == days.shift()).to_numpy()
    commonest = days.mode().iloc[0]
    heap = (days == commonest).to_numpy()
    heaped = heap & (heap.sum() >= 20)
    return [
        check(
            "date_future",
            "Dates in the future",
            future,
            (0.0, 0.01),
            "Look at any, problem if more than 1 %.",
            "Remove appointments that have not taken place. Check that day and month are read in "
            "the right order.",
        ),
        check(
            "weekends",
            "Sessions at a weekend",
            weekend,
            (0.10, 1.0),
            "Look if more than 10 % are on a Saturday or Sunday. Wrong dates would give 29 %.",
            "If the clinic is closed at weekends, check whether the dates are those of data entry, "
            "and whether day and month are read in the right order.",
        ),
        check(
            "same_day",
            "Two sessions of a client on one day",
            same_day,
            (0.005, 0.05),
            "Look if more than 0.5 % of the sessions, problem if more than 5 %.",
            "Double sessions are common in some clinics. Otherwise one form was entered as two "
            "sessions, or the dates are those of data entry.",
        ),
        check(
            "date_heap",
            "Many sessions on the same date",
            heaped,
            (0.05, 0.20),
            "Look if one date has more than 5 % of all sessions (at least 20), problem if more than 20 %.",
            "A date such as 1 January often means 'unknown', or is the day on which old forms were entered.",
            say("The most frequent date has {share}.", share=Share(int(heap.sum()), n))
            if heaped.any()
            else "",
        ),
    ]


def _gaps(records: Records) -> list[Check]:
    weeks = records.sessions["week"]
    if not (weeks.max() > weeks.min()) or _time_is_number(records):
        return []
    gaps = weeks.diff().to_numpy()
    tested = records.same_client & ~np.isnan(gaps)
    client = pd.factorize(records.sessions["client"])[0].astype(np.int64)
    gaps = gaps - planned_pause(client, records.sessions, records.study)
    beyond = " beyond what the schedule plans" if records.study.schedule else ""
    long = tested & (gaps > LONG_GAP)
    n = int(tested.sum())
    return [
        Check(
            "gaps",
            "Long pauses",
            "",
            "pause",
            n,
            int(long.sum()),
            verdict_of(long.sum() / n if n else 0.0, 0.002, 0.02),
            f"More than {LONG_GAP} weeks{beyond} between two sessions of a client. Look if more than 0.2 % of the pauses, problem if more "
            "than 2 %.",
            "If clients came back for another treatment, write 'episodes: "
            f"{{after_days: {7 * LONG_GAP}}}' in the study file. Otherwise check the year.",
            rows=records.rows[long],
        )
    ]


def _time_is_number(records: Records) -> bool:
    return any(f.code == "time_is_session_number" for f in records.study.findings)
