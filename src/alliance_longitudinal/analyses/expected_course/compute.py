"""Held-out predictions of a measure, warnings at one time, and how well they predict how treatment ended."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.expected_course.design import Rule, Track, ends_of
from alliance_longitudinal.analyses.expected_course.settings import Settings, TimeShape, cover_name
from alliance_longitudinal.analyses.kit import Estimate, Fitted, Hits, Structure
from alliance_longitudinal.errors import DataError

if TYPE_CHECKING:
    from alliance_longitudinal.methods.growth.expected import ExpectedCourse
    from alliance_longitudinal.methods.growth.held_out import HeldOutCourses
    from alliance_longitudinal.methods.prediction.added import AddedValue
    from alliance_longitudinal.methods.prediction.flag import FlagAccuracy
    from alliance_longitudinal.methods.prediction.risk import RiskAccuracy

#: Fewest clients with, and without, the event for any number on accuracy.
MIN_EVENTS = 20
#: How frequent the event is in services that the literature describes.
PREVALENCES = (0.05, 0.10)


@dataclass(frozen=True, slots=True)
class Validated:
    """A measure's course: the model of all clients, and predictions of clients and therapists who were left out."""

    track: Track
    course: "ExpectedCourse"
    held: "HeldOutCourses"
    by_therapist: "HeldOutCourses | None"
    settings: Settings = field(repr=False)

    @property
    def clients(self) -> int:
        """Clients with a score after the first."""
        return int(self.track.rows["client"].nunique())

    def covered(self, held: "HeldOutCourses", after: float, band: float, identity: str, label: str) -> Hits:
        """Which later scores lie in their band."""
        inside = held.within(after, band)
        who = held.scores.loc[inside.index, "person"]
        return Hits(
            identity,
            label,
            inside.to_numpy(bool),
            who.to_numpy(object),
            who.map(self.track.cluster).to_numpy(object),
            "session",
            "share of scores",
        )

    def flags(self) -> pd.DataFrame:
        """What is known of each client at the time of the warning: ``client, fold, flag`` and the prospects.

        ``flag``: the last score is worse than the band that was expected from the first.
        """
        persons = self.held.persons
        rows = persons[persons["after"] == self.settings.decide].rename(columns={"person": "client"})
        z = self.track.worse * (rows["score"] - rows["expected"]) / rows["expected_sd"]
        return rows.assign(flag=z > self.settings.z).drop(columns="after").reset_index(drop=True)


def fit_course(track: Track, rows: pd.DataFrame, shape: TimeShape) -> "ExpectedCourse":
    """The course of the clients in ``rows``.

    Raises
    ------
    DataError
        If it cannot be fitted.
    """
    from alliance_longitudinal.methods import ExpectedCourse

    return ExpectedCourse.fit(
        rows, "score", "intake", "time", "client", track.therapist, shape, covariates=track.covariates
    )


def validate(track: Track, settings: Settings) -> Validated:
    """Fit the course of all clients, and predict each fold of clients, and of therapists, from the others.

    Raises
    ------
    DataError
        If it cannot be fitted.
    """
    from alliance_longitudinal.methods import held_out_courses

    names: Any = ("score", "intake", "time", "client", track.therapist, settings.shape)
    course = fit_course(track, track.rows, settings.shape)
    given: dict[str, Any] = {
        "after": settings.after,
        "seed": settings.seed,
        "update": settings.update,
        "covariates": track.covariates,
    }
    held = held_out_courses(track.rows, *names, folds=settings.folds, **given)
    by_therapist = None
    if settings.holdout == "therapist" and track.known:
        folds = min(settings.folds, int(track.rows["therapist"].nunique()))
        by_therapist = held_out_courses(track.rows, *names, folds=folds, by="therapist", **given)
    return Validated(track, course, held, by_therapist, settings)


def other_shape(found: Validated) -> "tuple[HeldOutCourses, str] | None":
    """The same clients predicted with another shape of time; None if it cannot be fitted.

    A spline follows any smooth course, so it is what the other shapes are compared with; it is compared with the logarithm.
    """
    from alliance_longitudinal.methods import held_out_courses

    shape: TimeShape = "log" if found.settings.shape == "spline3" else "spline3"
    names: Any = ("score", "intake", "time", "client", found.track.therapist, shape)
    s = found.settings
    try:
        held = held_out_courses(
            found.track.rows,
            *names,
            folds=s.folds,
            after=s.after,
            seed=s.seed,
            update=s.update,
            covariates=found.track.covariates,
        )
    except DataError:
        return None
    return held, shape


def band_estimates(found: Validated, infix: str = "") -> list[Estimate]:
    """Coverage of the bands and the typical error, by how much is known; then for therapists who were left out."""
    out: list[Estimate] = []
    unit = f"{found.track.label} points"
    parts = [(found.held, "", "clients left out")]
    if found.by_therapist is not None:
        parts.append((found.by_therapist, "_therapist", "therapists left out"))
    for held, suffix, who in parts:
        for after in found.settings.after:
            words = f"{found.track.label}, {found.settings.known(after)}, {who}"
            for band in found.settings.bands:
                identity = f"{cover_name(band)}_{infix}k{after:g}{suffix}"
                share = f"{words}: later scores in the {100 * band:g} % band"
                out.append(found.covered(held, after, band, identity, share).estimate())
            row = held.rmse(after, found.track.cluster)
            out.append(
                Estimate(
                    f"rmse_{infix}k{after:g}{suffix}",
                    f"{words}: typical error",
                    row["estimate"],
                    se=row["se"],
                    df=row["df"],
                    ci_low=row["low"],
                    ci_high=row["high"],
                    n=int(row["n"]),
                    level="session",
                    unit=unit,
                )
            )
    return out


def fitted_of(found: Validated, infix: str) -> Fitted:
    """The model of all clients, as the report's tables show models; its f is the function of time."""
    track, model = found.track, found.course.model
    words = "level and rate of change differ between clients"
    if track.known:
        words += "; level differs between therapists"
    formula = f"{track.measure.name} ~ first score + f(time)" + "".join(f" + {c}" for c in track.covariates)
    structure = Structure("(1 + f | client)" + " + (1 | therapist)" * track.known, words, track.known, True)
    title = f"Expected course of {track.label}"
    return Fitted(
        f"{infix or 'symptoms_'}course", title, formula, structure, model, (), tuple(model.findings)
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """Warnings and risks at the time of the warning, and what happened.

    Attributes
    ----------
    rows : DataFrame
        One row per client with a score so far and one later: ``client, fold, flag, risk, event, alliance, alliance_flag``.
    rule : Rule
    flag : FlagAccuracy or None
    risk : RiskAccuracy or None
        None where too few clients had the event, or were without it.
    added : AddedValue or None
        The risk with the alliance so far, compared with the risk without it.
    alliance : FlagAccuracy or None
        The warning of the alliance.
    """

    rows: pd.DataFrame
    rule: Rule
    flag: "FlagAccuracy | None" = None
    risk: "RiskAccuracy | None" = None
    added: "AddedValue | None" = None
    alliance: "FlagAccuracy | None" = None

    @property
    def events(self) -> int:
        """Clients with the event."""
        return int(self.rows["event"].sum())

    @property
    def enough(self) -> bool:
        """Whether accuracy can be judged."""
        return min(self.events, len(self.rows) - self.events) >= MIN_EVENTS


def judge(symptoms: Validated, alliance: Validated | None, so_far: pd.DataFrame | None, rule: Rule) -> Judged:
    """Warnings, risks and ends of the clients who have a score up to the time of the warning and one later.

    Parameters
    ----------
    so_far : DataFrame or None
        ``client, time, score`` of every alliance rating, the first included.
    """
    from alliance_longitudinal.methods import added_value, chance_beyond, flag_accuracy, risk_accuracy

    track, decide = symptoms.track, symptoms.settings.decide
    ends = ends_of(track, rule)
    rows = symptoms.flags().merge(
        ends[["last_time", "event"]], left_on="client", right_index=True, validate="1:1"
    )
    rows = rows[rows["last_time"] > decide].reset_index(drop=True)
    limit = rows["intake"].to_numpy(float) + rule.limit(track.worse, track.step)
    rows["risk"] = chance_beyond(
        rows["mean"].to_numpy(float), rows["sd"].to_numpy(float), limit, above=track.worse > 0
    )
    if so_far is not None:
        known = so_far[so_far["time"] <= decide]
        rows["alliance"] = rows["client"].map(known.groupby("client")["score"].mean())
    if alliance is not None:
        rows["alliance_flag"] = rows["client"].map(alliance.flags().set_index("client")["flag"])
    judged = Judged(rows, rule)
    if not judged.enough:
        return judged
    cluster = rows["client"].map(track.cluster)
    event = rows["event"].to_numpy(bool)
    flag = flag_accuracy(event, rows["flag"], cluster=cluster, prevalence=PREVALENCES)
    risk = risk_accuracy(event, rows["risk"], cluster=cluster)
    added = warned = None
    if "alliance" in rows:
        there = rows["alliance"].notna().to_numpy()
        some = rows[there]
        if _both(event[there]) and some["alliance"].std() > 0:
            added = added_value(
                event[there], some["risk"], some["alliance"], fold=some["fold"], cluster=cluster[there]
            )
    if "alliance_flag" in rows:
        there = rows["alliance_flag"].notna().to_numpy()
        if _both(event[there]):
            warned = flag_accuracy(
                event[there],
                rows.loc[there, "alliance_flag"].astype(bool),
                cluster=cluster[there],
                prevalence=PREVALENCES,
            )
    return Judged(rows, rule, flag, risk, added, warned)


def _both(event: "np.ndarray[Any, Any]") -> bool:
    return min(int(event.sum()), int((~event).sum())) >= MIN_EVENTS
