"""The study: what a clinic's export has become once it was read, scored and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from alliance_longitudinal.data.cleaning.forms import Forms
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.readers.source import Source
from alliance_longitudinal.data.study_file.measure import Measure
from alliance_longitudinal.findings import Finding

__all__ = ["Measure", "Source", "Study"]


TimeUnit = Literal["weeks", "days", "months", "sessions"]


@dataclass(frozen=True, slots=True, repr=False)
class Study:
    """A checked study. It is frozen: each access to a frame returns a copy.

    Attributes
    ----------
    title : str
    measures : mapping of str to Measure
        In the order of the study file.
    early_window : tuple of int
        First and last session that count as early, as the study file states it.
    covariates : tuple of str
        Characteristics of clients at the start: columns of ``clients``.
    flow : SampleFlow
        What reading and cleaning kept and lost.
    findings : tuple of Finding
        What readers of any result need to know about the data (evidence status of an instrument, transfers).
    sources : tuple of Source
    simulated : mapping or None
        For simulated data: ``{"note": str, "truth": {...}}``; None for real data.
    small_cells : int
        Smallest number of people that a published table may show in one cell.
    therapist_covariates, session_covariates : tuple of str
        Covariates of therapists, columns of ``therapists``; and of single sessions, columns of ``sessions``.
    time_unit : {"weeks", "days", "months", "sessions"}
        Unit of times and of the schedule in the study file. ``sessions["week"]`` is always in weeks, or in sessions
        where nothing else is known.
    schedule : mapping of str to tuple of float
        Planned assessments of a measure, in ``time_unit``.
    caseload : float or None
        Number of clients that each therapist sees in the study period; caseloads of single therapists are in
        ``therapists["caseload"]``.
    reporting : mapping of str to str
        What the study file states for the report: setting, dates, eligibility and others.
    forms : Forms or None
        The single answers and their places in the file; only if ``load_study`` was asked to keep them.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> study = al.load_study("demo")
    >>> study.covariates, study.time_unit, study.has_therapists
    (('Age', 'Sex'), 'weeks', True)
    >>> study.measures["phq9"].label
    'PHQ-9 (client)'
    >>> [finding.code for finding in study.findings][:2]
    ['simulated', 'transfers']
    >>> study.flow.steps[0].clients_out
    900
    """

    title: str
    measures: Mapping[str, Measure]
    early_window: tuple[int, int]
    covariates: tuple[str, ...]
    flow: SampleFlow
    findings: tuple[Finding, ...]
    sources: tuple[Source, ...]
    simulated: Mapping[str, Any] | None
    _sessions: pd.DataFrame = field(repr=False)
    _clients: pd.DataFrame = field(repr=False)
    small_cells: int = 10
    forms: Forms | None = field(default=None, repr=False)
    therapist_covariates: tuple[str, ...] = ()
    session_covariates: tuple[str, ...] = ()
    time_unit: TimeUnit = "weeks"
    schedule: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    caseload: float | None = None
    reporting: Mapping[str, str] = field(default_factory=dict)
    _therapists: pd.DataFrame | None = field(default=None, repr=False)

    def describe(self) -> list[str]:
        """Sentences about the study: who is in it, what was filled in, the sample flow, and the findings.

        Counts and ranges over the whole study only; nothing about a single person.
        """
        from alliance_longitudinal.data.describe import describe_study

        return describe_study(self)

    def export(
        self, folder: str | Path, formats: Sequence[str] = ("sav", "rds"), audience: str = "internal"
    ) -> tuple[Path, ...]:
        """Write the scored tables for SPSS (``.sav``) and R (``.rds``), with labels and a codebook.

        They contain rows of single clients, so they are for people who may see the data. Only you can read the files.

        Parameters
        ----------
        folder : path
            Files of an earlier export there are replaced; other files are left alone.
        formats : sequence of str
            ``"sav"`` (needs pyreadstat, the extra ``spss``), ``"rds"``.
        audience : str
            Only ``"internal"``.

        Returns
        -------
        tuple of Path
            What was written.

        Raises
        ------
        UsageError
            If a format is not known, or pyreadstat is not installed.
        StudyError
            If the audience is not internal, or the folder cannot be written.
        """
        from alliance_longitudinal.data.export import export_study

        return export_study(self, folder, formats, audience)

    def plot(self, client: str | None = None, measures: Sequence[str] | str | None = None) -> Any:
        """The course of one client, or of all clients together, as a matplotlib Figure.

        Parameters
        ----------
        client : str, optional
            A client's id; without one, the median and quartiles of all clients.
        measures : str or sequence of str, optional
            By default all measures.

        Raises
        ------
        FitError
            If there is no such client or measure.
        """
        from alliance_longitudinal.present import plot

        return plot(self, client=client, measures=measures)

    def __repr__(self) -> str:
        """A few lines without any client's data, for a notebook that may be saved and passed on."""
        from alliance_longitudinal.data.describe import study_in_brief

        return "\n".join(study_in_brief(self))

    def _repr_html_(self) -> str:
        from html import escape

        from alliance_longitudinal.data.describe import study_in_brief

        title, *lines = (escape(line) for line in study_in_brief(self))
        return f"<b>{title}</b><ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"

    @property
    def sessions(self) -> pd.DataFrame:
        """One row per client and session, ordered by client and session.

        Columns: ``client, therapist`` (text; the therapist under whom the client is analysed, missing for clients
        without one; no such column if the study file names none), ``seen_by`` (text; who held the session, only if a
        client changed therapist), ``clinic`` (text, if the study file names it), ``mode`` (text; how the forms were
        filled in, if named), ``arm`` (text, if named), ``session`` (int, 0 = intake), ``week`` (float, weeks since
        the client's first row), ``date`` (if known), then a float column per measure and subscale (missing = not
        scored), and the covariates of sessions.
        """
        return self._sessions.copy()

    @property
    def clients(self) -> pd.DataFrame:
        """One row per client: ``client, therapist, clinic, arm`` as in ``sessions``, and the covariates of clients."""
        return self._clients.copy()

    @property
    def therapists(self) -> pd.DataFrame:
        """One row per therapist with clients: ``therapist``, ``caseload`` if known by therapist, and covariates."""
        if self._therapists is not None:
            return self._therapists.copy()
        known = self._clients["therapist"].dropna() if "therapist" in self._clients else []
        return pd.DataFrame({"therapist": sorted(set(known))})

    @property
    def has_therapists(self) -> bool:
        """Whether any client has a therapist; a study, or some of its clients, may have none."""
        return bool("therapist" in self._clients and self._clients["therapist"].notna().any())

    def measure(self, construct: str, name: str | None = None) -> Measure:
        """The measure called ``name``, or the first of ``construct``.

        Raises
        ------
        KeyError
            If there is none; the caller turns this into its own sentence.
        """
        if name is not None:
            return self.measures[name]
        return next(m for m in self.measures.values() if m.construct == construct)
