"""Writes ``requirements.lock``: one file for every Python and system that is supported, with hashes.

The resolver is installed into a throw-away environment, so that nobody else needs it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: What the newest versions would break, with the reason.
CONSTRAINTS = ["argon2-cffi-bindings<26"]  # (JupyterLab's) the last with wheels for Intel Macs
OPTIONS = [
    "--all-extras",
    "--universal",  # one file with environment markers
    "--python-version",
    "3.11",  # the oldest that is supported, and everything newer
    "--only-binary",
    ":all:",  # nobody should need a compiler
    "--generate-hashes",
    "--no-config",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-annotate",
    "--upgrade",
    "--quiet",
]


def main() -> int:
    """Resolve, and return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        tool = Path(folder) / "tool"
        subprocess.run([sys.executable, "-m", "venv", str(tool)], check=True)
        python = next(p for p in (tool / "bin/python", tool / "Scripts/python.exe") if p.exists())
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "uv"], check=True)
        command = [str(python), "-m", "uv", "pip", "compile", "pyproject.toml", *OPTIONS]
        limits = Path(folder) / "constraints.txt"
        limits.write_text("\n".join(CONSTRAINTS), encoding="utf-8")
        command += ["--constraints", str(limits)]
        note = ["--custom-compile-command", "make lock", "--output-file", "requirements.lock"]
        return subprocess.run([*command, *note], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
