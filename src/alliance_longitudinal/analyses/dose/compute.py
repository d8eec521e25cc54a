"""Sessions to reliable improvement, and length of treatment: estimates and models."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.dose.design import Dose
from alliance_longitudinal.analyses.kit import ENDPOINT, LEVEL, Draft, Estimate, Fitted, Structure, fit_first
from alliance_longitudinal.analyses.kit.people import clusters
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import AllianceError, FitError
from alliance_longitudinal.sentences import told

if TYPE_CHECKING:
    from alliance_longitudinal.methods.survival.cumulative_incidence import CumulativeIncidence
    from alliance_longitudinal.methods.survival.interval_censored import IntervalCensored

COURSE = (
    Structure(
        "(1 + time | therapist/client)",
        "level and rate of change differ between therapists and between clients",
        True,
        True,
    ),
    Structure(
        "(1 | therapist) + (1 + time | therapist:client)",
        "level differs between therapists; level and rate of change differ between clients",
        True,
        True,
    ),
    Structure(
        "(1 + time | client)",
        "level and rate of change differ between clients; no therapist level",
        False,
        True,
    ),
    *LEVEL,
)
#: Fewest clients for the models of length.
MIN_LENGTHS = 30


@dataclass(frozen=True, slots=True)
class Times:
    """Ways to the time of the first reliable improvement.

    Attributes
    ----------
    km : CumulativeIncidence
        Kaplan and Meier: as if those who left would have gone on like the others.
    competing : CumulativeIncidence
        Leaving as an end of its own: who has improved while in treatment.
    held : CumulativeIncidence or None
        Kaplan and Meier for improvements that the next score kept; None where there are none.
    interval : IntervalCensored
    """

    km: "CumulativeIncidence"
    competing: "CumulativeIncidence"
    held: "CumulativeIncidence | None"
    interval: "IntervalCensored"


def times_of(dose: Dose) -> Times:
    """The estimates; errors are by therapist, and clients without one count alone."""
    from alliance_longitudinal.methods.survival.cumulative_incidence import cumulative_incidence
    from alliance_longitudinal.methods.survival.interval_censored import interval_censored

    clients = dose.clients.assign(therapist=clusters(dose.clients["client"], dose.clients["therapist"]))
    alone = clients.assign(end=clients["end"].where(clients["end"].eq("improved"), None))
    held = clients["held"].notna()
    word = pd.Series("improved", index=clients.index, dtype=object).where(held, None)
    kept = clients.assign(time=clients["held"].fillna(clients["last"]), end=word)
    return Times(
        cumulative_incidence(alone, "time", "end", cluster="therapist"),
        cumulative_incidence(clients, "time", "end", cluster="therapist"),
        cumulative_incidence(kept, "time", "end", cluster="therapist")
        if clients["held"].notna().any()
        else None,
        interval_censored(clients, "low", "high"),
    )


def improved(found: "CumulativeIncidence") -> pd.DataFrame:
    """The rows of the curve of improvement."""
    return found.table[found.table["event"] == "improved"]


def median_of(found: "CumulativeIncidence") -> tuple[float, float, float]:
    """First time at which half have improved, with the times at which the pointwise limits reach half (Brookmeyer & Crowley).

    Missing where they never do.
    """
    table = improved(found)

    def when(column: str) -> float:
        hit = table.loc[table[column] >= 0.5 - 1e-12, "time"]
        return float(hit.iloc[0]) if len(hit) else float("nan")

    return when("estimate"), when("upper"), when("lower")


def time_estimates(times: Times, dose: Dose, by: int) -> list[Estimate]:
    """Medians and shares."""
    n, unit = len(dose.clients), "session number"
    out = []
    for identity, label, found in (
        ("median_sessions_reliable", "Session by which half have improved reliably (Kaplan-Meier)", times.km),
        ("median_sessions_held", "The same for improvements that the next score kept", times.held),
    ):
        if found is None:
            continue
        value, low, high = median_of(found)
        if np.isfinite(value):
            out.append(
                Estimate(identity, label, value, ci_low=low, ci_high=high, n=n, level="client", unit=unit)
            )
    _, right = times.interval.median
    if np.isfinite(right):
        out.append(
            Estimate(
                "median_sessions_interval",
                "The same, allowing for sessions without a score (Turnbull)",
                right,
                n=n,
                level="client",
                unit=unit,
            )
        )
    for identity, label, found in (
        (f"share_by_{by}", f"Improved reliably while in treatment, by session {by}", times.competing),
        (
            f"share_by_{by}_km",
            f"Improved reliably by session {by}, as if nobody had left (Kaplan-Meier)",
            times.km,
        ),
        (
            f"share_by_{by}_held",
            f"The same for improvements that the next score kept, by session {by}",
            times.held,
        ),
    ):
        if found is None:
            continue
        row = found.at(by).set_index("event").loc["improved"]
        out.append(
            Estimate(
                identity,
                label,
                float(row["estimate"]),
                float(row["se"]),
                ci_low=float(row["lower"]),
                ci_high=float(row["upper"]),
                n=n,
                level="client",
                unit="share of clients",
            )
        )
    out.append(
        Estimate(
            f"share_by_{by}_interval",
            f"The same, allowing for sessions without a score (Turnbull), by session {by}",
            times.interval.at(by),
            n=n,
            level="client",
            unit="share of clients",
        )
    )
    return out


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
        found = {"gel": fit_first("length", "Rate of change by length of treatment", gel, data, COURSE)}
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
        ),
        (
            "slope_by_length",
            "Difference in change per session, for each further session of treatment",
            {"t_length": 1.0},
            f"{label} points per session and session",
        ),
    )
    out = [
        Estimate(
            identity,
            words,
            n=n,
            level="client",
            unit=unit,
            **{k: v for k, v in gel.combination(weights).items() if k != "t"},
        )
        for identity, words, weights, unit in rows
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
        rows, part = decompose(rows, ["early"]), "early_client"
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
        )
    except AllianceError as error:
        draft.find(
            "alliance_failed",
            "caution",
            "Alliance and length could not be modelled: {why}",
            "alliance and length",
            why=told(error),
        )
