"""What makes a module an analysis: a name, a question, typed parameters and a function."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alliance_longitudinal.analyses.kit.parameters import Params
from alliance_longitudinal.analyses.kit.result import AnalysisResult


@dataclass(frozen=True, slots=True)
class Analysis:
    """One analysis; ``run(study, params)`` returns an AnalysisResult.

    Each module of this folder that answers a question ends with ``ANALYSIS = Analysis(...)``; its notebook has
    the same name.
    """

    name: str
    title: str
    question: str
    params: type[Params]
    run: Callable[[Any, Any], AnalysisResult]
