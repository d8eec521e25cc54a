"""Formula text to a frozen syntax tree. Knows no data; errors point at the place with a caret."""

import re
from dataclasses import dataclass
from typing import NoReturn

from alliance_longitudinal.errors import FormulaError

_NAME = re.compile(r"\s*(?:`(?P<quoted>[^`]+)`|(?P<plain>[^\W\d][\w.]*))\s*")
_DOT = re.compile(r"(?<![\w.])\.(?![\w.])")
_OPEN, _CLOSE = "([{", ")]}"
_HOW = "Write random terms as (1 + x | group), (1 + x || group), (1 | outer/inner) or (1 | a:b)."


@dataclass(frozen=True, slots=True)
class RandomPart:
    """One random term as the user wrote it.

    Attributes
    ----------
    effects : str
        Text left of the bar, such as ``1 + week``.
    factors : tuple of tuple of str
        Grouping factors between slashes, outermost first; each a tuple of columns joined by ``:``.
    correlated : bool
        False for the double bar ``||``.
    position : int
        Where the term starts in the formula, for error messages.
    """

    effects: str
    factors: tuple[tuple[str, ...], ...]
    correlated: bool
    position: int


@dataclass(frozen=True, slots=True)
class ParsedFormula:
    """A formula split into response, fixed part (both left to formulaic) and random terms."""

    text: str
    response: str
    fixed: str
    random: tuple[RandomPart, ...]


def parse(text: str) -> ParsedFormula:
    """Split ``text`` into response, fixed part and random terms.

    Raises
    ------
    FormulaError
        With the formula and a caret under the place that cannot be read.
    """
    if not isinstance(text, str):
        raise FormulaError(f"The formula must be text, not {type(text).__name__}.")
    depths = _depths(text)
    tildes = [i for i, char in enumerate(text) if char == "~" and depths[i] == 0]
    if len(tildes) != 1:
        place = tildes[1] if tildes else len(text)
        fail_at(
            text, place, "A formula needs one '~' between the response and the terms, as in y ~ x + (1 | g)."
        )
    tilde = tildes[0]
    if not text[:tilde].strip():
        fail_at(text, tilde, "The response is missing left of '~'.")
    bar = text.find("|", 0, tilde)
    if bar >= 0:
        fail_at(text, bar, "The response is one column or a transformation of one; it has no '|'.")
    dot = _DOT.search(text, tilde + 1)
    if dot is not None and depths[dot.start()] == 0:
        fail_at(text, dot.start(), "'.' for all other columns is not available. Write the columns out.")
    fixed, random = _split_terms(text, tilde + 1, depths)
    if not random:
        fail_at(text, len(text.rstrip()), f"The formula has no random term. {_HOW}")
    return ParsedFormula(text, text[:tilde].strip(), fixed, random)


def fail_at(text: str, place: int, message: str) -> NoReturn:
    """Refuse a formula, with a caret under the place.

    Raises
    ------
    FormulaError
    """
    line = text.replace("\n", " ")
    raise FormulaError(f"{message}\n    {line}\n    {' ' * place}^")


def _depths(text: str) -> list[int]:
    """Bracket depth before each character; quotes and backticks count as depth too."""
    depths: list[int] = []
    stack: list[tuple[str, int]] = []
    for i, char in enumerate(text):
        quoted = bool(stack) and stack[-1][0] in "`'\""
        closes = bool(stack) and (
            char == stack[-1][0]
            if quoted
            else char in _CLOSE and _OPEN.index(stack[-1][0]) == _CLOSE.index(char)
        )
        if closes:
            stack.pop()
            depths.append(len(stack))
            continue
        if char in _CLOSE and not quoted:
            fail_at(text, i, f"This '{char}' closes nothing that was opened.")
        depths.append(len(stack))
        if not quoted and (char in _OPEN or char in "`'\""):
            stack.append((char, i))
    if stack:
        fail_at(text, stack[-1][1], f"This '{stack[-1][0]}' is never closed.")
    return depths


def _split_terms(text: str, start: int, depths: list[int]) -> tuple[str, tuple[RandomPart, ...]]:
    """Right-hand side between top-level signs: random terms out, the rest joined again for formulaic."""
    cuts = [i for i in range(start, len(text)) if depths[i] == 0 and text[i] in "+-"]
    fixed: list[str] = []
    random: list[RandomPart] = []
    for begin, end in zip([start, *(c + 1 for c in cuts)], [*cuts, len(text)], strict=True):
        sign = text[begin - 1] if begin > start else "+"
        piece = text[begin:end]
        if not piece.strip():
            if begin == start and end < len(text):
                continue
            fail_at(text, begin if end == len(text) else end, "A term is missing here.")
        bar = next((i for i in range(begin, end) if text[i] == "|"), None)
        if bar is None:
            fixed.append(f"{sign} {piece.strip()}")
            continue
        random.append(_random(text, begin, end, sign, depths))
    joined = " ".join(fixed).removeprefix("+ ")
    return joined or "1", tuple(random)


def _random(text: str, begin: int, end: int, sign: str, depths: list[int]) -> RandomPart:
    """Read ``(effects | factors)`` that fills ``text[begin:end]`` but for blanks."""
    first = begin + len(text[begin:end]) - len(text[begin:end].lstrip())
    last = begin + len(text[begin:end].rstrip()) - 1
    whole = text[first] == "(" and text[last] == ")" and all(depths[i] > 0 for i in range(first + 1, last))
    if not whole:
        place = next(i for i in range(begin, end) if text[i] == "|")
        fail_at(text, place, f"Put each random term in parentheses of its own, between plus signs. {_HOW}")
    if sign == "-":
        fail_at(text, first, "A random term cannot be subtracted.")
    bars = [i for i in range(first, last) if text[i] == "|" and depths[i] == depths[first] + 1]
    if not bars:
        fail_at(text, text.index("|", first), f"This '|' is inside further brackets. {_HOW}")
    double = len(bars) == 2 and bars[1] == bars[0] + 1
    if len(bars) > 1 and not double:
        fail_at(text, bars[-1], f"A random term has one '|' or one '||'. {_HOW}")
    effects = text[first + 1 : bars[0]].strip()
    if not effects:
        fail_at(text, bars[0], "There is nothing left of '|'. For a random intercept write (1 | group).")
    return RandomPart(effects, _factors(text, bars[-1] + 1, last), not double, first)


def _factors(text: str, begin: int, end: int) -> tuple[tuple[str, ...], ...]:
    """Read ``a:b/c`` in ``text[begin:end]``."""
    factors: list[tuple[str, ...]] = []
    names: list[str] = []
    place = begin
    while True:
        match = _NAME.match(text, place, end)
        if match is None:
            stop = begin + len(text[begin:end]) - len(text[begin:end].lstrip()) if place == begin else place
            fail_at(text, min(stop, end), f"A grouping column is missing here. {_HOW}")
        names.append(match["quoted"] or match["plain"])
        place = match.end()
        mark = text[place] if place < end else "/"
        if mark == "(":
            fail_at(
                text, place, "A grouping is a column as it is. Make the column in the data before the fit."
            )
        if mark not in ":/":
            fail_at(text, place, f"Only ':' and '/' may join grouping columns, not {mark!r}. {_HOW}")
        if mark == "/":
            factors.append(tuple(names))
            names = []
        if place >= end:
            return tuple(factors)
        place += 1
