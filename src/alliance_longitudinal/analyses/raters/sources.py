"""The alliance and the outcome by who rated them: correlations, both raters in one model, and the response surface."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import (
    ENDPOINT,
    Draft,
    Estimate,
    Fitted,
    each_alone,
    neutral,
    number_of_therapists,
    together,
    with_robust_errors,
)
from alliance_longitudinal.analyses.raters.design import Pair
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.sentences import told

if TYPE_CHECKING:
    from alliance_longitudinal.methods.dyads.response_surface import ResponseSurface
    from alliance_longitudinal.methods.dyads.sources import BySource

#: Fewest therapists by whom errors are clustered, and fewest clients with all scores for correlations and for a surface.
MIN_CLUSTERS, MIN_CLIENTS, MIN_SURFACE = 10, 30, 60


@dataclass(frozen=True, slots=True)
class Sources:
    """Correlations by source, with the measures behind them.

    Attributes
    ----------
    found : BySource
    frame : DataFrame
        One row per client with all values, as ``client_means`` gives them; ends have the sign in which more is better.
    own : str
        Who rated both the alliance and the outcome.
    outcomes : list of Measure
    adjust : list of str
    clustered : bool
        Whether errors are by therapist.
    """

    found: "BySource"
    frame: pd.DataFrame
    own: str
    outcomes: list[Measure]
    adjust: list[str]
    clustered: bool


def sources_of(draft: Draft, frame: pd.DataFrame, pair: Pair, outcomes: list[Measure]) -> Sources | None:
    """Partial correlations of early alliance and later outcome by rater; None, with a finding, where clients are too few.

    A second outcome that costs too many clients is left out.
    """
    from alliance_longitudinal.methods.dyads.sources import by_source

    names = {m.rater: f"a_{k}" for k, m in enumerate((pair.first, pair.second))}
    own = next((y.rater for y in outcomes if y.rater in names), None)
    if own is None:
        draft.find(
            "no_same_source",
            "info",
            "Neither of the two raters of the alliance rated the outcome, so the report does not compare sources.",
            "sources",
        )
        return None
    names = {own: names.pop(own), **names}  # the first rater of both is the same person
    outcomes = sorted(outcomes, key=lambda y: y.rater != own)
    for used in (outcomes, outcomes[:1])[: len(outcomes)]:
        columns = ["a_0", "a_1", *(f"{w}_{k}" for k in range(len(used)) for w in ("start", "end"))]
        rows = together(frame.dropna(subset=columns))
        if draft.therapists_known:
            rows = rows[rows.groupby("therapist")["client"].transform("size") >= 2]
        if len(rows) >= MIN_CLIENTS:
            break
    else:
        draft.find(
            "few_for_sources",
            "caution",
            "Too few clients have early ratings by both raters and an outcome before and after: the report does not compare sources.",
        )
        return None
    clustered = draft.therapists_known and number_of_therapists(rows["therapist"]) >= MIN_CLUSTERS
    for k, measure in enumerate(used):
        better = 1 if measure.instrument.direction == "higher_better" else -1
        rows = rows.assign(**{f"end_{k}": better * rows[f"end_{k}"]})
    rows, adjusted = draft.adjusters(rows)
    adjust = [*(f"start_{k}" for k in range(len(used))), *adjusted]
    try:
        found = by_source(
            rows.assign(alike=each_alone(rows)["therapist"]),
            names,
            {m.rater: f"end_{k}" for k, m in enumerate(used)},
            adjust,
            group="therapist" if draft.therapists_known else None,
            cluster="alike" if clustered else "client",
        )
    except AllianceError as error:
        draft.find("sources_failed", "caution", "Sources cannot be compared: {why}", why=told(error))
        return None
    return Sources(found, rows, own, used, adjust, clustered)


def source_estimates(sources: Sources, pair: Pair) -> list[Estimate]:
    """Every estimate of the source table."""
    found = sources.found
    raters = {m.rater: m for m in (pair.first, pair.second)}
    labels = {
        f"r_{a}_{y.rater}": f"Alliance by the {a}, outcome by the {y.rater}"
        for a in raters
        for y in sources.outcomes
    }
    labels |= {
        "agreement_x": "Agreement of both raters on the alliance",
        "agreement_y": "Agreement of both raters on the outcome",
    }
    own = sources.own
    labels |= {
        "same": f"Same source: both by the {own}",
        "cross": f"Cross source: alliance by the {found.pair[0]}, outcome by the {found.pair[1]}",
        "difference": "Same source less cross source",
        "corrected": "Cross source, corrected for disagreement of raters (bound)",
    }
    ids = {
        "same": "same_source",
        "cross": "cross_source",
        "difference": "source_difference",
        "corrected": "cross_source_corrected",
        "agreement_x": "agreement_alliance",
        "agreement_y": "agreement_outcome",
    }
    table, out = found.tidy().set_index("term"), []
    for name, label in labels.items():
        if name in table.index and pd.notna(table.loc[name, "estimate"]):
            row = table.loc[name]
            out.append(
                Estimate(
                    ids.get(name, f"source_{name.removeprefix('r_')}"),
                    label,
                    float(row["estimate"]),
                    float(row["se"]),
                    float(row["df"]),
                    float(row["low"]),
                    float(row["high"]),
                    float(row["p"]),
                    found.n,
                    "client",
                    "correlation" if name != "difference" else "difference of correlations",
                )
            )
    order = ["same_source", "cross_source", "source_difference", "cross_source_corrected"]
    return sorted(out, key=lambda e: order.index(e.id) if e.id in order else len(order))


def both_raters(draft: Draft, sources: Sources, pair: Pair) -> None:
    """Both raters' early alliance on each outcome: that of the outcome's own side (actor) and the other's (partner).

    The side of the second outcome is that of the second rater of the alliance, whoever rated it. Two outcomes on one questionnaire make one
    actor-partner model; otherwise each outcome has a mixed model of its own.
    """
    from alliance_longitudinal.methods.panel.decompose import decompose

    names = {measure.rater: f"a_{k}" for k, measure in enumerate((pair.first, pair.second))}
    own, other = names.pop(sources.own), *names.values()
    rater = next(iter(names))
    rows = sources.frame.assign(own=sources.frame[own], other=sources.frame[other])
    parts = ("own", "other")
    if draft.therapists_known:
        rows = neutral(decompose(rows, parts))
        parts = ("own_client", "other_client")
    forms = {(y.instrument.id, y.instrument.label) for y in sources.outcomes}
    one_model = len(sources.outcomes) == 2 and len(forms) == 1
    if one_model and _actor_partner(draft, sources, rows, parts, (sources.own, rater)):
        return
    for k, outcome in enumerate(sources.outcomes):
        model = draft.fit(
            f"both_{outcome.rater}",
            f"{outcome.label} by both raters' alliance",
            f"end ~ {' + '.join([*parts, *sources.adjust])}",
            rows.assign(end=rows[f"end_{k}"]),
            ENDPOINT,
        )
        for role, side in (("actor", k), ("partner", 1 - k)):
            draft.coefficient(
                f"{role}_{'ct'[k]}",
                f"Alliance by the {(sources.own, rater)[side]} on {outcome.label}",
                model,
                parts[side],
                unit=f"{outcome.instrument.label} points per point",
                robust=True,
            )


def _actor_partner(
    draft: Draft, sources: Sources, rows: pd.DataFrame, parts: tuple[str, ...], raters: tuple[str, str]
) -> bool:
    """One model of both outcomes; False, with a finding, where it cannot be fitted."""
    from alliance_longitudinal.methods.dyads.actor_partner import actor_partner

    sides = [
        rows[["client", "therapist", *sources.adjust]].assign(
            side="ct"[k],
            y=rows[f"end_{k}"],
            x=rows[parts[k]],
            partner=rows[parts[1 - k]],
            person=rows["client"] + f" {k}",
        )
        for k in range(2)
    ]
    group = "therapist" if sources.clustered else None
    try:
        found = actor_partner(
            each_alone(pd.concat(sides, ignore_index=True)),
            "y",
            "x",
            "partner",
            "person",
            "client",
            "side",
            covariates=sources.adjust,
            group=group,
        )
    except AllianceError as error:
        draft.find(
            "actor_partner_failed",
            "caution",
            "Both outcomes together could not be modelled: {why}",
            "both raters",
            why=told(error),
        )
        return False
    draft.models["actor_partner"] = found
    table = found.tidy().set_index("term")
    for k, outcome in enumerate(sources.outcomes):
        for role, side in (("actor", k), ("partner", 1 - k)):
            row = table.loc[f"{role}_{'ct'[k]}"]
            draft.estimate(
                Estimate(
                    f"{role}_{'ct'[k]}",
                    f"Alliance by the {raters[side]} on {outcome.label}",
                    float(row["estimate"]),
                    float(row["se"]),
                    float(row["df"]),
                    float(row["low"]),
                    float(row["high"]),
                    float(row["p"]),
                    len(rows),
                    "client",
                    f"{outcome.instrument.label} points per point",
                )
            )
    test = found.distinguishable_few
    if test is not None:
        label = "Both outcomes have the same means, effects and spread (p)"
        draft.estimate(Estimate("roles_differ_p", label, test.p, n=len(rows), level="client", unit="p"))
    return True


@dataclass(frozen=True, slots=True)
class Surface:
    """A response surface; ``robust`` has the same features with errors by therapist, where therapists are enough."""

    main: "ResponseSurface"
    robust: "ResponseSurface | None"
    n: int


def surface_of(draft: Draft, sources: Sources) -> Surface | None:
    """The surface of the main outcome (more is better) over both raters' early alliance; None with too few clients."""
    from alliance_longitudinal.methods.dyads.response_surface import response_surface

    rows = sources.frame
    if len(rows) < MIN_SURFACE:
        draft.find(
            "few_for_surface",
            "info",
            "Too few clients have all scores for a response surface, so the report does not say whether agreement itself matters.",
        )
        return None
    middle = float(rows[["a_0", "a_1"]].to_numpy().mean())
    x, z = rows["a_0"] - middle, rows["a_1"] - middle
    data = rows.assign(x=x, z=z, x2=x * x, xz=x * z, z2=z * z, end=rows["end_0"])
    six = ["Intercept", "x", "z", "x2", "xz", "z2"]
    formula = "end ~ " + " + ".join([*six[1:], *sources.adjust])
    model = draft.fit("surface", "Outcome by both ratings: response surface", formula, data, ENDPOINT)
    weights = (
        {"x": 1.0, "z": 1.0},
        {"x2": 1.0, "xz": 1.0, "z2": 1.0},
        {"x": 1.0, "z": -1.0},
        {"x2": 1.0, "xz": -1.0, "z2": 1.0},
        {"x2": 1.0, "z2": -1.0},
    )

    def surface(fitted: Fitted) -> "ResponseSurface":
        dof = [fitted.combination(each)["df"] for each in weights]
        b, v = fitted.result.params[six], fitted.result.cov_params().loc[six, six]
        return response_surface(b.to_numpy(float), v.to_numpy(float), dof=np.array(dof))

    robust = surface(with_robust_errors(model)) if model.mixed and sources.clustered else None
    return Surface(surface(model), robust, len(data))


def surface_estimates(found: Surface, unit: str) -> list[Estimate]:
    """``a1`` to ``a5``; where therapists are enough also with errors that are robust to how their clients are alike."""
    labels = {
        "a1": "Slope where both agree",
        "a2": "Curvature where both agree",
        "a3": "Slope where they differ",
        "a4": "Curvature where they differ",
        "a5": "Difference of the curvatures of both raters",
    }
    out = []
    for one, key, more in (
        (found.main, "", ""),
        (found.robust, "_clustered", ", robust errors by therapist"),
    ):
        if one is None:
            continue
        limits, dof = one.conf_int(), np.broadcast_to(np.asarray(one.dof, dtype=float), len(labels))
        for (name, label), df in zip(labels.items(), dof, strict=True):
            low, high = limits.loc[name]
            value, se, p = float(one.params[name]), float(one.bse[name]), float(one.pvalues[name])
            out.append(
                Estimate(
                    f"{name}{key}",
                    label + more,
                    value,
                    se,
                    float(df),
                    float(low),
                    float(high),
                    p,
                    found.n,
                    "client",
                    unit,
                )
            )
    return out
