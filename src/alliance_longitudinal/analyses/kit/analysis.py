"""An analysis is one function; its signature is the only list of its parameters."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, ParamSpec, get_type_hints

from alliance_longitudinal.analyses.disclosure import for_audience
from alliance_longitudinal.analyses.kit.asking import Enough, asking
from alliance_longitudinal.analyses.kit.draft import Draft
from alliance_longitudinal.analyses.kit.main_estimate import main_estimate, planned_main
from alliance_longitudinal.analyses.kit.parameters import Params
from alliance_longitudinal.analyses.kit.sample import TooLittle
from alliance_longitudinal.analyses.kit.wording import worded
from alliance_longitudinal.analyses.result import AnalysisResult
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.errors import AllianceError

P = ParamSpec("P")
#: The analyses that have been defined, by name. Read it through ``analyses.registry``, which loads them.
DEFINED: "dict[str, Analysis]" = {}


@dataclass(frozen=True, slots=True)
class Analysis:
    """One analysis as reports, batches and the command line see it.

    Attributes
    ----------
    name, title, question : str
    summary : str
        The first line of the function's docstring.
    params : type of Params
        Made from the function's signature.
    limits : tuple of str
        What the design cannot say, whatever the data; a result can have more.
    main : tuple of str
        Ids of the main estimate, the most wanted first, as `main_estimate` reads them.
    draw_up : callable
        ``draw_up(study, **parameters)`` fills a `Draft`.
    function : callable
        What users call.
    """

    name: str
    title: str
    question: str
    summary: str
    params: type[Params]
    limits: tuple[str, ...]
    draw_up: Callable[..., Draft] = field(repr=False)
    function: Callable[..., AnalysisResult] = field(repr=False)
    main: tuple[str, ...]

    def planned_main(self, parameters: Mapping[str, Any]) -> str:
        """Id of the main estimate before any data are seen; empty if the data decide which one it is."""
        return planned_main(self.main, parameters)

    def run(self, study: Study, params: Params) -> AnalysisResult:
        """The analysis, made for ``params.audience``; with too few data a result that says so."""
        values = {name: getattr(params, name) for name in type(params).model_fields}
        try:
            draft = self.draw_up(study, **values)
        except TooLittle as found:
            draft = found.draft.without_answer(found)
        result = draft.finish(self.name, self.title, self.question, params.to_dict(), self.limits)
        main = main_estimate(self.main, result.parameters, result.estimates["id"].tolist())
        result = replace(result, main=main)
        return for_audience(worded(result), params.audience)

    def lacks(self, study: Study) -> str:
        """What the study lacks for this analysis with its defaults, as a sentence; empty if it can begin.

        No model is fitted and nothing of a result is seen.
        """
        params = self.params()
        values = {name: getattr(params, name) for name in type(params).model_fields}
        try:
            with asking():
                self.draw_up(study, **values)
        except Enough:
            return ""
        except AllianceError as error:
            return str(error)
        return ""


def analysis(
    title: str, question: str, limits: Sequence[str] = (), main: str | Sequence[str] = ()
) -> Callable[[Callable[P, Draft]], Callable[P, AnalysisResult]]:
    """Make an analysis of a function that fills a `Draft`.

    The function's first parameter is the study; the others, with their types, bounds, descriptions and defaults, become
    the checks, the command line, the batch file's schema, the notebook's parameters cell and the docstring.

    Parameters
    ----------
    title, question : str
        What stands at the head of its report.
    limits : sequence of str
        What the design cannot say, whatever the data.
    main : str or sequence of str
        Id of the main estimate: what a plan names, and what the index of a batch shows and pools. Several ids if the first is
        not in every report, the most wanted first. ``{name}`` stands for the value of a parameter, a final ``*`` for any
        ending. By default the first estimate.
    """

    def made(draw_up: Callable[P, Draft]) -> Callable[P, AnalysisResult]:
        params = Params.of(draw_up)
        names = [n for n in inspect.signature(draw_up).parameters if n != "study"]

        @wraps(draw_up)
        def function(*args: P.args, **kwargs: P.kwargs) -> AnalysisResult:
            given: dict[str, Any] = dict(kwargs)
            study, *rest = args if args else (given.pop("study"),)
            asked = dict(zip(names, rest, strict=False)) | given
            return DEFINED[draw_up.__name__].run(study, params.from_mapping(asked))  # type: ignore[arg-type]

        summary, _, more = inspect.cleandoc(draw_up.__doc__ or title).partition("\n")
        function.__doc__ = docstring(summary, more, params)
        function.__signature__ = shown_signature(draw_up)  # type: ignore[attr-defined]
        DEFINED[draw_up.__name__] = Analysis(
            draw_up.__name__,
            title,
            question,
            summary,
            params,
            tuple(limits),
            draw_up,
            function,
            (main,) if isinstance(main, str) else tuple(main),
        )
        return function

    return made


def shown_signature(draw_up: Callable[..., Draft]) -> inspect.Signature:
    """The signature as people read it: plain types, and what the finished analysis returns."""
    hints = get_type_hints(draw_up)
    signature = inspect.signature(draw_up)
    plain = [p.replace(annotation=hints[name]) for name, p in signature.parameters.items()]
    return signature.replace(parameters=plain, return_annotation=AnalysisResult)


def docstring(summary: str, more: str, params: type[Params]) -> str:
    """The docstring of an analysis: its own words, with the parameters described between them and its examples."""
    prose, header, examples = more.partition("Examples\n--------")
    parts = [
        summary,
        prose.strip(),
        f"Parameters\n----------\nstudy : Study\n    From ``al.load_study``.\n{params.described()}",
        "Returns\n-------\nAnalysisResult\n    With too few data, one whose answer and status say so.",
        "Raises\n------\nStudyError\n    If a parameter cannot be used, or not with this study.",
        f"{header}{examples}".strip(),
    ]
    return "\n\n".join(part for part in parts if part)
