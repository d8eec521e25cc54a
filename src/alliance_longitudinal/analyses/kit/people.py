"""Shares of clients, or of their rows, with intervals that respect who shares a therapist; and what few clients allow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.analyses.kit.groups import Groups
from alliance_longitudinal.analyses.kit.nesting import with_one
from alliance_longitudinal.analyses.result import Estimate
from alliance_longitudinal.counts import Count, Number
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say

#: With fewer clients an interval of a proportion spans a third of the scale.
FEW = 30
#: With fewer therapists the allowance for clients who share one is itself uncertain.
FEW_THERAPISTS = 10


@dataclass(frozen=True, slots=True)
class Hits:
    """Which of the rows that could have something have it, such as clients who improved.

    Attributes
    ----------
    id, label : str
        Of the estimate that it becomes.
    hits, client, cluster : array, shape (n,)
        Whether the row has it, whose row it is, and with which others it goes together (usually the therapist's).
    level, unit : str
        Of the estimate.
    """

    id: str
    label: str
    hits: NDArray[np.bool_]
    client: NDArray[np.object_]
    cluster: NDArray[np.object_]
    level: str = "client"
    unit: str = "share of clients"

    def of(self, rows: NDArray[np.bool_]) -> "Hits":
        """Those of some of the rows."""
        keep = np.asarray(rows, dtype=bool)
        return replace(self, hits=self.hits[keep], client=self.client[keep], cluster=self.cluster[keep])

    def estimate(self) -> Estimate:
        """The share, with Wilson's interval for the effective number (see ``methods.basics.proportions``)."""
        from alliance_longitudinal.methods.basics.proportions import proportion

        p = proportion(self.hits, self.cluster)
        return Estimate(
            id=self.id,
            label=self.label,
            estimate=p.estimate,
            se=p.se,
            df=p.df,
            ci_low=p.low,
            ci_high=p.high,
            n=p.n,
            level=self.level,
            unit=self.unit,
        )


def clusters(client: pd.Series, therapist: pd.Series) -> NDArray[np.object_]:
    """Who goes together with whom: the clients of one therapist; a client without one is alone."""
    alone = ~with_one(therapist).to_numpy()
    own = "client " + client.astype(str).to_numpy(object)
    return np.asarray(np.where(alone, own, therapist.to_numpy(object)), dtype=object)


def share_findings(n: int, therapist: pd.Series, what: str, where: str) -> list[Finding]:
    """What few clients, or few therapists, mean for shares of clients.

    Parameters
    ----------
    n : int
        Clients.
    therapist : Series
        Of each client or row; missing for clients without one, who count alone.
    what : str
        What the clients are, such as ``"could be tested"``; ``have`` and ``has`` are written ``{n:has|have}``.
    where : str
        Of the finding about clients.
    """
    out = []
    if n < FEW:
        template = "Only {n:noun} " + what + ", so the shares are imprecise. Read their intervals."
        out.append(Finding("few_clients", "caution", say(template, n=Count(n, "client")), where))
    therapists = int(therapist.nunique())
    if therapist.isna().any() or therapists >= FEW_THERAPISTS:
        return out
    if therapists == 1:
        message = say(
            "All clients have the same therapist. The intervals apply to this therapist's clients only."
        )
    else:
        message = say(
            "Clients of the same therapist may be alike, and the intervals allow for that. With "
            "{n:noun} this allowance is uncertain, so the intervals are wide.",
            n=Number(therapists, "integer", "therapist"),
        )
    return [*out, Finding("few_clusters", "caution", message, "therapists")]


def by_group(
    every: Sequence[Hits], groups: Groups
) -> tuple[dict[str, list[Estimate]], dict[tuple[str, str], float]]:
    """Each share in each group, and its correlation with the first group's where they share therapists."""
    from alliance_longitudinal.methods.basics.proportions import correlation_of_proportions

    found: dict[str, list[Estimate]] = {name: [] for name in groups.names}
    correlations: dict[tuple[str, str], float] = {}
    for hits in every:
        group = groups.of.reindex(hits.client).to_numpy(object)
        parts = {name: hits.of(group == name) for name in groups.names}
        for name, part in parts.items():
            if len(part.hits):
                found[name].append(part.estimate())
        first = parts[groups.names[0]]
        for name in groups.names[1:]:
            if len(first.hits) and len(parts[name].hits):
                correlations[hits.id, name] = correlation_of_proportions(
                    (parts[name].hits, parts[name].cluster), (first.hits, first.cluster)
                )
    return found, correlations
