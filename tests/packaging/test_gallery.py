"""The gallery has every analysis, and each has its picture."""

import re

from inside.analyses_registry import REGISTRY

PNG = b"\x89PNG\r\n\x1a\n"


def test_every_analysis_has_its_row_and_its_picture(root):
    text = (root / "docs" / "gallery.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^## (.+)\n\n(.+) Notebook: \[(\w+)\]\(\.\./notebooks/\3\.ipynb\)\n\n!\[.+\]\(gallery/\3\.png\)$",
        text,
        re.M,
    )
    assert rows == [(a.title, a.question, name) for name, a in REGISTRY.items()], "run `make gallery`"
    pictures = sorted((root / "docs" / "gallery").iterdir())
    assert [p.name for p in pictures] == sorted(f"{name}.png" for name in REGISTRY)
    assert [p.name for p in pictures if p.read_bytes()[:8] != PNG] == []
