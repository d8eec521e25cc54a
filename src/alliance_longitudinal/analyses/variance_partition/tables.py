"""The tables of the report on variance."""

from collections.abc import Sequence
from typing import Any

from alliance_longitudinal.analyses.kit import ESTIMATE, PERCENT, Draft, Number, say
from alliance_longitudinal.analyses.variance_partition.compute import Divided
from alliance_longitudinal.analyses.variance_partition.therapists import (
    MIN_OWN_CLIENTS,
    Therapists,
)
from alliance_longitudinal.present import Column, Table


def show_shares(draft: Draft, time: str) -> None:
    """Shares by level."""
    draft.table_of(
        "variance_shares",
        "Shares of variance",
        "results",
        draft.estimates,
        [Column("label", "Share"), *PERCENT, Column("n", "n", "count")],
        say(
            "From models with a linear course over {times}. A rate of change has no session level. At the end, given intake: the "
            "last score of each client with two scores, adjusted for the first score within and between therapists; this is what most "
            "studies of therapist effects report. n: clinics, therapists, clients or sessions.",
            times=f"{time}s",
        ),
    )


def show_tests(draft: Draft, every: Sequence[Divided], share: float, n_sim: int) -> None:
    """Tests of no difference between therapists, and what the design can tell."""
    rows: list[dict[str, Any]] = []
    for found in every:
        own = next((e for e in found.shares if e.level == "therapist"), None)
        if own is not None:
            rows.append({"what": found.words, "share": own.estimate} | _numbers(draft, f"_{found.name}"))
    design = _numbers(draft, "")
    if design["power"] is not None:
        rows.append({"what": "One score per client, with these caseloads", "share": None} | design)
    if not rows:
        return
    columns = [
        Column("what", "Differences in"),
        Column("share", "Share between therapists", "percent", modelled=True),
        Column("mixture", "p, many therapists", "p"),
        Column("boot", "p, simulated", "p"),
        Column("zero", "Estimate is zero", "percent", modelled=True),
        Column("power", "Differences found", "percent", modelled=True),
    ]
    note = say(
        "p: of no difference between therapists, by the mixture of chi-squared distributions, which holds for many therapists, and by "
        "simulation for the therapists of this study. The last two columns: how often studies of this design would estimate zero, and "
        "how often they would find the differences (test at {alpha}), if the true share were {share}. They do not use the estimated share. "
        "The smallest possible simulated p of a rate of change is {least}.",
        least=Number(1 / (n_sim + 1), "p"),
        alpha=Number(0.05, "percent"),
        share=Number(share, "percent"),
    )
    draft.show(
        Table.from_rows(
            "tests", "Do therapists differ, and could this study see it?", "results", rows, columns, note
        )
    )


def _numbers(draft: Draft, of: str) -> dict[str, float | None]:
    ids = {"mixture": "tau_p_mixture", "boot": "tau_p_boot", "zero": "p_zero", "power": "power_here"}
    found = {key: draft[f"{identity}{of}"] for key, identity in ids.items()}
    return {key: None if e is None else e.estimate for key, e in found.items()}


def show_reliability(draft: Draft, every: Sequence[Therapists]) -> None:
    """How reliable the estimates of single therapists are; no therapist is seen in it."""
    rows = [
        {
            "what": own.divided.words,
            "therapists": len(own.frame),
            "median": float(own.frame["reliability"].median()),
            "shown": int(own.frame["shown"].sum()),
            "distinct": own.distinct,
        }
        for own in every
    ]
    if not rows:
        return
    columns = [
        Column("what", "Differences in"),
        Column("therapists", "Therapists", "integer"),
        Column("median", "Reliability, median", "number"),
        Column("shown", "Reliable enough", "integer"),
        Column("distinct", "Differ from the average", "integer"),
    ]
    note = say(
        "Reliability: the share of the differences between therapists' averages that does not come from chance. Reliable enough to be "
        "shown in order: at least {n} clients and a reliability of at least one half. Differ from the average: the 95 % interval excludes it.",
        n=Number(MIN_OWN_CLIENTS, "integer"),
    )
    draft.show(
        Table.from_rows(
            "reliability", "How reliable are estimates of single therapists?", "results", rows, columns, note
        )
    )


def show_correlation(draft: Draft) -> None:
    """Alliance and outcome of the same therapists, and of the same clients."""
    found = [
        e for e in draft.estimates if e.id in ("r_therapist_alliance_outcome", "r_client_alliance_outcome")
    ]
    if found:
        draft.table_of(
            "correlation",
            "Alliance and outcome together",
            "results",
            found,
            [Column("label", "Correlation"), *ESTIMATE, Column("n", "n", "count")],
            "Both are turned so that more is better: a positive correlation means that a better alliance goes with a better "
            "outcome at the end, given intake. Profile-likelihood intervals.",
        )
