"""What a reader of the categories has to know."""

from dataclasses import replace

import pandas as pd

from alliance_longitudinal.analyses.kit import Count, Draft, Number, Share, short
from alliance_longitudinal.analyses.kit.norms import KnownNorms, unchecked_findings
from alliance_longitudinal.analyses.kit.people import share_findings
from alliance_longitudinal.analyses.reliable_change.compute import AllMethods
from alliance_longitudinal.labels import listing
from alliance_longitudinal.methods.psychometrics.change.classify import RELATIVE, ChangeCategories

#: Shares of two methods that differ by this much are worth a sentence.
DISAGREE = 0.10


def change_findings(
    draft: Draft, methods: AllMethods, known: KnownNorms, ends: pd.DataFrame, label: str
) -> None:
    """Findings about the sample, the norms and the methods."""
    _sample(draft, methods, ends, label)
    _norms(draft, methods, known, label)
    _methods(draft, methods)


def _sample(draft: Draft, methods: AllMethods, ends: pd.DataFrame, label: str) -> None:
    what = "{n:has|have} a score before and after"
    draft.findings += share_findings(len(ends), ends["therapist"], what, label)
    cut = methods.chosen.cut
    healthy = 0 if cut is None else int((~cut.clinical(ends["pre"].to_numpy(float))).sum())
    if healthy:
        draft.find(
            "not_clinical_before",
            "info",
            "{healthy} of {all:noun} were not in the clinical range of {label} before treatment, "
            "so they cannot recover. The table also gives the share of those who could.",
            label,
            healthy=Count(healthy, "client"),
            all=Count(len(ends), "client"),
            label=label,
        )


def _norms(draft: Draft, methods: AllMethods, known: KnownNorms, label: str) -> None:
    draft.findings += unchecked_findings(label, known.from_memory)
    if methods.main not in ("points", "HLM") and known.norms.sd is None:
        m = methods.chosen.moments
        draft.find(
            "sample_sd",
            "info",
            "The SD before treatment is that of this sample ({sd} points). If clients were "
            "selected for their severity, it is small, and then too small a change counts as "
            "reliable.",
            label,
            short("jacobson1991"),
            sd=Number(m.sd, n=methods.chosen.n),
        )
    if methods.chosen.cut is None:
        draft.find(
            "no_cutoff",
            "info",
            "The instrument file of {label} does not have exactly one cut-off, so no client is "
            "called recovered. Give cutoff='a', or cutoff='c' with m_functional and sd_functional, "
            "or a number.",
            label,
            label=label,
        )


def _methods(draft: Draft, methods: AllMethods) -> None:
    relative = [m for m in methods.done if m in RELATIVE]
    if relative:
        draft.find(
            "relative_methods",
            "caution" if methods.main in RELATIVE else "info",
            "{names} {n:compares|compare} each client with the average change of this sample. "
            "There, 'deteriorated' means less improvement than average, so these shares do not say "
            "how many clients got worse.",
            "methods",
            names=listing(relative),
            n=Number(len(relative), "integer"),
        )
    better = {name: _better(c) for name, c in methods.done.items()}
    rates = {name: better[name] / c.n for name, c in methods.done.items()}
    low, high = min(rates, key=rates.__getitem__), max(rates, key=rates.__getitem__)
    if rates[high] - rates[low] >= DISAGREE:
        draft.find(
            "methods_disagree",
            "info",
            "The share of reliably better clients depends on the method: {least} by {low}, {most} "
            "by {high}. Choose the method before you see the results, and report which one you "
            "used.",
            "methods",
            least=Share(better[low], methods.done[low].n),
            low=low,
            most=Share(better[high], methods.done[high].n),
            high=high,
        )
    slopes = methods.done["HLM"].slopes if "HLM" in methods.done else None
    for f in () if slopes is None else slopes.findings:
        severity = f.severity if methods.main == "HLM" else "info"
        draft.findings.append(replace(f, severity=severity, where="HLM"))


def _better(change: ChangeCategories) -> int:
    """Clients who are reliably better."""
    other = ("unchanged", "deteriorated", "harmed")
    return change.n - sum(change.counts.get(k, 0) for k in other)
