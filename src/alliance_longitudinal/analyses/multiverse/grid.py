"""The defensible choices: what is crossed, in words, and which question each analysis asks."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from alliance_longitudinal.analyses.kit.scales import LOWEST
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.timing import TimeWindow

#: Definitions of "early" in use in the field.
WINDOWS = ("3", "1-3", "2-4", "3-5", "1-5", "first5")
TOTAL, LEAST = "total", "least_squares"
ADJUST = {
    "nothing": "nothing",
    "intake": "intake severity",
    "change": "intake severity and early change",
}
OUTCOMES = {
    "slope": "rate of change",
    "last": "change to the last score",
    "horizon": "change at a fixed time",
    "recovered": "recovered",
}
ESTIMATORS = {
    LEAST: "least squares",
    "three_level": "three-level model",
    "two_level": "two-level model",
}
#: Name of each choice in tables and figures.
AXES = {
    "measure": "Alliance measure",
    "rater": "Rater of the alliance",
    "scale": "Part of the alliance",
    "window": "Early window",
    "adjust": "Adjusted for",
    "outcome": "Outcome",
    "estimator": "Estimator",
}


@dataclass(frozen=True, slots=True)
class Early:
    """A definition of early alliance: the mean of a window, or the first rating in it."""

    window: TimeWindow
    first: bool = False

    @classmethod
    def parse(cls, text: str) -> "Early":
        """Read ``"1-5"``, ``"3"`` or ``"first5"``.

        Raises
        ------
        StudyError
            If it is none of these.
        """
        name = str(text).strip()
        try:
            if name.startswith("first"):
                return cls(TimeWindow(1, TimeWindow.parse(name.removeprefix("first")).last), first=True)
            return cls(TimeWindow.parse(name))
        except StudyError:
            raise StudyError(
                f"Parameter 'windows': {name!r} is not an early window. Give a session such as 3, sessions such as "
                "1-5, or the first rating of some sessions such as first5."
            ) from None

    def __str__(self) -> str:
        return f"first rating of {self.window}" if self.first else str(self.window)


@dataclass(frozen=True, slots=True)
class Spec:
    """One analysis: a choice on every axis."""

    measure: Measure
    scale: str
    early: Early
    adjust: str
    outcome: str
    estimator: str

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from the others."""
        return self.measure.name, self.scale, str(self.early), self.adjust, self.outcome, self.estimator

    @property
    def part(self) -> str:
        """The part of the alliance in words."""
        return "lowest of the scales" if self.scale == LOWEST else self.scale

    def choice(self, axes: Sequence[str]) -> dict[str, str]:
        """The choices in words, for the axes that vary."""
        words = {
            "measure": self.measure.instrument.label,
            "rater": self.measure.rater,
            "scale": self.part,
            "window": str(self.early),
            "adjust": ADJUST[self.adjust],
            "outcome": OUTCOMES[self.outcome],
            "estimator": ESTIMATORS[self.estimator],
        }
        return {axis: words[axis] for axis in axes}

    def question(self, *, raters: bool) -> str:
        """What the analysis asks: analyses of another part of the alliance, or of other clients, ask something else."""
        whose = f" by the {self.measure.rater}" if raters else ""
        name = self.measure.instrument.label
        words = f"{self.part} of {name}" if self.scale == LOWEST else f"{name} {self.part}"
        recovery = ", on recovery" if self.outcome == "recovered" else ""
        return f"{words}{whose}, clients in treatment at session {self.early.window.last}{recovery}"


def axes_of(measures: Sequence[Measure]) -> list[str]:
    """The axes; the measure and its rater are axes only where they differ, and not both where one says the other."""
    labels = {m.instrument.label for m in measures}
    raters = {m.rater for m in measures}
    pairs = {(m.instrument.label, m.rater) for m in measures}
    first = ["measure"] * (len(labels) > 1)
    if len(raters) > 1 and not (len(labels) > 1 and len(pairs) == len(labels)):
        first.append("rater")
    return [*first, "scale", "window", "adjust", "outcome", "estimator"]


def specs_of(
    scales: Sequence[tuple[Measure, str]],
    windows: Sequence[Early],
    adjust: Sequence[str],
    outcomes: Sequence[str],
    estimators: Sequence[str],
    *,
    mixed_for_all: bool = False,
) -> list[Spec]:
    """All combinations, in the order of the axes; mixed models of the total score only, unless asked for all."""
    return [
        Spec(measure, scale, early, a, y, e)
        for (measure, scale), early, a, y, e in itertools.product(
            scales, windows, adjust, outcomes, estimators
        )
        if e == LEAST or scale == TOTAL or mixed_for_all
    ]
