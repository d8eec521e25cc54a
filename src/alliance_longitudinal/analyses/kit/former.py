"""The form of analyses before there was a `Draft`; goes with the last of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from alliance_longitudinal.analyses.disclosure import for_audience
from alliance_longitudinal.analyses.kit.parameters import Params, Samples, Seed
from alliance_longitudinal.analyses.result import AnalysisResult


class ShareParams(Params):
    """Parameters of analyses that divide variance."""

    n_boot: Samples = 0
    seed: Seed = 20_260_101


@dataclass(frozen=True, slots=True)
class Analysis:
    """One analysis; ``run(study, params)`` returns an AnalysisResult."""

    name: str
    title: str
    question: str
    params: type[Params]
    run: Callable[[Any, Any], AnalysisResult]
    function: Callable[..., AnalysisResult] | None = None


def protected(run: Callable[[Any, Any], AnalysisResult]) -> Callable[[Any, Any], AnalysisResult]:
    """The result is made for ``params.audience``."""

    @wraps(run)
    def for_asked(study: Any, params: Any) -> AnalysisResult:
        return for_audience(run(study, params), params.audience)

    return for_asked
