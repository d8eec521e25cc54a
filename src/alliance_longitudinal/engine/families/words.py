"""What a reader of a generalised fit has to know, in sentences."""

import numpy as np

from alliance_longitudinal.counts import Count, Number
from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.families.response import Response
from alliance_longitudinal.engine.families.search import SearchRecord
from alliance_longitudinal.engine.search.words import (
    at_boundary,
    boundary_phrase,
    not_verified,
    rounded,
    several_optima,
    unverified,
)
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import listed, say

#: Events, or rows without one, for each coefficient, below which estimates are shaky (Peduzzi et al. 1996).
EVENTS_PER_COEFFICIENT = 10
NO_OVERDISPERSION = "the counts are no more dispersed than Poisson counts"


def boundary(design: Design, record: SearchRecord, aux: Array | None = None) -> list[str]:
    """One phrase for each parameter that lies on the boundary."""
    face = record.best.face
    said = [
        boundary_phrase(term, face.ranks[t])
        for t, term in enumerate(design.terms)
        if face.ranks[t] < face.sizes[t]
    ]
    return [*said, NO_OVERDISPERSION] if aux is not None and np.isinf(aux).any() else said


def convergence(design: Design, record: SearchRecord, aux: Array | None = None) -> str:
    """What was checked, and what came out of it."""
    certificate = record.best.certificate
    numbers = f"Newton decrement {certificate.decrement:.1e} deviance units, smallest curvature {certificate.curvature:.3g}"
    if np.isfinite(certificate.descent):
        numbers += f", smallest slope off the boundary {certificate.descent:.3g}"
    if certificate.holds:
        edges = boundary(design, record, aux)
        if not edges:
            return f"Converged to a verified optimum inside the parameter space ({numbers})."
        return f"Converged to a boundary optimum, verified: {'; '.join(edges)} ({numbers})."
    if not np.isfinite(record.best.value):
        return (
            "The search for the random effects' modes failed, so there is no likelihood. Look for extreme values in "
            "predictors or offset, or leave out a random effect."
        )
    return f"No optimum could be verified after {record.evaluations} evaluations ({numbers}). " + unverified(
        certificate, "all parameters: leave out a random effect or a fixed term"
    )


def separated(terms: tuple[str, ...]) -> str:
    """That there is no finite estimate, and of what."""
    which = " and ".join(repr(t) for t in terms)
    together = "their combination" if len(terms) > 1 else "it"
    return say(
        "The estimate of {which} goes to infinity, because {together} separates the responses, "
        "such as a category in which all responses are the same. Merge the category with another, "
        "leave out the term, or leave out these rows and report it.",
        which=which,
        together=together,
    )


def infinite_variance(design: Design) -> str:
    """That there is no finite variance."""
    names = " and ".join(repr(f.name) for f in design.factors)
    return say(
        "The variance of the effects over {names} goes to infinity, because the groups and the "
        "predictors together determine every response, such as groups in which all responses are "
        "the same. Leave out the random term, take a coarser grouping, or describe the groups in a "
        "table.",
        names=names,
    )


def before(design: Design, response: Response) -> tuple[Finding, ...]:
    """Findings about the response that need no fit."""
    y, size, p = response.y, response.size, design.x.shape[1]
    if response.family.name == "ordinal":
        rarest = int(np.bincount(y.astype(np.intp)).min())
        if rarest >= EVENTS_PER_COEFFICIENT:
            return ()
        label = response.categories[int(np.bincount(y.astype(np.intp)).argmin())]
        message = say(
            "The category {label} has {n:noun} only; the estimate of the threshold next to it is very uncertain.",
            label=repr(label),
            n=Count(rarest, "response"),
        )
        return (Finding("few_events", "caution", message),)
    events = int(y.sum())
    if response.family.name == "binomial":
        events = int(min(events, size.sum() - events))
    if events >= EVENTS_PER_COEFFICIENT * p:
        return ()
    rarer = ("response of the rarer kind", "responses of the rarer kind")
    message = say(
        "{n:noun} for {p:noun}; fewer than {least} for each make estimates and their standard errors unreliable. Use fewer "
        "terms.",
        n=Count(events, *(rarer if response.family.name == "binomial" else ("event",))),
        p=Number(p, "integer", "coefficient"),
        least=Number(EVENTS_PER_COEFFICIENT, "integer"),
    )
    return (
        Finding(
            "few_events",
            "underpowered",
            message,
            reference="Peduzzi et al. (1996), doi 10.1016/S0895-4356(96)00236-3",
        ),
    )


def after(
    design: Design,
    response: Response,
    record: SearchRecord,
    lost: tuple[str, ...],
    aux: Array,
    infinite: bool = False,
) -> tuple[Finding, ...]:
    """Findings of the search."""
    findings = [*_one_sided_groups(design, response), *_unused(response)]
    best = record.best
    if lost:
        findings.append(Finding("separation", "failed", separated(lost), where=", ".join(lost)))
    if infinite:
        findings.append(Finding("separation", "failed", infinite_variance(design)))
    if not best.certificate.holds:
        findings.append(not_verified())
    findings += rounded(best.certificate)
    edges = boundary(design, record)
    if edges:
        findings.append(at_boundary(edges))
    if np.isinf(aux).any():
        edge = NO_OVERDISPERSION[0].upper() + NO_OVERDISPERSION[1:]
        message = say("{edge}: the estimate is a Poisson model. Use family='poisson'.", edge=edge)
        findings.append(Finding("no_overdispersion", "info", message))
    if max(record.values) - min(record.values) > 1e-6 and np.isfinite(max(record.values)):
        findings.append(several_optima(record.values))
    return tuple(findings)


def _unused(response: Response) -> list[Finding]:
    """Categories that no row has."""
    if not response.unused:
        return []
    message = say(
        "No row has the response {unused}. A category without rows has no threshold, so the model "
        "leaves it out and gives it no probability.",
        unused=" or ".join(map(repr, response.unused)),
    )
    return [Finding("empty_category", "caution", message)]


def _one_sided_groups(design: Design, response: Response) -> list[Finding]:
    """Groups of the coarsest grouping without an event, or with events only."""
    if response.family.name == "ordinal":
        return []
    factor = min(design.factors, key=lambda f: f.size)
    events = np.bincount(factor.codes, weights=response.y, minlength=factor.size)
    none = int((events == 0).sum())
    every = 0
    if response.family.name == "binomial":
        every = int((events == np.bincount(factor.codes, weights=response.size, minlength=factor.size)).sum())
    if none + every < factor.size / 2:
        return []
    said: list[str] = []
    if none:
        said.append(say("{n} {n:has|have} no event", n=Count(none, "level")))
    if every:
        said.append(say("{n} {n:has|have} nothing else", n=Count(every, "level")))
    message = say(
        "Of {all:noun} of {name}, {said}; such levels say little about the variance between them.",
        all=Count(factor.size, "level"),
        name=factor.name,
        said=listed(said),
    )
    return [Finding("one_sided_groups", "caution", message, where=factor.name)]
