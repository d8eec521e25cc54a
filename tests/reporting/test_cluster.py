"""A batch on a real Dask cluster: the same reports, a lost worker loses nothing, and what cannot work is said."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alliance_longitudinal.errors import UsageError
from alliance_longitudinal.reporting import run_batch
from inside.reporting_batch import cluster as cluster_module
from reporting import tiny
from reporting.conftest import Lab
from sockets import sweep_sockets


@pytest.fixture(scope="module")
def workers() -> Iterator[Any]:
    from dask.distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        cluster.wait_for_workers(2)
        yield cluster
    sweep_sockets()


def grid(folder: Path, scales: str) -> Path:
    tiny.write_study(folder / "a")
    path = folder / "grid.yaml"
    path.write_text(
        f"study: a/study.yaml\nnotebook: tiny\nparameters: {{scale: {scales}}}\n", encoding="utf-8"
    )
    return path


def numbers(folder: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text(encoding="utf-8") for path in folder.glob("*/results.json")}


def test_a_cluster_makes_the_same_reports_also_when_a_worker_is_killed(
    workers: Any, lab: Lab, tmp_path: Path
) -> None:
    path = grid(tmp_path, "[1.0, 2.0]")
    killed: list[str] = []
    events = tmp_path / "events.jsonl"

    def kill_one() -> None:
        for _ in range(600):  # until both workers have a report
            if events.is_file() and events.read_text(encoding="utf-8").count('"started"') == 2:
                break
            time.sleep(0.1)
        time.sleep(1.0)
        name, worker = next(iter(workers.workers.items()))
        killed.append(str(name))
        worker.process.process._process.kill()

    thief = threading.Thread(target=kill_one)
    thief.start()
    there = run_batch(
        path,
        tmp_path / "there",
        cluster=workers.scheduler_address,
        events=events,
        registry=tiny.REGISTRY,
        notebooks=lab.folder,
    )
    thief.join()
    here = run_batch(path, tmp_path / "here", registry=tiny.REGISTRY, notebooks=lab.folder)
    assert killed
    assert there.ok, [row["error"] for row in there.rows]
    assert numbers(there.folder) == numbers(here.folder)
    assert len(numbers(here.folder)) == 2
    assert json.loads(events.read_text(encoding="utf-8").splitlines()[0])["jobs"] == 2
    assert {p.name for p in there.folder.iterdir() if p.is_dir()} == set(numbers(there.folder))


def test_a_worker_with_other_packages_makes_no_report(
    workers: Any, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = grid(tmp_path, "[1.0]")
    monkeypatch.setattr(cluster_module, "_of_numbers", lambda: {"numpy": "1.0"})
    batch = run_batch(
        path,
        tmp_path / "out",
        cluster=workers.scheduler_address,
        registry=tiny.REGISTRY,
        notebooks=lab.folder,
    )
    assert "another version of" in batch.rows[0]["error"]
    assert "numpy" in batch.rows[0]["error"]


def test_a_worker_that_does_not_see_the_folder_says_so(workers: Any, tmp_path: Path) -> None:
    from dask.distributed import Client

    with Client(workers.scheduler_address, set_as_default=False) as client:
        future = client.submit(
            cluster_module._there, None, "x", str(tmp_path / "gone"), 1.0, "", {}, pure=False
        )
        with pytest.raises(Exception, match="does not see the folder of the batch"):
            future.result()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere"])
def test_an_address_without_a_cluster_is_named(
    lab: Lab, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "_PATIENCE", 1)
    with pytest.raises(UsageError, match=f"No Dask cluster answers at '{address}'"):
        run_batch(
            grid(tmp_path, "[1.0]"),
            tmp_path / "out",
            cluster=address,
            registry=tiny.REGISTRY,
            notebooks=lab.folder,
        )


def test_a_cluster_without_workers_is_named(lab: Lab, tmp_path: Path) -> None:
    place = tmp_path / "scheduler.json"
    command = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--port",
        "0",
        "--dashboard-address",
        ":0",
    ]
    with subprocess.Popen(
        [*command, "--scheduler-file", str(place)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as scheduler:
        try:
            for _ in range(600):
                if place.is_file() and place.read_text(encoding="utf-8").strip():
                    break
                time.sleep(0.1)
            address = json.loads(place.read_text(encoding="utf-8"))["address"]
            with pytest.raises(UsageError, match=r"has no worker\. Start workers"):
                run_batch(
                    grid(tmp_path, "[1.0]"),
                    tmp_path / "out",
                    cluster=address,
                    registry=tiny.REGISTRY,
                    notebooks=lab.folder,
                )
        finally:
            scheduler.kill()
