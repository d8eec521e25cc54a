"""The public names resolve, and importing the package stays quick."""

import ast
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import alliance_longitudinal as al
from alliance_longitudinal import engine

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


def test_the_engine_s_lazy_names_are_those_of_its_types():
    """What runs, what type checkers see and what is listed agree."""
    source = Path(engine.__file__).read_text(encoding="utf-8")
    block = next(n for n in ast.parse(source).body if isinstance(n, ast.If))
    typed = {a.name: n.module for n in block.body if isinstance(n, ast.ImportFrom) for a in n.names}
    lazy = {name: f"alliance_longitudinal.engine.{module}" for name, module in engine._PUBLIC.items()}
    assert typed == lazy
    assert sorted(typed) == engine.__all__
    for name, module in lazy.items():
        assert getattr(engine, name) is getattr(import_module(module), name)


def test_importing_the_engine_loads_nothing_heavy():
    code = f"import sys, alliance_longitudinal.engine; print([m for m in {(*HEAVY, 'numba')} if m in sys.modules])"
    assert _run(code) == "[]"


def test_an_unknown_name_of_the_engine_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"no attribute .Modell."):
        _ = engine.Modell
