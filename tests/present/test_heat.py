"""The columns of a heat map."""

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
