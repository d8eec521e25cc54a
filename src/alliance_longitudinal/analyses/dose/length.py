"""Length of treatment, change and the alliance: models and estimates."""

from dataclasses import replace

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.dose.design import Dose
from alliance_longitudinal.analyses.kit import (
    COURSE,
    ENDPOINT,
    Draft,
    Estimate,
    Fitted,
    fit_first,
    together,
)
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import AllianceError, FitError
from alliance_longitudinal.sentences import told

#: Fewest clients for the models of length.
MIN_LENGTHS = 30


def knots_of(time: "pd.Series[float]") -> list[float]:
    """Where the average course may bend: fifths of the scored sessions."""
    places = np.unique(np.quantile(time.to_numpy(float), [0.2, 0.4, 0.6, 0.8]))
    return [float(k) for k in places if time.min() < k < time.max()]


def bends(data: pd.DataFrame, knots: list[float]) -> pd.DataFrame:
    """Columns of the average course: ``bend_1`` and so on, the sessions since each knot."""
    return data.assign(
        **{f"bend_{k}": np.maximum(data["time"] - knot, 0) for k, knot in enumerate(knots, start=1)}
    )


def fit_length(draft: Draft, scores: pd.DataFrame) -> dict[str, Fitted]:
    """The good-enough-level model (rates differ by length) by REML, and both models by ML for the AIC; empty, with a finding, if they fail.

    The average course may bend. With a straight one, a course that levels off would look like a good-enough level: short treatments
    have their scores where the course is steep.
    """
    knots = knots_of(scores["time"])
    data = bends(scores.assign(t_length=scores["time"] * scores["length"]), knots)
    data, adjusted = draft.adjusters(data)
    course = ["y ~ time", *(f"bend_{k}" for k in range(1, len(knots) + 1))]
    gel = " + ".join([*course, "length", "t_length", *adjusted])
    dose = " + ".join([*course, "length", *adjusted])
    try:
        gel_model = fit_first("length", "Rate of change by length of treatment", gel, data, COURSE)
        found = {"gel": replace(gel_model, robust=draft.robust(gel_model))}
        same = (found["gel"].structure,)
        found["gel_ml"] = fit_first(
            "gel_ml", "Good-enough level: rates differ by length", gel, data, same, reml=False
        )
        found["dose_ml"] = fit_first(
            "dose_ml", "Dose: the same rate for all lengths", dose, data, same, reml=False
        )
    except FitError as error:
        draft.find(
            "length_failed",
            "caution",
            "Length of treatment could not be modelled: {why}",
            "length",
            why=told(error),
        )
        return {}
    return found


def length_estimates(models: dict[str, Fitted], dose: Dose, y: Measure) -> list[Estimate]:
    """How rates of change differ by length, and which model describes the scores better."""
    gel = models["gel"]
    n = int(gel.result.nobs)
    label = y.instrument.label
    span = dose.mean_length
    knots = knots_of(dose.scores["time"])
    average = {"time": 1.0} | {
        f"bend_{k}": max(span - knot, 0.0) / span for k, knot in enumerate(knots, start=1)
    }
    rows = (
        (
            "slope",
            "Mean change per session, treatment of average length",
            average,
            f"{label} points per session",
            gel,
        ),
        (
            "slope_by_length",
            "Difference in change per session, for each further session of treatment",
            {"t_length": 1.0},
            f"{label} points per session and session",
            gel.judged,
        ),
    )
    out = [
        Estimate(
            identity,
            words,
            n=n,
            level="client",
            unit=unit,
            **{k: v for k, v in model.combination(weights).items() if k != "t"},
        )
        for identity, words, weights, unit, model in rows
    ]
    gap = float(models["dose_ml"].result.aic - models["gel_ml"].result.aic)
    out.append(
        Estimate(
            "gel_vs_dose_aic",
            "AIC of the dose model less that of the good-enough-level model",
            gap,
            n=n,
            unit="AIC",
        )
    )
    return out


def alliance_models(
    draft: Draft, rows: pd.DataFrame, scores: pd.DataFrame, last: int, a: Measure, y: Measure
) -> None:
    """Length by early alliance, and whether the alliance's link with the rate differs by length; adds estimates to the draft."""
    from alliance_longitudinal.methods.panel.decompose import decompose

    if len(rows) < MIN_LENGTHS or not rows["early"].std() > 0 or not rows["length"].std() > 0:
        draft.find(
            "few_for_alliance",
            "info",
            "Too few clients have an early rating of the alliance and a treatment beyond the early window, so the report does not relate the "
            "alliance to length.",
            "alliance and length",
        )
        return
    part = "early"
    if draft.therapists_known:
        rows, part = decompose(together(rows), ["early"]), "early_client"
    data, adjusted = draft.adjusters(
        rows.assign(early_part=rows[part] - rows[part].mean(), intake=rows["intake"] - rows["intake"].mean())
    )
    try:
        model = draft.fit(
            "length_by_alliance",
            "Length of treatment by early alliance",
            " + ".join(["length ~ early_part", "intake", *adjusted]),
            data,
            ENDPOINT,
        )
        draft.coefficient(
            "length_by_alliance",
            "Additional sessions per point of early alliance",
            model,
            "early_part",
            unit=f"sessions per {a.instrument.label} point",
            robust=True,
        )
        # After the window only: what the alliance goes with may be another rate there than before.
        late = scores.merge(data[["client", "early_part"]], on="client", how="inner")
        late = late[late["session"] >= last].assign(time=late["time"] - last)
        late, adjusted = draft.adjusters(late)
        late = late.assign(
            t_length=late["time"] * late["length"],
            t_early=late["time"] * late["early_part"],
            early_length=late["early_part"] * late["length"],
            t_early_length=late["time"] * late["early_part"] * late["length"],
        )
        terms = [
            "time",
            "early_part",
            "length",
            "t_early",
            "t_length",
            "early_length",
            "t_early_length",
            *adjusted,
        ]
        model = draft.fit(
            "alliance_by_length",
            "Early alliance, length and change",
            f"y ~ {' + '.join(terms)}",
            late,
            COURSE,
        )
        draft.coefficient(
            "alliance_by_length",
            "Difference in the alliance's link with change per session, for each further session of treatment",
            model,
            "t_early_length",
            unit=f"{y.instrument.label} points per session, alliance point and session",
            robust=True,
        )
    except AllianceError as error:
        draft.find(
            "alliance_failed",
            "caution",
            "Alliance and length could not be modelled: {why}",
            "alliance and length",
            why=told(error),
        )
