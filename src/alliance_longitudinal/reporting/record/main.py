"""The main estimate of a report, as its analysis declares it or its plan names it."""

from collections.abc import Mapping
from typing import Any


def main_of(results: Mapping[str, Any], wanted: str = "") -> Mapping[str, Any] | None:
    """The main estimate in ``results.json``; None if the report does not have it.

    Parameters
    ----------
    results : mapping
        Those of an earlier version of this package do not say which estimate is the main one; then it is the first.
    wanted : str
        Id of the estimate that a plan names.

    Examples
    --------
    >>> results = {"estimates": [{"id": "aic"}, {"id": "late"}], "main_estimate": "late"}
    >>> main_of(results)
    {'id': 'late'}
    >>> main_of(results, wanted="slope") is None
    True
    """
    estimates = results["estimates"]
    if not wanted and "main_estimate" not in results:
        return next(iter(estimates), None)
    identity = wanted or results["main_estimate"]
    return next((e for e in estimates if e["id"] == identity), None)
