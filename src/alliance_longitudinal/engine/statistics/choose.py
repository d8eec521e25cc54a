"""Which statistics a design needs: nested groups are eliminated level by level, all others by their graph."""

from contextlib import AbstractContextManager, nullcontext

from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.design.groups import chain_of
from alliance_longitudinal.engine.linalg.threads import one_thread
from alliance_longitudinal.engine.statistics.basis import Basis
from alliance_longitudinal.engine.statistics.crossed.build import build as crossed
from alliance_longitudinal.engine.statistics.crossed.crossing import Crossing
from alliance_longitudinal.engine.statistics.nested import Blocks
from alliance_longitudinal.engine.statistics.nested import build as nested


def statistics_of(design: Design, basis: Basis) -> Blocks | Crossing:
    """Sufficient statistics of a design.

    Raises
    ------
    FitError
        Crossed groups whose dense block would not fit into memory.
    """
    if basis.products is None and chain_of(list(design.factors)) is None:
        return crossed(design, basis)
    return nested(design, basis)


def threads_for(blocks: object) -> AbstractContextManager[None]:
    """Threads of the linear-algebra library for many evaluations; nested groups hardly use it."""
    return one_thread(len(blocks.dense)) if isinstance(blocks, Crossing) else nullcontext()
