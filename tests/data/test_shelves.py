"""What importing the floor costs: nothing heavy is loaded before it is used."""

import subprocess
import sys

HEAVY = ("scipy", "matplotlib", "statsmodels", "numba", "openpyxl", "pyreadstat", "duckdb", "sqlalchemy")


def test_importing_data_loads_nothing_that_only_some_studies_need():
    code = (
        "import sys\nimport alliance_longitudinal.data\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
