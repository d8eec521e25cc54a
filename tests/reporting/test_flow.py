"""The boxes of the sample flow add up, also where the flow branches."""

import copy
from typing import Any

import pytest

from alliance_longitudinal.errors import ReportError
from inside.reporting_page import Box, flow_boxes
from reporting import tiny


def _step(name: str, rows: tuple[int, int]) -> dict[str, Any]:
    same = dict.fromkeys(("clients_in", "clients_out", "therapists_in", "therapists_out"), 5)
    counts = {"rows_in": rows[0], "rows_out": rows[1], "rows_lost": rows[0] - rows[1], "clients_lost": 0}
    return {"step": name, "reason": f"not {name}", **same, **counts}


def test_a_straight_flow() -> None:
    assert flow_boxes(tiny.sample_results()["flow"]) == [
        Box("Records read", "", 40, 10, 3),
        Box("Has an intake score", "no PHQ-9 at intake", 38, 10, 3, 2, 0),
        Box("In treatment when the window closed", "left before session 5", 30, 8, 3, 8, 2, last=True),
    ]


def test_a_first_step_that_loses_nobody_is_the_start() -> None:
    boxes = flow_boxes([_step("read", (40, 40)), _step("rated", (40, 30))])
    assert [(b.step, b.reason, b.rows) for b in boxes] == [("read", "", 40), ("rated", "not rated", 30)]


def test_a_branch_shows_where_it_starts() -> None:
    boxes = flow_boxes([_step("read", (40, 40)), _step("alliance", (40, 30)), _step("symptoms", (40, 35))])
    assert [(b.step, b.rows, b.last) for b in boxes] == [
        ("read", 40, False),
        ("alliance", 30, True),
        ("Again from: read", 40, False),
        ("symptoms", 35, True),
    ]


def test_flows_that_do_not_add_up_are_refused() -> None:
    flow = tiny.sample_results()["flow"]
    lost, chain = copy.deepcopy(flow), copy.deepcopy(flow)
    lost[1]["clients_lost"] = 3
    chain[1] |= {"rows_in": 37, "rows_lost": 7}
    with pytest.raises(
        ReportError, match="add up at 'In treatment when the window closed': clients lost should be 2"
    ):
        flow_boxes(lost)
    with pytest.raises(
        ReportError, match=r"37 rows and 10 clients enter 'In treatment .* which no earlier step leaves"
    ):
        flow_boxes(chain)


def test_a_therapist_whose_clients_count_under_another_may_be_gone() -> None:
    flow = [_step("read", (40, 40)), _step("rated", (40, 30))]
    fewer = {"therapists_in": flow[0]["therapists_out"] - 1, "therapists_out": flow[0]["therapists_out"] - 1}
    boxes = flow_boxes([flow[0], flow[1] | fewer])
    assert [(b.step, b.rows, b.last) for b in boxes] == [("read", 40, False), ("rated", 30, True)]
    more = {"therapists_in": flow[0]["therapists_out"] + 1, "therapists_out": flow[0]["therapists_out"] + 1}
    with pytest.raises(ReportError, match="which no earlier step leaves"):
        flow_boxes([flow[0], flow[1] | more])
