"""What makes a module an analysis: a name, a question, typed parameters and a function."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alliance_longitudinal.analyses.analysis_result import AnalysisResult
from alliance_longitudinal.analyses.parameters import Params


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
