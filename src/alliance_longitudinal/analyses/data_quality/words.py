"""The sentences of the data-quality report."""

from alliance_longitudinal.analyses.data_quality.check import Check
from alliance_longitudinal.analyses.data_quality.patterns import patterns_of
from alliance_longitudinal.analyses.data_quality.predict import Answered
from alliance_longitudinal.analyses.data_quality.records import Filled, Records
from alliance_longitudinal.analyses.kit import Draft, Estimate, Hits, Number, Share, listed, say
from alliance_longitudinal.findings import Finding, Severity
from alliance_longitudinal.labels import listing


def answer(draft: Draft, checks: list[Check], filled: list[Filled]) -> None:
    """How many checks say what; which forms are complete; what is gravest."""
    done = [c for c in checks if c.verdict != "not checked"]
    problems, looks = _titles(checks, "problem"), _titles(checks, "look")
    fine = sum(c.verdict == "fine" for c in done)
    draft.say(
        "Of {n:noun}, {fine} found nothing unusual{problems}{looks}.",
        n=Number(len(done), "integer", "check"),
        fine=Number(fine, "integer") if fine else "none",
        problems=f"; {'a problem lies' if len(problems) == 1 else 'problems lie'} in: {listing(problems)}"
        if problems
        else "",
        looks=f"; look at: {listing(looks)}" if looks else "",
    )
    for scheduled, template in (
        (False, "At attended sessions, {forms} were completed."),
        (True, "According to the schedule, {forms} were completed, whether clients attended or not."),
    ):
        complete: list[str] = [
            say(
                "{share} of the planned {measure} forms",
                share=Share(int(f.forms["made"].sum()), len(f.forms)),
                measure=f.measure.label,
            )
            for f in filled
            if len(f.forms) and f.scheduled == scheduled
        ]
        if complete:
            draft.say(template, forms=listed(complete))


def _titles(checks: list[Check], verdict: str) -> list[str]:
    titles = dict.fromkeys(c.title for c in checks if c.verdict == verdict)
    return [f"{t[:1].lower()}{t[1:]}" for t in titles]


def check_findings(draft: Draft, checks: list[Check]) -> None:
    """A caution for each problem, an information for each look."""
    for c in checks:
        if c.verdict in ("problem", "look"):
            message = say("{title}: {result} {do}", title=c.title, result=c.result, do=c.do)
            severity: Severity = "caution" if c.verdict == "problem" else "info"
            draft.findings.append(Finding(f"quality_{c.id}", severity, message, c.about, c.reference))


def estimates_of(checks: list[Check], filled: list[Filled], answered: list[Answered]) -> list[Estimate]:
    """Shares found by each check, then the odds ratios."""
    out = [
        Estimate(
            id=f"there-{f.measure.name}",
            label=f"{f.measure.label}: planned forms that were completed",
            estimate=float(f.forms["made"].mean()),
            n=len(f.forms),
            level="session",
            unit="share of forms",
        )
        for f in filled
        if len(f.forms)
    ]
    labels = {f.measure.name: f.measure.label for f in filled}
    out += [
        Estimate(
            id=c.key,
            label=f"{c.title}: {labels.get(c.about, c.about)}" if c.about else c.title,
            estimate=c.share,
            n=c.n,
            level="client" if c.unit == "client" else "therapist" if c.unit == "therapist" else "session",
            unit=f"share of {c.unit}s",
        )
        for c in checks
        if c.verdict != "not checked" and c.n
    ]
    return out + [e for a in answered for e in a.estimates]


def hits_of(filled: list[Filled]) -> list[Hits]:
    """Forms that are there, and clients without forms to the end, for a comparison of groups."""
    out = []
    for f in filled:
        clients = patterns_of(f)
        for rows, hits, name, label, level, unit in (
            (
                f.forms,
                f.forms["made"],
                "there",
                "planned forms that were completed",
                "session",
                "share of forms",
            ),
            (
                clients,
                clients["pattern"].isin(["stopped", "never"]),
                "stopped",
                "clients without forms to the end",
                "client",
                "share of clients",
            ),
        ):
            who = rows["client"].to_numpy(object)
            named = rows["therapist"].notna().all() and rows["therapist"].nunique() > 1
            by = rows["therapist"].to_numpy(object) if named else who
            label = f"{f.measure.label}: {label}"
            out.append(Hits(f"{name}-{f.measure.name}", label, hits.to_numpy(bool), who, by, level, unit))
    return [h for h in out if len(h.hits)]


def methods(
    draft: Draft, records: Records, checks: list[Check], answered: list[Answered], filled: list[Filled]
) -> None:
    """The methods section."""
    names = listing([m.label for m in records.measures])
    planned = [f.measure.label for f in filled if f.scheduled]
    expected = []
    if planned:
        expected.append(
            f"For {listing(planned)} the schedule of the study says when a form was expected. Each "
            "session counts for the nearest planned time, up to half way to the next one. Planned "
            "times after the last date of the study do not count."
        )
    if len(planned) < len(filled):
        expected.append(
            f"{'For the others a' if planned else 'A'} form was expected at each attended session, "
            "if at least 5 % of the clients have the form at this session number."
        )
    text = (
        f"The data on {names} were checked by fixed rules. Each check has the number checked, the "
        "number found and a verdict (fine, look, problem). The table of rules gives every rule. "
        f"{' '.join(expected)} Answers outside the range of the instrument, sessions that occur "
        "twice and dates in the wrong order are refused before any analysis. A large change "
        "differs by more than four robust standard deviations from the median change between "
        f"consecutive forms of a client. Dates after {records.today:%Y-%m-%d} count as future dates."
    )
    parts = [text]
    if any(a.result is not None for a in answered):
        parts.append(
            "Logistic mixed models (maximum likelihood, Laplace) estimated what predicts a missing "
            "form, and the end of treatment after a session. Predictors were the last previous "
            "scores, the first symptom score and the session number. Random effects were those of "
            "therapists and, for missing forms, also of clients. The end of treatment was modelled "
            "as a discrete-time hazard with a separate level for each session number."
        )
    reasons = [f"{a.question.title}: {a.check.means}" for a in answered if a.result is None]
    parts += [" ".join(reasons)] if reasons else []
    draft.method(*parts)
    draft.cite(*(key for c in checks if c.verdict != "not checked" for key in c.cites))
