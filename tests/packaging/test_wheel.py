"""The wheel holds everything the package needs away from its checkout, and works there."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(root))
    (built,) = folder.glob("*.whl")
    return built


def _files(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)}


def test_the_wheel_holds_package_definitions_and_notebooks_and_nothing_else(root, wheel):
    package = "alliance_longitudinal"
    expected = {f"{package}/{name}" for name in _files(root / "src" / package)}
    for shipped in ("data_schema", "notebooks"):
        files = _files(root / shipped)
        assert files
        expected |= {f"{package}/_shipped/{shipped}/{name}" for name in files}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == expected
    assert {f"{package}/py.typed", f"{package}/data/demo_files/study.yaml"} <= held


def test_the_licence_travels(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("/licenses/LICENSE")]
        assert "BSD 3-Clause" in archive.read(name).decode()


def test_the_installed_wheel_works_away_from_the_checkout(wheel, tmp_path):
    target, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    _pip("install", "--no-index", "--no-deps", "--no-compile", "--target", str(target), str(wheel))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import alliance_longitudinal as al\n"
        "from alliance_longitudinal.resources import shipped\n"
        "print(al.__file__)\n"
        "print(shipped('data_schema'))\n"
        "print(len(list(shipped('notebooks').glob('*.ipynb'))) > 0)\n"
        "print(len(al.instruments()) > 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(target)],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    module, schema, has_notebooks, has_instruments = done.stdout.splitlines()
    assert Path(module).is_relative_to(target)
    assert Path(schema) == target / "alliance_longitudinal" / "_shipped" / "data_schema"
    assert (has_notebooks, has_instruments) == ("True", "True")
