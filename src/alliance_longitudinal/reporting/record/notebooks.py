"""Which notebook makes a report, and whether its parameters cell is the analysis's own."""

import ast
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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

    def planned_main(self, parameters: Mapping[str, Any]) -> str:
        """Id of the main estimate before any data are seen; empty if the data decide."""
        ...


Registry = Mapping[str, Analysis]

#: A line of a notebook's first cell that names its analysis.
_SAID = re.compile(r"^[\s#*`-]*analysis\s*:[\s`*]*(\w+)", re.MULTILINE | re.IGNORECASE)
#: Words for values that are not Python's, as they are typed and as YAML writes them.
_WORDS = {"true": True, "false": False, "none": None, "null": None, "": None}


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook ready to run.

    Attributes
    ----------
    path : Path
    analysis : Analysis
    sha256 : str
    modified : bool
        Whether it differs from the shipped one.
    own : mapping
        Further names of its parameters cell, which are its author's, with their defaults.
    lacks : tuple of str
        Parameters of the analysis that this copy does not use, such as those that came after it was made.
    """

    path: Path
    analysis: Analysis
    sha256: str
    modified: bool
    own: Mapping[str, Any] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()


def default_registry() -> Registry:
    """The package's analyses."""
    from alliance_longitudinal.analyses.registry import REGISTRY

    return REGISTRY


def known_analysis(name: str, registry: Registry) -> Analysis:
    """The analysis called ``name``.

    Raises
    ------
    UsageError
        If there is none, with the nearest name.
    """
    if name not in registry:
        raise UsageError(f"There is no analysis {name!r}. {nearest(name, sorted(registry))}")
    return registry[name]


def find_notebook(name: str, registry: Registry, folder: Path | None = None) -> Notebook:
    """The notebook called ``name``, or the user's own copy if ``name`` is a path to an ``.ipynb``.

    A copy says which analysis it is, by the first of these that it has: ``alliance: {analysis: NAME}`` in its metadata,
    which every copy of a shipped notebook has; a line ``analysis: NAME`` in its first cell; a file name that starts with
    ``NAME``.

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
    analysis = _analysis_of(path, registry)
    sha256 = file_hash(path)
    original = folder / f"{analysis}.ipynb"
    modified = not original.is_file() or file_hash(original) != sha256
    return _checked(Notebook(path.resolve(), registry[analysis], sha256, modified))


def check_parameters(notebook: Notebook, given: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values of every parameter, after the analysis accepted ``given``.

    Raises
    ------
    UsageError
        In the analysis's words, naming the nearest right parameter or the allowed values; or if this copy of the notebook
        lacks a parameter that is given.
    """
    own = {name: _typed(value, notebook.own[name]) for name, value in given.items() if name in notebook.own}
    rest = {name: value for name, value in given.items() if name not in notebook.own}
    try:
        params: Parameters = notebook.analysis.params.from_mapping(rest)
    except StudyError as error:
        more = f"\nThe notebook's own parameters: {', '.join(notebook.own)}." if notebook.own else ""
        raise UsageError(f"{error}{more}") from None
    for name in notebook.lacks:
        if name in rest and params.to_dict()[name] != notebook.analysis.params().to_dict()[name]:
            raise UsageError(
                f"{notebook.path.name} does not use the parameter {name!r}. Add it to the parameters cell, and pass it on "
                f"to the analysis: {name}={name}."
            )
    return params.to_dict() | {name: own.get(name, default) for name, default in notebook.own.items()}


def _typed(value: Any, default: Any) -> Any:
    """A value for a notebook's own parameter: text as typed becomes what it spells, unless the default is a text."""
    if not isinstance(value, str) or isinstance(default, str):
        return value
    if value.strip().lower() in _WORDS:
        return _WORDS[value.strip().lower()]
    try:
        found = ast.literal_eval(value.strip())
    except (ValueError, SyntaxError):
        return value
    return list(found) if isinstance(found, tuple) else found


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


def _analysis_of(path: Path, registry: Registry) -> str:
    """Which analysis a notebook says that it is."""
    content = _content(path)
    metadata = content.get("metadata", {}).get("alliance", {})
    said = metadata.get("analysis") if isinstance(metadata, dict) else None
    if said is None:
        first: Mapping[str, Any] = next(iter(content["cells"]), {})
        line = _SAID.search("".join(first.get("source", "")))
        said = line[1] if line else None
    if said is not None:
        if said not in registry:
            raise UsageError(
                f"{path.name} says that its analysis is {said!r}. {nearest(said, sorted(registry))}"
            )
        return str(said)
    matches = [key for key in registry if path.stem.startswith(key)]
    if not matches:
        raise UsageError(
            f"{path.name} does not say which analysis it is. Write a line such as 'analysis: {min(registry)}' into its "
            f"first cell. Known: {', '.join(sorted(registry))}."
        )
    return max(matches, key=len)


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content["cells"], list):
            return dict(content)
    except (ValueError, KeyError, TypeError):
        pass
    raise ReportError(f"{path.name} is not a Jupyter notebook of format 4.")


def _checked(notebook: Notebook) -> Notebook:
    """Refuse a notebook whose parameters cell does not offer what the analysis takes."""
    try:
        content = _content(notebook.path)
        offered, used = cell_names(content), _used_names(content)
    except (ValueError, KeyError, TypeError):
        raise ReportError(f"{notebook.path.name} is not a Jupyter notebook of format 4.") from None
    wanted = ["study", *notebook.analysis.params().to_dict()]
    lacks = tuple(name for name in wanted if name not in offered)
    missing = [name for name in lacks if name in used or name == "study"]
    own = {name: value for name, value in offered.items() if name not in wanted}
    if missing:
        lines = [
            f"The parameters cell of {notebook.path.name} does not fit the analysis {notebook.analysis.name!r}.",
            f"  missing, but used by other cells: {', '.join(missing)}",
            *([f"  not known to the analysis: {', '.join(own)}"] if own else []),
            "  Keep the parameters of the analysis under their own names; add yours beside them.",
        ]
        raise ReportError("\n".join(lines))
    return replace(notebook, own=own, lacks=lacks)


def _used_names(notebook: Mapping[str, Any]) -> set[str]:
    """Names that the code of the other cells reads."""
    found: set[str] = set()
    for cell in notebook["cells"]:
        if cell.get("cell_type") != "code" or "parameters" in cell.get("metadata", {}).get("tags", ()):
            continue
        lines = "".join(cell["source"]).splitlines()
        code = "\n".join("" if line.lstrip().startswith(("%", "!", "?")) else line for line in lines)
        try:
            tree = ast.parse(code)
        except SyntaxError:
            continue  # running it will say so
        found |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return found
