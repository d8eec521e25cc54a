"""Makes ``.venv`` from the hashed lock file, or finds that nothing is to be done. Standard library only.

Run by ``make setup``. The lock file is installed by uv, which needs a small part of pip's time: the uv on the PATH or
of this Python, else the one that the lock file pins. Where uv is not available or fails, pip installs the same file;
both check every hash. What is installed is remembered in ``.venv/installed.json``, which is written when a step
is complete: an install that was interrupted leaves no such file, and the next one starts from an empty folder.
"""

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
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


def uv_environment(pip_config, environment):
    """``environment``, and in uv's words where pip is configured to find packages; what uv was told before holds.

    ``pip_config`` is what ``pip config list`` printed. Only hashes of the lock file are installed, so packages may come
    from any of the places, as with pip.
    """
    found = {}
    for line in reversed(
        pip_config.splitlines()
    ):  # what stands first, the environment's variables, is said last
        name, separator, value = line.partition("=")
        if separator:
            found[name.rpartition(".")[2]] = " ".join(str(ast.literal_eval(value)).split())
    names = {
        "index-url": "UV_DEFAULT_INDEX",
        "extra-index-url": "UV_INDEX",
        "find-links": "UV_FIND_LINKS",
        "no-index": "UV_NO_INDEX",
        "trusted-host": "UV_INSECURE_HOST",
        "cert": "SSL_CERT_FILE",
        "proxy": "ALL_PROXY",
    }
    told = {name: found[key] for key, name in names.items() if found.get(key)}
    if "UV_FIND_LINKS" in told:
        told["UV_FIND_LINKS"] = told["UV_FIND_LINKS"].replace(" ", ",")
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **told, **environment}


def pinned(name, lock):
    """The lines of the text ``lock`` that pin the package ``name``, with its hashes; empty if there are none."""
    found = re.search(rf"(?m)^{re.escape(name)}==.*(?:\n .*)*", lock)
    return found.group() + "\n" if found else ""


def find_uv(python, pip):
    """The command that runs uv, as a list; empty if there is none and the lock's own cannot be installed."""
    if shutil.which("uv"):
        return ["uv"]
    for candidate in (sys.executable, str(python)):
        there = [candidate, "-m", "uv"]
        if subprocess.run([*there, "--version"], capture_output=True, check=False).returncode == 0:
            return there
    with tempfile.TemporaryDirectory() as folder:
        only = Path(folder) / "uv.txt"
        only.write_text(
            pinned("uv", (ROOT / "requirements.lock").read_text(encoding="utf-8")), encoding="utf-8"
        )
        quiet = [*pip, "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(only)]
        done = subprocess.run(quiet, capture_output=True, check=False)
    return [str(python), "-m", "uv"] if done.returncode == 0 else []


def install_lock(python, pip):
    """Install ``requirements.lock`` by uv, or by pip where uv is not available or fails."""
    lock = ["--require-hashes", "--only-binary", ":all:", "-r", str(ROOT / "requirements.lock")]
    uv = find_uv(python, pip)
    if uv:
        print(
            "Installing requirements.lock into .venv with uv; most of the time is the download ...",
            flush=True,
        )
        listed = [str(python), "-m", "pip", "config", "list"]
        config = subprocess.run(listed, capture_output=True, text=True, check=False).stdout
        quiet = [] if sys.stdout.isatty() else ["--quiet"]
        command = [*uv, "pip", "install", *quiet, "--python", str(python), *lock]
        if subprocess.run(command, check=False, env=uv_environment(config, os.environ)).returncode == 0:
            return
        print("uv did not succeed; pip installs the same file now.", flush=True)
    print("Installing requirements.lock into .venv with pip; the first time takes minutes ...", flush=True)
    subprocess.run([*pip, *lock], check=True)


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
        install_lock(python, pip)
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
        print("Setting up .venv failed; the reason is above. 'make setup' tries again.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
