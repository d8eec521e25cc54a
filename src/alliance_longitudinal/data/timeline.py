"""Order and time within a client: session numbers from dates, weeks, and the therapist of a transferred client."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.study_file import Transfers


def number_by_date(keys: pd.DataFrame) -> NDArray[np.float64]:
    """Session numbers 1, 2, ... of each client in order of date; missing where the date is."""
    days = keys["day"].to_numpy()
    order = np.lexsort((days, keys["client"].to_numpy().astype(str)))
    ordered = keys.iloc[order]
    numbers = np.empty(len(keys))
    numbers[order] = ordered.groupby("client", sort=False).cumcount().to_numpy() + 1
    return np.asarray(np.where(np.isnat(days), np.nan, numbers), dtype=float)


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
    first = since.groupby(keys["client"].to_numpy()).transform("min")
    return np.asarray((since - first) / per_week, dtype=float)


def analysed_under(keys: pd.DataFrame, rule: Transfers) -> "pd.Series[str]":
    """Therapist under whom each row's client is analysed: the first, the last, or the one seen longest."""
    ordered = keys.sort_values(["client", "session"], kind="stable")
    if rule == "longest":
        counts = ordered.groupby(["client", "therapist"], sort=False).size().rename("n").reset_index()
        chosen = counts.sort_values("n", ascending=False, kind="stable").drop_duplicates("client")
    else:
        chosen = ordered.drop_duplicates("client", keep="last" if rule == "last" else "first")
    return keys["client"].map(chosen.set_index("client")["therapist"])
