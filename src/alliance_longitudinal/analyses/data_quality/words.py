"""The sentences of the data-quality report."""

from alliance_longitudinal.analyses.data_quality.check import Check
from alliance_longitudinal.analyses.data_quality.predict import Answered
from alliance_longitudinal.analyses.data_quality.records import Filled, Records
from alliance_longitudinal.analyses.kit import Draft, Estimate, Number, Share, listed, say
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
        looks=f"; worth a look: {listing(looks)}" if looks else "",
    )
    complete: list[str] = [
        say(
            "{share} of the planned {measure} forms",
            share=Share(int((f.present & f.expected).sum()), int(f.expected.sum())),
            measure=f.measure.label,
        )
        for f in filled
        if f.expected.any()
    ]
    if complete:
        draft.say("At attended sessions, {forms} were completed.", forms=listed(complete))


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
            estimate=float(f.present[f.expected].mean()),
            n=int(f.expected.sum()),
            level="session",
            unit="share of forms",
        )
        for f in filled
        if f.expected.any()
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


def methods(draft: Draft, records: Records, checks: list[Check], answered: list[Answered]) -> None:
    """The methods section."""
    names = listing([m.label for m in records.measures])
    text = (
        f"The records of {names} were checked by fixed rules, each with the number looked at, the number found and a verdict "
        "(fine, look, problem); the rules are in the table of rules. A form was expected at each attended session whose number "
        "has the form of at least 5 % of the clients. Answers outside the instrument, sessions that occur twice and dates that "
        "run backwards are refused before any analysis. Jumps are changes of more than four robust standard deviations from the "
        f"median change between neighbouring forms of a client. Dates after {records.today:%Y-%m-%d} count as future."
    )
    parts = [text]
    if any(a.result is not None for a in answered):
        parts.append(
            "What predicts a missing form, and leaving after a session, was estimated by logistic mixed models (maximum likelihood, "
            "Laplace) of the last scores known before, the first symptom score and the session number, with therapists, and for "
            "forms also clients, as random effects; leaving as a discrete-time hazard with an own level for each session number."
        )
    reasons = [f"{a.question.title}: {a.check.means}" for a in answered if a.result is None]
    parts += [" ".join(reasons)] if reasons else []
    draft.method(*parts)
    draft.cite(*(key for c in checks if c.verdict != "not checked" for key in c.cites))
