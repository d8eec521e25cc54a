"""Shares of clients, or of their rows, with intervals that respect who shares a therapist; and what few clients allow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.analyses.kit.groups import Groups
from alliance_longitudinal.analyses.result import Estimate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Hits:
    """Who has something, among those who could have it.

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

    def of(self, rows: "NDArray[np.bool_] | pd.Series[bool]") -> "Hits":
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
