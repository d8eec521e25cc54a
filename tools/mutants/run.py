"""Mutants of the code that users' numbers come from, and whether a test notices each: docs/mutants.md. ``make mutants``.

An hour or two on two cores. ``SAMPLE=400`` says how many mutants of the clinic track are drawn (a quarter as many more of
the engine), ``SEED=1`` which. What was done before is kept under build/mutants and not done again: after a change of tests
or code, ``make mutants`` asks the survivors of the drawn sample again; ``FRESH=1`` begins anew.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = ROOT / "build" / "mutants"
ENV, MEASURE, MAP = FOLDER / "env", FOLDER / "coverage", FOLDER / "map"
TOOL = ENV / ("Scripts" if os.name == "nt" else "bin") / "python"
NICE = ["nice", "-n", "10"] if shutil.which("nice") else []
#: Two runs at a time, one a core: the tests of the clinic track and those of the engine.
GROUPS = {
    "clinics": ("methods", "timing", "measures", "present", "words", "simulation", "analyses", "data"),
    "engine": ("engine",),
}


def install() -> None:
    """cosmic-ray into an environment of its own, and coverage beside the project's packages, both by hash."""
    wanted = HERE / "requirements.txt"
    made = FOLDER / "installed.txt"
    if TOOL.exists() and made.exists() and made.read_text() == wanted.read_text():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(ENV)], check=True)
    pip = [str(TOOL), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r"]
    subprocess.run([*pip, str(wanted)], check=True)
    blocks = re.split(r"\n(?=\w)", wanted.read_text())
    only = FOLDER / "coverage.txt"
    only.write_text(next(block for block in blocks if block.startswith("coverage==")))
    subprocess.run([*pip, str(only), "--target", str(MEASURE)], check=True)
    shutil.copy(wanted, made)


def copy_tree(name: str) -> Path:
    """A copy of what git knows of, with the shared data beside it."""
    target = FOLDER / name
    shutil.rmtree(target, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for file in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / file).is_file():
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, target / file)
    beside = FOLDER / "shared"
    if (ROOT.parent / "shared").is_dir() and not beside.exists():
        beside.symlink_to(ROOT.parent / "shared")
    return target


def environment(copy: Path, *more: Path) -> dict[str, str]:
    """The copy's own sources come first."""
    paths = [str(copy / "src"), *map(str, more)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


def both(commands: list[tuple[list[str], Path, dict[str, str]]]) -> None:
    """Run the commands at the same time and wait for them."""
    started = [subprocess.Popen([*NICE, *command], cwd=cwd, env=env) for command, cwd, env in commands]
    for process in started:
        process.wait()


def measure(copies: list[Path]) -> None:
    """Which test runs which line: once over the tests of the parts."""
    MAP.mkdir(exist_ok=True)
    settings = MAP / "coverage.cfg"
    settings.write_text("[run]\nsource_pkgs = alliance_longitudinal\nrelative_files = true\n")
    commands = []
    for copy, (name, folders) in zip(copies, GROUPS.items(), strict=True):
        env = environment(copy, MEASURE, HERE)
        env |= {"COVERAGE_FILE": str(MAP / f"cov-{name}"), "MUTANTS_TESTS": str(MAP / f"tests-{name}.json")}
        run = [
            sys.executable,
            "-m",
            "coverage",
            "run",
            f"--rcfile={settings}",
            "-m",
            "pytest",
            "-q",
            "-p",
            "contexts",
        ]
        run += [
            "-p",
            "no:cacheprovider",
            f"--basetemp={FOLDER / f'base-{name}'}",
            *(f"tests/{f}" for f in folders),
        ]
        commands.append((run, copy, env))
    both(commands)


def main() -> int:
    """Draw, ask the tests, write the page."""
    size, seed = int(os.environ.get("SAMPLE") or 400), int(os.environ.get("SEED") or 1)
    if os.environ.get("FRESH"):
        shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    install()
    copies = [copy_tree(name) for name in ("one", "two")]
    if not list(MAP.glob("tests-*.json")):
        measure(copies)
        shutil.copytree(
            copies[0] / "src", MAP / "code" / "src"
        )  # so that later code finds its lines in the map
    draw = [str(TOOL), str(HERE / "draw.py"), str(FOLDER / "drawn"), str(size), str(size // 4), str(seed)]
    subprocess.run(draw, cwd=copies[0], check=True)
    commands = []
    for i, copy in enumerate(copies, start=1):
        files = [FOLDER / f"drawn-{i}.jsonl", FOLDER / f"results-{i}.jsonl"]
        work = [
            str(TOOL),
            str(HERE / "work.py"),
            *map(str, files),
            str(MAP),
            sys.executable,
            str(FOLDER / f"base-{i}"),
        ]
        commands.append((work, copy, environment(copy)))
    both(commands)
    results = [str(FOLDER / f"results-{i}.jsonl") for i in (1, 2)]
    page = [
        str(TOOL),
        str(HERE / "page.py"),
        str(ROOT / "docs" / "mutants.md"),
        str(FOLDER / "drawn"),
        *results,
    ]
    return subprocess.run(page, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
