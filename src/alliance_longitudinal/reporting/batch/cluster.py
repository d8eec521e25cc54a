"""Reports of a batch on the workers of a Dask cluster: what runs there is what runs here, in a folder that all of them see."""

import atexit
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from alliance_longitudinal.errors import ReportError, UsageError
from alliance_longitudinal.reporting.record.environment import package_versions
from alliance_longitudinal.reporting.record.hashing import package_hash
from alliance_longitudinal.reporting.run.report import Limits, Report, Request, run_request
from alliance_longitudinal.reporting.run.starters import Starter, Warm

_POLL_SECONDS = 0.1
#: Seconds to wait for the scheduler to answer.
_PATIENCE = 15
#: The packages that numbers depend on.
_NUMBERS = ("numpy", "scipy", "pandas", "formulaic", "numba")


class Make(Protocol):
    """Makes one report; ``claim`` is the folder that exists as long as the report is wanted."""

    def __call__(
        self,
        request: Request,
        place: Path,
        claim: Path,
        *,
        limits: Limits,
        stop: threading.Event,
        on_event: Callable[[Mapping[str, Any]], None],
    ) -> Report:
        """Run a checked request; see `run.report.run_request`."""
        ...


@contextmanager
def maker(address: str | None, starter: Starter, *, analyses: bool = True) -> Iterator[tuple[Make, int]]:
    """What makes reports, and how many at a time: this machine (1), or the workers at ``address`` (all their threads).

    On this machine ``starter`` starts them. Each worker keeps a process beside it with everything imported; ``analyses`` says
    whether with the package's.

    Raises
    ------
    UsageError
        No cluster answers there, it has no worker, or Dask is not installed.
    """
    if address is None:
        yield _Here(starter), 1
        return
    if find_spec("distributed") is None:
        raise UsageError(
            "--cluster needs distributed, which is not installed. Install it with: "
            "pip install 'alliance-longitudinal[dask]'."
        )
    import distributed

    connect: Any = distributed.Client
    try:
        client: Any = connect(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"No Dask cluster answers at {address!r} ({type(error).__name__}). Give the address that its scheduler "
            "prints, such as tcp://10.0.0.5:8786."
        ) from None
    try:
        threads = sum(client.nthreads().values())
        if not threads:
            raise UsageError(
                f"The Dask cluster at {address!r} has no worker. Start workers, then run the batch again."
            )
        yield _Workers(client, analyses), threads
    finally:
        client.close()


class _Here:
    """Makes reports on this machine."""

    def __init__(self, starter: Starter) -> None:
        self._starter = starter

    def __call__(
        self,
        request: Request,
        place: Path,
        claim: Path,  # noqa: ARG002
        *,
        limits: Limits,
        stop: threading.Event,
        on_event: Callable[[Mapping[str, Any]], None],
    ) -> Report:
        return run_request(request, place, limits=limits, stop=stop, on_event=on_event, starter=self._starter)


class _Workers:
    """Makes reports on a cluster; a report whose worker is lost is made by another one."""

    def __init__(self, client: Any, analyses: bool) -> None:
        self._client = client
        self._analyses = analyses
        self._versions = _of_numbers()

    def __call__(
        self,
        request: Request,
        place: Path,
        claim: Path,
        *,
        limits: Limits,
        stop: threading.Event,
        on_event: Callable[[Mapping[str, Any]], None],  # noqa: ARG002
    ) -> Report:
        from distributed import CancelledError, KilledWorker

        future = self._client.submit(
            _there,
            *(request, str(place), str(claim), limits),
            *(package_hash(), self._versions, self._analyses),
            pure=False,
        )
        while not future.done():
            if stop.wait(_POLL_SECONDS):
                future.cancel()
                return Report(place, ok=False, seconds=0.0, error="The report was stopped.", stopped=True)
        try:
            report: Report = future.result()
        except KilledWorker:
            raise ReportError(
                "Every worker of the cluster that began this report was lost. A worker may have too little memory."
            ) from None
        except CancelledError:
            raise ReportError("The cluster gave this report up. Run the batch again.") from None
        return report


class _WhileClaimed(threading.Event):
    """Set once the batch does not want the report any more: its claim is gone."""

    def __init__(self, claim: str) -> None:
        super().__init__()
        self._claim = Path(claim)

    def is_set(self) -> bool:
        """Whether the claim is gone."""
        return not self._claim.is_dir()


def _there(
    request: Request,
    place: str,
    claim: str,
    limits: Limits,
    package: str,
    versions: Mapping[str, str],
    analyses: bool = True,
) -> Report:
    """Make a report on a worker: refused where its code or its packages would give other numbers, or the folder is not there.

    Raises
    ------
    ReportError
    """
    if not Path(claim).is_dir():
        raise ReportError(
            "A worker of the cluster does not see the folder of the batch. All workers need the same folders under the same paths."
        )
    other = sorted(name for name, version in _of_numbers().items() if versions.get(name) != version)
    if package_hash() != package:
        other.insert(0, "alliance-longitudinal")
    if other:
        raise ReportError(
            f"A worker of the cluster has another version of {', '.join(other)} than this machine. Install the same on all machines."
        )
    return run_request(
        request, place, limits=limits, stop=_WhileClaimed(claim), starter=_of_this_worker(analyses)
    )


@cache
def _of_this_worker(analyses: bool) -> Warm:
    """The warm process of a worker, which lives as long as the worker."""
    warm = Warm(analyses=analyses)
    atexit.register(warm.close)
    return warm


def _of_numbers() -> dict[str, str]:
    return {name: version for name, version in package_versions().items() if name in _NUMBERS}
