"""Sentences for outsiders: small counts of people or rows in them, and shares that tell them, are taken out."""

import re

_UNITS = (
    r"clients?|patients?|people|persons?|rows?|sessions?|scores?|forms?|ratings?|records?|items?|answers?|values?|"
    r"dates?|families|family|groups?|couples?|carers?|visits?|cells?|duplicates?"
)
_NUMBER = r"\d[\d\u202f,]*"
#: A count, not a rule ("at least 2 clients") or a range ("sessions 1 to 5"): "3 clients", "3 of 900 clients", "3 analysed clients", "in 3 later sessions".
_COUNTED = re.compile(
    rf"(?<!least )(?<!fewer than )(?<!more than )(?<![\w.\u202f,/] to )(?<![\d.\u202f,/])({_NUMBER})(?P<of> of (?:the )?({_NUMBER}))?(?= (?!or more)(?:[a-z-]+ ){{0,2}}?(?:{_UNITS})\b)"
)
_PERCENT = re.compile(
    r"\d+(?:\.\d+)?\s?%(?!\s*(?:confidence |credible )?(?:interval|t interval|bands?|low|high|of the variance))"
)
_SENTENCE = re.compile(r"(?<=[.!?;:])\s+")


def protect_text(text: str, smallest: int) -> str:
    """The text with small counts replaced by words; percentages beside them go too.

    Examples
    --------
    >>> protect_text("3 of 900 clients (0.3 %) changed therapist. The 95 % interval holds.", 10)
    'fewer than 10 of 900 clients (a small share) changed therapist. The 95 % interval holds.'
    >>> protect_text("896 of 900 clients stayed.", 10)
    'nearly all of 900 clients stayed.'
    """
    parts = _SENTENCE.split(text)
    gaps = _SENTENCE.findall(text)
    cleaned = [_sentence(part, smallest) for part in parts]
    return "".join(a + b for a, b in zip(cleaned, [*gaps, ""], strict=True))


def _sentence(text: str, smallest: int) -> str:
    changed = False

    def replace(found: re.Match[str]) -> str:
        nonlocal changed
        count = _value(found.group(1))
        total = _value(found.group(3)) if found.group("of") else None
        if 0 < count < smallest:
            changed = True
            known = found.group("of") if total is not None and not 0 < total < smallest else ""
            return f"fewer than {smallest}{known}"
        if total is not None and 0 < total - count < smallest:
            changed = True
            return f"nearly all of {found.group(3)}"
        return found.group(0)

    out = _COUNTED.sub(replace, text)
    return _PERCENT.sub("a small share", out) if changed else out


def _value(digits: str) -> int:
    return int(re.sub(r"\D", "", digits))
