"""Which levels are eliminated in which order, and what is refused."""

import numpy as np
import pandas as pd

from engine.designs import blocks_of, three_levels
from inside.engine_design import factor, match
from inside.engine_statistics import describe


def test_the_innermost_groups_come_first():
    made, _, made_blocks = blocks_of("y ~ week + (1 + week | outer/inner)", three_levels(2))
    assert describe(made_blocks, made).splitlines()[1:] == [
        f"inner:outer: {made.factors[0].size} groups, one block of 2 effects each",
        "outer: 8 groups, one block of 2 effects each",
    ]


def test_unique_ids_give_the_same_chain_as_a_slash():
    frame = three_levels(2)
    _, _, slash = blocks_of("y ~ week + (1 | outer/inner)", frame)
    _, _, plus = blocks_of("y ~ week + (1 | outer) + (1 | unique)", frame)
    assert [level.size for level in slash.levels] == [level.size for level in plus.levels]
    np.testing.assert_allclose(slash.s, plus.s, atol=1e-9)


def test_levels_are_sorted_and_new_groups_are_recognised():
    frame = pd.DataFrame({"a": ["x", "y", "x", "y"], "b": [2, 1, 1, 2]})
    one = factor(frame, ("a",))
    both = factor(frame, ("b", "a"))
    assert list(one.levels) == ["x", "y"]
    assert list(both.levels) == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]
    assert both.codes.tolist() == [2, 1, 0, 3]
    new = pd.DataFrame({"a": ["y", "z", None], "b": [2, 2, 1]})
    assert match(one.levels, new, ("a",)).tolist() == [1, -1, -1]
    assert match(both.levels, new, ("b", "a")).tolist() == [3, -1, -1]


def test_labels_of_mixed_types_and_huge_codes_are_groups_too():
    mixed = factor(pd.DataFrame({"a": pd.Series(["7", 7, "x", 7], dtype=object)}), ("a",))
    assert mixed.size == 3
    assert mixed.codes.tolist()[1] == mixed.codes.tolist()[3]
    many = pd.DataFrame({name: np.arange(3000) * (2**40) for name in "abcdef"})
    assert factor(many, tuple("abcdef")).size == 3000
