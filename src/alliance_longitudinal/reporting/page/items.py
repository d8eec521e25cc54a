"""One item of a reporting checklist, and the ways to answer it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["here", "stated", "missing", "author"]
WORDS: dict[State, str] = {
    "here": "In this report",
    "stated": "In the study file",
    "missing": "Not stated",
    "author": "For the authors",
}


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


def here(number: str, topic: str, asks: str, where: str, anchor: str) -> Item:
    """An item that the report answers, at a section of the page."""
    return Item(number, topic, asks, "here", where, anchor)


def author(number: str, topic: str, asks: str, where: str = "Write it in your paper.") -> Item:
    """An item that only the authors can write."""
    return Item(number, topic, asks, "author", where)


def in_flow(number: str, topic: str, asks: str, results: Mapping[str, Any]) -> Item:
    """An item that the sample flow answers."""
    where = "Who is in the analysis: the sample flow" if results["flow"] else "Who is in the analysis"
    return here(number, topic, asks, where, "sample")


def of_file(
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


def tables(results: Mapping[str, Any], section: str) -> list[Mapping[str, Any]]:
    """The tables of a section."""
    return [table for table in results["tables"] if table["section"] == section]
