"""Where batches come from."""

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import pandas as pd

T = TypeVar("T")


class Source(Protocol):
    """Batches of rows that can be gone through several times, always in the same order."""

    @property
    def words(self) -> str:
        """What it is, for messages."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns."""

    def map(self, task: Callable[[pd.DataFrame], T], columns: tuple[str, ...]) -> Iterator[T]:
        """Result of the task for each batch of the named columns, in order, when it is asked for."""
