"""How often the class of a single course is wrong, at the spread and the courses that the data have."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.methods.basics.frames import Codes, Floats

#: Classes of single courses.
CLASSES = ("flat", "linear", "u", "inverted_u")
#: Shares of misclassified courses from which counts of classes say little.
TOO_MANY = 0.30


@dataclass(frozen=True, slots=True)
class Confusion:
    """Simulated courses of each class, and the class that they were given.

    Attributes
    ----------
    matrix : DataFrame
        True class (rows) by class found (columns): shares, rows add up to 1. Missing for classes whose course the data do not show.
    sigma : float
        Residual standard deviation of a rating around a person's own parabola.
    slope, curvature : float
        Size of true slopes (points per unit of time) and of true coefficients of time squared: root of the mean square of the persons'
        own ones, less what error alone produces; 0 where error explains all.
    persons : int
        Whose times of rating were used.
    n : int
        Simulated courses per person and class.
    """

    matrix: pd.DataFrame
    sigma: float
    slope: float
    curvature: float
    persons: int
    n: int

    @property
    def wrong(self) -> pd.Series:
        """Share of the courses of each true class that is put into another one."""
        return pd.Series({k: 1 - self.matrix.loc[k, k] for k in CLASSES}, name="wrong")


def confusion_of(data: pd.DataFrame, least: int, n: int, seed: int) -> Confusion:
    """Simulate courses of each class at the persons' own times and classify them as the persons were.

    Parameters
    ----------
    data : DataFrame
        ``person, t, y``.
    least : int
        Ratings that a person needs.
    n, seed : int
        Courses per person and class; seed of the random numbers.
    """
    courses = [
        (rows["t"].to_numpy(float), rows["y"].to_numpy(float))
        for _, rows in data.groupby("person", sort=False)
        if len(rows) >= least and rows["t"].nunique() >= 3
    ]
    nothing = pd.DataFrame(np.nan, index=list(CLASSES), columns=list(CLASSES))
    if not courses:
        return Confusion(nothing, float("nan"), float("nan"), float("nan"), 0, n)
    sigma, slope, curvature = _sizes(courses)
    rng = np.random.default_rng(seed)
    counts = nothing.fillna(0.0)
    for t, _ in courses:
        x = t - t.mean()
        signs = rng.choice([-1.0, 1.0], n)
        means = {
            "flat": np.zeros((n, len(t))),
            "linear": slope * signs[:, None] * x,
            "u": np.tile(curvature * x**2, (n, 1)),
            "inverted_u": np.tile(-curvature * x**2, (n, 1)),
        }
        for name, mean in means.items():
            found = classes(x, mean + sigma * rng.standard_normal(mean.shape))
            counts.loc[name] += np.bincount(found, minlength=len(CLASSES))
    shares = counts / (n * len(courses))
    shares.loc[["linear"] * (slope == 0) + ["u", "inverted_u"] * (curvature == 0)] = np.nan
    return Confusion(shares, sigma, slope, curvature, len(courses), n)


def classes(x: Floats, y: Floats) -> Codes:
    """Class of each row of ``y`` (courses by times) by AICc, as a place in `CLASSES`; ``x`` are the times less their mean."""
    n = y.shape[1]
    basis = np.linalg.qr(np.vander(x, 3, increasing=True))[0]
    parts = y @ basis
    total = np.einsum("ij,ij->i", y, y)
    scores = []
    for degree in range(3):
        rest = total - np.einsum("ij,ij->i", parts[:, : degree + 1], parts[:, : degree + 1])
        squares = np.maximum(rest, 1e-12 * np.maximum(total, 1e-300))
        k = degree + 2
        scores.append(n * np.log(squares / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1))
    best = np.zeros(len(y), dtype=np.int64)
    lowest = scores[0].copy()
    for degree in (1, 2):
        better = scores[degree] < lowest - 1e-9
        best[better], lowest[better] = degree, scores[degree][better]
    # The sign of the basis is arbitrary: that of the parabola is the product with the last basis's own.
    direction = 1.0 if float(np.dot(basis[:, 2], x**2)) > 0 else -1.0
    curved = np.where(parts[:, 2] * direction > 0, 2, 3)
    return np.asarray(np.where(best == 2, curved, best), dtype=np.int64)


def _sizes(courses: "list[tuple[Floats, Floats]]") -> tuple[float, float, float]:
    """Residual standard deviation, and sizes of true slopes and curvatures."""
    squares, free = 0.0, 0
    slopes, curves = [], []
    for t, y in courses:
        x = t - t.mean()
        design = np.vander(x, 3, increasing=True)
        b = np.linalg.lstsq(design, y, rcond=None)[0]
        squares += float(np.sum((y - design @ b) ** 2))
        free += len(t) - 3
        line = float(x @ y / (x @ x))
        slopes.append((line, 1 / float(x @ x)))
        curves.append((float(b[2]), float(np.linalg.inv(design.T @ design)[2, 2])))
    sigma2 = squares / free

    def size(found: list[tuple[float, float]]) -> float:
        values = np.array(found)
        mean = float(np.mean(values[:, 0] ** 2 - sigma2 * values[:, 1]))
        return float(np.sqrt(max(mean, 0.0)))

    return float(np.sqrt(sigma2)), size(slopes), size(curves)


def class_counts(data: pd.DataFrame, least: int) -> dict[str, int]:
    """Classes of the persons with at least ``least`` ratings at three or more times."""
    counts = dict.fromkeys(CLASSES, 0)
    for _, rows in data.groupby("person", sort=False):
        t, y = rows["t"].to_numpy(float), rows["y"].to_numpy(float)
        if len(t) >= least and np.unique(t).size >= 3:
            counts[course_class(t, y)] += 1
    return counts


def course_class(t: Floats, y: Floats) -> str:
    """Class of one course by AICc."""
    n, x = len(y), t - t.mean()
    best, chosen = np.inf, "flat"
    for degree in range(3):
        design = np.vander(x, degree + 1, increasing=True)
        b = np.linalg.lstsq(design, y, rcond=None)[0]
        squares = max(float(np.sum((y - design @ b) ** 2)), 1e-12 * max(float(y @ y), 1e-300))
        k = degree + 2
        aicc = n * np.log(squares / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
        if aicc < best - 1e-9:
            best = aicc
            chosen = ("flat", "linear", "u" if b[-1] > 0 else "inverted_u")[degree]
    return chosen
