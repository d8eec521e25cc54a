"""`methods.lag` against a plain loop, and what it refuses."""

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError
from methods.panels import panel


def by_loop(frame: pd.DataFrame, name: str, max_gap: float) -> list[float]:
    """For each row, look through all other rows."""
    out = []
    for _, row in frame.iterrows():
        best = None
        for _, other in frame.iterrows():
            earlier = other["client"] == row["client"] and 0 < row["session"] - other["session"] <= max_gap
            if earlier and (best is None or other["session"] > best["session"]):
                best = other
        out.append(float("nan") if best is None else float(best[name]))
    return out


@pytest.mark.parametrize("max_gap", [1, 1.5, 2, 3, np.int64(4), np.inf])
@pytest.mark.parametrize("seed", [1, 2])
def test_it_is_the_value_at_the_nearest_session_before(seed, max_gap):
    frame = panel(seed)
    kept = frame.copy()
    found = methods.lag(frame, ["x", "y"], max_gap=max_gap)
    np.testing.assert_array_equal(found["x_lag"], by_loop(frame, "x", max_gap))
    np.testing.assert_array_equal(found["y_lag"], by_loop(frame, "y", max_gap))
    pd.testing.assert_frame_equal(frame, kept)
    pd.testing.assert_frame_equal(found[frame.columns], kept)
    assert list(found.columns) == [*frame.columns, "x_lag", "y_lag"]


def test_a_missing_value_is_not_replaced_by_an_older_one():
    frame = pd.DataFrame({"client": 1, "session": [1, 2, 3], "x": [1.0, np.nan, 3.0]})
    np.testing.assert_array_equal(methods.lag(frame, "x", max_gap=2)["x_lag"], [np.nan, 1.0, np.nan])


def test_the_order_of_rows_changes_nothing():
    frame = panel(3).reset_index(drop=True)
    once = methods.lag(frame, "x")
    again = methods.lag(frame.sample(frac=1, random_state=0), "x").sort_index()
    pd.testing.assert_frame_equal(again, once)


def test_columns_of_any_numeric_storage_and_names_of_any_choice():
    frame = pd.DataFrame(
        {
            "id": pd.Categorical([" a", "a ", "b", "b"]),
            "day": pd.array([3, 1, 1, 2], dtype="Int64"),
            "n": pd.array([5, 7, None, 1], dtype="Int64"),
            "yes": [True, False, True, False],
        }
    )
    found = methods.lag(frame, ("n", "yes"), by="id", order="day", max_gap=7)
    np.testing.assert_array_equal(found["n_lag"], [7, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(found["yes_lag"], [0, np.nan, np.nan, 1])


def test_one_row_has_nothing_before_it():
    frame = pd.DataFrame({"client": ["a"], "session": [4], "x": [1.0]})
    np.testing.assert_array_equal(methods.lag(frame, "x")["x_lag"], [np.nan])


GOOD = pd.DataFrame({"client": ["a", "a", "b"], "session": [1, 2, 1], "x": [1.0, 2.0, 3.0]})


@pytest.mark.parametrize(
    ("frame", "given", "message"),
    [
        (GOOD, {"columns": "xx"}, "The frame has no column 'xx'. Did you mean 'x'?"),
        (GOOD, {"columns": "alliance"}, "The frame has no column 'alliance'. There are: client, session, x."),
        (GOOD, {"by": "clients"}, "The frame has no column 'clients'. Did you mean 'client'?"),
        (GOOD, {"columns": []}, "columns is empty. Name at least one column."),
        (GOOD, {"columns": ["x", "x"]}, "Column 'x' is named twice in columns. Name it once."),
        (GOOD, {"max_gap": 0}, "max_gap is 0; it is the largest number of sessions back, 1 or more."),
        (GOOD, {"max_gap": "1"}, "max_gap is 1; it is the largest number of sessions back, 1 or more."),
        (GOOD, {"max_gap": np.nan}, "max_gap is nan; it is the largest number of sessions back, 1 or more."),
        (GOOD.iloc[:0], {}, "The frame has no rows."),
        (GOOD.assign(x=["1", "2", "n/a"]), {}, "Column 'x' holds '1'. It has to hold numbers."),
        (GOOD.assign(x=[1, 2, "n/a"]), {}, "Column 'x' holds 'n/a'. It has to hold numbers."),
        (GOOD.assign(x=[1, 2, 3j]), {}, "Column 'x' holds (1+0j). It has to hold numbers."),
        (GOOD.assign(x=[None, 2, [3]]), {}, "Column 'x' holds [3]. It has to hold numbers."),
        (
            GOOD.assign(x=pd.to_datetime(["2024-01-01"] * 3)),
            {},
            "Column 'x' holds dates. It has to hold numbers, such as days since the first.",
        ),
        (GOOD.assign(x=[1, np.inf, 2]), {}, "Column 'x' holds 1 infinite value. Make them missing."),
        (
            GOOD.assign(client=["a", None, " "]),
            {},
            "Column 'client' is missing in 2 rows. Fill or drop them.",
        ),
        (GOOD.assign(session=[1, np.nan, 1]), {}, "Column 'session' is missing in 1 row. Fill or drop it."),
        (
            GOOD.assign(session=1),
            {},
            "1 row repeats a client and session that another row has, such as client a at session 1. Keep one row for each.",
        ),
        (
            GOOD.assign(x_lag=0),
            {},
            "The frame already has a column called 'x_lag'. Drop or rename it first.",
        ),
        (
            GOOD.assign(x_lag=0, y=1, y_lag=1),
            {"columns": ["x", "y"]},
            "The frame already has columns called 'x_lag' and 'y_lag'. Drop or rename them first.",
        ),
        (
            pd.concat([GOOD, GOOD[["x"]]], axis=1),
            {},
            "The frame has 2 columns called 'x'. Rename one of them.",
        ),
    ],
)
def test_what_cannot_be_meant_is_said(frame, given, message):
    with pytest.raises(DataError) as error:
        methods.lag(frame, **({"columns": "x"} | given))
    assert str(error.value) == message


def test_by_default_only_the_session_right_before_counts():
    frame = pd.DataFrame({"client": ["a"] * 4, "session": [1, 2, 4, 6], "alliance": [5.0, 6.0, 4.0, 3.0]})
    np.testing.assert_array_equal(
        methods.lag(frame, "alliance")["alliance_lag"], [np.nan, 5.0, np.nan, np.nan]
    )
    two = methods.lag(frame, "alliance", max_gap=2)["alliance_lag"]
    np.testing.assert_array_equal(two, [np.nan, 5.0, 6.0, 4.0])
