"""Shapes, phases, classes, and late alliance: models and estimates."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.alliance_course.design import Courses
from alliance_longitudinal.analyses.kit import (
    COURSE,
    ENDPOINT,
    Draft,
    Estimate,
    Fitted,
    Hits,
    clusters,
    fit_first,
    neutral,
    together,
)
from alliance_longitudinal.analyses.kit.scales import turned
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.sentences import told

if TYPE_CHECKING:
    from alliance_longitudinal.methods.growth.confusion import Confusion
    from alliance_longitudinal.methods.growth.shapes import GrowthShapes

#: Words for the shapes and the classes.
SHAPES = {
    "linear": "straight line",
    "log": "fast at first, then levelling off",
    "quadratic": "curve with one turning point",
    "piecewise": "lines of several phases",
}
CLASSES = {
    "flat": "no change",
    "linear": "straight line",
    "u": "lower in the middle (U)",
    "inverted_u": "higher in the middle",
}
#: Fewest clients with early and late ratings.
MIN_LATE = 30


@dataclass(frozen=True, slots=True)
class Shapes:
    """The comparison of shapes over sessions, and over the share of the own treatment in the same rows.

    Attributes
    ----------
    main : GrowthShapes
    shared : dict of str to GrowthShapes
        ``session`` and ``share``: the same rows with both times; empty where treatments are too short.
    """

    main: "GrowthShapes"
    shared: "dict[str, GrowthShapes]"


def fit_shapes(draft: Draft, courses: Courses, shapes: tuple[str, ...]) -> Shapes:
    """Fit every shape; without any there is no report."""
    from alliance_longitudinal.methods.growth.shapes import growth_shapes

    knots = courses.knots if "piecewise" in shapes else None
    try:
        main = growth_shapes(courses.rows, "y", "time", "client", shapes, knots)  # type: ignore[arg-type]
    except AllianceError as error:
        raise draft.too_little("{why}", "not_fitted", "failed", why=told(error)) from None
    rows = courses.rows.dropna(subset=["share"])
    shared: dict[str, GrowthShapes] = {}
    for name, column in (("session", "time"), ("share", "share")):
        try:
            shared[name] = growth_shapes(rows, "y", column, "client", shapes)  # type: ignore[arg-type]
        except AllianceError as error:
            draft.find(
                "share_failed",
                "info",
                "The course over the share of treatment could not be compared: {why}",
                "share of treatment",
                why=told(error),
            )
            return Shapes(main, {})
    return Shapes(main, shared)


def shape_estimates(shapes: Shapes, clients: int) -> list[Estimate]:
    """AIC of each shape, and the turning point with both kinds of limits."""
    found = shapes.main
    out = [
        Estimate(f"aic_{name}", f"AIC: {SHAPES[name]}", float(row["aic"]), n=found.n, level="all", unit="AIC")
        for name, row in found.table.iterrows()
    ]
    for which, both in shapes.shared.items():
        out.append(
            Estimate(
                f"aic_over_{which}",
                f"Lowest AIC over {'sessions' if which == 'session' else 'the share of the own treatment'}",
                float(both.table["aic"].iloc[0]),
                n=both.n,
                level="all",
                unit="AIC",
            )
        )
    line = found.against_line()
    if line is not None:
        label = "Straight line against the best shape: likelihood-ratio statistic"
        out.append(
            Estimate(
                "line",
                label,
                line.statistic,
                df=line.df,
                p=line.p,
                n=clients,
                level="all",
                unit="chi-squared",
            )
        )
    if "quadratic" not in found.fits:
        return out
    turn = found.turning_point
    low, high = (v + 1 for v in turn.delta)
    words = f"Session at which the average course is {turn.kind}"
    unit = "session number"
    out.append(
        Estimate(
            "turning", words, turn.estimate + 1, ci_low=low, ci_high=high, n=clients, level="all", unit=unit
        )
    )
    for name, side, value in (
        ("turning_low", "lower", turn.fieller[0]),
        ("turning_high", "upper", turn.fieller[1]),
    ):
        if np.isfinite(value):
            out.append(
                Estimate(
                    name, f"{words}: {side} limit by Fieller", value + 1, n=clients, level="all", unit=unit
                )
            )
    return out


def fit_phases(draft: Draft, rows: pd.DataFrame, knots: tuple[float, ...]) -> Fitted:
    """Straight lines that meet at the knots, with therapists; not put on the draft's list."""
    data = rows.assign(
        **{f"after{k + 1}": np.maximum(rows["time"] - knot, 0) for k, knot in enumerate(knots)}
    )
    data, adjusted = draft.adjusters(data)
    terms = ["time", *(f"after{k + 1}" for k in range(len(knots))), *adjusted]
    return fit_first("phases", "Alliance in phases", f"y ~ {' + '.join(terms)}", data, COURSE)


def phase_estimates(model: Fitted, courses: Courses, unit: str) -> list[Estimate]:
    """Change per session in each phase."""
    out = []
    for k, words in enumerate(courses.phase_words()):
        weights = {"time": 1.0} | {f"after{j + 1}": 1.0 for j in range(k)}
        row = model.combination(weights)
        out.append(
            Estimate(
                f"phase_{k + 1}",
                f"Change per session, {words}",
                n=int(model.result.nobs),
                level="session",
                unit=f"{unit} points per session",
                **{key: row[key] for key in ("estimate", "se", "df", "ci_low", "ci_high", "p")},
            )
        )
    return out


def class_estimates(draft: Draft, courses: Courses, least: int) -> "tuple[list[Estimate], Confusion | None]":
    """Shares of clients in each class, and how often a class would be wrong; none where nobody has enough ratings."""
    from alliance_longitudinal.methods.growth.confusion import CLASSES as ORDER
    from alliance_longitudinal.methods.growth.confusion import confusion_of, course_class

    data = courses.rows.rename(columns={"client": "person", "time": "t"})
    found = {
        person: course_class(rows["t"].to_numpy(float), rows["y"].to_numpy(float))
        for person, rows in data.groupby("person", sort=False)
        if len(rows) >= least
    }
    if not found:
        draft.find(
            "no_classes",
            "info",
            "No client has {least} ratings or more, so the courses of single clients are not classified.",
            "classes",
            least=str(least),
        )
        return [], None
    client = np.array(list(found), dtype=object)
    kind = np.array(list(found.values()), dtype=object)
    therapist = courses.rows.groupby("client", sort=False)["therapist"].first().reindex(client)
    cluster = clusters(pd.Series(client), therapist)
    out = [
        Hits(f"class_{name}", f"Course: {CLASSES[name]}", kind == name, client, cluster).estimate()
        for name in ORDER
    ]
    confusion = confusion_of(data, least, 50, 0)
    for name, wrong in confusion.wrong.items():
        if pd.notna(wrong):
            out.append(
                Estimate(
                    f"confusion_{name}",
                    f"Simulated courses put into another class: {CLASSES[str(name)]}",
                    float(wrong),
                    n=len(client),
                    level="all",
                    unit="share of simulated courses",
                )
            )
    return out, confusion


def late_estimates(draft: Draft, rows: pd.DataFrame, y: Measure) -> list[Estimate]:
    """Late alliance given the early one, the early one given the late, and the early one alone, in the same clients.

    The session at which the late alliance begins is held constant: the average alliance changes over sessions, and who is in treatment for
    long differs in outcome, so that clients who are rated at different sessions differ in both.
    """
    from alliance_longitudinal.methods.panel.decompose import decompose

    if len(rows) < MIN_LATE:
        draft.find(
            "few_late",
            "caution",
            "Too few clients have early and late ratings of the alliance and an outcome score after them, so the report does not relate the late "
            "alliance to outcome.",
            "late alliance",
        )
        return []
    parts = ["early", "late"]
    if draft.therapists_known:
        rows = neutral(decompose(together(rows), parts))
        parts = ["early_client", "late_client"]
    rows, adjusted = draft.adjusters(rows)
    flat = [p for p in parts if rows[p].max() - rows[p].min() < 1e-9]
    if flat:
        return []
    unit = f"{y.instrument.label} points per alliance point"
    held = ["before", "intake", *(["begin"] if rows["begin"].min() < rows["begin"].max() else []), *adjusted]
    both = draft.fit(
        "late",
        "Outcome by early and late alliance",
        f"end ~ {' + '.join([*parts, *held])}",
        rows,
        ENDPOINT,
    )
    alone = draft.fit(
        "early_alone",
        "Outcome by early alliance",
        f"end ~ {' + '.join([parts[0], *held])}",
        rows,
        ENDPOINT,
    )
    first = len(draft.estimates)
    label = "Late alliance, given the early one"
    draft.coefficient("late_given_early", label, both, parts[1], unit=unit, robust=True)
    scores = rows.assign(y=rows["end"])
    draft.checks(both, scores, y, label, term=parts[1], unit=unit, figures=False)
    draft.coefficient(
        "early_given_late", "Early alliance, given the late one", both, parts[0], unit=unit, robust=True
    )
    draft.coefficient("early_alone", "Early alliance alone", alone, parts[0], unit=unit, robust=True)
    return draft.estimates[first:]


def event_estimates(courses: Courses, alliance: Measure) -> list[Estimate]:
    """Share of ratings that are a fall of more than one standard deviation in each phase, and what fluctuation alone would produce."""
    from alliance_longitudinal.methods.events.ruptures import find_ruptures

    own = turned(alliance, courses.rows["y"])
    rows = courses.rows.assign(y=own.scores)
    try:
        found = find_ruptures(rows, "y", n_series=100, limits=own.limits, step=own.step)
    except AllianceError:
        return []
    place = courses.rows.assign(phase=courses.phase)[["client", "session", "therapist", "phase"]]
    marks = found.marks().merge(place, left_on=["person", "session"], right_on=["client", "session"])
    out = []
    for k, words in enumerate(courses.phase_words(), start=1):
        rows = marks[marks["phase"] == k]
        if len(rows):
            hits = Hits(
                f"ruptures_phase_{k}",
                f"Falls of {alliance.instrument.label}, {words}",
                rows["event"].to_numpy(bool),
                rows["client"].to_numpy(object),
                clusters(rows["client"], rows["therapist"]),
                "session",
                "share of ratings",
            )
            out.append(hits.estimate())
    low, high = found.expected_limits
    n = found.transitions
    words = "Expected from fluctuation alone, all sessions"
    expected = Estimate(
        "ruptures_expected",
        words,
        found.expected / n,
        ci_low=low / n,
        ci_high=high / n,
        n=n,
        level="session",
        unit="expected share",
    )
    return [*out, expected]
