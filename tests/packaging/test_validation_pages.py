"""docs/validation_methods.md says of every public method what it is checked against, and names tests that exist."""

import re

from alliance_longitudinal import methods


def test_every_method_has_a_row_and_every_row_its_tests(root):
    page = (root / "docs" / "validation_methods.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| `")]
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(listed) == sorted(methods.__all__)
    for names, program, second, tests in rows:
        assert program.strip() or second.strip(), f"{names} is checked against nothing"
        files = re.findall(r"\]\(\.\./(.+?)\)", tests)
        assert files, names
        texts = [(root / name).read_text(encoding="utf-8") for name in files]
        for name in re.findall(r"`(\w+)`", names):
            short = name.removeprefix("power_")  # the closed forms are called by their kind
            assert any(short in text for text in texts), f"{name} is not in {files}"
