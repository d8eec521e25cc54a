"""Reports where things are otherwise than at the developers' desk: another batch, a kernel around, nothing to write to, other settings."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from alliance_longitudinal.reporting import Report
from reporting import tiny
from reporting.conftest import Lab

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
START = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from reporting import tiny
from reporting.conftest import Lab
from alliance_longitudinal.reporting import run_batch, verify_report
lab = Path({lab!r})
known = dict(registry=tiny.REGISTRY, notebooks=lab)
"""


def _python(lab: Lab, code: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", START.format(tests=str(TESTS), lab=str(lab.folder)) + code],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_batches_in_one_folder_share_the_work(lab: Lab, tmp_path: Path) -> None:
    tiny.write_study(tmp_path / "a")
    (tmp_path / "grid.yaml").write_text(
        "study: a/study.yaml\nnotebook: tiny\nparameters: {scale: [1.0, 2.0, 3.0, 4.0]}\n", encoding="utf-8"
    )
    code = (
        f"batch = run_batch({str(tmp_path / 'grid.yaml')!r}, {str(tmp_path / 'out')!r}, **known)\n"
        "print(sum(not row['kept'] for row in batch.rows), batch.ok)"
    )
    both = [_python(lab, code) for _ in range(2)]
    said = [one.communicate(timeout=120) for one in both]
    made = [int(out.split()[0]) for out, _ in said if out.endswith("True\n")]
    assert len(made) == 2, said
    assert sum(made) == 4, "a report was made twice"
    index = json.loads((tmp_path / "out" / "batch.json").read_text(encoding="utf-8"))
    assert [row["status"] for row in index["reports"]] == ["complete"] * 4
    folders = {row["folder"] for row in index["reports"]}
    assert {p.name for p in (tmp_path / "out").iterdir()} == folders | {
        "index.html",
        "index.csv",
        "batch.json",
        "ro-crate-metadata.json",
    }


def test_a_report_can_be_made_inside_a_running_kernel(lab: Lab, tmp_path: Path) -> None:
    """As from JupyterLab: a cell makes a report, which has a kernel of its own."""
    outer = Lab(tmp_path)
    path = tiny.write_notebook(tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    inner = START.format(tests=str(TESTS), lab=str(lab.folder)) + (
        f"inner = Lab(lab).report(Path({str(tmp_path / 'inner')!r}), parameters={{'scale': 2.0}})\n"
        "print('inner', inner.ok, inner.error)"
    )
    content["cells"][2]["source"] = inner
    path.write_text(json.dumps(content), encoding="utf-8")
    tiny.write_study(tmp_path / "data")
    report = outer.report(tmp_path / "outer")
    assert report.ok, report.error
    assert "inner True" in (tmp_path / "outer" / "report.ipynb").read_text(encoding="utf-8")
    inner_results, outer_results = (
        json.loads((tmp_path / name / "results.json").read_text(encoding="utf-8"))
        for name in ("inner", "outer")
    )
    assert inner_results["parameters"]["scale"] == 2.0
    assert outer_results["parameters"]["scale"] == 1.0


def test_package_and_home_may_be_read_only(lab: Lab, tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-m", "true"], check=False).returncode:
        pytest.skip("no part of the file system can be made read-only here")
    home, out = tmp_path / "home", tmp_path / "out"
    home.mkdir()
    code = (
        START.format(tests=str(TESTS), lab=str(lab.folder)) + f"print(Lab(lab).report(Path({str(out)!r})).ok)"
    )
    script = "".join(
        f"mount --bind '{place}' '{place}' && mount -o remount,ro,bind '{place}' || exit 9\n"
        for place in (ROOT / "src", home)
    )
    script += f"touch '{home}/x' '{ROOT}/src/x' 2>/dev/null && exit 8\n\"$@\"\n"
    done = subprocess.run(
        [unshare, "-m", "sh", "-c", script, "sh", sys.executable, "-c", code],
        env={k: v for k, v in os.environ.items() if k not in ("XDG_CACHE_HOME", "MPLCONFIGDIR")}
        | {"HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 9:
        pytest.skip("no part of the file system can be made read-only here")
    assert done.stdout == "True\n", (done.returncode, done.stderr)
    assert (out / "report.html").is_file()
    assert list(home.iterdir()) == []


def test_a_report_verifies_under_other_threads_time_zone_and_order_of_sets(lab: Lab, good: Report) -> None:
    code = (
        f"found = verify_report({str(good.folder)!r}, **known)\nprint(found.ok, found.problems, found.notes)"
    )
    done = _python(
        lab,
        code,
        OMP_NUM_THREADS="4",
        OPENBLAS_NUM_THREADS="2",
        TZ="Pacific/Kiritimati",
        PYTHONHASHSEED="77",
        LC_ALL="C",
    )
    out, err = done.communicate(timeout=120)
    assert out == "True () ()\n", err
