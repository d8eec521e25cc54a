"""Scores that cannot be, that stand at an end of the scale, or that jump."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.analyses.data_quality.check import Check, not_checked, verdict_of
from alliance_longitudinal.analyses.data_quality.completion import own_answers
from alliance_longitudinal.analyses.data_quality.records import Records
from alliance_longitudinal.analyses.kit import Share, say
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.labels import number
from alliance_longitudinal.methods.basics.inference import beyond, p_of_so_many

#: Robust standard deviations beyond which a change is called a jump.
JUMP = 4.0
#: Share at an end of the scale from which it hides differences (Terwee et al. 2007).
AT_END = 0.15
#: Standard deviation of a standard normal variable cut at -3 and 3.
_WITHIN_THREE = 0.98658
_TERWEE = ("terwee2007",)


def score_checks(records: Records) -> list[Check]:
    """Ranges, near-impossible values, floor and ceiling, jumps."""
    out = [_ranges(records, m) for m in records.measures]
    out += [_fractions(records, m) for m in records.measures]
    out += _far_baselines(records)
    for measure in records.measures:
        out += _ends(records, measure)
    out += [_jumps(records, m) for m in records.measures]
    return out


def _ranges(records: Records, measure: Measure) -> Check:
    scores = records.sessions[measure.name].notna()
    known = measure.instrument.total_range or measure.instrument.item_range(1)
    title = "Values outside the instrument's range"
    if known is None:
        why = "The instrument file has no range."
        return not_checked(
            "range", title, measure.name, why, "Add the range in an instrument file of your own."
        )
    return Check(
        "range",
        title,
        measure.name,
        "score",
        int(scores.sum()),
        0,
        "fine",
        "If an answer or total is outside the range, the study is refused when it is read, and the "
        "message names file, row and value.",
        "Nothing. All values are within the range.",
    )


def _fractions(records: Records, measure: Measure) -> Check:
    """Totals that are no whole numbers although the instrument adds whole numbers up."""
    title = "Totals that are not whole numbers"
    instrument = measure.instrument
    steps = (instrument.response_min, instrument.response_max)
    forms = records.study.forms
    if forms is not None and measure.name in forms.answers:
        return _fractional_answers(records, measure)
    if instrument.total_rule != "sum" or any(s is not None and s % 1 for s in steps):
        return not_checked(
            "fractions", title, measure.name, "Totals of this instrument may not be whole numbers."
        )
    scores = records.sessions[measure.name].to_numpy(dtype=float)
    known = ~np.isnan(scores)
    odd = known & (np.abs(scores - np.round(scores)) > 1e-9)
    n = int(known.sum())
    return Check(
        "fractions",
        title,
        measure.name,
        "score",
        n,
        int(odd.sum()),
        verdict_of(odd.sum() / n if n else 0.0, 0.0, 0.05),
        "A sum of whole answers is a whole number. Look at any other total, problem if more than 5 "
        "% of them.",
        "Usually unanswered items were filled in before the export, or a mean was exported. Find "
        "out by which rule.",
        rows=records.rows[odd],
    )


def _fractional_answers(records: Records, measure: Measure) -> Check:
    """Answers between two choices, unless so many are that they are read off a line."""
    title = "Answers between two response options"
    rows, answers = own_answers(records, measure.name)
    known = ~np.isnan(answers)
    odd = np.column_stack([np.abs(column - np.round(column)) > 1e-9 for column in answers.T])
    n = int(known.sum())
    if odd.sum() > n / 2:
        return not_checked(
            "fractions", title, measure.name, "Answers to this instrument may not be whole numbers."
        )
    forms = np.asarray(odd.any(axis=1))
    return Check(
        "fractions",
        title,
        measure.name,
        "form",
        len(answers),
        int(forms.sum()),
        verdict_of(float(forms.mean()) if len(forms) else 0.0, 0.0, 0.05),
        "An answer is one of the response options, a whole number. Look at any form with another "
        "answer, problem if more than 5 % of the forms.",
        "Possible causes: marks between two options, a misread decimal point, or values filled in "
        "before the export. Correct these answers or leave them empty.",
        rows=rows[forms],
    )


def _far_baselines(records: Records) -> list[Check]:
    """Baseline numbers far from everybody else's, such as an age of 999."""
    clients, out = records.study.clients, []
    clients = clients[clients["client"].isin(records.sessions.loc[~records.same_client, "client"])]
    for name in records.study.covariates:
        if not pd.api.types.is_numeric_dtype(clients[name]) or clients[name].nunique() < 10:
            continue
        values = clients[name].to_numpy(dtype=float)
        known = ~np.isnan(values)
        spread = robust_sd(values[known])
        far = known & (np.abs(values - np.nanmedian(values)) > 6 * spread)
        out.append(
            Check(
                "far_baseline",
                "Baseline values far from all others",
                name,
                "client",
                int(known.sum()),
                int(far.sum()),
                verdict_of(float(far.mean()), 0.0, 0.02),
                "More than 6 robust standard deviations from the median. Even skewed variables "
                "rarely have such values; codes for missing values and typing errors often do.",
                "Correct them, or list codes for missing values under 'dialect: missing'.",
                who=tuple(clients.loc[far, "client"]),
            )
        )
    return out


def _ends(records: Records, measure: Measure) -> list[Check]:
    known = measure.instrument.total_range
    titles = (("floor", "Lowest possible score"), ("ceiling", "Highest possible score"))
    if known is None:
        why = "The instrument file has no range of the total."
        return [not_checked(id_, title, measure.name, why) for id_, title in titles]
    scores = records.sessions[measure.name].to_numpy(dtype=float)
    n = int((~np.isnan(scores)).sum())
    out = []
    for (id_, title), end in zip(titles, known, strict=True):
        at = np.abs(scores - end) < 1e-9
        healthy = (id_ == "floor") == (measure.construct == "symptoms")
        first = scores[~records.same_client]
        known_first = first[~np.isnan(first)]
        start = int((np.abs(known_first - end) < 1e-9).sum())
        means = (
            say("At the first session {share}.", share=Share(start, len(known_first)))
            if at.any() and start
            else ""
        )
        out.append(
            Check(
                id_,
                title,
                measure.name,
                "form",
                n,
                int(at.sum()),
                verdict_of(at.sum() / n if n else 0.0, AT_END, 0.40),
                f"Look if more than 15 % of all forms have the {title.lower()} ({end:g}), problem "
                "if more than 40 %. Differences and changes beyond this score cannot be measured.",
                "This is expected when clients recover. Report the share, and do not read the lack "
                "of further change as a plateau."
                if healthy
                else "Report the share. A measure with a wider range at this end would distinguish "
                "these clients better.",
                means,
                _TERWEE,
            )
        )
    return out


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes between neighbouring scored forms of a client.

    Attributes
    ----------
    change : float array, shape (m,)
    rows : int array, shape (m,)
        Row of ``study.sessions`` of the later form.
    centre, spread : float
        Median, and robust standard deviation about it.
    """

    change: NDArray[np.float64]
    rows: NDArray[np.intp]
    centre: float
    spread: float

    @property
    def jumps(self) -> NDArray[np.bool_]:
        """Which lie more than four robust standard deviations from the median."""
        return np.asarray(np.abs(self.change - self.centre) > JUMP * self.spread)


def changes_of(records: Records, measure: Measure) -> Changes:
    """All changes of one measure."""
    sessions = records.sessions
    scored = sessions[measure.name].notna().to_numpy()
    client = sessions["client"].to_numpy()[scored]
    scores = sessions[measure.name].to_numpy(dtype=float)[scored]
    same = client[1:] == client[:-1]
    change = np.diff(scores)[same]
    if not len(change):
        return Changes(change, np.empty(0, dtype=np.intp), 0.0, 0.0)
    return Changes(change, records.rows[scored][1:][same], float(np.median(change)), robust_sd(change))


def robust_sd(values: NDArray[np.float64]) -> float:
    """Standard deviation of the bulk of ``values``, which a few wrong ones cannot move.

    Starts from 1.4826 times the median absolute deviation, then takes, three times over, the standard deviation of the values within
    three of it from the median, corrected for what a normal distribution loses there (reweighting: Rousseeuw and Leroy
    1987, section 4.1). Of whole numbers the median deviation alone is too coarse. Where half of the values are equal, the
    plain standard deviation.
    """
    away = np.abs(values - np.median(values))
    spread = 1.4826 * float(np.median(away))
    for _ in range(3 if spread else 0):
        spread = float(np.sqrt(np.mean(away[away <= 3 * spread] ** 2))) / _WITHIN_THREE
    return spread or float(np.std(values))


def _jumps(records: Records, measure: Measure) -> Check:
    title, found = "Large changes from one form to the next", changes_of(records, measure)
    n, jumps = len(found.change), int(found.jumps.sum())
    if n < 30:
        return not_checked(
            "jumps",
            title,
            measure.name,
            "There are fewer than 30 changes, too few to know how much changes vary.",
        )
    by_chance = n * beyond(JUMP)
    more = jumps > 0 and p_of_so_many(jumps, by_chance) < 0.01
    return Check(
        "jumps",
        title,
        measure.name,
        "change",
        n,
        jumps,
        "fine" if not more else verdict_of(jumps / n, 0.0, 0.01),
        f"More than {number(JUMP * found.spread)} points (4 robust standard deviations of all "
        "changes) away from the median change. Normally distributed changes would give 6 in 100 "
        "000. Look if there are more than by chance (p < .01), problem if more than 1 %.",
        "Look up these rows. Possible causes: typing errors, another form, another client, or a "
        "crisis. Repeat the analysis without them.",
        cites=("rousseeuw1987",),
        rows=found.rows[found.jumps],
    )
