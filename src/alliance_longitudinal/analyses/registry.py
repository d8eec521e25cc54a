"""The analyses that exist, found by looking: every module of this folder that defines ``ANALYSIS``."""

from importlib import import_module
from pkgutil import iter_modules

import alliance_longitudinal.analyses as package
from alliance_longitudinal.analyses.kit.analysis import Analysis


def _found() -> dict[str, Analysis]:
    modules = [m.name for m in iter_modules(package.__path__) if not m.ispkg and m.name != "registry"]
    loaded = (import_module(f"{package.__name__}.{name}") for name in sorted(modules))
    return {m.ANALYSIS.name: m.ANALYSIS for m in loaded if hasattr(m, "ANALYSIS")}


REGISTRY: dict[str, Analysis] = _found()
