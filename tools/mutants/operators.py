"""Mistakes that cosmic-ray does not make and a colleague does: no sorting, ``min`` for ``max``, .855 for .95."""

from collections.abc import Iterator
from typing import Any

import parso
from cosmic_ray.operators.operator import Operator
from parso.python.tree import Name, Number

#: Names that are easily taken for each other, as functions and as methods.
SWAPS = {
    "any": "all",
    "all": "any",
    "min": "max",
    "max": "min",
    "floor": "ceil",
    "ceil": "floor",
    "first": "last",
    "last": "first",
    "head": "tail",
    "ffill": "bfill",
    "bfill": "ffill",
    "idxmin": "idxmax",
    "idxmax": "idxmin",
    "isna": "notna",
    "notna": "isna",
    "cumsum": "cumprod",
    "median": "mean",
    "mean": "median",
    "sorted": "list",
    "sf": "cdf",
    "cdf": "sf",
    "intersection": "union",
    "union": "intersection",
    "nunique": "count",
    "count": "size",
}
SORTS = ("sort_values", "sort_index", "drop_duplicates", "dropna", "fillna", "abs", "dropna", "clip")

Position = tuple[tuple[int, int], tuple[int, int]]


def called(node: Any) -> bool:
    """Is this name called, as a function or as a method?"""
    after = node.get_next_leaf()
    return after is not None and after.value == "("


class Swap(Operator):
    """Calls another function that is spelt or meant much the same."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if isinstance(node, Name) and node.value in SWAPS and called(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        node.value = SWAPS[node.value]
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


class Skip(Operator):
    """Leaves a step of a chain out: ``frame.sort_values("week").head()`` becomes ``frame.head()``."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        for step in self.steps(node):
            yield node.children[step].start_pos, node.children[step + 1].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        step = list(self.steps(node))[index]
        del node.children[step : step + 2]
        return node

    @staticmethod
    def steps(node: Any) -> Iterator[int]:
        """Where a step to skip begins among the children."""
        if getattr(node, "type", "") not in {"atom_expr", "power"}:
            return
        for i, (name, call) in enumerate(zip(node.children, node.children[1:], strict=False)):
            if (
                name.type == "trailer"
                and name.children[0].value == "."
                and name.children[1].value in SORTS
                and call.type == "trailer"
                and call.children[0].value == "("
            ):
                yield i

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


class Nudge(Operator):
    """A tenth less than a number with a decimal point."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if isinstance(node, Number) and "." in node.value and float(node.value) != 0:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return parso.python.tree.Number(" " + repr(round(float(node.value) * 0.9, 12)), node.start_pos)

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


OWN = {"own/Swap": Swap, "own/Skip": Skip, "own/Nudge": Nudge}
