"""The figures of the report on expected courses."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.expected_course.compute import Judged, Validated
from alliance_longitudinal.analyses.expected_course.estimates import EVENTS
from alliance_longitudinal.analyses.kit import Number, Share, joined, say
from alliance_longitudinal.present import Column, FigureSpec, plots

#: Parts of the calibration figure.
PARTS = 5


def course_rows(
    found: Validated, course: Any, so_far: pd.DataFrame, at: "np.ndarray[Any, Any]", label: str
) -> pd.DataFrame:
    """Expected scores with the band at times ``at``, within the instrument's range."""
    band = course.predict(so_far, at, band=found.settings.band)
    low, high = found.track.limits
    return pd.DataFrame(
        {
            "label": label,
            "time": band["time"],
            "y": band["mean"].clip(low, high),
            "low": band["lower"].clip(low, high),
            "high": band["upper"].clip(low, high),
            "kind": "model",
        }
    )


def course_figure(found: Validated, unit: str) -> FigureSpec:
    """The expected course of an invented client, from the first score, and after scores that do not improve."""
    track, settings = found.track, found.settings
    low, high = track.limits
    intake = float(track.rows.drop_duplicates("client")["intake"].median())
    end = float(track.rows.groupby("client")["time"].max().median())
    decide = settings.decide
    nobody = pd.DataFrame(
        {"time": [0.0], "score": [np.nan], "intake": [intake], **dict.fromkeys(track.covariates, 0.0)}
    )
    times = np.unique([1.0, *np.arange(1.0, max(end, decide + 1) + 1e-9, max(end, 1.0) / 24)])
    seen = np.arange(1.0, decide + 1e-9)
    told = pd.DataFrame({"time": seen, "score": np.clip(intake, low, high), "intake": intake}).assign(
        **dict.fromkeys(track.covariates, 0.0)
    )
    first, now = "expected from the first score", "expected after the scores that are shown as points"
    rows = [course_rows(found, found.course, nobody, times, first)]
    if len(seen) and settings.update:
        rows.append(course_rows(found, found.course, told, times[times >= decide], now))
        rows.append(pd.DataFrame({"label": now, "time": seen, "y": told["score"], "kind": "observed"}))
    data = pd.concat(rows, ignore_index=True).assign(n=found.clients)
    start, last = rows[0].iloc[0], rows[0].iloc[-1]
    return FigureSpec(
        name="course",
        title=f"Expected course of {track.label}"
        + (", and how scores change what is expected" if settings.update else ""),
        caption=say(
            "An invented client with the first score {intake}. Lines: expected scores; bands: {band} of single scores lie within.{points}",
            points=" Points: invented scores that stay at the first one." if settings.update else "",
            intake=Number(intake),
            band=Number(settings.band, "percent"),
        ),
        alt=say(
            "Expected {label} of a client with the first score {intake}: {one} after {start:noun}, {two} after {end:noun}.",
            label=track.label,
            intake=Number(intake),
            one=Number(float(start["y"]), n=found.clients),
            start=Number(round(float(start["time"])), "integer", unit),
            two=Number(float(last["y"]), n=found.clients),
            end=Number(round(float(last["time"])), "integer", unit),
        ),
        how_to_read="A score outside the first band is unusual for clients with this first score."
        + (
            " The second band uses the scores so far, so it is the better guess of later scores."
            if settings.update
            else ""
        ),
        section="answer",
        data=data,
        columns=(
            Column("label", "Course"),
            Column("kind", "Line or point"),
            Column("time", unit.capitalize(), "number"),
            Column("y", "Score", "number", of="n"),
            Column("low", "Band, low", "number", of="n"),
            Column("high", "Band, high", "number", of="n"),
            Column("n", "Clients in the model", "count"),
        ),
        draw=_draw(track.label, unit, track.limits),
    )


def _draw(label: str, unit: str, limits: tuple[float, float]) -> Any:
    """The picture of one or two courses."""
    known = limits if all(np.isfinite(limits)) else None
    return partial(
        plots.lines,
        x="time",
        y="y",
        by="label",
        band=True,
        limits=known,
        x_label=f"{unit.capitalize()}s since the first session",
        y_label=label,
    )


def client_figure(
    rows: pd.DataFrame, label: str, unit: str, limits: tuple[float, float], name: str
) -> FigureSpec:
    """One client's scores with the bands that were expected."""
    seen = rows[rows["kind"] == "observed"]
    return FigureSpec(
        name=name,
        title=f"This client's {label} and the expected course",
        caption="Points: the client's scores. First band: expected from the first score."
        + (
            " Second band: expected from now on, from all scores so far."
            if len(set(rows["label"])) > 1
            else ""
        ),
        alt=say(
            "The client's {label}: {said}.",
            label=label,
            said=joined(
                [
                    say(
                        "{y} at {t:noun}",
                        y=Number(float(r.y)),
                        t=Number(round(float(r.time)), "integer", unit),
                    )
                    for r in seen.itertuples()
                ],
                ", ",
            ),
        ),
        how_to_read="A point outside the first band is unusual for clients who started with the same score.",
        section="answer",
        data=rows.assign(n=1),
        columns=(
            Column("label", "Course"),
            Column("kind", "Line or point"),
            Column("time", unit.capitalize(), "number"),
            Column("y", "Score", "number"),
            Column("low", "Band, low", "number"),
            Column("high", "Band, high", "number"),
        ),
        draw=_draw(label, unit, limits),
        single_people=True,
    )


def calibration_figure(judged: Judged) -> FigureSpec | None:
    """Predicted risk and what happened, by fifth of the risk; None where too few had the event."""
    if judged.risk is None:
        return None
    from alliance_longitudinal.methods.basics.proportions import wilson

    rows = judged.rows.sort_values("risk", kind="stable")
    part = np.minimum(np.arange(len(rows)) * PARTS // len(rows), PARTS - 1)
    what = EVENTS[judged.rule.event].lower()
    found: list[dict[str, Any]] = []
    for _, own in rows.groupby(part):
        n, hits = len(own), int(own["event"].sum())
        low, high = wilson(hits / n, n)
        found.append(
            {
                "label": "what happened",
                "risk": 100 * float(own["risk"].mean()),
                "n": n,
                "events": hits,
                "share": hits / n,
                "low": low,
                "high": high,
            }
        )
    ends = pd.DataFrame(found)
    line = ends.assign(label="if the risks were right", share=ends["risk"] / 100, low=np.nan, high=np.nan)
    return FigureSpec(
        name="calibration",
        title="Predicted risks and what happened",
        caption="Clients in five groups by their risk, each predicted by a model that had not seen them. Points: share of clients in the group "
        "with the event; lines up and down: 95 % intervals.",
        alt=say("Share of clients who {what}, by predicted risk: ", what=_who(judged))
        + joined(
            [
                say(
                    "{share} at a risk of {risk}",
                    share=Share(r["events"], r["n"]),
                    risk=Number(r["risk"] / 100, "percent", n=r["n"]),
                )
                for r in found
            ],
            ", ",
        )
        + ".",
        how_to_read="Points on the dashed line: the risks are right. Points above it: the event is more frequent than predicted.",
        section="results",
        data=pd.concat([ends, line], ignore_index=True),
        columns=(
            Column("label", "Line"),
            Column("risk", "Mean risk (percent)", "number", of="n"),
            Column("n", "Clients", "count"),
            Column("events", what.capitalize(), "count", total="n"),
            Column("share", "Share", "percent", of="events"),
            Column("low", "95 % low", "percent", of="n", modelled=True),
            Column("high", "95 % high", "percent", of="n", modelled=True),
        ),
        draw=partial(
            plots.lines,
            x="risk",
            y="share",
            by="label",
            percent=True,
            x_label="Predicted risk in percent",
            y_label="Share of clients",
        ),
    )


def _who(judged: Judged) -> str:
    return "deteriorated" if judged.rule.event == "deteriorated" else "did not improve"
