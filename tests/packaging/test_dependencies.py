"""pyproject.toml, environment.yml, the lock file and the imports of the package say the same."""

import re
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from architecture.rules import DOORS
from inside.data_readers import EXTRAS

#: Import name -> distribution, where they differ. markupsafe is Jinja's own text type.
DISTRIBUTION = {
    "ruamel": "ruamel.yaml",
    "markdown_it": "markdown-it-py",
    "markupsafe": "jinja2",
    "docx": "python-docx",
}


#: Distribution of the Python package index -> conda-forge's name, where they differ.
CONDA = {"duckdb": "python-duckdb"}
#: What conda users get from the Python package index.
PIP_ONLY = {"typst"}


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def lock(root):
    """Requirement -> its hashes, in file order."""
    text = (root / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    entries = [(line.split(" --hash=")[0].strip(), re.findall(r"--hash=(\S+)", line)) for line in lines]
    return [(Requirement(name), hashes) for name, hashes in entries]


def _declared(project, extras=("spss", "databases", "lab", "documents", "test", "dev")):
    texts = [*project["dependencies"]]
    for extra in extras:
        texts += project["optional-dependencies"][extra]
    return {canonicalize_name(r.name): r.specifier for r in map(Requirement, texts)}


def test_conda_gets_the_same_packages_with_the_same_floors(root, project):
    environment = YAML(typ="safe").load((root / "environment.yml").read_text(encoding="utf-8"))
    conda = {
        canonicalize_name(r.name): r.specifier for r in map(Requirement, environment["dependencies"][:-2])
    }
    python = conda.pop("python")
    declared = _declared(project)
    pip = {canonicalize_name(name): declared.pop(name) for name in PIP_ONLY}
    assert conda == {CONDA.get(name, name): floor for name, floor in declared.items()}
    assert str(python) == str(Requirement(f"python{project['requires-python']}").specifier)
    assert environment["dependencies"][-2:] == [
        "pip",
        {"pip": ["-e .", *(f"{n}{floor}" for n, floor in pip.items())]},
    ]


def test_every_package_that_is_imported_is_declared(project):
    imported = {canonicalize_name(DISTRIBUTION.get(name, name)) for name in DOORS}
    assert (
        imported - set(_declared(project, extras=("dask", "spss", "databases", "documents", "lab"))) == set()
    )


@pytest.mark.parametrize("extra", EXTRAS)
def test_what_a_missing_package_is_said_to_belong_to_is_what_the_extra_brings(project, extra):
    brought = [Requirement(text).name for text in project["optional-dependencies"][extra]]
    assert sorted(brought) == sorted(EXTRAS[extra])
    assert not {Requirement(text).name for text in project["dependencies"]} & set(EXTRAS[extra])


def test_the_lock_pins_every_declared_package_within_its_range(project, lock):
    pins = {}
    for requirement, _ in lock:
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        pins.setdefault(canonicalize_name(requirement.name), []).append(pin.version)
    outside = {
        name: pins.get(name)
        for name, allowed in _declared(project).items()
        if name not in pins or not all(allowed.contains(version) for version in pins[name])
    }
    assert outside == {}


def test_every_locked_package_has_hashes_and_no_address(root, lock):
    assert len(lock) > 100
    bare = [
        r.name
        for r, hashes in lock
        if not hashes or not all(re.fullmatch("sha256:[0-9a-f]{64}", h) for h in hashes)
    ]
    assert bare == []
    text = (root / "requirements.lock").read_text(encoding="utf-8")
    assert re.findall(r"https?://|file:|--(?:extra-)?index-url|--find-links|--trusted-host", text) == []
    assert [r.name for r, _ in lock if r.url] == []


@pytest.mark.parametrize("python", ["3.11.7", "3.12.1", "3.13.0", "3.14.0"])
@pytest.mark.parametrize("system", [("linux", "posix"), ("darwin", "posix"), ("win32", "nt")])
def test_the_lock_pins_each_package_once_on_every_python_and_system(lock, python, system):
    place = {
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "sys_platform": system[0],
        "os_name": system[1],
    }
    here = [canonicalize_name(r.name) for r, _ in lock if r.marker is None or r.marker.evaluate(place)]
    assert len(here) == len(set(here))
    assert {"numpy", "pandas", "statsmodels", "papermill", "jupyterlab", "pytest", "hatchling"} <= set(here)


def test_this_python_is_supported(project):
    assert Requirement(f"python{project['requires-python']}").specifier.contains(
        ".".join(map(str, sys.version_info[:3]))
    )
