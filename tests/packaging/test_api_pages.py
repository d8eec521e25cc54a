"""The pages of the API are those that the code gives."""

import importlib.util
import re
import sys

import pytest

import alliance_longitudinal as al


@pytest.fixture(scope="module")
def written(root):
    spec = importlib.util.spec_from_file_location("make_api", root / "tools" / "make_api.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


def test_every_public_name_is_on_one_page(root):
    pages = [p.read_text(encoding="utf-8") for p in sorted((root / "docs" / "api").glob("*.md"))]
    names = [name for text in pages for name in re.findall(r"^## (\w+)$", text, re.M)]
    assert sorted(names) == sorted({*al.__all__, *al.methods.__all__} - {"__version__", "methods"})


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python 3.14 writes unions of types in another way")
def test_the_pages_are_those_of_the_code(root, written):
    committed = {p.name: p.read_text(encoding="utf-8") for p in (root / "docs" / "api").glob("*.md")}
    assert sorted(committed) == sorted(written)
    stale = [name for name, text in written.items() if committed[name] != text]
    assert stale == [], "run `make api`"
