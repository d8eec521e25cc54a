"""The sentences of the reliable-change report."""

from alliance_longitudinal.analyses.change_parts.compute import AllMethods
from alliance_longitudinal.analyses.change_parts.tables import METHOD_WORDS
from alliance_longitudinal.analyses.kit.norms import KnownNorms
from alliance_longitudinal.analyses.kit.versions import versions_sentence
from alliance_longitudinal.analyses.result import Estimate, Methods
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.labels import interval, listing, number

_REFERENCES = {
    "JT": "Jacobson, N. S., & Truax, P. (1991). Clinical significance: A statistical approach to defining meaningful change in "
    "psychotherapy research. Journal of Consulting and Clinical Psychology, 59, 12-19. doi 10.1037/0022-006X.59.1.12",
    "GLN": "Gulliksen, H. (1950). Theory of mental tests. Wiley.",
    "HLL": "Hsu, L. M. (1989). Reliable changes in psychotherapy: Taking into account regression toward the mean. Behavioral "
    "Assessment, 11, 459-467.",
    "EN": "Speer, D. C. (1992). Clinically significant change: Jacobson and Truax (1991) revisited. Journal of Consulting and "
    "Clinical Psychology, 60, 402-408. doi 10.1037/0022-006X.60.3.402",
    "NK": "Nunnally, J. C., & Kotsch, W. E. (1983). Studies of individual subjects: Logic and methods of analysis. British "
    "Journal of Clinical Psychology, 22, 83-93.",
    "HA": "Hageman, W. J. J. M., & Arrindell, W. A. (1999). Establishing clinically significant change: Increment of precision "
    "and the distinction between individual and group level of analysis. Behaviour Research and Therapy, 37, 1169-1193.",
    "HLM": "Speer, D. C., & Greenbaum, P. E. (1995). Five methods for computing significant individual client change and "
    "improvement rates: Support for an individual growth curve approach. Journal of Consulting and Clinical Psychology, 63, "
    "1044-1048.",
}
_INTERVALS = (
    "Dean, N., & Pagano, M. (2015). Evaluating confidence interval methods for binomial proportions in clustered surveys. "
    "Journal of Survey Statistics and Methodology, 3, 484-503.",
    "Pustejovsky, J. E., & Tipton, E. (2018). Small-sample methods for cluster-robust variance estimation. Journal of Business "
    "& Economic Statistics, 36, 672-683. doi 10.1080/07350015.2016.1247004",
)
_JOINT = (
    "Gyani, A., Shafran, R., Layard, R., & Clark, D. M. (2013). Enhancing recovery rates: Lessons from year one of IAPT. "
    "Behaviour Research and Therapy, 51, 597-606. doi 10.1016/j.brat.2013.06.004"
)
LIMITS = (
    "Categories cut a continuous change at a line: a client just below it hardly differs from one just above it.",
    "Change is not the effect of treatment: clients also improve by themselves and by regression to the mean.",
    "The last score of a client who broke off treatment counts as the score after treatment.",
)


def answer(methods: AllMethods, estimates: list[Estimate], label: str) -> tuple[str, ...]:
    """The question answered in two sentences, and one for joint recovery."""
    by_id = {e.id: e for e in estimates}
    main, cut = methods.main, methods.chosen.cut
    better = by_id[f"{main}_better" if cut is not None else f"{main}_improved"]
    worse = by_id[f"{main}_worse" if cut is not None else f"{main}_deteriorated"]
    by = METHOD_WORDS[main] if main == "points" else f"method {main} ({METHOD_WORDS[main]})"
    first = f"By {by}, {_share(better)} of {better.n} clients changed reliably for the better in {label}"
    if cut is not None:
        recovered = by_id[f"{main}_recovered"]
        first += f"; {_share(recovered)} recovered, that is, also crossed the cut-off of {cut.value:.4g}"
    out = [f"{first}.", f"{_share(worse)} changed reliably for the worse.".capitalize()]
    if "joint_recovery" in by_id:
        joint = by_id["joint_recovery"]
        out.append(
            f"Over both measures, {_share(joint)} of {joint.n} clients at caseness before treatment recovered."
        )
    return tuple(out)


def _share(e: Estimate) -> str:
    return f"{number(e.estimate, 'percent')} (95 % interval {interval(e.ci_low, e.ci_high, 'percent')})"


def methods_parts(
    methods: AllMethods, known: KnownNorms, measure: Measure, when: str, joint: Measure | None
) -> Methods:
    """The methods paragraph and its references."""
    cut = methods.chosen.cut
    facts = "; ".join(
        f"{_low(f.what)} {f.value:.4g} ({f.source})"
        if f.value is not None
        else f"{_low(f.what)} of {f.source}"
        for f in known.facts
    )
    text = (
        f"Change in {measure.label} from {when} was classified as reliable by {listing([METHOD_WORDS[m] for m in methods.done])}. "
        f"Facts used: {facts or 'none from outside the sample'}. "
    )
    if cut is None:
        text += "Without a cut-off, clients were called improved, unchanged or deteriorated. "
    else:
        text += (
            f"Clients who crossed the cut-off ({_cut_words(cut.kind)}, {cut.value:.4g} points) with a reliable change were called "
            "recovered or harmed; the others improved, unchanged or deteriorated. "
        )
    text += (
        "Intervals of shares are Wilson's with the effective number of clients, from the CR2 cluster-robust variance with "
        "therapists as clusters and Satterthwaite degrees of freedom. "
    )
    if joint is not None:
        text += f"Joint recovery with {joint.label} follows the rules of English routine services. "
    references = [_REFERENCES[m] for m in methods.done if m in _REFERENCES]
    references += [*_INTERVALS, *measure.instrument.citations]
    if joint is not None:
        references += [_JOINT, *joint.instrument.citations]
    return Methods((text + versions_sentence(),), tuple(sorted(set(references))))


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
