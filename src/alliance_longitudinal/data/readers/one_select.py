"""Whether a query is one SELECT."""

import re

#: What may hold a semicolon without meaning it: a remark to the end of the line, a text, a name in quotation marks.
_HARMLESS = re.compile(r"""--[^\n]*|'(?:[^']|'')*'|"(?:[^"]|"")*\"""")
_BLOCK = re.compile(r"/\*.*?\*/", re.DOTALL)
#: With these, where a text or remark ends differs between databases; then every semicolon counts.
_UNSURE = ("/*", "\\", "$")
_SELECTS = ("select", "with", "values", "table")


def is_one_select(query: str) -> bool:
    """Whether ``query``, which may be in brackets or hold remarks, reads and is one statement."""
    bare = _HARMLESS.sub(" ", query)
    if ";" in (query if any(mark in query for mark in _UNSURE) else bare):
        return False
    first = re.match("[a-z]*", _BLOCK.sub(" ", bare).lower().lstrip("( \t\r\n"))
    return first is not None and first[0] in _SELECTS
