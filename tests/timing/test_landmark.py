"""The landmark design on a table that is small enough to work out by hand."""

from itertools import pairwise

import numpy as np
import pandas as pd
from pandas.testing import assert_frame_equal

from alliance_longitudinal.data import SampleFlow
from alliance_longitudinal.timing import Landmark, TimeWindow, landmark, split_by_therapist

NAN = np.nan


def sessions() -> pd.DataFrame:
    """Five clients: complete; left before the window's end; not rated; one early score; nothing after the window."""
    rows = [
        # client, therapist, session, week, alliance, y
        ("a", "T1", 0, 0.0, NAN, 20.0),
        ("a", "T1", 1, 1.0, 40.0, 18.0),
        ("a", "T1", 2, 2.0, NAN, NAN),
        ("a", "T1", 3, 4.0, 50.0, 15.0),
        ("a", "T1", 4, 5.0, 60.0, 12.0),
        ("a", "T1", 6, 9.0, 60.0, 10.0),
        ("b", "T1", 1, 0.0, 40.0, 20.0),
        ("b", "T1", 2, 1.0, 40.0, 21.0),
        ("c", "T1", 1, 0.0, NAN, 20.0),
        ("c", "T1", 3, 2.0, NAN, 17.0),
        ("c", "T1", 4, 3.0, 30.0, 16.0),
        ("d", "T2", 1, 0.0, 30.0, NAN),
        ("d", "T2", 3, 2.5, 34.0, 14.0),
        ("d", "T2", 5, 4.0, 34.0, 13.0),
        ("e", "T2", 1, 0.0, 30.0, 9.0),
        ("e", "T2", 3, 2.0, 30.0, 8.0),
    ]
    return pd.DataFrame(rows, columns=["client", "therapist", "session", "week", "alliance", "y"])


def found(**changes: object) -> Landmark:
    asked = {
        "alliance": "alliance",
        "outcome": "y",
        "window": TimeWindow(1, 3),
        "min_rated": 1,
        "need_change": True,
    }
    return landmark(sessions(), SampleFlow(), **(asked | changes))  # type: ignore[arg-type]


def test_predictors_and_outcomes_of_the_only_complete_client() -> None:
    expected = pd.DataFrame(
        {
            "client": ["a"],
            "therapist": ["T1"],
            "early": [45.0],  # sessions 1 and 3 of the window
            "n_rated": [2],
            "intake": [20.0],  # session 0
            "intake_session": [0],
            "change": [-5.0],  # session 3 minus session 0
            "end": [10.0],
            "end_change": [-10.0],
            "weeks_followed": [5.0],  # week 9 minus week 4, the last week in the window
            "n_after": [2],
        }
    )
    assert_frame_equal(found().clients, expected, check_dtype=False)
    followup = pd.DataFrame(
        {
            "client": ["a", "a"],
            "therapist": ["T1", "T1"],
            "session": [4, 6],
            "weeks": [1.0, 5.0],
            "y": [12.0, 10.0],
        }
    )
    assert_frame_equal(found().followup, followup, check_dtype=False)


def test_each_client_leaves_at_its_own_step() -> None:
    lost = {s.step: s.clients_lost for s in found().flow.steps}
    assert lost == {
        "In treatment at the end of the early window": 1,  # b
        "Early alliance rated": 1,  # c
        "Intake severity known": 0,
        "Change up to the end of the window known": 1,  # d
        "Sessions after the early window": 1,  # e
        "Outcome scores after the early window": 0,
    }
    assert found().flow.steps[-1].clients_out == 1


def test_steps_add_up() -> None:
    steps = found().flow.steps
    for before, after in pairwise(steps):
        assert (before.rows_out, before.clients_out) == (after.rows_in, after.clients_in)


def test_without_adjustment_for_change_one_early_score_is_enough() -> None:
    clients = found(need_change=False).clients.set_index("client")
    assert list(clients.index) == ["a", "d"]
    assert clients.loc["d", "intake"] == 14.0
    assert np.isnan(clients.loc["d", "change"])


def test_a_minimum_of_rated_sessions_removes_clients() -> None:
    assert found(min_rated=3).clients.empty
    assert list(found(min_rated=2).clients["client"]) == ["a"]  # rated at two sessions, sessions 1 and 3


def test_the_order_of_the_rows_does_not_matter() -> None:
    asked = {"alliance": "alliance", "outcome": "y", "window": TimeWindow(1, 3), "min_rated": 1}
    rows = sessions()
    for mixed in (rows[::-1], *(rows.sample(frac=1, random_state=seed) for seed in range(4))):
        other = landmark(mixed.reset_index(drop=True), SampleFlow(), need_change=True, **asked)  # type: ignore[arg-type]
        assert_frame_equal(other.clients, found().clients)
        assert_frame_equal(other.followup, found().followup)


def test_scores_whose_time_is_not_known_leave_at_their_own_step() -> None:
    frame = sessions()
    frame.loc[(frame["client"] == "a") & (frame["session"] == 6), "week"] = NAN
    asked = {"alliance": "alliance", "outcome": "y", "window": TimeWindow(1, 3), "min_rated": 1}
    out = landmark(frame, SampleFlow(), need_change=True, **asked)  # type: ignore[arg-type]
    last = out.flow.steps[-1]
    assert (last.step, last.rows_lost) == ("Outcome scores with a known time", 1)
    assert list(out.followup["session"]) == [4]
    assert out.clients["end"].item() == 12.0


def test_the_input_is_not_changed() -> None:
    frame = sessions()
    landmark(
        frame,
        SampleFlow(),
        alliance="alliance",
        outcome="y",
        window=TimeWindow(1, 3),
        min_rated=1,
        need_change=True,
    )
    assert_frame_equal(frame, sessions())


def test_therapist_means_are_means_of_client_values() -> None:
    clients = pd.DataFrame({"therapist": ["A", "A", "A", "B"], "early": [1.0, 2.0, 6.0, 11.0]})
    out = split_by_therapist(clients, "early")
    np.testing.assert_allclose(out["early_therapist"], [-2.0, -2.0, -2.0, 6.0])  # means 3 and 11, overall 5
    np.testing.assert_allclose(out["early_client"], [-2.0, -1.0, 3.0, 0.0])
    np.testing.assert_allclose(out["early_total"], out["early_therapist"] + out["early_client"])
    assert list(clients.columns) == ["therapist", "early"]
