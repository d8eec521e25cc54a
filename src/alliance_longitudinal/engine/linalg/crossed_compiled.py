"""The loops as machine code, compiled at first use."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from alliance_longitudinal.engine.linalg import crossed_loops as loops
from alliance_longitudinal.engine.linalg import crossed_tangents as tangents

PLAIN: dict[str, Callable[..., Any]] = {
    "factorise": loops.factorise,
    "forward": loops.forward,
    "backward": loops.backward,
    "conditional": loops.conditional,
    "tangent_forward": tangents.tangent_forward,
    "tangent_backward": tangents.tangent_backward,
}


@lru_cache(maxsize=16)
def loop(name: str) -> Callable[..., Any]:
    """One of the loops, compiled."""
    from alliance_longitudinal.engine.linalg.compiled import jit

    return jit(PLAIN[name])
