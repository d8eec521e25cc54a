"""A PostgreSQL server of our own for the tests, started on a free port and stopped at the end."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PASSWORD = "canary-s3cret/ü@:%"
USER = "reader"


@dataclass(frozen=True)
class Server:
    """Where the server listens; ``run`` executes SQL as its superuser."""

    port: int
    bin: Path
    folder: Path

    def run(self, sql: str) -> None:
        command = [
            self.bin / "psql",
            "-h",
            self.folder,
            "-p",
            str(self.port),
            "-U",
            "owner",
            "-d",
            "postgres",
        ]
        _as_user([*command, "-v", "ON_ERROR_STOP=1", "-q", "-c", sql])


def _as_user(command: list[object]) -> None:
    """Run ``command``; PostgreSQL does not run as root, so as ``postgres`` then."""
    words = [str(word) for word in command]
    if os.getuid() == 0:
        words = ["runuser", "-u", "postgres", "--", *words]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/", timeout=120)
    assert done.returncode == 0, done.stderr


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else (Path(on_path).parent if on_path else None)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A running server with the user ``reader``, whose password is ``PASSWORD``."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    if os.getuid() == 0 and shutil.which("runuser") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no runuser")
    folder = Path(tempfile.mkdtemp(prefix="al-pg-"))
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    server = Server(port, programs, folder)
    try:
        _as_user([programs / "initdb", "-D", data, "-U", "owner", "-A", "trust", "-E", "UTF8", "--no-sync"])
        access = "local all owner trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        rules = data / "pg_hba.conf"
        rules.write_text(access)
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        _as_user([programs / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start"])
        server.run(f"create role {USER} login password '{PASSWORD}'")
        yield server
    finally:
        if (data / "postmaster.pid").exists():
            _as_user([programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"])
        shutil.rmtree(folder, ignore_errors=True)
