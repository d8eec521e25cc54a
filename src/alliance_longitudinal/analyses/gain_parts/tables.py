"""The tables of the sudden-gains report."""

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.gain_parts.compute import Gains, Variant, told_apart
from alliance_longitudinal.analyses.result import Estimate, estimate_frame
from alliance_longitudinal.present import Column, Table


def gain_tables(gains: Gains, estimates: list[Estimate], smallest: int = 0) -> tuple[Table, ...]:
    """In reading order; the first is the one a notebook shows beside the answer.

    ``smallest`` is the smallest count that may be told; numbers of events that would tell a smaller one are left out.
    """
    tables = (
        _shares(estimates),
        _events(gains, smallest),
        _rules(gains, smallest),
        _sessions(gains, smallest),
        _steady(gains),
    )
    return tuple(t for t in tables if t is not None)


def _shares(estimates: list[Estimate]) -> Table:
    columns = [
        Column("label", "What"),
        Column("estimate", "Share", "percent"),
        Column("ci_low", "95 % low", "percent"),
        Column("ci_high", "95 % high", "percent"),
        Column("n", "Of", "count"),
    ]
    note = (
        "Of clients, or intervals between two sessions, that could be tested. Intervals: Wilson's with the effective number, "
        "given that clients of one therapist are alike (CR2, Satterthwaite df). Expected from steady change: mean and middle "
        "95 % of simulated data in which every client changes smoothly and fluctuates as these clients do."
    )
    frame = estimate_frame(estimates)
    return Table.from_frame(
        "sudden_shares",
        "Sudden gains and losses",
        "answer",
        frame,
        columns,
        note,
        row_ids=tuple(frame["id"]),
    )


def _events(gains: Gains, smallest: int) -> Table:
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
        if not told_apart(gains, name, smallest):
            # A mean of whole points tells by its digits how many there are.
            rows[-1] |= dict.fromkeys(("n", "several", "size", "sd", "reversed"))
    columns = [
        Column("what", "What"),
        Column("n", "Found", "count"),
        Column("clients", "Clients", "count"),
        Column("several", "Clients with several", "count", total="clients"),
        Column("size", "Mean size (points)", "number", of="n"),
        Column("sd", "SD", "number", of="n"),
        Column("first_size", "Mean size of each client's first", "number", of="clients"),
        Column("first_sd", "SD", "number", of="clients"),
        Column("reversed", "Reversed", "count", total="n"),
    ]
    note = (
        f"{gains.clients} clients and {len(gains.table)} intervals could be tested. Reversed: more than half of the change was "
        "undone at any later session."
    )
    return Table.from_frame("sudden_events", "What was found", "results", pd.DataFrame(rows), columns, note)


def _rules(gains: Gains, smallest: int) -> Table:
    columns = [
        Column("words", "Rules"),
        Column("points", "Points", "number"),
        Column("gains", "Gains", "count"),
        Column("gain_clients", "Clients with a gain", "count"),
        Column("expected", "Expected from steady change", "number", of="gain_clients"),
        Column("losses", "Losses", "count"),
        Column("loss_clients", "Clients with a loss", "count"),
        Column("expected_losses", "Expected from steady change", "number", of="loss_clients"),
    ]
    note = (
        "The same scores under other rules. Expected: mean number of clients with a gain (a loss) in data simulated from steady "
        "change. A rule that finds hardly more than that finds mostly fluctuation. Choose the rule before you look."
    )
    rows = pd.DataFrame([_rule_row(v, smallest) for v in gains.variants])
    return Table.from_frame(
        "sudden_rules", "Gains and losses under other rules", "sensitivity", rows, columns, note
    )


def _rule_row(v: Variant, smallest: int) -> dict[str, object]:
    few = 0 < v.gains - v.gain_clients < smallest, 0 < v.losses - v.loss_clients < smallest
    return {
        "words": v.words,
        "points": v.rules.points,
        "gains": None if few[0] else v.gains,
        "gain_clients": v.gain_clients,
        "expected": None if v.expected is None else float(np.mean(v.expected.gain_clients)),
        "losses": None if few[1] else v.losses,
        "loss_clients": v.loss_clients,
        "expected_losses": None if v.expected is None else float(np.mean(v.expected.loss_clients)),
    }


def _sessions(gains: Gains, smallest: int) -> Table:
    grouped = gains.table.groupby("session")
    frame = pd.DataFrame(
        {"tested": grouped.size(), "gains": grouped["gain"].sum(), "losses": grouped["loss"].sum()}
    ).reset_index()
    frame["label"] = [f"{s} to {s + 1}" for s in frame["session"]]
    frame["rate"] = frame["gains"] / frame["tested"]
    for name, own in (("gain", ["gains", "rate"]), ("loss", ["losses"])):
        if not told_apart(gains, name, smallest):
            frame[own] = None
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
        "Compare shares, not counts: fewer clients are there to be tested at later sessions.",
    )


def _steady(gains: Gains) -> Table | None:
    if gains.steady is None:
        return None
    result = gains.steady.result
    rows = [
        {"what": "Change a session, average (points)", "value": float(result.params["session"])},
        {
            "what": "Further change per unit of log session (points)",
            "value": float(result.params["log_session"]),
        },
        {
            "what": "SD of fluctuation around a client's course (points)",
            "value": float(np.sqrt(result.scale)),
        },
    ]
    if np.isfinite(gains.steady.phi):
        rows.append({"what": "Correlation of neighbouring sessions' fluctuations", "value": gains.steady.phi})
    return Table.from_frame(
        "steady_change",
        "The model of steady change",
        "checks",
        pd.DataFrame(rows),
        [Column("what", "What"), Column("value", "Estimate", "number")],
        "Fitted by REML to all scores that are compared; sudden gains themselves add to the fluctuation, so that the expected "
        "number is rather too high than too low.",
    )
