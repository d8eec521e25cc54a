"""Work shared between threads, for compiled loops that let go of Python's lock; results never depend on their number."""

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Made = TypeVar("Made")
#: Matrices with fewer rows are handled by one thread of the linear-algebra library: several take longer to wake up and
#: wait for each other than the work itself takes (up to ten times as long with 100 rows).
FEW_ROWS = 1000


def threads() -> int:
    """Threads to use: the cores this process may run on, at most OMP_NUM_THREADS."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(limit)) if limit.isdigit() else cores)


def share(work: Callable[[int, int], object], count: int, least: int) -> None:
    """Run ``work(begin, end)`` over ``range(count)``, in threads when each gets at least ``least``."""
    most = max(1, count // least)
    parts = 1 if most == 1 else min(threads(), most)
    if parts == 1:
        work(0, count)
        return
    cuts = [round(count * i / parts) for i in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        for done in [pool.submit(work, a, b) for a, b in itertools.pairwise(cuts)]:
            done.result()


def in_order(work: Callable[[Item], Made], items: Iterable[Item], several: bool) -> Iterator[Made]:
    """Results of the items in their order; several at a time if asked for.

    Items are taken one after the other by the caller's thread, and only a few ahead of the results.
    """
    count = threads() if several else 1
    if count == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(count) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@lru_cache(maxsize=1)
def _libraries() -> "ThreadpoolController":
    """The linear-algebra libraries of NumPy and SciPy, looked up once, when both are loaded."""
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


_limited = False


@contextmanager
def one_thread(rows: int) -> Iterator[None]:
    """Let the linear-algebra library use one thread for matrices of so few ``rows``; no limit for large ones.

    The setting is the process's, so that only the main thread changes it, and puts it back; what other threads do
    meanwhile has it too.
    """
    global _limited
    if rows >= FEW_ROWS or _limited or current_thread() is not main_thread():
        yield
        return
    with _libraries().limit(limits=1, user_api="blas"):
        _limited = True
        try:
            yield
        finally:
            _limited = False
