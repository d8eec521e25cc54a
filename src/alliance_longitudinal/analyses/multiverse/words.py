"""The words of the multiverse report."""

import numpy as np

from alliance_longitudinal.analyses.kit import Draft, Number, Sentence, joined, say
from alliance_longitudinal.analyses.kit.curves import Summary
from alliance_longitudinal.analyses.multiverse.compute import Multiverse, Setting
from alliance_longitudinal.analyses.multiverse.grid import AXES, OUTCOMES
from alliance_longitudinal.analyses.multiverse.tables import main_sign, shares_of_choices

LIMITS = (
    "The result is an association, not a cause. Choices that all analyses share, such as the raters and the clients who "
    "stayed, are not varied.",
    "The joint tests ask whether any effect exists. Analyses of the same clients are alike, so many significant ones are "
    "not many pieces of evidence.",
    "In mixed models of permuted data the variances are held at their values in the real data.",
)
_OWN_EFFECTS = (
    "Permuted data have no effect for any therapist. If the effect is zero on average but differs between therapists, "
    "the tests by the median and by the number of significant analyses can be too small."
)
#: Below this share of analyses with its sign, the main answer depends on the choices.
FRAGILE = 0.9
#: A main analysis above (below) this share of the others is an extreme one.
EXTREME = 0.95


def answer(draft: Draft, found: Multiverse, main: Summary, every: Summary, setting: Setting) -> None:
    """What all analyses say together."""
    better = "better" if main_sign(found) > 0 else "worse"
    whose = (
        "clients of therapists with a better alliance"
        if setting.effect == "between"
        else f"clients{' of the same therapist' if draft.therapists_known else ''} with a better alliance"
    )
    k = Number(main.cells, "integer", "analysis", "analyses")
    share = say("{same} of the {k:noun}", same=Number(main.same, "percent"), k=k)
    draft.say(
        "{which} of the main question have the sign of the main analysis: {whose} have a {better} outcome. The "
        "median effect is {median} standard deviations of outcome per standard deviation of alliance.",
        which=say("All {k:noun}", k=k) if main.same == 1 else share,
        whose=whose,
        better=better,
        median=Number(main.median, n=main.n),
    )
    which = (
        say("All of them are significant")
        if main.significant == main.cells
        else say(
            "Of them, {k} {k:is|are} significant" if main.significant else "None of them is significant",
            k=Number(main.significant, "integer"),
        )
    )
    draft.say(
        "{which}; without any effect one would expect {expected}. Judged together, the analyses {verdict} (p = {by_t} by "
        "the mean t, {by_median} by the median).",
        which=which,
        expected=say("about {k}", k=Number(main.expected, "integer"))
        if main.expected >= 1
        else say("fewer than one"),
        verdict="show an effect that chance does not explain"
        if main.p_mean_t < 0.05
        else "do not clearly differ from what chance produces",
        by_t=Number(main.p_mean_t, "p"),
        by_median=Number(main.p_median, "p"),
    )
    if every.cells > main.cells:
        draft.say(
            "{all} {k:noun}, with other parts of the alliance and other clients, {same} this sign.",
            all=say("All") if every.same == 1 else say("Of all"),
            k=Number(every.cells, "integer", "analysis", "analyses"),
            same=say("have") if every.same == 1 else say("{share} have", share=Number(every.same, "percent")),
        )
    moving = shares_of_choices(found)
    if moving and moving[0][1] > 0:
        draft.say(
            "The choice that moves the answer most is '{axis}' ({share} of the differences between analyses).",
            axis=AXES[moving[0][0]].lower(),
            share=Number(moving[0][1], "percent"),
        )


def findings(draft: Draft, found: Multiverse, main: Summary) -> None:
    """What a reader has to know of the curve."""
    if main.same < FRAGILE:
        draft.find(
            "answer_depends_on_choices",
            "caution",
            "Only {same} of the {k:noun} of the main question have the sign of the main analysis. The direction of the answer "
            "depends on the choices.",
            "main question",
            same=Number(main.same, "percent"),
            k=Number(main.cells, "integer", "analysis", "analyses"),
        )
    if main.against:
        draft.find(
            "significant_in_both_directions",
            "caution",
            "{n:noun} of the main question {n:is|are} significant in the direction opposite to the others. Look at the choices "
            "behind {n:it|them}.",
            "main question",
            n=Number(main.against, "integer", "analysis", "analyses"),
        )
    _extreme(draft, found)
    lost = int(found.curve.table["estimate"].isna().sum())
    if lost:
        draft.find(
            "analyses_not_estimated",
            "info",
            "{n:noun} of {all} could not be made, because too few {who} have the data or the model could not be "
            "fitted. They are not counted.",
            "all questions",
            n=Number(lost, "integer", "analysis", "analyses"),
            all=Number(len(found.specs), "integer"),
            who="clients or therapists" if draft.therapists_known else "clients",
        )


def _extreme(draft: Draft, found: Multiverse) -> None:
    """A main analysis at the end of the curve may have been chosen for its result."""
    own = found.of(found.question)
    estimate = float(found.curve.table["estimate"].iloc[found.main])
    if own is None or np.isnan(estimate) or len(own.table) < 20:
        return
    others = own.table["estimate"].dropna()
    sign = 1 if estimate > 0 else -1
    beyond = float((sign * others < sign * estimate).mean())
    if beyond > EXTREME:
        draft.find(
            "main_analysis_is_extreme",
            "caution",
            "The main analysis gives a larger effect than {share} of the other analyses of the same question. The median is the "
            "more typical answer.",
            "main analysis",
            share=Number(beyond, "percent"),
        )


def methods(draft: Draft, found: Multiverse, setting: Setting, n_perm: int) -> None:
    """The methods section, from the parameters."""
    axes = [c for c in AXES if c in found.curve.table and found.curve.table[c].nunique() > 1]
    options = joined(
        [
            say(
                "{axis} ({options})",
                axis=AXES[axis].lower(),
                options=" / ".join(dict.fromkeys(map(str, found.curve.table[axis]))),
            )
            for axis in axes
        ],
        "; ",
    )
    known = draft.therapists_known
    level = f"{setting.effect} therapists" if known else "between clients"
    of = (
        {"within": "clients around their therapist", "between": "therapists"}[setting.effect]
        if known
        else "all clients"
    )
    draft.limits += [_OWN_EFFECTS] if known else []
    draft.method(
        say("Every combination of these choices was analysed: {options}. ", options=options)
        + Sentence("Mixed models were fitted for the total score only. " if _mixed_for_total(found) else "")
        + _outcomes(found, setting),
        f"Each analysis estimates the effect of early alliance {level} for one standard deviation of "
        f"alliance ({of}), in standard deviations of the intake score "
        "(recovery: of its own), turned so that a positive number means better outcome. "
        + (_estimators(setting) if known else _WITHOUT),
        _joint(setting, n_perm, known=known),
    )
    draft.cite("simonsohn2020", "steegen2016", "freedman1983", "bell2002", "pustejovsky2018")


def _mixed_for_total(found: Multiverse) -> bool:
    table = found.curve.table
    if "scale" not in table or table["estimator"].nunique() < 2:
        return False
    mixed = table["estimator"] != "least squares"
    return bool(table.loc[mixed, "scale"].nunique() < table["scale"].nunique())


def _outcomes(found: Multiverse, setting: Setting) -> Sentence:
    """How each outcome is made."""
    used = {s.outcome for s in found.specs}
    time = setting.time
    said = []
    if "slope" in used:
        said.append(
            say(
                "{name} after the window, over {horizon:noun} (by least squares a line through the scores of each client with three or "
                "more of them)",
                name=OUTCOMES["slope"],
                horizon=Number(setting.horizon, "integer", time),
            )
        )
    if "last" in used:
        said.append(Sentence("change from intake to the last score"))
    if "horizon" in used:
        said.append(
            say(
                "{name}, from intake to the score nearest to {horizon:noun} after the window (given intake severity, this is "
                "residual change)",
                name=OUTCOMES["horizon"],
                horizon=Number(setting.horizon, "integer", time),
            )
        )
    if "recovered" in used:
        said.append(
            Sentence(
                "recovery, that is reliably improved and in the functional range at the last score, among clients who were in the "
                "clinical range at intake (a linear model of yes or no)"
            )
        )
    return Sentence("Outcomes: ") + joined(said, "; ") + "."


def _estimators(setting: Setting) -> str:
    """How the estimators separate therapists."""
    if setting.effect == "within":
        return (
            "Least squares centres all variables on the therapist's mean, and has cluster-robust (CR2) errors by therapist (Bell & "
            "McCaffrey, 2002; Pustejovsky & Tipton, 2018). Three-level models have random effects of therapists and, where the "
            "design allows, an effect of alliance that differs between them; two-level models have none of therapists."
        )
    return (
        "Least squares takes therapists' means as rows, with robust (CR2) errors. Three-level models have random effects of "
        "therapists; two-level models have none."
    )


#: The estimators where no therapist is named.
_WITHOUT = (
    "No therapist is named for these clients. Least squares has robust (CR2) errors, with each client counting alone (Bell & McCaffrey, "
    "2002; Pustejovsky & Tipton, 2018). Mixed models of a course have random effects of clients."
)


def _joint(setting: Setting, n_perm: int, *, known: bool) -> Sentence:
    """How the analyses are judged together."""
    moved = (
        f"The alliance histories of {'clients of the same therapist' if known else 'all clients'} were permuted"
        if setting.effect == "within"
        else "The mean alliances of therapists were permuted among therapists"
    )
    return (
        Sentence("The joint test follows Simonsohn et al. (2020). ")
        + say(
            "{moved} {n} times, the same permutation for every analysis, and all analyses were run again. ",
            moved=moved,
            n=Number(n_perm, "integer"),
        )
        + "With adjustment variables, the residuals of the outcome were permuted (Freedman & Lane, 1983), in mixed models those of "
        "the alliance. p is the share of permutations with a curve at least as extreme, the real data counted as one of them. The "
        "share of differences that a choice explains is eta squared of a model with main effects of all choices."
    )
