"""Makes ``.venv`` from the hashed lock file, or finds that nothing is to be done. Standard library only.

Run by ``make setup``. What is installed is remembered in ``.venv/installed.json``, which is written when a step
is complete: an install that was interrupted leaves no such file, and the next one starts from an empty folder.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST, NEWEST = (3, 11), (3, 14)


def wanted(root, version):
    """What a finished environment of the checkout at ``root`` for Python ``version`` was made from."""
    digest = {
        name: hashlib.sha256((root / name).read_bytes()).hexdigest()
        for name in ("requirements.lock", "pyproject.toml")
    }
    return {
        "python": "{}.{}".format(*version[:2]),
        "place": str(root),
        "lock": digest["requirements.lock"],
        "project": digest["pyproject.toml"],
    }


def steps(have, want):
    """The steps that lead from the remembered state ``have`` (empty if unknown) to ``want``, in order."""
    if any(have.get(key) != want[key] for key in ("python", "place")):
        return ["create", "lock", "project"]
    if have["lock"] != want["lock"]:
        return ["lock", "project"]
    return ["project"] if have["project"] != want["project"] else []


def refusal(version):
    """Why this Python cannot be used, or an empty text."""
    if OLDEST <= tuple(version[:2]) <= NEWEST:
        return ""
    return (
        "This needs Python {}.{} to {}.{}, and '{}' is Python {}.{}. "
        "Name another one, for example: make setup PYTHON=python3.12".format(
            *OLDEST, *NEWEST, sys.executable, *version[:2]
        )
    )


def remembered(stamp, python):
    """What ``stamp`` says is installed; empty if it says nothing or its interpreter is gone."""
    try:
        have = json.loads(stamp.read_text(encoding="utf-8"))
        subprocess.run([str(python), "-c", ""], check=True)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return {}
    return have


def carry_out(step, venv, python):
    """Do one of ``create``, ``lock`` and ``project``."""
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    if not sys.stdout.isatty():
        pip.append("--quiet")
    if step == "create":
        # The interpreter behind a virtual environment, in case `python3` is the one being replaced.
        base = getattr(sys, "_base_executable", None) or sys.executable
        subprocess.run([base, "-m", "venv", "--clear", str(venv)], check=True)
    elif step == "lock":
        print("Installing requirements.lock into .venv; the first time takes minutes ...", flush=True)
        lock = ["--require-hashes", "--only-binary", ":all:", "-r", str(ROOT / "requirements.lock")]
        subprocess.run([*pip, *lock], check=True)
    else:
        subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], check=True)


def main():
    """Bring ``.venv`` up to date; return the exit status."""
    trouble = refusal(sys.version_info)
    if not trouble:
        try:
            import ensurepip  # noqa: F401
        except ImportError:
            trouble = "This Python has no venv and pip. On Debian and Ubuntu: apt install python3-venv"
    if trouble:
        print(trouble, file=sys.stderr)
        return 2
    venv = ROOT / ".venv"
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = venv / "installed.json"
    want = wanted(ROOT, sys.version_info)
    todo = steps(remembered(stamp, python), want)
    if todo and stamp.exists() and todo != ["project"]:
        stamp.unlink()
    try:
        for step in todo:
            carry_out(step, venv, python)
            if step != "create":
                done = want if step == "project" else {**want, "project": ""}
                stamp.write_text(json.dumps(done, indent=1), encoding="utf-8")
    except subprocess.CalledProcessError:
        print("Setting up .venv failed; the reason stands above. 'make setup' tries again.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
