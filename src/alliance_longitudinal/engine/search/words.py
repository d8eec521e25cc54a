"""What the optimiser found, in sentences."""

import numpy as np

from alliance_longitudinal.counts import Number, Private
from alliance_longitudinal.engine.design.design import Design, TermDesign
from alliance_longitudinal.engine.search.criterion import Criterion
from alliance_longitudinal.engine.search.optimize import OptimRecord
from alliance_longitudinal.engine.search.residual import FittedResidual
from alliance_longitudinal.engine.statistics.structured.structure import AR1, in_words
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import joined, say

#: Fewer rows than this carry a residual variance badly.
FEW_ROWS = 10
NO_CORRELATION = "the correlation of neighbouring residuals is zero"
#: Curvature, in deviance per squared unit of relative SD, below which a parameter is not identified.
FLAT = 1e-4


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
    return (
        f"No optimum could be verified after {record.evaluations} evaluations ({numbers}). The data "
        "probably do not determine all variances: leave out a random effect, or look at the "
        "unverified fit with fit(require_certificate=False)."
    )


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


def after(design: Design, record: OptimRecord, residual: FittedResidual | None = None) -> tuple[Finding, ...]:
    """Findings of the search."""
    findings = _of_residual(residual) if residual else []
    best = record.best
    if not best.certificate.holds:
        findings.append(
            Finding(
                "not_converged", "failed", "The optimum of the model is not verified. Do not use its numbers."
            )
        )
    if best.face.ranks != best.face.sizes:
        findings.append(
            Finding(
                "singular",
                "caution",
                say(
                    "Boundary estimate: {edges}. This is not an error. Often there are too few "
                    "groups to detect a small variance; it does not mean that there is none. Tests "
                    "and intervals treat a value on the boundary as fixed (those of Kenward and "
                    "Roger do not).",
                    edges=joined(boundary(design, record), "; "),
                ),
            )
        )
    if best.certificate.curvature < FLAT:
        findings.append(
            Finding(
                "not_identified",
                "caution",
                _flat(residual),
            )
        )
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
