"""What the optimiser found, in sentences."""

from collections.abc import Sequence

import numpy as np

from alliance_longitudinal.counts import Number, Private
from alliance_longitudinal.engine.design.design import Design, TermDesign
from alliance_longitudinal.engine.search.criterion import Criterion
from alliance_longitudinal.engine.search.optimize import Certificate, OptimRecord
from alliance_longitudinal.engine.search.residual import FittedResidual
from alliance_longitudinal.engine.statistics.structured.structure import AR1, CAR1, in_words
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import joined, say

#: Fewer rows than this carry a residual variance badly.
FEW_ROWS = 10
NO_CORRELATION = "the correlation of neighbouring residuals is zero"
#: Curvature, in deviance per squared unit of relative SD, below which a parameter is not identified.
FLAT = 1e-4
#: Newton decrement that is near an optimum, and loss of digits of the deviance that is said.
_NEAR, _LOST = 0.01, 1e-5
#: Distance to the optimum, in standard errors, from which it is said that rounding ended the search.
_FAR = 1e-4
#: A correlation this near to 0 or 1 hides what it says.
_PLAIN = 1e-3


def convergence(
    design: Design, record: OptimRecord, criterion: Criterion, residual: FittedResidual | None = None
) -> str:
    """What was checked, and what came out of it."""
    certificate = record.best.certificate
    numbers = f"Newton decrement {certificate.decrement:.1e} deviance units, smallest curvature {certificate.curvature:.3g}"
    if np.isfinite(certificate.descent):
        numbers += f", smallest slope off the boundary {certificate.descent:.3g}"
    if certificate.holds:
        edges = boundary(design, record)
        if residual and residual.independent:
            edges.append(NO_CORRELATION)
        if not edges:
            return f"Converged to a verified optimum inside the parameter space ({numbers})."
        return f"Converged to a boundary optimum, verified: {'; '.join(edges)} ({numbers})."
    if not np.isfinite(record.best.value) or criterion.rss / criterion.nu < 1e-9:
        return (
            "The residual variance goes to zero: fixed and random effects together reproduce the response exactly. "
            "Use fewer random effects."
        )
    return f"No optimum could be verified after {record.evaluations} evaluations ({numbers}). " + unverified(
        certificate, "all variances: leave out a random effect"
    )


def unverified(certificate: Certificate, what: str) -> str:
    """Why an optimum is not verified, and what to do; ``what`` the data may not determine."""
    look = "or look at the unverified fit with fit(require_certificate=False)."
    if certificate.decrement < _NEAR and certificate.curvature > FLAT:
        return (
            "The search ended near an optimum because of rounding: weights, counts or columns of the model differ by too many "
            f"orders of magnitude. Rescale them, {look}"
        )
    return f"The data probably do not determine {what}, {look}"


def lost_digits(record: OptimRecord, nu: int) -> Finding | None:
    """A finding where the random effects are so large beside the residual that the deviance loses digits."""
    ratio = max((float(np.linalg.eigvalsh(d)[-1]) for d in record.best.relative), default=0.0)
    lost = np.finfo(float).eps * ratio * nu
    if not lost > _LOST:
        return None
    message = say(
        "A random effect varies {ratio} times as much as the residual, so that rounding leaves the deviance exact to about "
        "{lost} only. Do not compare models by smaller differences. Measure time and other predictors from a value within "
        "their range.",
        ratio=f"{ratio:.0e}",
        lost=f"{lost:.0e}",
    )
    return Finding("lost_digits", "caution", message)


def rounded(certificate: Certificate) -> tuple[Finding, ...]:
    """A finding where rounding ended the search so far from the optimum that a reader may see it."""
    if not (certificate.holds and certificate.distance > _FAR):
        return ()
    message = say(
        "Rounding ended the search {distance} standard errors from the optimum, because weights, counts or columns of the model "
        "differ by many orders of magnitude. Rescale them for more digits.",
        distance=f"{certificate.distance:.1g}",
    )
    return (Finding("rounded", "info", message),)


def boundary(design: Design, record: OptimRecord) -> list[str]:
    """One phrase for each covariance that lies on the boundary."""
    face = record.best.face
    return [
        boundary_phrase(term, face.ranks[t])
        for t, term in enumerate(design.terms)
        if face.ranks[t] < face.sizes[t]
    ]


def boundary_phrase(term: TermDesign, rank: int) -> str:
    """What lies on the boundary, where a covariance has this rank."""
    names = ", ".join(term.names)
    if rank == 0:
        if len(term.names) == 1:
            return say("the variance of {name} over {group} is zero", name=term.names[0], group=term.group)
        return say("the variances of {names} over {group} are all zero", names=names, group=term.group)
    return say(
        "the random effects {names} over {group} are perfectly correlated (rank {rank})",
        names=names,
        group=term.group,
        rank=Number(rank, "integer"),
    )


def several_optima(values: tuple[float, ...]) -> Finding:
    """That searches from several starts ended at different optima, with these values."""
    message = say(
        "The likelihood has more than one optimum. The fit is the best of {n:noun}; the worst was "
        "{above} deviance units above it.",
        n=Number(len(values), "integer", "search", "searches"),
        above=f"{max(values) - min(values):.2g}",
    )
    return Finding("several_optima", "info", message)


def not_verified() -> Finding:
    """That the optimum has no certificate."""
    return Finding(
        "not_converged", "failed", "The optimum of the model is not verified. Do not use its numbers."
    )


def at_boundary(edges: Sequence[str], but: str = "") -> Finding:
    """That variances or correlations are at their boundary; ``but`` says which intervals treat them otherwise."""
    message = say(
        "Boundary estimate: {edges}. This is not an error. Often there are too few groups to detect a small variance; it does "
        "not mean that there is none. Tests and intervals treat a value on the boundary as fixed{but}.",
        edges=joined(edges, "; "),
        but=but,
    )
    return Finding("singular", "caution", message)


def after(design: Design, record: OptimRecord, residual: FittedResidual | None = None) -> tuple[Finding, ...]:
    """Findings of the search."""
    findings = _of_residual(residual) if residual else []
    best = record.best
    if not best.certificate.holds:
        findings.append(not_verified())
    if best.face.ranks != best.face.sizes:
        findings.append(at_boundary(boundary(design, record), " (those of Kenward and Roger do not)"))
    if best.certificate.curvature < FLAT:
        findings.append(Finding("not_identified", "caution", _flat(residual)))
    lost = lost_digits(record, design.n)
    if lost:
        findings.append(lost)
    findings += rounded(best.certificate)
    if record.differ:
        findings.append(several_optima(record.values))
    return tuple(findings)


def _flat(residual: FittedResidual | None) -> str:
    """What a flat direction of the likelihood means."""
    if residual is not None and residual.model.pattern.correlated:
        pattern, gap = residual.model.pattern, float(residual.model.products.classes.lags.min())
        structure = in_words(pattern.structure)
        if isinstance(pattern.structure, AR1) and gap > 1:
            return say(
                "The correlation of the residuals cannot be estimated: with {structure}, phi is the correlation of rows "
                "one position apart, and no two rows of a group are closer than {gap} positions. Number the rows of "
                "each group {numbers}, ... or leave out residual=.",
                structure=structure,
                gap=f"{gap:g}",
                numbers="1, 2, 3",
            )
        return say(
            "The likelihood is almost flat in one direction, so the data hardly distinguish the "
            "correlation of {structure} from the variances of the random effects. Leave out "
            "residual= or a random effect.",
            structure=structure,
        )
    return (
        "The likelihood is almost flat in one direction of the variance parameters, so the data "
        "say little about how the variance divides between the random effects."
    )


def _far_unit(residual: FittedResidual) -> list[Finding]:
    """Said where phi, the correlation one unit of time apart, is nearly 0 or 1 only because of that unit."""
    pattern = residual.model.pattern
    assert isinstance(pattern.structure, CAR1)
    rate = float(np.exp(-residual.tau[0]))
    usual, per_unit = (
        np.exp(-rate),
        np.exp(-rate / pattern.unit),
    )  # at the median gap; one unit of the user's time
    if not _PLAIN < usual < 1 - _PLAIN or _PLAIN < per_unit < 1 - _PLAIN:
        return []
    message = say(
        "phi is nearly {end} because of the unit of time: it is the correlation of residuals that lie one unit of {time} apart, "
        "and neighbouring rows usually lie {gap} units apart. At that distance the estimated correlation is {usual}.",
        end=Number(round(per_unit), "integer"),
        time=repr(pattern.structure.time),
        gap=f"{pattern.unit:g}",
        usual=Number(usual),
    )
    return [Finding("unit_of_time", "info", message)]


def _of_residual(residual: FittedResidual) -> list[Finding]:
    pattern = residual.model.pattern
    findings = []
    if residual.independent:
        findings.append(
            Finding(
                "no_correlation",
                "info",
                say(
                    "Boundary estimate: {edge}; with {structure} it cannot be negative. The other estimates are those of "
                    "independent residuals.",
                    edge=NO_CORRELATION,
                    structure=in_words(pattern.structure),
                ),
            )
        )
    elif isinstance(pattern.structure, CAR1):
        findings += _far_unit(residual)
    counts = np.bincount(pattern.stratum)
    few = [f"{label} ({n})" for label, n in zip(pattern.strata, counts, strict=True) if n < FEW_ROWS]
    if few and pattern.structure.strata is not None:
        findings.append(
            Finding(
                "few_rows_in_stratum",
                "caution",
                say(
                    "These strata of {name} have fewer than {least} rows: {few}. Their residual "
                    "variances are very uncertain.",
                    name=pattern.structure.strata,
                    least=Number(FEW_ROWS, "integer"),
                    few=Private(", ".join(few), "not listed"),
                ),
            )
        )
    return findings
