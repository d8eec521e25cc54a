"""The reporting checklist: where this report gives each item of STROBE and RECORD, and what the authors still have to say.

STROBE: von Elm et al. (2007), doi 10.1371/journal.pmed.0040296, for cohort studies. RECORD: Benchimol et al. (2015),
doi 10.1371/journal.pmed.1001885, for routinely collected data. The items are given here in short words of our own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["here", "stated", "missing", "author"]
WORDS: dict[State, str] = {
    "here": "In this report",
    "stated": "In the study file",
    "missing": "Not stated",
    "author": "For the authors",
}
_COLUMNS = (
    ("item", "Item"),
    ("topic", "Topic"),
    ("asks", "What to report"),
    ("state", "State"),
    ("where", "Where, or what"),
)


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its number, what it asks for, and what this report has of it.

    Attributes
    ----------
    number, topic, asks : str
    state : {"here", "stated", "missing", "author"}
    where : str
        The place in the report, what the study file states, or what to add.
    anchor : str
        The section of the page; empty if there is none.
    """

    number: str
    topic: str
    asks: str
    state: State
    where: str
    anchor: str = ""


def checklist(
    results: Mapping[str, Any], stated: Mapping[str, str], plan: Mapping[str, Any] | None = None
) -> list[Item]:
    """The items of STROBE, then those that RECORD adds.

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
    ]


def checklist_table(items: Sequence[Item]) -> dict[str, Any]:
    """The checklist in the form of a table of ``results.json``."""
    return {
        "name": "checklist",
        "title": "Reporting checklist (STROBE for cohort studies, with RECORD for routine data)",
        "columns": [{"key": key, "label": label, "kind": "text"} for key, label in _COLUMNS],
        "rows": [[i.number, i.topic, i.asks, WORDS[i.state], i.where] for i in items],
        "note": "",
    }


def _before(
    results: Mapping[str, Any], stated: Mapping[str, str], plan: Mapping[str, Any] | None
) -> Iterator[Item]:
    yield _here(
        "1", "Title and abstract", "The design, and what was done and found", "Title and answer", "answer"
    )
    yield _author("2", "Background", "The reasons for the study, with the literature")
    hypotheses = list(plan["hypotheses"]) if plan is not None else []
    told = f"Question: {results['question']}" + "".join(f" Hypothesis: {h}" for h in hypotheses)
    yield Item("3", "Objectives", "Objectives and hypotheses set before", "here", told)
    yield _here("4", "Study design", "The main features of the design", "Methods", "methods")
    yield _of_file(
        "5",
        "Setting",
        "Places, and dates of recruitment, follow-up and data collection",
        stated,
        "setting",
        "dates",
    )


def _methods(results: Mapping[str, Any], stated: Mapping[str, str]) -> Iterator[Item]:
    yield _of_file(
        "6", "Participants", "Who could take part, and how they were followed", stated, "eligibility"
    )
    facts = [
        f"{label}: {value}"
        for label, value in results["facts"]
        if label in ("Alliance", "Outcome", "Measures")
    ]
    where = "; ".join(facts) or "Methods"
    yield _here("7", "Variables", "Outcomes, predictors, confounders and moderators", where, "methods")
    yield _here("8", "Data sources", "How each variable was measured, and by whom", where, "methods")
    yield _of_file("9", "Bias", "What was done about likely sources of bias", stated, "bias")
    yield _in_flow("10", "Study size", "How the size of the study arose", results)
    yield _here("11", "Quantitative variables", "How numbers were handled and grouped", "Methods", "methods")
    more = "Methods; Sensitivity" if _tables(results, "sensitivity") else "Methods"
    yield _here("12", "Statistical methods", "Models, missing data, losses, sensitivity", more, "methods")


def _results(results: Mapping[str, Any]) -> Iterator[Item]:
    yield _in_flow(
        "13", "Participants", "How many were there at each stage, and why others were not", results
    )
    sample = _tables(results, "sample")
    asks = "Characteristics of those who took part, and missing values"
    if sample:
        yield _here("14", "Descriptive data", asks, sample[0]["title"], "sample")
    else:
        yield Item("14", "Descriptive data", asks, "missing", "This report has no table of its sample.")
    yield _here(
        "15",
        "Outcome data",
        "Numbers and summaries of the outcome over time",
        "Who is in the analysis",
        "sample",
    )
    if results["estimates"]:
        yield _here(
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
    if _tables(results, "sensitivity"):
        yield _here(
            "17", "Other analyses", "Subgroups, interactions, sensitivity", "Sensitivity", "sensitivity"
        )
    else:
        yield _author("17", "Other analyses", "Subgroups, interactions, sensitivity", "This report has none.")


def _after(results: Mapping[str, Any], stated: Mapping[str, str]) -> Iterator[Item]:
    yield _here("18", "Key results", "The answer to the question", "The answer", "answer")
    if results["limits"] or results["findings"]:
        yield _here(
            "19",
            "Limitations",
            "Bias, imprecision, and in which direction",
            "Checks and findings; Limits",
            "limits",
        )
    else:
        yield _author("19", "Limitations", "Bias, imprecision, and in which direction")
    yield _author("20", "Interpretation", "A cautious reading beside other evidence")
    yield _author("21", "Generalisability", "To whom the results apply")
    yield _of_file("22", "Funding", "Who funded the study, and the funder's role", stated, "funding")


def _record(results: Mapping[str, Any], stated: Mapping[str, str]) -> Iterator[Item]:
    yield _of_file(
        "RECORD 1",
        "Kind of data",
        "The database, region and time, in title or abstract",
        stated,
        "setting",
        "dates",
    )
    yield _in_flow(
        "RECORD 13",
        "Selection",
        "How people were selected from the records, by quality and availability",
        results,
    )
    yield _here(
        "RECORD 12", "Cleaning", "How data were accessed, linked and cleaned", "Checks and findings", "checks"
    )
    yield _of_file(
        "RECORD 22",
        "Access",
        "Protocol, data and code",
        stated,
        "data_access",
        "registration",
        also="Code and versions: Provenance.",
    )
    yield _of_file("Ethics", "Approval", "Approval and consent", stated, "ethics")


def _here(number: str, topic: str, asks: str, where: str, anchor: str) -> Item:
    return Item(number, topic, asks, "here", where, anchor)


def _author(number: str, topic: str, asks: str, where: str = "Write it in your paper.") -> Item:
    return Item(number, topic, asks, "author", where)


def _in_flow(number: str, topic: str, asks: str, results: Mapping[str, Any]) -> Item:
    where = "Who is in the analysis: the sample flow" if results["flow"] else "Who is in the analysis"
    return _here(number, topic, asks, where, "sample")


def _of_file(
    number: str, topic: str, asks: str, stated: Mapping[str, str], *keys: str, also: str = ""
) -> Item:
    """An item that only the study file can answer; what is missing is named by its key."""
    told = [stated[key] for key in keys if key in stated]
    missing = [key for key in keys if key not in stated]
    add = (
        f"Add to the study file: reporting: {{{', '.join(f'{key}: ...' for key in missing)}}}"
        if missing
        else ""
    )
    where = " ".join(filter(None, [*told, also, add]))
    return Item(number, topic, asks, "stated" if not missing else "missing", where)


def _tables(results: Mapping[str, Any], section: str) -> list[Mapping[str, Any]]:
    return [table for table in results["tables"] if table["section"] == section]
