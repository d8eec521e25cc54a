"""`make setup` does what is needed and no more."""

import importlib.util
import os
import subprocess

import pytest

WANT = {"python": "3.12", "place": "here", "lock": "a", "project": "b"}


@pytest.fixture(scope="module")
def setup(root):
    spec = importlib.util.spec_from_file_location("setup_venv", root / "tools" / "setup_venv.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("have", "steps"),
    [
        (WANT, []),
        ({**WANT, "project": "old"}, ["project"]),
        ({**WANT, "lock": "old"}, ["lock", "project"]),
        ({**WANT, "python": "3.11"}, ["create", "lock", "project"]),
        ({**WANT, "place": "moved from there"}, ["create", "lock", "project"]),
        ({}, ["create", "lock", "project"]),  # never installed, or interrupted
    ],
)
def test_only_what_changed_is_done_again(setup, have, steps):
    assert setup.steps(have, WANT) == steps


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 14, 2)])
def test_supported_pythons_are_taken(setup, version):
    assert setup.refusal(version) == ""


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 15, 0)])
def test_other_pythons_are_refused_with_a_sentence(setup, version):
    text = setup.refusal(version)
    assert text.startswith("This needs Python 3.11 to 3.14, and ")
    assert f"is Python 3.{version[1]}. Name another one, for example: make setup PYTHON=python3.12" in text


def test_what_is_wanted_changes_with_lock_and_project(setup, tmp_path):
    (tmp_path / "requirements.lock").write_text("a", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("a", encoding="utf-8")
    before = setup.wanted(tmp_path, (3, 12, 1))
    (tmp_path / "requirements.lock").write_text("b", encoding="utf-8")
    after = setup.wanted(tmp_path, (3, 12, 4))
    assert {key for key in before if before[key] != after[key]} == {"lock"}


@pytest.mark.parametrize("text", [None, "", "{half", '{"python": "3.12"}'])
def test_a_damaged_environment_counts_as_none(setup, tmp_path, text):
    stamp = tmp_path / "installed.json"
    if text is not None:
        stamp.write_text(text, encoding="utf-8")
    assert setup.remembered(stamp, tmp_path / "bin" / "python") == {}


def test_ci_sets_up_by_make_alone_and_tests_last(root):
    script = root / ".ci" / "run"
    assert os.access(script, os.X_OK)
    commands = [line.split("#")[0].strip() for line in script.read_text(encoding="utf-8").splitlines()]
    assert [c for c in commands if c][-2:] == ["make lint", "make test"]


def test_make_help_names_every_target(root):
    said = subprocess.run(["make", "help"], cwd=root, capture_output=True, text=True, check=True).stdout
    names = {line.split()[1] for line in said.splitlines()}
    assert {
        "setup",
        "report",
        "test",
        "lint",
        "bench",
        "parity",
        "calibrate",
        "lab",
        "lock",
        "clean",
    } <= names


def test_uv_looks_for_packages_where_pip_is_configured_to(setup):
    config = (
        ":env:.find-links='/wheels /more'\n:env:.index-url='https://mirror.clinic.example/simple'\n"
        "global.cert='/etc/clinic.pem'\nglobal.extra-index-url='\\nhttps://a.example\\nhttps://b.example'\n"
        "global.index-url='https://older.example/simple'\nglobal.timeout='60'\n"
    )
    told = setup.uv_environment(config, {"HOME": "h", "SSL_CERT_FILE": "own.pem"})
    assert told == {
        "HOME": "h",
        "SSL_CERT_FILE": "own.pem",  # what uv was told before holds
        "UV_DEFAULT_INDEX": "https://mirror.clinic.example/simple",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_INDEX": "https://a.example https://b.example",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_the_lock_pins_the_uv_that_installs_it(setup, root):
    text = setup.pinned("uv", (root / "requirements.lock").read_text(encoding="utf-8"))
    lines = text.splitlines()
    assert lines[0].startswith("uv==")
    assert len(lines) > 10
    assert all(line.strip().startswith("--hash=sha256:") for line in lines[1:])
    assert setup.pinned("nothing", "uv==1 \\\n    --hash=sha256:0\n") == ""


@pytest.mark.parametrize(
    ("uv", "status", "programs", "said"),
    [
        (["uv"], 0, ["uv"], "with uv"),
        (["uv"], 2, ["uv", "pip"], "uv did not succeed; pip installs the same file now."),
        ([], 0, ["pip"], "with pip; the first time takes minutes"),
    ],
)
def test_uv_installs_the_lock_and_pip_does_where_uv_cannot(
    setup, monkeypatch, capsys, tmp_path, uv, status, programs, said
):
    ran = []

    def run(command, **_):
        if "install" in command:
            ran.append(("uv" if command[0] == "uv" else "pip", command))
        return subprocess.CompletedProcess(command, status if command[0] == "uv" else 0, stdout="")

    monkeypatch.setattr(setup, "find_uv", lambda *_: uv)
    monkeypatch.setattr(setup.subprocess, "run", run)
    setup.install_lock(tmp_path / "python", ["python", "-m", "pip", "install"])
    assert [program for program, _ in ran] == programs
    for _, command in ran:  # both check every hash of the same file
        assert command[-5:-1] == ["--require-hashes", "--only-binary", ":all:", "-r"]
        assert command[-1].endswith("requirements.lock")
    assert said in capsys.readouterr().out
