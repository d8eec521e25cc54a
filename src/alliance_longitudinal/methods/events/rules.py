"""Three rules for a rupture, on one or many sets of scores at once."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.events.chart import MEAN_RANGE_OF_TWO, SIGMAS, SLACK
from alliance_longitudinal.methods.events.ratings import Bools, Ratings

RuleName = Literal["drop", "chart", "residual"]
#: Ratings of a person that each rule needs at least.
LEAST = {"drop": 2, "chart": 2, "residual": 3}


@dataclass(frozen=True, slots=True)
class Rule:
    """What counts as a rupture and as its repair.

    Attributes
    ----------
    name : {"drop", "chart", "residual"}
    size : float or None
        In points; None: ``size_sd`` standard deviations.
    size_sd, repair_to_sd : float
    repair_within : int
        Ratings.
    min_ratings : int
        Ratings that a person needs to be judged.
    """

    name: RuleName
    size: float | None
    size_sd: float
    repair_within: int
    repair_to_sd: float
    min_ratings: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What a rule sees in sets of scores of shape (n, sets).

    Attributes
    ----------
    hits, repaired : ndarray of bool, shape (n, sets)
        Ratings that are ruptures, and those of them that were repaired.
    target : ndarray, shape (n, sets)
        What the rating is compared with: the rating before, the person's centre, the person's line.
    sd : ndarray, shape (sets,)
        Pooled standard deviation within persons.
    """

    hits: Bools
    repaired: Bools
    target: Floats
    sd: Floats


def judged(r: Ratings, rule: Rule) -> Bools:
    """Which ratings the rule can judge, shape (n,)."""
    enough = (r.size >= rule.min_ratings)[r.code]
    return enough & (r.gap == 1) if rule.name == "drop" else enough


def pooled_sd(r: Ratings, x: Floats) -> Floats:
    """Standard deviation within persons, ``sqrt(sum (x - mean)^2 / (ratings - persons))``, shape (sets,)."""
    squares = ((x - r.means(x)) ** 2).sum(axis=0)
    return np.asarray(np.sqrt(squares / (len(r.code) - len(r.size))))


def look(r: Ratings, x: Floats, rule: Rule) -> Seen:
    """Apply the rule to sets of scores, shape (n, sets)."""
    sd = pooled_sd(r, x)
    if rule.name == "drop":
        target, limit = np.vstack([x[:1], x[:-1]]), _size(rule, sd)
    elif rule.name == "chart":
        ranges = r.sums(np.where(r.follows[:, None], np.abs(np.diff(x, axis=0, prepend=x[:1])), 0.0))
        mean_range = ranges / np.maximum(r.size - 1, 1)[:, None]
        target, limit = r.means(x), (SIGMAS / MEAN_RANGE_OF_TWO * mean_range)[r.code]
    else:
        target = _lines(r, x)
        squares = r.sums((x - target) ** 2) / np.maximum(r.size - 2, 1)[:, None]
        limit = _size(rule, np.sqrt(squares)[r.code])
    hits = judged(r, rule)[:, None] & (target - x > limit + SLACK)
    return Seen(hits, _repaired(r, x, rule, hits, target, rule.repair_to_sd * sd), target, sd)


def _size(rule: Rule, sd: Floats) -> Floats:
    return rule.size_sd * sd if rule.size is None else np.asarray(rule.size)


def _lines(r: Ratings, x: Floats) -> Floats:
    """Least-squares line of each person over sessions, at each rating."""
    t = r.session - r.means(r.session)
    spread = r.sums(t**2)
    slope = r.sums(t[:, None] * x) / np.where(spread > 0, spread, 1.0)[:, None]
    return np.asarray(r.means(x) + t[:, None] * slope[r.code])


def _repaired(r: Ratings, x: Floats, rule: Rule, hits: Bools, target: Floats, near: Floats) -> Bools:
    """Whether one of the next ratings comes back: to the rating before the drop, or to the person's centre or line."""
    back = np.zeros_like(hits)
    for here, there, same in r.later(rule.repair_within):
        wanted = target[there] if rule.name == "residual" else target[here]
        back[here] |= same[:, None] & (x[there] >= wanted - near - SLACK)
    return back & hits
