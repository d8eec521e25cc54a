"""`methods.decompose` against plain loops, its algebra, and what it refuses."""

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError
from methods.panels import panel

#: Sums of a few dozen values near 1 differ by their order.
ROUNDING = 1e-13


def mean(values: list[float]) -> float:
    there = [v for v in values if v == v]
    return sum(there) / len(there) if there else float("nan")


def by_loop(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Within, client and therapist part of each row."""
    rows = list(zip(frame["client"], frame["therapist"], frame[name], strict=True))
    clients = {c: mean([x for d, _, x in rows if d == c]) for c, _, _ in rows}
    seen = {t: mean([clients[c] for c in {d for d, u, _ in rows if u == t}]) for _, t, _ in rows}
    top = mean(list(seen.values()))
    return np.array([[x - clients[c], clients[c] - seen[t], seen[t] - top] for c, t, x in rows])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_groups_by_plain_loops(seed):
    frame = panel(seed)
    frame.loc[frame["client"].eq("C3"), "x"] = np.nan  # a client without any value
    kept = frame.copy()
    found = methods.decompose(frame, ["x", "y"])
    for name in ("x", "y"):
        parts = found[[f"{name}_within", f"{name}_client", f"{name}_therapist"]]
        np.testing.assert_allclose(parts, by_loop(frame, name), atol=ROUNDING, rtol=0)
    pd.testing.assert_frame_equal(frame, kept)
    pd.testing.assert_frame_equal(found[frame.columns], kept)


def test_one_group_is_not_centred():
    frame = panel(4)
    found = methods.decompose(frame, "x", by=("client",))
    means = {c: mean(list(g)) for c, g in frame.groupby("client")["x"]}
    own = np.array([means[c] for c in frame["client"]])
    np.testing.assert_allclose(found["x_client"], own, atol=ROUNDING, rtol=0)
    np.testing.assert_allclose(found["x_within"], frame["x"] - own, atol=ROUNDING, rtol=0)
    assert list(found.columns) == [*frame.columns, "x_within", "x_client"]


def test_the_parts_add_up_and_shifting_moves_none_of_them():
    frame = panel(5)
    found = methods.decompose(frame, "x")
    total = found[["x_within", "x_client", "x_therapist"]].sum(axis=1, skipna=False)
    rest = (frame["x"] - total).dropna()
    np.testing.assert_allclose(rest, rest.iloc[0], atol=ROUNDING, rtol=0)
    moved = methods.decompose(frame.assign(x=frame["x"] + 100), "x")
    np.testing.assert_allclose(
        moved.iloc[:, -3:], found.iloc[:, -3:], atol=1e-11, rtol=0
    )  # 100 costs two digits


def test_the_order_of_rows_changes_nothing():
    frame = panel(6).reset_index(drop=True)
    again = methods.decompose(frame.sample(frac=1, random_state=0), "x").sort_index()
    pd.testing.assert_frame_equal(again, methods.decompose(frame, "x"), rtol=0, atol=ROUNDING)


def test_neither_sessions_nor_caseload_give_weight():
    frame = pd.DataFrame(
        {"client": ["a"] * 9 + ["b", "c"], "therapist": ["T"] * 10 + ["U"], "x": [0.0] * 9 + [6.0, 9.0]}
    )
    found = methods.decompose(frame, "x")
    np.testing.assert_array_equal(found["x_client"], [-3.0] * 9 + [3.0, 0.0])
    np.testing.assert_array_equal(found["x_therapist"], [-3.0] * 10 + [3.0])


def test_a_column_without_any_value_has_no_parts():
    frame = pd.DataFrame({"client": ["a", "b"], "therapist": ["T", "U"], "x": [np.nan, np.nan]})
    assert methods.decompose(frame, "x").iloc[:, -3:].isna().all(axis=None)


GOOD = pd.DataFrame({"client": ["a", "a", "b"], "therapist": ["T", "T", "U"], "x": [1.0, 2.0, 3.0]})


@pytest.mark.parametrize(
    ("frame", "given", "message"),
    [
        (
            GOOD,
            {"by": ("client", "therapists")},
            "The frame has no column 'therapists'. Did you mean 'therapist'?",
        ),
        (GOOD, {"by": ()}, "by is empty. Name at least one column."),
        (GOOD, {"by": ("client", "client")}, "Column 'client' is named twice in by. Name it once."),
        (GOOD, {"by": list("xyz")}, "by names 3 groups. It takes one or two, the lower one first."),
        (GOOD.iloc[:0], {}, "The frame has no rows."),
        (GOOD.assign(x=["1", "2", "3"]), {}, "Column 'x' holds '1'. It has to hold numbers."),
        (GOOD.assign(x=[1, -np.inf, np.inf]), {}, "Column 'x' holds 2 infinite values. Make them missing."),
        (
            GOOD.assign(therapist=["T", "T", ""]),
            {},
            "Column 'therapist' is missing in 1 row. Fill or drop it.",
        ),
        (
            GOOD.assign(x_within=0),
            {},
            "The frame already has a column called 'x_within'. Drop or rename it first.",
        ),
        (
            GOOD.assign(therapist=["T", "U", "U"]),
            {},
            "Each client needs one therapist, but client a has 2 therapists. Where ids start again at each therapist, join "
            "both columns into one id first.",
        ),
        (
            pd.concat([GOOD, GOOD.assign(therapist=["U", "V", "W"])]),
            {},
            "Each client needs one therapist, but client a has 3 therapists, and 1 other client has several. Where ids start "
            "again at each therapist, join both columns into one id first.",
        ),
    ],
)
def test_what_cannot_be_meant_is_said(frame, given, message):
    with pytest.raises(DataError) as error:
        methods.decompose(frame, "x", **given)
    assert str(error.value) == message


def test_outsiders_do_not_read_an_id():
    from alliance_longitudinal.counts import Outsiders

    with pytest.raises(DataError) as error:
        methods.decompose(GOOD.assign(therapist=["T", "U", "U"]), "x")
    shown = error.value.args[0].for_outsiders(Outsiders(10))
    assert shown.startswith("Each client needs one therapist, but client (not shown) has 2 therapists.")
