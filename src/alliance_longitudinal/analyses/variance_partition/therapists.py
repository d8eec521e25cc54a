"""What can be said of therapists: whether they differ, whether this study could have seen it, how reliable each estimate is."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Draft, Estimate
from alliance_longitudinal.analyses.variance_partition.compute import Divided
from alliance_longitudinal.errors import DataError, FitError
from alliance_longitudinal.sentences import say, told

if TYPE_CHECKING:
    from alliance_longitudinal.methods.dyads.one_with_many import OneWithMany

#: A single therapist is shown in order only with at least so many clients, and an estimate at least so reliable.
MIN_OWN_CLIENTS, MIN_RELIABILITY = 10, 0.5
#: Draws of simulated distributions.
DRAWS = 10_000
#: The bootstrap ends early once this share of all its refits reach the statistic: p is then above it.
SETTLED = 0.1
#: Fewest therapists with two or more clients for a correlation of their effects.
MIN_CORRELATED = 10
#: Draws of ranks, which are not shown.
_RANKS = 2


@dataclass(frozen=True, slots=True)
class Therapists:
    """Therapists' effects in one model.

    Attributes
    ----------
    divided : Divided
    frame : DataFrame
        Rising, one row per therapist: ``mode`` (the estimate, pulled towards the mean), ``lower, upper`` (95 %),
        ``compare_lower, compare_upper``, ``clients``, ``reliability``, ``mean`` (not pulled) and ``shown``, whether it may be
        shown in order.
    sigma : float
        Standard deviation of a client around the therapist's mean.
    tau : float
        Standard deviation between therapists.
    """

    divided: Divided
    frame: pd.DataFrame
    sigma: float
    tau: float

    @property
    def distinct(self) -> int:
        """Therapists whose 95 % interval excludes the mean."""
        return int(((self.frame["lower"] > 0) | (self.frame["upper"] < 0)).sum())


def tests(draft: Draft, found: Divided, n_sim: int, seed: int) -> list[Estimate]:
    """P values for no difference between therapists: the mixture for many groups, and a simulated distribution."""
    result, n = found.fitted.result, len(found.clients)
    ways = {
        "mixture": ("mixture of chi-squared distributions", None),
        "boot": ("parametric bootstrap", n_sim if found.kind == "change" else DRAWS),
    }
    out = []
    for key, (words, draws) in ways.items():
        method = "mixture" if draws is None else "bootstrap" if found.kind == "change" else "exact"
        enough = round(SETTLED * n_sim) if method == "bootstrap" else None
        try:
            table = result.variance_tests(
                method, n_sim=draws, seed=seed, group="therapist", effects=found.effect, exceedances=enough
            )
        except FitError as error:
            draft.find("no_test", "caution", "{why}", found.fitted.title, why=told(error))
            continue
        p = float(table["p"].iloc[0])
        label = say("{what}: p of no difference between therapists, {test}", what=found.words, test=words)
        out.append(
            Estimate(f"tau_p_{key}_{found.name}", label, p, p=p, n=n, level="therapist", unit="p value")
        )
    return out


def power_of_model(found: Divided, share: float, seed: int) -> list[Estimate]:
    """Chance of an estimate of zero, and power, if therapists had this share of the variance in the model's own design."""
    table = found.fitted.result.varcorr
    own = table[(table["group"] == "therapist") & table["term2"].isna()]
    if len(own) != 1 or found.kind == "change":
        return []
    others = float(table.loc[table["term2"].isna() & table["group"].ne("therapist"), "vcov"].sum())
    try:
        power = found.fitted.result.variance_power(
            "therapist", share / (1 - share) * others, n_sim=DRAWS, seed=seed
        )
    except FitError:
        return []
    return _pair(found.words, f"_{found.name}", power.zero, power.power, len(found.clients), DRAWS)


def power_of_design(caseloads: "pd.Series[int]", share: float, seed: int) -> list[Estimate]:
    """The same for one score per client, exactly for equal caseloads, else by simulation."""
    from alliance_longitudinal.methods import power_variance, power_variance_unequal

    j, n = len(caseloads), int(caseloads.max())
    if j < 2 or n < 2:
        return []
    equal = bool(caseloads.eq(n).all())
    found = (
        power_variance(j, n, share) if equal else power_variance_unequal(list(caseloads), share, DRAWS, seed)
    )
    return _pair("One score per client", "", found.zero, found.power, j, 0 if equal else DRAWS)


def _pair(words: str, of: str, zero: float, power: float, n: int, draws: int) -> list[Estimate]:
    out = []
    for key, label, value in (
        ("p_zero", "probability that the estimate is zero", zero),
        ("power_here", "probability of finding that therapists differ", power),
    ):
        se = float(np.sqrt(value * (1 - value) / draws)) if draws else float("nan")
        out.append(
            Estimate(
                f"{key}{of}",
                say("{what}: {chance}", what=words, chance=label),
                value,
                se,
                n=n,
                level="therapist",
                unit="probability",
            )
        )
    return out


def therapists_of(found: Divided) -> Therapists | None:
    """Effects of therapists in a model of level or of the end; None without a difference between them."""
    result = found.fitted.result
    table = result.varcorr[result.varcorr["term2"].isna()].set_index(["group", "term1"])["vcov"]
    tau2 = float(table.loc[("therapist", "Intercept")])
    if found.kind == "change" or not tau2 > 0:
        return None
    frame = result.caterpillar("therapist", n_draws=_RANKS).frame
    frame = frame[frame["effect"] == "Intercept"].set_index("level")
    by_client = _deviations(found)
    frame["clients"] = found.clients.reindex(frame.index)
    frame["mean"] = by_client.groupby("therapist")["deviation"].mean().reindex(frame.index)
    frame["reliability"] = 1 - frame["sd"] ** 2 / tau2
    frame["shown"] = (frame["clients"] >= MIN_OWN_CLIENTS) & (frame["reliability"] >= MIN_RELIABILITY)
    within = by_client["deviation"] - by_client.groupby("therapist")["deviation"].transform("mean")
    spare = len(by_client) - by_client["therapist"].nunique()
    sigma = float(np.sqrt((within**2).sum() / spare)) if spare > 0 else float("nan")
    return Therapists(found, frame.reset_index(drop=True), sigma, float(np.sqrt(tau2)))


def _deviations(found: Divided) -> pd.DataFrame:
    """What each client's mean is above or below what the fixed part expects."""
    rows = found.rows
    expected = found.fitted.result.predict(rows, groups=False)
    off = pd.DataFrame(
        {"client": rows["client"], "therapist": rows["therapist"], "deviation": rows["y"] - expected}
    )
    return off.dropna().groupby(["therapist", "client"], as_index=False)["deviation"].mean()


def describe(draft: Draft, own: Therapists) -> list[Estimate]:
    """Median reliability, and how many therapists differ from the mean."""
    name, words, n = own.divided.name, own.divided.words, len(own.frame)
    return [
        Estimate(
            f"reliability_median_{name}",
            say("{what}: reliability of a therapist's estimate, median", what=words),
            float(own.frame["reliability"].median()),
            n=n,
            level="therapist",
            unit="reliability",
        ),
        Estimate(
            f"n_distinct_95_{name}",
            say("{what}: therapists whose interval excludes the mean", what=words),
            own.distinct,
            n=n,
            level="therapist",
            unit="therapists",
        ),
    ]


def correlation(level: Divided, end: Divided) -> "OneWithMany | str":
    """Therapists' effects on the alliance and on the outcome together; why there is none, as a sentence.

    Every client's mean of the alliance and last outcome score, each less what the fixed part of its model expects and turned so
    that more is better.
    """
    from alliance_longitudinal.methods import one_with_many

    parts = []
    for role, found in (("alliance", level), ("outcome", end)):
        sign = 1.0 if found.measure.instrument.direction == "higher_better" else -1.0
        parts.append(_deviations(found).assign(role=role, deviation=lambda d, s=sign: s * d["deviation"]))
    frame = pd.concat(parts, ignore_index=True)
    both = frame.groupby(["therapist", "client"])["role"].nunique().eq(2)
    usable = int((both.groupby("therapist").sum() >= 2).sum())
    if usable < MIN_CORRELATED:
        return "few"
    try:
        return one_with_many(frame, "deviation", "role", "therapist", "client")
    except (DataError, FitError):
        return "failed"


def correlation_estimates(found: "OneWithMany", label: str) -> list[Estimate]:
    """The correlation between therapists, and between clients of the same therapist, with profile limits."""
    out = []
    for identity, name, words, n, level in (
        ("r_therapist_alliance_outcome", "recip_general", "therapists", found.therapists, "therapist"),
        (
            "r_client_alliance_outcome",
            "recip_dyadic",
            "clients of the same therapist",
            found.clients,
            "client",
        ),
    ):
        r = float(found.params[name])
        if not np.isfinite(r):
            continue
        low, high = found.profile(name)
        out.append(
            Estimate(
                identity,
                say("{label}, {what}", label=label, what=words),
                r,
                ci_low=low,
                ci_high=high,
                n=n,
                level=level,
                unit="correlation",
            )
        )
    return out
