"""Who and what an analysis is about: rows kept and counted, measures, covariates, groups of clients."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from alliance_longitudinal.analyses.kit.characteristics import caseload_findings, sample_table
from alliance_longitudinal.analyses.kit.covariates import Covariate, find_covariates, find_group
from alliance_longitudinal.analyses.kit.groups import Groups
from alliance_longitudinal.analyses.kit.nesting import number_of_therapists
from alliance_longitudinal.analyses.kit.selection import choose_clinic, choose_measure, greatest_loss
from alliance_longitudinal.analyses.kit.therapists import with_therapists
from alliance_longitudinal.counts import Count, Number, Private, Share
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import AllianceError, StudyError
from alliance_longitudinal.findings import Finding, Severity
from alliance_longitudinal.present import Table
from alliance_longitudinal.sentences import Value, listed, say

#: The parameter by which a measure of each kind is asked for, and how a report's header names it.
_ROLES = {"alliance": ("alliance", "Alliance"), "symptoms": ("outcome", "Outcome")}


#: A covariate that costs more clients than this is named as a caution.
MANY_MISSING = 0.20
#: A column that differs by less than this says nothing.
CONSTANT = 1e-9


class TooLittle(AllianceError):
    """There are too few data to answer a sound question; the report says so and is not an error."""

    def __init__(self, draft: Any, message: str, code: str, severity: Severity) -> None:
        super().__init__(message)
        self.draft, self.message, self.code, self.severity = draft, message, code, severity


class Sample:
    """Who and what an analysis is about.

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
    covariates : tuple of Covariate
        Those that models adjust for.
    groups : Groups or None
        Groups of clients to compare.
    analysed : Series or None
        Clients that are left, where an analysis selects them outside of ``sessions``.
    apart : DataFrame or None
        Rows of groups in which no client has a therapist, where only the comparison of groups has them.
    apart_analysed : list of Series
        Their clients whom the comparison used.
    """

    def __init__(self, study: Study, clinic: str | None = None) -> None:
        self.study, self.clinic = study, clinic
        self.sessions, self.flow = choose_clinic(study, clinic)
        self.therapists_known = True
        self.measures: list[Measure] = []
        self.covariates: tuple[Covariate, ...] = ()
        self.groups: Groups | None = None
        self.analysed: pd.Series[str] | None = None
        self.apart: pd.DataFrame | None = None
        self.apart_analysed: list[pd.Series[str]] = []
        self.resolved: dict[str, Any] = {}
        self.facts: list[tuple[str, str]] = [] if clinic is None else [("Clinic", clinic)]
        self.findings: list[Finding] = []
        self.closing: list[str] = []
        self.references: list[str] = []
        self._coded: dict[str, pd.DataFrame] = {}

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

    def with_therapists(
        self,
        *,
        needed: bool = True,
        alone: bool = False,
        partial: bool = False,
        as_one: bool = False,
        compared: bool = False,
        why: str = "",
    ) -> None:
        """Keep the clients whose therapist is known; without any, say so or (``needed=False``) take each client alone.

        An analysis that is about therapists leaves out clients without one, counts them, and says in its answer how many and
        ``why``. Others keep them, with an empty ``therapist``: each counts alone (``alone=True``, for shares), or models compare
        them with each other only (``partial=True``; see `fit_first`). Where nobody has a therapist, ``as_one=True`` compares each
        client with all others, as within one therapist; with ``compared=True`` a group to compare in which nobody has one is
        compared all the same (`rows_of_groups`).
        """
        kept = {"alone": alone, "partial": partial, "as_one": as_one, "compared": compared}
        with_therapists(self, needed=needed, why=why, **kept)

    def compare(self, by: str | None) -> Groups | None:
        """Keep the clients whose group is known, and return the groups to compare; or keep one group only.

        Call it before other filters, so that the sample flow begins with the groups. Without ``by``, with one group
        asked for (``"arm=CBT"``) or only one left, there is nothing to compare: None.
        """
        if by is None:
            return None
        found, only = find_group(self.study, by)
        self.resolved["by"] = by
        of = found.values(self.study)
        group = self.sessions["client"].map(of)
        if only is not None:
            self.fact("Only", f"{found.name} {only}")
            self.keep(
                group.eq(only), f"Clients with {found.name} {only}", f"another {found.name}, or not known"
            )
            return None
        self.fact("Compared by", found.name)
        if group.isna().any():
            self.keep(group.notna(), f"Clients whose {found.name} is known", f"{found.name} is not known")
        people = self.sessions["client"].drop_duplicates().map(of).value_counts()
        names = tuple(name for name in found.categories if people.get(name, 0) >= self.study.small_cells)
        for name in found.categories:
            if name in people.index and name not in names:
                self._too_small(found.name, name, self.study.small_cells, int(people[name]))
        if len(names) < 2:
            self.find(
                "one_group",
                "caution",
                "Fewer than two groups of {name} have enough clients, so there is nothing to compare.",
                found.name,
                name=found.name,
            )
            return None
        self.groups = Groups(found.name, names, of)
        return self.groups

    def small_group(self, groups: Groups, group: str, needed: int) -> None:
        """A group that is too small for an estimate of its own; its clients stay in the whole."""
        self._too_small(groups.name, group, needed, self._people(groups, group))

    def _people(self, groups: Groups, group: str) -> int:
        """Clients of a group."""
        rows = self.sessions if self.apart is None else pd.concat([self.sessions, self.apart])
        return int(rows["client"].drop_duplicates().map(groups.of).eq(group).sum())

    def unfitted_group(self, groups: Groups, group: str) -> None:
        """A group whose models have no estimates; its clients stay in the whole."""
        self.find(
            "group_not_fitted",
            "caution",
            "The models of {name} {group} could not be fitted, so the report gives no estimate for this group.",
            groups.name,
            name=groups.name,
            group=Private(group, "(one group)", self._people(groups, group)),
        )

    def _too_small(self, name: str, group: str, needed: int, n: int) -> None:
        self.find(
            "small_group",
            "caution",
            "{name} {group} has fewer than {needed} clients in this analysis, so the report does not compare this group.",
            name,
            name=name,
            group=Private(group, "(one group)", n),
            needed=Number(needed, "integer"),
        )

    def adjust(self, covariates: Sequence[str] | None) -> None:
        """Adjust models for covariates: find them, and keep the rows in which they are known.

        Call it after `compare` and before `keep`; `adjusters` then gives each model's rows their columns.
        """
        self.covariates = find_covariates(self.study, covariates or ())
        if not self.covariates:
            return
        self.resolved["covariates"] = [c.name for c in self.covariates]
        self.fact("Adjusted for", ", ".join(c.name for c in self.covariates))
        before = self.sessions["client"].nunique()
        for found in self.covariates:
            known = self._joined(found, self.sessions).notna().all(axis=1)
            if not known.all():
                whose = "Sessions" if found.level == "session" else "Clients"
                self.keep(known, f"{whose} whose {found.name} is known", f"{found.name} is not known")
        lost = before - self.sessions["client"].nunique()
        if lost > MANY_MISSING * before:
            self.find(
                "covariates_missing",
                "caution",
                "{lost} of {all:noun} {lost:is|are} left out because a covariate ({names}) is not "
                "known. The others may differ from them, so also look at the result without "
                "covariates.",
                "covariates",
                lost=Count(lost, "client"),
                all=Count(before, "client"),
                names=listed([c.name for c in self.covariates]),
            )
        self.needs(len(self.sessions), 1, "the analysis", "Check the columns of the covariates.")
        for found in self.covariates:  # numbers are centred on those who are left
            self._coded[found.name] = self._coded_values(found)

    def adjusters(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        """The rows with the covariates' columns, and the terms for a formula.

        Numbers are less their mean, categories one column of 0 and 1 for each but the reference. A covariate that is
        the same in all rows is left out and named. Put the terms behind those that the analysis is about.

        Parameters
        ----------
        rows : DataFrame
            With ``client``, and ``session`` if a row is a session (else a covariate of sessions is the client's mean);
            or with ``therapist`` only (then all covariates are the therapist's means).
        """
        out, terms = rows, []
        for found in self.covariates:
            columns = self._joined(found, rows, self._coded[found.name])
            varying = [str(c) for c in columns if columns[c].max() - columns[c].min() > CONSTANT]
            if not varying and not (self.groups and found.name == self.groups.name):
                self.find(
                    "constant_covariate",
                    "info",
                    "{name} has the same value in all analysed data, so the models do not adjust for it.",
                    "covariates",
                    name=found.name,
                )
            out = out.assign(**{str(c): columns[c] for c in columns})
            terms += varying
        return out, terms

    def coded(self, found: Covariate, rows: pd.DataFrame) -> pd.DataFrame:
        """Columns of a covariate in each of ``rows`` without adjusting for it: numbers less their mean over clients (or sessions)."""
        return self._joined(found, rows)

    def _coded_values(self, found: Covariate) -> pd.DataFrame:
        """Columns of a covariate by client (by client and session for those of sessions), for the rows that are left."""
        return found.coded(self._by_unit(found, self.sessions))

    def _by_unit(self, found: Covariate, rows: pd.DataFrame) -> "pd.Series[Any]":
        """Values of a covariate in ``rows``, once for each client, or for each client and session."""
        values = found.values(self.study)
        if found.level == "session":
            units = pd.MultiIndex.from_frame(rows[["client", "session"]].drop_duplicates())
            return values.reindex(units)
        clients = pd.Index(rows["client"].unique(), name="client")
        if found.level == "therapist":
            therapist = self.study.clients.set_index("client")["therapist"].reindex(clients)
            return pd.Series(values.reindex(therapist).to_numpy(), index=clients, dtype=values.dtype)
        return values.reindex(clients)

    def _joined(
        self, found: Covariate, rows: pd.DataFrame, coded: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """The columns of a covariate in each of ``rows``."""
        columns = found.coded(self._by_unit(found, rows)) if coded is None else coded
        if "client" not in rows:
            of = self.study.clients.set_index("client")["therapist"]
            client = columns.index.get_level_values("client")
            columns = columns.groupby(of.reindex(client).to_numpy()).mean()
            joined = columns.reindex(rows["therapist"])
        elif found.level == "session" and "session" in rows:
            joined = columns.reindex(pd.MultiIndex.from_frame(rows[["client", "session"]]))
        elif found.level == "session":
            joined = columns.groupby(level="client").mean().reindex(rows["client"])
        else:
            joined = columns.reindex(rows["client"])
        return joined.set_axis(rows.index, axis=0)

    def sample_table(self) -> Table | None:
        """The characteristics of the analysed clients, their therapists and sessions."""
        rows = self.sessions
        if self.analysed is not None:
            rows = rows[rows["client"].isin(self.analysed)]
        known = self.therapists_known
        self.findings += caseload_findings(self.study, rows) if known else []
        further = None
        if self.apart is not None and self.apart_analysed:
            further = self.apart[self.apart["client"].isin(pd.concat(self.apart_analysed))]
        return sample_table(
            self.study, rows, self.measures, self.groups, therapists_known=known, further=further
        )

    def therapists(self, of: "pd.Series[str] | int") -> None:
        """The header's number of therapists (or a column of them); where each client is taken alone, there is none to give."""
        n = of if isinstance(of, int) else number_of_therapists(of)
        self.fact("Therapists", Number(n, "integer") if self.therapists_known else "not known")

    def _flow(self) -> SampleFlow:
        """The sample flow; clients who are taken alone are not counted as therapists."""
        if self.therapists_known:
            return self.flow
        return SampleFlow(tuple(replace(s, therapists_in=0, therapists_out=0) for s in self.flow.steps))

    def fact(self, label: str, value: str | Count | Number | Share) -> None:
        """A line of the header."""
        self.facts.append((label, value if isinstance(value, str) else say("{v}", v=value)))

    def needs(self, n: int, at_least: int, what: str, advice: str = "Analyse more clients together.") -> None:
        """Go on only with enough clients; otherwise the report says what is missing.

        Parameters
        ----------
        n : int
            Clients that can be analysed.
        at_least : int
        what : str
            What needs them, such as ``"the early-alliance analysis"``.
        advice : str
            What the reader can do.
        """
        if n < at_least:
            raise self.too_little(
                "{n} can be analysed; {what} needs at least {needed}.{lost} {advice}",
                advice=advice,
                # Rounded, a number below the limit may look as if it were enough.
                n=Private(
                    say("{n:noun}", n=Count(n, "client")),
                    say("Fewer than {needed:noun}", needed=Number(at_least, "integer", "client")),
                ),
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
