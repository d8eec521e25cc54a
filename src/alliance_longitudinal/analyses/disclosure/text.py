"""Sentences for outsiders: small counts of people or rows in them, and shares that tell them, are taken out."""

import re
from collections.abc import Sequence

_UNITS = (
    r"clients?|patients?|people|persons?|rows?|sessions?|scores?|forms?|ratings?|records?|items?|answers?|values?|"
    r"dates?|families|family|groups?|couples?|carers?|visits?|cells?|duplicates?|changes?|pauses?|courses?|episodes?"
)
_NO_PEOPLE = r"weeks?|days?|points?|therapists?|clinics?|methods?|checks?|raters?|instruments?|measures?"
_NUMBER = r"\d[\d\u202f,]*"
#: A count, not a rule ("at least 2 clients") or a range ("sessions 1 to 5"): "3 clients", "3 analysed clients", "in 3 later sessions"; and
#: "3 of 900", whatever is counted.
_COUNTED = re.compile(
    rf"(?<!least )(?<!fewer than )(?<!more than )(?<![\w.\u202f,/] to )(?<![\d.\u202f,/])(?<![A-Za-z]-)({_NUMBER})(?P<of> of (?:the )?({_NUMBER})(?![\d\u202f,]))?"
    rf"(?(of)(?! (?:{_NO_PEOPLE})\b)|(?= (?!or more|(?:{_NO_PEOPLE})\b)(?:[a-z-]+ ){{0,2}}?(?:{_UNITS})\b))"
)
_PERCENT = re.compile(
    r"\d+(?:\.\d+)?\s?%(?!\s*(?:confidence |credible )?(?:interval|t interval|bands?|low|high|of the variance))"
)
#: A number that may be a count, wherever it stands: not a session, an item, a duration, a rule or part of a name.
_BARE = re.compile(
    r"(?<![\w.,/:=\u2013\u2212\u202f'\"~-])(?<!\bsession )(?<!\bsessions )(?<!\bto )(?<!\bleast )(?<!\bthan )(?<!\bitem )(?<!\bitems )(?<!\bnumber )(?<!\bbeyond )"
    r"(?<!\bwindow )(?<!\bweek )(?<!_missing: )(?<!_days: )(?<!\bcategory )(\d[\d\u202f]*)(?![\w:/\u2013-]|[.,]\d| %| to \d| (?:weeks?|days?|months?|points?|therapists?|"
    r"clinics?|methods?|standard|or more|bootstrap|samples?|raters?|levels|minutes|different)\b)"
)
_SENTENCE = re.compile(r"(?<=[.!?;:])\s+")


def protect_text(text: str, smallest: int, known: Sequence[float] = ()) -> str:
    """The text with small counts replaced by words; percentages beside them go too.

    Parameters
    ----------
    known : sequence of number
        Counts that the reader knows: one that differs from them by a few is taken out as well.

    Examples
    --------
    >>> protect_text("3 of 900 clients (0.3 %) changed therapist. The 95 % interval holds.", 10)
    'fewer than 10 of 900 clients (a small share) changed therapist. The 95 % interval holds.'
    >>> protect_text("896 of 900 clients stayed.", 10)
    'nearly all of 900 clients stayed.'
    """
    parts = _SENTENCE.split(text)
    gaps = _SENTENCE.findall(text)
    cleaned = [_sentence(part, smallest, known) for part in parts]
    return "".join(a + b for a, b in zip(cleaned, [*gaps, ""], strict=True))


def protect_message(text: str, smallest: int, known: Sequence[float] = (), people: int = 0) -> str:
    """As `protect_text`, for messages in which any number may be a count: what is not surely something else goes.

    Where a small count was taken out, the counts beside it go too, for they may add up to a total that is known, and
    all percentages. Of ``people`` people, percentages that stand for fewer than ``smallest`` of them, or for all but so
    few, are taken out.

    Examples
    --------
    >>> protect_message("As planned for 40 clients, by dropout for 3; of 50 clients.", 10)
    'As planned for some clients, by dropout for fewer than 10; of 50 clients.'
    >>> protect_message("Only 4 % of the clients have three scores.", 10, people=100)
    'Only a small share of the clients have three scores.'
    """
    if people:
        text = _PERCENT.sub(lambda found: _rare(found, smallest / people), text)
    out = protect_text(text, smallest, known)
    few = any(0 < _value(n) < smallest for n in _BARE.findall(out))
    if out == text and not few:
        return text

    def hide(found: re.Match[str]) -> str:
        count = _value(found.group(1))
        if 0 < count < smallest:
            return f"fewer than {smallest}"
        is_total = out[: found.start()].endswith((" of ", " of the "))
        return found.group(0) if is_total or not count else "some"

    return _PERCENT.sub("a share", _BARE.sub(hide, out))


def _rare(found: re.Match[str], rare: float) -> str:
    share = float(re.sub(r"[^\d.]", "", found.group(0))) / 100
    if 0 < share < rare:
        return "a small share"
    return "nearly all" if 1 - rare < share < 1 else found.group(0)


def _sentence(text: str, smallest: int, known: Sequence[float]) -> str:
    changed = False

    def replace(found: re.Match[str]) -> str:
        nonlocal changed
        count = _value(found.group(1))
        total = _value(found.group(3)) if found.group("of") else None
        if 0 < count < smallest:
            changed = True
            shown = found.group("of") if total is not None and not 0 < total < smallest else ""
            return f"fewer than {smallest}{shown}"
        if total is not None and 0 < total - count < smallest:
            changed = True
            return f"nearly all of {found.group(3)}"
        if any(0 < abs(count - v) < smallest for v in known):
            changed = True
            return "a number (not shown) of"
        return found.group(0)

    out = _COUNTED.sub(replace, text)
    return _PERCENT.sub("a small share", out) if changed else out


def _value(digits: str) -> int:
    return int(re.sub(r"\D", "", digits))


def without_sizes(summary: str) -> str:
    """A model's summary without its numbers of rows and groups, and without the criteria that they follow from.

    BIC minus AIC is a function of the number of rows.
    """
    lines = []
    for line in summary.splitlines():
        if re.match(r"\s*(Rows:|No\. Observations|Df Residuals|BIC|AIC)", line):
            continue
        lines.append(re.sub(r"\s+AIC: .*$", "", line))
    return "\n".join(lines)
