"""Sentences that keep their numbers as values until they are shown.

`say` makes a text from a template and the values in it. The text reads like any other; what stood in it is kept, so
that it can be shown to outsiders without the counts that they may not see, and nobody has to look for numbers in prose.
"""

import string
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from alliance_longitudinal.counts import Count, Number, Outsiders, Private, Share, Slot
from alliance_longitudinal.language import ENGLISH, in_language, is_known, translated

Value = Count | Share | Number | Private
#: A piece of text, or a value with the way it is shown.
Part = str | tuple[Slot, str]


@dataclass(frozen=True, slots=True)
class InEnglish:
    """A value in a sentence that has no translation: its nouns and numbers are English, too."""

    value: Value

    def text(self, spec: str, outsiders: Outsiders | None) -> str:
        """As the value is shown in English."""
        with in_language(ENGLISH):
            return self.value.text(spec, outsiders)


class Sentence(str):
    """A text that knows the values in it.

    Attributes
    ----------
    parts : tuple
        Its pieces in order: text, or a value with its format.
    """

    __slots__ = ("parts",)
    parts: tuple[Part, ...]

    def __new__(cls, text: str = "", parts: tuple[Part, ...] | None = None) -> Self:
        """A text, and its pieces if it has values."""
        made = super().__new__(cls, text)
        made.parts = (str(text),) if parts is None else parts
        return made

    def __getnewargs__(self) -> tuple[Any, ...]:  # how copies are made, with the parts
        return str(self), self.parts

    @classmethod
    def of(cls, parts: Iterable[Part], outsiders: Outsiders | None = None) -> Self:
        """From its pieces; for ``outsiders``, of what they may see and without the values."""
        pieces, text = tuple(parts), ""
        for piece in pieces:
            shown = piece if isinstance(piece, str) else piece[0].text(piece[1], outsiders)
            begins = not isinstance(piece, str) and (not text or text.endswith((". ", "? ")))
            text += shown[:1].upper() + shown[1:] if begins and outsiders else shown
        return cls(text, pieces if outsiders is None else None)

    def for_outsiders(self, outsiders: Outsiders) -> "Sentence":
        """What outsiders may see of it."""
        return Sentence.of(self.parts, outsiders)

    def __add__(self, other: str) -> "Sentence":
        return Sentence.of((*self.parts, *_parts(other)))

    def __radd__(self, other: str) -> "Sentence":
        return Sentence.of((*_parts(other), *self.parts))


def _parts(text: str) -> tuple[Part, ...]:
    return text.parts if isinstance(text, Sentence) else (str(text),)


def say(template: str, **slots: Value | str) -> Sentence:
    """A sentence from a template and the values in it.

    Parameters
    ----------
    template : str
        ``{name}`` or ``{name:format}`` for each value; braces are doubled to be shown.
    **slots : Count, Share, Number or str
        A bare number is refused: it has to be said whether it counts people.

    Raises
    ------
    TypeError
        If a value is a bare number.

    Examples
    --------
    >>> left = say("{n:noun} {n:has|have} left.", n=Count(3, "client"))
    >>> left
    '3 clients have left.'
    >>> left.for_outsiders(Outsiders(10))
    'Fewer than 10 clients have left.'
    """
    parts: list[Part] = []
    known = is_known(template)
    for text, name, spec, _ in string.Formatter().parse(translated(template)):
        parts.append(text)
        if name is None:
            continue
        value = slots[name]
        if isinstance(value, str):
            parts += _parts(value if isinstance(value, Sentence) else translated(value))
        elif isinstance(value, Value):
            parts.append((value if known else InEnglish(value), spec or ""))
        else:
            raise TypeError(
                f"The value {name!r} of a sentence is {value!r}: make it a Count, a Share or a Number."
            )
    return Sentence.of(parts)


def joined(sentences: Iterable[str], between: str = " ") -> Sentence:
    """Texts one after the other, with the values in them."""
    parts: list[Part] = []
    for text in sentences:
        if parts:
            parts.append(between)
        parts += _parts(text)
    return Sentence.of(parts)


def for_outsiders(text: str, outsiders: Outsiders) -> str:
    """What outsiders may see of a text: all of it, if it holds no values."""
    return text.for_outsiders(outsiders) if isinstance(text, Sentence) else text


def listed(texts: list[str], last: str = "and") -> Sentence:
    """``a, b and c``, with the values in them."""
    if len(texts) < 2:
        return joined(texts)
    return joined([joined(texts[:-1], ", "), texts[-1]], f" {translated(last)} ")


#: What outsiders read in place of an error whose numbers may be counts.
_EXACT = "The reason contains exact numbers and is not shown."


def told(error: Exception) -> str:
    """What an error says, with the values in it if it was made with `say`.

    Another text may hold a count of people as plain digits, such as the rows of a model; outsiders do not read it.
    """
    first = error.args[0] if error.args else ""
    if isinstance(first, Sentence):
        return first
    text = str(error)
    return say("{why}", why=Private(text, _EXACT)) if any(c.isdigit() for c in text) else text
