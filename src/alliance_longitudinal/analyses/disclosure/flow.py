"""The sample flow for outsiders: steps are joined until no two counts differ by a few people or rows."""

import itertools

from alliance_longitudinal.data.flow import FlowStep, SampleFlow

_JOINED = "Records at this point (earlier steps are not shown)"
Point = tuple[int, int, int]


def protect_flow(flow: SampleFlow, smallest: int) -> tuple[SampleFlow, int]:
    """Join steps so that clients and rows of any two boxes are equal or differ by at least ``smallest``.

    The boxes that stay are chosen from the end: the analysed sample is always shown. A branch whose counts lie near
    those of the main line is left out.

    Returns
    -------
    SampleFlow
    int
        Number of steps that were joined or left out.
    """
    lines = _lines(flow.steps)
    if not lines:
        return flow, 0
    main = _thin(lines[0], smallest, [])
    shown = list(main)
    for branch in lines[1:]:
        start = _before(branch[0])
        kept = _thin(branch, smallest, _points(main)) if start in _points(main) else []
        if kept and _before(kept[0]) == start:
            shown += kept
    return SampleFlow(tuple(shown)), len(flow.steps) - len(shown)


def last_clients(flow: SampleFlow) -> int | None:
    """Clients in the last box of the main line; None without a flow."""
    lines = _lines(flow.steps)
    return lines[0][-1].clients_out if lines else None


def _before(step: FlowStep) -> Point:
    return step.rows_in, step.clients_in, step.therapists_in


def _after(step: FlowStep) -> Point:
    return step.rows_out, step.clients_out, step.therapists_out


def _points(steps: list[FlowStep]) -> list[Point]:
    return [p for s in steps for p in (_before(s), _after(s))]


def _lines(steps: tuple[FlowStep, ...]) -> list[list[FlowStep]]:
    """The main line, then the branches: a step that does not go on from the one before starts a branch."""
    lines: list[list[FlowStep]] = []
    for step in steps:
        if lines and _after(lines[-1][-1]) == _before(step):
            lines[-1].append(step)
        else:
            lines.append([step])
    return lines


def _apart(a: Point, b: Point, smallest: int) -> bool:
    """Whether neither rows nor clients of two boxes differ by a few."""
    return all(x == y or abs(x - y) >= smallest for x, y in zip(a[:2], b[:2], strict=True))


def _thin(line: list[FlowStep], smallest: int, others: list[Point]) -> list[FlowStep]:
    """Steps of a line, joined from the end."""
    points = [_before(line[0]), *map(_after, line)]
    kept = [len(line)]
    for i in range(len(line) - 1, -1, -1):
        near = [points[k] for k in kept] + (others if i else [])
        if all(_apart(points[i], p, smallest) for p in near):
            kept.append(i)
    kept.reverse()
    if others and not all(_apart(points[k], p, smallest) for k in kept[1:] for p in others):
        return []
    out = [_joined(line[a:b]) for a, b in itertools.pairwise(kept)]
    if not out:
        out = [_standing(line[-1])]
    return out


def _joined(steps: list[FlowStep]) -> FlowStep:
    first, last = steps[0], steps[-1]
    reasons = "; ".join(dict.fromkeys(s.reason for s in steps if s.reason))
    return FlowStep(last.step, reasons, *_woven(_before(first), _after(last)))


def _standing(step: FlowStep) -> FlowStep:
    """A box of its own: what is left when nothing before it may be shown."""
    return FlowStep(f"{_JOINED}: {step.step}", "", *_woven(_after(step), _after(step)))


def _woven(start: Point, end: Point) -> tuple[int, int, int, int, int, int]:
    return start[0], end[0], start[1], end[1], start[2], end[2]
