"""Whether this installation can make reports: versions, the notebook's process, fonts, disk, open files."""

import importlib.metadata
import importlib.util
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from alliance_longitudinal import __version__

_SHOWN = ("numpy", "scipy", "pandas", "numba", "matplotlib", "papermill", "ipykernel")
#: What brings further formats and tools, by the name of the extra that installs it.
_EXTRAS = {
    "spss": "pyreadstat",
    "databases": "duckdb",
    "dask": "dask",
    "lab": "jupyterlab",
    "documents": "typst",
}
_MEGABYTE = 2**20
#: Room that a report needs at the most, nearly always far less.
_ROOM = 200 * _MEGABYTE


class Examined(NamedTuple):
    """One thing that was looked at."""

    what: str
    ok: bool
    words: str


def examined() -> list[Examined]:
    """Everything that was looked at, in order."""
    checks: tuple[Callable[[], Iterator[Examined]], ...] = (
        _versions,
        _extras,
        _process,
        _fonts,
        _places,
        _handles,
    )
    return [one for check in checks for one in check()]


def _versions() -> Iterator[Examined]:
    yield Examined(
        "alliance_longitudinal", True, f"{__version__}, Python {platform.python_version()}, {sys.executable}"
    )
    for name in _SHOWN:
        try:
            yield Examined(name, True, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Examined(name, False, "is missing. Install the package again.")


def _extras() -> Iterator[Examined]:
    missing = [extra for extra, module in _EXTRAS.items() if importlib.util.find_spec(module) is None]
    words = (
        "all installed" if not missing else f"not installed: {', '.join(missing)}. Reports do not need them."
    )
    yield Examined("extras", True, words)


def _process() -> Iterator[Examined]:
    from alliance_longitudinal.reporting.run.kernel import starts

    trouble = starts()
    yield Examined("the notebook's Python process", not trouble, trouble or "starts")


def _fonts() -> Iterator[Examined]:
    found = importlib.util.find_spec("matplotlib")
    font = Path(str(found.origin if found else "")).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    yield Examined(
        "font of the figures",
        font.is_file(),
        font.name if font.is_file() else "is missing. Install matplotlib again.",
    )


def _places() -> Iterator[Examined]:
    for what, place in (
        ("this folder", Path.cwd()),
        ("folder for temporary files", Path(tempfile.gettempdir())),
    ):
        try:
            with tempfile.TemporaryFile(dir=place):
                free = shutil.disk_usage(place).free
        except OSError as error:
            yield Examined(what, False, f"{place} cannot be written to ({error.strerror}).")
            continue
        words = f"{place}, {free // _MEGABYTE} MB free"
        yield Examined(what, free >= _ROOM, words if free >= _ROOM else f"{words}. Free some space.")


def _handles() -> Iterator[Examined]:
    from alliance_longitudinal.errors import ReportError
    from alliance_longitudinal.reporting.run.handles import refuse_few_handles

    try:
        refuse_few_handles()
    except ReportError as error:
        yield Examined("open files", False, str(error))
    else:
        yield Examined("open files", True, "enough")
