"""The engine's tests under the linear-algebra kernels of several processors: the last section of docs/validation.md.

OpenBLAS chooses its kernels by the processor; ``OPENBLAS_CORETYPE`` chooses others, as far as the processor can run them.
Sums are then made in another order, so that a number next to an edge may fall on either side of it.
"""

import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "validation.md"
HEADING = "## The engine's tests under other kernels"
KERNELS = ("SkylakeX", "Haswell", "Zen", "Sandybridge", "Prescott")

#: Asks the OpenBLAS that comes with numpy for the kernels it uses.
CORE = """
import ctypes, numpy, pathlib
folder = pathlib.Path(numpy.__file__).parent.parent / "numpy.libs"
ask = ctypes.CDLL(str(next(folder.glob("*openblas*")))).scipy_openblas_get_corename64_
ask.restype = ctypes.c_char_p
print(ask().decode())
"""


def run(kernel: str) -> tuple[str, str, bool]:
    """The kernels that were really used, pytest's last line, and whether all passed."""
    env = {**os.environ, "OPENBLAS_CORETYPE": kernel, "OMP_NUM_THREADS": "1"}
    used = subprocess.run([sys.executable, "-c", CORE], env=env, capture_output=True, text=True, check=False)
    test = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        *(sys.argv[1:] or ["tests/engine"]),
    ]
    done = subprocess.run(test, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    last = (
        re.sub(r" in [\d.]+s.*", "", done.stdout.strip().splitlines()[-1])
        if done.stdout.strip()
        else "did not run"
    )
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-1000:], file=sys.stderr)
    return used.stdout.strip() or "not known", last, done.returncode == 0


def main() -> int:
    """Run the tests, one kernel after the other as some of them open a cluster's port, and write the section."""
    found = {kernel: run(kernel) for kernel in KERNELS}
    rows = [f"| {kernel} | {used} | {last} |" for kernel, (used, last, _) in found.items()]
    command = f"`tools/test_kernels.py {' '.join(sys.argv[1:])}`" if sys.argv[1:] else "`make test-kernels`"
    section = [
        HEADING,
        "",
        f"{command}, {datetime.now().date().isoformat()}. A kernel that the processor cannot run is replaced by",
        "another one, which the second column names.",
        "",
        "| asked for | used | tests of the engine |",
        "|---|---|---|",
        *rows,
    ]
    text, _, after = PAGE.read_text(encoding="utf-8").partition(HEADING)
    _, heading, pythons = after.partition("\n## ")  # what follows is written by hand
    PAGE.write_text("\n".join([text.rstrip(), "", *section, ""]) + heading + pythons, encoding="utf-8")
    print("\n".join(section))
    return 0 if all(ok for _, _, ok in found.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
