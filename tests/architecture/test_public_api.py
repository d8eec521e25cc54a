"""The public names resolve, and importing the package stays quick."""

import os
import subprocess
import sys

import pytest

import alliance_longitudinal as al

HEAVY = ("numpy", "pandas", "matplotlib", "formulaic", "statsmodels", "papermill", "pydantic", "scipy")


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _seconds(module: str, repeats: int = 3) -> float:
    """Least time a fresh interpreter takes to import ``module``."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    return min(float(_run(code)) for _ in range(repeats))


@pytest.mark.parametrize("name", al.__all__)
def test_every_public_name_resolves(name):
    assert getattr(al, name) is not None
    assert name in dir(al)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'alliance_longitudinal' has no attribute 'MixdModel'"):
        _ = al.MixdModel


def test_importing_the_package_loads_nothing_heavy():
    code = f"import sys, alliance_longitudinal; print([m for m in {HEAVY} if m in sys.modules])"
    assert _run(code) == "[]"


def test_importing_costs_at_most_half_of_statsmodels():
    # By construction about a hundredth: the package loads its parts when they are used.
    assert _seconds("alliance_longitudinal") <= 0.5 * _seconds("statsmodels.api", repeats=1)


def test_the_help_of_the_command_line_loads_nothing_heavy():
    code = (
        "import contextlib, io, sys\n"
        "from alliance_longitudinal.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):\n"
        "    main(['--help'])\n"
        "assert 'alliance' in out.getvalue()\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    assert _run(code) == "[]"


def test_the_command_is_installed_beside_the_interpreter():
    script = os.path.join(os.path.dirname(sys.executable), "alliance")  # noqa: PTH118, PTH120
    assert os.path.exists(script) or os.path.exists(script + ".exe")  # noqa: PTH110
