"""A batch of 40 reports under random kills: ``python tools/kills.py [KILLS] [SEED]``, or ``make kills``.

Each round starts the batch, waits a random time and kills one of its processes at random: the batch itself (by SIGKILL, SIGTERM
or Ctrl-C), the process that reports are copies of, a report's process or its notebook's. After each round the finished reports must
be those of the round before, byte for byte, or more. A batch that is finished is compared with one that nobody disturbed, and another begins.
At the end nothing may be left beside the reports: no process, no temporary folder, no stage, no claim. The reports are the miniature
of the tests, so that a round takes seconds. What was done is kept in ``build/kills`` and goes on from there, unless the package was changed,
which makes other reports of all.
"""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from alliance_longitudinal.reporting.record.hashing import package_hash

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "kills"
REPORTS = 40
#: Seconds after the first report of a round has begun in which the kill comes; one kill in ten comes before.
LATEST = 2.5
#: Seconds between the kill of one of the batch's processes and the end of the batch, so that it lasts for several kills.
LATER = (0.1, 1.0)
PATIENCE = 600
BATCH = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {tests!r})
from reporting import tiny
from alliance_longitudinal.reporting import run_batch
lab = Path({lab!r})
batch = run_batch(lab / "grid.yaml", sys.argv[1], jobs=3, registry=tiny.REGISTRY, notebooks=lab)
sys.exit(0 if batch.ok else 1)
"""


def main(kills: int, seed: int) -> int:
    """Kill so often; 0 if every rule held."""
    lab, state_file = WORK / "lab", WORK / "state.json"
    temporary, code = WORK / "tmp", package_hash()
    if not state_file.is_file() or json.loads(state_file.read_text()).get("code") != code:
        shutil.rmtree(WORK, ignore_errors=True)
        write_lab(lab)
        temporary.mkdir()
    state: dict[str, Any] = (
        json.loads(state_file.read_text())
        if state_file.is_file()
        else {"code": code, "kills": 0, "batches": 0, "finished": {}, "whom": {}, "compared": 0}
    )
    calm = WORK / "calm"
    if not finished(calm).keys() or len(finished(calm)) < REPORTS:
        run(lab, calm, temporary).wait(PATIENCE)
    wanted = finished(calm)
    assert len(wanted) == REPORTS, f"the batch that nobody disturbs has {len(wanted)} reports"
    while state["kills"] < kills:
        dice = random.Random(f"{seed} {state['kills']}")
        out = WORK / f"out{state['batches']}"
        whom = disturb(run(lab, out, temporary), dice)
        now = finished(out)
        lost = {name for name, digest in state["finished"].items() if now.get(name) != digest}
        assert not lost, (
            f"after kill {state['kills']} of {whom} these reports are gone or other: {sorted(lost)}"
        )
        state["kills"] += whom != "nobody"
        state["whom"][whom] = state["whom"].get(whom, 0) + 1
        state["finished"] = now
        if len(now) == REPORTS:
            assert run(lab, out, temporary).wait(PATIENCE) == 0, "a finished batch does not end well"
            compare(numbers(out), numbers(calm))
            leftovers(out, temporary)
            shutil.rmtree(out)
            state |= {"batches": state["batches"] + 1, "finished": {}, "compared": state["compared"] + 1}
        state_file.write_text(json.dumps(state))
        print(f"kill {state['kills']}: {whom}; {len(now)} of {REPORTS} finished", flush=True)
    out = WORK / f"out{state['batches']}"
    assert run(lab, out, temporary).wait(PATIENCE) == 0, "the last batch did not end well"
    compare(numbers(out), numbers(calm))
    leftovers(out, temporary)
    whom_words = ", ".join(f"{who} {n}" for who, n in sorted(state["whom"].items()))
    print(
        f"{state['kills']} kills ({whom_words}); {state['compared'] + 1} batches of {REPORTS} finished, each equal to the calm one."
    )
    return 0


def write_lab(lab: Path) -> None:
    """The miniature's notebook, five studies and the grid of 40 reports."""
    sys.path.insert(0, str(ROOT / "tests"))
    from reporting import tiny

    lab.mkdir(parents=True)
    tiny.write_notebook(lab)
    studies = {}
    for i in range(5):
        tiny.write_study(lab / f"s{i}", (1.0 + i, 2.5, 4.0 * i))
        studies[f"S{i}"] = f"s{i}/study.yaml"
    scales = [1.0 + i for i in range(REPORTS // 5)]
    grid = {"studies": studies, "notebook": "tiny", "parameters": {"scale": scales}}
    (lab / "grid.yaml").write_text(json.dumps(grid), encoding="utf-8")


def run(lab: Path, out: Path, temporary: Path) -> "subprocess.Popen[bytes]":
    """The batch, with a folder for temporary files of its own."""
    code = BATCH.format(tests=str(ROOT / "tests"), lab=str(lab))
    return subprocess.Popen(
        [sys.executable, "-c", code, str(out)],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def disturb(batch: "subprocess.Popen[bytes]", dice: random.Random) -> str:
    """Kill one of the batch's processes, and wait until all are gone; whom it hit."""
    early = dice.random() < 0.1
    until = time.monotonic() + (dice.uniform(0, 1.5) if early else 60)
    while batch.poll() is None and time.monotonic() < until and (early or not begun(batch.pid)):
        time.sleep(0.05)
    time.sleep(0 if early else dice.uniform(0, LATEST))
    family = [psutil.Process(batch.pid)] if batch.poll() is None else []
    family += family[0].children(recursive=True) if family else []
    whom = "nobody"
    if batch.poll() is None:
        chosen = family[0] if dice.random() < 0.4 else dice.choice(family)
        is_batch = chosen.pid == batch.pid
        how = dice.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]) if is_batch else signal.SIGKILL
        whom = f"batch by {how.name}" if is_batch else kind_of(chosen)
        try:
            chosen.send_signal(how)
        except psutil.NoSuchProcess:
            whom = "nobody"
        if not is_batch:  # it goes on; stop it a little later
            time.sleep(dice.uniform(*LATER))
            batch.send_signal(signal.SIGTERM)
    batch.wait(PATIENCE)
    _, alive = psutil.wait_procs(family, timeout=15)
    alive = [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert not alive, f"after killing {whom} there still run {[p.pid for p in alive]}"
    return whom


def begun(number: int) -> bool:
    """Whether a report of the batch is being made: the process that reports are copies of has a child."""
    try:
        return any(child.children() for child in psutil.Process(number).children())
    except psutil.NoSuchProcess:
        return False


def kind_of(process: psutil.Process) -> str:
    """Which process of a batch it is; copies show the command line of what they are copies of."""
    try:
        words = " ".join(process.cmdline())
        parents = [p for p in process.parents() if "run.warm" in " ".join(p.cmdline())]
    except psutil.NoSuchProcess:
        return "nobody"
    if "run.warm" in words:
        return ["warm process", "report", "notebook"][min(len(parents), 2)]
    return "report" if "run.child" in words else "other"


def finished(out: Path) -> dict[str, str]:
    """The finished reports by folder, with a digest of all their files."""
    found = {}
    for manifest in sorted(out.glob("*/manifest.json")):
        if json.loads(manifest.read_text(encoding="utf-8"))[
            "status"
        ] != "complete" or manifest.parent.name.startswith("."):
            continue
        digest = hashlib.sha256()
        for path in sorted(p for p in manifest.parent.rglob("*") if p.is_file()):
            digest.update(path.relative_to(out).as_posix().encode() + path.read_bytes())
        found[manifest.parent.name] = digest.hexdigest()
    return found


def numbers(out: Path) -> dict[str, bytes]:
    """The results of every report."""
    return {p.parent.name: p.read_bytes() for p in out.glob("*/results.json")}


def compare(these: dict[str, bytes], calm: dict[str, bytes]) -> None:
    """Complain of results that differ from those of the batch that nobody disturbed."""
    assert these == calm, (
        f"differ: {sorted(k for k in these.keys() | calm.keys() if these.get(k) != calm.get(k))}"
    )


def probe(path: Path) -> bool:
    """Whether Python's own look for a temporary folder left this file, killed between writing it and taking it away.

    ``tempfile.gettempdir`` writes four bytes to a file whose name is eight random letters, before any code of ours runs.
    """
    return path.is_file() and path.stat().st_size <= 4 and re.fullmatch("[a-z0-9_]{8}", path.name) is not None


def leftovers(out: Path, temporary: Path) -> None:
    """Finish the index, and complain of anything beside the reports and of temporary files."""
    beside = sorted(p.name for p in out.iterdir() if not (p / "report.html").is_file())
    extra = set(beside) - {"index.html", "index.csv", "batch.json", "ro-crate-metadata.json"}
    kept = sorted(p.name for p in temporary.iterdir() if not probe(p))
    assert not extra, f"left beside the reports: {sorted(extra)}"
    assert not kept, f"left among temporary files: {kept}"


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    raise SystemExit(main(*(given + [100, 1][len(given) :])))
