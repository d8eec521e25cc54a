"""Published figures that a reader can place the own estimate beside. Labelled as benchmarks, never pooled."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A published correlation with its interval; ``key`` is that of its reference, empty for one that the user gave, ``source`` its name.

    Attributes
    ----------
    tau2, se : float
        Variance of true effects between studies, and standard error of the mean, of Fisher's z; NaN where they are not known.
    """

    label: str
    r: float
    low: float
    high: float
    key: str
    source: str = ""
    tau2: float = float("nan")
    se: float = float("nan")

    @property
    def placed(self) -> bool:
        """Whether a clinic can be placed among the studies."""
        return not math.isnan(self.tau2)


#: 295 independent samples, more than 30,000 adult clients. How much true correlations differ is not known to us.
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
_NUMBERS = ("mu", "se", "tau2", "k")
_LAYOUT = "mu=0.278, se=0.011, tau2=0.03, k=295, source=Author 2020"


def benchmark_text(value: object) -> object:
    """A benchmark as text, from text or a mapping; what cannot be read is refused.

    Raises
    ------
    ValueError
        If a part is missing, unknown or impossible.
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        value = ", ".join(f"{k}={v}" for k, v in value.items())
    text = str(value).strip()
    if text.lower() in ("", "none", "null"):
        return None
    given_benchmark(text)
    return text


def given_benchmark(text: str) -> Benchmark:
    """Read ``mu=0.278, se=0.011, tau2=0.03, k=295, source=Author 2020``; ``k`` and ``source`` may be left out."""
    head, _, source = text.partition("source=")
    parts = dict(part.strip().partition("=")[::2] for part in head.split(",") if part.strip())
    unknown = [name for name in parts if name.strip() not in _NUMBERS]
    if unknown:
        raise ValueError(f"there is no {unknown[0].strip()!r} in a benchmark; give it as {_LAYOUT}")
    try:
        numbers = {name.strip(): float(given) for name, given in parts.items()}
    except ValueError:
        raise ValueError(f"mu, se, tau2 and k are numbers; give it as {_LAYOUT}") from None
    missing = [name for name in ("mu", "se", "tau2") if name not in numbers]
    if missing:
        raise ValueError(f"{missing[0]} is missing; give it as {_LAYOUT}")
    mu, se, tau2 = (numbers[name] for name in ("mu", "se", "tau2"))
    if not (-1 < mu < 1 and 0 <= se < math.inf and 0 <= tau2 < math.inf):
        raise ValueError("mu is a correlation between -1 and 1, and neither se nor tau2 is below 0")
    z = math.atanh(mu)
    source = source.strip().strip(",")
    label = f"Benchmark: {source}" if source else "Benchmark that was given"
    low, high = (math.tanh(z + sign * 1.959964 * se) for sign in (-1, 1))
    return Benchmark(label, mu, low, high, "", source, tau2, se)


def place(benchmark: Benchmark, z: float, variance: float) -> tuple[float, float, float, float]:
    """Percentile of a study's Fisher z among studies of its size, and its shrunken r with a 95 % interval.

    The percentile is that of a normal distribution with mean ``mu`` and variance ``tau2 + se^2 + variance``. Shrunken, the study's z is
    drawn to the mean by ``variance / (tau2 + variance)`` (empirical Bayes); its variance includes that of the mean.
    """
    mean = math.atanh(benchmark.r)
    sd = math.sqrt(benchmark.tau2 + benchmark.se**2 + variance)
    percentile = 0.5 * math.erfc(-(z - mean) / sd / math.sqrt(2))
    own = benchmark.tau2 / (benchmark.tau2 + variance)
    shrunken = mean + own * (z - mean)
    error = math.sqrt(own * variance + (1 - own) ** 2 * benchmark.se**2)
    low, high = (math.tanh(shrunken + sign * 1.959964 * error) for sign in (-1, 1))
    return percentile, math.tanh(shrunken), low, high
