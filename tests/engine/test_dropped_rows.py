"""Rows with missing values are counted by column and said."""

import numpy as np
import pandas as pd

import alliance_longitudinal as al


def test_each_column_tells_what_it_cost(frame):
    data = frame.copy()
    data.loc[data.index[:5], "y"] = np.nan
    data.loc[data.index[3:10], "rating"] = np.nan
    data["unused"] = np.nan
    res = al.MixedModel.from_formula("y ~ week + rating + (1 | outer)", data).fit()
    expected = pd.DataFrame(
        {"missing": [5, 7], "alone": [3, 5]}, index=pd.Index(["y", "rating"], name="column")
    )
    pd.testing.assert_frame_equal(res.dropped_rows, expected)
    assert res.n_dropped == 10
    said = (
        f"10 of {len(data)} rows have a missing value in a column of the model and were left out (missing: rating in 7 "
        "rows, y in 5 rows; some rows lack several)."
    )
    assert said in res.summary()


def test_nothing_is_said_of_complete_data(growth):
    assert growth.dropped_rows.empty
    assert "missing" not in growth.summary()
