"""The sample flow for outsiders: every box is shown, with rounded numbers."""

from dataclasses import replace
from typing import Any

from alliance_longitudinal.counts import Outsiders
from alliance_longitudinal.data.flow import FlowStep, SampleFlow
from alliance_longitudinal.sentences import for_outsiders


def safe_flow(flow: SampleFlow, outsiders: Outsiders) -> SampleFlow:
    """The flow with clients and rows rounded to multiples of the smallest number that may be shown.

    Therapists are not rounded. A step that leaves too few people for a number is left out with what follows it up to the
    next step that goes on from an earlier box.
    """
    kept: list[FlowStep] = []
    gone: set[tuple[int, int, int]] = set()
    for step in flow.steps:
        start = (step.rows_in, step.clients_in, step.therapists_in)
        end = (step.rows_out, step.clients_out, step.therapists_out)
        if start in gone or outsiders.hides(step.clients_out) or outsiders.hides(step.rows_out):
            gone.add(end)
        else:
            kept.append(_rounded(step, outsiders))
    return SampleFlow(tuple(kept))


def last_clients(flow: SampleFlow) -> int | None:
    """Clients in the last box of the main line, which is the one that the first step begins; None without a flow."""
    last: FlowStep | None = None
    for step in flow.steps:
        if last is None or (last.rows_out, last.clients_out) == (step.rows_in, step.clients_in):
            last = step
    return last.clients_out if last else None


def _rounded(step: FlowStep, outsiders: Outsiders) -> FlowStep:
    counts: Any = {
        k: outsiders.count(getattr(step, k)) or 0
        for k in ("rows_in", "rows_out", "clients_in", "clients_out")
    }
    words: Any = {k: for_outsiders(getattr(step, k), outsiders) for k in ("step", "reason")}
    return replace(step, **counts, **words)
