"""Batches of a Dask data frame: workers turn partitions into sums, and only those travel."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd

from alliance_longitudinal.errors import FitError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DaskSource:
    """Partitions of a Dask data frame, or delayed pandas frames; see `source.Source`.

    Attributes
    ----------
    partitions : tuple of Delayed
    columns : tuple of str
    scheduler : object or None
        Connection to a cluster, as ``distributed`` makes it.
        Without one the partitions are computed one after the other in this process.
    """

    partitions: tuple[Any, ...]
    columns: tuple[str, ...]
    scheduler: Any

    @property
    def words(self) -> str:
        """What it is, for messages."""
        return f"the {len(self.partitions)} partitions"

    def map(self, task: Callable[[pd.DataFrame], T], columns: tuple[str, ...]) -> Iterator[T]:
        """See `source.Source`; what a lost worker had done is done again by another."""
        from dask.delayed import delayed

        jobs = [delayed(_run, pure=False)(task, list(columns), part) for part in self.partitions]
        if self.scheduler is None:
            for job in jobs:
                yield from job.compute(scheduler="synchronous")
            return
        futures = self.scheduler.compute(jobs)
        try:
            for future in futures:
                yield from future.result()
        finally:
            self.scheduler.cancel(futures)


def _run(task: Callable[[pd.DataFrame], T], columns: list[str], frame: pd.DataFrame) -> list[T]:
    return [task(frame[columns].reset_index(drop=True))] if len(frame) else []


def dask_source(data: Any, scheduler: Any) -> DaskSource:
    """Partitions of a data frame or of a list of delayed ones.

    Raises
    ------
    FitError
        Dask is not installed, or the data are neither.
    """
    try:
        from dask.delayed import Delayed, delayed
    except ImportError as error:
        raise FitError(
            "from_dask needs Dask, which is not installed. Install this package with its extra 'dask', or write the data to Parquet "
            "and use from_parquet."
        ) from error
    if hasattr(data, "to_delayed"):
        return DaskSource(tuple(data.to_delayed()), tuple(map(str, data.columns)), scheduler)
    parts = tuple(data) if isinstance(data, list | tuple) else ()
    if not parts or not all(isinstance(part, Delayed) for part in parts):
        raise FitError(
            f"from_dask takes a Dask data frame or a list of delayed pandas frames, not {type(data).__name__}."
        )
    ask = delayed(_names, pure=False)(parts[0])
    names = scheduler.compute(ask).result() if scheduler is not None else ask.compute(scheduler="synchronous")
    return DaskSource(parts, tuple(names), scheduler)


def _names(frame: pd.DataFrame) -> list[str]:
    return [str(c) for c in frame.columns]
