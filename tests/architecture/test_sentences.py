"""Sentences are templates with values: no number stands in the template, and disclosure never reads prose."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from inside.analyses_kit import references

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "alliance_longitudinal"
FILES = [
    f for part in ("data", "engine", "methods", "analyses") for f in sorted((PACKAGE / part).rglob("*.py"))
]
#: What a template may say all the same: the level of every interval.
ALLOWED = re.compile(r"95 %")
#: Where the template is among the arguments of a call.
TEMPLATE = {"say": 0, "find": 2, "too_little": 0}


def templates(tree: ast.AST) -> Iterator[tuple[int, ast.expr]]:
    """Line and template of every sentence that is made."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            place = TEMPLATE.get(name)
            if (
                place is not None
                and len(node.args) > place
                and (name != "say" or node.keywords or len(node.args) == 1)
            ):
                yield node.lineno, node.args[place]


def literal(node: ast.expr) -> str | None:
    """The text of a template that is written out; None if it is computed."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_number_stands_in_a_template(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    wrong = []
    for line, template in templates(tree):
        text = literal(template)
        if isinstance(template, ast.JoinedStr):
            wrong.append(f"{line}: the template is computed: give its values by name")
        elif text is not None and re.search(r"\d", ALLOWED.sub("", text)):
            wrong.append(f"{line}: {text!r} has a number: give it as a Count, a Share or a Number")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("part", ["data", "engine", "methods", "analyses"])
def test_a_finding_with_a_number_is_a_template_with_a_value(part: str) -> None:
    """An f-string would lose the value, and outsiders would be told it."""
    wrong = []
    for path in sorted((PACKAGE / part).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding":
                wrong += [f"{path.name}:{a.lineno}" for a in node.args[2:3] if isinstance(a, ast.JoinedStr)]
    assert not wrong


def test_disclosure_reads_no_prose_and_knows_no_analysis() -> None:
    names = {
        m.stem for m in (PACKAGE / "analyses").iterdir() if (m / "__init__.py").is_file() or m.suffix == ".py"
    }
    names -= {"kit", "disclosure", "registry", "result", "publish", "__init__", "__pycache__"}
    assert {"early_alliance", "data_quality"} <= names
    for path in (PACKAGE / "analyses" / "disclosure").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^import re$|^from re ", text, flags=re.MULTILINE), path.name
        assert not [n for n in names if n in text], path.name


def test_no_folder_of_parts_is_left() -> None:
    assert not [p for p in (PACKAGE / "analyses").iterdir() if p.name.endswith("_parts")]


def test_an_analysis_imports_no_other_analysis() -> None:
    inner = {"kit", "disclosure", "registry", "result", "publish"}
    for path in sorted((PACKAGE / "analyses").rglob("*.py")):
        own = path.relative_to(PACKAGE / "analyses").parts[0].removesuffix(".py")
        for target in re.findall(
            r"^\s*from alliance_longitudinal\.analyses\.(\w+)", path.read_text(), flags=re.MULTILINE
        ):
            assert own in ("registry", "__init__") or target in inner | {own}, f"{path}: {target}"
            assert not (own == "disclosure" and target == "kit"), path
            assert not (own == "result" and target in inner), path


def test_references_are_in_one_style_and_every_key_is_known() -> None:
    known = references.keys()
    for key in known:
        assert re.fullmatch(r"[a-z]+(19|20)\d\d[a-z]?", key)
        assert re.search(r"\(\d{4}\)\. .+\.", references.reference(key)), key
        assert re.match(r"[^\d]+ \d{4}", references.short(key)), key
    cited = set()
    for path in (PACKAGE / "analyses").rglob("*.py"):
        cited |= set(re.findall(r'"([a-z]+(?:19|20)\d\d)"', path.read_text(encoding="utf-8")))
    assert cited == set(known)
