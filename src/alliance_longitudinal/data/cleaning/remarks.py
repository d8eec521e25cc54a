"""What is not wrong in the tables, but what the reader of a result has to know."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.counts import Count, Number, Private
from alliance_longitudinal.data.cells.problems import some
from alliance_longitudinal.data.cleaning.matching import bare, written_otherwise
from alliance_longitudinal.data.readers.tables import RawTable
from alliance_longitudinal.data.study_file.checks import names_therapists
from alliance_longitudinal.data.study_file.plan import StudyPlan
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import joined, say

MANY_TRANSFERS = 0.3  # share of clients with several therapists from which ids may stand for several people
LONG_GAP = 26  # weeks between two sessions after which a treatment may be another one


def key_findings(keys: pd.DataFrame, plan: StudyPlan) -> tuple[Finding, ...]:
    """Findings about identifiers, transfers and time; ``keys`` has one row per client session."""
    return (*_identifier_findings(keys, plan), *_transfer_findings(keys, plan), *_time_findings(keys, plan))


def simulated_findings(plan: StudyPlan) -> tuple[Finding, ...]:
    """That the data are simulated, if they are."""
    if plan.simulated is None:
        return ()
    return (Finding("simulated", "info", str(plan.simulated["note"])),)


def therapist_findings(keys: pd.DataFrame, plan: StudyPlan) -> tuple[Finding, ...]:
    """That the study, or some of its clients, have no therapist."""
    if not names_therapists(plan.file):
        message = (
            "The study file names no column 'therapist', so the reports cannot say anything about "
            "differences between therapists."
        )
        return (Finding("no_therapists", "info", message, "therapist"),)
    without = int(keys.loc[keys["therapist"] == "", "client"].nunique())
    if not without:
        return ()
    message = say(
        "{without} of {all:noun} {without:has|have} no therapist. They are in the study, but not "
        "in analyses of differences between therapists.",
        without=Count(without, "client"),
        all=Count(keys["client"].nunique(), "client"),
    )
    return (Finding("clients_without_therapist", "caution", message, "therapist"),)


def arm_findings(clients: pd.DataFrame) -> tuple[Finding, ...]:
    """How many clients have no treatment arm."""
    without = int(clients["arm"].isna().sum())
    if not without:
        return ()
    message = say(
        "{without} of {all:noun} {without:has|have} no treatment arm and {without:is|are} left out "
        "of comparisons of arms.",
        without=Count(without, "client"),
        all=Count(len(clients), "client"),
    )
    return (Finding("clients_without_arm", "caution", message, "arm"),)


def empty_findings(
    answers: Mapping[str, NDArray[np.float64]], keys: pd.DataFrame, plan: StudyPlan
) -> tuple[Finding, ...]:
    """Measures without a single value, also in one clinic: a wrong column, or codes that were read as missing."""
    findings = []
    for name, values in answers.items():
        empty = np.asarray(np.isnan(values).all(axis=1))
        if not empty.all():
            findings += _empty_in_clinics(name, empty, keys, plan)
            continue
        planned = plan.measures[name]
        columns = (
            f"column {planned.headers[0]!r}"
            if len(planned.headers) == 1
            else f"its {len(planned.headers)} columns"
        )
        message = (
            f"{planned.measure.label} has no value in any row of {columns}. Check that the study "
            "file names the right columns, and that 'dialect: missing' does not list the code of "
            "an answer."
        )
        findings.append(Finding("measure_without_values", "caution", message, name))
    return tuple(findings)


def _empty_in_clinics(
    name: str, empty: NDArray[np.bool_], keys: pd.DataFrame, plan: StudyPlan
) -> list[Finding]:
    if "clinic" not in keys:
        return []
    clinics = keys["clinic"].astype(object)
    without = sorted(set(clinics) - set(clinics[~empty]) - {""})
    if not without:
        return []
    message = (
        f"{plan.measures[name].measure.label} has no value in any row of {some(without, 6)}. If it "
        "was filled in there, check the export. Analyses of this measure leave out these clients."
    )
    return [Finding("measure_without_values", "caution", message, name)]


def client_findings(keys: pd.DataFrame, listed: "pd.Index[str]") -> tuple[Finding, ...]:
    """Findings about clients that stand in only one of the two tables."""
    seen = keys["client"].cat.categories
    findings = []
    without_sessions = len(listed.difference(seen))
    if without_sessions:
        message = say(
            "{n:noun} of the clients table {n:has|have} no session and {n:is|are} not in the study.",
            n=Count(without_sessions, "client"),
        )
        findings.append(Finding("clients_without_sessions", "info", message))
    without_baseline = len(seen.difference(listed))
    if without_baseline:
        message = say(
            "{n:noun} with sessions {n:is|are} not in the clients table, so "
            "{n:this client's|their} baseline values are missing.",
            n=Count(without_baseline, "client"),
        )
        alike = written_otherwise(list(seen), list(listed))
        if alike:
            mine, theirs = min(alike.items())
            message += say(
                " {n} of them {n:is|are} spelled differently there, such as {mine} in the sessions "
                "table and {theirs} in the clients table.",
                n=Count(len(alike), "client"),
                mine=Private(repr(mine), "one id"),
                theirs=Private(repr(theirs), "another"),
            )
        findings.append(Finding("clients_without_baseline", "caution", message))
    return tuple(findings)


def _identifier_findings(keys: pd.DataFrame, plan: StudyPlan) -> list[Finding]:
    findings = []
    for role in ("client", "therapist", "clinic"):
        if role not in keys:
            continue
        ids = pd.Series(keys[role].cat.categories.astype(object))
        codes = sorted(set(ids) & {code for code in plan.dialect.missing if code})
        if codes:
            message = say(
                "A {role} has the id {ids}, which the study file also lists as a code for missing "
                "values. An identifier is missing only if the cell is empty, so this one counts as "
                "a {role}.",
                role=role,
                ids=Private(", ".join(map(repr, codes)), "that is a code"),
            )
            findings.append(Finding("id_is_missing_code", "caution", message, role))
        alike = len(ids) - len({bare(text) for text in ids})
        if alike:
            message = say(
                "{n:noun} {n:differs|differ} from another only in capital letters, spaces or "
                "leading zeros (such as {example}). They count as different.",
                n=Count(alike, f"{role} id"),
                example="a7, A 7 and a07",
            )
            findings.append(Finding("ids_nearly_alike", "caution", message, role))
    for role, words in (
        ("clinic", "{n:was|were} seen in more than one clinic"),
        ("family", "{n:has|have} more than one family"),
    ):
        moved = _several_of(keys, role)
        if moved:
            message = say("{n:noun} " + words + "; each counts only for the first.", n=Count(moved, "client"))
            findings.append(Finding(f"client_in_several_{_PLURAL[role]}", "caution", message, role))
    if "clinic" in keys:
        named = keys[keys["clinic"] != ""]
        if len(named) < len(keys):
            message = say(
                "{n:noun} {n:has|have} no clinic and {n:is|are} left out of reports on one clinic.",
                n=Count(len(keys) - len(named), "session"),
            )
            findings.append(Finding("sessions_without_clinic", "caution", message, "clinic"))
        pairs = named[named["therapist"] != ""].drop_duplicates(["therapist", "clinic"])
        several = int(pairs.loc[pairs.duplicated("therapist"), "therapist"].nunique())
        if several:
            message = say(
                "{n:noun} {n:occurs|occur} in more than one clinic and {n:counts|count} as the "
                "same person each time. If ids start again in each clinic, make them different.",
                n=Number(several, "integer", "therapist id"),
            )
            findings.append(Finding("therapist_in_several_clinics", "caution", message, "therapist"))
    return findings


_PLURAL = {"clinic": "clinics", "family": "families"}


def _several_of(keys: pd.DataFrame, role: str) -> int:
    """How many clients have two words in the column ``role``, of which empty cells are none."""
    if role not in keys:
        return 0
    pairs = keys[keys[role] != ""].drop_duplicates(["client", role])
    return int(pairs.loc[pairs.duplicated("client"), "client"].nunique())


def _transfer_findings(keys: pd.DataFrame, plan: StudyPlan) -> list[Finding]:
    if "seen_by" not in keys:
        return []
    moved = keys.loc[keys["seen_by"].astype(object) != keys["therapist"].astype(object), "client"]
    words = {"first": "first therapist", "last": "last therapist", "longest": "therapist with most sessions"}
    message = say(
        "{n:noun} changed therapist. In the analysis the {whom} counts; {held:noun} "
        "{held:was|were} held by another.",
        n=Count(moved.nunique(), "client"),
        whom=words.get(plan.file.transfers, plan.file.transfers),
        held=Count(len(moved), "session"),
    )
    return [Finding("transfers", "caution", message, "therapist"), *_recycled_findings(keys)]


def _recycled_findings(keys: pd.DataFrame) -> list[Finding]:
    """Clients who seem to be several people: they go back and forth between therapists, or most of them change."""
    ordered = keys[["client", "seen_by", "session"]].sort_values(["client", "session"], kind="stable")
    client, seen = ordered["client"].cat.codes.to_numpy(), ordered["seen_by"].cat.codes.to_numpy()
    changes = np.r_[False, (client[1:] == client[:-1]) & (seen[1:] != seen[:-1])][: len(keys)]
    of_client = pd.DataFrame({"client": client, "seen": seen, "changes": changes}).groupby("client")
    several = of_client["seen"].nunique()
    back = int((of_client["changes"].sum() > several - 1).sum())
    changed, all_clients = int((several > 1).sum()), len(several)
    if not back and changed < MANY_TRANSFERS * all_clients:
        return []
    message = say(
        "{changed} of {all:noun} have several therapists, and {back} of them change back and "
        "forth. If client ids start again at each therapist, these are different people: write "
        "'client_ids: within-therapist'.",
        changed=Count(changed, "client"),
        all=Count(all_clients, "client"),
        back=Count(back, "client"),
    )
    return [Finding("recycled_client_ids", "caution", message, "client")]


def _time_findings(keys: pd.DataFrame, plan: StudyPlan) -> list[Finding]:
    if plan.file.time_unit == "sessions":
        message = (
            "The study has no dates or weeks, so time is counted in sessions. Rates of change are "
            "per session, and pauses between sessions are not known."
        )
        return [Finding("time_is_session_number", "caution", message, "week")]
    unknown: NDArray[np.bool_] = keys["week"].isna().to_numpy()
    if unknown.any():
        message = say(
            "{n:noun} {n:has|have} no date or week, so {n:its|their} time is not known.",
            n=Count(int(unknown.sum()), "session"),
        )
        first = int((unknown & ~keys["client"].duplicated().to_numpy()).sum())
        if first:
            message += say(
                " For {n:noun} this is the first session, so weeks count from the first session with a date.",
                n=Count(first, "client"),
            )
        return [Finding("sessions_without_time", "caution", message, "week")]
    return []


def missing_code_finding(tables: Sequence[RawTable], used: Collection[str]) -> tuple[Finding, ...]:
    """How often each code stood in the used columns that a file itself (SPSS, Stata) declares as missing."""
    findings = []
    for table in tables:
        counts: dict[str, int] = {}
        for header, codes in table.missing.items():
            if header in used:
                for code, n in codes.items():
                    counts[code] = counts.get(code, 0) + n
        if counts:
            said = [
                say("{code} ({n:noun})", code=code, n=Count(n, "time")) for code, n in sorted(counts.items())
            ]
            message = say(
                "{file} defines these codes as missing values; they count as not filled in: {said}.",
                file=Private(table.file, "A table"),
                said=joined(said, ", "),
            )
            findings.append(Finding("declared_missing_codes", "info", message))
    return tuple(findings)


def gap_finding(
    weeks_since_last: NDArray[np.float64], client: NDArray[np.int64], *, planned: bool = False
) -> tuple[Finding, ...]:
    """How many clients paused so long (``planned``: beyond the schedule) that they may have come back for another treatment."""
    long = weeks_since_last > LONG_GAP
    if not long.any():
        return ()
    clients = len(np.unique(client[long]))
    beyond = " beyond what the schedule plans" if planned else ""
    message = say(
        "{clients:noun} paused for more than {weeks:noun}{beyond} between two sessions "
        "({pauses:noun} in total). If {clients:this client|they} came back for another treatment, "
        "write '{rule}'.",
        clients=Count(clients, "client"),
        weeks=Number(LONG_GAP, "integer", "week"),
        beyond=beyond,
        pauses=Count(int(long.sum()), "pause"),
        rule=f"episodes: {{after_days: {7 * LONG_GAP}}}",
    )
    return (Finding("long_gaps", "info", message, "week"),)
