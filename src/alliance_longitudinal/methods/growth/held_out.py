"""Predictions of persons who were left out of the archive, fold by fold."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import Floats, check_columns, groups
from alliance_longitudinal.methods.basics.values import real, several, whole
from alliance_longitudinal.methods.growth.archive import accuracy
from alliance_longitudinal.methods.growth.course_time import CourseShape
from alliance_longitudinal.methods.growth.expected import ExpectedCourse


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class HeldOutCourses:
    """Predictions of persons, none of whom was in the archive that predicted them.

    Attributes
    ----------
    scores : DataFrame
        ``after, person, time, score, mean, sd, fold``: each score later than ``after``, and what was expected given the person's
        scores up to then.
    persons : DataFrame
        ``after, fold`` and what `ExpectedCourse.prospects` gives, for each person with a score up to ``after``.
    after : tuple of float
    at : float
        The later time of ``persons``.
    """

    scores: pd.DataFrame = field(repr=False)
    persons: pd.DataFrame = field(repr=False)
    after: tuple[float, ...]
    at: float

    def accuracy(self, bands: Sequence[float] = (0.8, 0.95)) -> pd.DataFrame:
        """By ``after``: ``n`` (predicted scores), ``rmse, mae`` and for each band the share of scores within."""
        parts = dict(iter(self.scores.groupby("after")))
        empty = self.scores.iloc[:0]
        return accuracy(list(self.after), [parts.get(k, empty) for k in self.after], several(bands))

    def within(self, after: float, band: float) -> "pd.Series[bool]":
        """Whether each score later than ``after`` lies within its band, with the index of ``scores``."""
        rows = self.scores[self.scores["after"] == after]
        z = float(distributions.norm.ppf((1 + band) / 2))
        return (rows["score"] - rows["mean"]).abs() <= z * rows["sd"]

    def rmse(self, after: float, cluster: Any = None) -> dict[str, float]:
        """Root mean squared error of the scores later than ``after`` with its interval, allowing for clusters.

        The mean of the squared errors has the CR2 error of a mean over clusters (persons if none are given); the error of its
        root follows by the delta method, limits by t with clusters - 1 degrees of freedom on the logarithm.

        Parameters
        ----------
        cluster : Series, optional
            Cluster of each person, by person.
        """
        rows = self.scores[self.scores["after"] == after]
        square = (rows["score"] - rows["mean"]).to_numpy(float) ** 2
        who = rows["person"] if cluster is None else rows["person"].map(cluster)
        codes = pd.factorize(who)[0]
        size, count = np.bincount(codes), int(codes.max()) + 1
        mean = float(square.mean())
        root = float(np.sqrt(mean))
        if count < 2 or mean == 0:
            return {
                "estimate": root,
                "se": np.nan,
                "df": np.nan,
                "low": np.nan,
                "high": np.nan,
                "n": len(rows),
            }
        sums = np.bincount(codes, square - mean)
        se = float(np.sqrt(np.sum(sums**2 / (1 - size / len(rows)))) / len(rows)) / (2 * root)
        half = float(distributions.t.ppf(0.975, count - 1)) * se / root
        low, high = root * np.exp(-half), root * np.exp(half)
        return {"estimate": root, "se": se, "df": count - 1.0, "low": low, "high": high, "n": len(rows)}

    def __repr__(self) -> str:
        return f"<HeldOutCourses: {len(self.scores)} predicted scores; use .accuracy()>"


def held_out_courses(
    frame: pd.DataFrame,
    y: str,
    intake: str,
    time: str,
    person: str,
    therapist: str | None = None,
    shape: CourseShape = "log",
    *,
    folds: int = 10,
    by: Literal["person", "therapist"] = "person",
    after: Sequence[float] = (0, 2, 4),
    at: float | None = None,
    update: bool = True,
    seed: int = 0,
    covariates: Sequence[str] = (),
) -> HeldOutCourses:
    """Predict courses fold by fold: each fold of persons, or of therapists with all their persons, from the others.

    Parameters
    ----------
    frame, y, intake, time, person, therapist, shape, covariates
        As in `ExpectedCourse.fit`.
    folds : int
        Number of folds; each is predicted from the others.
    by : {"person", "therapist"}
        What is divided into folds. With ``"therapist"``, the model has not seen any client of the predicted
        person's therapist.
    after : sequence of float
        Scores up to these times are known.
    at : float, optional
        The later time for ``persons``; by default the median of the persons' last times.
    update : bool
        Whether the scores so far update later predictions. If False, all predictions use the intake score only.
    seed : int
        Seed for the folds.

    Raises
    ------
    DataError
        As `ExpectedCourse.fit`, or if there are fewer persons or therapists than folds.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> rng = np.random.default_rng(1)
    >>> person, week = np.repeat(range(200), 6), np.tile(range(1, 7), 200)
    >>> intake = rng.normal(15, 4, 200)
    >>> change = rng.normal(-3, 1, 200)
    >>> score = intake[person] + change[person] * np.log(week + 1) + rng.normal(0, 2, 1200)
    >>> archive = pd.DataFrame({"client": person, "week": week, "intake": intake[person], "phq9": score})
    >>> found = methods.held_out_courses(archive, "phq9", "intake", "week", "client", folds=5)
    >>> found.accuracy().round(2)[["n", "cover80", "cover95"]].loc[4].tolist()
    [400.0, 0.78, 0.96]
    """
    if by not in ("person", "therapist") or (by == "therapist" and therapist is None):
        raise DataError(
            f"by is {by!r}; it is 'person', or 'therapist' where a column of therapists is named."
        )
    folds = whole("folds", folds, "a number of folds, at least 2", least=2)
    times = tuple(real("after", when, "times, finite numbers") for when in several(after))
    unit = person if by == "person" else str(therapist)
    check_columns(frame, [unit, person, time])
    code, ids = groups(frame, unit)
    if len(ids) < folds:
        raise DataError(f"{folds} folds need as many values of {unit!r}; there are {len(ids)}.")
    fold = np.random.default_rng(seed).permutation(np.arange(len(ids)) % folds)[code]
    if at is None:
        at = float(frame.groupby(person)[time].max().median())
    scores: list[pd.DataFrame] = []
    persons: list[pd.DataFrame] = []
    for k in range(folds):
        course = ExpectedCourse.fit(
            frame[fold != k], y, intake, time, person, therapist, shape, covariates=covariates
        )
        rows = course.rows_of(frame[fold == k])
        for when in times:
            same: dict[str, Any] = {"after": when, "fold": k}
            scores.append(course.predictions(rows, when, update=update).assign(**same))
            persons.append(course.prospects(rows, when, at, update=update).assign(**same))
    return HeldOutCourses(
        pd.concat(scores, ignore_index=True), pd.concat(persons, ignore_index=True), times, at
    )


def chance_beyond(mean: Floats, sd: Floats, limit: Floats, *, above: bool) -> Floats:
    """Probability that a single score is above (or below) a limit, for normal predictions.

    Parameters
    ----------
    mean, sd : array, shape (n,)
        For each prediction, the expected score and the standard deviation of a single score around it.
    limit : array, shape (n,)
    above : bool
        Whether the score is above the limit, rather than below it.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from alliance_longitudinal import methods
    >>> mean, sd = np.array([10.0, 14.0]), np.array([4.0, 4.0])
    >>> methods.chance_beyond(mean, sd, np.array([14.0, 14.0]), above=True).round(2).tolist()
    [0.16, 0.5]
    """
    z = (np.asarray(limit, dtype=float) - mean) / sd
    return np.asarray(distributions.norm.sf(z) if above else distributions.norm.cdf(z))
