"""The answers and totals of the measures: parsed, held against the instrument's range, and scored."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.data.dialect import Dialect
from alliance_longitudinal.data.keys import number_remedy
from alliance_longitudinal.data.layout import SessionCells
from alliance_longitudinal.data.problems import Column, Problems
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.data.study_file import MeasureBlock
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.measures.instrument import Instrument, MissingRule
from alliance_longitudinal.measures.score import outside_range, range_in_words, reverse, score

Floats = NDArray[np.float64]

ENOUGH_FORMS = 30  # complete forms from which the direction of the items can be judged


@dataclass(frozen=True, slots=True)
class PlannedMeasure:
    """A measure and the block of the study file that it comes from."""

    measure: Measure
    block: MeasureBlock
    headers: tuple[str, ...]

    @property
    def rule(self) -> MissingRule:
        """The missing-item rule that holds: the study's own, else the instrument's."""
        own = self.block.missing
        return MissingRule(own.rule, own.max_missing) if own else self.measure.instrument.missing


def read_answers(
    cells: SessionCells, planned: Mapping[str, PlannedMeasure], dialect: Dialect, problems: Problems
) -> dict[str, Floats]:
    """Answers of each measure, shape (n, items) or (n, 1) for a total; what is wrong goes to ``problems``."""
    return {
        name: np.column_stack(
            [
                _numbers(column, item, plan, dialect, problems)
                for item, column in enumerate(cells.measures[name], start=1)
            ]
        )
        for name, plan in planned.items()
    }


def score_measure(answers: Floats, plan: PlannedMeasure) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Score columns of one measure, n rows, and what a reader has to know about them."""
    measure, instrument = plan.measure, plan.measure.instrument
    findings = _status_findings(measure, from_items=plan.block.items is not None)
    if plan.block.items is None:
        message = (
            f"The totals of {measure.label} are taken as given; their items and keys could not be checked."
        )
        return pd.DataFrame({measure.name: answers[:, 0]}), (
            *findings,
            Finding("total_as_given", "info", message, measure.name),
        )
    scores = score(answers, instrument, entry=plan.block.entry, missing=plan.rule)
    columns = {measure.name: scores.total}
    columns |= {f"{measure.name}_{scale}": values for scale, values in scores.subscales.items()}
    findings += _unscored_findings(
        plan, int(scores.unscored.sum()), int(np.sum(~np.isnan(answers).all(axis=1)))
    )
    if scores.completed.any():
        message = (
            f"{int(scores.completed.sum())} forms of {measure.label} had unanswered items that the missing-item rule "
            f"filled ({_rule_in_words(plan.rule)})."
        )
        findings += (Finding("completed_forms", "info", message, measure.name),)
    return pd.DataFrame(columns), (*findings, *_key_findings(answers, plan))


def _numbers(column: Column, item: int, plan: PlannedMeasure, dialect: Dialect, problems: Problems) -> Floats:
    """One column of a measure: item number ``item``, or its total."""
    instrument = plan.measure.instrument
    values, bad = dialect.numbers(column.text)
    problems.add_cells(
        "not_a_number", column, bad, f"a value of {instrument.label} is not a number.", number_remedy(dialect)
    )
    if plan.block.items is not None:
        outside = outside_range(values, instrument, item, entry=plan.block.entry)
        what = f"items: {range_in_words(instrument)}"
    else:
        low, high = instrument.total_range or (-np.inf, np.inf)
        outside = (values < low) | (values > high)
        what = f"the total: {low:g} to {high:g}"
    problems.add_cells(
        "out_of_range",
        column,
        outside,
        f"a value is outside the range of {instrument.label} ({what}).",
        "correct it, or list missing codes under 'dialect: missing'; a version with another response format or "
        "total needs an instrument file of its own.",
    )
    return np.where(outside, np.nan, values)


def _status_findings(measure: Measure, *, from_items: bool) -> tuple[Finding, ...]:
    instrument = measure.instrument
    if instrument.status == "verified":
        return ()
    parts = []
    for mark, words in (("memory", "rest on memory"), ("unknown", "are not known")):
        facts = [f for f in instrument.facts_marked(mark) if from_items or not f.startswith(_ITEM_FACTS)]
        if facts:
            parts.append(f"{words}: {', '.join(facts)}")
    message = (
        f"The definition of {instrument.label} that scored it was not fully checked against its manual (status "
        f"{instrument.status!r}); compare it with yours before you rely on single scores."
    )
    if parts:
        message += f" Facts that {'; facts that '.join(parts)}."
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
    message = (
        f"{unscored} of {filled} forms of {plan.measure.label} have unanswered items and no total "
        f"({_rule_in_words(rule)})."
    )
    if rule.how == "unknown" or (rule.max_missing is None and rule.how != "complete_only"):
        message += (
            " If your manual has a rule, give it in the study file, such as "
            "'missing: {rule: mean_of_answered, max_missing: 2}' below the measure."
        )
    return (Finding("unscored_forms", "caution", message, plan.measure.name),)


def _rule_in_words(rule: MissingRule) -> str:
    if rule.how == "unknown":
        return "the instrument's missing-item rule is not known to us, so only complete forms are scored"
    if rule.how == "complete_only":
        return "only complete forms are scored"
    if rule.max_missing is None:
        return "how many items may be unanswered is not known to us, so only complete forms are scored"
    mean = (
        "rounded mean of the subscale"
        if rule.how == "subscale_mean_rounded"
        else "mean of the answered items"
    )
    return f"{mean}, at most {rule.max_missing} unanswered"


def _key_findings(answers: Floats, plan: PlannedMeasure) -> tuple[Finding, ...]:
    """Whether the reversed items run with the others as they should under the declared entry."""
    doubtful = doubtful_reversals(answers, plan.measure.instrument, plan.block.entry == "raw")
    if not doubtful:
        return ()
    other = "prescored" if plan.block.entry == "raw" else "raw"
    message = (
        f"In {plan.measure.label}, items {', '.join(map(str, doubtful))} run against the other items after "
        f"scoring. If the form prints already reversed values, or the export does not, write 'entry: {other}'."
    )
    return (Finding("reverse_key_doubt", "caution", message, plan.measure.name),)


def doubtful_reversals(answers: Floats, instrument: Instrument, raw: bool) -> list[int]:
    """Reversed items that correlate negatively with the sum of the never reversed ones, once scored.

    Empty unless there are enough complete forms and most of the reversed items disagree: a single weak item
    is the instrument's business, a whole key that runs the wrong way is the export's.
    """
    complete = answers[~np.isnan(answers).any(axis=1)]
    if not instrument.reverse or len(complete) < ENOUGH_FORMS:
        return []
    scored = reverse(complete, instrument) if raw else complete
    columns = np.array(instrument.reverse) - 1
    others = np.delete(scored, columns, axis=1).sum(axis=1)
    centred = scored[:, columns] - scored[:, columns].mean(axis=0)
    against = centred.T @ (others - others.mean()) < 0
    return [int(c) + 1 for c in columns[against]] if against.mean() > 0.5 else []
