"""The notebook's kernel: the running interpreter, private sockets, no registered kernelspec."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from alliance_longitudinal.reporting.run.forks import WaitingKernel
from alliance_longitudinal.reporting.run.lean import KERNEL_PROGRAM

#: A Unix socket's path may have about 107 bytes; the kernel appends up to ten.
_LONGEST_SOCKET_FOLDER = 80
#: How long to listen for more of the kernel's first messages, and how often to look whether it has ended. Jupyter's own 0.2
#: and 0.1 seconds are a fifth of a small report.
_LISTEN_SECONDS = 0.02
_POLL_SECONDS = 0.01


class ReportClient(AsyncKernelClient):
    """Does not wait for messages that do not come: what a kernel says of an older request, the executor skips anyway."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers."""
        channel: Any = self.iopub_channel
        patient = channel.get_msg

        async def get_msg(timeout: float | None = None) -> Any:
            return await patient(timeout=min(timeout or _LISTEN_SECONDS, _LISTEN_SECONDS))

        channel.get_msg = get_msg
        try:
            await self._async_wait_for_ready(timeout=timeout)
        finally:
            channel.get_msg = patient


def kernel_manager_class(folder: Path, waiting: WaitingKernel | None = None) -> type[AsyncKernelManager]:
    """Class of kernel managers whose connection lives in ``folder`` (mode 0700, one kernel at a time).

    The kernel is ``waiting``, a copy of this process; without it, and if it has to be started again, a fresh interpreter.

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
            settings["client_factory"] = ReportClient
            super().__init__(**settings)

        @property
        def kernel_spec(self) -> KernelSpec:
            return spec

        async def _async_launch_kernel(self, kernel_cmd: list[str], **settings: object) -> None:
            if waiting is None or waiting.used or not isinstance(self.provisioner, LocalProvisioner):
                await super()._async_launch_kernel(kernel_cmd, **settings)
                return
            process = waiting.begin(Path(connection_file))
            # Without a group of its own: it is in that of the report, which ends with the report.
            self.provisioner.process, self.provisioner.pid = process, process.pid

        async def _async_wait(self, pollinterval: float = _POLL_SECONDS) -> None:
            await super()._async_wait(pollinterval=min(pollinterval, _POLL_SECONDS))

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
