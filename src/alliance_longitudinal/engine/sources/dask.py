"""Batches of a Dask data frame: workers turn partitions into sums, and only those travel."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pandas as pd

from alliance_longitudinal.errors import AllianceError, FitError

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
            for number, job in enumerate(jobs, start=1):
                yield from _computed(number, partial(job.compute, scheduler="synchronous"))
            return
        futures = _computed(0, partial(self.scheduler.compute, jobs))
        try:
            for number, future in enumerate(futures, start=1):
                yield from _computed(number, future.result)
        finally:
            self.scheduler.cancel(futures)


def _computed(number: int, ask: Callable[[], Any]) -> Any:
    """What is asked for; whatever Dask raises is a sentence with the number of the partition."""
    try:
        return ask()
    except AllianceError:
        raise
    except Exception as error:
        where = f"Partition {number}" if number else "The partitions"
        text = str(error).strip().splitlines()
        raise FitError(
            f"{where} could not be computed: {type(error).__name__}{f': {text[0]}' if text else ''}. The same happens with "
            "compute() of the data; look there, or whether the cluster still runs."
        ) from error


def _run(task: Callable[[pd.DataFrame], T], columns: list[str], frame: pd.DataFrame) -> list[T]:
    if not isinstance(frame, pd.DataFrame):
        raise FitError(f"A partition must be a pandas DataFrame, not {type(frame).__name__}.")
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise FitError(f"A partition has no column {absent[0]!r}. Give all partitions the same columns.")
    return [task(frame[columns].reset_index(drop=True))] if len(frame) else []


def dask_source(data: Any, scheduler: Any) -> DaskSource:
    """Partitions of a data frame or of a list of delayed ones.

    Raises
    ------
    FitError
        Dask is not installed, the data are neither, or ``scheduler`` is not a connection to a cluster.
    """
    try:
        from dask.delayed import Delayed, delayed
    except ImportError as error:
        raise FitError(
            "from_dask needs Dask, which is not installed. Install this package with its extra 'dask', or write the data to Parquet "
            "and use from_parquet."
        ) from error
    if scheduler is not None and not (hasattr(scheduler, "compute") and hasattr(scheduler, "cancel")):
        raise FitError(
            f"scheduler={scheduler!r} is not a connection to a cluster. Give one made by the package distributed, or leave it out to read the "
            "partitions one after the other."
        )
    if hasattr(data, "to_delayed"):
        return DaskSource(tuple(data.to_delayed()), tuple(map(str, data.columns)), scheduler)
    parts = tuple(data) if isinstance(data, list | tuple) else ()
    if not parts or not all(isinstance(part, Delayed) for part in parts):
        raise FitError(
            f"from_dask takes a Dask data frame or a list of delayed pandas frames, not {type(data).__name__}."
        )
    ask = delayed(_names, pure=False)(parts[0])
    if scheduler is None:
        names = _computed(1, partial(ask.compute, scheduler="synchronous"))
    else:
        names = _computed(1, lambda: scheduler.compute(ask).result())
    return DaskSource(parts, tuple(names), scheduler)


def _names(frame: pd.DataFrame) -> list[str]:
    if not isinstance(frame, pd.DataFrame):
        raise FitError(f"A partition must be a pandas DataFrame, not {type(frame).__name__}.")
    return [str(c) for c in frame.columns]
