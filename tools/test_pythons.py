"""The test suite under each Python that is supported and found here, and with the lowest versions that are allowed.

``make test-pythons`` runs all of them, one after the other, in environments of their own under ``build/pythons``;
``python tools/test_pythons.py lowest 3.13`` only these (the path of an interpreter is a name, too). An interpreter that is not found is said, and is no failure.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "build" / "pythons"
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
#: The oldest Python, with each direct dependency at its lower bound in pyproject.toml.
LOWEST = "lowest"
UV = [shutil.which("uv") or str(Path(sys.executable).with_name("uv"))]


def main(names: list[str]) -> int:
    """Run the suites that are asked for; 0 if none of them failed."""
    if shutil.which(UV[0]) is None:
        print("'uv' is not here: pip install uv", file=sys.stderr)
        return 2
    results = {name: tested(name) for name in names or [LOWEST, *VERSIONS]}
    print("\n".join(f"{name:>8}  {result}" for name, result in results.items()))
    return int(any(result == "failed" for result in results.values()))


def tested(name: str) -> str:
    """How the suite ended in the environment called ``name``."""
    version = VERSIONS[0] if name == LOWEST else name
    python = interpreter(version)
    if python is None:
        return f"not run: no Python {version} here"
    folder = PLACE / name.strip(os.sep).replace(os.sep, "-")
    shutil.rmtree(folder, ignore_errors=True)
    resolution = ["--resolution", "lowest-direct"] if name == LOWEST else []
    ran = [
        [*UV, "venv", "--quiet", "--seed", "--python", python, str(folder)],
        [
            *UV,
            "pip",
            "install",
            "--quiet",
            "--python",
            str(own(folder)),
            *resolution,
            "--editable",
            ROOT.as_posix() + extras(),
        ],
        [
            str(own(folder)),
            "-m",
            "pytest",
            "-q",
            "-n",
            "2",
            "--dist",
            "loadfile",
            "--no-loadscope-reorder",
            "-p",
            "no:cacheprovider",
        ],
    ]
    for command in ran:
        if subprocess.run(command, cwd=ROOT, env=environment(folder), check=False).returncode:
            return "failed"
    return "passed"


def interpreter(version: str) -> str | None:
    """Path of a Python ``version`` of this machine, if it is not a path already; nothing is downloaded."""
    if Path(version).is_file():
        return version
    command = [*UV, "python", "find", "--no-python-downloads", version]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def own(folder: Path) -> Path:
    """The environment's Python."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def environment(folder: Path) -> dict[str, str]:
    """Its programs first, and compiled code of its own."""
    path = os.pathsep.join([str(own(folder).parent), os.environ.get("PATH", "")])
    return os.environ | {"PATH": path, "NUMBA_CACHE_DIR": str(folder / "numba"), "UV_NO_CONFIG": "1"}


def extras() -> str:
    """Every extra of the package."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return f"[{','.join(project['optional-dependencies'])}]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
