"""The analyses that exist, found by looking: every module and folder beside this one that defines one."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import alliance_longitudinal.analyses as package
from alliance_longitudinal.analyses.kit.analysis import DEFINED, Analysis

if TYPE_CHECKING:
    import pandas as pd

    from alliance_longitudinal.data import Study

_NO_ANALYSES = {"registry", "result", "publish", "kit", "disclosure"}


class _Found(Mapping[str, Analysis]):
    """Names to analyses. An analysis is imported when it is asked for: a report needs one of them."""

    def __init__(self) -> None:
        self._names = sorted({m.name for m in iter_modules(package.__path__)} - _NO_ANALYSES)

    def __getitem__(self, name: str) -> Analysis:
        if name not in self._names:
            raise KeyError(name)
        import_module(f"{package.__name__}.{name}")
        return DEFINED[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


REGISTRY: Mapping[str, Analysis] = _Found()


def list_analyses(study: "Study | None" = None) -> "pd.DataFrame":
    """Every analysis: its name, its title and the question that it answers.

    Parameters
    ----------
    study : Study, optional
        With a study (read with ``forms=True``), a column ``missing`` says what it lacks for each analysis with its
        defaults; the text is empty where the analysis can begin. No model is fitted for that.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> al.list_analyses().loc["variance_partition", "title"]
    'Who differs: therapists, clients, sessions'
    """
    import pandas as pd

    rows = [(a.name, a.title, a.question) for a in REGISTRY.values()]
    table = pd.DataFrame(rows, columns=["name", "title", "question"]).set_index("name")
    if study is not None:
        table["missing"] = [analysis.lacks(study) for analysis in REGISTRY.values()]
    return table
