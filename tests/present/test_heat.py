"""The columns of a heat map, and what stands over the boxes of paths."""

import pandas as pd
import pytest

from inside.present_plots import plots


@pytest.mark.parametrize(
    ("found", "shown"), [([1, 2, 3, 9], [1, 2, 3, 9]), ([1, 2, 3, 4, 9], [1, 2, 3, 4, 5, 6, 7, 8, 9])]
)
def test_numbers_without_data_have_a_column_where_most_have_some(found: list[int], shown: list[int]) -> None:
    grid = pd.DataFrame({"what": "a", "at": found, "share": 0.9})
    ax = plots.heat(grid, row="what", column="at", value="share", x_label="x").axes[0]
    assert [int(label.get_text()) for label in ax.get_xticklabels()] == shown


def test_heads_stand_above_the_boxes() -> None:
    rows = [("a", "a", 0.5, 0.3, 0.7), ("a", "b", 0.1, -0.1, 0.3), ("b", "b", 0.4, 0.2, 0.6)]
    data = pd.DataFrame(rows, columns=["lead", "follow", "estimate", "ci_low", "ci_high"])
    ax = plots.paths(data, heads=("before", "after")).axes[0]
    places = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert places["before"] == places["after"] > max(places["a"], places["b"]) + 0.3
