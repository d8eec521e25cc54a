"""The tables of the report on ruptures."""

import pandas as pd

from alliance_longitudinal.analyses.alliance_events.compute import Found
from alliance_longitudinal.analyses.kit import SHARE, Draft, Number, say
from alliance_longitudinal.present import Column, Table


def event_tables(draft: Draft, found: Found) -> None:
    """In reading order; the first is the one a notebook shows beside the answer."""
    shares = [e for e in draft.estimates if e.id in ("clients", "rate", "repaired", "repaired_expected")]
    draft.table_of(
        "ruptures",
        "Ruptures by the main rule",
        "answer",
        shares,
        [Column("label", "What"), *SHARE, Column("n", "Of", "count")],
        "Wilson intervals with the effective number, because clients of the same therapist may be "
        "alike (cluster-robust errors). Expected from fluctuation alone: the same share in simulated series "
        "that only fluctuate. Even there, a low rating is often followed by a higher one.",
    )
    draft.show(_rules(found), _agreement(draft, found))
    phases = [e for e in draft.estimates if e.id in ("rate_first", "rate_middle", "rate_last")]
    if phases:
        draft.table_of(
            "by_phase",
            "Ruptures by phase of treatment",
            "results",
            phases,
            [Column("label", "What"), *SHARE, Column("n", "Ratings judged", "count")],
            "Thirds of each client's treatment up to the last rated session. A rupture may matter differently in each phase (Bordin).",
        )
    draft.show(_sessions(found))


def _rules(found: Found) -> Table:
    rows = []
    for rule, events in zip(found.rules, found.events, strict=True):
        low, high = events.expected_limits
        rows.append(
            {
                "words": rule.words,
                "judged": events.transitions,
                "found": len(events.events),
                "expected": events.expected,
                "low": low,
                "high": high,
                "verdict": _verdict(len(events.events), low, high),
                "repaired": int(events.events["repaired"].sum()),
                "share": events.repaired,
                "by_chance": events.expected_repaired,
            }
        )
    columns = [
        Column("words", "A rupture is a"),
        Column("judged", "Ratings judged", "count"),
        Column("found", "Found", "count", total="judged"),
        Column("expected", "Expected from fluctuation", "number", of="found"),
        Column("low", "95 % low", "number", of="found"),
        Column("high", "95 % high", "number", of="found"),
        Column("verdict", "Found, compared with expected"),
        Column("repaired", "Repaired", "count", total="found"),
        Column("share", "Share", "percent", of="repaired"),
        Column("by_chance", "Share expected", "percent", modelled=True),
    ]
    note = say(
        "Expected: the same rule in simulated series that only fluctuate, with each client's mean and spread and the correlation of "
        "neighbouring sessions of these data ({rho}). A rule that finds hardly more than expected finds mostly random fluctuation.",
        rho=Number(found.main.rho, "number", n=found.clients),
    )
    return Table.from_frame("rules", "Ruptures by every rule", "results", pd.DataFrame(rows), columns, note)


def _verdict(found: int, low: float, high: float) -> str:
    """From the exact number: to outsiders a rounded one may look as if it were beyond the limits."""
    if found > high:
        return "more"
    return "fewer" if found < low else "not clearly different"


def _agreement(draft: Draft, found: Found) -> Table | None:
    kappas = [e for e in draft.estimates if e.unit == "kappa"]
    if not kappas:
        return None
    words = {rule.id: rule.words for rule in found.rules}
    rows = []
    for e in kappas:
        ids = e.id.removeprefix("kappa_")
        first = next(i for i in words if ids.startswith(f"{i}_"))
        rows.append(
            {
                "one": words[first],
                "other": words[ids.removeprefix(f"{first}_")],
                "kappa": e.estimate,
                "n": e.n,
            }
        )
    columns = [
        Column("one", "One rule"),
        Column("other", "Another rule"),
        Column("kappa", "Kappa", "number", of="n"),
        Column("n", "Ratings", "count"),
    ]
    note = "Cohen's kappa over the ratings that both rules could judge: one is full agreement, zero is agreement by chance."
    return Table.from_frame(
        "agreement", "Do the rules agree?", "sensitivity", pd.DataFrame(rows), columns, note
    )


def _sessions(found: Found) -> Table:
    marks = found.main.marks()
    marks["session"] = marks["session"].astype(int)
    grouped = marks.groupby("session")["event"]
    frame = pd.DataFrame({"judged": grouped.size(), "found": grouped.sum().astype(int)}).reset_index()
    frame["share"] = frame["found"] / frame["judged"]
    columns = [
        Column("session", "Session", "integer"),
        Column("judged", "Ratings judged", "count"),
        Column("found", "Ruptures", "count", total="judged"),
        Column("share", "Share", "percent", of="found"),
    ]
    note = "Compare shares, not numbers, because fewer clients are in treatment at later sessions."
    return Table.from_frame("by_session", "When ruptures happen", "results", frame, columns, note)
