"""The tables of the report."""

from alliance_longitudinal.analyses.kit import (
    ESTIMATE,
    TEST,
    Draft,
    Estimate,
    Fitted,
    coefficient_table,
    models_table,
    variance_table,
)
from alliance_longitudinal.analyses.within_between.design import Detrend
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.present import Column

_COLUMNS = (Column("label", "Effect"), *ESTIMATE, *TEST)
_ROWS = "n: pairs of sessions (within), clients or therapists (between)."


def show_tables(
    draft: Draft,
    a: Measure,
    y: Measure,
    detrend: tuple[Detrend, ...],
    main: Fitted,
) -> None:
    """In reading order; the first is the one a notebook shows beside the answer."""
    better = "lower" if y.instrument.direction == "higher_worse" else "higher"
    names = [*(f"within_{d}" for d in detrend), "client", "therapist", "therapist_latent_ml"]
    effects = [e for name in names if (e := draft[name]) is not None]
    draft.table_of(
        "effects",
        "Effects of the alliance within and between",
        "results",
        effects,
        _COLUMNS,
        f"In {y.instrument.label} points per {a.instrument.label} point; {better} {y.instrument.label} scores are better. {_ROWS}",
    )
    _rest(draft, "context", "Differences between the levels", _starting(draft, "context_"), _ROWS)
    _rest(
        draft,
        "therapists",
        "Between therapists, corrected for the chance in their means",
        _named(draft, "therapist", "therapist_latent_ml", "therapist_latent_moment", "lambda")
        if draft["therapist_latent_moment"] is not None or draft["lambda"] is not None
        else [],
        "The observed mean of a therapist's clients measures the therapist's usual alliance with chance in it, which pulls the "
        "effect between therapists towards the effect between clients. Corrected rows have wider intervals. With fewer than a "
        "hundred therapists they can be far off.",
    )
    _rest(
        draft,
        "versions",
        "The same effects in other models",
        [
            e
            for e in draft.estimates
            if e.id.endswith(("_two_level", "_course_only"))
            or e.id.startswith(("client_detrend", "therapist_detrend"))
            or (e.id == "within_lines" and "lines" not in detrend)
        ],
        "Two levels: without therapists. With a course for each client, effects between clients and between therapists are those at the "
        f"mean session. {_ROWS}",
        "sensitivity",
    )
    outliers = [e for e in draft.estimates if e.id.rpartition("_")[2] in ("sd3", "sd2", "winsor3", "winsor2")]
    order = ("within", "client", "therapist")
    _rest(
        draft,
        "outliers",
        "Outlying alliance scores",
        sorted(outliers, key=lambda e: order.index(e.id.partition("_")[0])),
        f"With the common course. {_ROWS}",
        "sensitivity",
    )
    sd = draft["within_sd"]
    if sd is not None:
        draft.table_of(
            "slopes",
            "Differences between clients in the effect within them",
            "results",
            [sd],
            [Column("label", "What"), *ESTIMATE, Column("n", "Clients", "count")],
            "Interval from the profile likelihood.",
        )
    mains = [m for m in draft.fitted if m.name in {"none", "common", "client"}]
    draft.show(models_table(draft.fitted), variance_table(mains), coefficient_table(main))


def _named(draft: Draft, *names: str) -> list[Estimate]:
    return [e for name in names if (e := draft[name]) is not None]


def _starting(draft: Draft, start: str) -> list[Estimate]:
    return [e for e in draft.estimates if e.id.startswith(start)]


def _rest(
    draft: Draft, name: str, title: str, found: list[Estimate], note: str, section: str = "results"
) -> None:
    if found:
        draft.table_of(
            name, title, "sensitivity" if section == "sensitivity" else "results", found, _COLUMNS, note
        )
