"""What an analysis fills, in the order of its report, and what the kit makes of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from alliance_longitudinal.analyses.kit.checks import clinic_findings, model_findings, therapist_findings
from alliance_longitudinal.analyses.kit.columns import ESTIMATE
from alliance_longitudinal.analyses.kit.fits import Fitted, Structure, fit_first
from alliance_longitudinal.analyses.kit.references import reference
from alliance_longitudinal.analyses.kit.selection import choose_clinic, choose_measure, greatest_loss
from alliance_longitudinal.analyses.kit.versions import versions_sentence
from alliance_longitudinal.analyses.result import AnalysisResult, Estimate, Methods, estimate_frame
from alliance_longitudinal.counts import Count, Number, Share
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import AllianceError, FitError, StudyError
from alliance_longitudinal.findings import SEVERITIES, Finding, Severity
from alliance_longitudinal.present import Column, FigureSpec, Table, plots
from alliance_longitudinal.present.tables import Section
from alliance_longitudinal.sentences import Sentence, Value, joined, say, told

#: The parameter by which a measure of each kind is asked for, and how a report's header names it.
_ROLES = {"alliance": ("alliance", "Alliance"), "symptoms": ("outcome", "Outcome")}


class TooLittle(AllianceError):
    """The question is sound, but these data are too few to answer it: the report says so."""

    def __init__(self, draft: "Draft", message: str, code: str, severity: Severity) -> None:
        super().__init__(message)
        self.draft, self.message, self.code, self.severity = draft, message, code, severity


class Draft:
    """A report in the making.

    Parameters
    ----------
    study : Study
    clinic : str or None
        Analyse this clinic only.

    Attributes
    ----------
    sessions : DataFrame
        The rows that are left.
    flow : SampleFlow
        The filters that left them.
    measures : list of Measure
        Those in use.
    """

    def __init__(self, study: Study, clinic: str | None = None) -> None:
        self.study, self.clinic = study, clinic
        self.sessions, self.flow = choose_clinic(study, clinic)
        self.therapists_known = True
        self.measures: list[Measure] = []
        self.resolved: dict[str, Any] = {}
        self.facts: list[tuple[str, str]] = [] if clinic is None else [("Clinic", clinic)]
        self.sentences: list[str] = []
        self.estimates: list[Estimate] = []
        self.fitted: list[Fitted] = []
        self.models: dict[str, Any] = {}
        self.findings: list[Finding] = []
        self.tables: list[Table] = []
        self.figures: list[FigureSpec] = []
        self.paragraphs: list[str] = []
        self.references: list[str] = []
        self.limits: list[str] = []

    # --- who and what ---------------------------------------------------------------------------------------------

    def measure(self, construct: str, name: str | None, parameter: str = "", fact: str = "") -> Measure:
        """The measure that was asked for, noted in the header, the parameters and the references.

        Parameters
        ----------
        construct : {"alliance", "symptoms"}
        name : str or None
            As the user gave it; None takes the study's first.
        parameter, fact : str
            Where they are not the usual ones: the parameter's name, and what the header calls it.
        """
        found = choose_measure(self.study, construct, name)
        usual = _ROLES[construct]
        self.measures.append(found)
        self.resolved[parameter or usual[0]] = found.name
        self.fact(fact or usual[1], found.label)
        self.references += found.instrument.citations
        return found

    def any_measure(self, name: str | None, parameter: str = "measure") -> Measure:
        """The measure called ``name``, whatever it measures; None takes the first alliance measure, else the first of all."""
        known = list(self.study.measures.values())
        first = next((m for m in known if m.construct == "alliance"), known[0])
        found = first if name is None else self.named_measure(name)
        self.measures.append(found)
        self.resolved[parameter] = found.name
        self.fact("Measure", found.label)
        self.references += found.instrument.citations
        return found

    def named_measure(self, name: str) -> Measure:
        """The measure of the study that is called ``name``.

        Raises
        ------
        StudyError
            If there is none.
        """
        if name not in self.study.measures:
            raise StudyError(f"The study has no measure {name!r}. It has: {', '.join(self.study.measures)}.")
        return self.study.measures[name]

    def keep(self, rows: "pd.Series[bool]", step: str, reason: str) -> None:
        """Keep rows of ``sessions``; the sample flow counts what that costs."""
        self.sessions, self.flow = self.flow.filter(self.sessions, rows, step, reason)

    def with_therapists(self, *, needed: bool = True) -> None:
        """Keep the clients whose therapist is known; without any, say so or (``needed=False``) take each client alone.

        A model that separates therapists cannot use clients without one, and must not drop them in silence.
        """
        if "therapist" not in self.sessions or self.sessions["therapist"].isna().all():
            if needed:
                raise self.too_little(
                    "The study names no therapist, so clients of one therapist cannot be compared with each other, nor therapists. "
                    "Name the therapist's column in the study file.",
                    "no_therapists",
                )
            self.sessions = self.sessions.assign(therapist=self.sessions["client"])
            self.therapists_known = False
        elif self.sessions["therapist"].isna().any():
            known = self.sessions["therapist"].notna()
            self.keep(known, "Clients with a therapist", "no therapist is named for the client")

    def therapists(self, n: int) -> None:
        """The header's number of therapists; where each client is taken alone, there is none to give."""
        self.fact("Therapists", Number(n, "integer") if self.therapists_known else "not known")

    def _flow(self) -> SampleFlow:
        """The sample flow; clients who are taken alone are not counted as therapists."""
        if self.therapists_known:
            return self.flow
        return SampleFlow(tuple(replace(s, therapists_in=0, therapists_out=0) for s in self.flow.steps))

    def fact(self, label: str, value: str | Count | Number | Share) -> None:
        """A line of the header."""
        self.facts.append((label, value if isinstance(value, str) else say("{v}", v=value)))

    def needs(self, n: int, at_least: int, what: str) -> None:
        """Go on only with enough clients; otherwise the report says what is missing.

        Parameters
        ----------
        n : int
            Clients that can be analysed.
        at_least : int
        what : str
            What needs them, such as ``"the early-alliance analysis"``.
        """
        if n < at_least:
            raise self.too_little(
                "{n:noun} can be analysed; {what} needs at least {needed}.{lost} Choose another early window, lower "
                "the number of rated sessions, or analyse more clients together.",
                n=Count(n, "client"),
                what=what,
                needed=Number(at_least, "integer"),
                lost=greatest_loss(self.flow),
            )

    def too_little(
        self,
        template: str,
        code: str = "too_few_data",
        severity: Severity = "underpowered",
        **values: Value | str,
    ) -> TooLittle:
        """To be raised where the data are too few for any answer; the report then says so, in these words."""
        return TooLittle(self, say(template, **values), code, severity)

    # --- numbers --------------------------------------------------------------------------------------------------

    def fit(
        self,
        name: str,
        title: str,
        fixed: str,
        rows: pd.DataFrame,
        structures: tuple[Structure, ...],
        *,
        reml: bool = True,
    ) -> Fitted:
        """The fullest of ``structures`` that the design allows; it is listed among the report's models.

        Without any, the report says that the model could not be fitted.
        """
        try:
            fitted = fit_first(name, title, fixed, rows, structures, reml=reml)
        except FitError as error:
            raise TooLittle(self, told(error), "not_fitted", "failed") from None
        self.uses(fitted)
        return fitted

    def uses(self, *models: Fitted) -> None:
        """Models that were fitted elsewhere; one of the same name is replaced."""
        for model in models:
            self.fitted = [m for m in self.fitted if m.name != model.name] + [model]
            self.models[model.name] = model.result

    def coefficient(
        self, identity: str, label: str, fitted: Fitted, term: str, *, level: str = "client", unit: str = ""
    ) -> Estimate:
        """A coefficient of a model as an estimate; ``n`` is the number of the model's rows."""
        row = fitted.combination({term: 1.0})
        numbers = {k: row[k] for k in ("estimate", "se", "df", "ci_low", "ci_high", "p")}
        found = Estimate(identity, label, n=int(fitted.result.nobs), level=level, unit=unit, **numbers)
        self.estimates.append(found)
        return found

    def estimate(self, *estimates: Estimate) -> None:
        """Numbers with their uncertainty."""
        self.estimates += estimates

    def __getitem__(self, identity: str) -> Estimate | None:
        """The estimate with this id, None if there is none."""
        return next((e for e in self.estimates if e.id == identity), None)

    # --- words ----------------------------------------------------------------------------------------------------

    def say(self, template: str, **values: Value | str) -> None:
        """A sentence of the answer."""
        self.sentences.append(say(template, **values))

    def find(
        self,
        code: str,
        severity: Severity,
        template: str,
        where: str = "",
        reference: str = "",
        **values: Value | str,
    ) -> None:
        """Something that the reader has to know."""
        self.findings.append(Finding(code, severity, say(template, **values), where, reference))

    def usual_findings(self, caseloads: "pd.Series[int]") -> None:
        """What every analysis with models says of its therapists, clinics and models.

        Parameters
        ----------
        caseloads : Series of int
            Analysed clients of each therapist.
        """
        self.findings += therapist_findings(len(caseloads), caseloads)
        self.findings += model_findings(self.fitted)
        self.findings += clinic_findings(self.sessions, self.clinic)

    def method(self, *paragraphs: str) -> None:
        """Paragraphs of the methods section. They state rules, never counts of people."""
        self.paragraphs += paragraphs

    def cite(self, *keys: str) -> None:
        """References by their key in ``references.yaml``."""
        self.references += [reference(key) for key in keys]

    # --- tables and figures ---------------------------------------------------------------------------------------

    def show(self, *items: Table | FigureSpec | None) -> None:
        """Tables and figures in the order of the report; None is passed over."""
        self.tables += [i for i in items if isinstance(i, Table)]
        self.figures += [i for i in items if isinstance(i, FigureSpec)]

    def table_of(
        self,
        name: str,
        title: str,
        section: Section,
        estimates: Sequence[Estimate],
        columns: Iterable[Column],
        note: str = "",
    ) -> None:
        """A table whose rows are estimates; outsiders see in it what they see of the estimates."""
        frame = estimate_frame(list(estimates))
        ids = tuple(e.id for e in estimates)
        self.show(Table.from_frame(name, title, section, frame, list(columns), note, row_ids=ids))

    def forest(self, name: str, title: str, estimates: Sequence[Estimate], x_label: str) -> None:
        """A figure of estimates with their intervals, one line each."""
        said = [say("{label}: {e} ({e:interval})", label=e.label, e=e.number()) for e in estimates]
        self.show(
            FigureSpec(
                name=name,
                title=title,
                caption="Estimates with their 95 % intervals.",
                alt="Estimates with 95 % intervals. " + joined(said, "; ") + ".",
                how_to_read="A point is the estimate, its line the interval; an interval that crosses zero leaves the direction open.",
                section="answer",
                data=estimate_frame(list(estimates))[["label", "estimate", "ci_low", "ci_high"]],
                columns=(Column("label", "Estimate of"), *ESTIMATE),
                draw=partial(plots.forest, x_label=x_label),
            )
        )

    # --- the end --------------------------------------------------------------------------------------------------

    def without_answer(self, found: TooLittle) -> "Draft":
        """A report that says why there is no answer: who is in the data, and what is missing."""
        self.sentences = [Sentence("There are too few data for an answer. ") + found.message]
        if found.severity == "failed":
            self.sentences = [
                Sentence("The model could not be fitted, so there is no answer. ") + found.message
            ]
        self.findings.append(Finding(found.code, found.severity, found.message, "the whole analysis"))
        self.estimates, self.tables, self.figures, self.models = [], [], [], {}
        self.paragraphs = ["No result is reported. The sample flow shows which rows were available."]
        return self

    def finish(
        self, name: str, title: str, question: str, params: Mapping[str, Any], limits: Sequence[str]
    ) -> AnalysisResult:
        """The finished result, for people who may see the data."""
        unused = set(self.study.measures) - {m.name for m in self.measures}
        notes = [*self.findings, *(f for f in self.study.findings if f.where not in unused)]
        *first, last = self.paragraphs
        return AnalysisResult(
            analysis=name,
            title=title,
            question=question,
            study=self.study,
            parameters={**params, **self.resolved},
            facts=tuple(self.facts),
            answer=tuple(self.sentences),
            estimates=estimate_frame(self.estimates),
            models=dict(self.models),
            notes=tuple(sorted(dict.fromkeys(notes), key=lambda f: -SEVERITIES.index(f.severity))),
            flow=self._flow(),
            tables=tuple(self.tables),
            figure_specs=tuple(self.figures),
            methods_parts=Methods(
                (*first, f"{last} {versions_sentence()}"), tuple(sorted(set(self.references)))
            ),
            limits=(*limits, *self.limits),
            seed=int(params.get("seed") or 0),
        )
