"""The sentences of the reliable-change report."""

from alliance_longitudinal.analyses.kit import Count, Draft, say
from alliance_longitudinal.analyses.kit.norms import KnownNorms
from alliance_longitudinal.analyses.reliable_change.compute import AllMethods
from alliance_longitudinal.analyses.reliable_change.tables import METHOD_WORDS
from alliance_longitudinal.data.study import Measure

_REFERENCES = {
    "JT": "jacobson1991",
    "GLN": "gulliksen1950",
    "HLL": "hsu1989",
    "EN": "speer1992",
    "NK": "nunnally1983",
    "HA": "hageman1999",
    "HLM": "speer1995",
}


def answer(draft: Draft, methods: AllMethods, label: str) -> None:
    """The question answered in two sentences, and one for joint recovery."""
    main, cut = methods.main, methods.chosen.cut
    better = draft[f"{main}_better" if cut is not None else f"{main}_improved"]
    worse = draft[f"{main}_worse" if cut is not None else f"{main}_deteriorated"]
    recovered, joint = draft[f"{main}_recovered"], draft["joint_recovery"]
    assert better is not None
    assert worse is not None
    by = METHOD_WORDS[main] if main == "points" else f"method {main} ({METHOD_WORDS[main]})"
    also = ""
    if cut is not None and recovered is not None:
        also = say(
            "; {s} (95 % interval {s:interval}) recovered: they also crossed the cut-off of {cut}",
            s=recovered.share(),
            cut=f"{cut.value:.4g}",
        )
    draft.say(
        "By {by}, {s} (95 % interval {s:interval}) of {n:noun} improved reliably in {label}{also}.",
        by=by,
        s=better.share(),
        n=Count(better.n, "client"),
        label=label,
        also=also,
    )
    draft.say("{s} (95 % interval {s:interval}) deteriorated reliably.", s=worse.share())
    if joint is not None:
        draft.say(
            "Of {n:noun} who were at caseness on at least one of the two measures before "
            "treatment, {s} (95 % interval {s:interval}) recovered.",
            s=joint.share(),
            n=Count(joint.n, "client"),
        )


def describe(
    draft: Draft, methods: AllMethods, known: KnownNorms, measure: Measure, when: str, joint: Measure | None
) -> None:
    """The methods paragraph and its references."""
    cut = methods.chosen.cut
    facts = "; ".join(
        f"{_low(f.what)} {f.value:.4g} ({f.source})"
        if f.value is not None
        else f"{_low(f.what)} of {f.source}"
        for f in known.facts
    )
    text = (
        f"Change in {measure.label} from {when} was classified by {len(methods.done)} "
        f"{'method' if len(methods.done) == 1 else 'methods'}: "
        f"{'; '.join(METHOD_WORDS[m] for m in methods.done)}. Facts used: "
        f"{facts or 'none from outside the sample'}. "
    )
    if cut is None:
        text += "Without a cut-off, clients were classified as improved, unchanged or deteriorated. "
    else:
        text += (
            f"Clients who crossed the cut-off ({_cut_words(cut.kind)}, {cut.value:.4g} points) with "
            "a reliable change were classified as recovered or harmed, the others as improved, "
            "unchanged or deteriorated. "
        )
    text += (
        "Shares have Wilson intervals with the effective number of clients, from the CR2 "
        "cluster-robust variance (clusters: therapists) with Satterthwaite degrees of freedom. "
    )
    if joint is not None:
        text += (
            f"Recovery on both this measure and {joint.label} follows the rules of English routine services. "
        )
    draft.method(text.strip())
    draft.cite(*(_REFERENCES[m] for m in methods.done if m in _REFERENCES), "dean2015", "pustejovsky2018")
    if joint is not None:
        draft.cite("gyani2013")
        draft.references += joint.instrument.citations


def _low(text: str) -> str:
    """A small first letter, but not in an abbreviation."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def _cut_words(kind: str) -> str:
    return {
        "a": "criterion a: two standard deviations from the clinical mean",
        "b": "criterion b: two standard deviations from the functional mean",
        "c": "criterion c: between the clinical and the functional mean, weighted by their standard deviations",
        "published": "as published",
        "given": "as given",
    }[kind]
