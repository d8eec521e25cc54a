"""The analyses that exist, found by looking: every module and folder beside this one that defines one."""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import alliance_longitudinal.analyses as package
from alliance_longitudinal.analyses.kit.analysis import DEFINED, Analysis

if TYPE_CHECKING:
    pass

_NO_ANALYSES = {"registry", "result", "publish", "kit", "disclosure"}


def _found() -> dict[str, Analysis]:
    for name in sorted(m.name for m in iter_modules(package.__path__) if m.name not in _NO_ANALYSES):
        import_module(f"{package.__name__}.{name}")
    return dict(sorted(DEFINED.items()))


REGISTRY: dict[str, Analysis] = _found()
