"""The analyses that exist, found by looking: every module and folder beside this one that defines one."""

from importlib import import_module
from pkgutil import iter_modules

import alliance_longitudinal.analyses as package
from alliance_longitudinal.analyses.kit.analysis import DEFINED, Analysis

_NO_ANALYSES = {"registry", "result", "publish", "kit", "disclosure"}


def _found() -> dict[str, Analysis]:
    names = sorted(m.name for m in iter_modules(package.__path__) if m.name not in _NO_ANALYSES)
    loaded = {name: import_module(f"{package.__name__}.{name}") for name in names}
    former = {m.ANALYSIS.name: m.ANALYSIS for m in loaded.values() if hasattr(m, "ANALYSIS")}
    return {name: (DEFINED | former)[name] for name in sorted(DEFINED | former)}


REGISTRY: dict[str, Analysis] = _found()
