"""A batch file's grid: which reports it asks for, each checked before anything runs."""

import itertools
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alliance_longitudinal.errors import AllianceError, StudyError, UsageError
from alliance_longitudinal.language import ENGLISH, check_language, in_language_here, tell
from alliance_longitudinal.reporting.record.arguments import as_argument
from alliance_longitudinal.reporting.record.formats import check_formats
from alliance_longitudinal.reporting.record.inputs import DEMO
from alliance_longitudinal.reporting.record.notebooks import (
    Registry,
    check_parameters,
    default_registry,
    find_notebook,
)
from alliance_longitudinal.reporting.record.public import FOLDER, STUDY, is_shareable, without_names
from alliance_longitudinal.reporting.record.trust import refuse_foreign
from alliance_longitudinal.reporting.run.report import Limits, Request, prepare
from alliance_longitudinal.strict_yaml import Document, nearest, raise_mistakes, read_document, validate

_LONGEST_NAME = 60


class BatchFile(BaseModel):
    """What a batch file says.

    Each parameter has one value or a list of values; every combination becomes a report. A window of two numbers
    is itself a list, so several windows are a list of lists: ``window: [[1, 3], [1, 5], 3]``.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    study: str | list[str] | None = None
    studies: dict[str, str] | None = None
    notebook: str | None = None
    notebooks: list[str] | None = None
    parameters: dict[str, Any] = {}
    exclude: list[dict[str, Any]] = []
    formats: list[str] = []
    language: str = ENGLISH
    deadline: Annotated[float, Field(gt=0)] = 600.0
    memory: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.study is None) == (self.studies is None):
            raise ValueError("give either 'study' (one file or a list) or 'studies' (name: file).")
        if (self.notebook is None) == (self.notebooks is None):
            raise ValueError("give either 'notebook' (one) or 'notebooks' (a list).")
        return self

    def notebook_names(self) -> list[str]:
        """Notebooks as they are named."""
        return [self.notebook] if self.notebook else self.notebooks or []

    def study_files(self) -> dict[str, str]:
        """Study file by the name it has in the index."""
        if self.studies is not None:
            return self.studies
        files = [self.study] if isinstance(self.study, str) else list(self.study or ())
        names = [Path(file).stem if Path(file).stem != "study" else Path(file).parent.name for file in files]
        unique = len(set(names)) == len(names)
        return {(name if unique and name else file): file for name, file in zip(names, files, strict=True)}


@dataclass(frozen=True, slots=True)
class Combination:
    """One report of the grid.

    Attributes
    ----------
    study, notebook : str
        Names for the reader.
    values : mapping
        The parameters that the batch file sets.
    request : Request or None
        None if the study file cannot be read; ``error`` says why.
    """

    study: str
    notebook: str
    values: Mapping[str, Any]
    request: Request | None
    error: str = ""

    @property
    def label(self) -> str:
        """Name for the reader, such as ``clinic_a, window 1,5``."""
        return label_of(self.study, self.values)

    @property
    def folder(self) -> str:
        """Name of the report's folder: readable, and different for whatever makes the numbers different."""
        words = [self.study, self.notebook, *(f"{k}-{as_argument(v)}" for k, v in self.values.items())]
        key = self.request.key[:8] if self.request else "unread"
        return f"{_slug('-'.join(words))}-{key}"


def label_of(study: str, values: Mapping[str, Any]) -> str:
    """Name of a cell of the grid for the reader."""
    return ", ".join([study, *(f"{k} {as_argument(v)}" for k, v in values.items())])


@dataclass(frozen=True, slots=True)
class Plan:
    """All reports of a batch file.

    Attributes
    ----------
    combinations : tuple of Combination
    limits : Limits
        What each may use.
    skipped : tuple of mapping
        Cells of the grid that are no report, as rows of the index: excluded by the batch file, or the same as another.
    notes : tuple of str
        What the reader of the index has to know about the whole.
    folder : Path or None
        Folder of the batch file, from which its paths start.
    language : str
        Of the reports and of the index.
    """

    combinations: tuple[Combination, ...]
    limits: Limits
    skipped: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    folder: Path | None = None
    language: str = ENGLISH


def read_plan(
    path: Path, *, trust: bool = True, registry: Registry | None = None, notebooks: Path | None = None
) -> Plan:
    """Read a batch file and check every combination; without ``trust`` notebooks from somebody else are refused.

    Raises
    ------
    UsageError
        If a notebook of the batch is somebody else's.
    StudyError
        If the batch file is wrong: unknown keys, parameters that an analysis does not take, exclusions that name
        nothing. A study file that cannot be read is told in its combination instead, for the rest can still run.
    """
    document = read_document(path, "batch file")
    batch = validate(document, BatchFile, "batch file")
    _check_exclusions(batch, path)
    written = _formats(document, batch)
    for name in [] if trust else batch.notebook_names():
        if (place := own_notebook(name, path.parent)).endswith(".ipynb"):
            refuse_foreign(Path(place))
    found: dict[str, Combination] = {}
    together: dict[str, None] = {}
    same: dict[tuple[str, str], None] = {}
    skipped: list[Mapping[str, Any]] = []
    hashes: dict[str, Mapping[str, str]] = {}  # of a study's files, read once and not for each of its reports
    for study, notebook, values in _grid(batch):
        rule = _excluding(study, notebook, values, batch.exclude)
        if rule is not None:
            words = ", ".join(f"{k} {as_argument(v)}" for k, v in rule.items())
            skipped.append(_skipped(study, notebook, values, "excluded", f"The batch file excludes {words}."))
            continue
        try:
            combination = _checked(
                *(study, batch.study_files()[study], notebook, values, path.parent),
                *(registry, notebooks, written, hashes),
            )
        except UsageError as error:
            together |= dict.fromkeys(str(error).splitlines())
            continue
        identity = combination.request.key if combination.request else combination.label
        first = found.setdefault(identity, combination)
        if first is not combination:
            skipped.append(_skipped(study, notebook, values, "same", f"The same report as {first.label}."))
        if first.study != study:
            same[first.study, study] = None
    if together:
        single = _single_mistakes(batch, path, registry, notebooks)
        said = {line for _, sentence in single for line in sentence.splitlines()}
        raise_mistakes(document, "batch file", single + [((), m) for m in together if m not in said])
    if not found:
        raise StudyError(f"The batch file {path.name} asks for no report: every combination is excluded.")
    limits = Limits(batch.deadline, memory=batch.memory)
    with in_language_here(written[1]):
        notes = tuple(map(_same_content, same))
    return Plan(tuple(found.values()), limits, tuple(skipped), notes, path.parent, written[1])


def _same_content(studies: tuple[str, str]) -> str:
    first, second = map(repr, studies)
    return tell(
        "The studies {first} and {second} have the same content, so each report is made once, as {first}.",
        first=first,
        second=second,
    )


def _formats(document: Document, batch: BatchFile) -> tuple[list[str], str]:
    """The documents that each report has beside its page, and the language of all."""
    place = "language"
    try:
        language = check_language(batch.language)
        place = "formats"
        return check_formats(batch.formats), language
    except UsageError as error:
        raise_mistakes(document, "batch file", [((place,), str(error))])
        raise


def _single_mistakes(
    batch: BatchFile, path: Path, registry: Registry | None, notebooks: Path | None
) -> list[tuple[tuple[str | int, ...], str]]:
    """Every notebook and every value that is wrong whatever stands beside it: its place in the file and a sentence.

    Some values need another beside them. They are asked about only when a combination was refused.
    """
    found: dict[tuple[tuple[str | int, ...], str], None] = {}
    known = default_registry() if registry is None else registry
    for k, name in enumerate(batch.notebook_names()):
        try:
            notebook = find_notebook(own_notebook(name, path.parent), known, notebooks)
        except UsageError as error:
            found[("notebook",) if batch.notebook else ("notebooks", k), str(error)] = None
            continue
        for parameter, value in batch.parameters.items():
            several = isinstance(value, list)
            for i, one in enumerate(value if several else [value]):
                try:
                    check_parameters(notebook, {parameter: one})
                except UsageError as error:
                    exact = ("parameters", parameter, i) if several else ("parameters", parameter)
                    unknown = f"no parameter {parameter!r}" in str(error)
                    found[("parameters", parameter) if unknown else exact, str(error)] = None
    return list(found)


def own_notebook(name: str, folder: Path) -> str:
    """A notebook file beside the batch file by its whole path; any other name as it is."""
    own = folder / Path(name).expanduser()
    return str(own) if name.endswith(".ipynb") and own.is_file() else name


def _grid(batch: BatchFile) -> Iterator[tuple[str, str, dict[str, Any]]]:
    lists = [value if isinstance(value, list) else [value] for value in batch.parameters.values()]
    names = batch.notebook_names()
    for study, notebook, *values in itertools.product(batch.study_files(), names, *lists):
        yield study, str(notebook), dict(zip(batch.parameters, values, strict=True))


def _checked(
    study: str,
    file: str,
    notebook: str,
    values: Mapping[str, Any],
    folder: Path,
    registry: Registry | None,
    notebooks: Path | None,
    written: tuple[Sequence[str], str],
    hashes: dict[str, Mapping[str, str]],
) -> Combination:
    place = file if file == DEMO and not (folder / file).is_file() else str(folder / file)
    try:
        request = prepare(
            place,
            own_notebook(notebook, folder),
            values,
            formats=written[0],
            language=written[1],
            inputs=hashes.get(place),
            registry=registry,
            notebooks=notebooks,
        )
        hashes.setdefault(place, request.provenance["inputs"])
    except UsageError:
        raise
    except AllianceError as error:
        told = str(error)
        if is_shareable(values):  # the index must not name files
            whole, own = Path(place).resolve(), Path(place)
            told = without_names(told, {str(p): STUDY for p in (whole, own)})
            told = without_names(told, {str(p.parent): FOLDER for p in (whole, own)})
        return Combination(study, notebook, values, None, told)
    return Combination(study, notebook, values, request)


def _excluding(
    study: str, notebook: str, values: Mapping[str, Any], exclude: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """The first rule that leaves out a cell of the grid."""
    whole = {"study": study, "notebook": notebook, **values}
    return next((rule for rule in exclude if all(whole[k] == v for k, v in rule.items())), None)


def _skipped(
    study: str, notebook: str, values: Mapping[str, Any], status: str, reason: str
) -> dict[str, Any]:
    """A cell of the grid that is no report, as a row of the index."""
    empty = dict.fromkeys(("key", "seconds", "result_status", "estimate"))
    return {
        "label": label_of(study, values),
        "study": study,
        "notebook": notebook,
        "parameters": dict(values),
        "folder": "",
        "status": status,
        "error": reason,
        **empty,
    }


def _check_exclusions(batch: BatchFile, path: Path) -> None:
    known = ["study", "notebook", *batch.parameters]
    for rule in batch.exclude:
        for key in rule:
            if key not in known:
                raise StudyError(
                    f"The batch file {path.name} excludes by {key!r}, which it does not set. {nearest(key, known)}"
                )


def _slug(text: str) -> str:
    """``text`` in small letters, digits and hyphens, as every file system takes them."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:_LONGEST_NAME].strip("-") or "report"
