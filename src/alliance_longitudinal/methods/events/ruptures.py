"""Ruptures and repairs in ratings of the alliance."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import get_args

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Count, Number
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.estimates import Text
from alliance_longitudinal.methods.basics.values import real, several, shown, whole
from alliance_longitudinal.methods.events.agreement import kappa
from alliance_longitudinal.methods.events.null import fluctuation, null_events
from alliance_longitudinal.methods.events.ratings import Ratings, ratings
from alliance_longitudinal.methods.events.rules import LEAST, Rule, RuleName, judged, look
from alliance_longitudinal.sentences import say


@dataclass(frozen=True, repr=False, eq=False)
class Ruptures:
    """Ruptures by one rule, and how many would be found in ratings that only fluctuate.

    Attributes
    ----------
    rule : str
    events : DataFrame
        One row per rupture: person and session (of the low rating), ``before`` (the rating before it; by the other rules the
        person's centre or line), ``score``, ``drop`` (``before - score``), ``later`` (ratings that could repair it) and
        ``repaired``; not repaired where no rating follows.
    transitions : int
        How many ratings could be a rupture: by the rule "drop", those whose session before has a rating, too.
    persons : int
        Persons with such a rating.
    sd : float
        Pooled standard deviation within persons.
    """

    rule: str
    events: pd.DataFrame
    transitions: int
    persons: int
    sd: float
    n_series: int
    seed: int
    limits: tuple[float, float] | None = field(repr=False)
    step: float | None = field(repr=False)
    _ratings: Ratings = field(repr=False)
    _rule: Rule = field(repr=False)

    @cached_property
    def null(self) -> pd.DataFrame:
        """Events in each simulated set of series that only fluctuate: ``events, persons, repaired``."""
        return null_events(self._ratings, self._rule, self.n_series, self.seed, self.limits, self.step)

    @property
    def rho(self) -> float:
        """Correlation of ratings one session apart in the simulated series."""
        return fluctuation(self._ratings).rho

    @property
    def expected(self) -> float:
        """Events that fluctuation alone would give: mean over the simulated sets."""
        return float(self.null["events"].mean())

    @property
    def expected_limits(self) -> tuple[float, float]:
        """Between them lie 95 % of the simulated numbers of events."""
        low, high = np.quantile(self.null["events"], [0.025, 0.975])
        return float(low), float(high)

    @property
    def excess(self) -> float:
        """Observed over expected events; missing where none are expected."""
        return len(self.events) / self.expected if self.expected > 0 else float("nan")

    @property
    def repaired(self) -> float:
        """Share of the ruptures that were repaired; missing without ruptures."""
        return float(self.events["repaired"].mean()) if len(self.events) else float("nan")

    @property
    def expected_repaired(self) -> float:
        """The same share in series that only fluctuate: a low value is followed by higher ones all the same."""
        total = float(self.null["events"].sum())
        return float(self.null["repaired"].sum()) / total if total else float("nan")

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What a reader of the number of events has to know."""
        low, high = self.expected_limits
        n = len(self.events)
        if n > high:
            return ()
        message = say(
            "{n:noun} {n:was|were} found by rule {rule}, and random fluctuation alone would produce {expected} ({low} to {high}): "
            "they are not evidence of ruptures.",
            n=Count(n, "event"),
            rule=self.rule,
            expected=Number(self.expected, "one"),
            low=Number(low, "integer"),
            high=Number(high, "integer"),
        )
        return (Finding("not_above_expected", "caution", message),)

    def agreement(self, other: "Ruptures") -> float:
        """Cohen's kappa with the events of another rule, over the ratings that both rules could judge.

        ``(p - c) / (1 - c)``, ``p`` the share of ratings on which they agree and ``c`` what agreement by chance would be
        (Cohen 1960, doi 10.1177/001316446002000104). Missing where neither or one rule could fire only always or never.

        Raises
        ------
        DataError
            If ``other`` is no result of `find_ruptures`, or no rating was judged by both.
        """
        if not isinstance(other, Ruptures):
            raise DataError(f"other is {other!r}. Give the result of find_ruptures with another rule.")
        both = self.marks().merge(other.marks(), on=["person", "session"], suffixes=("_a", "_b"))
        if both.empty:
            raise DataError("No rating was judged by both rules. Find the events of both in the same frame.")
        return kappa(both["event_a"].to_numpy(bool), both["event_b"].to_numpy(bool))

    def marks(self) -> pd.DataFrame:
        """Every rating that the rule could judge: ``person, session, event``."""
        r, rule = self._ratings, self._rule
        rows = judged(r, rule)
        hits = look(r, r.score[:, None], rule).hits[:, 0]
        ids = np.array(r.ids, dtype=object)[r.code[rows]]
        return pd.DataFrame({"person": ids, "session": r.session[rows], "event": hits[rows]})

    def tidy(self) -> pd.DataFrame:
        """One row: ``rule, events, persons, transitions, sd, expected, low, high, excess, repaired, expected_repaired``."""
        low, high = self.expected_limits
        row = {
            "rule": self.rule,
            "events": len(self.events),
            "persons": self.persons,
            "transitions": self.transitions,
            "sd": self.sd,
            "expected": self.expected,
            "low": low,
            "high": high,
            "excess": self.excess,
            "repaired": self.repaired,
            "expected_repaired": self.expected_repaired,
        }
        return pd.DataFrame([row])

    def summary(self) -> str:
        """The result as text."""
        table = self.tidy().T.to_string(header=False, float_format=lambda v: f"{v:.4g}")
        return Text(
            "\n".join(["Ruptures", "", table, *(f"{f.severity}: {f.message}" for f in self.findings)])
        )

    def __repr__(self) -> str:
        return f"<Ruptures: rule {self.rule}; {len(self.events)} events; use .summary()>"


def find_ruptures(
    frame: pd.DataFrame,
    score: str,
    person: str = "client",
    session: str = "session",
    rule: RuleName = "drop",
    size: float | None = None,
    size_sd: float = 1.0,
    repair_within: int = 3,
    repair_to_sd: float = 0.25,
    min_ratings: int | None = None,
    *,
    n_series: int = 500,
    seed: int = 0,
    limits: tuple[float, float] | None = None,
    step: float | None = None,
) -> Ruptures:
    """Find ruptures in alliance ratings, their repairs, and how many ruptures random fluctuation alone would produce.

    There are three rules (Eubanks-Carter, Gorman & Muran 2012, doi 10.1080/10503307.2012.693772, compare their
    families):

    - ``drop``: the rating is more than ``size_sd`` pooled standard deviations (or ``size`` points) below that of the session before.
    - ``chart``: the rating is below the lower limit of the person's own control chart (see `control_chart`).
    - ``residual``: the rating is more than ``size_sd`` residual standard deviations (or ``size`` points) below
      the person's own line over sessions; the denominator of the residual variance is the person's number of
      ratings minus 2.

    The pooled variance within persons is ``sum (x - mean)^2 / (ratings - persons)``. A rupture is repaired if
    one of the person's next ``repair_within`` ratings comes within ``repair_to_sd`` pooled standard deviations
    of the rating before the drop (under the other rules: of the person's centre, or of the line at that later
    session).

    ``expected`` comes from simulated stationary normal series at the same sessions. They have each person's
    mean, variances that differ between persons as in the data, and the same correlation of neighbouring ratings
    for everyone. The same rule is applied to them, with standard deviations and limits estimated anew in every
    set. The simulation runs when its results are first read. True ruptures are part of the simulated variance:
    where there are many, ``expected`` is too high and the excess is conservative. The same is true of a steady
    rise, because the simulated series have no trend.

    Parameters
    ----------
    frame : DataFrame
        One row per person and session. Not changed. Rows without a rating are skipped.
    score, person, session : str
        Columns; sessions are whole numbers, and higher scores are better.
    rule : {"drop", "chart", "residual"}
    size : float, optional
        Size of a rupture in points, instead of ``size_sd``.
    size_sd : float
        Size in standard deviations.
    repair_within : int
        Number of later ratings within which a repair counts.
    repair_to_sd : float
        How close a rating must come to count as a repair, in pooled standard deviations.
    min_ratings : int, optional
        Number of ratings that a person needs to be included; by default the minimum for the rule (2; 3 for a
        line). With fewer than about 8 ratings, limits and lines are imprecise.
    n_series, seed : int
        Number of simulated sets, and seed of the random numbers.
    limits : pair of float, optional
        Lowest and highest possible simulated rating.
    step : float, optional
        Simulated ratings are rounded to multiples of it.

    Returns
    -------
    Ruptures

    Raises
    ------
    DataError
        If columns are missing, a session is not a whole number or occurs twice, there are too few ratings, or
        an option is invalid.

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> ratings = pd.DataFrame({"client": "a", "session": range(1, 9), "wai": [5.0, 5.2, 5.1, 3.9, 4.2, 5.2, 5.1, 5.3]})
    >>> found = methods.find_ruptures(ratings, "wai")
    >>> found.events[["session", "before", "score", "repaired"]].to_numpy().tolist()
    [[4, 5.1, 3.9, True]]
    """
    used = _rule(rule, size, size_sd, repair_within, repair_to_sd, min_ratings)
    n_series = whole("n_series", n_series, "a number of simulated sets, at least 1", least=1)
    r = ratings(frame, score, person, session)
    rows = judged(r, used)
    if not rows.any():
        least = (
            "two consecutive sessions with ratings" if used.name == "drop" else f"{used.min_ratings} ratings"
        )
        raise DataError(f"No {person} has {least}{_of(used)}. Rule {used.name!r} has nothing to judge.")
    seen = look(r, r.score[:, None], used)
    hit = np.flatnonzero(seen.hits[:, 0])
    left = np.minimum(r.size[r.code] - 1 - r.place, used.repair_within)
    events = pd.DataFrame(
        {
            person: pd.Series([r.ids[k] for k in r.code[hit]], dtype=frame[person].dtype),
            session: r.session[hit].astype(np.int64),
            "before": seen.target[hit, 0],
            "score": r.score[hit],
            "drop": seen.target[hit, 0] - r.score[hit],
            "later": left[hit],
            "repaired": seen.repaired[hit, 0],
        }
    )
    return Ruptures(
        rule=used.name,
        events=events,
        transitions=int(rows.sum()),
        persons=len(np.unique(r.code[rows])),
        sd=float(seen.sd[0]),
        n_series=n_series,
        seed=seed,
        limits=_limits(limits),
        step=None if step is None else real("step", step, "the distance of two scores, more than 0", above=0),
        _ratings=r,
        _rule=used,
    )


def _of(rule: Rule) -> str:
    return f" and {rule.min_ratings} in all" if rule.name == "drop" and rule.min_ratings > 2 else ""


def _limits(limits: tuple[float, float] | None) -> tuple[float, float] | None:
    if limits is None:
        return None
    pair = several(limits)
    if len(pair) != 2:
        raise DataError(f"limits is {limits!r}; it is a pair of the lowest and the highest score.")
    low, high = (real("limits", value, "a pair of the lowest and the highest score") for value in pair)
    if not low < high:
        raise DataError(f"limits are {low:g} and {high:g}; the lowest score comes first.")
    return low, high


def _rule(
    rule: str, size: object, size_sd: object, within: object, to_sd: object, min_ratings: object
) -> Rule:
    """Check the options.

    Raises
    ------
    DataError
        Saying which is impossible.
    """
    if rule not in get_args(RuleName):
        raise DataError(f"rule is {rule!r}; it is one of {', '.join(get_args(RuleName))}.")
    if size is not None and rule == "chart":
        raise DataError(
            f"size is {shown(size)}, but rule 'chart' takes its limits from the ranges of each series."
        )
    least = LEAST[rule]
    return Rule(
        name=rule,  # type: ignore[arg-type]
        size=None if size is None else real("size", size, "a number of points, more than 0", above=0),
        size_sd=real("size_sd", size_sd, "a number of standard deviations, more than 0", above=0),
        repair_within=whole("repair_within", within, "a number of ratings, at least 1", least=1),
        repair_to_sd=real("repair_to_sd", to_sd, "a number of standard deviations, at least 0", least=0),
        min_ratings=least
        if min_ratings is None
        else whole(
            "min_ratings",
            min_ratings,
            f"a number of ratings, for rule {rule!r} at least {least}",
            least=least,
        ),
    )
