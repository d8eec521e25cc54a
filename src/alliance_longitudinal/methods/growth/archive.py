"""The model of an archive of courses: what is known of one more person before any score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import AllianceError, DataError
from alliance_longitudinal.methods.basics.frames import Codes, Floats, groups, names_of, numbers
from alliance_longitudinal.methods.basics.values import real, several


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns in the user's frames."""

    y: str
    intake: str
    time: str
    person: str
    therapist: str | None
    covariates: tuple[str, ...] = ()

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns of rows that are predicted; one name may not stand for two of them."""
        return names_of([self.y, self.intake, self.time, self.person], "the columns")


@dataclass(frozen=True, slots=True)
class Scores:
    """Complete rows of several persons.

    Attributes
    ----------
    code : ndarray of int, shape (n,)
        Place of the row's person in ``ids``.
    ids : ndarray, shape (persons,)
    y, intake, base, t : ndarray, shape (n,)
        ``base`` is the expected score without its part of time.
    therapists : list of str or None
        Of each person.
    """

    code: Codes
    ids: NDArray[np.object_]
    y: Floats
    intake: Floats
    base: Floats
    t: Floats
    therapists: "list[str | None]"


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


def scores_of(frame: pd.DataFrame, columns: Columns, base: Floats, therapists: "list[str | None]") -> Scores:
    """The complete rows of a frame.

    Parameters
    ----------
    base : ndarray, shape (n,)
        NaN where the intake score or a covariate is missing.
    therapists : list of str or None
        Of each row.
    """
    y, intake, t = (numbers(frame, name) for name in (columns.y, columns.intake, columns.time))
    code, ids = groups(frame, columns.person)
    there = ~(np.isnan(y) | np.isnan(base) | np.isnan(t))
    own, kept = pd.factorize(code[there])
    first = np.unique(own, return_index=True)[1]
    names = np.empty(len(ids), dtype=object)
    names[:] = ids
    return Scores(
        own.astype(np.int64),
        names[kept],
        y[there],
        intake[there],
        base[there],
        t[there],
        list(np.asarray(therapists, dtype=object)[there][first]),
    )


def posterior(
    prior: Prior, code: Codes, left: Floats, f: Floats, therapists: "list[str | None]"
) -> tuple[Floats, Floats]:
    """Mean, shape (persons, 2), and covariance, shape (persons, 2, 2), of persons' intercepts and slopes given scores.

    Parameters
    ----------
    code : ndarray of int, shape (n,)
        Person of each score.
    left, f : ndarray, shape (n,)
        Scores less the archive's mean course, and the function of time.
    therapists : list of str or None
        Of each person.
    """
    n = len(therapists)
    prior_mean, before = prior.of(therapists)
    z = np.column_stack([np.ones(len(f)), f])
    left = left - np.einsum("ij,ij->i", z, prior_mean[code])
    precision = np.empty((n, 2, 2))
    for i in range(2):
        for k in range(2):
            precision[:, i, k] = np.bincount(code, z[:, i] * z[:, k], n)
    precision /= prior.noise
    right = np.column_stack([np.bincount(code, z[:, i] * left, n) for i in range(2)]) / prior.noise
    cov = before @ np.linalg.inv(np.eye(2) + precision @ before)
    return prior_mean + np.einsum("nij,nj->ni", cov, right), cov


def single(f: Floats, mean: Floats, cov: Floats, noise: float) -> tuple[Floats, Floats]:
    """Expected deviation from the mean course, and standard deviation of a single score."""
    z = np.column_stack([np.ones(len(f)), f])
    return np.einsum("ij,ij->i", z, mean), np.sqrt(np.einsum("ni,nij,nj->n", z, cov, z) + noise)


def key_of(value: object) -> str:
    """An id as text: 3, 3.0 (as a column of numbers has it where one is missing) and "3 " are one."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def therapists_of(frame: pd.DataFrame, column: str | None) -> "list[str | None]":
    """The therapist of each row as text; None where unknown."""
    if column is None or column not in frame:
        return [None] * len(frame)
    codes, ids = pd.factorize(frame[column].astype(object))
    keys = [*map(key_of, ids), None]  # the code of a missing one is -1: the last
    return [keys[code] for code in codes]


def fit_archive(data: pd.DataFrame, therapists: bool, fixed: Sequence[str]) -> Any:
    """Fit the archive by REML, with ``fixed`` columns beside the intake score and random effects of ``f``.

    Raises
    ------
    DataError
        It cannot be fitted.
    """
    from alliance_longitudinal.engine import MixedModel

    random = "(1 + f | therapist:person) + (1 | therapist)" if therapists else "(1 + f | person)"
    try:
        return MixedModel.from_formula(f"y ~ {' + '.join(['intake', *fixed])} + {random}", data).fit()
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


def levels_of(bands: Sequence[float]) -> list[float]:
    """Shares of scores in bands, checked."""
    return [real("bands", b, "shares between 0 and 1, such as 0.8", above=0, below=1) for b in several(bands)]


def accuracy(after: "list[float]", errors: "list[pd.DataFrame]", bands: "list[float]") -> pd.DataFrame:
    """Errors and coverage by time, from frames of predictions (``score, mean, sd``).

    Raises
    ------
    DataError
        No score is later.
    """
    rows = []
    for time, found in zip(after, errors, strict=True):
        if found.empty:
            raise DataError(f"No score is later than {time:g}. Choose earlier times for after.")
        e = (found["score"] - found["mean"]).to_numpy(float)
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
