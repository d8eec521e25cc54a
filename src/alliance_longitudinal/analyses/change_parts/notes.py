"""What a reader of the categories has to know."""

import pandas as pd

from alliance_longitudinal.analyses.change_parts.compute import AllMethods
from alliance_longitudinal.analyses.kit.norms import KnownNorms
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.labels import count, listing, number
from alliance_longitudinal.methods.psychometrics.change.classify import RELATIVE

#: With fewer clients an interval of a proportion spans a third of the scale.
FEW = 30


def change_findings(methods: AllMethods, known: KnownNorms, ends: pd.DataFrame, label: str) -> list[Finding]:
    """Findings about the sample, the norms and the methods."""
    return [
        *_sample(methods, ends, label),
        *_norms(methods, known, label),
        *_methods(methods),
    ]


def _sample(methods: AllMethods, ends: pd.DataFrame, label: str) -> list[Finding]:
    out = []
    if len(ends) < FEW:
        message = f"{count(len(ends), 'client')} with a score before and after: the shares are rough; read their intervals."
        out.append(Finding("few_clients", "caution", message, label))
    therapists = int(ends["therapist"].nunique())
    if therapists < 10:
        message = (
            f"With {count(therapists, 'therapist')} the allowance for clients who share a therapist is itself uncertain; the "
            "intervals have few degrees of freedom and are wide."
            if therapists > 1
            else "All clients have one therapist: the intervals speak of this therapist's clients only."
        )
        out.append(Finding("few_clusters", "caution", message, "therapists"))
    cut = methods.chosen.cut
    if cut is not None:
        healthy = int((~cut.clinical(ends["pre"].to_numpy(float))).sum())
        if healthy:
            message = (
                f"{healthy} of {count(len(ends), 'client')} were not in the clinical range of {label} before treatment; they "
                "cannot recover. The share of those who could is given beside."
            )
            out.append(Finding("not_clinical_before", "info", message, label))
    return out


def _norms(methods: AllMethods, known: KnownNorms, label: str) -> list[Finding]:
    out = []
    if known.from_memory:
        message = (
            f"Facts about {label} that rest on memory and were not checked against the manual: "
            f"{listing(list(known.from_memory))}. Compare them with yours before you rely on the counts."
        )
        out.append(Finding("change_norms_unchecked", "caution", message, label))
    uses_sd = methods.main not in ("points", "HLM")
    if uses_sd and known.norms.sd is None:
        m = methods.chosen.moments
        message = (
            f"The SD before treatment is this sample's ({number(m.sd)} points). Where clients were selected for their "
            "severity it is small, and then few points of change already count as reliable."
        )
        out.append(Finding("sample_sd", "info", message, label, "Jacobson & Truax 1991"))
    if methods.chosen.cut is None:
        message = (
            f"No cut-off of {label} is known for sure, so nobody is called recovered. Give cutoff='a', or cutoff='c' with "
            "m_functional and sd_functional, or a number."
        )
        out.append(Finding("no_cutoff", "info", message, label))
    return out


def _methods(methods: AllMethods) -> list[Finding]:
    out = []
    relative = [m for m in methods.done if m in RELATIVE]
    if relative:
        message = (
            f"{listing(relative)} {'compares' if len(relative) == 1 else 'compare'} each client with the average change of "
            "this sample: 'deteriorated' then means less improvement than average. Such shares do not say how many got worse."
        )
        severity = "caution" if methods.main in RELATIVE else "info"
        out.append(Finding("relative_methods", severity, message, "methods"))  # type: ignore[arg-type]
    better = {
        name: (c.n - sum(c.counts[k] for k in ("unchanged", "deteriorated")) - c.counts.get("harmed", 0))
        / c.n
        for name, c in methods.done.items()
    }
    low, high = min(better, key=better.__getitem__), max(better, key=better.__getitem__)
    if better[high] - better[low] >= 0.10:
        message = (
            f"The share of reliably better clients depends on the method: {number(better[low], 'percent')} by {low}, "
            f"{number(better[high], 'percent')} by {high}. Say which method you used, and choose it before you look."
        )
        out.append(Finding("methods_disagree", "info", message, "methods"))
    slopes = methods.done["HLM"].slopes if "HLM" in methods.done else None
    if slopes is not None:
        as_it_is = methods.main == "HLM"
        out += [
            Finding(f.code, f.severity if as_it_is else "info", f.message, "HLM", f.reference)
            for f in slopes.findings
        ]
    return out
