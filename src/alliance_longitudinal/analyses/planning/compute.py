"""The plan: which effects it is made for, its closed forms, the numbers that it needs, and its simulation."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from alliance_longitudinal.analyses.planning.basis import Basis, Interval
from alliance_longitudinal.errors import DataError

if TYPE_CHECKING:
    from alliance_longitudinal.methods.planning.plan import StudyPlan
    from alliance_longitudinal.methods.planning.simulate import SimulatedPlan

#: Where an interval says nothing of a size: this many standard deviations of clients' true rates of change.
SMALLEST = 0.2
#: The same for a share of therapists, the mean of the literature; and the least share that an interval can give.
USUAL_SHARE, LEAST_SHARE = 0.05, 0.01
#: The largest share that a plan is made for.
MOST_SHARE = 0.8
#: Standard deviation of the effect between therapists, as a part of the effect, where the study says nothing of it: the effect then
#: has the other sign for one therapist in forty.
USUAL_SPREAD = 0.5
#: Most therapists, and clients of each, that a search goes through.
MOST = 2000
#: Lines of a figure and points of a line.
CASELOADS, POINTS = (5, 10, 20, 40), 8


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan and the effects that it is made for.

    Attributes
    ----------
    plan : StudyPlan
    effects : dict of str to float
        ``within`` and ``between``: change of the rate of change per standard deviation.
    sources : dict of str to str
        Where each size is from: ``given``, ``interval`` or ``usual``; also for ``share``, ``least_share`` and ``effect_sd``.
    effect_sd : float
        Standard deviation of the effect within therapists between them.
    share : float
        Therapists' share of the variance of true rates of change that makes effects hard to find.
    least_share : float
        The share that is to be found.
    target : float
        Wanted power.
    """

    plan: "StudyPlan"
    effects: dict[str, float]
    sources: dict[str, str]
    effect_sd: float
    share: float
    least_share: float
    target: float

    def with_sizes(self, therapists: int, clients: int | tuple[int, ...] | None = None) -> "StudyPlan":
        """The plan with other numbers of therapists, or of clients of each."""
        from alliance_longitudinal.methods import StudyPlan

        p = self.plan
        sizes = p.caseloads if clients is None else clients
        return StudyPlan.of(
            therapists,
            sizes,
            p.times,
            residual=p.residual,
            client=p.client,
            therapist=p.therapist,
            dropout=p.dropout,
            missing=p.missing,
            effect_variance=p.effect_variance,
        )

    def power(self, plan: "StudyPlan", effect: str) -> float:
        """Closed-form power of a plan; 0 where too few are planned.

        ``effect`` is ``within``, ``within_same`` (the same for all therapists), ``between``, or ``therapists`` for the least share.
        """
        try:
            if effect == "therapists":
                return plan.power_therapists(self.least_share).power
            if effect == "between":
                return plan.power_between(self.effects[effect])
            if effect == "within_same":
                plan = replace(plan, effect_variance=0.0)
            return plan.power_within(self.effects["within"])
        except DataError:
            return 0.0


def make_plan(
    basis: Basis,
    therapists: int,
    clients: tuple[int, ...],
    sessions: int,
    given: dict[str, float | None],
    dropout: float,
    missing: float,
    target: float,
) -> Planned:
    """The plan, with the ends of intervals where no size is given."""
    from alliance_longitudinal.methods import StudyPlan

    effects, sources = {}, {}
    for name in basis.effects:
        own: Interval | None = getattr(basis, name)
        effects[name], sources[name] = _size(given[name], own, SMALLEST * basis.sd_rate)
    spread, sources["effect_sd"] = _spread(given["effect_sd"], basis.effect_sd, effects.get("within", 0.0))
    share, least = given["share"], given["share"]
    sources["share"] = sources["least_share"] = "given"
    if share is None or least is None:
        high = basis.share.high if basis.share else float("nan")
        low = basis.share.low if basis.share else float("nan")
        share, sources["share"] = (min(high, MOST_SHARE), "interval") if high > 0 else (USUAL_SHARE, "usual")
        least, sources["least_share"] = (
            (min(low, MOST_SHARE), "interval") if low >= LEAST_SHARE else (USUAL_SHARE, "usual")
        )
    plan = StudyPlan.of(
        therapists,
        clients,
        [basis.spacing * k for k in range(sessions)],
        residual=basis.residual,
        client=basis.client,
        therapist=_with_share(basis, share),
        dropout=dropout,
        missing=missing,
        effect_variance=spread**2,
    )
    return Planned(plan, effects, sources, spread, share, least, target)


def _spread(given: float | None, own: Interval | None, effect: float) -> tuple[float, str]:
    if given is not None:
        return given, "given"
    if own is not None and np.isfinite(own.high):
        return own.high, "interval"
    return USUAL_SPREAD * abs(effect), "usual"


def _size(given: float | None, own: Interval | None, usual: float) -> tuple[float, str]:
    if given is not None:
        return given, "given"
    if own is not None and own.nearest_to_zero:
        return own.nearest_to_zero, "interval"
    sign = -1.0 if own is not None and own.estimate < 0 else 1.0
    return sign * usual, "usual"


def _with_share(basis: Basis, share: float) -> np.ndarray:
    """The therapists' covariance with a variance of the rate of change that makes this share of the true rates'."""
    out = np.array(basis.therapist)
    variance = share / (1 - share) * basis.client[1, 1]
    out[0, 1] = out[1, 0] = out[0, 1] * np.sqrt(variance / out[1, 1]) if out[1, 1] > 0 else 0.0
    out[1, 1] = variance
    return out


def needed(power: Callable[[int], float], target: float, least: int) -> int | None:
    """The least number from which the power is reached, by halving; None if ``MOST`` do not suffice."""
    if power(MOST) < target:
        return None
    low, high = least - 1, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if middle >= least and power(middle) >= target else (middle, high)
    return high


def therapists_needed(planned: Planned, effect: str) -> int | None:
    """Therapists with the planned caseloads that find an effect with the wanted power."""
    return needed(lambda j: planned.power(planned.with_sizes(j), effect), planned.target, 3)


def clients_needed(planned: Planned, effect: str) -> int | None:
    """Clients of each of the planned therapists; None where no number suffices."""
    j = planned.plan.therapists
    return needed(lambda n: planned.power(planned.with_sizes(j, n), effect), planned.target, 2)


def therapists_for_share(planned: Planned) -> int | None:
    """Therapists with equal caseloads of the planned mean that find that therapists differ."""
    n = max(2, round(planned.plan.clients / planned.plan.therapists))
    return needed(lambda j: planned.power(planned.with_sizes(j, n), "therapists"), planned.target, 3)


def simulations(planned: Planned, n_sim: int, seed: int) -> "dict[int, SimulatedPlan]":
    """Simulated studies of the plan, and fewer of half and of double as many therapists, by their number."""
    from alliance_longitudinal.methods import simulate_plan

    j = planned.plan.therapists
    found = {j: simulate_plan(planned.plan, n_sim, seed)}
    for k, other in enumerate((max(3, j // 2), 2 * j), start=1):
        if other != j:
            found[other] = simulate_plan(planned.with_sizes(other), max(50, n_sim // 5), seed + k)
    return dict(sorted(found.items()))


def curves(planned: Planned, effect: str) -> list[tuple[int, int, float]]:
    """Clients of each, therapists and power, for a figure."""
    most = max(2 * planned.plan.therapists, 20)
    each = np.unique(np.linspace(4, most, POINTS).round().astype(int))
    mean = round(planned.plan.clients / planned.plan.therapists)
    return [
        (n, int(j), planned.power(planned.with_sizes(int(j), n), effect))
        for n in sorted({*CASELOADS, max(mean, 2)})
        for j in each
    ]


def arm_power(planned: Planned, difference: float, controls: int) -> float:
    """Power for a difference of two arms' rates of change.

    Without ``controls`` half of the therapists treat in each arm: the arm is a characteristic of therapists. With ``controls`` only the
    treated clients have therapists (`methods.power_partial`).
    """
    from alliance_longitudinal.methods import power_partial

    plan = planned.plan
    if not controls:
        return plan.power_between(difference / 2)
    total = plan.between_clients + plan.therapist[1][1]
    size = max(1, round(plan.clients / plan.therapists))
    return power_partial(difference / np.sqrt(total), plan.therapists, size, controls, plan.share)


def clients_per_arm(planned: Planned, difference: float) -> int:
    """Clients per arm of a trial whose clients share no therapists (`methods.power_slopes`), two-sided.

    Clients' true rates of change differ, so their variance is added to that of the estimated rates.
    """
    from alliance_longitudinal.methods import power_slopes

    when = np.array(planned.plan.times)
    spread = float(np.sum((when - when.mean()) ** 2))
    return power_slopes(
        difference,
        planned.plan.times,
        planned.plan.between_clients * spread,
        0.0,
        planned.target,
        one_sided=False,
    )


def without_therapists(planned: Planned) -> "StudyPlan":
    """The plan of the same clients with a quarter of the therapists."""
    j = max(3, planned.plan.therapists // 4)
    return planned.with_sizes(j, max(2, round(planned.plan.clients / j)))


def doubtful(planned: Planned, found: "SimulatedPlan", effect: str) -> bool:
    """Whether closed form and simulation differ by more than three Monte Carlo errors."""
    row = found.table({effect: planned.effects[effect]}).loc[effect]
    closed = planned.power(replace(planned.plan), effect)
    error = max(float(row["power_error"]), float(np.sqrt(closed * (1 - closed) / found.n_sim)))
    return abs(float(row["power"]) - closed) > 3 * error
