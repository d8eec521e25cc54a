"""Batches of a Parquet data set."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from alliance_longitudinal.errors import FitError

T = TypeVar("T")

#: Rows that are read at a time.
BATCH = 262_144


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """A Parquet file, a folder of them, or a pyarrow data set; see `source.Source`.

    Attributes
    ----------
    dataset : pyarrow.dataset.Dataset
    batch_rows : int
    words : str
    """

    dataset: Any
    batch_rows: int
    words: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns."""
        return tuple(self.dataset.schema.names)

    def map(self, task: Callable[[pd.DataFrame], T], columns: tuple[str, ...]) -> Iterator[T]:
        """See `source.Source`."""
        from pyarrow import default_memory_pool

        at = 0
        scanner = self.dataset.scanner(
            columns=list(columns),
            batch_size=self.batch_rows,
            batch_readahead=0,
            fragment_readahead=0,
            use_threads=False,
            **_unbuffered(self.dataset),
        )
        for batch in scanner.to_batches():
            if batch.num_rows:
                frame = batch.to_pandas()
                frame.index = pd.RangeIndex(at, at + len(frame))
                at += len(frame)
                yield task(frame)
                del frame, batch
        default_memory_pool().release_unused()


def _unbuffered(data: Any) -> dict[str, Any]:
    """Options that keep pyarrow from reading row groups in advance, which takes more memory than a batch."""
    from pyarrow import dataset

    if not isinstance(getattr(data, "format", None), dataset.ParquetFileFormat):
        return {}
    return {"fragment_scan_options": dataset.ParquetFragmentScanOptions(pre_buffer=False)}


def parquet_source(data: Any, batch_rows: int) -> ParquetSource:
    """Open a Parquet data set.

    Raises
    ------
    FitError
        It is not there, cannot be read, or the size of a batch is not positive.
    """
    from pyarrow import dataset

    if batch_rows < 1:
        raise FitError(f"batch_rows must be at least 1, not {batch_rows}.")
    if isinstance(data, dataset.Dataset):
        return ParquetSource(data, batch_rows, "the data set")
    path = Path(data)
    if not path.exists():
        raise FitError(f"There is no file or folder {str(data)!r}.")
    try:
        return ParquetSource(dataset.dataset(path, format="parquet"), batch_rows, str(data))
    except (OSError, ValueError) as error:
        raise FitError(f"{str(data)!r} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
