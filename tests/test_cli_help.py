"""Commands about the installation: ``alliance doctor`` and ``alliance completion``."""

import json
import shutil
import subprocess

import pytest

from alliance_longitudinal.cli import main
from inside import DOCTOR_ROOM, DOCTOR_SHOWN, KERNEL_MANAGER

COMMANDS = ("check", "report", "list", "batch", "verify", "demo", "instruments", "doctor", "completion")


def test_this_installation_can_make_reports(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok ") for line in lines), lines
    assert any("the notebook's Python process: starts" in line for line in lines)
    assert any(line.split()[1] == "pandas:" for line in lines)


def test_what_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(KERNEL_MANAGER, refuse)
    monkeypatch.setattr(DOCTOR_SHOWN, ("numpy", "no_such_package"))
    monkeypatch.setattr(DOCTOR_ROOM, 2**60)
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    said = {one["what"]: one["words"] for one in found["checks"] if not one["ok"]}
    assert said["no_such_package"] == "is missing. Install the package again."
    assert said["the notebook's Python process"].startswith(
        "does not start (RuntimeError). Install the package again"
    )
    assert said["this folder"].endswith(" MB free. Free some space.")
    assert set(said) == {
        "no_such_package",
        "the notebook's Python process",
        "this folder",
        "folder for temporary files",
    }


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_knows_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)
    assert ("--audience" if shell != "fish" else "-l audience") in text


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        (["alliance", "ver"], ["verify"]),
        (["alliance", "report", "demo", "--note"], ["--notebook"]),
        (["alliance", "batch", "--f"], ["--fresh"]),
    ],
)
def test_bash_completes(typed: list[str], wanted: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not here")
    main(["completion", "bash"])
    script = capsys.readouterr().out
    words = " ".join(f"'{word}'" for word in typed)
    asked = f"{script}\nCOMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}; _alliance; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run([bash, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.split() == wanted
