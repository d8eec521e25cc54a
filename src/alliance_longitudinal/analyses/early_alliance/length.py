"""How long treatment was, and how much of it was rated: described, never adjusted for."""

from typing import Any

import pandas as pd

from alliance_longitudinal.analyses.kit import Draft, Number, say
from alliance_longitudinal.analyses.kit.early_design import EarlyDesign
from alliance_longitudinal.present import Column, Table


def show_length(draft: Draft, design: EarlyDesign) -> None:
    """Sessions, rated sessions, scores after the window and follow-up of the analysed clients, by third of early alliance."""
    draft.show(
        Table.from_rows(
            "length",
            "Length of treatment and of follow-up, by early alliance",
            "sample",
            length_rows(draft.sessions, design),
            [
                Column("group", "Clients"),
                Column("n", "Number", "count"),
                *(Column(key, f"{label}: median (quartiles)") for key, label in _columns(design)),
            ],
            "Of the analysed clients; rated: with an alliance score. Thirds by the mean alliance in the window. The models do not adjust for "
            "the length of treatment, because it depends on the alliance and on improvement.",
        )
    )


def _columns(design: EarlyDesign) -> tuple[tuple[str, str], ...]:
    return (
        ("sessions", "Sessions"),
        ("rated", "Rated sessions"),
        ("scores", "Scores after the window"),
        ("weeks", f"{design.choices.time.title()}s followed"),
    )


def length_rows(sessions: pd.DataFrame, design: EarlyDesign) -> list[dict[str, Any]]:
    """A row of all clients and one for each third of early alliance."""
    clients = design.clients
    held = sessions[sessions["session"] >= 1]
    rated = held[held[design.choices.alliance.name].notna()]
    table = pd.DataFrame(
        {
            "sessions": clients["client"].map(held.groupby("client")["session"].nunique()).fillna(0),
            "rated": clients["client"].map(rated.groupby("client")["session"].nunique()).fillna(0),
            "scores": clients["n_after"],
            "weeks": clients["weeks_followed"],
        }
    ).astype(float)
    rank = clients["early"].rank(method="first")
    third = (3 * (rank - 1) // len(rank)).clip(0, 2).astype(int)
    groups = [("all", pd.Series(data=True, index=table.index))]
    groups += [
        (f"{name} third of early alliance", third == k)
        for k, name in enumerate(("lowest", "middle", "highest"))
    ]
    out = []
    for name, chosen in groups:
        own = table[chosen]
        row: dict[str, Any] = {"group": name, "n": len(own)}
        for key in table:
            low, middle, high = own[key].quantile([0.25, 0.5, 0.75])
            row[str(key)] = say(
                "{middle} ({low} to {high})",
                middle=_plain(middle, len(own)),
                low=_plain(low, len(own)),
                high=_plain(high, len(own)),
            )
        out.append(row)
    return out


def _plain(value: float, n: int) -> Number:
    """A quartile of whole numbers, which may lie between two of them."""
    return Number(value, "integer" if value == round(value) else "df", n=n)
