"""Who leaves when: ends of treatment, rows at risk, the models of leaving, and cumulative incidence."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import (
    MIN_THERAPISTS,
    Draft,
    Estimate,
    Fitted,
    Hits,
    Structure,
    clusters,
    each_alone,
    usable_therapists,
    with_those_without,
)
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.sentences import told

if TYPE_CHECKING:
    from alliance_longitudinal.methods.survival.cumulative_incidence import CumulativeIncidence

#: Dropouts that each step of the baseline hazard rests on, at least.
PER_BAND = 5
Link = Literal["logit", "cloglog"]
#: A standard error on the scale of logarithms from which a predictor separates who leaves from who stays.
SEPARATED = 100.0
#: What the alliance of the last session and of all sessions so far is called in the models.
WITHIN, CLIENT, SEVERITY = "within", "client_mean", "severity"
THERAPIST = Structure("(1 | therapist)", "dropout may differ between therapists", True, False)
NONE = Structure("", "no therapist level", False, False)
THIRDS = ("lowest third", "middle third", "highest third")


@dataclass(frozen=True, slots=True)
class Leaving:
    """Ends of treatment and rows at risk.

    Attributes
    ----------
    clients : DataFrame
        One row per client: ``client, therapist, last`` (session), ``end`` (dropout, planned, other, missing), ``first`` (first
        rating of the alliance), ``at`` (session of the end, or until which the client is known to have come).
    rows : DataFrame
        One row per client and session at risk, from the second on, with an alliance rated before.
    recorded : bool
        Whether ends are those that the study records; otherwise who has fewer than ``k`` sessions dropped out.
    link : {"logit", "cloglog"}
        Of the models: of odds, or of the hazard of leaving in the time between two sessions (Prentice & Gloeckler 1978).
    """

    clients: pd.DataFrame
    rows: pd.DataFrame
    recorded: bool
    link: Link = "logit"

    @property
    def scale(self) -> str:
        """What coefficients are logarithms of."""
        return "odds" if self.link == "logit" else "hazard"

    @property
    def dropouts(self) -> int:
        """Clients who dropped out at a session at risk."""
        return int(self.rows["dropout"].sum())

    @property
    def planned(self) -> int:
        """Clients whose treatment ended as planned at a session at risk."""
        return int(self.rows["planned"].sum())


def leaving_of(
    draft: Draft,
    every: pd.DataFrame,
    a: Measure,
    y: Measure,
    k: int,
    recorded: bool,
    lag: int = 1,
    link: Link = "logit",
) -> Leaving:
    """Ends and rows at risk of the clients who are left in the draft; ``every`` are their sessions before any filter.

    ``lag``: scores up to so many sessions before the one at risk enter.
    """
    from alliance_longitudinal.methods import person_period

    therapist = draft.sessions.groupby("client")["therapist"].first()
    own = every[every["client"].isin(therapist.index) & every["session"].ge(0)].sort_values(
        ["client", "session"]
    )
    own = own[["client", "session"]].assign(alliance=own[a.name], y=own[y.name]).reset_index(drop=True)
    own.loc[own["session"] < 1, "alliance"] = np.nan
    rated = own["alliance"].notna()
    so_far = own["alliance"].fillna(0).groupby(own["client"]).cumsum() / rated.groupby(own["client"]).cumsum()
    own["mean_so_far"] = so_far.where(rated)
    clients = own.groupby("client", sort=False)["session"].max().rename("last").reset_index()
    clients["therapist"] = clients["client"].map(therapist)
    clients["first"] = clients["client"].map(own[rated].groupby("client")["alliance"].first())
    if recorded:
        ending = draft.study.clients.set_index("client")["ending"]
        clients["end"] = clients["client"].map(ending).astype(object)
        clients["at"] = clients["last"] + clients["end"].notna()
        event, horizon = "end", None
        own["end"] = own["client"].map(clients.set_index("client")["end"])
    else:
        clients["end"] = _word(clients["last"] < k)
        clients["at"] = np.minimum(clients["last"] + 1, k)
        event, horizon = None, k
    carried = ["alliance", "mean_so_far", "y"]
    rows = person_period(own, "client", "session", event=event, carry=carried, horizon=horizon)
    if lag > 1:  # one row per session at risk, without gaps
        rows[carried] = rows.groupby("client", sort=False)[carried].shift(lag - 1)
    rows = rows[(rows["period"] >= 1 + lag) & rows["alliance"].notna()].reset_index(drop=True)
    end = rows["end"] if recorded else _word(rows["event"] == 1)
    rows = rows.assign(
        therapist=rows["client"].map(therapist),
        session=rows["period"] - 1,
        dropout=end.eq("dropout").astype(float),
        planned=end.eq("planned").astype(float),
        ended=end.notna(),
        within=rows["alliance"] - rows["mean_so_far"],
    )
    rows[CLIENT] = rows["mean_so_far"] - rows["mean_so_far"].mean()
    rows[SEVERITY] = rows["y"] - rows["y"].mean()
    return Leaving(clients, rows, recorded, link)


def _word(left: "pd.Series[bool]") -> "pd.Series[str]":
    """``dropout`` where a client left, else missing."""
    return left.map({True: "dropout", False: None}).astype(object)


def bands(period: "pd.Series[int]", event: "pd.Series[float]") -> pd.Series:
    """Sessions in steps of the baseline hazard, each with enough events: ``session 2``, ``sessions 9 to 12``.

    The names are no bare numbers: a formula refuses text of which most could be numbers.
    """
    counts = event.groupby(period).sum().sort_index()
    steps: list[list[int]] = [[]]
    held = 0.0
    for session, n in counts.items():
        steps[-1].append(int(session))
        held += n
        if held >= PER_BAND:
            steps.append([])
            held = 0.0
    last = steps.pop()
    if last and steps:
        steps[-1] += last
    elif last:
        steps = [last]
    names = {
        s: f"session {step[0]}" if len(step) == 1 else f"sessions {step[0]} to {step[-1]}"
        for step in steps
        for s in step
    }
    return pd.Series(
        pd.Categorical(period.map(names), list(dict.fromkeys(names.values()))), index=period.index
    )


def fit_end(draft: Draft, leaving: Leaving, kind: str, title: str) -> Fitted:
    """Odds of one kind of end at a session, among the clients who did not end in another way there.

    Separate models of each kind against staying estimate the parameters of the multinomial model (Begg & Gray 1984).
    """
    rows = leaving.rows[~leaving.rows["ended"] | leaving.rows[kind].eq(1)]
    rows = rows.dropna(subset=[SEVERITY]).reset_index(drop=True)
    rows = rows.assign(step=bands(rows["period"], rows[kind]))
    rows, adjusted = draft.adjusters(rows)
    fixed = " + ".join([f"{kind} ~ 0 + step", WITHIN, CLIENT, SEVERITY, *adjusted])
    usable = usable_therapists(rows)
    structure = THERAPIST if draft.therapists_known and usable >= MIN_THERAPISTS else NONE
    fixed, structure, rows = with_those_without(fixed, structure, rows)
    try:
        if structure.therapist:
            from alliance_longitudinal.engine import MixedModel

            formula = f"{fixed} + {structure.terms}"
            result = MixedModel.from_formula(formula, rows, family="binomial", link=leaving.link).fit()
            # How many events there are for each coefficient is said once, in words of this report.
            findings = tuple(f for f in result.findings if f.code != "few_events")
            return Fitted(kind, title, formula, structure, result, (), findings)
        return Fitted(kind, title, fixed, structure, _without_therapists(fixed, rows, leaving.link), (), ())
    except FitError as error:
        raise draft.too_little("{why}", "not_fitted", "failed", why=told(error)) from None


def _without_therapists(fixed: str, rows: pd.DataFrame, link: Link) -> object:
    """A regression of a binary outcome by statsmodels.

    Raises
    ------
    FitError
        If it does not converge, as where a predictor separates who leaves from who stays.
    """
    import warnings

    import statsmodels.api as sm
    import statsmodels.formula.api as smf
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if link == "logit":
                result = smf.logit(fixed, rows).fit(disp=0, maxiter=100)
                converged = result.mle_retvals["converged"]
            else:
                family = sm.families.Binomial(link=sm.families.links.CLogLog())
                result = smf.glm(fixed, rows, family=family).fit(maxiter=100)
                converged = result.converged and float(result.bse.max()) < SEPARATED
    except (PerfectSeparationError, np.linalg.LinAlgError):
        result, converged = None, False
    if result is None or not converged or not np.isfinite(result.bse).all():
        raise FitError(
            "The model of dropout has no finite estimate, because too few clients dropped out or "
            "they differ too much from the others."
        )
    return result


def spreads(leaving: Leaving) -> dict[str, float]:
    """Standard deviation of each predictor over the rows at risk."""
    rows = leaving.rows.dropna(subset=[SEVERITY])
    return {name: float(rows[name].std()) for name in (WITHIN, CLIENT, SEVERITY)}


def odds_ratio(e: Estimate, identity: str, label: str, change: float, unit: str) -> Estimate:
    """The odds ratio of a change of the predictor by ``change`` points."""
    low, high = sorted((np.exp(change * e.ci_low), np.exp(change * e.ci_high)))
    ratio = float(np.exp(change * e.estimate))
    return Estimate(
        identity,
        label,
        ratio,
        ratio * abs(change) * e.se,
        e.df,
        float(low),
        float(high),
        e.p,
        e.n,
        e.level,
        unit,
    )


def as_d(e: Estimate, identity: str, label: str, change: float) -> Estimate:
    """The standardised mean difference of the predictor between those who end and those who stay.

    It is the log odds ratio of one standard deviation: of a predictor that is normal with the same standard deviation s in
    both, the logit of the end has the slope ``(m1 - m0) / s^2``.
    """
    low, high = sorted((change * e.ci_low, change * e.ci_high))
    return Estimate(
        identity, label, change * e.estimate, abs(change) * e.se, e.df, low, high, e.p, e.n, e.level, "d"
    )


def therapist_sd(fitted: Fitted, n: int, scale: str) -> Estimate | None:
    """Standard deviation of leaving between therapists, with its profile interval."""
    if not fitted.mixed:
        return None
    first = fitted.result.varcorr.iloc[0]
    sd, name = float(first["sdcor"]), f"sd({first['term1']})|therapist"
    limits = fitted.result.conf_int(method="profile", which=[name]).loc[name]
    return Estimate(
        "drop_therapist_sd",
        "Between therapists: standard deviation of dropout",
        sd,
        ci_low=float(limits["lower"]),
        ci_high=float(limits["upper"]),
        n=n,
        level="therapist",
        unit=f"log {scale}",
    )


def incidence(leaving: Leaving, *, thirds: bool) -> "CumulativeIncidence":
    """Cumulative incidence of each end, of everybody or by third of the first rating; errors by therapist."""
    from alliance_longitudinal.methods import cumulative_incidence

    clients = each_alone(leaving.clients.dropna(subset=["first"]))
    group = None
    if thirds:
        clients = clients.assign(third=third_of(clients["first"]))
        group = "third"
    return cumulative_incidence(clients, "at", "end", group=group, cluster="therapist", few=True)


def third_of(values: "pd.Series[float]") -> pd.Series:
    """Thirds by rank; equal values are in the same third."""
    rank = values.rank(pct=True, method="average")
    place = np.minimum((rank.to_numpy() * 3 - 1e-9).astype(int), 2)
    return pd.Series(pd.Categorical.from_codes(place, list(THIRDS), ordered=True), index=values.index)


def definitions(leaving: Leaving, k: int) -> list[Hits]:
    """Who dropped out by several definitions."""
    clients = leaving.clients
    last = clients["last"].to_numpy(float)
    half = float(np.median(last))
    found = [
        ("rate_fewer_than_k", "few", last < k),
        ("rate_fewer_than_median", "median", last < half),
        ("rate_one_session", "one", last <= 1),
    ]
    if leaving.recorded:
        end = clients["end"]
        found = [
            ("rate_recorded", "recorded", end.eq("dropout").to_numpy()),
            ("rate_not_planned", "not_planned", ~end.eq("planned").to_numpy()),
            *found,
        ]
    client, cluster = clients["client"].to_numpy(object), clusters(clients["client"], clients["therapist"])
    return [
        Hits(identity, label, np.asarray(hits, dtype=bool), client, cluster)
        for identity, label, hits in found
    ]
