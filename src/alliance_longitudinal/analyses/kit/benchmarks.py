"""Published figures that a reader can place the own estimate beside. Labelled as benchmarks, never pooled."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A published correlation with its interval; ``key`` is that of its reference, ``source`` its name."""

    label: str
    r: float
    low: float
    high: float
    key: str
    source: str = ""


#: 295 independent samples, more than 30,000 adult clients.
ALLIANCE_OUTCOME = Benchmark(
    "Published meta-analysis",
    0.278,
    0.256,
    0.299,
    "fluckiger2018",
)

#: Client-rated alliance and the client's attachment, 33 samples each.
ATTACHMENT = {
    "anxiety": Benchmark("Published meta-analysis", -0.09, -0.15, -0.03, "notsu2024", "Notsu et al. 2024"),
    "avoidance": Benchmark("Published meta-analysis", -0.13, -0.19, -0.07, "notsu2024", "Notsu et al. 2024"),
}
