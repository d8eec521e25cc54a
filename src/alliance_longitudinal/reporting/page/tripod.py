"""The 22 items of TRIPOD, for reports that predict: what the report has of them, and what the authors still have to say.

TRIPOD: Collins et al. (2015), doi 10.7326/M14-0697, for the development of a model with internal validation. The items are given in
short words of our own. Items on external validation say that there is none.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from alliance_longitudinal.reporting.page.items import Item, author, here, in_flow, of_file, tables

#: Name of the table that a report which predicts has.
TABLE = "tripod"
_INTERNAL = "Internal validation on the same data; there is no external one."


def predicts(results: Mapping[str, Any]) -> bool:
    """Whether a report makes a prediction model."""
    return any(table["name"] == TABLE for table in results["tables"])


def tripod_items(results: Mapping[str, Any], stated: Mapping[str, str]) -> Iterator[Item]:
    """The items of TRIPOD in their order."""
    yield from _before(results, stated)
    yield from _methods()
    yield from _results(results)
    yield from _after(stated)


def _before(results: Mapping[str, Any], stated: Mapping[str, str]) -> Iterator[Item]:
    asked = _own_words(results)
    yield author("1", "Title", "That a prediction model is developed, for whom and of which outcome")
    yield author("2", "Abstract", "A summary of all parts")
    yield author("3a", "Background", "The use of the model, and earlier models")
    yield here(
        "3b", "Objectives", "Whether a model is developed, validated or both", f"Both. {_INTERNAL}", "methods"
    )
    yield here("4a", "Source of data", "Design, or where the data are from", asked, "checks")
    yield of_file("4b", "Dates", "Start and end of recruitment, end of follow-up", stated, "dates")
    yield of_file("5a", "Setting", "Kind, number and place of services", stated, "setting")
    yield of_file("5b", "Eligibility", "Who could take part", stated, "eligibility")
    yield author("5c", "Treatments", "Which treatments were given")
    yield here("6a", "Outcome", "What is predicted, how and when it is assessed", asked, "checks")
    yield author("6b", "Blinding", "Whether those who rated the outcome knew the predictors")
    yield here("7a", "Predictors", "Each predictor, how and when it is measured", asked, "checks")
    yield author("7b", "Blinding", "Whether those who rated predictors knew the outcome")
    yield here("8", "Sample size", "How the size of the study arose", asked, "checks")
    yield here("9", "Missing data", "How they were handled", asked, "checks")


def _methods() -> Iterator[Item]:
    yield here("10a", "Predictors in the model", "How they entered", "Methods", "methods")
    yield here("10b", "Model", "Its kind, how it was built, internal validation", "Methods", "methods")
    yield here("10c", "Predictions in a validation", "How they were computed", "Methods", "methods")
    yield here("10d", "Performance", "The measures, and comparison of models", "Methods", "methods")
    yield here("10e", "Updating", "Changes after a validation", "None: the model is not updated.", "methods")
    yield here("11", "Risk groups", "How they were made", "The band of the warning: Methods", "methods")
    yield here("12", "Development and validation", "How their data differ", _INTERNAL, "methods")


def _results(results: Mapping[str, Any]) -> Iterator[Item]:
    yield in_flow("13a", "Participants", "The flow, with and without the outcome", results)
    sample = tables(results, "sample")
    asks = "Characteristics, and missing values"
    if sample:
        yield here("13b", "Characteristics", asks, sample[0]["title"], "sample")
    else:
        yield Item("13b", "Characteristics", asks, "missing", "This report has no table of its sample.")
    yield here("13c", "Comparison", "Validation data compared with development data", _INTERNAL, "methods")
    yield here("14a", "Numbers", "Participants and events in each analysis", "Results", "results")
    yield author(
        "14b", "Single predictors", "Associations without adjustment, if wanted", "This report has none."
    )
    yield here(
        "15a",
        "The full model",
        "All coefficients, so that others can predict",
        "Results: the models",
        "results",
    )
    yield here(
        "15b",
        "Use",
        "How to use the model",
        "Set the parameter client to show one client's course.",
        "methods",
    )
    yield here("16", "Performance", "With intervals", "Results", "results")
    yield here("17", "Updating", "Results of an updated model", "None: the model is not updated.", "methods")


def _after(stated: Mapping[str, str]) -> Iterator[Item]:
    yield here(
        "18",
        "Limitations",
        "Sample, events per predictor, missing data",
        "Checks and findings; Limits",
        "limits",
    )
    yield author("19a", "Validation", "Performance compared with that in the development data", _INTERNAL)
    yield author("19b", "Interpretation", "Results in the light of other evidence")
    yield author("20", "Implications", "Use in practice, and further research")
    yield here("21", "Supplement", "Protocol, calculator, data", "Provenance", "provenance")
    yield of_file("22", "Funding", "Who funded the study, and the funder's role", stated, "funding")


def _own_words(results: Mapping[str, Any]) -> str:
    return f"Table: {next(t['title'] for t in results['tables'] if t['name'] == TABLE)}"
