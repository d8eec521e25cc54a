"""Asking whether an analysis has enough data: it is drawn up until it would begin with its numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ASKING: ContextVar[bool] = ContextVar("asking", default=False)


class Enough(Exception):
    """Raised before the first number is computed, when the question is only whether there are enough data."""


@contextmanager
def asking() -> Iterator[None]:
    """Within the block an analysis stops before its first model, estimate, table or sentence."""
    before = _ASKING.set(True)
    try:
        yield
    finally:
        _ASKING.reset(before)


def begin_numbers() -> None:
    """What comes now costs time and is shown: stop here if it is only asked whether it can be done.

    Raises
    ------
    Enough
        Within :func:`asking`.
    """
    if _ASKING.get():
        raise Enough
