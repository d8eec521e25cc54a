"""Words for a terminal: what a title, a name or a message may hold cannot steer it or turn its text around."""

import json
import re
import sys
from typing import Any, TextIO

#: Control characters but tab and newline, and the marks that turn the direction of text around.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


def harmless(text: str) -> str:
    r"""``text`` with everything that steers a terminal spelt out.

    Examples
    --------
    >>> harmless("Clinic \x1b[2J\u202eA")
    'Clinic \\x1b[2J\\u202eA'
    """
    return _STEERING.sub(lambda found: _spelt(found[0]), text)


def say(text: object, *, error: bool = False) -> None:
    """Print ``text`` on standard output or standard error."""
    stream: TextIO = sys.stderr if error else sys.stdout
    print(harmless(str(text)), file=stream, flush=error)


def say_data(**data: Any) -> None:
    r"""Print ``data`` as one line of JSON, which spells such characters ``\u....`` and stays the same data."""
    text = json.dumps(data, ensure_ascii=False, default=str)
    print(_STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _spelt(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
