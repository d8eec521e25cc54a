"""A pytest plugin for the map of lines to tests: each test, and each fixture, is a context of the coverage data.

``MUTANTS_TESTS`` names the file for what the map needs besides: the seconds, the fixtures and the outcome of each test.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

TESTS: dict[str, dict[str, Any]] = {}
STARTED: list[str] = []


def enter(context: str) -> None:
    """What runs from here on belongs to ``context``."""
    STARTED.append(context)
    measured = coverage.Coverage.current()
    if measured is not None:
        measured.switch_context(context)


def leave() -> None:
    """Back to the context before."""
    STARTED.pop()
    measured = coverage.Coverage.current()
    if measured is not None:
        measured.switch_context(STARTED[-1] if STARTED else "")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[Any]:
    enter(item.nodeid)
    begin = time.perf_counter()
    try:
        return (yield)
    finally:
        names = sorted(getattr(item, "fixturenames", []))
        entry = TESTS.setdefault(item.nodeid, {"passed": True})
        entry |= {"seconds": round(time.perf_counter() - begin, 3), "fixtures": names}
        leave()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: Any) -> Iterator[Any]:
    """A fixture that tests share belongs to all of them, not to the one that happened to run first."""
    enter(f"fixture {fixturedef.argname}")
    try:
        return (yield)
    finally:
        leave()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if not report.passed:
        TESTS.setdefault(report.nodeid, {})["passed"] = False


def pytest_sessionfinish(session: pytest.Session) -> None:
    Path(os.environ["MUTANTS_TESTS"]).write_text(json.dumps(TESTS), encoding="utf-8")
