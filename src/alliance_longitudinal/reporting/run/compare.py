"""Compares a report's folder with the same report made again: every file, each as closely as it can be."""

import csv
import difflib
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from alliance_longitudinal.reporting.record.folder import own_files
from alliance_longitudinal.reporting.record.hashing import MANIFEST

#: Numbers agree if they differ by at most this share of the larger one, or by this much near zero. On one machine
#: they are equal; other linear algebra moves an optimum within its certificate, which is tighter than this.
RELATIVE, ABSOLUTE = 1e-5, 1e-8

#: What a report says of its run, in which two runs differ.
_OF_THE_RUN = {"seconds", "outputs", "started", "command", "study", "environment", "machine", "versions"}
_OF_THE_CODE = {"key", "package_sha256", "notebook"}
#: Documents that are compared byte by byte.
_BINARY = {".docx", ".pdf", ".xlsx", ".parquet"}
#: Names of temporary files that Python puts into warnings.
_TEMPORARY = re.compile(r"ipykernel_\d+/\d+\.py")


def compare_folders(then: Path, now: Path, *, to_the_letter: bool) -> tuple[int, list[str]]:
    """How many numbers were compared, and a sentence for each difference.

    Parameters
    ----------
    then, now : Path
        The report and the one made again.
    to_the_letter : bool
        Whether the same versions made both. Otherwise pictures, the page and the notebook may differ, and only the
        numbers in ``results.json`` and in the tables are compared.
    """
    compared, found = compare(_json(then / "results.json"), _json(now / "results.json"))
    names, again = own_files(then), own_files(now)
    found += [
        f"{name} was added to the report: the report made again does not have it."
        for name in sorted(names - again)
    ]
    found += [f"{name} is missing from the report." for name in sorted(again - names)]
    for name in sorted(names & again - {MANIFEST, "results.json"}):
        if name.endswith(".csv"):
            count, different = _tables(name, then / name, now / name)
            compared += count
            found += different
        elif to_the_letter and Path(name).suffix in _BINARY:
            same = (then / name).read_bytes() == (now / name).read_bytes()
            found += [] if same else [f"{name} differs from the one made again."]
        elif to_the_letter:
            found += _texts(name, then / name, now / name)
    if to_the_letter:
        found += _manifests(_json(then / MANIFEST), _json(now / MANIFEST))
    return compared, found


def compare(then: Any, now: Any) -> tuple[int, list[str]]:
    """How many numbers two results have, and a sentence for each value that does not agree."""
    left, right = dict(_leaves(then)), dict(_leaves(now))
    different = [f"{place}: only in one of the two." for place in sorted(left.keys() ^ right.keys())]
    different += [
        f"{place}: {left[place]!r} in the report, {right[place]!r} now."
        for place in left
        if place in right and not _agree(left[place], right[place])
    ]
    return sum(_is_number(value) for value in left.values()), different


def _tables(name: str, then: Path, now: Path) -> tuple[int, list[str]]:
    with then.open(encoding="utf-8", newline="") as a, now.open(encoding="utf-8", newline="") as b:
        left, right = list(csv.reader(a)), list(csv.reader(b))
    if [len(row) for row in left] != [len(row) for row in right]:
        return 0, [f"{name} has other rows or columns than the table made again."]
    cells = [
        (_cell(x), _cell(y)) for p, q in zip(left, right, strict=True) for x, y in zip(p, q, strict=True)
    ]
    different = [f"{name}: {x!r} in the report, {y!r} now." for x, y in cells if not _agree(x, y)]
    return sum(_is_number(x) for x, _ in cells), different


def _cell(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _texts(name: str, then: Path, now: Path) -> list[str]:
    """The first line in which two files differ."""
    left, right = _lines(then), _lines(now)
    if left == right:
        return []
    opcodes = difflib.SequenceMatcher(None, left[:20_000], right[:20_000], autojunk=False).get_opcodes()
    line = next((a + 1 for kind, a, *_ in opcodes if kind != "equal"), len(left))
    return [f"{name} differs from the one made again, first at line {line}."]


def _lines(path: Path) -> list[str]:
    text = path.read_bytes().decode("utf-8", errors="replace")
    if path.suffix == ".ipynb":
        notebook = json.loads(text)
        for cell in notebook["cells"]:  # when each cell began and ended
            cell["metadata"].pop("execution", None)
            cell["metadata"].pop("papermill", None)
        text = json.dumps(notebook, indent=1, sort_keys=True)
    return _TEMPORARY.sub("ipykernel.py", text).splitlines()


def _manifests(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    skipped = _OF_THE_RUN | _OF_THE_CODE | {"manifest_sha256"}
    _, different = compare(
        {k: v for k, v in then.items() if k not in skipped},
        {k: v for k, v in now.items() if k not in skipped},
    )
    return [f"{MANIFEST}, {sentence}" for sentence in different]


def _leaves(data: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _leaves(value, f"{place}.{key}" if place else key)
    elif isinstance(data, list) and data:
        for i, value in enumerate(data):
            yield from _leaves(value, f"{place}[{i}]")
    else:
        yield place, data


def _agree(a: Any, b: Any) -> bool:
    if _is_number(a) and _is_number(b):
        return math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE) or (a != a and b != b)
    return bool(a == b)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
