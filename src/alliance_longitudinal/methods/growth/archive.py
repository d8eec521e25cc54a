"""The model of an archive of courses: what is known of one more person before any score."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import AllianceError, DataError
from alliance_longitudinal.methods.basics.frames import Floats, groups


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns in the user's frames."""

    y: str
    intake: str
    time: str
    person: str
    therapist: str | None


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of a person before any score: deviations of intercept and slope."""

    cov: Floats
    noise: float
    therapist: float
    known: Mapping[str, tuple[float, float]]

    def of(self, therapists: "list[str | None]") -> tuple[Floats, Floats]:
        """Means, shape (n, 2), and covariances, shape (n, 2, 2), of persons by their therapist."""
        mean, cov = np.zeros((len(therapists), 2)), np.tile(self.cov, (len(therapists), 1, 1))
        for i, name in enumerate(therapists):
            effect, variance = (
                self.known.get(name, (0.0, self.therapist)) if name is not None else (0.0, self.therapist)
            )
            mean[i, 0] = effect
            cov[i, 0, 0] += variance
        return mean, cov


def key_of(value: object) -> str:
    """An id as text: 3, 3.0 (as a column of numbers has it where one is missing) and "3 " are one."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def shape_of(t: Floats, shape: str, column: str) -> Floats:
    """The function of time of a shape.

    Raises
    ------
    DataError
        Times below 0 in the log shape.
    """
    if shape == "linear":
        return t
    if len(t) and t.min() < 0:
        raise DataError(f"{column!r} goes down to {t.min():g}. The log shape needs times from 0 on.")
    return np.asarray(np.log1p(t))


def fit_archive(data: pd.DataFrame, therapists: bool) -> Any:
    """Fit the archive by REML.

    Raises
    ------
    DataError
        It cannot be fitted.
    """
    from alliance_longitudinal.engine import MixedModel

    random = "(1 + f | therapist:person) + (1 | therapist)" if therapists else "(1 + f | person)"
    try:
        return MixedModel.from_formula(f"y ~ intake + f + {random}", data).fit()
    except AllianceError as problem:
        raise DataError(f"The expected course cannot be fitted: {problem}") from problem


def prior_of(model: Any, frame: pd.DataFrame, therapist: str | None) -> Prior:
    """Covariance of persons, noise, and what is known of the therapists."""
    table = model.varcorr
    persons = table[table["group"].str.contains("person")]
    diagonal = persons[persons["term2"].isna()].set_index("term1")["vcov"]
    cross = float(persons.loc[persons["term2"].notna(), "vcov"].iloc[0])
    cov = np.array([[diagonal["Intercept"], cross], [cross, diagonal["f"]]], dtype=float)
    if therapist is None:
        return Prior(cov, float(model.scale), 0.0, {})
    variance = float(table.loc[table["group"] == "therapist", "vcov"].iloc[0])
    _, ids = groups(frame, therapist)
    modes, sds = (
        model.random_effects["therapist"]["Intercept"],
        model.random_effects_sd["therapist"]["Intercept"],
    )
    known = {
        key_of(ids[int(str(name)[1:])]): (float(modes[name]), float(sds[name]) ** 2) for name in modes.index
    }
    return Prior(cov, float(model.scale), variance, known)


def accuracy(after: "list[float]", errors: "list[pd.DataFrame]", bands: "list[float]") -> pd.DataFrame:
    """Errors and coverage by time.

    Raises
    ------
    DataError
        No score is later.
    """
    rows = []
    for time, found in zip(after, errors, strict=True):
        if found.empty:
            raise DataError(f"No score is later than {time:g}. Choose earlier times for after.")
        e = found["error"].to_numpy()
        row = {
            "after": time,
            "n": len(e),
            "rmse": float(np.sqrt(np.mean(e**2))),
            "mae": float(np.mean(np.abs(e))),
        }
        for band in bands:
            z = float(distributions.norm.ppf((1 + band) / 2))
            row[f"cover{100 * band:g}"] = float(np.mean(np.abs(e) <= z * found["sd"].to_numpy()))
        rows.append(row)
    return pd.DataFrame(rows).set_index("after")
