"""The engine could be published alone: it knows no word of the field it serves."""

import re


def test_no_clinical_word_in_the_engine(root):
    words = re.compile(
        r"\b(clients?|therap\w*|sessions?|patients?|symptoms?|clinic\w*|alliance(?!_longitudinal))\b", re.I
    )
    files = sorted((root / "src" / "alliance_longitudinal" / "engine").rglob("*.py"))
    assert len(files) > 20
    found = [f"{f.name}: {m.group()}" for f in files for m in words.finditer(f.read_text(encoding="utf-8"))]
    assert found == []
