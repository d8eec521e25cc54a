"""Runs every script of R beside this file, if R is here; the first half of ``make parity``.

A script is left out, and the committed figures stand, where R lacks one of its packages or the data are not beside the
checkout. A script that fails stops the run.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
#: The later ones read small data sets that the first ones write.
FIRST = ("make_kr_cr2.R", "make_profile.R")


def scripts() -> list[Path]:
    """All that write a reference, in the order in which they run."""
    every = [*sorted(HERE.glob("make_*.R")), HERE / "early_alliance.R"]
    return sorted(every, key=lambda path: path.name not in FIRST)


def packages(script: Path) -> set[str]:
    """The packages of R that a script, or the one it sources, loads."""
    return set(re.findall(r"library\((\w+)\)", script.read_text(encoding="utf-8"))) | {"lme4", "jsonlite"}


def missing(rscript: str, wanted: set[str]) -> set[str]:
    """Those that R does not have here."""
    names = ", ".join(f'"{name}"' for name in sorted(wanted))
    code = f"cat(Filter(function(p) !nzchar(system.file(package = p)), c({names})))"
    done = subprocess.run([rscript, "-e", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def left_out(script: Path, absent: set[str], data: bool) -> str:
    """Why a script cannot run here; empty if it can."""
    lacking = packages(script) & absent
    if lacking:
        return f"R has no {', '.join(sorted(lacking))}"
    needs_data = re.search(r'"shared"|\.\./shared', script.read_text(encoding="utf-8"))
    return "" if data or not needs_data else "the data are not beside the checkout"


def runs(rscript: str, chosen: list[Path]) -> Iterator[str]:
    """Run scripts one after another, saying of each how long it took.

    Raises
    ------
    RuntimeError
        A script failed.
    """
    absent = missing(rscript, set().union(*map(packages, chosen)))
    data = (ROOT.parent / "shared" / "data").is_dir()
    for script in chosen:
        why = left_out(script, absent, data)
        if why:
            yield f"{script.name}: left out, {why}; the committed figures stand"
            continue
        began = time.perf_counter()
        done = subprocess.run([rscript, str(script)], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{script.name} failed:\n{done.stderr[-2000:]}")
        yield f"{script.name}: {time.perf_counter() - began:.0f} s"


def main(names: list[str]) -> int:
    """Run all scripts, or those that are named."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        print("No R here: comparing with the committed figures.")
        return 0
    try:
        for line in runs(rscript, [s for s in scripts() if not names or s.name in names]):
            print(line, flush=True)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
