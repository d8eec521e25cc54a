"""What a report for outsiders says of where it was made: no path, no folder and no name of a file of the data."""

import html
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from alliance_longitudinal.reporting.record.arguments import rerun_command
from alliance_longitudinal.reporting.record.inputs import DEMO

STUDY, FOLDER = "STUDY.yaml", "DIR"
#: Shorter names of files would be found inside ordinary words.
_SHORTEST = 5

T = TypeVar("T")


def is_shareable(parameters: Mapping[str, Any]) -> bool:
    """Whether a report with these parameters is made for outsiders."""
    return parameters.get("audience") == "shareable"


def public(known: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest ``known`` so far as the report may show it: unchanged unless it is made for outsiders."""
    if not is_shareable(known["parameters"]):
        return dict(known)
    notebook = dict(known["notebook"])
    if notebook["argument"] != known["analysis"]:
        notebook |= {"argument": "NOTEBOOK.ipynb", "name": "NOTEBOOK.ipynb"}
    study = known["study"] if known["study"] == DEMO else STUDY
    hashes = sorted(known["inputs"].values())
    plan = None if known.get("plan") is None else _public_plan(known["plan"])
    return dict(known) | {
        **({} if plan is None else {"plan": plan}),
        "study": study,
        "inputs": {f"input {k}": value for k, value in enumerate(hashes, start=1)},
        "notebook": notebook,
        "command": rerun_command(
            study,
            notebook["argument"],
            known["parameters"],
            Path(FOLDER),
            None if plan is None else str(plan["file"]),
            known.get("formats", ()),
            known.get("language", ""),
        ),
    }


def _public_plan(plan: Mapping[str, Any]) -> dict[str, Any]:
    """A plan's record without the names of files."""
    data = plan["data_sha256"]
    found = [
        d | {"parameter": "a data file" if d["parameter"].startswith("data file ") else d["parameter"]}
        for d in plan["deviations"]
    ]
    return dict(plan) | {
        "file": "PLAN.yaml",
        "notebook": "NOTEBOOK.ipynb" if plan["notebook_sha256"] else plan["notebook"],
        "study_file": plan["study_file"] if plan["study_file"] == DEMO else STUDY,
        "data_sha256": None
        if data is None
        else {f"data file {k}": v for k, v in enumerate(data.values(), start=1)},
        "deviations": found,
    }


def names_to_hide(known: Mapping[str, Any], notebook: Path, *folders: Path) -> dict[str, str]:
    """Text that must not stand in a report for outsiders, and what stands there instead; the longest first.

    Parameters
    ----------
    known : mapping
        The manifest so far, with its paths.
    notebook : Path
        The notebook that runs.
    *folders : Path
        Folders of this run.
    """
    if not is_shareable(known["parameters"]):
        return {}
    hidden: dict[str, str] = {}
    study = known["study"]
    if study != DEMO:
        path = Path(study)
        hidden |= {study: STUDY, str(path.parent): FOLDER, path.name: STUDY}
        hidden |= {name: "(a file of the study)" for name in known["inputs"] if name != path.name}
        hidden |= {Path(name).name: "(a file of the study)" for name in known["inputs"] if name != path.name}
    if known["notebook"]["argument"] != known["analysis"]:
        hidden |= {str(notebook): "NOTEBOOK.ipynb", notebook.name: "NOTEBOOK.ipynb"}
    hidden |= {str(folder): FOLDER for folder in folders}
    hidden |= {sys.prefix: "(Python)", tempfile.gettempdir(): "(temporary folder)", str(Path.home()): "~"}
    long = {
        text: instead
        for text, instead in hidden.items()
        if len(text) >= _SHORTEST - Path(text).is_absolute() and text != instead
    }
    return dict(sorted(long.items(), key=lambda item: -len(item[0])))


def without_names(value: T, hidden: Mapping[str, str]) -> T:
    """A copy of nested plain data, or a text, in which every text of ``hidden`` is replaced."""
    if isinstance(value, str):
        text: str = value
        for name, instead in _forms(hidden):
            text = text.replace(name, instead)
        return text  # type: ignore[return-value]
    if isinstance(value, Mapping):
        return type(value)({without_names(k, hidden): without_names(v, hidden) for k, v in value.items()})  # type: ignore[call-arg]
    if isinstance(value, list):
        return [without_names(v, hidden) for v in value]  # type: ignore[return-value]
    return value


def hide_in_files(folder: Path, hidden: Mapping[str, str]) -> None:
    """Replace the same texts in every text file under ``folder``."""
    for path in sorted(p for p in folder.rglob("*") if p.suffix in {".csv", ".svg", ".json"} and hidden):
        before = path.read_text(encoding="utf-8")
        after = without_names(before, hidden)
        if after != before:
            path.write_text(after, encoding="utf-8")


def _forms(hidden: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each text as it is, and as JSON, HTML and Python write it; papermill writes parameters as Python in ASCII."""
    for name, instead in hidden.items():
        python = name.encode("unicode_escape").decode("ascii")
        said = [name, python, python.replace('"', '\\"'), repr(name)[1:-1], ascii(name)[1:-1]]
        said += [
            json.dumps(text, ensure_ascii=ascii_only)[1:-1] for text in said for ascii_only in (False, True)
        ]
        pairs = [(text, instead) for text in said]
        pairs += [(html.escape(text), html.escape(instead)) for text in said]
        yield from dict.fromkeys(pairs)
