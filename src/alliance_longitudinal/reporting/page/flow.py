"""The boxes of the sample flow, which must add up before they are drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alliance_longitudinal.errors import ReportError

_UNITS = ("rows", "clients", "therapists")


@dataclass(frozen=True, slots=True)
class Box:
    """One box: who is there after a step.

    Attributes
    ----------
    step, reason : str
        What the box holds, and why the others left before it. A box without a reason starts a branch.
    rows, clients, therapists : int
        Counts in the box.
    rows_lost, clients_lost : int
        Counts that left on the way to it.
    last : bool
        Whether nothing follows: these are analysed.
    """

    step: str
    reason: str
    rows: int
    clients: int
    therapists: int
    rows_lost: int = 0
    clients_lost: int = 0
    last: bool = False


def flow_boxes(flow: Sequence[Mapping[str, Any]]) -> list[Box]:
    """The boxes of a flow, in order.

    A step goes on from the step before it, or branches off from an earlier one that left as many as it takes in;
    then that one is shown again.

    Raises
    ------
    ReportError
        If the numbers do not add up; names the step.
    """
    boxes: list[Box] = []
    known: list[tuple[str, Counts]] = []
    for i, step in enumerate(flow):
        _check_losses(step)
        start, after = _counts(step, "in"), _counts(step, "out")
        if not known:
            untouched = start == after
            known.append((step["step"] if untouched else "Records read", start))
            boxes.append(Box(known[0][0], "", *start, last=untouched and len(flow) == 1))
            if untouched:
                continue
        elif not _goes_on(known[-1][1], start):
            boxes.append(Box(f"Again from: {_origin(known, start, step)}", "", *start))
        ends = i + 1 == len(flow) or not _goes_on(after, _counts(flow[i + 1], "in"))
        lost = (step["rows_lost"], step["clients_lost"])
        boxes.append(Box(step["step"], step["reason"], *after, *lost, last=ends))
        known.append((step["step"], after))
    return boxes


Counts = tuple[int, int, int]


def _counts(step: Mapping[str, Any], side: str) -> Counts:
    rows, clients, therapists = (int(step[f"{unit}_{side}"]) for unit in _UNITS)
    return rows, clients, therapists


def _goes_on(before: Counts, start: Counts) -> bool:
    """Whether a step that takes in ``start`` can follow one that left ``before``.

    Rows and clients are the same. A therapist may be gone: clients with several are analysed under one of them.
    """
    return before[:2] == start[:2] and before[2] >= start[2]


def _check_losses(step: Mapping[str, Any]) -> None:
    for unit in ("rows", "clients"):
        lost = step[f"{unit}_in"] - step[f"{unit}_out"]
        if lost != step[f"{unit}_lost"]:
            raise ReportError(
                f"The sample flow does not add up at {step['step']!r}: {unit} lost should be {lost}."
            )


def _origin(known: Sequence[tuple[str, Counts]], start: Counts, step: Mapping[str, Any]) -> str:
    for name, counts in reversed(known):
        if _goes_on(counts, start):
            return name
    raise ReportError(
        f"The sample flow does not add up: {start[0]} rows and {start[1]} clients enter {step['step']!r}, "
        "which no earlier step leaves."
    )
