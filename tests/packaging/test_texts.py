"""What is committed: versions agree, links lead somewhere, nothing names a machine or a registry's host."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import alliance_longitudinal as al

# Put together from parts, so that this file does not contain what it looks for.
HOSTS = re.compile(
    "|".join(["py" + r"pi\.org", "python" + r"hosted\.org", "npm" + r"js\.(org|com)", "deb" + r"ian\.org"])
)
PLACES = re.compile(
    r"(?<![\w.:])/(?:"
    + "|".join(["wo" + "rk", "roo" + "t", "fa" + "rm", "ho" + r"me/\w", "Use" + r"rs/\w"])
    + r")\b"
)


@pytest.fixture(scope="module")
def committed(root) -> dict[str, str]:
    """Text of every committed file."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout, so there is no list of committed files")
    texts = {}
    for name in filter(None, listed.stdout.split("\0")):
        path = root / name
        if path.is_file() and path.suffix not in {".png", ".xlsx"}:
            # The demonstration study is meant to be in another encoding.
            texts[name] = path.read_text(encoding="utf-8", errors="replace")
    return texts


def test_the_version_is_the_same_everywhere(root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = YAML(typ="safe").load((root / "CITATION.cff").read_text(encoding="utf-8"))
    assert (project["version"], citation["version"]) == (al.__version__, al.__version__)
    assert citation["license"] == project["license"]
    assert f"\n## {al.__version__}" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("pattern", [HOSTS, PLACES], ids=["registry hosts", "machine paths"])
def test_nothing_names_a_machine_or_a_registry(committed, pattern):
    found = [
        f"{name}:{text.count(chr(10), 0, hit.start()) + 1}: {hit.group()}"
        for name, text in committed.items()
        for hit in pattern.finditer(text)
    ]
    assert not found, "\n".join(found)


def test_the_patterns_see_what_they_look_for():
    assert HOSTS.search("https://" + "py" + "pi.org/simple")
    assert PLACES.search("see /" + "wo" + "rk/main")
    assert not PLACES.search("tests/wo" + "rk/x and https://doi.org/roo" + "t")


def test_nothing_generated_is_committed(committed):
    generated = re.compile(r"^(reports/(?!README\.md)|build/|dist/|\.venv/)|__pycache__|\.ipynb_checkpoints")
    assert [name for name in committed if generated.search(name)] == []


def test_links_between_the_pages_lead_somewhere(root, committed):
    broken = []
    for name, text in committed.items():
        if Path(name).suffix == ".md":
            links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", text)
            broken += [
                f"{name}: {link}" for link in links if not (root / name).parent.joinpath(link).exists()
            ]
    assert not broken, "\n".join(broken)
