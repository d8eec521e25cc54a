"""The figures of the report on the course of the alliance."""

from functools import partial

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.alliance_course.compute import CLASSES, SHAPES, Shapes
from alliance_longitudinal.analyses.alliance_course.design import Courses
from alliance_longitudinal.analyses.kit import COUNT, SHARE, Estimate, Number, estimate_frame, joined, say
from alliance_longitudinal.present import Column, FigureSpec, plots

#: Fewest ratings of a session whose mean is shown.
FEW = 10


def course_figure(courses: Courses, shapes: Shapes, label: str) -> FigureSpec:
    """Means by session, and the average course of the best shape."""
    grouped = courses.rows.groupby("session")["y"]
    seen = pd.DataFrame({"n": grouped.size(), "y": grouped.mean()}).reset_index()
    seen = seen[seen["n"] >= FEW].assign(kind="observed")
    line = pd.DataFrame(
        {"session": seen["session"].to_numpy(), "y": mean_course(shapes, seen["session"].to_numpy(float) - 1)}
    )
    line = line.assign(kind="model", n=seen["n"].to_numpy())
    data = pd.concat([line, seen[["session", "y", "kind", "n"]]], ignore_index=True)
    data["label"] = f"average course: {SHAPES[shapes.main.best]}"
    data["what"] = data["kind"].map({"model": "average course", "observed": "mean of the session"})
    said = [
        say("session {s} {m}", s=str(int(r.session)), m=Number(float(r.y), n=int(r.n)))
        for r in seen.itertuples()
    ]
    return FigureSpec(
        name="course",
        title=f"{label} over sessions",
        caption="Line: average course of the best shape. Points: means of the ratings at each session; their size is the number of ratings. "
        "Late sessions are those of the clients who are still there.",
        alt=f"Mean {label} by session: " + joined(said, ", ") + ".",
        how_to_read="If the points follow the line, the shape describes the average. Single clients may have other courses.",
        section="answer",
        data=data[["session", "what", "kind", "label", "n", "y"]],
        columns=(
            Column("session", "Session", "integer"),
            Column("what", "What"),
            Column("n", "Ratings", "count"),
            Column("y", "Mean", "number", of="n"),
        ),
        draw=partial(
            plots.lines, x="session", y="y", by="label", band=True, x_label="Session", y_label=label
        ),
    )


def mean_course(shapes: Shapes, time: np.ndarray) -> np.ndarray:
    """The average course of the best shape at some times."""
    found = shapes.main
    b = found.fits[found.best].params
    t = time - found._center
    if found.best == "log":
        parts = {"log_t": np.log1p(time)}
    else:
        parts = {"t": t, "t2": t**2} | {
            f"after{k + 1}": np.maximum(time - knot, 0) for k, knot in enumerate(found.knots)
        }
    return np.asarray(
        float(b["Intercept"])
        + sum(float(b[name]) * value for name, value in parts.items() if name in b.index)
    )


def class_figure(estimates: list[Estimate]) -> FigureSpec | None:
    """Shares of clients by class; None without classes."""
    shown = [e for e in estimates if e.id.startswith("class_")]
    if not shown:
        return None
    labels = [CLASSES[e.id.removeprefix("class_")] for e in shown]
    data = estimate_frame(shown)[["estimate", "ci_low", "ci_high", "n"]].assign(label=labels)
    said = [say("{label} {s}", label=label, s=e.share()) for label, e in zip(labels, shown, strict=True)]
    return FigureSpec(
        name="classes",
        title="Courses of single clients",
        caption="Shares of the clients with enough ratings, with 95 % intervals. Each client's course is put into the class that fits best.",
        alt="Courses of single clients: " + joined(said, ", ") + ".",
        how_to_read="Many of these classes may be wrong. The table of classes says how many.",
        section="results",
        data=data,
        columns=(Column("label", "Course"), *SHARE, COUNT),
        draw=partial(
            plots.forest, reference=None, scale="percent", limits=(0, None), x_label="Share of clients"
        ),
    )
