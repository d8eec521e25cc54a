"""Shared by all tests: the real data, and what machine this is."""

import gc
import os
import sys
from collections import Counter
from pathlib import Path

# A report or a test must not compete with its own threads; set before NumPy loads.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# An optional helper of jsonschema, which builds a grammar of addresses when imported: seconds in every worker.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

import pytest

# Nothing that is collected goes before the end, so that looking for garbage meanwhile is a second lost.
gc.disable()

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data beside the checkout; tests that need it are skipped, with this reason, elsewhere."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data folder ../shared/data is not beside this checkout")
    return SHARED_DATA


#: Files that take long for their number of tests. A worker that begins one last leaves the other without work.
LONG = (
    "reporting/test_jupyterlab.py",
    "reporting/test_warm.py",
    "reporting/test_stop.py",
    "reporting/test_explore.py",
    "reporting/test_cluster.py",
    "reporting/test_surroundings.py",
    "reporting/test_events.py",
    "packaging/test_wheel.py",
    "packaging/test_gallery.py",
    "test_new_analysis.py",
    "analyses/test_real_data.py",
    "analyses/test_r_replication.py",
    "analyses/test_early_alliance_scales.py",
    "analyses/test_early_alliance_leaving.py",
    "analyses/test_early_alliance_groups.py",
    "analyses/test_early_alliance_benchmark.py",
    "analyses/test_early_alliance_beside.py",
    "analyses/test_own_effects.py",
    "analyses/test_shares.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of several workers, each takes the longest file that is left (``--no-loadscope-reorder``)."""
    if not hasattr(config, "workerinput"):
        return
    tests = Counter(item.path for item in items)
    long = {ROOT / "tests" / name for name in LONG}
    items.sort(key=lambda item: (item.path not in long, -tests[item.path]))


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_report_header() -> str:
    import numpy
    import pandas
    import scipy

    return f"numpy {numpy.__version__}, scipy {scipy.__version__}, pandas {pandas.__version__}, cpus {os.cpu_count()}"
