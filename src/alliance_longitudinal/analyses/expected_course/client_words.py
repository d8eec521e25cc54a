"""The words of a report on one client."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.expected_course.compute import Judged, Validated
from alliance_longitudinal.analyses.expected_course.design import Rule, Track
from alliance_longitudinal.analyses.kit import Draft, Number, say

WHERE = {1: "worse than the band", 0: "within the band", -1: "better than the band"}


@dataclass(frozen=True, slots=True)
class Person:
    """One client's scores of one measure, and what the other clients' course says of them.

    Attributes
    ----------
    found : Validated
    scores : DataFrame
        ``time, score`` and, from the second score on, ``mean, low, high`` expected from the first score and ``side``: 1 worse than
        the band, 0 within, -1 better.
    ahead : DataFrame
        ``time, mean, sd, lower, upper`` after the last score, given all scores.
    picture : DataFrame
        The rows of the figure.
    """

    found: Validated
    scores: pd.DataFrame
    ahead: pd.DataFrame
    picture: pd.DataFrame

    @property
    def last(self) -> Any:
        """The last score's row."""
        return self.scores.iloc[-1]


def symptom_words(draft: Draft, person: Person, judged: Judged | None, rule: Rule | None, unit: str) -> None:
    """The last score beside what was expected, what to do, and what to expect."""
    found, last = person.found, person.last
    track, band = found.track, Number(found.settings.band, "percent")
    label = track.label
    when = Number(round(float(last["time"])), "integer", unit)
    if len(person.scores) < 2:
        draft.say(
            "There is only the first {label} ({y}), so nothing can be compared yet.",
            label=label,
            y=_n(last["score"]),
        )
    else:
        low, high = _inside(track, last["low"], last["high"])
        draft.say(
            "The last {label} score, {when:noun} after the start, is {y}. From the first score ({first}), {mean} would be expected, and {band} of "
            "such clients have a score from {low} to {high}. The score is {where}.",
            label=label,
            y=_n(last["score"]),
            when=when,
            first=_n(person.scores["score"].iloc[0]),
            mean=_about(track, last["mean"]),
            band=band,
            low=low,
            high=high,
            where=WHERE[int(last["side"])],
        )
        _before(draft, person, label, unit)
        draft.say(_advice(int(last["side"])))
    end = person.ahead.iloc[-1]
    least, most = track.limits
    low, high = _inside(
        track, float(np.clip(end["lower"], least, most)), float(np.clip(end["upper"], least, most))
    )
    draft.say(
        "{known}, {mean} is expected {when:noun} after the start ({band} band {low} to {high}).",
        known="With all scores so far" if found.settings.update else "From the first score",
        mean=_about(track, float(np.clip(end["mean"], least, most))),
        when=Number(round(float(end["time"])), "integer", unit),
        band=band,
        low=low,
        high=high,
    )
    if rule is not None:
        _risk_words(draft, person, judged, rule, unit)


def _before(draft: Draft, person: Person, label: str, unit: str) -> None:
    """Earlier scores that were worse than the band, if there are any."""
    earlier = person.scores.iloc[1:-1]
    worse = earlier[earlier["side"].eq(1)]
    if len(worse):
        draft.say(
            "Of the {n:noun} between the first and the last, {k} {k:was|were} worse than the band, most recently {when:noun} after the start.",
            n=Number(len(earlier), "integer", f"{label} score"),
            k=Number(len(worse), "integer"),
            when=Number(round(float(worse["time"].iloc[-1])), "integer", unit),
        )


def _risk_words(draft: Draft, person: Person, judged: Judged | None, rule: Rule, unit: str) -> None:
    from alliance_longitudinal.methods import chance_beyond

    track, end = person.found.track, person.ahead.iloc[-1]
    limit = float(person.scores["score"].iloc[0]) + rule.limit(track.worse, track.step)
    risk = float(
        chance_beyond(
            np.array([end["mean"]]), np.array([end["sd"]]), np.array([limit]), above=track.worse > 0
        )[0]
    )
    draft.say(
        "Of clients with such scores, the model expects {risk} to {event} by then ({points} {label} points or more).",
        risk="fewer than one in a hundred" if risk < 0.01 else say("{r}", r=Number(risk, "percent")),
        event="have deteriorated"
        if rule.event == "deteriorated"
        else "have improved by less than the reliable change",
        points=_n(rule.points),
        label=track.label,
    )
    flagged = person.last["side"] == 1  # of a single score it is not known
    ppv = draft["ppv"]
    if flagged and judged is not None and ppv is not None:
        draft.say(
            "Among the clients of this study with a warning at {when:noun}, {ppv} (95 % interval {ppv:interval}) {event}. The warning is a reason to "
            "look, not a forecast.",
            when=Number(person.found.settings.decide, "integer", unit),
            ppv=ppv.share(),
            event="later deteriorated" if rule.event == "deteriorated" else "did not improve reliably",
        )


def _advice(side: int) -> str:
    if side > 0:
        return (
            "This is worse than expected. Check the score with the client, and ask what has changed: symptoms, life events, medication, "
            "motivation, the work in the sessions and the alliance. Consider supervision."
        )
    if side < 0:
        return "This is better than expected. Ask the client what helps, and whether the goals are still the right ones."
    return "The course is as expected. Go on, and keep looking at the scores."


def alliance_words(draft: Draft, person: Person, unit: str) -> None:
    """The last rating of the alliance beside what was expected."""
    track, last = person.found.track, person.last
    label = track.label
    if len(person.scores) < 2:
        draft.say("There is only one rating of the alliance ({label} {y}).", label=label, y=_n(last["score"]))
        return
    low, high = _inside(track, last["low"], last["high"])
    draft.say(
        "The last {label} score, {when:noun} after the start, is {y}; {mean} would be expected from the first rating (band {low} to {high}). The "
        "rating is {where}.{more}",
        label=label,
        y=_n(last["score"]),
        when=Number(round(float(last["time"])), "integer", unit),
        mean=_about(track, last["mean"]),
        low=low,
        high=high,
        where=WHERE[int(last["side"])],
        more=" Talk about the alliance: goals, tasks, and how the client feels with you."
        if last["side"] > 0
        else "",
    )
    _before(draft, person, label, unit)


def _n(value: float) -> Number:
    """A score: whole ones without decimals."""
    value = float(value)
    return Number(value, "integer" if value == round(value) else "number")


def _inside(track: Track, low: float, high: float) -> tuple[Number, Number]:
    """Lowest and highest score within a band; of whole scores those that can occur."""
    if track.step and np.ceil(low) <= np.floor(high):
        return _n(np.ceil(low)), _n(np.floor(high))
    return _n(low), _n(high)


def _about(track: Track, value: float) -> Number:
    """An expected score, with no more precision than scores have."""
    return _n(round(float(value))) if track.step else _n(value)
