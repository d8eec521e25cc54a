"""Shows how far a report or batch is: one bar in a terminal, plain lines elsewhere, always on standard error."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from alliance_longitudinal.reporting.record.terminal import harmless, say
from alliance_longitudinal.reporting.run.process import OnEvent

_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def report_progress(title: str, *, quiet: bool = False) -> Iterator[OnEvent]:
    """A function for the events of one report, which shows them."""
    with _display(title, quiet) as show:

        def on_event(event: Mapping[str, Any]) -> None:
            if event["event"] == "start":
                show(0, event["cells"] + 1, "starting the notebook")
            elif event["event"] == "cell":
                show(event["done"], event["cells"] + 1, f"cell {event['done']} of {event['cells']}")
            elif event["event"] == "rendering":
                show(None, None, "writing the report")

        yield on_event


@contextmanager
def batch_progress(title: str, *, quiet: bool = False) -> Iterator[OnEvent]:
    """A function for the events of a batch, which shows the report, its notebook and how long is left."""
    with _display(title, quiet, every_line=True) as show:

        def on_event(event: Mapping[str, Any]) -> None:
            if event["event"] != "report" or event["status"] == "waiting":
                return
            left = event["seconds_left"] if event["done"] < event["total"] else None
            state = "already there" if event.get("kept") else event["status"]
            wait = "" if left is None else f"; about {_span(left)} left"
            show(
                event["done"],
                event["total"],
                f"{event['done']} of {event['total']}: {event['label']} ({event['notebook']}): {state}{wait}",
            )

        yield on_event


@contextmanager
def _display(title: str, quiet: bool, *, every_line: bool = False) -> Iterator[Any]:
    if quiet:
        yield lambda *_: None
    elif sys.stderr.isatty():
        with _bar(title) as show:
            yield show
    else:
        yield _lines(title, every_line)


def _lines(title: str, every_line: bool) -> Any:
    last = -_SECONDS_BETWEEN_LINES

    def show(done: int | None, _total: int | None, words: str) -> None:
        nonlocal last
        now = time.monotonic()
        if every_line or done is None or now - last >= _SECONDS_BETWEEN_LINES:
            last = now
            say(f"{title}: {words}", error=True)

    return show


@contextmanager
def _bar(title: str) -> Iterator[Any]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[words]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(escape(harmless(title)), total=None, words="starting")

        def show(done: int | None, total: int | None, words: str) -> None:
            known = {} if done is None else {"completed": done, "total": total}
            bar.update(task, words=escape(harmless(words)), **known)  # type: ignore[arg-type]

        yield show


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
