"""Shared by all tests: the real data, and what machine this is."""

import os
import sys
from pathlib import Path

# A report or a test must not compete with its own threads; set before NumPy loads.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# An optional helper of jsonschema, which builds a grammar of addresses when imported: seconds in every worker.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

import pytest

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


def pytest_report_header() -> str:
    import numpy
    import pandas
    import scipy

    return f"numpy {numpy.__version__}, scipy {scipy.__version__}, pandas {pandas.__version__}, cpus {os.cpu_count()}"
