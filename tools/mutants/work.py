"""Puts one mutant after the other into a copy of the tree, and runs the tests that concern it.

The map of lines to tests may be of older code, which stands in ``MAP/code``: lines are then found again by comparing the
files, and the tests that bear a module's name are asked as well, so that tests and modules made since take part.
"""

import ast
import difflib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from coverage.numbits import numbits_to_nums
from draw import Mutant, changed

#: Tests that are asked first, the fastest of each file in turn; and the seconds that the others of these files may take.
QUICK = int(os.environ.get("MUTANTS_QUICK") or 20)
FILES = 5
BUDGET = float(os.environ.get("MUTANTS_SECONDS") or 60)
#: Names of modules that say nothing of what they are about; the folder's name does.
PLAIN = {
    *(
        "__init__",
        "design",
        "compute",
        "tables",
        "charts",
        "findings",
        "words",
        "figures",
        "fit",
        "model",
        "rows",
    ),
    *("kit", "parts", "effects", "models", "text", "checks", "options", "core", "base", "shared", "plots"),
}
#: No further file is asked after so many seconds.
LONGEST = float(os.environ.get("MUTANTS_LONGEST") or 600)
#: The file of the tree that is changed just now, as it was.
UNDO = Path("mutated.json")
#: What makes a mutant the same one.
KEY = ("path", "line", "column", "operator", "occurrence", "before")


@dataclass(frozen=True)
class Tests:
    """Which tests run which lines, and how long each takes."""

    by_line: dict[tuple[str, int], set[str]]
    by_file: dict[str, set[str]]
    seconds: dict[str, float]
    broken: tuple[str, ...]
    code: Path = field(default=Path("nowhere"))

    def of(self, mutant: Mutant) -> tuple[list[str], list[str]]:
        """The tests to run first, and what to run if these notice nothing: all tests of their files, as far as time allows."""
        # What is read when a module is imported (a constant, a default, a table) belongs to no test: any may notice it.
        line = self.line_of_map(mutant)
        direct = self.by_line.get((mutant.path, line), set()) if in_function(mutant) else set()
        direct = direct or self.by_file.get(mutant.path, set())
        queues: dict[str, list[str]] = defaultdict(list)
        for test in sorted(direct, key=lambda t: (self.seconds[t], t)):
            queues[file_of(test)].append(test)
        # In turn, one of each file; files that are quick as a whole come first, for a fixture may cost more than its tests.
        files = sorted(queues, key=lambda f: (self.whole(f), f))
        turns = sorted(
            (i, place, queues[f][i]) for place, f in enumerate(files) for i in range(len(queues[f]))
        )
        first = [test for _, place, test in turns if place < FILES][:QUICK]
        # The tests that bear the module's or its folder's name, whatever they cost, and other files as far as time allows.
        rest = list(named(Path(mutant.path)))
        spent = 0.0
        for file in sorted(set(queues) - set(rest), key=lambda f: (self.whole(f) / len(queues[f]), f)):
            took = self.whole(file)
            if spent + took <= BUDGET:
                spent += took
                rest.append(file)
        return sorted(first), rest

    def line_of_map(self, mutant: Mutant) -> int:
        """The line of the code that was measured; 0 if it is not there."""
        if not (self.code / mutant.path).is_file():
            return mutant.line if not self.code.is_dir() else 0
        return same_lines(self.code, mutant.path).get(mutant.line, 0)

    def whole(self, name: str) -> float:
        """Seconds of a test, or of all tests of a file."""
        return self.seconds.get(name) or sum(s for test, s in self.seconds.items() if file_of(test) == name)


@cache
def same_lines(code: Path, path: str) -> dict[int, int]:
    """Lines of the file as it is, and where they are in the code that was measured."""
    texts = [folder.joinpath(path).read_text(encoding="utf-8").splitlines() for folder in (Path(), code)]
    blocks = difflib.SequenceMatcher(None, *texts, autojunk=False).get_matching_blocks()
    return {b.a + i + 1: b.b + i + 1 for b in blocks for i in range(b.size)}


@cache
def named(path: Path) -> tuple[str, ...]:
    """The files of tests that bear the module's name, or else that of its folder."""
    folders = path.with_suffix("").parts[2:]
    beside = sorted(Path("tests", folders[0]).rglob("test_*.py"))
    for word in reversed(folders[1:]):
        files = [f.as_posix() for f in beside if word not in PLAIN and word in f.stem]
        if files:
            return tuple(sorted(files, key=len))
    return speaking_of(path, beside)


def speaking_of(path: Path, files: list[Path]) -> tuple[str, ...]:
    """The four files of tests that call most often what the module, or else its folder, defines."""
    for modules in ([path], sorted(path.parent.glob("*.py"))):
        made = [n for m in modules for n in ast.parse(m.read_text(encoding="utf-8")).body]
        kinds = (ast.FunctionDef, ast.ClassDef)
        names = [n.name for n in made if isinstance(n, kinds) and not n.name.startswith("_")]
        word = re.compile(rf"\b({'|'.join(names)})\(")
        calls = {f.as_posix(): len(word.findall(f.read_text(encoding="utf-8"))) for f in files if names}
        most = sorted((name for name, n in calls.items() if n), key=lambda name: (-calls[name], name))
        if most:
            return tuple(most[:4])
    return ()


def in_function(mutant: Mutant) -> bool:
    """Does a call run the line, and not the import of its module?"""
    tree = ast.parse(Path(mutant.path).read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    return any(f.body[0].lineno <= mutant.line <= int(f.end_lineno or 0) for f in functions)


def file_of(test: str) -> str:
    """The file of a test."""
    return test.split("::")[0]


def read_tests(folder: Path) -> Tests:
    """The map that ``contexts.py`` wrote, from all its files."""
    facts: dict[str, Any] = {}
    for file in sorted(folder.glob("tests-*.json")):
        facts |= json.loads(file.read_text(encoding="utf-8"))
    listed = folder / "collected.txt"  # tests that are still there, if the map is older
    still = set(listed.read_text(encoding="utf-8").splitlines()) if listed.exists() else set(facts)
    facts = {test: fact for test, fact in facts.items() if test in still}
    good = {test: fact for test, fact in facts.items() if fact.get("passed") and "seconds" in fact}
    users: dict[str, set[str]] = defaultdict(set)
    for test, fact in good.items():
        users[test].add(test)
        for name in fact["fixtures"]:
            users[f"fixture {name}"].add(test)
    by_line: dict[tuple[str, int], set[str]] = defaultdict(set)
    by_file: dict[str, set[str]] = defaultdict(set)
    for file in sorted(folder.glob("cov-*")):
        with sqlite3.connect(file) as base:
            rows = base.execute(
                "select path, context, numbits from line_bits join file on file.id = file_id "
                "join context on context.id = context_id"
            )
            for path, context, bits in rows:
                tests = users.get(context, set())
                if tests:
                    by_file[path] |= tests
                    for line in numbits_to_nums(bits):
                        by_line[path, line] |= tests
    seconds = {test: fact["seconds"] for test, fact in good.items()}
    broken = tuple(sorted(set(facts) - set(good)))
    return Tests(dict(by_line), dict(by_file), seconds, broken, folder / "code")


class Server:
    """The process that runs tests (``server.py``)."""

    def __init__(self, python: str, base: Path) -> None:
        self.base = base
        command = [python, str(Path(__file__).with_name("server.py"))]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1)

    def run(self, arguments: list[str], seconds: float) -> tuple[str, str]:
        """pytest's exit status, or ``timeout``, and what it printed."""
        shutil.rmtree(self.base, ignore_errors=True)
        shown = self.base.with_suffix(".txt")
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(
            json.dumps([[*arguments, f"--basetemp={self.base}"], str(shown), seconds]) + "\n"
        )
        status, output = (
            self.process.stdout.readline().strip(),
            shown.read_text(encoding="utf-8", errors="replace"),
        )
        if status in ("", "3") and "INTERNALERROR" not in output:
            raise RuntimeError(f"The tests were not run: {output[-2000:]}")
        return status, output


def outcome(mutant: Mutant, tests: Tests, server: Server) -> dict[str, Any]:
    """What became of one mutant; the working folder is the copy of the tree."""
    path = Path(mutant.path)
    before, stamp = path.read_text(encoding="utf-8"), path.stat()
    text = changed(mutant)
    record: dict[str, Any] = mutant.record() | {"after": line_of(text, mutant.line)}
    first, rest = tests.of(mutant)
    begin = time.perf_counter()
    found, shown = "no test", ""
    try:
        UNDO.write_text(json.dumps({mutant.path: before}), encoding="utf-8")
        path.write_text(text or before, encoding="utf-8")
        for some in (first, *([file] for file in rest)):
            if some and found in {"no test", "survived"} and time.perf_counter() - begin < LONGEST:
                found, shown = asked(some, tests, server)
    finally:
        path.write_text(before, encoding="utf-8")
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        UNDO.unlink(missing_ok=True)
    took = round(time.perf_counter() - begin, 1)
    return record | {"outcome": found, "by": shown, "tests": len(first) + len(rest), "seconds": took}


def undo() -> None:
    """Put right what a run that was killed has left in the tree: all later mutants would be judged with it."""
    if UNDO.exists():
        for path, text in json.loads(UNDO.read_text(encoding="utf-8")).items():
            Path(path).write_text(text, encoding="utf-8")
        UNDO.unlink()


def asked(some: list[str], tests: Tests, server: Server) -> tuple[str, str]:
    """Run tests until one fails."""
    arguments = ["-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", *some]
    left = [f"--deselect={test}" for test in tests.broken]
    status, output = server.run([*arguments, *left], 120 + 8 * sum(map(tests.whole, some)))
    failed = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if status == "timeout":
        return "timeout", ""
    if status in ("0", "5"):  # all passed; all deselected
        return "survived", ""
    if status == "4" and not failed:  # a file of tests that cannot be imported any more fails
        raise RuntimeError(f"pytest did not find its tests: {output[-2000:]}")
    return "killed", (failed or output.strip().splitlines()[-1:] or [""])[0][:300]


def line_of(text: str | None, line: int) -> str:
    """One line of a text, without its indent."""
    lines = (text or "").splitlines()
    return lines[line - 1].strip() if line <= len(lines) else ""


def main() -> int:
    """``work.py LIST RESULTS MAP PYTHON BASE``: the mutants of LIST (JSON lines) that no test of RESULTS has noticed yet."""
    listed, results, folder, base = (Path(sys.argv[i]) for i in (1, 2, 3, 5))
    undo()
    tests, server = read_tests(folder), Server(sys.argv[4], base)
    known = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    settled = ("killed", "timeout", *os.environ.get("MUTANTS_SETTLED", "").split())
    done = {key(r) for r in map(json.loads, known) if r["outcome"] in settled}
    for line in listed.read_text(encoding="utf-8").splitlines():
        mutant = Mutant(**json.loads(line))
        if key(mutant.record()) not in done:
            record = outcome(mutant, tests, server)
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            print(f"{record['outcome']:9} {mutant.path}:{mutant.line}  {record['after'][:80]}", flush=True)
    return 0


def key(record: dict[str, Any]) -> tuple[Any, ...]:
    """What makes a mutant the same one."""
    return tuple(record[name] for name in KEY)


if __name__ == "__main__":
    raise SystemExit(main())
