"""A study in a few lines, aggregated, for ``alliance check`` and for a first look in a notebook."""

import pandas as pd

from alliance_longitudinal.data.study import Study
from alliance_longitudinal.data.study_file.measure import Measure
from alliance_longitudinal.measures.registry import total_range_in_words


def describe_study(study: Study) -> list[str]:
    """Sentences about ``study``: who is in it, what was filled in, the sample flow, and the findings.

    Counts and ranges over the whole study only; nothing about a single person.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> describe_study(al.load_study("demo"))[2:4]
    ['900 clients of 30 therapists in 3 clinics; 10059 sessions.', 'Sessions per client: median 12, from 2 to 17.']
    """
    sessions = study.sessions
    per_client = sessions.groupby("client").size()
    per_therapist = study.clients.groupby("therapist").size() if study.has_therapists else None
    lines = [study.title]
    if study.simulated is not None:
        lines.append(f"SIMULATED: {study.simulated['note']}")
    lines += [
        f"{len(per_client)} clients"
        + ("" if per_therapist is None else f" of {len(per_therapist)} therapists")
        + (f" in {sessions['clinic'].nunique()} clinics" if "clinic" in sessions else "")
        + f"; {len(sessions)} sessions.",
        f"Sessions per client: median {per_client.median():g}, from {per_client.min()} to {per_client.max()}.",
        *_therapist_lines(per_therapist, len(per_client)),
        *_arm_lines(study),
        _time_line(study),
        f"Early window: sessions {study.early_window[0]} to {study.early_window[1]}.",
    ]
    if study.covariates:
        lines.append(f"Baseline: {', '.join(study.covariates)}.")
    lines += [_measure_line(study, measure) for measure in study.measures.values()]
    lines += [
        f"Flow: {step.step}: {step.rows_out} rows, {step.clients_out} clients"
        + (
            f" ({step.rows_lost} {'row' if step.rows_lost == 1 else 'rows'} left out: {step.reason})"
            if step.rows_lost
            else ""
        )
        for step in study.flow.steps
    ]
    lines += [f"{finding.severity.capitalize()}: {finding.message}" for finding in study.findings]
    return lines


def study_in_brief(study: Study) -> list[str]:
    """The title and a few sentences: how many people and sessions, which measures, how many findings."""
    clients, sessions = len(study.clients), len(study.sessions)
    who = f"{clients} clients"
    if study.has_therapists:
        who += f" of {len(study.therapists)} therapists"
    lines = [study.title, f"{who}; {sessions} sessions."]
    if study.simulated is not None:
        lines.append("Simulated data.")
    lines.append(f"Measures: {', '.join(f'{name} ({m.label})' for name, m in study.measures.items())}.")
    counts = {level: sum(f.severity == level for f in study.findings) for level in ("caution", "info")}
    words = ", ".join(f"{n} {level}" for level, n in counts.items() if n)
    lines.append(f"Findings: {words or 'none'}; see study.describe() and study.flow.")
    return lines


def _therapist_lines(per_therapist: "pd.Series[int] | None", clients: int) -> list[str]:
    if per_therapist is None:
        return []
    without = clients - int(per_therapist.sum())
    line = f"Clients per therapist: median {per_therapist.median():g}, from {per_therapist.min()} to {per_therapist.max()}"
    return [
        f"{line}; {without} {'client' if without == 1 else 'clients'} without a therapist."
        if without
        else f"{line}."
    ]


def _arm_lines(study: Study) -> list[str]:
    if "arm" not in study.clients:
        return []
    counts = study.clients["arm"].value_counts().sort_index()
    return [f"Arms: {', '.join(f'{arm} {n} clients' for arm, n in counts.items())}."]


def _time_line(study: Study) -> str:
    longest = study.sessions["week"].max()
    if study.time_unit == "sessions":
        return f"Time: counted in sessions, up to {longest:g} after the client's first."
    return f"Time: up to {longest:.1f} weeks since the client's first session."


def _measure_line(study: Study, measure: Measure) -> str:
    sessions, instrument = study.sessions, measure.instrument
    scores = sessions[measure.name]
    first, last = study.early_window
    early = sessions["session"].between(first, last)
    rated = sessions.loc[early & scores.notna(), "client"].nunique()
    line = (
        f"{measure.name}: {measure.label}, {measure.construct}, {total_range_in_words(instrument)}; "
        f"filled in at {scores.notna().mean():.0%} of the sessions"
    )
    if scores.notna().any():
        line += f", mean {scores.mean():.1f} (SD {scores.std():.1f})"
    return f"{line}; {rated} clients have at least one score in the early window."
