"""A plan for differences between therapists alone, in a study without an alliance measure."""

from alliance_longitudinal.analyses.kit import Draft, Number, say
from alliance_longitudinal.analyses.planning.compute import Planned, therapists_for_share, without_therapists
from alliance_longitudinal.analyses.planning.words import NOTICED, said_power
from alliance_longitudinal.present import Column, Table

#: Therapists and clients of each in the table, relative to the plan's.
_TIMES = (0.5, 1.0, 2.0)


def answer_of_therapists(draft: Draft, planned: Planned, adviser: str) -> None:
    """Whether the plan can find that therapists differ, what it needs, and what fewer therapists would find."""
    plan = planned.plan
    mean = plan.clients / plan.therapists
    found = plan.power_therapists(planned.least_share)
    draft.say(
        "If therapists make up {share} of the differences in clients' rates of change, {j:noun} with {equal}{n:noun} each would show that they differ "
        "with a power of {p}. {zero} of such studies would estimate no difference at all.",
        share=Number(planned.least_share, "percent"),
        j=Number(plan.therapists, "integer", "therapist"),
        equal="" if len(set(plan.caseloads)) == 1 else "on average ",
        n=Number(mean, "integer" if mean == int(mean) else "number", "client"),
        p=said_power(found.power),
        zero=Number(found.zero, "percent"),
    )
    if planned.sources["least_share"] == "interval":
        draft.say(
            "The share is the lower limit of the {whose} interval, not its estimate, which is likely to be too large.",
            whose="study's" if adviser == "This study" else "report's",
        )
    needed = therapists_for_share(planned)
    if needed is not None:
        draft.say(
            "With this caseload, a power of {target} needs {j:noun}.",
            target=Number(planned.target, "percent"),
            j=Number(needed, "integer", "therapist"),
        )
    fewer = without_therapists(planned)
    if fewer.therapists < plan.therapists:
        power = planned.power(fewer, "therapists")
        draft.say(
            "About as many clients of {j:noun} would show it with a power of {p}.{what}",
            j=Number(fewer.therapists, "integer", "therapist"),
            p=said_power(power),
            what=" Here more clients of each therapist help more than more therapists."
            if power > found.power + NOTICED
            else "",
        )


def show_differences(draft: Draft, planned: Planned) -> None:
    """Power and probability of an estimate of zero, for half, the same and double as many therapists, and clients of each."""
    plan = planned.plan
    mean = max(2, round(plan.clients / plan.therapists))
    sizes = sorted({max(3, round(k * plan.therapists)) for k in _TIMES})
    rows = []
    for j in sizes:
        for n in sorted({max(2, round(k * mean)) for k in _TIMES}):
            found = planned.with_sizes(j, n).power_therapists(planned.least_share)
            rows.append({"therapists": j, "clients": n, "power": found.power, "zero": found.zero})
    columns = [
        Column("therapists", "Therapists", "integer"),
        Column("clients", "Clients of each", "integer"),
        Column("power", "Power", "percent", modelled=True),
        Column("zero", "Estimated as zero", "percent", modelled=True),
    ]
    note = say(
        "Test of the variance between therapists of the rate of change at {alpha} %, for a share of {share}, from the {n:noun} and the spacing of this study's "
        "model. Estimated as zero: studies that estimate no difference between therapists although there is one.",
        alpha=Number(5, "integer"),
        share=Number(planned.least_share, "percent"),
        n=Number(len(plan.times), "integer", "assessment"),
    )
    draft.show(
        Table.from_rows(
            "differences",
            "Finding that therapists differ, by therapists and clients",
            "results",
            rows,
            columns,
            note,
        )
    )
