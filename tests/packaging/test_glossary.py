"""Plain English like spelling: phrases that sound translated are not in what users read."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

#: What is not to be read, and what is written instead.
GLOSSARY = {
    r"(told|tells?|telling)( \w+)? apart": "distinguished, separated",
    r"(can(not)?|could|may)( not)? be had": "(not) available, cannot be computed",
    r"mere fluctuation": "random fluctuation alone",
    r"steady change": "gradual change",
    r"undivided": "total (not split)",
    r"forms that are there": "completed forms",
    r"(?<!near-)impossible value": "improper solution",
    r"no best solution": "did not converge",
    r"(can(not)?|could)( not)? carry": "too few to estimate",
    r"(speaks?|spoke|speaking) of": "concerns, is about",
    r"need not have": "may not have",
    r"went with": "improved by ... more points",
    r"certificate of its optimum": "Only fits whose optimum was verified are reported",
    r"fewer than 1\b": "no",
    r"(by itself|by themselves)": "on its own",
    r"(stands?(?! for\b)|stood)": "is, are",
    r"(is|are) made of": "consists of, is made from",
    r"one \w+ a (client|therapist|session)": "per",
    r"(?<!there )(is|are) no (?!more\b|larger\b|longer\b|less\b)\w+": "is not a ..., are not ...",
}
FORBIDDEN = re.compile("|".join(rf"(?P<g{i}>\b{p}\b)" for i, p in enumerate(GLOSSARY)), flags=re.IGNORECASE)
#: Written by `make`, from figures and names of others.
GENERATED = re.compile(r"docs/(validation|calibration).*\.md")


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every string that is not a docstring."""
    bare = {
        id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
            yield node.lineno, node.value


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """What users read of a file: strings of Python, paragraphs of anything else."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from strings(ast.parse(text))
        return
    line = 1
    for paragraph in text.split("\n\n"):
        yield line, paragraph
        line += paragraph.count("\n") + 2


def hits(text: str) -> Iterator[str]:
    """Each phrase of the glossary in ``text``, with what is written instead."""
    instead = list(GLOSSARY.values())
    for hit in FORBIDDEN.finditer(" ".join(text.split())):
        yield f"{hit.group()!r}: write {instead[int((hit.lastgroup or 'g0')[1:])]!r}"


def readable(root: Path) -> list[Path]:
    """Files with words that users read."""
    found = [root / "README.md", root / "CHANGELOG.md", *(root / "docs").glob("*.md")]
    found += (root / "notebooks").glob("*.ipynb")
    for ending in ("py", "j2", "yaml", "txt"):
        found += (root / "src").rglob(f"*.{ending}")
    return sorted(f for f in found if not GENERATED.fullmatch(f.relative_to(root).as_posix()))


def test_the_glossary_is_kept(root):
    files = readable(root)
    assert {".py", ".md", ".ipynb", ".j2"} <= {f.suffix for f in files}
    wrong = [
        f"{path.relative_to(root)}:{line}: {hit}"
        for path in files
        for line, text in texts(path)
        for hit in hits(text)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("They cannot be\n  told apart.", ["'told apart': write 'distinguished, separated'"]),
        ("A p value cannot be had.", ["'cannot be had': write '(not) available, cannot be computed'"]),
        ("It stands in the log.", ["'stands': write 'is, are'"]),
        ("These are no sessions.", ["'are no sessions': write 'is not a ..., are not ...'"]),
        ("A date stands for a day; there are no dates, and p is no larger than 1.", []),
        ("A near-impossible value.", []),
    ],
)
def test_the_glossary_sees_what_it_looks_for(text, said):
    assert list(hits(text)) == said


def test_docstrings_are_not_read_but_parts_of_templates_are():
    source = '"""They went with it."""\nx = f"{y} went with {z}"\n'
    assert [hit for _, text in strings(ast.parse(source)) for hit in hits(text)] == [
        "'went with': write 'improved by ... more points'"
    ]
