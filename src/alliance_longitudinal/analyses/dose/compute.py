"""Sessions to reliable improvement: estimates."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.dose.design import Dose
from alliance_longitudinal.analyses.kit import Estimate
from alliance_longitudinal.analyses.kit.people import clusters

if TYPE_CHECKING:
    from alliance_longitudinal.methods.survival.cumulative_incidence import CumulativeIncidence
    from alliance_longitudinal.methods.survival.interval_censored import IntervalCensored


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
        cumulative_incidence(alone, "time", "end", cluster="therapist", few=True),
        cumulative_incidence(clients, "time", "end", cluster="therapist", few=True),
        cumulative_incidence(kept, "time", "end", cluster="therapist", few=True)
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
