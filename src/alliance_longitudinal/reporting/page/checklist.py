"""The reporting checklist: where this report gives each item of STROBE and RECORD, and what the authors still have to say.

STROBE: von Elm et al. (2007), doi 10.1371/journal.pmed.0040296, for cohort studies. RECORD: Benchimol et al. (2015),
doi 10.1371/journal.pmed.1001885, for routinely collected data; TRIPOD in `tripod.py`. The items are given here in short words of our own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from alliance_longitudinal.language import translated
from alliance_longitudinal.reporting.page.items import WORDS, Item, author, here, in_flow, of_file, tables
from alliance_longitudinal.reporting.page.tripod import predicts, tripod_items

_COLUMNS = (
    ("item", "Item"),
    ("topic", "Topic"),
    ("asks", "What to report"),
    ("state", "State"),
    ("where", "Where, or what"),
)


def checklist(
    results: Mapping[str, Any], stated: Mapping[str, str], plan: Mapping[str, Any] | None = None
) -> list[Item]:
    """The items of STROBE, then those that RECORD adds, and those of TRIPOD where the report predicts.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.
    stated : mapping
        The block ``reporting`` of the study file.
    plan : mapping, optional
        The record of the plan.
    """
    return [
        *_before(results, stated, plan),
        *_methods(results, stated),
        *_results(results),
        *_after(results, stated),
        *_record(results, stated),
        *(replace(i, number=f"TRIPOD {i.number}") for i in _tripod(results, stated)),
    ]


def _tripod(results: Mapping[str, Any], stated: Mapping[str, str]) -> Iterator[Item]:
    if predicts(results):
        yield from tripod_items(results, stated)


def checklist_table(items: Sequence[Item]) -> dict[str, Any]:
    """The checklist in the form of a table of ``results.json``."""
    return {
        "name": "checklist",
        "title": f"Reporting checklist (STROBE for cohort studies, {', '.join(_more(items))})",
        "columns": [{"key": key, "label": label, "kind": "text"} for key, label in _COLUMNS],
        "rows": [[i.number, i.topic, i.asks, WORDS[i.state], i.where] for i in items],
        "note": "",
    }


def _more(items: Sequence[Item]) -> Iterator[str]:
    yield "RECORD for routine data"
    if any(i.number.startswith("TRIPOD") for i in items):
        yield "TRIPOD for prediction models"


def _before(
    results: Mapping[str, Any], stated: Mapping[str, str], plan: Mapping[str, Any] | None
) -> Iterator[Item]:
    yield here(
        "1", "Title and abstract", "The design, and what was done and found", "Title and answer", "answer"
    )
    yield author("2", "Background", "The reasons for the study, with the literature")
    hypotheses = list(plan["hypotheses"]) if plan is not None else []
    told = f"Question: {results['question']}" + "".join(f" Hypothesis: {h}" for h in hypotheses)
    yield Item("3", "Objectives", "Objectives and hypotheses set before", "here", told)
    yield here("4", "Study design", "The main features of the design", "Methods", "methods")
    yield of_file(
        "5",
        "Setting",
        "Places, and dates of recruitment, follow-up and data collection",
        stated,
        "setting",
        "dates",
    )


def _methods(results: Mapping[str, Any], stated: Mapping[str, str]) -> Iterator[Item]:
    yield of_file(
        "6", "Participants", "Who could take part, and how they were followed", stated, "eligibility"
    )
    facts = [
        f"{label}: {value}"
        for label, value in results["facts"]
        if label in {translated(one) for one in ("Alliance", "Outcome", "Measures")}
    ]
    where = "; ".join(facts) or "Methods"
    yield here("7", "Variables", "Outcomes, predictors, confounders and moderators", where, "methods")
    yield here("8", "Data sources", "How each variable was measured, and by whom", where, "methods")
    yield of_file("9", "Bias", "What was done about likely sources of bias", stated, "bias")
    yield in_flow("10", "Study size", "How the size of the study arose", results)
    yield here("11", "Quantitative variables", "How numbers were handled and grouped", "Methods", "methods")
    more = "Methods; Sensitivity" if tables(results, "sensitivity") else "Methods"
    yield here("12", "Statistical methods", "Models, missing data, losses, sensitivity", more, "methods")


def _results(results: Mapping[str, Any]) -> Iterator[Item]:
    yield in_flow("13", "Participants", "How many were there at each stage, and why others were not", results)
    sample = tables(results, "sample")
    asks = "Characteristics of those who took part, and missing values"
    if sample:
        yield here("14", "Descriptive data", asks, sample[0]["title"], "sample")
    else:
        yield Item("14", "Descriptive data", asks, "missing", "This report has no table of its sample.")
    yield here(
        "15",
        "Outcome data",
        "Numbers and summaries of the outcome over time",
        "Who is in the analysis",
        "sample",
    )
    if results["estimates"]:
        yield here(
            "16",
            "Main results",
            "Estimates with intervals, and what they are adjusted for",
            "Results",
            "results",
        )
    else:
        yield Item(
            "16",
            "Main results",
            "Estimates with intervals",
            "missing",
            "The data were too few for an estimate.",
        )
    if tables(results, "sensitivity"):
        yield here(
            "17", "Other analyses", "Subgroups, interactions, sensitivity", "Sensitivity", "sensitivity"
        )
    else:
        yield author("17", "Other analyses", "Subgroups, interactions, sensitivity", "This report has none.")


def _after(results: Mapping[str, Any], stated: Mapping[str, str]) -> Iterator[Item]:
    yield here("18", "Key results", "The answer to the question", "The answer", "answer")
    if results["limits"] or results["findings"]:
        yield here(
            "19",
            "Limitations",
            "Bias, imprecision, and in which direction",
            "Checks and findings; Limits",
            "limits",
        )
    else:
        yield author("19", "Limitations", "Bias, imprecision, and in which direction")
    yield author("20", "Interpretation", "A cautious reading in the light of other evidence")
    yield author("21", "Generalisability", "To whom the results apply")
    yield of_file("22", "Funding", "Who funded the study, and the funder's role", stated, "funding")


def _record(results: Mapping[str, Any], stated: Mapping[str, str]) -> Iterator[Item]:
    """The 13 items that RECORD adds."""
    linked = "Write it in your paper, if databases were linked."
    yield of_file(
        "RECORD 1.1", "Kind of data", "Kind and name of the database, in title or abstract", stated, "setting"
    )
    yield of_file(
        "RECORD 1.2", "Place and time", "Region and period, in title or abstract", stated, "setting", "dates"
    )
    yield author("RECORD 1.3", "Linkage", "That databases were linked, in title or abstract", linked)
    yield of_file(
        "RECORD 6.1", "Selection", "Codes and rules by which people were selected", stated, "eligibility"
    )
    yield author("RECORD 6.2", "Validity", "Studies that validated these codes or rules")
    yield in_flow("RECORD 6.3", "Linkage", "A diagram of who was linked at each stage", results)
    yield here(
        "RECORD 7.1", "Codes", "Codes and rules of outcomes, predictors, confounders", "Methods", "methods"
    )
    yield of_file(
        "RECORD 12.1", "Access", "How far the authors had access to the database", stated, "data_access"
    )
    yield here("RECORD 12.2", "Cleaning", "How the data were cleaned", "Checks and findings", "checks")
    yield author("RECORD 12.3", "Linkage", "Whether and how data were linked, and how well", linked)
    yield in_flow(
        "RECORD 13.1", "Selection", "Selection by quality, availability and linkage of data", results
    )
    yield author(
        "RECORD 19.1",
        "Limitations",
        "What follows from data that were not collected for this question",
        "Add misclassification, unmeasured confounders, missing data and changes over time to the limits of this report.",
    )
    yield of_file(
        "RECORD 22.1",
        "Availability",
        "Protocol, data and code",
        stated,
        "data_access",
        "registration",
        also="Code and versions: Provenance.",
    )
    yield of_file("Also", "Approval", "Approval and consent", stated, "ethics")
