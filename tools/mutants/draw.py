"""Every mutant of the code that users' numbers come from, and a seeded sample of them."""

import ast
import json
import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from operators import OWN

SOURCE = Path("src/alliance_longitudinal")
#: Part of the package -> its folder; a file belongs to the longest that fits.
PARTS = {
    "methods": "methods",
    "analyses": "analyses",
    "disclosure": "analyses/disclosure",
    "measures": "measures",
    "data": "data",
    "timing": "timing",
    "present": "present",
    "engine": "engine",
}
#: cosmic-ray's operators that make a mistake somebody could make; the others make text that fails at once.
CORE = [
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Pow_Mul")),
    *(
        f"ReplaceBinaryOperator_{pair}"
        for pair in ("FloorDiv_Div", "BitAnd_BitOr", "BitOr_BitAnd", "Mod_FloorDiv")
    ),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Eq_NotEq")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("NotEq_Eq", "Lt_Gt", "Gt_Lt", "LtE_GtE", "GtE_LtE")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Is_IsNot", "IsNot_Is")),
    *(f"ReplaceUnaryOperator_{pair}" for pair in ("Delete_USub", "Delete_Not", "Delete_Invert")),
    *("AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "NumberReplacer", "ZeroIterationForLoop"),
]
#: Keywords of a call that change how something looks or how fast it is, or that only guard against a slip of the author.
LOOKS = {
    *(
        "strict",
        "slots",
        "frozen",
        "kw_only",
        "repr",
        "compare",
        "cache",
        "nogil",
        "maxsize",
        "stacklevel",
        "copy",
    ),
    *(
        "figsize",
        "alpha",
        "linewidth",
        "lw",
        "linewidths",
        "linestyle",
        "zorder",
        "dpi",
        "fontsize",
        "size",
        "s",
        "ms",
    ),
    *(
        "pad",
        "labelpad",
        "markersize",
        "capsize",
        "elinewidth",
        "height",
        "width",
        "height_ratios",
        "width_ratios",
    ),
    *("hspace", "wspace", "loc", "color", "rotation", "indent", "length", "aspect", "frameon"),
}
UNSEEN = {"__repr__", "__hash__", "__rich_repr__"}
#: Files that hold nothing but looks.
ONLY_LOOKS = {"present/plots/style.py"}


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    part: str
    path: str
    line: int
    column: int
    operator: str
    occurrence: int
    before: str

    def record(self) -> dict[str, Any]:
        return asdict(self)


def operator(name: str) -> Any:
    """An operator's instance."""
    return (OWN[name] if name in OWN else cosmic_ray.plugins.get_operator(name))()


def names() -> list[str]:
    """Of all operators that are used."""
    return [*(f"core/{name}" for name in CORE), *OWN]


def left_out(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes in which no mutant is made: types, decorators, texts of errors, looks."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from node.decorator_list
            if node.name in UNSEEN:
                yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from filter(None, [node.returns])
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            yield from without_bounds(node.annotation)
        if isinstance(node, ast.Raise):
            yield node
        if isinstance(node, ast.keyword) and node.arg in LOOKS:
            yield node.value
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield node
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "some":
            yield from node.args[1:]  # how many examples a message names
    for node in tree.body:  # aliases of types, and what is public
        if (isinstance(node, ast.Assign) and isinstance(getattr(node.value, "op", None), ast.BitOr)) or (
            isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in {"__all__", "_PUBLIC"}
        ):
            yield node


def without_bounds(annotation: ast.AST) -> Iterator[ast.AST]:
    """The parts of an annotation but the bounds in ``Field(...)``, which users meet."""
    calls = [n for n in ast.walk(annotation) if isinstance(n, ast.Call)]
    if not calls:
        yield annotation
        return
    for node in ast.walk(annotation):
        if isinstance(node, ast.BinOp) and not any(isinstance(n, ast.Call) for n in ast.walk(node)):
            yield node


def inside(position: tuple[int, int], node: Any, lines: list[str]) -> bool:
    """Does the position (line, column in characters) lie in the node (columns in bytes)?"""
    line, column = position
    at = (line, len(lines[line - 1][:column].encode()))
    return (node.lineno, node.col_offset) <= at < (node.end_lineno, node.end_col_offset)


def mutants_of(part: str, path: Path) -> Iterator[Mutant]:
    """All of one file."""
    code = path.read_text(encoding="utf-8")
    lines = code.splitlines()
    avoid = list(left_out(ast.parse(code)))
    nodes = list(ast_nodes(get_ast(code)))
    for name in names():
        made = operator(name)
        places = (place for node in nodes for place in made.mutation_positions(node))
        for occurrence, (start, _) in enumerate(places):
            if not any(inside(start, node, lines) for node in avoid):
                yield Mutant(part, path.as_posix(), *start, name, occurrence, lines[start[0] - 1].strip())


def part_of(path: Path) -> str | None:
    """The part a file belongs to."""
    inside = path.relative_to(SOURCE).as_posix()
    found = [p for p, folder in PARTS.items() if inside.startswith(folder + "/") and inside not in ONLY_LOOKS]
    return max(found, key=lambda part: len(PARTS[part]), default=None)


def everything() -> tuple[dict[str, list[Mutant]], dict[str, int]]:
    """All mutants by part, and the lines of each part."""
    found: dict[str, list[Mutant]] = {part: [] for part in PARTS}
    lines = dict.fromkeys(PARTS, 0)
    for path in sorted(SOURCE.rglob("*.py")):
        part = part_of(path)
        if part is not None:
            found[part] += mutants_of(part, path)
            lines[part] += len(path.read_text(encoding="utf-8").splitlines())
    return found, lines


def sample(
    found: dict[str, list[Mutant]], lines: dict[str, int], size: int, engine: int, seed: int
) -> list[Mutant]:
    """A sample of ``size`` in proportion to lines, and ``engine`` more of the engine."""
    rest = sum(n for part, n in lines.items() if part != "engine")
    drawn: list[Mutant] = []
    for part, n in lines.items():
        wanted = engine if part == "engine" else max(size // 50, round(size * n / rest))
        drawn += some(found[part], wanted, random.Random(f"{seed} {part}"))
    return drawn


def some(found: Iterable[Mutant], wanted: int, chance: random.Random) -> list[Mutant]:
    """Mutants of different lines as long as there are any, so that one busy line does not count for many."""
    by_line: dict[tuple[str, int], list[Mutant]] = defaultdict(list)
    for mutant in found:
        by_line[mutant.path, mutant.line].append(mutant)
    rows = list(by_line.values())
    chance.shuffle(rows)
    drawn: list[Mutant] = []
    for row in rows:
        if len(drawn) == wanted:
            break
        mutant = chance.choice(row)
        if changed(mutant) is not None:
            drawn.append(mutant)
    return drawn


def changed(mutant: Mutant) -> str | None:
    """The file's text with the change; None where Python cannot read it or finds no difference."""
    code = Path(mutant.path).read_text(encoding="utf-8")
    text: str | None = mutate_code(code, operator(mutant.operator), mutant.occurrence)
    try:
        same = text is None or ast.dump(ast.parse(text)) == ast.dump(ast.parse(code))
    except SyntaxError:
        return None
    return None if same else text


def main() -> int:
    """``draw.py STEM SIZE ENGINE SEED``: the sample in two files of JSON lines, and how many there are of what."""
    stem, size, engine, seed = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    found, lines = everything()
    drawn = sample(found, lines, size, engine, seed)
    halves = [m for m in drawn if m.part != "engine"], [m for m in drawn if m.part == "engine"]
    # The engine's tests take longer: its mutants go first in one of the two, and both end at about the same time.
    for half in halves:
        random.Random(seed).shuffle(half)  # so that a run that is broken off leaves a sample, too
    spare = max(0, (len(halves[0]) - len(halves[1])) // 2)
    files = halves[0][spare:], [*halves[1], *halves[0][:spare]]
    for i, half in enumerate(files, start=1):
        rows = [json.dumps(m.record()) + "\n" for m in half]
        stem.with_name(f"{stem.name}-{i}.jsonl").write_text("".join(rows), encoding="utf-8")
    counts = {part: {"lines": lines[part], "all": len(found[part])} for part in found}
    stem.with_suffix(".json").write_text(json.dumps({"seed": seed, "parts": counts}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
