"""How forms are missing: never one, gaps, or none any more although the client still comes."""

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.data_quality.check import Check, verdict_of
from alliance_longitudinal.analyses.data_quality.records import Filled

#: From complete to empty.
PATTERNS = ("complete", "gaps", "stopped", "never")
#: Expected forms missing at the end, from which a client has stopped filling in.
LAST_MISSING = 2


def patterns_of(filled: Filled) -> pd.DataFrame:
    """One row per client with two expected forms or more: ``client``, ``therapist``, ``pattern``, and ``row``, the last session's.

    ``complete``: all forms are there. ``never``: none is. ``stopped``: none before the last is missing, but at least the
    last two (monotone). ``gaps``: any other (intermittent).
    """
    frame = filled.forms.rename(columns={"made": "present"})
    groups = frame.groupby("client", sort=False)
    frame["place"] = groups.cumcount()
    n, there = groups.size(), groups["present"].sum()
    last = frame[frame["present"]].groupby("client")["place"].max().reindex(n.index)
    before = last + 1 - there
    after = n - 1 - last
    pattern = np.select(
        [there == n, there == 0, (before == 0) & (after >= LAST_MISSING)],
        ["complete", "never", "stopped"],
        default="gaps",
    )
    out = pd.DataFrame({"client": n.index, "pattern": pattern, "row": groups["row"].max().to_numpy()})
    out["therapist"] = groups["therapist"].first().to_numpy(object)
    return out[(n >= 2).to_numpy()].reset_index(drop=True)


def pattern_checks(filled: list[Filled]) -> list[Check]:
    """Clients who came but had stopped filling in, or never began."""
    out = []
    for one in filled:
        clients = patterns_of(one)
        found = clients["pattern"].isin(["stopped", "never"]).to_numpy()
        n = len(clients)
        out.append(
            Check(
                "stopped",
                "Clients without forms to the end",
                one.measure.name,
                "client",
                n,
                int(found.sum()),
                verdict_of(float(found.mean()) if n else 0.0, 0.10, 0.30),
                "Clients who attended, but never filled in the form, or not at the last two or "
                "more planned sessions. Look if more than 10 % of the clients, problem if more "
                "than 30 %. Single missing forms count as gaps.",
                "Their last score is not from the end of treatment. Use models of the course, not "
                "last scores.",
                rows=clients.loc[found & clients["row"].ge(0).to_numpy(), "row"].to_numpy(dtype=np.intp),
            )
        )
    return out
