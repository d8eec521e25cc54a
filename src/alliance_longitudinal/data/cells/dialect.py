"""Turns text into numbers and dates exactly as the study file declares, never by guessing.

Each distinct text is parsed once, so that a million rows cost little more than their distinct values.
"""

import datetime
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.data.cells.texts import Texts

DateOrder = Literal["day-first", "month-first", "iso"]
DATE_ORDERS: tuple[DateOrder, ...] = ("day-first", "month-first", "iso")

_CLOCK = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?"
_TIME = rf"(?:[ T]{_CLOCK}(?: ?(?:[AaPp]\.?[Mm]\.?|Z|[+-][0-9]{{2}}(?::?[0-9]{{2}})?))?)?"
_ISO = re.compile(rf"([0-9]{{4}})[-/.]([0-9]{{1,2}})[-/.]([0-9]{{1,2}}){_TIME}")
_YEAR_LAST = re.compile(rf"([0-9]{{1,2}})[-/.]([0-9]{{1,2}})[-/.]([0-9]{{4}}|[0-9]{{2}}){_TIME}")
_MONTHS = {
    "jan": 1, "january": 1, "januar": 1, "jänner": 1, "janvier": 1, "enero": 1, "ene": 1, "januari": 1, "gennaio": 1, "gen": 1,
    "feb": 2, "february": 2, "februar": 2, "février": 2, "févr": 2, "fév": 2, "febrero": 2, "februari": 2, "febbraio": 2,
    "mar": 3, "march": 3, "märz": 3, "mär": 3, "mrz": 3, "mars": 3, "marzo": 3, "maart": 3, "mrt": 3,
    "apr": 4, "april": 4, "avril": 4, "avr": 4, "abril": 4, "abr": 4, "aprile": 4,
    "may": 5, "mai": 5, "mayo": 5, "mei": 5, "maggio": 5, "mag": 5,
    "jun": 6, "june": 6, "juni": 6, "juin": 6, "junio": 6, "giugno": 6, "giu": 6,
    "jul": 7, "july": 7, "juli": 7, "juillet": 7, "juil": 7, "julio": 7, "luglio": 7, "lug": 7,
    "aug": 8, "august": 8, "août": 8, "agosto": 8, "ago": 8, "augustus": 8,
    "sep": 9, "sept": 9, "september": 9, "septembre": 9, "septiembre": 9, "settembre": 9, "set": 9,
    "oct": 10, "october": 10, "okt": 10, "oktober": 10, "octobre": 10, "octubre": 10, "ottobre": 10, "ott": 10,
    "nov": 11, "november": 11, "novembre": 11, "noviembre": 11,
    "dec": 12, "december": 12, "dez": 12, "dezember": 12, "déc": 12, "décembre": 12, "dic": 12, "diciembre": 12,
    "dicembre": 12,
}  # fmt: skip
_BETWEEN = r"[-/. ]{1,2}"
_NAMED_MONTH = re.compile(
    rf"([0-9]{{1,2}})\.?{_BETWEEN}([^\W\d_]{{3,10}})\.?,?{_BETWEEN}([0-9]{{4}}|[0-9]{{2}}){_TIME}"
)
_MONTH_FIRST = re.compile(rf"([^\W\d_]{{3,10}})\.?{_BETWEEN}([0-9]{{1,2}}),?{_BETWEEN}([0-9]{{4}}){_TIME}")
_EXPONENT = r"(?:[eE][+-]?[0-9]+)?"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the tables are written.

    Attributes
    ----------
    separator : str or None
        None = by the file's ending: comma for ``.csv``, tab for ``.tsv`` and ``.txt``.
    decimal, thousands : str, str or None
    encoding : str
    dates : {"day-first", "month-first", "iso"}
        ISO dates (2024-03-31) and those with the month's name (02-Jan-2023) are unambiguous and are read under each order.
    missing : tuple of str
        Texts that mean "nothing", for values; identifiers are only missing when empty.
    """

    separator: str | None = None
    decimal: str = "."
    thousands: str | None = None
    encoding: str = "utf-8"
    dates: DateOrder = "iso"
    missing: tuple[str, ...] = ("", "NA")

    def is_missing(self, text: Texts) -> NDArray[np.bool_]:
        """Which values are empty or a missing code; shape (n,)."""
        numeric = _numeric_codes(self)
        pattern = _number_pattern(self)

        def missing(value: str) -> bool:
            return not value or value in self.missing or _number(value, pattern, self) in numeric

        return text.where(missing)

    def numbers(self, text: Texts) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Numbers, missing where the text is missing or bad, and which values are bad; both (n,)."""
        numeric = _numeric_codes(self)
        pattern = _number_pattern(self)

        def parse(value: str) -> tuple[float, bool]:
            if not value or value in self.missing:
                return np.nan, False
            number = _number(value, pattern, self)
            if number is None:
                return np.nan, True
            return (np.nan, False) if number in numeric else (number, False)

        pairs = [parse(word) for word in text.words]
        values = text.from_words([p[0] for p in pairs], float)
        return np.asarray(values, dtype=float), _flags(text, [p[1] for p in pairs])

    def days(self, text: Texts) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
        """Calendar days (datetime64[D]), NaT where missing or bad, and which values are bad; both (n,)."""

        def parse(value: str) -> tuple[datetime.date | None, bool]:
            if not value or value in self.missing:
                return None, False
            day = _day(value, self.dates)
            return day, day is None

        pairs = [parse(word) for word in text.words]
        values = text.from_words([p[0] for p in pairs], "datetime64[D]")
        return np.asarray(values, dtype="datetime64[D]"), _flags(text, [p[1] for p in pairs])

    def is_number(self, word: str) -> bool:
        """Whether a text is a number as the tables write it."""
        return _number(word, _number_pattern(self), self) is not None

    def orders_that_read(self, text: Texts) -> list[DateOrder]:
        """Date orders under which every value that is not missing is a date."""
        values = [v for v in text.present() if v and v not in self.missing]
        return [order for order in DATE_ORDERS if values and all(_day(v, order) for v in values)]


def _flags(text: Texts, bad: list[bool]) -> NDArray[np.bool_]:
    """Which texts have a bad word, shape (n,); most often none, and then at no cost."""
    if not any(bad):
        return np.zeros(len(text), dtype=bool)
    return np.asarray(text.from_words(bad, bool), dtype=bool)


def _numeric_codes(dialect: Dialect) -> frozenset[float]:
    """Missing codes that are numbers, so that ``-99`` also covers ``-99.0``."""
    pattern = _number_pattern(dialect)
    numbers = (_number(code, pattern, dialect) for code in dialect.missing)
    return frozenset(n for n in numbers if n is not None)


def _number_pattern(dialect: Dialect) -> re.Pattern[str]:
    decimal = re.escape(dialect.decimal)
    whole = "[0-9]+"
    if dialect.thousands:
        whole = rf"(?:[0-9]{{1,3}}(?:{re.escape(dialect.thousands)}[0-9]{{3}})+|[0-9]+)"
    return re.compile(rf"[+-]?(?:{whole}(?:{decimal}[0-9]*)?|{decimal}[0-9]+){_EXPONENT}")


def _number(text: str, pattern: re.Pattern[str], dialect: Dialect) -> float | None:
    text = text.replace("\N{MINUS SIGN}", "-")
    if not pattern.fullmatch(text):
        return None
    if dialect.thousands:
        text = text.replace(dialect.thousands, "")
    number = float(text.replace(dialect.decimal, "."))
    return number if np.isfinite(number) else None


def _day(text: str, order: DateOrder) -> datetime.date | None:
    match = _ISO.fullmatch(text)
    named = None if match else _with_named_month(text)
    if match:
        year, month, day = (int(g) for g in match.groups())
    elif named is not None:
        year, month, day = named
    else:
        match = _YEAR_LAST.fullmatch(text)
        if not match or order == "iso":
            return None
        first, second, year = (int(g) for g in match.groups())
        day, month = (first, second) if order == "day-first" else (second, first)
        year = _full_year(year)
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None


def _with_named_month(text: str) -> tuple[int, int, int] | None:
    """Year, month and day of a date that names its month, such as 02-Jan-2023 or January 2, 2023."""
    match = _NAMED_MONTH.fullmatch(text)
    if match:
        day, name, year = match.groups()
    else:
        match = _MONTH_FIRST.fullmatch(text)
        if not match:
            return None
        name, day, year = match.groups()
    month = _MONTHS.get(name.lower())
    return None if month is None else (_full_year(int(year)), month, int(day))


def _full_year(year: int) -> int:
    """A year of two digits in its century, in the POSIX reading: 69 to 99 are the last century."""
    return year if year >= 100 else year + (1900 if year >= 69 else 2000)
