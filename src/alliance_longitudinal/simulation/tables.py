"""A simulated clinic as the tables that a clinic would export."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.simulation.alliance import ITEMS

if TYPE_CHECKING:
    from alliance_longitudinal.simulation.clinic import SimulatedClinic


def _labels(prefix: str, count: int, width: int) -> pd.Series:
    """``prefix`` and the number from 1, with leading zeros."""
    return pd.Series([f"{prefix}{k:0{width}d}" for k in range(1, count + 1)], dtype="str")


def client_labels(clinic: "SimulatedClinic") -> pd.Series:
    """Id of each client."""
    return _labels("", clinic.truth.clients, 4)


def therapist_labels(clinic: "SimulatedClinic") -> pd.Series:
    """Id of each therapist."""
    return _labels("T", clinic.truth.therapists, 2)


def session_table(clinic: "SimulatedClinic") -> pd.DataFrame:
    """One row per attended session: ``client, therapist, session, week, phq9``, ``wai_1`` to ``wai_12`` or ``wai``."""
    client, session = np.nonzero(clinic.attended)
    people = clinic.people

    def cells(values: np.ndarray) -> np.ndarray:
        return np.asarray(values[client, session])

    out = {
        "client": client_labels(clinic).array.take(client),
        "therapist": therapist_labels(clinic).array.take(people.therapist[client]),
        "session": session,
        "week": cells(clinic.weeks),
        "phq9": cells(clinic.phq),
    }
    if clinic.wai.ndim == 3:
        out |= {f"wai_{k + 1}": cells(clinic.wai[:, :, k]) for k in range(ITEMS)}
    else:
        out["wai"] = cells(clinic.wai)
    out |= {name: cells(values) for name, values in clinic.others.items()}
    if clinic.truth.group_size > 1:
        out["group"] = _labels("G", int(people.group.max()) + 1, 3).array.take(people.group[client])
    if clinic.truth.family_size > 1:
        out["family"] = _labels("F", int(people.family.max()) + 1, 3).array.take(people.family[client])
    if clinic.truth.rupture_chance > 0:
        out["rupture"] = cells(clinic.ruptures.open)
    if clinic.truth.arm_share > 0:
        out["arm"] = people.arm[client].astype(int)
    if clinic.truth.planned_chance > 0:
        out["end"] = pd.array(clinic.ends, dtype="str").take(client)
    return pd.DataFrame(out)


def client_table(clinic: "SimulatedClinic") -> pd.DataFrame:
    """One row per client whom the data hold."""
    people = clinic.people
    frame = pd.DataFrame(
        {
            "client": client_labels(clinic),
            "therapist": therapist_labels(clinic).array.take(people.therapist),
            "group": _labels("G", int(people.group.max()) + 1, 3).array.take(people.group),
            "family": _labels("F", int(people.family.max()) + 1, 3).array.take(people.family),
            "attachment_anxiety": people.anxiety,
            "attachment_avoidance": people.avoidance,
            "personality_disorder": people.personality_disorder,
        }
    )
    if clinic.truth.arm_share > 0:
        frame["arm"] = people.arm.astype(int)
    truth = clinic.truth
    if truth.alliance_by_case or truth.slope_by_case or truth.case_therapist_sd:
        frame["case"] = people.case
    if clinic.truth.planned_chance > 0:
        frame["end"] = pd.array(clinic.ends, dtype="str")
    return frame[clinic.attended[:, 0]].reset_index(drop=True)


def therapist_table(clinic: "SimulatedClinic") -> pd.DataFrame:
    """One row per therapist."""
    people = clinic.people
    return pd.DataFrame(
        {
            "therapist": therapist_labels(clinic),
            "empathy": people.empathy,
            "experience": people.experience,
            "flexibility": people.flexibility,
        }
    )
