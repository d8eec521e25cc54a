"""Scored data for other programs: SPSS, R, and a codebook of every variable."""

import csv
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.data.writers.variable import Kind, Variable, words_of
from alliance_longitudinal.errors import StudyError, UsageError
from alliance_longitudinal.labels import harmless_cell, listing

Format = Literal["sav", "rds"]
FORMATS: tuple[Format, ...] = ("sav", "rds")
CODEBOOK = "codebook.csv"
_HEAD = ("table", "variable", "variable in SPSS", "label", "kind", "values")

_LABELS = {
    "client": "Client",
    "therapist": "Therapist under whom the client is analysed",
    "seen_by": "Therapist who held the session",
    "clinic": "Clinic",
    "arm": "Treatment arm",
    "mode": "How the forms were filled in",
    "group": "Therapy group",
    "family": "Couple or family",
    "episode": "Episode of care",
    "session": "Session number (0 = intake)",
    "date": "Date of the session",
    "caseload": "Clients seen in the study period",
}
#: Columns that name somebody or something, whatever their values look like.
_NAMES = {"client", "therapist", "seen_by", "group", "family"}
_DIRECTIONS = {"higher_better": "higher is better", "higher_worse": "higher is worse"}


def export_study(
    study: Study, folder: str | Path, formats: Sequence[str] = FORMATS, audience: str = "internal"
) -> tuple[Path, ...]:
    """Write the scored tables of a study for SPSS and R, with a codebook.

    The tables have a row for every session, client or therapist, so they are for people who may see the data: only the
    owner of the files can read them.

    Parameters
    ----------
    study : Study
    folder : path
        Files of an earlier export there are replaced, all together once all are written; other files are left alone.
    formats : sequence of str
        ``"sav"`` (SPSS; needs pyreadstat) and ``"rds"`` (R).
    audience : str
        Only ``"internal"``.

    Returns
    -------
    tuple of Path
        What was written; the codebook is the last.

    Raises
    ------
    UsageError
        If a format is not known, or pyreadstat is not installed.
    StudyError
        If the audience is not internal, the folder cannot be written, or a file of one of these names is there that no
        export made, such as the study's own data.
    """
    if audience != "internal":
        raise StudyError(
            "An export has the rows of single clients, so it is for internal use only. To pass results on, make a "
            "report with --audience shareable; its tables come as .xlsx and .parquet."
        )
    writers = _writers(formats)
    target = Path(folder).expanduser()
    tables = dict(_tables(study))
    names = [*(f"{table}.{kind}" for table in tables for kind in writers), CODEBOOK]
    try:
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        _refuse_strangers(target, names)
        with _together(target, names) as stages:
            entries = []
            for table, frame in tables.items():
                variables = [_variable(study, table, column, frame[column]) for column in frame]
                entries += [(table, v) for v in variables]
                for kind, write in writers.items():
                    write(stages[f"{table}.{kind}"], frame=frame, variables=variables, title=study.title)
            _write_codebook(stages[CODEBOOK], entries)
    except OSError as error:
        raise StudyError(
            f"The export cannot be written to {target}: {error.strerror or type(error).__name__}. Name another folder."
        ) from error
    return tuple(target / name for name in names)


def _refuse_strangers(folder: Path, names: Sequence[str]) -> None:
    """Refuse to replace what no export made: a study's data may have the same names."""
    from alliance_longitudinal.data.writers.rds import begins_like_rds
    from alliance_longitudinal.data.writers.spss import begins_like_sav

    told_by: dict[str, Callable[[Path], bool]] = {
        ".sav": begins_like_sav,
        ".rds": begins_like_rds,
        ".csv": _begins_like_codebook,
    }
    there = [folder / name for name in names if (folder / name).exists()]
    strange = [path.name for path in there if not (path.is_file() and told_by[path.suffix](path))]
    if strange:
        raise StudyError(
            f"The folder {folder} already has {listing(strange)}, which no export has made. So nothing was written. "
            "Name another folder."
        )


def _writers(formats: Sequence[str]) -> dict[str, Callable[..., None]]:
    from alliance_longitudinal.data.readers.extras import missing_extra
    from alliance_longitudinal.data.writers.rds import write_rds
    from alliance_longitudinal.data.writers.spss import write_sav

    unknown = [f for f in formats if f not in FORMATS]
    if unknown or not formats:
        named = (
            f"There is no format {unknown[0]!r} for an export." if unknown else "The export needs a format."
        )
        raise UsageError(f"{named} Choose from: {', '.join(FORMATS)}.")
    if "sav" in formats:
        missing = missing_extra("pyreadstat", "Writing SPSS files")
        if missing is not None:
            raise UsageError(" ".join(missing) + " Or choose only rds.")
    every: dict[str, Callable[..., None]] = {"sav": write_sav, "rds": write_rds}
    return {f: every[f] for f in FORMATS if f in formats}


def _tables(study: Study) -> Iterator[tuple[str, pd.DataFrame]]:
    yield "sessions", study.sessions
    yield "clients", study.clients
    therapists = study.therapists
    if len(therapists):
        yield "therapists", therapists


def _variable(study: Study, table: str, name: str, column: "pd.Series[Any]") -> Variable:
    covariates = {"sessions": study.session_covariates, "clients": study.covariates}
    own = covariates.get(table, study.therapist_covariates)
    label = name if name in own else _label(study, name)
    if table == "therapists" and name == "therapist":
        label = "Therapist"
    kind, values = _kind(name, column)
    return Variable(name, label, kind, values)


def _label(study: Study, name: str) -> str:
    if name == "week":
        return ("Sessions" if study.time_unit == "sessions" else "Weeks") + " since the client's first row"
    if name in _LABELS:
        return _LABELS[name]
    if name in study.measures:
        return _of_measure(study.measures[name])
    parents = [m for m in study.measures.values() if name.startswith(f"{m.name}_")]
    if not parents:
        return name
    parent = max(parents, key=lambda m: len(m.name))
    return f"{parent.label}: {name.removeprefix(f'{parent.name}_')}"


def _of_measure(measure: Measure) -> str:
    instrument = measure.instrument
    words = [measure.label]
    if instrument.total_range is not None:
        low, high = instrument.total_range
        words.append(f"{low:g} to {high:g}")
    if instrument.direction in _DIRECTIONS:
        words.append(_DIRECTIONS[instrument.direction])
    return ", ".join(words)


def _kind(name: str, column: "pd.Series[Any]") -> tuple[Kind, tuple[str, ...]]:
    if name in _NAMES:
        return "text", ()
    if isinstance(column.dtype, pd.CategoricalDtype):
        words = tuple(words_of(pd.Series(column.cat.categories)))
        return ("order" if column.cat.ordered else "category"), words
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date", ()
    if pd.api.types.is_numeric_dtype(column):
        return "number", ()
    return "category", tuple(sorted(set(words_of(column).dropna())))


def _write_codebook(path: Path, entries: Sequence[tuple[str, Variable]]) -> None:
    from alliance_longitudinal.data.writers.spss import spss_names

    with path.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(_HEAD)
        for table in dict.fromkeys(name for name, _ in entries):
            variables = [v for name, v in entries if name == table]
            for v, short in zip(variables, spss_names([v.name for v in variables]), strict=True):
                values = "; ".join(f"{k} = {word}" for k, word in enumerate(v.values, 1))
                out.writerow(harmless_cell(text) for text in (table, v.name, short, v.label, v.kind, values))


def _begins_like_codebook(path: Path) -> bool:
    with path.open("rb") as file:
        return file.readline().decode("utf-8-sig", errors="replace").rstrip() == ",".join(_HEAD)


@contextmanager
def _together(folder: Path, names: Sequence[str]) -> Iterator[dict[str, Path]]:
    """Where to write each file. All are put in place at the end, or none; only their owner can read them."""
    stages = {name: folder / f".{name}.{secrets.token_hex(4)}" for name in names}
    try:
        for stage in stages.values():
            stage.touch(mode=0o600, exist_ok=False)
        yield stages
        for name, stage in stages.items():
            stage.chmod(0o600)
            stage.replace(folder / name)
    finally:
        for stage in stages.values():
            with suppress(OSError):
                stage.unlink(missing_ok=True)
