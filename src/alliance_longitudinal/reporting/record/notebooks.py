"""Which notebook makes a report, and whether its parameters cell is the analysis's own."""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from alliance_longitudinal.errors import ReportError, StudyError, UsageError
from alliance_longitudinal.reporting.record.hashing import file_hash
from alliance_longitudinal.resources import shipped
from alliance_longitudinal.strict_yaml import nearest


class Parameters(Protocol):
    """Checked parameters of an analysis."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        ...


class Analysis(Protocol):
    """What the runner needs of a registered analysis."""

    @property
    def name(self) -> str:
        """Also the name of its notebook."""
        ...

    @property
    def params(self) -> Any:
        """Class of its parameters: defaults when called bare, ``from_mapping`` for what was typed."""
        ...


Registry = Mapping[str, Analysis]


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook ready to run: its file, its analysis, and whether it is the shipped one."""

    path: Path
    analysis: Analysis
    sha256: str
    modified: bool


def default_registry() -> Registry:
    """The package's analyses."""
    from alliance_longitudinal.analyses.registry import REGISTRY

    return REGISTRY


def find_notebook(name: str, registry: Registry, folder: Path | None = None) -> Notebook:
    """The notebook called ``name``, or the user's own copy if ``name`` is a path to an ``.ipynb``.

    A copy belongs to the analysis whose name its file name starts with: ``early_alliance_clinic_b.ipynb``.

    Raises
    ------
    UsageError
        If there is none, with the nearest name.
    """
    folder = shipped("notebooks") if folder is None else folder
    if name in registry:
        path = folder / f"{name}.ipynb"
        if not path.is_file():
            raise ReportError(
                f"The notebook {path.name} is missing from this installation; install the package again."
            )
        return _checked(Notebook(path, registry[name], file_hash(path), modified=False))
    path = Path(name).expanduser()
    if path.suffix != ".ipynb":
        raise UsageError(f"There is no notebook {name!r}. {nearest(name, sorted(registry))}")
    if not path.is_file():
        raise UsageError(f"The notebook file {path} does not exist.")
    matches = [key for key in registry if path.stem.startswith(key)]
    if not matches:
        raise UsageError(
            f"{path.name} does not say which analysis it is: let its name start with one of "
            f"{', '.join(sorted(registry))}."
        )
    analysis = max(matches, key=len)
    sha256 = file_hash(path)
    original = folder / f"{analysis}.ipynb"
    modified = not original.is_file() or file_hash(original) != sha256
    return _checked(Notebook(path.resolve(), registry[analysis], sha256, modified))


def check_parameters(notebook: Notebook, given: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values of every parameter, after the analysis accepted ``given``.

    Raises
    ------
    UsageError
        In the analysis's words, naming the nearest right parameter or the allowed values.
    """
    try:
        params: Parameters = notebook.analysis.params.from_mapping(dict(given))
    except StudyError as error:
        raise UsageError(str(error)) from None
    return params.to_dict()


def cell_names(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """Names and plain values that the cell tagged ``parameters`` assigns.

    Raises
    ------
    ReportError
        If there is not exactly one such cell, or it holds more than ``name = literal`` lines.
    """
    cells = [c for c in notebook["cells"] if "parameters" in c.get("metadata", {}).get("tags", ())]
    if len(cells) != 1:
        raise ReportError(f"The notebook has {len(cells)} cells tagged 'parameters'; it needs exactly one.")
    source = "".join(cells[0]["source"])
    try:
        return dict(_assignments(ast.parse(source).body))
    except (SyntaxError, ValueError):
        raise ReportError(
            "The notebook's parameters cell may hold only lines such as `window = [1, 5]`."
        ) from None


def _assignments(body: Iterable[ast.stmt]) -> Iterable[tuple[str, Any]]:
    for line in body:
        if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant):
            continue  # a text that explains the cell
        if not (
            isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name)
        ):
            message = "not an assignment"
            raise ValueError(message)
        yield line.targets[0].id, ast.literal_eval(line.value)


def _checked(notebook: Notebook) -> Notebook:
    """Refuse a notebook whose parameters cell does not offer what the analysis takes."""
    import json

    try:
        content = json.loads(notebook.path.read_text(encoding="utf-8"))
        offered = set(cell_names(content))
    except (ValueError, KeyError, TypeError):
        raise ReportError(f"{notebook.path.name} is not a Jupyter notebook of format 4.") from None
    wanted = {"study", *notebook.analysis.params().to_dict()}
    if offered != wanted:
        odd = ", ".join(sorted(offered ^ wanted))
        raise ReportError(
            f"The parameters cell of {notebook.path.name} does not match the analysis "
            f"{notebook.analysis.name!r}: {odd}."
        )
    return notebook
