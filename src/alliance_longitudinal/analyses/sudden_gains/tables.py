"""The tables of the sudden-gains report."""

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import SHARE, Count, Draft, say
from alliance_longitudinal.analyses.sudden_gains.compute import Gains, Variant
from alliance_longitudinal.present import Column, Table


def gain_tables(draft: Draft, gains: Gains) -> None:
    """In reading order; the first is the one a notebook shows beside the answer."""
    draft.table_of(
        "sudden_shares",
        "Sudden gains and losses",
        "answer",
        draft.estimates,
        [Column("label", "What"), *SHARE, Column("n", "Of", "count")],
        "Shares of the clients, or of the intervals between two sessions, that could be tested. "
        "Wilson intervals with the effective number, because clients of the same therapist may be "
        "alike (cluster-robust errors, Satterthwaite df). Expected from gradual change: mean and "
        "middle 95 % of simulated data sets in which every client changes gradually and fluctuates "
        "as much as these clients do.",
    )
    draft.show(_events(gains), _rules(gains), _sessions(gains), _steady(gains))


def _events(gains: Gains) -> Table:
    rows: list[dict[str, object]] = []
    for name in ("gain", "loss"):
        own = gains.table[gains.table[name]]
        size = (own["before"] - own["after"]).abs()
        first = own.groupby("client").head(1)
        firsts = (first["before"] - first["after"]).abs()
        per = gains.by_client(name)["events"]
        rows.append(
            {
                "what": f"Sudden {'gains' if name == 'gain' else 'losses'}",
                "n": len(own),
                "clients": int(per.gt(0).sum()),
                "several": int(per.gt(1).sum()),
                "size": size.mean() if len(size) else None,
                "sd": size.std() if len(size) > 1 else None,
                "first_size": firsts.mean() if len(firsts) else None,
                "first_sd": firsts.std() if len(firsts) > 1 else None,
                "reversed": int(own["reversed"].sum()),
            }
        )
    columns = [
        Column("what", "What"),
        Column("n", "Found", "count"),
        Column("clients", "Clients", "count"),
        Column("several", "Clients with several", "count", total="clients"),
        Column("size", "Mean size (points)", "number", of="n"),
        Column("sd", "SD", "number", of="n"),
        Column("first_size", "Mean size, first of each client (points)", "number", of="clients"),
        Column("first_sd", "SD", "number", of="clients"),
        Column("reversed", "Reversed", "count", total="n"),
    ]
    note = say(
        "{clients:noun} and {intervals:noun} could be tested. Reversed: more than half of the "
        "change was lost again at some later session.",
        clients=Count(gains.clients, "client"),
        intervals=Count(len(gains.table), "interval"),
    )
    return Table.from_frame("sudden_events", "What was found", "results", pd.DataFrame(rows), columns, note)


def _rules(gains: Gains) -> Table:
    columns = [
        Column("words", "Rules"),
        Column("points", "Points", "number"),
        Column("gains", "Gains", "count"),
        Column("gain_clients", "Clients with a gain", "count"),
        Column("expected", "Expected from gradual change", "number", of="gain_clients"),
        Column("losses", "Losses", "count"),
        Column("loss_clients", "Clients with a loss", "count"),
        Column("expected_losses", "Expected from gradual change", "number", of="loss_clients"),
    ]
    note = (
        "The same scores under other rules. Expected: mean number of clients with a gain (or a "
        "loss) in data simulated from gradual change. A rule that finds hardly more than that "
        "finds mostly random fluctuation. Choose the rule before you see the results."
    )
    rows = pd.DataFrame([_rule_row(v) for v in gains.variants])
    return Table.from_frame(
        "sudden_rules", "Gains and losses under other rules", "sensitivity", rows, columns, note
    )


def _rule_row(v: Variant) -> dict[str, object]:
    return {
        "words": v.words,
        "points": v.rules.points,
        "gains": v.gains,
        "gain_clients": v.gain_clients,
        "expected": None if v.expected is None else float(np.mean(v.expected.gain_clients)),
        "losses": v.losses,
        "loss_clients": v.loss_clients,
        "expected_losses": None if v.expected is None else float(np.mean(v.expected.loss_clients)),
    }


def _sessions(gains: Gains) -> Table:
    grouped = gains.table.groupby("session")
    frame = pd.DataFrame(
        {"tested": grouped.size(), "gains": grouped["gain"].sum(), "losses": grouped["loss"].sum()}
    ).reset_index()
    frame["label"] = [f"{s} to {s + 1}" for s in frame["session"]]
    frame["rate"] = frame["gains"] / frame["tested"]
    columns = [
        Column("label", "Sessions"),
        Column("tested", "Clients tested", "count"),
        Column("gains", "Gains", "count", total="tested"),
        Column("rate", "Share", "percent", of="gains"),
        Column("losses", "Losses", "count", total="tested"),
    ]
    return Table.from_frame(
        "sudden_by_session",
        "When gains and losses happen",
        "results",
        frame,
        columns,
        "Compare shares, not counts, because fewer clients can be tested at later sessions.",
    )


def _steady(gains: Gains) -> Table | None:
    if gains.steady is None:
        return None
    result = gains.steady.result
    rows = [
        {"what": "Change per session, average (points)", "value": float(result.params["session"])},
        {
            "what": "Further change per unit of the logarithm of the session (points)",
            "value": float(result.params["log_session"]),
        },
        {
            "what": "SD of fluctuation around a client's course (points)",
            "value": float(np.sqrt(result.scale)),
        },
    ]
    if np.isfinite(gains.steady.phi):
        rows.append(
            {"what": "Correlation of the fluctuations of consecutive sessions", "value": gains.steady.phi}
        )
    return Table.from_frame(
        "steady_change",
        "The model of gradual change",
        "checks",
        pd.DataFrame(rows).assign(clients=gains.clients),
        [
            Column("what", "What"),
            Column("value", "Estimate", "number", of="clients"),
            Column("clients", "Clients", "count"),
        ],
        "Fitted by REML to all scores that were tested. Real sudden gains add to the fluctuation, "
        "so the expected number is too high rather than too low.",
    )
