"""Estimates and tables of a plan."""

from typing import TYPE_CHECKING, Any

from alliance_longitudinal.analyses.kit import Draft, Estimate, Number, say
from alliance_longitudinal.analyses.planning.basis import Basis, own_estimates
from alliance_longitudinal.analyses.planning.compute import (
    MOST,
    Planned,
    arm_power,
    clients_needed,
    clients_per_arm,
    therapists_for_share,
    therapists_needed,
)
from alliance_longitudinal.present import Column, Table

if TYPE_CHECKING:
    from alliance_longitudinal.methods.planning.simulate import SimulatedPlan

WORDS = {
    "within": "Effect within therapists",
    "within_same": "Effect within therapists, if the same for all",
    "between": "Effect between therapists",
}
_SOURCES = {
    "given": "as asked for",
    "interval": "end of the interval nearer to zero",
    "usual": "not from the study: its interval includes zero or is not available",
}
_SPREADS = {
    "given": "as asked for",
    "interval": "upper limit of the interval",
    "usual": "not from the study: half of the effect",
}
_SHARES = {
    "given": "as asked for",
    "interval": "{end} limit of the interval",
    "usual": "not from the study: about the mean of the literature",
}


def show_sizes(draft: Draft, basis: Basis, planned: Planned, unit: str) -> None:
    """The study's own estimates, and the sizes that the plan takes from them."""
    draft.estimate(*own_estimates(basis, unit))
    rows: list[dict[str, Any]] = []
    for name in planned.effects:
        size = planned.effects[name]
        draft.estimate(
            Estimate(f"planned_{name}", f"{WORDS[name]}, planned for", size, n=basis.clients, unit=unit)
        )
        rows.append(
            {
                "what": f"{WORDS[name]} ({unit})",
                "size": say("{x}", x=Number(size, n=basis.clients)),
                "source": _SOURCES[planned.sources[name]],
            }
        )
    if planned.effects:
        what = "SD between therapists of the effect within them"
        spread = planned.effect_sd
        draft.estimate(
            Estimate("planned_effect_sd", f"{what}, planned for", spread, n=basis.clients, unit=unit)
        )
        source = _SPREADS[planned.sources["effect_sd"]]
        shown = say("{x}", x=Number(spread, n=basis.clients))
        rows.insert(1, {"what": f"{what} ({unit})", "size": shown, "source": source})
    for key, what, share, end in (
        ("share", "Therapists' share of the rate of change, for effects", planned.share, "upper"),
        ("least_share", "Therapists' share of the rate of change, to be found", planned.least_share, "lower"),
    ):
        draft.estimate(Estimate(f"planned_{key}", what, share, n=basis.clients, unit="share"))
        rows.append(
            {
                "what": what,
                "size": say("{x}", x=Number(share, "percent")),
                "source": _SHARES[planned.sources[key]].format(end=end),
            }
        )
    columns = [Column("what", "Size"), Column("size", "Planned for"), Column("source", "Source")]
    note = (
        "An effect that an estimate suggests is likely to be too large. So the plan takes the end of the 95 % interval that asks for more "
        "clients: the smaller effect, the larger difference of effects between therapists, and the larger share of therapists (the smaller one "
        "where this share is what is to be found)."
    )
    draft.show(Table.from_rows("sizes", "What the study is planned for", "results", rows, columns, note))


def show_power(draft: Draft, basis: Basis, planned: Planned) -> None:
    """Closed forms: power of the plan, and the numbers that the wanted power needs."""
    n, rows = basis.clients, []
    alike = ("within_same",) if planned.plan.effect_variance > 0 and planned.effects else ()
    for name in sorted((*planned.effects, *alike), key=list(WORDS).index):
        power = planned.power(planned.plan, name)
        therapists, clients = therapists_needed(planned, name), clients_needed(planned, name)
        draft.estimate(
            Estimate(f"power_{name}", f"{WORDS[name]}: power", power, n=n, unit="probability"),
            *_number(f"n_for_80_{name}", f"{WORDS[name]}: therapists needed", therapists, n),
            *_number(f"clients_for_80_{name}", f"{WORDS[name]}: clients per therapist needed", clients, n),
        )
        rows.append(
            {
                "what": WORDS[name],
                "power": power,
                "therapists": _therapists(therapists),
                "clients": _clients(clients),
            }
        )
    found = planned.plan.power_therapists(planned.least_share)
    therapists, clients = therapists_for_share(planned), clients_needed(planned, "therapists")
    draft.estimate(
        Estimate(
            "power_therapists", "Differences between therapists: power", found.power, n=n, unit="probability"
        ),
        Estimate(
            "p_zero",
            "Differences between therapists: probability that the estimate is zero",
            found.zero,
            n=n,
            unit="probability",
        ),
        *_number("n_for_80_therapists", "Differences between therapists: therapists needed", therapists, n),
        *_number(
            "clients_for_80_therapists",
            "Differences between therapists: clients per therapist needed",
            clients,
            n,
        ),
    )
    rows.append(
        {
            "what": "Differences between therapists in the rate of change",
            "power": found.power,
            "therapists": _therapists(therapists),
            "clients": _clients(clients),
        }
    )
    columns = [
        Column("what", "To be found"),
        Column("power", "Power of the plan", "percent", modelled=True),
        Column("therapists", "Therapists needed"),
        Column("clients", "Or clients per therapist"),
    ]
    note = say(
        "Closed forms, which allow for dropout and missing scores approximately; tests at {alpha} %, two-sided. Needed: for a power of {target}, with the planned clients of each "
        "therapist, or with the planned therapists. The rest of the plan stays as it is.",
        alpha=Number(5, "integer"),
        target=Number(planned.target, "percent"),
    )
    draft.show(
        Table.from_rows("power", "Power of the plan, and what it needs", "results", rows, columns, note)
    )


def show_arms(
    draft: Draft, basis: Basis, planned: Planned, difference: float, controls: int, unit: str
) -> None:
    """A difference between two arms."""
    power, per_arm = arm_power(planned, difference, controls), clients_per_arm(planned, difference)
    design = "clients of the other arm have no therapist" if controls else "each therapist treats in one arm"
    found = [
        Estimate(
            "power_arm",
            f"Difference of two arms: power ({design})",
            power,
            n=basis.clients,
            unit="probability",
        ),
        Estimate(
            "clients_per_arm",
            "Difference of two arms: clients per arm needed, without therapists",
            per_arm,
            n=basis.clients,
            unit="planned clients",
        ),
    ]
    draft.estimate(*found)
    rows = [
        {
            "what": say("{x} {unit}; {design}", x=Number(difference), unit=unit, design=design),
            "power": power,
            "per_arm": per_arm,
        }
    ]
    columns = [
        Column("what", "Difference of the arms' rates of change"),
        Column("power", "Power of the plan", "percent", modelled=True),
        Column("per_arm", "Clients per arm needed", "integer"),
    ]
    note = (
        "The last column ignores that clients share therapists, and is the least that a trial needs. Compare it with the power of the plan, "
        "which allows for therapists."
    )
    draft.show(Table.from_rows("arms", "Two arms", "results", rows, columns, note))


def show_simulated(draft: Draft, basis: Basis, planned: Planned, found: "dict[int, SimulatedPlan]") -> None:
    """Power, bias, coverage and failures of the simulated studies; without planned effects their failures only."""
    rows = []
    for j, study in found.items():
        table = study.table(planned.effects)
        own = j == planned.plan.therapists
        for name, row in table.iterrows():
            rows.append(
                {
                    "what": WORDS[str(name)] + (" (plan)" if own else ""),
                    "therapists": j,
                    "studies": study.n_sim,
                    "closed": planned.power(study.plan, str(name)),
                    "singular": study.singular,
                    "none": study.no_certificate,
                }
                | {k: float(row[k]) for k in ("power", "power_error", "coverage", "bias", "median_size")}
            )
            if own:
                draft.estimate(*_of_simulation(str(name), row, basis.clients))
        if own:
            draft.estimate(
                Estimate(
                    "p_singular",
                    "Studies with a variance at its boundary",
                    study.singular,
                    _error(study.singular, study.n_sim),
                    n=basis.clients,
                    unit="probability",
                ),
                Estimate(
                    "p_no_certificate",
                    "Studies whose model did not converge",
                    study.no_certificate,
                    _error(study.no_certificate, study.n_sim),
                    n=basis.clients,
                    unit="probability",
                ),
            )
    columns = [
        Column("what", "Effect"),
        Column("therapists", "Therapists", "integer"),
        Column("studies", "Simulated studies", "integer"),
        Column("closed", "Power, closed form", "percent", modelled=True),
        Column("power", "Power, simulated", "percent", modelled=True),
        Column("power_error", "Monte Carlo error", "percent", modelled=True),
        Column("coverage", "Coverage", "percent", modelled=True),
        Column("bias", "Bias", "number"),
        Column("median_size", "Effects that were found, relative to the true one", "percent", modelled=True),
        Column("singular", "Variance at its boundary", "percent", modelled=True),
        Column("none", "Not converged", "percent", modelled=True),
    ]
    note = (
        "Each study was simulated with the planned dropout and missing scores, and its model fitted. A study whose model did not converge counts "
        "as one that finds nothing. Effects that were found, relative to the true one: the median estimate of the studies that found the effect; with low power "
        "it is too large."
    )
    if rows:
        draft.show(Table.from_rows("simulated", "Simulated studies", "results", rows, columns, note))


def _of_simulation(name: str, row: Any, n: int) -> list[Estimate]:
    return [
        Estimate(
            f"{key}_{name}", f"{WORDS[name]}: {words}", float(row[column]), float(row[error]), n=n, unit=unit
        )
        for key, words, column, error, unit in (
            ("simulated_power", "power, simulated", "power", "power_error", "probability"),
            (
                "coverage",
                "coverage of 95 % intervals, simulated",
                "coverage",
                "coverage_error",
                "probability",
            ),
            ("bias", "bias, simulated", "bias", "bias_error", "bias"),
        )
    ]


def _error(p: float, n: int) -> float:
    return float((p * (1 - p) / n) ** 0.5) or float("nan")


def _number(identity: str, label: str, value: int | None, n: int) -> list[Estimate]:
    return [] if value is None else [Estimate(identity, label, value, n=n, unit="planned number")]


def _therapists(value: int | None) -> str:
    if value is None:
        return say("more than {most}", most=Number(MOST, "integer"))
    return say("{x}", x=Number(value, "integer"))


def _clients(value: int | None) -> str:
    return "no number suffices" if value is None else say("{x}", x=Number(value, "integer"))
