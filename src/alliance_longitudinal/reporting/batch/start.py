"""Starts a batch: the process that reports are copies of, and then, while it imports, what makes the reports."""

from pathlib import Path
from typing import TYPE_CHECKING

from alliance_longitudinal.reporting.run.starters import Warm

if TYPE_CHECKING:
    from alliance_longitudinal.reporting.batch.run import Batch
    from alliance_longitudinal.reporting.record.notebooks import Registry
    from alliance_longitudinal.reporting.run.process import OnEvent


def run_batch(
    batch_file: str | Path,
    out: str | Path,
    *,
    jobs: int | None = None,
    fresh: bool = False,
    on_event: "OnEvent | None" = None,
    events: str | Path | None = None,
    cluster: str | None = None,
    trust: bool = True,
    registry: "Registry | None" = None,
    notebooks: Path | None = None,
) -> "Batch":
    """Make the reports of ``batch_file`` in ``out``, each in a folder of its own, and an index of them.

    Parameters
    ----------
    batch_file, out : path
    jobs : int, optional
        Reports made at a time: by default 1, on a cluster as many as its workers have threads.
    fresh : bool
        Make also those again that are there and current.
    on_event : callable, optional
        Called with ``{"event": "report", ...}`` after each report; from several threads, one at a time.
    events : path, optional
        File to which every event is appended as a line of JSON, with its time: ``batch``, ``started``, ``cell``,
        ``report`` and ``end``.
    cluster : str, optional
        Address of a Dask scheduler whose workers make the reports. They need the same package and the same folders.

    trust : bool
        Whether to run notebooks that plainly came from somebody else.

    Raises
    ------
    AllianceError
        If the batch file is wrong, ``out`` cannot be written, or no cluster answers; a report that fails is a row of the index.
    """
    with Warm(analyses=registry is None) as warm:
        if cluster is None and (fresh or _is_new(Path(out).expanduser())):
            warm.get_ready()
        from alliance_longitudinal.reporting.batch.run import make_batch

        return make_batch(
            Path(batch_file),
            Path(out).expanduser(),
            warm,
            jobs=jobs,
            fresh=fresh,
            on_event=on_event,
            events=events,
            cluster=cluster,
            trust=trust,
            registry=registry,
            notebooks=notebooks,
        )


def _is_new(folder: Path) -> bool:
    """Whether no batch has written there, so that every report has to be made."""
    try:
        return not (folder / "batch.json").exists()
    except OSError:  # no folder can have this name; that is told later
        return False
