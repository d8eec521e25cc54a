"""What course to expect of a new person, given an archive of courses and the person's own scores so far."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.estimates import Text
from alliance_longitudinal.methods.basics.frames import (
    Codes,
    Floats,
    check_columns,
    groups,
    names_of,
    numbers,
)
from alliance_longitudinal.methods.basics.rows import check_varies, complete_rows
from alliance_longitudinal.methods.basics.values import real, several
from alliance_longitudinal.methods.growth.archive import (
    Columns,
    Prior,
    Scores,
    accuracy,
    fit_archive,
    levels_of,
    posterior,
    prior_of,
    scores_of,
    single,
    therapists_of,
)
from alliance_longitudinal.methods.growth.course_time import CourseShape, CourseTime


@dataclass(frozen=True, repr=False, eq=False)
class ExpectedCourse:
    """An archive's average course by intake score, how persons differ from it, and predictions for a new person.

    Create one with `fit`.

    Attributes
    ----------
    model : MixedModelResults
        ``y ~ intake + f(time)`` with a random intercept and a random slope for each person.
    shape : str
    n_dropped : int
        Rows of the archive left out because of a missing value.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> rng = np.random.default_rng(1)
    >>> person, week = np.repeat(range(100), 6), np.tile(range(6), 100)
    >>> intake = rng.normal(15, 4, 100)
    >>> change = rng.normal(-3, 1, 100)
    >>> score = intake[person] + change[person] * np.log(week + 1) + rng.normal(0, 2, 600)
    >>> archive = pd.DataFrame({"client": person, "week": week, "intake": intake[person], "phq9": score})
    >>> course = methods.ExpectedCourse.fit(archive, "phq9", "intake", "week", "client")
    >>> new = pd.DataFrame({"week": [0, 1, 2], "intake": 18.0, "phq9": [18.0, 17.5, 17.0]})
    >>> course.predict(new, at=[8]).round(1)[["mean", "lower", "upper"]].to_numpy().tolist()
    [[12.5, 7.3, 17.8]]
    """

    model: Any
    shape: str
    n_dropped: int
    _time: CourseTime = field(repr=False)
    _columns: Columns = field(repr=False)
    _prior: Prior = field(repr=False)

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame,
        y: str,
        intake: str,
        time: str,
        person: str,
        therapist: str | None = None,
        shape: CourseShape = "log",
        covariates: Sequence[str] = (),
    ) -> "ExpectedCourse":
        """Fit the archive by REML.

        ``y = b0 + b1 intake [+ c x] + b2 f(t) + u0_i + u1_i f(t) [+ v_j] + e``, ``f(t) = log(t + 1)`` or ``t``.
        The log shape changes fast at first: check it against the data near time 0. In the shape ``spline3``,
        the mean course is a natural cubic spline with three degrees of freedom instead of ``b2 f(t)``
        (`natural_spline`), and persons differ in ``log(t + 1)``. Leave the intake score itself out of ``y``,
        because it would have no error there.

        Parameters
        ----------
        frame : DataFrame
            One row per person and time. Not changed. Rows with a missing value are left out.
        y, intake, time, person : str
            Columns; ``intake`` holds the person's score at the start in every row.
        therapist : str, optional
            Column of therapists. It adds a random intercept for each therapist.
        shape : {"log", "linear", "spline3"}
        covariates : sequence of str
            Numeric columns that are the same in all rows of a person.

        Raises
        ------
        DataError
            If columns are missing, times are negative, the archive is too small, or the model cannot be fitted.
        """
        if shape not in get_args(CourseShape):
            raise DataError(f"shape is {shape!r}; it is one of {', '.join(get_args(CourseShape))}.")
        columns = Columns(y, intake, time, person, therapist, () if not covariates else names_of(covariates))
        ids = {"person": person} | ({} if therapist is None else {"therapist": therapist})
        extra = {f"x{i}": name for i, name in enumerate(columns.covariates)}
        rows = complete_rows(frame, {"y": y, "intake": intake, "t": time, **extra}, ids, least=20)
        for name, column in (("y", y), ("intake", intake), ("t", time), *extra.items()):
            check_varies(rows.values(name), column, "An expected course needs values that vary.")
        clock = CourseTime.of(shape, rows.values("t"), time)
        data = rows.data.assign(f=clock.own(rows.values("t")))
        if clock.knots:
            data[list(clock.names)] = clock.mean(rows.values("t"))
        several = data["person"].duplicated(keep=False)
        if data.loc[several, "person"].nunique() < 10:
            raise DataError(
                f"An archive needs at least ten persons with several scores; there are {data.loc[several, 'person'].nunique()}."
            )
        model = fit_archive(data, therapist is not None, [*clock.names, *extra])
        return cls(model, shape, rows.n_dropped, clock, columns, prior_of(model, frame, therapist))

    @property
    def params(self) -> pd.Series:
        """Coefficients: ``Intercept, intake, f``, ``f`` the function of time (``s1, s2, s3`` in the shape ``spline3``)."""
        return pd.Series(self.model.params)

    @property
    def bse(self) -> pd.Series:
        """Standard errors of the coefficients."""
        return pd.Series(self.model.bse)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What a reader of the model needs to know."""
        return tuple(self.model.findings)

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Intervals of the coefficients."""
        return pd.DataFrame(self.model.conf_int(alpha))

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """One row per coefficient."""
        return pd.DataFrame(self.model.tidy(alpha))

    def summary(self) -> str:
        """The fit as text."""
        return Text(f"Expected course, {self.shape} shape\n\n{self.model.summary()}")

    def __repr__(self) -> str:
        return f"<ExpectedCourse: {self.shape} shape; {self.model.nobs} scores; use .predict(scores, at)>"

    def predict(
        self, scores_so_far: pd.DataFrame, at: "float | Sequence[float] | Floats", band: float = 0.95
    ) -> pd.DataFrame:
        """Expected scores of one person, and the band within which single scores are expected.

        Given the scores so far, the person's intercept and slope are normal. ``sd^2`` is the variance of the
        expected score plus that of single scores (plug-in: the archive's estimates are taken as known).

        Parameters
        ----------
        scores_so_far : DataFrame
            Rows of one person with the archive's columns of score, intake and time (and, optionally, of the
            therapist; an unknown one has the variance of all). A row with a missing score gives only the intake
            score.
        at : float or sequence of float
            Times.
        band : float
            Share of single scores within ``lower`` and ``upper``.

        Returns
        -------
        DataFrame
            ``time, mean, sd, lower, upper``, one row for each of ``at``.

        Raises
        ------
        DataError
            If the rows hold several intake scores or persons, or a time is invalid.
        """
        band = real("band", band, "a share between 0 and 1, such as 0.95", above=0, below=1)
        least = -np.inf if self.shape == "linear" else 0
        times = np.atleast_1d(np.asarray(at, dtype=object))
        when = np.array([real("at", t, "times, finite numbers", least=least) for t in times], dtype=float)
        c = self._columns
        check_columns(scores_so_far, [c.y, c.intake, c.time])
        base = self._base(scores_so_far, missing=False)
        if np.ptp(base) > 0 or (c.person in scores_so_far and len(groups(scores_so_far, c.person)[1]) > 1):
            raise DataError(
                "scores_so_far holds several persons or intake scores. Predict one person at a time."
            )
        therapists = therapists_of(scores_so_far, c.therapist)
        if len(set(therapists)) > 1:
            raise DataError("scores_so_far holds several therapists. Predict with one therapist at a time.")
        y, t = numbers(scores_so_far, c.y), numbers(scores_so_far, c.time)
        used = ~np.isnan(y)
        if np.isnan(t[used]).any():
            raise DataError(f"Column {c.time!r} is missing where a score is there.")
        mean, cov = self._posterior(
            np.zeros(int(used.sum()), dtype=np.int64),
            y[used],
            base[used],
            t[used],
            therapists[:1],
        )
        n = len(when)
        expected, sd = self._single(base[0], when, np.tile(mean, (n, 1)), np.tile(cov, (n, 1, 1)))
        half = float(distributions.norm.ppf((1 + band) / 2)) * sd
        return pd.DataFrame(
            {"time": when, "mean": expected, "sd": sd, "lower": expected - half, "upper": expected + half}
        )

    def validate(
        self, frame: pd.DataFrame, after: Sequence[float] = (0, 2, 4), bands: Sequence[float] = (0.8, 0.95)
    ) -> pd.DataFrame:
        """How well later scores are predicted from earlier ones, in persons whose scores are given.

        Use persons who are not in the archive (`cross_validate` does): in the archive itself predictions look better than they are.

        Parameters
        ----------
        frame : DataFrame
            As in `fit`. Rows with a missing value are left out.
        after : sequence of float
            For each of these times, scores up to it are known and later ones are predicted.
        bands : sequence of float

        Returns
        -------
        DataFrame
            One row for each ``after``: ``n`` (predicted scores), ``rmse, mae`` and, for each band, the share of
            scores within it (``cover80``, ...).

        Raises
        ------
        DataError
            If columns are missing, or there is no later score.
        """
        levels = levels_of(bands)
        after = several(after)
        found = [self.predictions(frame, real("after", time, "times, finite numbers")) for time in after]
        return accuracy(list(after), found, levels)

    @classmethod
    def cross_validate(
        cls,
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
        bands: Sequence[float] = (0.8, 0.95),
        seed: int = 0,
        covariates: Sequence[str] = (),
    ) -> pd.DataFrame:
        """`validate`, fold by fold, in persons (or therapists with all their persons) who were left out of the archive.

        `methods.held_out_courses` gives the predictions themselves.

        Raises
        ------
        DataError
            As `fit`, or if there are fewer persons or therapists than folds.
        """
        from alliance_longitudinal.methods.growth.held_out import held_out_courses

        levels = levels_of(bands)
        named: dict[str, Any] = {
            "folds": folds,
            "by": by,
            "after": after,
            "seed": seed,
            "covariates": covariates,
        }
        found = held_out_courses(frame, y, intake, time, person, therapist, shape, **named)
        return found.accuracy(levels)

    def predictions(
        self, frame: "pd.DataFrame | Scores", after: float, *, update: bool = True
    ) -> pd.DataFrame:
        """Each score later than ``after``, and the score expected from the person's scores up to then.

        Parameters
        ----------
        frame : DataFrame
            As in `fit`; rows of several persons. Rows with a missing value are left out.
        after : float
        update : bool
            If False, only the intake score is used, not the scores so far.

        Returns
        -------
        DataFrame
            ``person, time, score, mean, sd`` (of a single score).
        """
        rows = self.rows_of(frame)
        known = (rows.t <= after) & update
        mean, cov = self._posterior(
            rows.code[known], rows.y[known], rows.base[known], rows.t[known], rows.therapists
        )
        later = rows.t > after
        code = rows.code[later]
        expected, sd = self._single(rows.base[later], rows.t[later], mean[code], cov[code])
        found = {"time": rows.t[later], "score": rows.y[later], "mean": expected, "sd": sd}
        return pd.DataFrame({"person": rows.ids[code], **found})

    def prospects(
        self, frame: "pd.DataFrame | Scores", after: float, at: float, *, update: bool = True
    ) -> pd.DataFrame:
        """What is known of each person at a given time: the last score, the score expected then, and what to expect later.

        Parameters
        ----------
        frame : DataFrame
            As in `predictions`.
        after : float
            Scores up to this time are known.
        at : float
            The later time.
        update : bool
            As in `predictions`.

        Returns
        -------
        DataFrame
            One row per person with a score up to ``after``: ``person, intake, n`` (scores so far), ``time, score`` (the last of
            them), ``expected, expected_sd`` (of it, from the intake score alone) and ``mean, sd`` (of a single score ``at``,
            given all scores so far).
        """
        rows = self.rows_of(frame)
        known = rows.t <= after
        code, t = rows.code[known], rows.t[known]
        last = pd.DataFrame({"code": code, "t": t}).groupby("code")["t"].idxmax().to_numpy(np.int64)
        who = code[last]
        none = np.zeros(0)
        before, spread = self._posterior(none.astype(np.int64), none, none, none, rows.therapists)
        base = rows.base[known][last]
        expected, expected_sd = self._single(base, t[last], before[who], spread[who])
        mean, cov = (
            self._posterior(code, rows.y[known], rows.base[known], t, rows.therapists)
            if update
            else (before, spread)
        )
        later, sd = self._single(base, np.full(len(who), float(at)), mean[who], cov[who])
        columns = {"intake": rows.intake[known][last], "n": np.bincount(code, minlength=len(rows.ids))[who]}
        columns |= {"time": t[last], "score": rows.y[known][last]}
        columns |= {"expected": expected, "expected_sd": expected_sd, "mean": later, "sd": sd}
        return pd.DataFrame({"person": rows.ids[who], **columns})

    def rows_of(self, frame: "pd.DataFrame | Scores") -> Scores:
        """The complete rows of several persons, read once for use in several predictions."""
        if isinstance(frame, Scores):
            return frame
        check_columns(frame, list(self._columns.needed))
        return scores_of(
            frame, self._columns, self._base(frame), therapists_of(frame, self._columns.therapist)
        )

    def _posterior(
        self, code: Codes, y: Floats, base: Floats, t: Floats, therapists: "list[str | None]"
    ) -> tuple[Floats, Floats]:
        """Mean, shape (persons, 2), and covariance, shape (persons, 2, 2), of intercept and slope given scores."""
        return posterior(self._prior, code, y - self._mean(base, t), self._time.own(t), therapists)

    def _single(self, base: "float | Floats", t: Floats, mean: Floats, cov: Floats) -> tuple[Floats, Floats]:
        """Expected score and standard deviation of a single one."""
        own, sd = single(self._time.own(t), mean, cov, self._prior.noise)
        return self._mean(base, t) + own, sd

    def _mean(self, base: "float | Floats", t: Floats) -> Floats:
        slopes = self.model.params[list(self._time.names)].to_numpy(float)
        return np.asarray(base + self._time.mean(t) @ slopes)

    def _base(self, frame: pd.DataFrame, *, missing: bool = True) -> Floats:
        """What the intake score and the covariates say of each row's person: the expected score without its part of time."""
        b, c = self.model.params, self._columns
        check_columns(frame, c.covariates)
        base = b["Intercept"] + b.get("intake", 0.0) * numbers(frame, c.intake, missing=missing)
        for i, name in enumerate(c.covariates):  # the model leaves out what others determine
            base = base + b.get(f"x{i}", 0.0) * numbers(frame, name, missing=missing)
        return np.asarray(base)
