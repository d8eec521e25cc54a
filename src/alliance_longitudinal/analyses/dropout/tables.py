"""The tables of the dropout report, and the estimates in them."""

from dataclasses import replace

from alliance_longitudinal.analyses.dropout.compute import (
    CLIENT,
    SEVERITY,
    WITHIN,
    Leaving,
    as_d,
    definitions,
    fit_end,
    odds_ratio,
    spreads,
    therapist_sd,
)
from alliance_longitudinal.analyses.dropout.words import labels_of
from alliance_longitudinal.analyses.kit import (
    ESTIMATE,
    SHARE,
    TEST,
    Draft,
    Estimate,
    Fitted,
    Number,
    Sentence,
    number_of_therapists,
    say,
)
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.present import Column

#: Ends of one kind below which it gets no model.
MIN_EVENTS = 10


def show_effects(draft: Draft, model: Fitted, leaving: Leaving, a: Measure, y: Measure) -> None:
    """Coefficients, odds ratios per standard deviation, the size d, and how much therapists differ."""
    sd = spreads(leaving)
    point = f"log {leaving.scale} per {a.instrument.label} point"
    short = "or" if leaving.link == "logit" else "hr"
    rows: list[Estimate] = []
    effects: list[Estimate] = []
    for identity, term, label, unit, sign in (
        ("alliance_within", WITHIN, "Last rating compared with the client's own mean so far", point, -1),
        ("alliance_client", CLIENT, "Client's mean so far compared with other clients", point, -1),
        (
            "severity",
            SEVERITY,
            f"Last {y.instrument.label}",
            f"log {leaving.scale} per {y.instrument.label} point",
            _worse(y),
        ),
    ):
        if term == WITHIN and not sd[WITHIN] > 0:
            continue
        found = draft.coefficient(f"drop_{identity}", label, model, term, unit=unit)
        words = "lower" if sign < 0 else "higher"
        unit = f"{leaving.scale} ratio"
        ratio = odds_ratio(found, f"{short}_{identity}", f"{label}: one SD {words}", sign * sd[term], unit)
        draft.estimate(ratio)
        effects.append(found)
        rows.append(ratio)
    client = draft["drop_alliance_client"]
    if client is not None and leaving.link == "logit":
        draft.estimate(
            as_d(
                client,
                "d_equivalent",
                "How much lower the mean so far is in clients who drop out, in standard deviations",
                -sd[CLIENT],
            )
        )
    between = therapist_sd(model, number_of_therapists(leaving.clients["therapist"]), leaving.scale)
    if between is not None:
        draft.estimate(between)
    draft.table_of(
        leaving.scale,
        f"{leaving.scale.title()} of dropping out before the next session",
        "results",
        rows,
        [Column("label", f"{leaving.scale.title()} ratio of"), *ESTIMATE, *TEST],
        _scale_words(sd, a, y, leaving),
    )
    draft.table_of(
        "effects",
        "Effects per point",
        "results",
        [*effects, *(e for e in (draft["d_equivalent"], between) if e is not None)],
        [Column("label", "Effect"), Column("unit", "Unit"), *ESTIMATE, *TEST],
        "n: sessions at risk; between therapists, therapists.",
    )


def _scale_words(sd: dict[str, float], a: Measure, y: Measure, leaving: Leaving) -> Sentence:
    """The note of the ratios, with the size of each standard deviation."""
    n = int(leaving.rows["client"].nunique())
    return say(
        "{ratio} ratio above one means that more clients drop out. All predictors are in one model. One SD is {within} "
        "{alliance} points for the last rating, {client} {alliance} points for the mean so far and {severity} {outcome} points. "
        "n: sessions at risk.",
        ratio="An odds" if leaving.link == "logit" else "A hazard",
        within=Number(sd[WITHIN], n=n),
        client=Number(sd[CLIENT], n=n),
        severity=Number(sd[SEVERITY], n=n),
        alliance=a.instrument.label,
        outcome=y.instrument.label,
    )


def _worse(y: Measure) -> int:
    """The direction of worse symptoms."""
    return -1 if y.instrument.direction == "higher_better" else 1


def show_planned(draft: Draft, leaving: Leaving, a: Measure) -> None:
    """The same model of planned ends, where there are enough."""
    if leaving.planned < MIN_EVENTS:
        return
    model = fit_end(draft, leaving, "planned", "Planned ending before the next session")
    draft.uses(model)
    unit = f"log {leaving.scale} per {a.instrument.label} point"
    within = draft.coefficient(
        "planned_alliance_within",
        "Planned ending: last rating compared with the client's own mean so far",
        model,
        WITHIN,
        unit=unit,
    )
    client = draft.coefficient(
        "planned_alliance_client",
        "Planned ending: client's mean so far compared with other clients",
        model,
        CLIENT,
        unit=unit,
    )
    draft.table_of(
        "planned",
        "The alliance and planned endings",
        "results",
        [within, client],
        [Column("label", "Effect"), Column("unit", "Unit"), *ESTIMATE, *TEST],
        "From a model that compares planned endings with staying in treatment. n: sessions at risk.",
    )


def show_definitions(draft: Draft, leaving: Leaving, k: int) -> None:
    """Share of dropouts by several definitions."""
    words = labels_of(k)
    found = [replace(hits.estimate(), label=words[hits.label]) for hits in definitions(leaving, k)]
    draft.estimate(*found)
    draft.table_of(
        "definitions",
        "Dropout by several definitions",
        "results",
        found,
        [Column("label", "Dropout means"), *SHARE, Column("n", "Clients", "count")],
        "The share depends on the definition, so compare studies only by the same definition.",
    )
