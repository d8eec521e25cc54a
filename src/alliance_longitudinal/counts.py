"""Numbers that a sentence may hold, and how outsiders see the ones that count people.

A sentence keeps its numbers as values until it is shown (see ``sentences``). What counts people or their rows is a
`Count`, or a `Share` of one; every other number is a `Number`. For outsiders, counts are rounded to multiples of the
smallest number that may be shown, and smaller ones are hidden: then no difference of two numbers, in one report or
between two, tells of fewer people than that. Rules after Hundepool et al. 2012, Statistical disclosure control,
chapter 5 (rounding); rounding instead of hiding single cells keeps the totals of tables known without telling their parts.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from alliance_longitudinal.labels import interval, number
from alliance_longitudinal.language import noun, translated

#: What is shown instead of a number that tells of too few people.
NOT_SHOWN = "not shown"


@dataclass(frozen=True, slots=True)
class Outsiders:
    """What people may see who may not see the data.

    Attributes
    ----------
    smallest : int
        Fewer people or rows than this are never counted for them; all other counts are multiples of it.
    """

    smallest: int

    def hides(self, n: float) -> bool:
        """Whether ``n`` people or rows are too few to be counted. Nobody is not: an empty cell tells of nobody."""
        return 0 < n < self.smallest

    def count(self, n: float) -> int | None:
        """``n`` rounded (halves upwards), None if it is hidden."""
        if self.hides(n):
            return None
        return math.floor(n / self.smallest + 0.5) * self.smallest

    def share(self, part: float, whole: float) -> float | None:
        """The share of ``part`` in ``whole`` from the rounded counts.

        None if it tells of too few: those in the part, or those who are not.
        """
        rounded, total = self.count(round(part)), self.count(round(whole))
        if rounded is None or not total or self.hides(round(whole) - round(part)):
            return None
        return min(rounded / total, 1.0)

    def number(self, value: float, n: float = math.inf) -> float:
        """A number that is not a count, with three significant digits.

        Of a mean over ``n`` values no more decimals are kept than leave every possible ``n`` possible: the sums of whole
        scores over ``n`` persons lie ``1/n`` apart.
        """
        if value == 0 or not math.isfinite(value):
            return value
        decimals = 2 - math.floor(math.log10(abs(value)))
        if math.isfinite(n) and n >= 1:
            decimals = min(decimals, math.floor(math.log10(n)))
        return round(value, decimals)


class Slot(Protocol):
    """A value in a sentence."""

    def text(self, spec: str, outsiders: Outsiders | None) -> str:
        """As it is shown: to people who may see the data if ``outsiders`` is None."""


@dataclass(frozen=True, slots=True)
class Count:
    """A number of people, or of the rows that belong to them.

    In a template ``{n}`` is the number, ``{n:noun}`` the number with its noun, ``{n:has|have}`` the word that agrees
    with it.

    Attributes
    ----------
    n : int
    one, many : str
        The noun: ``client``, and its plural if that is not ``clients``.
    """

    n: int
    one: str
    many: str = ""

    def text(self, spec: str, outsiders: Outsiders | None) -> str:
        """The number, the number with its noun, or the word that agrees with it."""
        single = self.n == 1 and outsiders is None
        if "|" in spec:
            return spec.split("|")[0 if single else 1]
        shown = number(self.n, "integer")
        if outsiders is not None:
            rounded = outsiders.count(self.n)
            few = f"{translated('fewer than')} {outsiders.smallest}"
            shown = few if rounded is None else _about(rounded)
        return f"{shown} {noun(self.one, self.many, single=single)}" if spec == "noun" else shown


def _about(rounded: int) -> str:
    return f"{translated('about')} {number(rounded, 'integer')}" if rounded else "0"


@dataclass(frozen=True, slots=True)
class Share:
    """A share of people or rows; ``{s}`` is the share, ``{s:interval}`` its limits.

    Attributes
    ----------
    part, whole : float
        The counts that it is made of.
    low, high : float
        Limits of its interval, if it has one.
    """

    part: float
    whole: float
    low: float = float("nan")
    high: float = float("nan")

    @classmethod
    def of(cls, share: float, whole: float, low: float = float("nan"), high: float = float("nan")) -> "Share":
        """From the share and the number of people or rows that it is a share of."""
        return cls(share * whole, whole, low, high)

    def text(self, spec: str, outsiders: Outsiders | None) -> str:
        """The share or its limits."""
        share: float | None = self.part / self.whole if self.whole else float("nan")
        low, high = self.low, self.high
        if outsiders is not None:
            few = self.part <= self.whole / 2
            share = outsiders.share(self.part, self.whole)
            if share is None:
                return translated(
                    NOT_SHOWN if spec == "interval" else "a small share" if few else "nearly all"
                )
            low, high = limits_of_share(share, low, high)
        if spec == "interval":
            return interval(low, high, "percent")
        # From rounded counts a share is rough, and with few clients very rough: it must not look exact.
        about = f"{translated('about')} " if outsiders is not None and share not in (0.0, 1.0) else ""
        return about + number(share, "percent")


def limits_of_share(share: float, low: float, high: float) -> tuple[float, float]:
    """The limits of a rounded share, outwards to whole percents: exact ones could be solved for the counts."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return low, high
    return min(math.floor(100 * low) / 100, share), max(math.ceil(100 * high) / 100, share)


@dataclass(frozen=True, slots=True)
class Number:
    """A number that does not count people: points, weeks, sessions of a window, therapists, an estimate.

    In a template ``{x}`` is the number, ``{x:noun}`` the number with its noun, ``{x:interval}`` the limits,
    ``{x:has|have}`` the word that agrees with it.

    Attributes
    ----------
    value : float
    kind : str
        As of ``labels.number``.
    one, many : str
        Its noun, if it has one.
    low, high : float
        Limits of its interval, if it has one; then the number and its limits are shown with equal decimals.
    n : float
        How many people it rests on: if they are too few, outsiders do not see it.
    """

    value: float
    kind: str = "number"
    one: str = ""
    many: str = ""
    low: float = float("nan")
    high: float = float("nan")
    n: float = math.inf

    def text(self, spec: str, outsiders: Outsiders | None) -> str:
        """The number, its limits, or the word that agrees with it."""
        if "|" in spec:
            return spec.split("|")[0 if self.value == 1 else 1]
        if outsiders is not None and outsiders.hides(self.n):
            return translated(NOT_SHOWN)
        value, low, high = self.value, self.low, self.high
        if outsiders is not None and math.isfinite(low) and math.isfinite(high):
            value, low, high = (round(x, decimals_of((high - low) / 3.92)) for x in (value, low, high))
        elif outsiders is not None and math.isfinite(self.n):
            value = outsiders.number(value, self.n)
        if spec == "interval":
            return with_limits(value, low, high, self.kind)[1]
        shown = number(value, self.kind) if math.isnan(low) else with_limits(value, low, high, self.kind)[0]
        return f"{shown} {noun(self.one, self.many, single=value == 1)}" if spec == "noun" else shown


class Things(int):
    """A number in a column of counts that counts no people: therapists, numbers of sessions. Outsiders may see it."""


@dataclass(frozen=True, slots=True)
class Private:
    """A name that outsiders do not see: of a file, of a folder, an identifier, a category of a few people.

    Attributes
    ----------
    name : str
    instead : str
        What outsiders read in its place.
    n : float
        How many people it is about: if they are enough to be counted, outsiders see the name. 0: they never do.
    """

    name: str
    instead: str
    n: float = 0

    def text(self, spec: str, outsiders: Outsiders | None) -> str:  # noqa: ARG002 - a name has one form
        """The name, or what stands for it."""
        shown = outsiders is None or (self.n > 0 and not outsiders.hides(self.n))
        return self.name if shown else translated(self.instead)


def decimals_of(se: float) -> int:
    """Decimals up to the second significant digit of a standard error.

    With more, the number of people could be solved from the width of an interval.
    """
    return 1 - math.floor(math.log10(abs(se))) if se and math.isfinite(se) else 3


def with_limits(value: float, low: float, high: float, kind: str) -> tuple[str, str]:
    """A number and ``low to high``; of the kind ``number`` with equal decimals."""
    from alliance_longitudinal.labels import with_interval

    if kind == "number":
        return with_interval(value, low, high)
    return number(value, kind), interval(low, high, kind)
