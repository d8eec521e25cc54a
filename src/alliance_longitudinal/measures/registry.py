"""The instruments that can be scored: those that come with the package and those of the user."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.measures.instrument import Instrument
from alliance_longitudinal.measures.instrument_file import read_instrument
from alliance_longitudinal.resources import shipped

if TYPE_CHECKING:
    import pandas as pd


def load_instruments(extra: Iterable[Path | str] = ()) -> dict[str, Instrument]:
    """All instruments by id, in alphabetical order of the shipped files and then of each extra folder.

    Parameters
    ----------
    extra : iterable of path, optional
        Folders with instrument files of the user's own.

    Raises
    ------
    StudyError
        If a folder is missing or empty, a file is wrong, or an id is taken twice. A user's file may not
        quietly replace a shipped instrument: a changed key is another instrument and needs its own id.
    """
    registry: dict[str, Instrument] = {}
    origin: dict[str, Path] = {}
    for path, instrument in _shipped_instruments():
        registry[instrument.id], origin[instrument.id] = instrument, path
    for folder in map(Path, extra):
        for path in _instrument_files(folder):
            instrument = read_instrument(path)
            if instrument.id in registry:
                raise StudyError(
                    f"The instrument id {instrument.id!r} in {path} is already taken by "
                    f"{origin[instrument.id].name}. Give your version an id of its own."
                )
            registry[instrument.id] = instrument
            origin[instrument.id] = path
    return registry


def instruments(extra: Iterable[Path | str] = ()) -> "pd.DataFrame":
    """What can be scored, one row an instrument, indexed by id.

    Columns: ``label, name, construct, raters, items, item_range, reversed_items, total, total_range,
    higher_is, max_missing, subscales, status, from_memory, unknown``; the last two name the facts that rest
    on memory or are not known.
    """
    import pandas as pd

    rows = [
        {
            "id": i.id,
            "label": i.label,
            "name": i.name,
            "construct": i.construct,
            "raters": ", ".join(i.raters),
            "items": i.n_items,
            "item_range": f"{i.response_min:g} to {i.response_max:g}",
            "reversed_items": "unknown" if i.reverse is None else ", ".join(map(str, i.reverse)) or "none",
            "total": i.total_rule,
            "total_range": f"{i.total_min:g} to {i.total_max:g}",
            "higher_is": i.direction.removeprefix("higher_"),
            "max_missing": i.missing.allowed,
            "subscales": ", ".join(i.subscales) or "none",
            "status": i.status,
            "from_memory": ", ".join(i.facts_marked("memory")),
            "unknown": ", ".join(i.facts_marked("unknown")),
        }
        for i in load_instruments(extra).values()
    ]
    return pd.DataFrame(rows).set_index("id")


@cache
def _shipped_instruments() -> tuple[tuple[Path, Instrument], ...]:
    """The package's own instruments; they do not change while it runs."""
    files = _instrument_files(shipped("data_schema") / "instruments")
    return tuple((path, read_instrument(path)) for path in files)


def _instrument_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise StudyError(
            f"The instrument folder {folder} does not exist. Correct 'instruments' in the study file."
        )
    files = sorted(p for p in folder.iterdir() if p.suffix in {".yaml", ".yml"})
    if not files:
        raise StudyError(f"The instrument folder {folder} holds no .yaml file.")
    return files
