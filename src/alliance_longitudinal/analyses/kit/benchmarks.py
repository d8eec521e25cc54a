"""Published figures that a reader can place the own estimate beside. Labelled as benchmarks, never pooled."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A published correlation with its interval; ``key`` is that of its reference."""

    label: str
    r: float
    low: float
    high: float
    key: str


#: 295 independent samples, more than 30,000 adult clients.
ALLIANCE_OUTCOME = Benchmark(
    "Published meta-analysis",
    0.278,
    0.256,
    0.299,
    "fluckiger2018",
)
