"""Order and time within a client: session numbers from dates, weeks, gaps, and the therapist of a transferred client."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.study_file.format import Transfers


def number_by_date(keys: pd.DataFrame, *, several_rows: bool = False) -> NDArray[np.float64]:
    """Session numbers 1, 2, ... of each client in order of date (without dates, of weeks), missing where it is.

    With ``several_rows``, rows of one client and day are one session that several people rated.
    """
    dated = bool(keys["day"].notna().any()) or not keys["week"].notna().any()
    days = keys["day" if dated else "week"].to_numpy()
    clients = keys["client"].cat.codes.to_numpy()
    order = np.lexsort((days, clients))
    client, day = clients[order], days[order]
    new_client = np.r_[True, client[1:] != client[:-1]][: len(keys)]
    new = (
        new_client | np.r_[True, day[1:] != day[:-1]][: len(keys)]
        if several_rows
        else np.ones(len(keys), bool)
    )
    count = np.cumsum(new)
    starts = np.maximum.accumulate(np.where(new_client, count - 1, 0))
    numbers = np.empty(len(keys))
    numbers[order] = count - starts
    return np.where(pd.isna(days), np.nan, numbers)


def weeks_since_first(keys: pd.DataFrame) -> NDArray[np.float64]:
    """Weeks since the client's first row: from the week column, else the dates, else the session number."""
    per_week = 1.0
    if keys["week"].notna().any():
        time = keys["week"].to_numpy(dtype=float)
    elif keys["day"].notna().any():
        days = keys["day"].to_numpy().astype("datetime64[D]")
        time = np.where(np.isnat(days), np.nan, days.astype("int64"))
        per_week = 7.0
    else:
        time = keys["session"].to_numpy(dtype=float)
    since = pd.Series(time)
    first = since.groupby(keys["client"].cat.codes.to_numpy()).transform("min")
    return np.asarray((since - first) / per_week, dtype=float)


def weeks_since_last(client: NDArray[np.int64], weeks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weeks between each session and the client's session before, for sessions in order of client and number.

    Missing at a client's first session and where either has no time; all of shape (n,).
    """
    gaps = np.diff(weeks, prepend=np.nan)
    gaps[1:][client[1:] != client[:-1]] = np.nan
    return gaps


def changes_therapist(keys: pd.DataFrame) -> bool:
    """Whether any client has more than one therapist."""
    pairs = keys["client"].cat.codes.to_numpy().astype(np.int64) * len(keys["therapist"].cat.categories)
    pairs = pairs + keys["therapist"].cat.codes.to_numpy()
    return len(pd.unique(pairs)) > len(pd.unique(keys["client"].cat.codes.to_numpy()))


def analysed_under(keys: pd.DataFrame, rule: Transfers) -> pd.Categorical:
    """Therapist under whom each row's client is analysed: the first, the last, or the one of most sessions (of two, the earlier)."""
    codes = pd.DataFrame(
        {
            "client": keys["client"].cat.codes,
            "therapist": keys["therapist"].cat.codes,
            "session": keys["session"],
        }
    )
    once = codes.drop_duplicates()  # several people may have rated a session, each in a row
    ordered = once.sort_values(["client", "session"], kind="stable")
    if rule == "longest":
        counts = ordered.groupby(["client", "therapist"], sort=False).size().rename("n").reset_index()
        chosen = counts.sort_values("n", ascending=False, kind="stable").drop_duplicates("client")
    else:
        chosen = ordered.drop_duplicates("client", keep="last" if rule == "last" else "first")
    of_client = codes["client"].map(chosen.set_index("client")["therapist"])
    return pd.Categorical.from_codes(of_client.to_numpy(), categories=keys["therapist"].cat.categories)
