"""The words of the report on therapists' development."""

from collections.abc import Mapping, Sequence

from alliance_longitudinal.analyses.kit import Draft, Estimate, Number, Sentence, listed, say, time_unit
from alliance_longitudinal.analyses.therapist_development.compute import OUTCOMES, Change
from alliance_longitudinal.analyses.therapist_development.design import TEN, Cases
from alliance_longitudinal.data.study import Measure

LIMITS = (
    "Case one is the therapist's first client in the data, not in the career.",
    "A change over cases is also a change over calendar time: the clinic, its clients and its forms may have changed, too.",
    "Clients were not assigned to therapists in a random order. If therapists later see more difficult clients, adjusting for the score at "
    "intake may not be enough.",
    "Therapists who leave contribute few cases. If they would have developed differently, the average change is that of those who stay.",
)


def answer(draft: Draft, changes: Mapping[str, Change], a: Measure | None, y: Measure | None) -> None:
    """How the alliance and the outcome change over ten cases."""
    if a is not None and draft["alliance_case"] is not None:
        _say_change(draft, draft["alliance_case"], a, "early alliance", higher_better=True)
    if y is not None and draft["outcome_case"] is not None:
        better = y.instrument.direction == "higher_better"
        _say_change(draft, draft["outcome_case"], y, "outcome, adjusted for intake,", higher_better=better)
    alike = []
    for kind, change in changes.items():
        measure, what = (a, "early alliance") if kind == "alliance" else (y, "outcome")
        spread = draft[f"{OUTCOMES[kind]}_case_sd"]
        if measure is None or spread is None:
            continue
        if spread.ci_low > 0:
            _say_spread(draft, change, measure, what)
        else:
            alike.append(what)
    if alike:
        draft.say(
            "The data do not show that therapists differ in the change of {what} over cases. With {n:noun} such a difference is easily "
            "missed.",
            what=listed(alike),
            n=Number(max(c.therapists for c in changes.values()), "integer", "therapist"),
        )


def _say_change(
    draft: Draft, found: Estimate | None, measure: Measure, what: str, *, higher_better: bool
) -> None:
    assert found is not None
    clear = found.ci_low > 0 or found.ci_high < 0
    size = draft[f"{found.id}_d"]  # none where all clients have the same score at intake
    in_sd = (
        say("; {d} standard deviations, positive is better", d=size.number()) if size is not None else say("")
    )
    if not clear:
        draft.say(
            "Over {ten} cases of a therapist the {what} did not clearly change ({e} {label} points, 95 % interval {e:interval}{in_sd}).",
            ten=Number(TEN, "integer"),
            what=what,
            e=found.number(),
            label=measure.instrument.label,
            in_sd=in_sd,
        )
        return
    better = (found.estimate > 0) == higher_better
    draft.say(
        "Over {ten} cases of a therapist the {what} became {way} ({e} {label} points, 95 % interval {e:interval}{in_sd}).",
        ten=Number(TEN, "integer"),
        what=what,
        way="better" if better else "worse",
        e=found.number(),
        label=measure.instrument.label,
        in_sd=in_sd,
    )


def _say_spread(draft: Draft, change: Change, measure: Measure, what: str) -> None:
    """The range of the middle 95 % of therapists, where they clearly differ."""
    mean = float(change.fitted.result.params["time"])
    low, high = (mean + k * 1.96 * change.sd for k in (-1, 1))
    draft.say(
        "Therapists differ in this: by the estimated variance, 95 % of them change by {low} to {high} {label} points of {what} over {ten} "
        "cases.",
        low=Number(low),
        high=Number(high),
        label=measure.instrument.label,
        what=what,
        ten=Number(TEN, "integer"),
    )


def method_of(
    draft: Draft,
    cases: Cases,
    changes: Mapping[str, Change],
    a: Measure | None,
    y: Measure | None,
    window: tuple[int, int],
    case_number: str | None,
) -> Sequence[Sentence | str]:
    """Paragraphs of the methods section."""
    order = (
        say("Case numbers are those of the covariate {name}.", name=case_number)
        if case_number
        else Sentence(
            "Clients of a therapist were numbered in the order of their first sessions; equal dates have equal numbers."
        )
    )
    out: list[Sentence | str] = [
        order
        + " The case number was split into the therapist's mean and the difference from it; the change over cases is the coefficient of the "
        "difference, so that therapists with many clients are not compared with therapists with few."
    ]
    if a is not None:
        out.append(
            say(
                "Early alliance is the client's mean {label} over sessions {first} to {last}.",
                label=a.label,
                first=Number(window[0], "integer"),
                last=Number(window[1], "integer"),
            )
        )
    if y is not None:
        out.append(
            say(
                "The outcome is the last {label} score within {n:noun} of the first session, adjusted for the score at intake.{followed} Clients "
                "without a score after the first session are not in this model.",
                label=y.label,
                n=Number(cases.horizon, "integer", time_unit(draft.study)),
                followed=" Clients who began later than that before the end of the data are left out, so that late cases are followed as long as "
                "early ones."
                if cases.dated
                else "",
            )
        )
    structures = "; ".join(dict.fromkeys(f"{c.fitted.title}: {c.fitted.formula}" for c in changes.values()))
    out.append(
        f"Mixed models were fitted by restricted maximum likelihood ({structures}), with Satterthwaite's degrees of freedom, at most the "
        "number of therapists less one. Standard deviations between therapists have profile intervals."
    )
    return out
