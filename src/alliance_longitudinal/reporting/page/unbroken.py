"""Keeps a number and what belongs to it on one line."""

import re

from markupsafe import Markup, escape

_NO_BREAK = "\N{NO-BREAK SPACE}"
#: A blank between a number and the percent sign or the word that it counts, and one behind "n =", "p <" and the like.
_BEHIND_NUMBER = re.compile(r"(?<=[0-9]) (?=[%A-Za-zÀ-ÿ])")
_BEFORE_NUMBER = re.compile(r"(?<=[=<>≤≥±−]) (?=[−0-9.])")
#: A blank before the end of a range: 0.66 to 1.12.
_RANGE = re.compile(r"(?<=[0-9][ \N{NO-BREAK SPACE}]to) (?=[−0-9.])")
_SIGN = re.compile(r"(?<=[0-9A-Za-z]) (?=[=<>≤≥±] ?[−0-9.])")
#: The blank before the number of a reference.
_DOI = re.compile(r"(?<=\bdoi) (?=10\.)")
#: A name that ends in a number or in capitals behind a hyphen, such as PHQ-9 and WAI-SR, and ranges such as 1-5.
_HYPHENED = re.compile(r"[^\W_]+(?:-[^\W_]+)*-(?:[0-9]+|[A-Z]{1,4})(?![\w-])")


def unbroken(text: object) -> str:
    r"""``text`` with no-break spaces between a number and what belongs to it.

    Examples
    --------
    >>> unbroken("95 % of 12 clients")
    '95\xa0% of 12\xa0clients'
    """
    plain = str(text)
    for pattern in (_BEHIND_NUMBER, _RANGE, _SIGN, _BEFORE_NUMBER, _DOI):
        plain = pattern.sub(_NO_BREAK, plain)
    return plain


def whole(text: object) -> Markup:
    r"""``text`` for the page: a number never parts from its unit or percent sign, nor a name from its number.

    Examples
    --------
    >>> whole("95 % of 12 clients, PHQ-9")
    Markup('95\xa0% of 12\xa0clients, <span class="whole">PHQ-9</span>')
    """
    plain = unbroken(text)
    # Safe: the text is escaped, and only a fixed tag is put around parts of it.
    return Markup(_HYPHENED.sub(lambda found: f'<span class="whole">{found[0]}</span>', str(escape(plain))))
