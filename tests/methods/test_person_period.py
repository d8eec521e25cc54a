"""`methods.person_period` against a loop over persons and periods, the published hazards, and what it refuses."""

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError
from methods.panels import panel


def by_loop(frame, last=None, event=None, horizon=None, carry=()):
    """For each person look through all periods."""
    out = []
    for client in dict.fromkeys(frame["client"]):
        own = frame[frame["client"] == client].sort_values("session")
        there = own if last is None else own[own[last].notna()]
        if there.empty:
            continue
        final = int(there["session"].max())
        words = [] if event is None else [w for w in own[event] if isinstance(w, str)]
        word = words[0] if words else None
        ends = event is None or word is not None
        for period in range(1, 99):
            if period > (final + 1 if ends else final) or (horizon is not None and period > horizon):
                break
            leaves = ends and period == final + 1
            row = {"client": client, "period": period, "event": int(leaves)}
            if event is not None:
                row["end"] = word if leaves else None
            for name in carry:
                before = own.loc[(own["session"] < period) & own[name].notna(), name]
                row[name] = before.iloc[-1] if len(before) else np.nan
            out.append(row)
    return pd.DataFrame(out)


@pytest.mark.parametrize("horizon", [None, 3, 8])
@pytest.mark.parametrize("event", [None, "how"])
@pytest.mark.parametrize("last", [None, "x"])
@pytest.mark.parametrize("seed", [1, 2])
def test_it_is_what_a_loop_finds(seed, last, event, horizon):
    frame = panel(seed)
    frame["session"] -= 1  # some have a baseline
    rng = np.random.default_rng(seed)
    ways = {c: rng.choice(["left", "planned", None]) for c in frame["client"].unique()}
    frame["how"] = [ways[c] for c in frame["client"]]
    kept = frame.copy()
    found = methods.person_period(frame, "client", "session", last, event, ["x", "y"], horizon)
    wanted = by_loop(frame, last, event, horizon, ["x", "y"])
    assert list(found) == list(wanted)
    assert found[["client", "period", "event"]].to_numpy().tolist() == (
        wanted[["client", "period", "event"]].to_numpy().tolist()
    )
    np.testing.assert_array_equal(found[["x", "y"]].astype(float), wanted[["x", "y"]].astype(float))
    if event:
        assert found["end"].fillna("").tolist() == wanted["end"].fillna("").tolist()
    pd.testing.assert_frame_equal(frame, kept)


def test_the_order_of_rows_changes_only_the_order_of_persons():
    frame = panel(3).reset_index(drop=True)
    again = methods.person_period(frame.sample(frac=1, random_state=1), "client", "session", carry="x")
    once = methods.person_period(frame, "client", "session", carry="x")
    by = ["client", "period"]
    pd.testing.assert_frame_equal(
        once.sort_values(by, ignore_index=True), again.sort_values(by, ignore_index=True)
    )


def test_words_and_categories_are_carried_as_they_are():
    frame = pd.DataFrame(
        {
            "id": [1, 1, 2],
            "visit": [0, 2, 1],
            "arm": pd.Categorical(["a", "b", "a"], categories=["a", "b", "c"]),
            "n": pd.array([1, None, 3], dtype="Int64"),
        }
    )
    found = methods.person_period(frame, "id", "visit", carry=["arm", "n"])
    assert found["arm"].tolist() == ["a", "a", "b", np.nan, "a"]
    assert list(found["arm"].cat.categories) == ["a", "b", "c"]
    assert found["n"].fillna(0).tolist() == [1, 1, 1, 0, 3]
    assert found["n"].dtype == "Int64"


def test_who_was_never_seen_is_left_out_and_who_may_still_come_has_no_event():
    frame = pd.DataFrame(
        {
            "client": list("aabbcd"),
            "session": [0, 1, 0, 1, 0, 2],
            "score": [5.0, np.nan, np.nan, np.nan, 4.0, 3.0],
            "end": ["left", None, None, None, " ", "planned"],
        }
    )
    found = methods.person_period(frame, "client", "session", last="score")
    assert found.groupby("client")["period"].max().to_dict() == {"a": 1, "c": 1, "d": 3}
    named = methods.person_period(frame, "client", "session", last="score", event="end", horizon=2)
    assert named.to_numpy().tolist() == [["a", 1, 1, "left"], ["d", 1, 0, None], ["d", 2, 0, None]]


def long_beat_the_blues(folder) -> pd.DataFrame:
    """The trial with assessments numbered 0 to 4."""
    wide = pd.read_csv(folder / "beat_the_blues_bdi.csv")
    months = ["bdi.pre", "bdi.2m", "bdi.3m", "bdi.5m", "bdi.8m"]
    long = wide.melt(["id", "treatment"], months, var_name="visit", value_name="bdi")
    long["visit"] = long["visit"].map({name: i for i, name in enumerate(months)})
    return long.merge(wide[["id", "bdi.pre"]].rename(columns={"bdi.pre": "pre"}))


def test_the_published_hazards_of_leaving_a_trial(shared_data):
    """100, 97, 73 and 58 at risk, and the odds of leaving by treatment and severity, computed with R's glm."""
    long = long_beat_the_blues(shared_data)
    found = methods.person_period(long, "id", "visit", "bdi", carry=["treatment", "pre"], horizon=4)
    table = found.groupby("period")["event"].agg(["size", "mean"])
    assert table["size"].tolist() == [100, 97, 73, 58]
    np.testing.assert_allclose(table["mean"], [0.03, 0.2474, 0.2055, 0.1034], atol=5e-5)
    rows = found.assign(treated=(found["treatment"] == "BtheB").astype(float))
    x = np.column_stack([(rows["period"] == t) * 1.0 for t in (1, 2, 3, 4)] + [rows["treated"], rows["pre"]])
    beta, se = logistic(x, rows["event"].to_numpy(float))
    # Printed to six decimals.
    np.testing.assert_allclose(beta[4:], [0.005345, 0.006562], atol=6e-7)
    np.testing.assert_allclose(se[4:], [0.324351, 0.015202], atol=6e-7)


def logistic(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method for a logistic regression: coefficients and standard errors."""
    beta = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ beta))
        information = x.T @ (x * (p * (1 - p))[:, None])
        beta += np.linalg.solve(information, x.T @ (y - p))
    return beta, np.sqrt(np.diag(np.linalg.inv(information)))


GOOD = pd.DataFrame(
    {"client": ["a", "a", "b"], "session": [0, 1, 0], "x": [1.0, 2.0, 3.0], "how": ["l", None, "p"]}
)


@pytest.mark.parametrize(
    ("frame", "given", "message"),
    [
        (GOOD, {"last": ["phq9"]}, "['phq9'] is not the name of one column. Give one name as text."),
        (GOOD, {"last": "y"}, "The frame has no column 'y'. There are: client, session, x, how."),
        (GOOD, {"carry": ["x", "x"]}, "Column 'x' is named twice in carry. Name it once."),
        (GOOD, {"carry": "client"}, "Column 'client' is the person and in carry. Leave it out of carry."),
        (
            GOOD.rename(columns={"x": "period"}),
            {"carry": "period"},
            "Column 'period' has the name of a column that is made: period, event, end. Rename it first.",
        ),
        (GOOD, {"horizon": 0}, "horizon is 0; it is the last period that counts, a whole number from 1 on."),
        (GOOD, {"horizon": 2.5}, "horizon is 2.5; it is the last period that counts, a whole number from 1 on."),
        (GOOD, {"horizon": "4"}, "horizon is '4'; it is the last period that counts, a whole number from 1 on."),
        (GOOD, {"horizon": np.nan}, "horizon is nan; it is the last period that counts, a whole number from 1 on."),
        (
            GOOD.assign(session=[0, -1, 0]),
            {},
            "Column 'session' holds -1. Sessions are whole numbers: 0 for a baseline, then 1, 2, ...",
        ),
        (
            GOOD.assign(session=[0, 1.5, 0]),
            {},
            "Column 'session' holds 1.5. Sessions are whole numbers: 0 for a baseline, then 1, 2, ...",
        ),
        (GOOD.assign(client=["a", None, "b"]), {}, "Column 'client' is missing in 1 row. Fill or drop it."),
        (
            GOOD.assign(session=0),
            {},
            "1 row repeats a client and session that another row has, such as client a at session 0. Keep one row for each.",
        ),
        (
            GOOD.assign(how=["left", "planned", None]),
            {"event": "how"},
            "Column 'how' holds several ends of client a: left, planned. Give each client one.",
        ),
        (GOOD.iloc[:0], {}, "The frame has no rows."),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_said(frame, given, message):
    with pytest.raises(DataError) as error:
        methods.person_period(frame, "client", "session", **given)
    assert str(error.value) == message
