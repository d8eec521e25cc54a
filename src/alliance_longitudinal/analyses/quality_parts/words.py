"""The sentences of the data-quality report."""

from alliance_longitudinal.analyses.kit.versions import versions_sentence
from alliance_longitudinal.analyses.quality_parts.check import Check
from alliance_longitudinal.analyses.quality_parts.predict import Answered
from alliance_longitudinal.analyses.quality_parts.records import Filled, Records
from alliance_longitudinal.analyses.result import Estimate, Methods
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.labels import listing, number

LIMITS = (
    "A check finds what its rule describes. Wrong values that look like right ones are not found.",
    "What is found need not be wrong: clients do jump, and some honest forms have one answer throughout.",
    "Whether missing scores themselves decided that they are missing cannot be seen in the data.",
    "Forms are counted against the sessions in the file: a session that was never entered is not missed here.",
)


def answer(checks: list[Check], filled: list[Filled]) -> tuple[str, ...]:
    """How many checks say what; which forms are there; what is gravest."""
    done = [c for c in checks if c.verdict != "not checked"]
    problems = _titles(checks, "problem")
    looks = _titles(checks, "look")
    said = f"Of {len(done)} checks, {_many(len(done) - _n(checks, 'look', 'problem'))} found nothing unusual"
    if problems:
        said += f"; {'a problem lies' if len(problems) == 1 else 'problems lie'} in: {listing(problems)}"
    if looks:
        said += f"; worth a look: {listing(looks)}"
    there = [
        f"{number(float(f.present[f.expected].mean()), 'percent')} of the planned {f.measure.label} forms"
        for f in filled
        if f.expected.any()
    ]
    out = [said + "."]
    if there:
        out.append(f"At attended sessions, {listing(there)} are there.")
    return tuple(out)


def _titles(checks: list[Check], verdict: str) -> list[str]:
    titles = dict.fromkeys(c.title for c in checks if c.verdict == verdict)
    return [f"{t[:1].lower()}{t[1:]}" for t in titles]


def _n(checks: list[Check], *verdicts: str) -> int:
    return sum(c.verdict in verdicts for c in checks)


def _many(n: int) -> str:
    return "none" if n == 0 else str(n)


def check_findings(checks: list[Check]) -> list[Finding]:
    """A caution for each problem, an information for each look."""
    severity = {"problem": "caution", "look": "info"}
    return [
        Finding(
            f"quality_{c.id}",
            severity[c.verdict],  # type: ignore[arg-type]
            f"{c.title}: {c.result} {c.do}",
            c.about,
            c.reference,
        )
        for c in checks
        if c.verdict in severity
    ]


def estimates_of(checks: list[Check], filled: list[Filled], answered: list[Answered]) -> list[Estimate]:
    """Shares found by each check, then the odds ratios."""
    out = [
        Estimate(
            id=f"there-{f.measure.name}",
            label=f"{f.measure.label}: planned forms that are there",
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


def methods_parts(records: Records, checks: list[Check], answered: list[Answered]) -> Methods:
    """The methods section."""
    names = listing([m.label for m in records.measures])
    text = (
        f"The records of {names} were checked by fixed rules, each with the number looked at, the number found and a verdict "
        "(fine, look, problem); the rules stand in the table of rules. A form was expected at each attended session whose number "
        "has the form of at least 5 % of the clients. Answers outside the instrument, sessions that stand twice and dates that "
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
    references = sorted(
        {r for c in checks if c.verdict != "not checked" for r in c.reference.split("; ") if r}
    )
    return Methods((*parts, versions_sentence()), tuple(references))
