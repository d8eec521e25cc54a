"""Published figures that a reader can place the own estimate beside. Labelled as benchmarks, never pooled."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A published correlation with its interval."""

    label: str
    r: float
    low: float
    high: float
    reference: str


#: 295 independent samples, more than 30,000 adult clients.
ALLIANCE_OUTCOME = Benchmark(
    "Published meta-analysis",
    0.278,
    0.256,
    0.299,
    "Flückiger, C., Del Re, A. C., Wampold, B. E., & Horvath, A. O. (2018). The alliance in adult psychotherapy: "
    "A meta-analytic synthesis. Psychotherapy, 55, 316-340. doi 10.1037/pst0000172",
)
