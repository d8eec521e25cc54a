"""The tables of the report on expected courses."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.expected_course.compute import Judged, Validated, other_shape
from alliance_longitudinal.analyses.expected_course.estimates import EVENTS
from alliance_longitudinal.analyses.expected_course.settings import Settings, cover_name
from alliance_longitudinal.analyses.kit import (
    ESTIMATE,
    SHARE,
    Count,
    Draft,
    Estimate,
    Number,
    Sentence,
    coefficient_table,
    joined,
    listed,
    models_table,
    say,
    variance_table,
)
from alliance_longitudinal.present import Column, Table

if TYPE_CHECKING:
    from alliance_longitudinal.methods.growth.held_out import HeldOutCourses


def accuracy_tables(draft: Draft, shares: list[Estimate], risks: list[Estimate], note: str) -> None:
    """Accuracy of the warning, in percent, and of the risk."""
    if shares:
        draft.table_of(
            "warning",
            "How well warnings predict how treatment ends",
            "results",
            shares,
            [Column("label", "What"), *SHARE, Column("n", "Of", "count")],
            note,
        )
    if risks:
        draft.table_of(
            "risk",
            "How well risks predict how treatment ends",
            "results",
            risks,
            [Column("label", "What"), *ESTIMATE, Column("n", "Of", "count")],
            "AUC: one half is guessing, one is perfect. A calibration slope below one means that risks are too extreme. Whether the alliance adds anything "
            "is better judged by the odds ratio. The difference in AUC is what these predictions gain in clients who were not used to make them.",
        )


def bands_table(draft: Draft, found: list[Validated]) -> Table:
    """Coverage and error of both measures, by how much is known and who was left out, from the estimates."""
    settings = found[0].settings
    bands = settings.bands
    rows: list[dict[str, Any]] = []
    for part, infix in zip(found, ("", "alliance_"), strict=False):
        parts = [(part.held, "clients", "")]
        if part.by_therapist is not None:
            parts.append((part.by_therapist, "therapists", "_therapist"))
        for held, who, suffix in parts:
            for after in held.after:
                row: dict[str, Any] = {"measure": part.track.label, "who": who}
                row["after"] = _known(part.settings, after)
                for name in ("rmse", *map(cover_name, bands)):
                    e = draft[f"{name}_{infix}k{after:g}{suffix}"]
                    assert e is not None
                    row |= {"n": e.n, name: e.estimate, f"{name}_low": e.ci_low, f"{name}_high": e.ci_high}
                rows.append(row)
    first = settings.cover
    columns = [
        Column("measure", "Measure"),
        Column("who", "Left out"),
        Column("after", "Known"),
        Column("n", "Scores predicted", "count"),
        Column("rmse", "Typical error", "number", of="n"),
        Column("rmse_low", "95\u00a0% low", "number", of="n"),
        Column("rmse_high", "95\u00a0% high", "number", of="n"),
        *_in_bands(bands[:1]),
        Column(f"{first}_low", "95\u00a0% low", "percent", of="n"),
        Column(f"{first}_high", "95\u00a0% high", "percent", of="n"),
        *_in_bands(bands[1:]),
    ]
    therapists = " or, in the rows 'therapists', any client of the therapist"
    note = (
        f"Each score was predicted by a model that had not seen the client{therapists * any(p.by_therapist is not None for p in found)}. "
        "Typical error: root mean square, in points."
    )
    return Table.from_frame(
        "bands", "How well courses are predicted", "answer", pd.DataFrame(rows), columns, note
    )


def _known(settings: Settings, after: float) -> str:
    if after == 0:
        return "first score only"
    return f"scores up to {after:g}" if settings.update else f"first score only; scores after {after:g}"


def _in_bands(bands: tuple[float, ...]) -> list[Column]:
    return [Column(cover_name(b), f"In the {100 * b:g}\u00a0% band", "percent", of="n") for b in bands]


def shapes_table(found: Validated, other: "HeldOutCourses", name: str) -> Table:
    """The course of the report and another shape of time, in the same clients."""
    bands = found.settings.bands
    rows: list[dict[str, Any]] = []
    for held, shape in ((found.held, found.settings.shape), (other, name)):
        rows += [
            {
                "shape": f"{shape} (this report)" if held is found.held else shape,
                "after": after,
                "n": int(row["n"]),
            }
            | {key: float(row[key]) for key in ("rmse", *map(cover_name, bands))}
            for after, row in held.accuracy(bands).iterrows()
        ]
    columns = [
        Column("shape", "Shape of time"),
        Column("after", "Scores known up to" if found.settings.update else "Scores later than", "number"),
        Column("n", "Scores predicted", "count"),
        Column("rmse", "Typical error (root mean square)", "number", of="n"),
        *_in_bands(bands),
    ]
    note = "The shape with the smaller error describes these courses better. If they hardly differ, either will do."
    title = f"{found.track.label} with another shape of time"
    return Table.from_frame("shapes", title, "sensitivity", pd.DataFrame(rows), columns, note)


def where_table(found: Validated) -> Table:
    """Errors and coverage by third of the first score, and for earlier and later scores."""
    decide = found.settings.decide
    scores = found.held.scores[found.held.scores["after"] == decide]
    band = found.settings.band
    inside = found.held.within(decide, band)
    intake = scores["person"].map(found.track.rows.drop_duplicates("client").set_index("client")["intake"])
    cuts = np.unique(np.quantile(intake, [1 / 3, 2 / 3]))
    third = pd.cut(intake, [-np.inf, *cuts, np.inf], labels=_names(len(cuts) + 1))
    halfway = float(scores["time"].median())
    when = np.where(scores["time"] <= halfway, "earlier half of the scores", "later half of the scores")
    error = scores["score"] - scores["mean"]
    rows = []
    for label in (third, pd.Series(when, index=scores.index)):
        for name, part in error.groupby(label, observed=True):
            rows.append(
                {
                    "part": str(name),
                    "n": len(part),
                    "error": float(part.mean()),
                    "share": float(inside.loc[part.index].mean()),
                }
            )
    columns = [
        Column("part", "Scores"),
        Column("n", "Scores predicted", "count"),
        Column("error", "Mean error (score less expected)", "number", of="n"),
        Column("share", f"In the {100 * band:g}\u00a0% band", "percent", of="n"),
    ]
    note = (
        f"If the mean error is far from zero, or the share far from {100 * band:g}\u00a0%, the band is wrong for these scores: the shape of the course "
        "does not fit, or clients like these differ more than others."
    )
    return Table.from_frame(
        "where", f"Where {found.track.label} is predicted well", "checks", pd.DataFrame(rows), columns, note
    )


def _names(count: int) -> list[str]:
    return {
        1: ["all first scores"],
        2: ["lower first scores", "higher first scores"],
    }.get(
        count,
        ["lowest third of first scores", "middle third of first scores", "highest third of first scores"],
    )


def tripod_table(
    draft: Draft,
    symptoms: Validated,
    alliance: Validated | None,
    judged: Judged | None,
    unit: str,
) -> Table:
    """What TRIPOD asks of a report on a prediction model, and the answers."""
    track, settings = symptoms.track, symptoms.settings
    decide = Number(settings.decide, "integer", unit)
    predictors = [
        f"the first {track.label}",
        "the time since the first session",
    ]
    predictors += [f"the {track.label} scores so far"] if settings.update else []
    predictors += [c.words for c in draft.covariates]
    if track.known:
        predictors.append("the client's therapist, if other clients of the therapist are in the data")
    rows: list[tuple[str, str]] = [
        ("Source of data", "Routine data of the study file; the sample flow shows who was left out and why."),
        (
            "Participants",
            say("{n:noun} with a first score and a later one.", n=Count(symptoms.clients, "client")),
        ),
        ("Outcome", _outcome_words(track.label, judged)),
        ("Predictors", Sentence("") + listed(predictors) + "."),
        ("Sample size", _size_words(judged)),
        (
            "Missing data",
            "Sessions without a score give no information; the scores that a client has are used. Clients without a later score "
            "cannot be judged.",
        ),
        (
            "Model",
            f"Mixed model ({symptoms.course.shape} of time), random level and rate of change for each client"
            + (", random level for each therapist." if track.known else "."),
        ),
        (
            "Validation",
            say(
                "Internal: {k} parts of the clients, each predicted from the others{also}. There is no external validation.",
                k=Number(settings.folds, "integer"),
                also="; the same for therapists" if symptoms.by_therapist is not None else "",
            ),
        ),
        (
            "Performance",
            say(
                "Coverage and error of the bands; at {when:noun} sensitivity, specificity, predictive values, AUC, Brier score and "
                "calibration.",
                when=decide,
            ),
        ),
        (
            "Alliance",
            "Its own course is validated in the same way, and its added value for the risk is tested."
            if alliance is not None
            else "Not used.",
        ),
        (
            "Use",
            "The model is not updated by the report. Fit it anew when clients, services or instruments change.",
        ),
    ]
    columns = [Column("item", "Item"), Column("here", "In this report")]
    return Table.from_rows(
        "tripod",
        "What TRIPOD asks for",
        "checks",
        [{"item": item, "here": here} for item, here in rows],
        columns,
        "After the TRIPOD statement (Collins et al. 2015).",
    )


def _outcome_words(label: str, judged: Judged | None) -> Sentence:
    course = say("Later {label} scores.", label=label)
    if judged is None:
        return course
    return joined(
        [
            course,
            say(
                "The event: {event} by the last score ({points} points; {source}).",
                event=EVENTS[judged.rule.event].lower(),
                points=Number(judged.rule.points),
                source=judged.rule.source,
            ),
        ]
    )


def _size_words(judged: Judged | None) -> str:
    if judged is None:
        return "No event is defined."
    return say(
        "{events:noun} with the event among {n} who could be judged.",
        events=Count(judged.events, "client"),
        n=Count(len(judged.rows), "client"),
    )


def show_checks(
    draft: Draft, symptoms: Validated, ratings: Validated | None, judged: Judged | None, unit: str
) -> None:
    """Another shape of time, where the bands hold, what TRIPOD asks for, and the models."""
    other = other_shape(symptoms)
    draft.show(None if other is None else shapes_table(symptoms, *other))
    draft.show(where_table(symptoms), tripod_table(draft, symptoms, ratings, judged, unit))
    draft.show(
        models_table(draft.fitted),
        variance_table(draft.fitted),
        *(coefficient_table(m) for m in draft.fitted),
    )
