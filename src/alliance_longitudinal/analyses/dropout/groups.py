"""Dropout, and its relation to the alliance, in each group of clients, such as the arms of a trial."""

from dataclasses import replace

from alliance_longitudinal.analyses.dropout.compute import CLIENT, WITHIN, Leaving, definitions, fit_end
from alliance_longitudinal.analyses.dropout.tables import MIN_EVENTS
from alliance_longitudinal.analyses.dropout.words import labels_of
from alliance_longitudinal.analyses.kit import (
    ESTIMATE,
    Draft,
    Estimate,
    Groups,
    Number,
    Private,
    TooLittle,
    slug,
)
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.present import Column


def compare_groups(draft: Draft, groups: Groups, leaving: Leaving, a: Measure, k: int) -> None:
    """Share of dropouts by the definition of the report, and effects of the alliance from a model of each group alone."""
    words = labels_of(k)
    main = definitions(leaving, k)[0]
    draft.shares_by_group(
        [replace(main, label=words[main.label])], "Dropout by the same definition in every group."
    )
    found: dict[str, list[Estimate]] = {}
    for group, rows in groups.split(leaving.rows):
        clients = leaving.clients[leaving.clients["client"].map(groups.of).eq(group)]
        effects = _effects(draft, replace(leaving, clients=clients, rows=rows), groups, group, a)
        if effects:
            found[group] = effects
    if len(found) > 1:
        draft.by_group(
            found,
            [Column("unit", "Unit"), *ESTIMATE],
            "A separate model for each group. A number below zero means that clients with a lower alliance are "
            "more likely to drop out.",
            name="effects_by_group",
            what="Alliance and dropout",
        )


def _effects(draft: Draft, leaving: Leaving, groups: Groups, group: str, a: Measure) -> list[Estimate]:
    """Log odds per point; none where too few drop out or the model cannot be fitted, which the report says."""
    who = Private(group, "(one group)", len(leaving.clients))
    if leaving.dropouts < MIN_EVENTS:
        draft.find(
            "small_group",
            "caution",
            "In {name} {group} fewer than {needed} clients dropped out after an alliance score, so the report does not "
            "relate dropout to the alliance in this group.",
            groups.name,
            name=groups.name,
            group=who,
            needed=Number(MIN_EVENTS, "integer"),
        )
        return []
    try:
        fitted = fit_end(draft, leaving, "dropout", "Dropout before the next session")
    except TooLittle as error:
        draft.find(
            "group_not_fitted",
            "caution",
            "The model of {name} {group} could not be fitted: {why}",
            groups.name,
            name=groups.name,
            group=who,
            why=error.message,
        )
        return []
    draft.uses(replace(fitted, name=f"dropout_{slug(group)}", title=f"{fitted.title} ({group})"))
    out = []
    for identity, term, label in (
        ("drop_alliance_within", WITHIN, "Last rating compared with the client's own mean so far"),
        ("drop_alliance_client", CLIENT, "Client's mean so far compared with other clients"),
    ):
        row = fitted.combination({term: 1.0})
        numbers = {key: row[key] for key in ("estimate", "se", "df", "ci_low", "ci_high", "p")}
        n, unit = int(fitted.result.nobs), f"log {leaving.scale} per {a.instrument.label} point"
        out.append(Estimate(identity, label, n=n, level="client", unit=unit, **numbers))
    return out
