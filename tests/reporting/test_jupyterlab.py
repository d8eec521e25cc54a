"""The explorer in a real JupyterLab, driven through a real browser; skipped where there is no Chromium.

A screenshot is kept in the folder that ``ALLIANCE_SCREENSHOTS`` names, to look at.
"""

import asyncio
import base64
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CODE = 'import alliance_longitudinal as al\n\nal.explore("demo")'
SECONDS = 120.0

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answer(address: str) -> Any:
    """What a server on this machine answers, once it does."""
    ends = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as reply:
                return json.loads(reply.read())
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.3)


@pytest.fixture
def lab_address(tmp_path: Path) -> Iterator[str]:
    """A JupyterLab of its own with one notebook, and nothing of the user's settings."""
    pytest.importorskip("jupyterlab")
    pytest.importorskip("ipywidgets")
    cell = nbformat.v4.new_code_cell(CODE)
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    nbformat.write(notebook, tmp_path / "explore.ipynb")
    port, home = _free_port(), tmp_path / "home"
    home.mkdir()
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "HOME")
    options = {
        "ServerApp.token": "t",
        "ServerApp.root_dir": str(tmp_path),
        "LabApp.expose_app_in_browser": "True",
        "LabApp.news_url": "None",
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--allow-root",
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
    ]
    with (tmp_path / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, *(f"--{k}={v}" for k, v in options.items())],
            stdout=log,
            stderr=log,
            env=os.environ | dict.fromkeys(names, str(home)),
        )
        try:
            _answer(f"http://127.0.0.1:{port}/api?token=t")
            yield f"http://127.0.0.1:{port}/lab/tree/explore.ipynb?token=t&reset"
        finally:
            server.terminate()
            server.wait(30)


class Tab:
    """One page of a headless browser, by its debugging protocol."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    async def ask(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        await self._connection.write_message(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            reply = json.loads(await self._connection.read_message())
            if reply.get("id") == number:
                assert "error" not in reply, reply
                return reply["result"]

    async def value(self, code: str) -> Any:
        found = await self.ask("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, code: str) -> None:
        """Wait until ``code`` is true on the page."""
        ends = time.monotonic() + SECONDS
        while not await self.value(f"Boolean({code})"):
            assert time.monotonic() < ends, f"never true: {code}"
            await asyncio.sleep(0.3)


SHOWN = "document.querySelector('.jp-OutputArea-output')?.innerText ?? ''"
LAST = f"(document.querySelectorAll('.jp-OutputArea-output pre').length ? [...document.querySelectorAll('.jp-OutputArea-output pre')].at(-1).innerText : {SHOWN})"


async def _drive(address: str, debugger: str) -> dict[str, Any]:
    from tornado.websocket import websocket_connect

    connection = await websocket_connect(debugger, max_message_size=2**28)
    tab = Tab(connection)
    await tab.ask(
        "Emulation.setFocusEmulationEnabled", enabled=True
    )  # a page without focus has no current notebook
    await tab.ask("Page.navigate", url=address)
    await tab.until("window.jupyterapp && document.querySelector('.jp-Notebook .jp-Cell')")
    panel = "[...window.jupyterapp.shell.widgets('main')].find((w) => w.sessionContext)"
    kernel = f"{panel}?.sessionContext.session?.kernel"
    await tab.until(f"{kernel}?.connectionStatus === 'connected' && {kernel}?.status === 'idle'")
    await tab.value(f"window.jupyterapp.shell.activateById({panel}.id)")
    await tab.value("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    await tab.until("document.querySelectorAll('.widget-dropdown select').length === 4")
    await tab.until("document.querySelectorAll('.jp-OutputArea-output img').length === 2")
    before = await tab.value(LAST)
    pictures = (
        "[...document.querySelectorAll('.jp-OutputArea-output img')].map((i) => [i.naturalWidth, i.alt])"
    )
    shown = await tab.value(pictures)
    choose = (
        "(() => { const s = document.querySelectorAll('.widget-dropdown select')[2]; s.value = 'Nord';"
        " s.dispatchEvent(new Event('change', {bubbles: true})); return s.value; })()"
    )
    assert await tab.value(choose) == "Nord"
    await tab.until(f"{LAST}.includes(\"clinic='Nord'\")")
    after = await tab.value(LAST)
    await tab.value("[...document.querySelectorAll('.widget-button')].at(-1).click()")
    await tab.until("[...document.querySelectorAll('.jp-OutputArea-output h4')].length === 1")
    picture = await tab.ask("Page.captureScreenshot", format="png")
    connection.close()
    return {
        "before": before,
        "after": after,
        "pictures": shown,
        "screenshot": base64.b64decode(picture["data"]),
    }


def test_choosing_a_clinic_in_the_browser_changes_what_reproduces_it(
    lab_address: str, tmp_path: Path
) -> None:
    port = _free_port()
    options = ["--headless=new", "--no-sandbox", "--window-size=1500,1500", f"--remote-debugging-port={port}"]
    browser = subprocess.Popen(
        [str(BROWSER), *options, f"--user-data-dir={tmp_path / 'browser'}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        tabs = _answer(f"http://127.0.0.1:{port}/json")
        debugger = next(t["webSocketDebuggerUrl"] for t in tabs if t["type"] == "page")
        seen = asyncio.run(asyncio.wait_for(_drive(lab_address, debugger), 2 * SECONDS))
    finally:
        browser.terminate()
        browser.wait(30)
    assert "window=(1, 5), alliance='alliance', outcome='phq9')" in seen["before"]
    assert "clinic='Nord'" in seen["after"]
    assert "-p clinic=Nord" in seen["after"]
    assert all(width > 300 and alt for width, alt in seen["pictures"])
    kept = os.environ.get("ALLIANCE_SCREENSHOTS")
    if kept:
        (Path(kept) / "explorer.png").write_bytes(seen["screenshot"])
