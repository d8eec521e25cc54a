"""The notebook's kernel: the running interpreter, private sockets, no registered kernelspec."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from alliance_longitudinal.reporting.run.lean import KERNEL_PROGRAM

#: A Unix socket's path may have about 107 bytes; the kernel appends up to ten.
_LONGEST_SOCKET_FOLDER = 80


def kernel_manager_class(folder: Path) -> type[AsyncKernelManager]:
    """Class of kernel managers whose connection lives in ``folder`` (mode 0700, one kernel at a time).

    It must stay a subclass of the *asynchronous* manager: under a synchronous one nbclient's time limit a
    cell silently never fires. Papermill gets the class, not an instance, because it leaves an instance's
    kernel running.
    """
    connection_file = str(folder / "k.json")
    use_sockets = os.name == "posix" and len(os.fsencode(connection_file)) < _LONGEST_SOCKET_FOLDER
    spec = KernelSpec(
        argv=[
            sys.executable,
            *("-c", KERNEL_PROGRAM, "-f", "{connection_file}"),
            "--HistoryManager.enabled=False",
        ],
        display_name="alliance_longitudinal",
        language="python",
    )

    class ReportKernelManager(AsyncKernelManager):
        """Starts the interpreter that runs this process, whatever kernel the notebook names."""

        def __init__(self, **settings: object) -> None:
            settings |= {"connection_file": connection_file, "transport": "ipc" if use_sockets else "tcp"}
            super().__init__(**settings)

        @property
        def kernel_spec(self) -> KernelSpec:
            return spec

    return ReportKernelManager


def starts(seconds: float = 60) -> str:
    """Why a notebook's Python process does not start here, as a sentence; empty if it does."""

    async def once(folder: Path) -> None:
        manager = kernel_manager_class(folder)()
        await manager.start_kernel()
        try:
            client = manager.client()
            client.start_channels()
            await client.wait_for_ready(timeout=seconds)
            client.stop_channels()
        finally:
            await manager.shutdown_kernel(now=True)

    try:
        with tempfile.TemporaryDirectory(prefix="al-") as folder:
            asyncio.run(once(Path(folder)))
    except Exception as error:  # whatever it is, it keeps reports from being made
        return f"does not start ({type(error).__name__}). Install the package again, or look at the disk and its permissions."
    return ""
