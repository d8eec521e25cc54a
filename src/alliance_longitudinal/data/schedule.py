"""Planned assessments: which of them were made, and which pauses are as planned."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.study import Study
from alliance_longitudinal.data.study_file.format import StudyFile
from alliance_longitudinal.data.study_file.table_blocks import TIME_UNITS

#: Weeks in one unit of a schedule; a schedule by session number counts sessions.
WEEKS = {f"{unit}s": weeks for unit, weeks in TIME_UNITS.items()} | {"sessions": 1.0}


def planned_assessments(study: Study, name: str) -> pd.DataFrame:
    """Every planned assessment of a measure, for every client, and whether it was made.

    Each session counts for the planned time nearest to it, up to half the way to the next one (after the last, half
    the way back to the one before). An assessment is made if one of its sessions has a score, whatever the client's
    other sessions; a follow-up after treatment counts like any other.

    Parameters
    ----------
    study : Study
        With a ``schedule`` for the measure.
    name : str
        Name of the measure.

    Returns
    -------
    DataFrame
        One row per client and planned time, in their order: ``client``, ``planned`` (in ``study.time_unit``), ``made``.

    Raises
    ------
    KeyError
        If the study has no schedule for the measure.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import alliance_longitudinal as al
    >>> study = replace(al.load_study("demo"), schedule={"phq9": (0, 8, 16)})
    >>> planned_assessments(study, "phq9").groupby("planned")["made"].mean().round(2).to_dict()
    {0.0: 1.0, 8.0: 0.88, 16.0: 0.5}
    """
    planned = np.asarray(study.schedule[name], dtype=float)
    sessions = study.sessions
    nearest = nearest_planned(sessions, planned, study.time_unit)
    scored = sessions[name].notna().to_numpy() & (nearest >= 0)
    clients = study.clients["client"].astype(str).to_list()
    made = set(zip(sessions.loc[scored, "client"].astype(str), nearest[scored].tolist(), strict=True))
    frame = pd.DataFrame(
        {"client": np.repeat(clients, len(planned)), "planned": np.tile(planned, len(clients))}
    )
    places = np.tile(np.arange(len(planned)), len(clients)).tolist()
    return frame.assign(made=[pair in made for pair in zip(frame["client"], places, strict=True)])


def planned_pause(
    client: NDArray[np.int64], sessions: pd.DataFrame, file: StudyFile | Study
) -> NDArray[np.float64]:
    """Weeks between each session and the client's session before that the schedule plans, 0 without one; shape (n,)."""
    times = sorted({time for planned in file.schedule.values() for time in planned})
    if not times:
        return np.zeros(len(sessions))
    nearest = nearest_planned(sessions, np.asarray(times), file.time_unit)
    weeks = np.asarray(times) * WEEKS[file.time_unit]
    at = np.where(nearest >= 0, weeks[nearest], np.nan)
    pause = np.diff(at, prepend=np.nan)
    pause[1:][client[1:] != client[:-1]] = np.nan
    return np.nan_to_num(pause, nan=0.0)


def nearest_planned(sessions: pd.DataFrame, planned: NDArray[np.float64], unit: str) -> NDArray[np.intp]:
    """Place of the planned time that each session belongs to; -1 if none is near enough.

    Parameters
    ----------
    sessions : DataFrame
        ``session`` and ``week``.
    planned : float array
        Planned times in ``unit``, ascending.
    unit : str
        As ``Study.time_unit``.
    """
    of_number = unit == "sessions"
    time = sessions["session" if of_number else "week"].to_numpy(dtype=float) / WEEKS[unit]
    if len(planned) == 1:
        reach = np.array([np.inf])
    else:
        half = np.diff(planned) / 2
        reach = np.maximum(np.r_[half[0], half], np.r_[half, half[-1]])
    known = np.nan_to_num(time, nan=0.0)
    place = np.abs(known[:, None] - planned[None, :]).argmin(axis=1)
    near = np.abs(known - planned[place]) <= reach[place]
    return np.where(near & ~np.isnan(time), place, -1)
