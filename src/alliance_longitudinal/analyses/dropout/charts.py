"""The figures of the dropout report."""

from functools import partial

import pandas as pd

from alliance_longitudinal.analyses.dropout.compute import THIRDS, Leaving, incidence, third_of
from alliance_longitudinal.analyses.kit import Share, curves_figure, joined, say
from alliance_longitudinal.present import Column, FigureSpec, plots


def incidence_figure(leaving: Leaving, label: str) -> FigureSpec | None:
    """Cumulative incidence of dropout by third of the first alliance rating; None with fewer than two thirds."""
    clients = leaving.clients.dropna(subset=["first"])
    if clients["first"].nunique() < len(THIRDS) or not clients["end"].eq("dropout").any():
        return None
    table = incidence(leaving, thirds=True).table
    table = table[table["event"] == "dropout"]
    size = clients.groupby(third_of(clients["first"]), observed=True).size()
    rows = []
    for third, part in table.groupby("group", sort=False, observed=True):
        n = int(size[third])
        rows.append({"label": str(third), "session": 1, "n": n, "estimate": 0.0, "low": 0.0, "high": 0.0})
        rows += [
            {
                "label": str(third),
                "session": int(r.time),
                "n": n,
                "estimate": r.estimate,
                "low": r.lower,
                "high": r.upper,
            }
            for r in part.itertuples()
        ]
    return curves_figure(
        pd.DataFrame(rows),
        name="incidence",
        title=f"Dropout by the first rating of {label}",
        caption="Lines: share of clients who had dropped out before each session, by third of the client's "
        "first score; bands: 95 % intervals. Clients whose treatment ended in another way do not "
        "count as dropouts.",
        alt=f"Share of clients who dropped out by the last session, by third of the first {label}: ",
        how_to_read="The higher a line, the more clients of this third have dropped out by this session.",
        heads=("First rating", "Before session", "Dropped out"),
        ordered=True,
    )


def hazard_figure(leaving: Leaving) -> FigureSpec | None:
    """Share of the clients still there who drop out before each session; None with one session only."""
    by_session = leaving.rows.groupby("period").agg(n=("dropout", "size"), dropouts=("dropout", "sum"))
    data = by_session.reset_index().rename(columns={"period": "session"})
    if len(data) < 2:
        return None
    data = data.assign(dropouts=data["dropouts"].astype(int), share=data["dropouts"] / data["n"])
    said = [
        say("before session {session} {share}", session=str(int(r.session)), share=Share(r.dropouts, r.n))
        for r in data.itertuples()
    ]
    return FigureSpec(
        name="hazard",
        title="When clients drop out",
        caption="Points, joined by a line: share of clients who dropped out before each session, among clients who "
        "were still in treatment and had an alliance score.",
        alt="Share of clients still in treatment who drop out: " + joined(said, ", ") + ".",
        how_to_read="A high point means that many of the clients still in treatment dropped out before this "
        "session. Points based on few clients go up and down by chance.",
        section="results",
        data=data,
        columns=(
            Column("session", "Before session", "integer"),
            Column("n", "Clients still in treatment", "count"),
            Column("dropouts", "Dropped out", "count", total="n"),
            Column("share", "Share", "percent", of="dropouts"),
        ),
        draw=partial(
            plots.lines,
            x="session",
            y="share",
            limits=(0, 1.15 * float(data["share"].max())),
            percent=True,
            x_label="Before session",
            y_label="Dropped out before this session",
        ),
    )
