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
#: Types of pandas in which whole numbers and truth values stay what they are beside missing ones.
_NULLABLE = {"bool": "boolean"} | {
    f"{sign}int{bits}": f"{sign.upper()}Int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """A Parquet file, a folder of them, or a pyarrow data set; see `source.Source`.

    Attributes
    ----------
    dataset : pyarrow.dataset.Dataset
    batch_rows : int
    words : str
    stamps : tuple
        Size and time of change of each file when it was opened.
    """

    dataset: Any
    batch_rows: int
    words: str
    stamps: tuple[tuple[str, int, int], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns."""
        return tuple(self.dataset.schema.names)

    def map(self, task: Callable[[pd.DataFrame], T], columns: tuple[str, ...]) -> Iterator[T]:
        """See `source.Source`.

        Raises
        ------
        FitError
            A file cannot be read, or is not the one that was opened.
        """
        from pyarrow import default_memory_pool

        at = 0
        self._refuse_changed()
        batches = self._batches(columns)
        while True:
            try:
                batch = next(batches, None)
                frame = None if batch is None else _to_pandas(batch)
            except (OSError, ValueError, TypeError, NotImplementedError) as error:
                self._refuse_changed()
                raise _unreadable(self.words, error) from error
            if frame is None:
                break
            if len(frame):
                frame.index = pd.RangeIndex(at, at + len(frame))
                at += len(frame)
                yield task(frame)
            del frame, batch
        self._refuse_changed()
        default_memory_pool().release_unused()

    def _batches(self, columns: tuple[str, ...]) -> Iterator[Any]:
        scanner = self.dataset.scanner(
            columns=list(columns),
            batch_size=self.batch_rows,
            batch_readahead=0,
            fragment_readahead=0,
            use_threads=False,
            **_unbuffered(self.dataset),
        )
        yield from scanner.to_batches()

    def _refuse_changed(self) -> None:
        """Several passes over different rows would give sums that belong to nothing."""
        if self.stamps and _stamps([path for path, _, _ in self.stamps]) != self.stamps:
            raise FitError(
                f"{self.words} was changed or removed while it was being read. Wait until it is complete, and read it again."
            )


def _to_pandas(batch: Any) -> pd.DataFrame:
    """A batch as a frame; ids keep all their digits beside missing ones, and decimals are numbers."""
    from pyarrow import Table, float64, types

    schema = batch.schema
    decimals = [i for i, field in enumerate(schema) if types.is_decimal(field.type)]
    if decimals:
        for i in decimals:
            schema = schema.set(i, schema.field(i).with_type(float64()))
        batch = Table.from_batches([batch]).cast(schema)
    lacking = {
        field.type
        for field, column in zip(schema, batch.columns, strict=True)
        if column.null_count and (types.is_integer(field.type) or types.is_boolean(field.type))
    }
    whole = {kind: pd.api.types.pandas_dtype(_NULLABLE[str(kind)]) for kind in lacking}
    frame: pd.DataFrame = batch.to_pandas(types_mapper=whole.get) if whole else batch.to_pandas()
    return frame


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
        return ParquetSource(data, batch_rows, "the data set", _stamps(getattr(data, "files", [])))
    try:
        path = Path(data)
    except TypeError as error:
        raise FitError(
            f"from_parquet takes the path of a Parquet file or folder, or a pyarrow data set, not {type(data).__name__}."
        ) from error
    if not path.exists():
        raise FitError(f"There is no file or folder {str(data)!r}.")
    try:
        found = _folder(path) if path.is_dir() else dataset.dataset(path, format="parquet")
    except (OSError, ValueError, NotImplementedError) as error:
        raise _unreadable(str(data), error) from error
    if path.is_dir() and not found.files:
        raise FitError(f"The folder {str(data)!r} has no file in it.")
    return ParquetSource(found, batch_rows, str(data), _stamps(found.files))


def _folder(path: Path) -> Any:
    """All files of a folder, as one table: folders ``name=value`` are a column, whole numbers and decimals one type."""
    from pyarrow import ArrowInvalid, ArrowTypeError, dataset, fs

    factory = dataset.FileSystemDatasetFactory(
        fs.LocalFileSystem(),
        fs.FileSelector(str(path), recursive=True),
        dataset.ParquetFileFormat(),
        dataset.FileSystemFactoryOptions(
            partition_base_dir=str(path),
            partitioning=dataset.HivePartitioning.discover(),
            selector_ignore_prefixes=[".", "_"],
        ),
    )
    try:
        schema = factory.inspect(promote_options="permissive", fragments=None)
    except (
        ArrowInvalid,
        ArrowTypeError,
    ):  # some column has kinds that do not go together; perhaps an unused one
        schema = factory.inspect(fragments=1)
    return factory.finish(schema)


def _stamps(files: list[str]) -> tuple[tuple[str, int, int], ...]:
    """Size and time of change of files on this machine; minus one for those that are not here."""
    found = []
    for file in files:
        try:
            told = Path(file).stat()
            found.append((file, told.st_size, told.st_mtime_ns))
        except OSError:
            found.append((file, -1, -1))
    return tuple(found)


def _unreadable(words: str, error: Exception) -> FitError:
    return FitError(
        f"{words!r} cannot be read as Parquet: {str(error).splitlines()[0]} Take out of a folder what is not Parquet, or "
        "write the file again."
    )
