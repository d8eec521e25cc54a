"""Makes a report again from its manifest and compares every number."""

import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alliance_longitudinal.errors import ReportError, StudyError
from alliance_longitudinal.reporting.record.hashing import MANIFEST
from alliance_longitudinal.reporting.record.inputs import input_hashes
from alliance_longitudinal.reporting.record.manifest import altered_files, read_manifest
from alliance_longitudinal.reporting.record.notebooks import Registry
from alliance_longitudinal.reporting.run.process import OnEvent
from alliance_longitudinal.reporting.run.report import DEADLINE_SECONDS, Request, prepare, run_report

#: Numbers agree if they differ by at most this share of the larger one, or by this much near zero. On one machine
#: they are equal; other linear algebra moves an optimum within its certificate, which is tighter than this.
RELATIVE, ABSOLUTE = 1e-5, 1e-8


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of it.

    Attributes
    ----------
    problems : tuple of str
        Sentences; none if the report holds.
    notes : tuple of str
        What is different but explains nothing away, such as another version of the package.
    compared : int
        Numbers compared.
    """

    problems: tuple[str, ...]
    notes: tuple[str, ...]
    compared: int

    @property
    def ok(self) -> bool:
        """Whether the report stands as it was made and its numbers come out again."""
        return not self.problems


def verify_report(
    folder: str | Path,
    *,
    deadline: float = DEADLINE_SECONDS,
    on_event: OnEvent | None = None,
    registry: Registry | None = None,
    notebooks: Path | None = None,
) -> Verification:
    """Check that the report in ``folder`` is unaltered, make it again beside, and compare every number.

    Raises
    ------
    ReportError
        If there is no complete report, its manifest was altered, or it cannot be made again.
    """
    folder = Path(folder).expanduser().resolve()
    manifest = read_manifest(folder)
    if manifest["status"] != "complete":
        raise ReportError(f"The report in {folder} failed when it was made; there is nothing to compare.")
    altered = altered_files(folder, manifest)
    problems = [f"{name} was altered or removed after the report was made." for name in altered]
    changed = _changed_inputs(manifest)
    problems += changed
    argument = manifest["notebook"]["argument"]
    request = prepare(
        manifest["study"], argument, manifest["parameters"], registry=registry, notebooks=notebooks
    )
    notes = _differences_in_origin(manifest, request)
    if "results.json" in altered or changed:  # other numbers are then no surprise
        return Verification(tuple(problems), notes, 0)
    with tempfile.TemporaryDirectory(prefix="al-verify-") as scratch:
        again = run_report(
            manifest["study"],
            argument,
            manifest["parameters"],
            Path(scratch) / "again",
            deadline=deadline,
            on_event=on_event,
            registry=registry,
            notebooks=notebooks,
        )
        if not again.ok:
            raise ReportError(f"The report could not be made again: {again.error}")
        compared, different = compare(_results(folder), _results(again.folder))
    return Verification((*problems, *different), notes, compared)


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


def _leaves(data: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, f"{place}.{key}" if place else key)
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from _leaves(value, f"{place}[{i}]")
    else:
        yield place, data


def _agree(a: Any, b: Any) -> bool:
    if _is_number(a) and _is_number(b):
        return math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return bool(a == b)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _changed_inputs(manifest: dict[str, Any]) -> list[str]:
    try:
        now = input_hashes(manifest["study"])
    except StudyError as error:
        raise ReportError(f"The report cannot be made again: {error}") from None
    then = manifest["inputs"]
    names = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    return [f"The input {name} is not the one that the report was made of." for name in names]


def _differences_in_origin(manifest: dict[str, Any], request: Request) -> tuple[str, ...]:
    now = request.provenance
    notes = []
    if now["notebook"]["sha256"] != manifest["notebook"]["sha256"]:
        notes.append(f"The notebook {manifest['notebook']['name']} was changed since.")
    if now["package_sha256"] != manifest["package_sha256"]:
        notes.append("The package's source is not the one that made the report.")
    for name, version in manifest["versions"].items():
        if now["versions"].get(name) != version:
            notes.append(f"{name} was {version} and is {now['versions'].get(name, 'missing')}.")
    return tuple(notes)


def _results(folder: Path) -> Any:
    path = folder / "results.json"
    if not path.is_file():
        raise ReportError(f"{folder} has a {MANIFEST} but no results.json.")
    return json.loads(path.read_text(encoding="utf-8"))
