"""The answers and totals of the measures: parsed, held against the instrument's range, and scored."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.counts import Count
from alliance_longitudinal.data.cells.columns import Column
from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.cells.texts import Texts
from alliance_longitudinal.data.cleaning.keys import number_remedy
from alliance_longitudinal.data.cleaning.layout import SessionCells
from alliance_longitudinal.data.study_file.measure import Measure, PlannedMeasure
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.measures.instrument import Instrument, MissingRule
from alliance_longitudinal.measures.score import outside_range, range_in_words, reverse, score
from alliance_longitudinal.sentences import say

Floats = NDArray[np.float64]

ENOUGH_FORMS = 30  # complete forms from which the direction of the items can be judged


def read_answers(
    cells: SessionCells, planned: Mapping[str, PlannedMeasure], dialect: Dialect, problems: Problems
) -> dict[str, Floats]:
    """Answers of each measure, shape (n, columns); what is wrong goes to ``problems``."""
    answers = {}
    for name, plan in planned.items():
        columns = cells.measures[name]
        values = np.empty((len(cells), len(columns)), order="F")
        for place, column in enumerate(columns):
            item = plan.items[place] if plan.items else None
            of_word = _numbers(column, item, plan, dialect, problems)
            np.take(of_word, column.text.codes, out=values[:, place], mode="clip")  # without a copy
        answers[name] = values
    return answers


def score_measure(answers: Floats, plan: PlannedMeasure) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Score columns of one measure, n rows, and what a reader has to know about them."""
    measure = plan.measure
    findings = (*_status_findings(measure, from_items=bool(plan.items)), *_form_findings(plan))
    if not plan.items:
        message = (
            f"The totals of {measure.label} are used as they are. The study file names no items, so the "
            "package could not check how they were scored."
        )
        if plan.points != 1:
            given, counts = ("means", "sums") if plan.block.total_is == "mean" else ("sums", "means")
            message += (
                f" The table has {given} of the items. They are multiplied by {plan.points:g}, "
                f"because the instrument uses {counts}."
            )
        return pd.DataFrame({measure.name: answers[:, 0]}), (
            *findings,
            Finding("total_as_given", "info", message, measure.name),
        )
    columns, unscored, completed = _scored(answers, plan)
    if unscored.any():
        filled = int(np.sum(~np.isnan(answers).all(axis=1)))
        findings += _unscored_findings(plan, int(unscored.sum()), filled)
    if completed.any():
        message = say(
            "{n:noun} of {measure} had unanswered items, which were filled by the instrument's "
            "rule for unanswered items ({rule}).",
            n=Count(int(completed.sum()), "form"),
            measure=measure.label,
            rule=_rule_in_words(plan.rule),
        )
        findings += (Finding("completed_forms", "info", message, measure.name),)
    return columns, (*findings, *_key_findings(answers, plan))


def _scored(
    answers: Floats, plan: PlannedMeasure
) -> tuple[pd.DataFrame, NDArray[np.bool_], NDArray[np.bool_]]:
    """Score columns, which forms could not be scored, and which had unanswered items filled in."""
    name, scale = plan.measure.name, plan.block.scale
    if scale is None:
        scores = score(answers, plan.form, entry=plan.block.entry, missing=plan.rule)
        columns = {name: scores.total}
        columns |= {f"{name}_{part}": values for part, values in scores.subscales.items()}
        return pd.DataFrame(columns), scores.unscored, scores.completed
    whole = _whole_form(answers, plan)
    values = score(whole, plan.form, entry=plan.block.entry, missing=plan.rule).subscales[scale]
    own = whole[:, [item - 1 for item in plan.form.subscales[scale]]]
    is_open = np.isnan(own)
    scored = ~np.isnan(values)
    return pd.DataFrame({name: values}), ~is_open.all(axis=1) & ~scored, scored & is_open.any(axis=1)


def _whole_form(answers: Floats, plan: PlannedMeasure) -> Floats:
    """The answers in the place of their items in the whole questionnaire; items without a column are open."""
    if len(plan.items) == plan.form.n_items:
        return answers
    whole = np.full((len(answers), int(plan.form.n_items or 0)), np.nan, order="F")
    whole[:, [item - 1 for item in plan.items]] = answers
    return whole


def _form_findings(plan: PlannedMeasure) -> tuple[Finding, ...]:
    form = plan.block.form
    if form is None or form == plan.block.rater:
        return ()
    message = (
        f"{plan.measure.label} is the {form} form, filled in by the "
        f"{plan.block.rater.replace('_', ' ')}. Scoring key, cut-offs and norms are those of the "
        f"{form} form."
    )
    return (Finding("form_of_another_rater", "caution", message, plan.measure.name),)


def _numbers(
    column: Column, item: int | None, plan: PlannedMeasure, dialect: Dialect, problems: Problems
) -> Floats:
    """The number that each word of a column stands for: item number ``item``, or (None) a total."""
    instrument = plan.form if item is not None else plan.measure.instrument
    of_word, bad_word = dialect.numbers(_each_word(column.text))
    if item is not None:
        outside_word = outside_range(of_word, instrument, item, entry=plan.block.entry)
        what = f"items: {range_in_words(instrument)}"
    else:
        low, high = (limit / plan.points for limit in instrument.total_range or (-np.inf, np.inf))
        slack = (
            1e-9 * max(abs(low), abs(high), 1.0) if np.isfinite([low, high]).all() else 0.0
        )  # of the division
        outside_word = (of_word < low - slack) | (of_word > high + slack)
        what = (
            f"the total: {low:g} to {high:g}"
            if plan.points == 1
            else f"the mean of the items: {low:g} to {high:g}"
        )
        if plan.block.total_is == "sum":
            what = f"the sum of the items: {low:g} to {high:g}"
    wrong = bad_word | outside_word
    if wrong.any() and (wrong & column.text.occurring()).any():
        codes = column.text.codes
        problems.add_cells(
            "not_a_number",
            column,
            bad_word[codes],
            f"a value of {instrument.label} is not a number.",
            number_remedy(dialect),
        )
        problems.add_cells(
            "out_of_range",
            column,
            outside_word[codes],
            f"a value is outside the range of {instrument.label} ({what}).",
            "correct it, or list missing codes under 'dialect: missing'; a version with another response format or "
            "total needs an instrument file of its own." + _mean_hint(plan, of_word[outside_word], item),
        )
    return np.where(outside_word, np.nan, of_word if item is not None else of_word * plan.points)


def _mean_hint(plan: PlannedMeasure, outside: Floats, item: int | None) -> str:
    """What to write if the values outside would be item means."""
    form = plan.form
    if item is not None or plan.block.total_is is not None or plan.measure.instrument.total_rule != "sum":
        return ""
    if form.response_min is None or form.response_max is None or not len(outside):
        return ""
    fits = (outside >= form.response_min) & (outside <= form.response_max)
    return (
        " If the column holds means of the items, write 'total_is: mean' below the measure."
        if fits.all()
        else ""
    )


def _each_word(text: Texts) -> Texts:
    """The distinct words of ``text``, once each."""
    return Texts(np.arange(len(text.words), dtype=np.int32), text.words)


def _status_findings(measure: Measure, *, from_items: bool) -> tuple[Finding, ...]:
    instrument = measure.instrument
    if instrument.status == "verified":
        return ()
    parts = []
    for mark, words in (("memory", "Without a source yet"), ("unknown", "Not known")):
        facts = [f for f in instrument.facts_marked(mark) if from_items or not f.startswith(_ITEM_FACTS)]
        if facts:
            parts.append(f"{words}: {', '.join(facts)}")
    message = (
        f"The definition of {instrument.label} was not fully checked against the manual (status "
        f"{instrument.status!r}). Compare it with your manual before you rely on single scores."
    )
    if parts:
        message += f" {'. '.join(parts)}."
    return (Finding("instrument_status", "caution", message, measure.name),)


#: How the names of facts begin that do not matter to a total taken as given.
_ITEM_FACTS = (
    "reverse key",
    "recoded items",
    "missing-item rule",
    "response range",
    "subscale",
    "derived scale",
)


def _unscored_findings(plan: PlannedMeasure, unscored: int, filled: int) -> tuple[Finding, ...]:
    if not unscored:
        return ()
    rule = plan.rule
    message = say(
        "{unscored} of {filled:noun} of {measure} have unanswered items and therefore no score ({rule}).",
        unscored=Count(unscored, "form"),
        filled=Count(filled, "form"),
        measure=plan.measure.label,
        rule=_rule_in_words(rule),
    )
    if rule.how == "unknown" or (rule.max_missing is None and rule.how != "complete_only"):
        message += (
            " If your manual has a rule, give it in the study file, such as "
            "'missing: {rule: mean_of_answered, max_missing: 2}' below the measure."
        )
    return (Finding("unscored_forms", "caution", message, plan.measure.name),)


def _rule_in_words(rule: MissingRule) -> str:
    if rule.how == "unknown":
        return "the instrument file has no rule for unanswered items, so only complete forms are scored"
    if rule.how == "complete_only":
        return "only complete forms are scored"
    if rule.max_missing is None:
        return (
            "the instrument file does not say how many items may be unanswered, so only complete forms "
            "are scored"
        )
    mean = (
        "rounded mean of the subscale"
        if rule.how == "subscale_mean_rounded"
        else "mean of the answered items"
    )
    return f"{mean}, at most {rule.max_missing} unanswered"


def _key_findings(answers: Floats, plan: PlannedMeasure) -> tuple[Finding, ...]:
    """Whether the reversed items run with the others as they should under the declared entry."""
    if len(plan.items) != plan.form.n_items:
        return ()
    doubtful = doubtful_reversals(answers, plan.form, plan.block.entry == "raw")
    if not doubtful:
        return ()
    other = "prescored" if plan.block.entry == "raw" else "raw"
    message = (
        f"In {plan.measure.label}, items {', '.join(map(str, doubtful))} correlate negatively with "
        "the other items after scoring. They may have been reversed twice, or not at all. If so, "
        f"write 'entry: {other}' below the measure."
    )
    return (Finding("reverse_key_doubt", "caution", message, plan.measure.name),)


def doubtful_reversals(answers: Floats, instrument: Instrument, raw: bool) -> list[int]:
    """Reversed items that correlate negatively with the sum of the never reversed ones, once scored.

    Empty unless there are enough complete forms and most of the reversed items disagree: a single weak item
    is the instrument's business, a whole key that runs the wrong way is the export's.
    """
    if not instrument.reverse:
        return []
    complete = answers[~np.isnan(answers).any(axis=1)]
    if len(complete) < ENOUGH_FORMS:
        return []
    scored = reverse(complete, instrument) if raw else complete
    columns = np.array(instrument.reverse) - 1
    others = np.delete(scored, columns, axis=1).sum(axis=1)
    centred = scored[:, columns] - scored[:, columns].mean(axis=0)
    against = centred.T @ (others - others.mean()) < 0
    return [int(c) + 1 for c in columns[against]] if against.mean() > 0.5 else []
