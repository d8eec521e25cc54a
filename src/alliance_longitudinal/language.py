"""The language of a report. English stands in the code; another language is one file of translations, keyed by the English text.

``languages/de.json`` has ``texts`` (sentence templates and other words), ``nouns`` (singular and plural), ``decimal`` (the decimal
mark) and ``analyses`` (those whose sentences are all there). A text without a translation stays English.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

from alliance_longitudinal.errors import UsageError

#: Environment variable that chooses the language of this process.
VARIABLE = "ALLIANCE_LANGUAGE"
ENGLISH = "en"
_FOLDER = Path(__file__).with_name("languages")
#: The language of this thread alone, where it has one.
_HERE: ContextVar[str | None] = ContextVar("language", default=None)


def language() -> str:
    """The language in use, such as ``en`` or ``de``."""
    return _HERE.get() or os.environ.get(VARIABLE) or ENGLISH


def languages() -> tuple[str, ...]:
    """All that there are, English first."""
    return (ENGLISH, *sorted(path.stem for path in _FOLDER.glob("*.json")))


def check_language(wanted: str) -> str:
    """The language, if there is one of this name.

    Raises
    ------
    UsageError
        If there is none.
    """
    if wanted not in languages():
        raise UsageError(
            f"There is no language {wanted!r} for reports. Choose from: {', '.join(languages())}."
        )
    return wanted


@contextmanager
def in_language(wanted: str) -> Iterator[None]:
    """Make results and pages in a language.

    Examples
    --------
    >>> with in_language("de"):
    ...     translated("Results")
    'Ergebnisse'
    """
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = check_language(wanted)
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


@contextmanager
def in_language_here(wanted: str) -> Iterator[None]:
    """The same in this thread only, and not in the processes that are started meanwhile.

    Examples
    --------
    >>> with in_language_here("de"):
    ...     translated("Results")
    'Ergebnisse'
    """
    before = _HERE.set(check_language(wanted))
    try:
        yield
    finally:
        _HERE.reset(before)


@cache
def catalogue(wanted: str) -> Mapping[str, Any]:
    """The translations of a language other than English."""
    content: dict[str, Any] = json.loads(
        (_FOLDER / f"{check_language(wanted)}.json").read_text(encoding="utf-8")
    )
    return content


def translated(text: str) -> str:
    """A text or template in the language in use; as it is where there is no translation."""
    return text if language() == ENGLISH else str(catalogue(language())["texts"].get(text, text))


def tell(template: str, **values: object) -> str:
    """A template in the language in use, with its values.

    Examples
    --------
    >>> tell("Mean of {k} clinics", k=4)
    'Mean of 4 clinics'
    """
    return translated(template).format(**values)


def is_known(text: str) -> bool:
    """Whether a text or template is there in the language in use."""
    return language() == ENGLISH or text in catalogue(language())["texts"]


def noun(one: str, many: str, *, single: bool) -> str:
    """The form of a noun that agrees with a number."""
    if language() != ENGLISH:
        forms = catalogue(language())["nouns"].get(one)
        if forms is not None:
            return str(forms[0 if single else 1])
    return one if single else many or f"{one}s"


def decimal_mark(text: str) -> str:
    """A number that was written with a point, as it is written in the language in use."""
    return text if language() == ENGLISH else text.replace(".", str(catalogue(language())["decimal"]))


def is_translated(analysis: str) -> bool:
    """Whether all sentences of an analysis are in the language in use."""
    return language() == ENGLISH or analysis in catalogue(language())["analyses"]
