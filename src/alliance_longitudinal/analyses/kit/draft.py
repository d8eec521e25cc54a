"""What an analysis fills, in the order of its report, and what the kit makes of it."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from alliance_longitudinal.analyses.kit.asking import begin_numbers
from alliance_longitudinal.analyses.kit.checks import clinic_findings, model_findings, therapist_findings
from alliance_longitudinal.analyses.kit.columns import COUNT, ESTIMATE, SHARE
from alliance_longitudinal.analyses.kit.fits import Fitted, Structure, fit_first
from alliance_longitudinal.analyses.kit.groups import compared, with_file_names
from alliance_longitudinal.analyses.kit.model_checks import Checked, check_model, checks_table
from alliance_longitudinal.analyses.kit.nesting import ALONE
from alliance_longitudinal.analyses.kit.people import Hits
from alliance_longitudinal.analyses.kit.people import by_group as shares_of_groups
from alliance_longitudinal.analyses.kit.references import reference
from alliance_longitudinal.analyses.kit.robust import ROBUST, robust_of
from alliance_longitudinal.analyses.kit.sample import Sample, TooLittle
from alliance_longitudinal.analyses.kit.versions import versions_sentence
from alliance_longitudinal.analyses.result import (
    AnalysisResult,
    Difference,
    Estimate,
    Methods,
    estimate_frame,
)
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.findings import SEVERITIES, Finding
from alliance_longitudinal.labels import listing
from alliance_longitudinal.present import Column, FigureSpec, Table, plots
from alliance_longitudinal.present.tables import Section
from alliance_longitudinal.sentences import Sentence, Value, joined, say, told

#: What a study file can state for the report (STROBE), in the order of a methods section.
_STATED = {
    "setting": "Setting",
    "dates": "Dates",
    "eligibility": "Eligibility",
    "bias": "Sources of bias",
    "ethics": "Ethics",
    "registration": "Registration",
    "data_access": "Access to the data",
    "funding": "Funding",
}


class Draft(Sample):
    """A report in the making: who and what it is about (`Sample`), and what was found.

    Parameters
    ----------
    study : Study
    clinic : str or None
        Analyse this clinic only.
    """

    def __init__(self, study: Study, clinic: str | None = None) -> None:
        super().__init__(study, clinic)
        self.sentences: list[str] = []
        self.estimates: list[Estimate] = []
        self.fitted: list[Fitted] = []
        self.models: dict[str, Any] = {}
        self.tables: list[Table] = []
        self.figures: list[FigureSpec] = []
        self.checked: list[Checked] = []
        self.check_figures: list[FigureSpec] = []
        self.paragraphs: list[str] = []
        self.limits: list[str] = []
        self.robust_errors = False

    def begin(self) -> None:
        """Say that the data are enough. Call it before work that takes time and that no other call here precedes."""
        begin_numbers()

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

        Without any, the report says that the model could not be fitted. In a study without therapists, structures with a level of
        therapists are not among those that a model could have had.
        """
        begin_numbers()
        if not self.therapists_known:
            structures = tuple(s for s in structures if not s.therapist) or structures
        try:
            fitted = fit_first(name, title, fixed, rows, structures, reml=reml)
        except FitError as error:
            raise TooLittle(self, told(error), "not_fitted", "failed") from None
        self.uses(fitted)
        return fitted

    def uses(self, *models: Fitted) -> None:
        """Models that were fitted elsewhere; one of the same name is replaced."""
        begin_numbers()
        for model in models:
            self.fitted = [m for m in self.fitted if m.name != model.name] + [model]
            self.models[model.name] = model.result

    def checks(
        self,
        fitted: Fitted,
        rows: pd.DataFrame,
        measure: Measure,
        label: str,
        *,
        term: str = "",
        share: str = "",
        unit: str = "",
        seed: int = 0,
        figures: bool = True,
        groups: bool = False,
    ) -> None:
        """Check a main model for internal readers: residuals, floor and ceiling, and each therapist left out in turn.

        Parameters
        ----------
        fitted : Fitted
        rows : DataFrame
            The rows that it was fitted to; ``y`` is a score of ``measure``.
        measure : Measure
        label : str
            What the number is that the model is for.
        term : str
            Its term in the model.
        share : str
            In place of ``term``, for the therapists' share of a variance: ``"Intercept"`` or the time variable.
        unit : str
            Of the number.
        seed : int
            Of the simulated residuals.
        figures : bool
            Whether the report shows them, too, or only a row of the table of checks.
        groups : bool
            Whether what the model calls therapists are therapy groups.
        """
        if not fitted.mixed:
            return
        found, drawn, findings = check_model(
            fitted, rows, measure, label, "share" if share else unit, term, share, seed, groups=groups
        )
        self.checked.append(found)
        self.check_figures += drawn if figures else []  # behind those of the answer
        self.findings += findings

    def coefficient(
        self,
        identity: str,
        label: str,
        fitted: Fitted,
        term: str,
        *,
        level: str = "client",
        unit: str = "",
        robust: bool = False,
    ) -> Estimate:
        """A coefficient of a model as an estimate; ``n`` is the number of the model's rows.

        ``robust``: an effect within therapists, which may differ between them while the model takes it to be the same: with errors that hold
        all the same, where they can be computed (`robust`).
        """
        row = (self.robust(fitted) if robust else fitted).combination({term: 1.0})
        numbers = {k: row[k] for k in ("estimate", "se", "df", "ci_low", "ci_high", "p")}
        found = Estimate(identity, label, n=int(fitted.result.nobs), level=level, unit=unit, **numbers)
        self.estimates.append(found)
        return found

    def robust(self, fitted: Fitted, *, other: bool = False) -> Fitted:
        """The model with cluster-robust errors by therapist, which the methods section then names; as it is where there are none.

        ``other``: for effects other than the one that differs between therapists in the model.
        """
        found = robust_of(fitted, other=other)
        self.robust_errors = self.robust_errors or found is not None
        return found or fitted

    def estimate(self, *estimates: Estimate) -> None:
        """Numbers with their uncertainty."""
        begin_numbers()
        self.estimates += estimates

    def __getitem__(self, identity: str) -> Estimate | None:
        """The estimate with this id, None if there is none."""
        return next((e for e in self.estimates if e.id == identity), None)

    # --- words ----------------------------------------------------------------------------------------------------

    def say(self, template: str, **values: Value | str) -> None:
        """A sentence of the answer."""
        begin_numbers()
        self.sentences.append(say(template, **values))

    def usual_findings(
        self, caseloads: "pd.Series[int]", *, clinics: bool = True, therapists: bool = True
    ) -> None:
        """What every analysis with models says of its therapists, clinics and models.

        Parameters
        ----------
        caseloads : Series of int
            Analysed clients of each therapist.
        clinics : bool
            Whether to say that clinics were not separated; an analysis that holds them constant says more.
        therapists : bool
            Whether the report has effects of therapists or differences between them; of unknown therapists nothing is said.
        """
        if therapists and self.therapists_known:
            caseloads = caseloads[caseloads.index != ALONE]
            self.findings += therapist_findings(len(caseloads), caseloads)
        self.findings += model_findings(self.fitted)
        if clinics:
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
        begin_numbers()
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

    def by_group(
        self,
        found: Mapping[str, Sequence[Estimate]],
        columns: Iterable[Column] = ESTIMATE,
        note: str = "",
        correlations: Mapping[tuple[str, str], float] | None = None,
        *,
        name: str = "by_group",
        what: str = "",
    ) -> None:
        """A table of estimates by group, each with its difference from the first group's.

        Parameters
        ----------
        found : mapping of str to sequence of Estimate
            The same estimates in each of the groups that `compare` made.
        columns : iterable of Column
            As for `table_of`.
        note : str
            What they are.
        correlations : mapping, optional
            (id, group) -> correlation with the first group's estimate, where therapists have clients in both.
        name, what : str
            Name of the table, and what its title says before "by ...", where there is more than one.
        """
        if self.groups is None:
            return
        estimates = compared(found, self.groups.name, correlations)
        self.estimate(*estimates)
        independent = (
            "allowing for therapists with clients in both groups"
            if correlations is not None
            else "as if the groups were independent"
        )
        said = (
            f"{note} Intervals of differences are computed from the intervals of the two groups (Zou & "
            f"Donner), {independent}."
        )
        shown = [Column("label", "What"), *columns, COUNT]
        title = f"{what} by {self.groups.name}" if what else f"By {self.groups.name}"
        self.table_of(name, title, "results", estimates, shown, said.strip())
        self.cite("zou2008")

    def shares_by_group(self, every: Sequence[Hits], note: str = "") -> None:
        """The table of `by_group` for shares of clients or of their rows."""
        if self.groups is None:
            return
        found, correlations = shares_of_groups(every, self.groups)
        self.by_group(found, SHARE, note, correlations)

    def forest(self, name: str, title: str, estimates: Sequence[Estimate], x_label: str) -> None:
        """A figure of estimates with their intervals, one line each."""
        said = [say("{label}: {e} ({e:interval})", label=e.label, e=e.number()) for e in estimates]
        self.show(
            FigureSpec(
                name=name,
                title=title,
                caption="Estimates with their 95 % intervals.",
                alt="Estimates with 95 % intervals. " + joined(said, "; ") + ".",
                how_to_read="The point is the estimate, the line its 95 % interval. If the line crosses zero, "
                "the direction is not clear.",
                section="answer",
                data=estimate_frame(list(estimates))[["label", "estimate", "ci_low", "ci_high", "n"]],
                columns=(Column("label", "Estimate of"), *ESTIMATE, COUNT),
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
        self.checked, self.check_figures = [], []
        self.paragraphs = ["The report gives no result. The sample flow shows which data were available."]
        return self

    def _adjusted_words(self) -> list[str]:
        if not (self.covariates and self.models):
            return []
        names = listing([c.words for c in self.covariates])
        return [
            f"Models adjust for {names}. Numbers are centred on their mean. Clients or sessions "
            "without a value are left out."
        ]

    def _stated(self) -> list[str]:
        """What the study file states for the report, in its words."""
        stated = self.study.reporting
        said = [f"{words}: {stated[k].rstrip(' .')}." for k, words in _STATED.items() if k in stated]
        return [" ".join(said)] if said else []

    def finish(
        self, name: str, title: str, question: str, params: Mapping[str, Any], limits: Sequence[str]
    ) -> AnalysisResult:
        """The finished result, for people who may see the data."""
        sample = self.sample_table()
        unused = set(self.study.measures) - {m.name for m in self.measures}
        notes = [*self.findings, *(f for f in self.study.findings if f.where not in unused)]
        if self.robust_errors and self.models:
            self.method(ROBUST)
            self.cite("bell2002", "pustejovsky2018")
        *first, last = [*self._stated(), *self.paragraphs, *self._adjusted_words()]
        return AnalysisResult(
            analysis=name,
            title=title,
            question=question,
            study=self.study,
            parameters={**params, **self.resolved},
            facts=tuple(self.facts),
            answer=(*self.sentences, *self.closing),
            estimates=estimate_frame(self.estimates),
            models=dict(self.models),
            notes=tuple(sorted(dict.fromkeys(notes), key=lambda f: -SEVERITIES.index(f.severity))),
            flow=self._flow(),
            tables=with_file_names(
                [t for t in (sample, *self.tables, checks_table(self.checked)) if t is not None]
            ),
            figure_specs=with_file_names([*self.figures, *self.check_figures]),
            methods_parts=Methods(
                (*first, f"{last} {versions_sentence()}"), tuple(sorted(set(self.references)))
            ),
            limits=(*limits, *self.limits),
            seed=int(params.get("seed") or 0),
            contrasts={e.id: e.of for e in self.estimates if isinstance(e, Difference)},
        )
