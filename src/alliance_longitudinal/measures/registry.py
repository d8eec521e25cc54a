"""The instruments that can be scored: those that come with the package and those of the user."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.measures.instrument import Instrument
from alliance_longitudinal.measures.instrument_file import read_instrument
from alliance_longitudinal.measures.score import range_in_words
from alliance_longitudinal.resources import shipped
from alliance_longitudinal.strict_yaml import nearest

if TYPE_CHECKING:
    import pandas as pd


class Registry(Mapping[str, Instrument]):
    """Instruments by id. One that comes with the package is read when it is first asked for: a study needs two or three."""

    def __init__(self) -> None:
        self._files = dict(_shipped_files())
        self._own: dict[str, Instrument] = {}

    def __getitem__(self, instrument_id: str) -> Instrument:
        own = self._own.get(instrument_id)
        return own if own is not None else _read_shipped(self._files[instrument_id])

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def add(self, path: Path) -> None:
        """Take in a user's instrument; StudyError if its file is wrong or its id is taken."""
        instrument = read_instrument(path)
        complaint = clash(instrument, self._files.get(instrument.id))
        if complaint:
            raise StudyError(f"In {path}: {complaint}")
        self._own[instrument.id], self._files[instrument.id] = instrument, path


def load_instruments(extra: Iterable[Path | str] = ()) -> Registry:
    """All instruments by id, in alphabetical order of the shipped files and then of each extra folder.

    Parameters
    ----------
    extra : iterable of path, optional
        Folders with instrument files of the user's own.

    Raises
    ------
    StudyError
        If a folder is missing or empty, a file is wrong, or an id is taken twice. A user's file may not
        quietly replace a shipped instrument: it has its own id, or says ``replaces_shipped: true``.
    """
    registry = Registry()
    for folder in map(Path, extra):
        for path in _instrument_files(folder):
            registry.add(path)
    return registry


def find_instrument(instrument_id: str, extra: Iterable[Path | str] = ()) -> Instrument:
    """One instrument by its id.

    Raises
    ------
    StudyError
        If there is none, with the nearest id.
    """
    registry = load_instruments(extra)
    if instrument_id not in registry:
        raise StudyError(
            f"There is no instrument {instrument_id!r}. {nearest(instrument_id, list(registry))} "
            "'alliance instruments' lists them all."
        )
    return registry[instrument_id]


def clash(instrument: Instrument, taken_by: Path | None) -> str:
    """Why a user's instrument cannot join the registry, as a sentence; empty if it can.

    Parameters
    ----------
    instrument : Instrument
    taken_by : path or None
        The file that already has its id; None if the id is free.
    """
    shipped_files = set(_shipped_files().values())
    if taken_by in shipped_files and not instrument.replaces_shipped:
        return (
            f"the instrument id {instrument.id!r} is already taken by {taken_by.name}, which comes with the "
            "package. Give your version an id of its own, or write 'replaces_shipped: true' to use it instead."
        )
    if taken_by is not None and taken_by not in shipped_files:
        return f"the instrument id {instrument.id!r} is already taken by {taken_by.name}. Give one of them another."
    if taken_by is None and instrument.replaces_shipped:
        return f"'replaces_shipped' is true, but the package has no instrument {instrument.id!r}."
    return ""


def shipped_file(instrument_id: str) -> Path | None:
    """The package's own file of an instrument; None if there is none."""
    return _shipped_files().get(instrument_id)


def instruments(extra: Iterable[Path | str] = ()) -> "pd.DataFrame":
    """All instruments that the package knows, one row per instrument, indexed by id.

    Columns: ``label, name, construct, raters, items, item_range, reversed_items, total, total_range, higher_is,
    max_missing, subscales, status, from_memory, unknown``; the last two list the facts that have no source yet and
    those that are not known.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> known = al.instruments()
    >>> known.loc["wai_sr", ["label", "items", "total_range", "higher_is"]].to_dict()
    {'label': 'WAI-SR', 'items': 12, 'total_range': '12 to 60', 'higher_is': 'better'}
    >>> known.loc[known["construct"] == "symptoms", "label"].head(3).tolist()
    ['BAI', 'BDI-II', 'BSI-18']
    """
    import pandas as pd

    rows = [
        {
            "id": i.id,
            "label": i.label,
            "name": i.name,
            "construct": i.construct,
            "raters": ", ".join(i.raters),
            "items": "unknown" if i.n_items is None else i.n_items,
            "item_range": range_in_words(i),
            "reversed_items": "unknown" if i.reverse is None else ", ".join(map(str, i.reverse)) or "none",
            "total": i.total_rule,
            "total_range": total_range_in_words(i),
            "higher_is": i.direction.removeprefix("higher_").replace("_", " "),
            "max_missing": i.missing.allowed,
            "subscales": _subscales_in_words(i),
            "status": i.status,
            "from_memory": ", ".join(i.facts_marked("memory")),
            "unknown": ", ".join(i.facts_marked("unknown")),
        }
        for i in load_instruments(extra).values()
    ]
    return pd.DataFrame(rows).set_index("id")


def total_range_in_words(instrument: Instrument) -> str:
    """The range of the total for people: ``0 to 27``, ``no total`` or ``unknown``."""
    if instrument.total_rule == "none":
        return "no total"
    known = instrument.total_range
    return "unknown" if known is None else f"{known[0]:g} to {known[1]:g}"


def _subscales_in_words(instrument: Instrument) -> str:
    if "subscales" in instrument.evidence:
        return "unknown"
    unlisted = [f"{name} (items unknown)" for name in instrument.unlisted_subscales]
    return ", ".join([*instrument.subscales, *unlisted, *instrument.derived]) or "none"


@cache
def _shipped_files() -> Mapping[str, Path]:
    """The package's own instruments: each file bears the id of its instrument."""
    return {path.stem: path for path in _instrument_files(shipped("data_schema") / "instruments")}


@cache
def _read_shipped(path: Path) -> Instrument:
    """One of the package's own instruments; they do not change while it runs."""
    return read_instrument(path)


def _instrument_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise StudyError(
            f"The instrument folder {folder} does not exist. Correct 'instruments' in the study file."
        )
    files = sorted(p for p in folder.iterdir() if p.suffix in {".yaml", ".yml"})
    if not files:
        raise StudyError(f"The instrument folder {folder} holds no .yaml file.")
    return files
