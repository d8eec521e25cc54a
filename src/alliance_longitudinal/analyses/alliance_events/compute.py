"""Events by every rule, their estimates, and the rows of the outcome models."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import (
    Hits,
    clusters,
    neutral,
    together,
)
from alliance_longitudinal.analyses.kit.scales import turned
from alliance_longitudinal.analyses.result import Difference, Estimate
from alliance_longitudinal.data.study import Measure

if TYPE_CHECKING:
    from alliance_longitudinal.methods.events.ruptures import Ruptures


#: Thirds of treatment (Bordin's phases: beginning, work, ending), by the client's last rated session.
PHASES = ("first third of treatment", "middle third of treatment", "last third of treatment")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is analysed, as the parameters of the analysis say."""

    alliance: Measure
    outcome: Measure
    points: float | None
    min_ratings: int
    repair_within: int
    repair_to_sd: float
    simulations: int
    seed: int


@dataclass(frozen=True, slots=True)
class Named:
    """A rule with its name, its words, and the arguments of ``methods.find_ruptures``."""

    id: str
    words: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What every rule finds in the same ratings.

    Attributes
    ----------
    rules : tuple of Named
        The first is the main one.
    events : tuple of Ruptures
        In the same order.
    ratings : DataFrame
        ``client, therapist, session, score``.
    """

    rules: tuple[Named, ...]
    events: "tuple[Ruptures, ...]"
    ratings: pd.DataFrame

    @property
    def main(self) -> "Ruptures":
        """By the main rule."""
        return self.events[0]

    @property
    def clients(self) -> int:
        """Clients whose ratings were judged."""
        return int(self.ratings["client"].nunique())

    def therapist_of(self) -> "pd.Series[Any]":
        """Therapist by client; missing for clients without one."""
        return self.ratings.groupby("client")["therapist"].first()

    def together_with(self, client: "Iterable[Any]") -> "np.ndarray[Any, Any]":
        """Who goes together with whom, for each of ``client``: the clients of a therapist; with one therapist, or none, everybody is alone."""
        therapist, who = self.therapist_of(), pd.Series(list(client), dtype=object)
        if therapist.nunique(dropna=False) < 2:
            return np.asarray(who, dtype=object)
        return clusters(who, pd.Series(therapist.reindex(who).to_numpy(object), dtype=object))

    def per_client(self) -> pd.DataFrame:
        """By client: ``events, repaired`` (numbers), ``judged`` (ratings) by the main rule, ``alliance`` (mean) and ``trend``.

        ``trend`` is the slope of the client's least-squares line per session.
        """
        marks = self.main.marks()
        grouped = self.ratings.groupby("client")
        out = pd.DataFrame({"alliance": grouped["score"].mean()})
        t = self.ratings["session"] - grouped["session"].transform("mean")
        products = pd.DataFrame(
            {"client": self.ratings["client"], "ty": t * self.ratings["score"], "tt": t * t}
        )
        sums = products.groupby("client").sum()
        out["trend"] = sums["ty"] / sums["tt"]
        out["judged"] = marks.groupby("person").size().reindex(out.index).fillna(0)
        own = self.main.events.groupby("client")["repaired"].agg(["size", "sum"])
        out["events"] = own["size"].reindex(out.index).fillna(0)
        out["repaired"] = own["sum"].reindex(out.index).fillna(0)
        return out


def rules_for(measure: Measure, points: float | None) -> tuple[Named, ...]:
    """The main rule first: the points that were asked for, or one standard deviation."""
    known = measure.instrument.reliable_change
    rules = [
        Named(
            "drop_1sd",
            "fall of more than one SD from one session to the next",
            {"rule": "drop", "size_sd": 1.0},
        ),
        Named(
            "drop_2sd",
            "fall of more than two SD from one session to the next",
            {"rule": "drop", "size_sd": 2.0},
        ),
        Named("chart", "below the lower limit of the client's own control chart", {"rule": "chart"}),
        Named(
            "residual_2sd",
            "more than two SD below the client's own line",
            {"rule": "residual", "size_sd": 2.0},
        ),
    ]
    if known is not None and known.points:
        rules.insert(
            2,
            Named(
                "reliable",
                "fall of more than the reliable change",
                {"rule": "drop", "size": float(known.points)},
            ),
        )
    if points is not None:
        rules.insert(
            0,
            Named(
                "points",
                f"fall of more than {points:g} points from one session to the next",
                {"rule": "drop", "size": points},
            ),
        )
    return tuple(rules)


def find_events(sessions: pd.DataFrame, asked: Asked) -> Found:
    """Apply every rule to the same ratings; a scale on which lower is better is turned round."""
    from alliance_longitudinal.methods import find_ruptures

    rules = rules_for(asked.alliance, asked.points)
    own = turned(asked.alliance, sessions[asked.alliance.name])
    rows = sessions[["client", "therapist", "session"]].assign(score=own.scores)
    events = [
        find_ruptures(
            rows,
            "score",
            repair_within=asked.repair_within,
            repair_to_sd=asked.repair_to_sd,
            min_ratings=asked.min_ratings,
            n_series=asked.simulations,
            seed=asked.seed,
            limits=own.limits,
            step=own.step,
            **rule.arguments,
        )
        for rule in rules
    ]
    return Found(rules, tuple(events), rows.reset_index(drop=True))


def phase_of(found: Found, client: "pd.Series[Any]", session: "pd.Series[Any]") -> "pd.Series[Any]":
    """The third of treatment that each session is in; the last rated session is the end."""
    last = found.ratings.groupby("client")["session"].max()
    share = session.to_numpy(float) / client.map(last).to_numpy(float)
    place = np.minimum((3 * share - 1e-9).astype(int), 2)
    return pd.Series(np.array(PHASES, dtype=object)[np.maximum(place, 0)], index=client.index)


def phase_hits(found: Found) -> list[Hits]:
    """Ratings that are a rupture by the main rule, in each third of treatment that has ratings."""
    marks = found.main.marks().reset_index(drop=True)
    phase = phase_of(found, marks["person"], marks["session"])
    client = marks["person"].to_numpy(object)
    cluster = found.together_with(client)
    event = marks["event"].to_numpy(bool)
    names = ("rate_first", "rate_middle", "rate_last")
    return [
        Hits(name, f"Ruptures in the {words}", event, client, cluster, "session", "share of ratings").of(
            phase.eq(words).to_numpy(bool)
        )
        for name, words in zip(names, PHASES, strict=True)
        if phase.eq(words).any()
    ]


def hits_of(found: Found) -> list[Hits]:
    """By the main rule: clients with a rupture, ratings that are one, and ruptures that were repaired."""
    per = found.per_client()
    judged = per[per["judged"] > 0]
    clients = judged.index.to_numpy(object)
    marks = found.main.marks()
    rows = marks["person"].to_numpy(object)
    out = [
        Hits(
            "clients",
            "Clients with a rupture",
            judged["events"].gt(0).to_numpy(bool),
            clients,
            found.together_with(clients),
        ),
        Hits(
            "rate",
            "Ratings that are a rupture",
            marks["event"].to_numpy(bool),
            rows,
            found.together_with(rows),
            "session",
            "share of ratings",
        ),
    ]
    own = found.main.events
    if len(own):
        who = own["client"].to_numpy(object)
        out.append(
            Hits(
                "repaired",
                "Ruptures that were repaired",
                own["repaired"].to_numpy(bool),
                who,
                found.together_with(who),
                "session",
                "share of ruptures",
            )
        )
    return out


def event_estimates(found: Found, hits: Sequence[Hits]) -> list[Estimate]:
    """Shares by the main rule, then by every rule what was found, what is expected and their ratio, and agreement."""
    main = found.main
    out = [h.estimate() for h in hits]
    if any(h.id == "repaired" for h in hits):
        share = main.expected_repaired
        out.append(
            Estimate(
                "repaired_expected",
                "Ruptures that are repaired, expected from fluctuation alone",
                share,
                n=len(main.events),
                level="session",
                unit="expected share",
            )
        )
    for rule, events in zip(found.rules, found.events, strict=True):
        low, high = events.expected_limits
        n = events.transitions
        out.append(
            Estimate(
                f"n_{rule.id}",
                f"Found: {rule.words}",
                float(len(events.events)),
                n=n,
                level="session",
                unit="sessions",
            )
        )
        out.append(
            Estimate(
                f"expected_{rule.id}",
                f"Expected from fluctuation: {rule.words}",
                events.expected,
                ci_low=low,
                ci_high=high,
                n=n,
                level="session",
                unit="expected number",
            )
        )
        if events.expected > 0:
            count = len(events.events)
            limits = [count / high if high else np.nan, count / low if low else np.nan]
            out.append(
                Difference(
                    f"excess_{rule.id}",
                    f"Found per one expected: {rule.words}",
                    events.excess,
                    ci_low=limits[0],
                    ci_high=limits[1],
                    n=n,
                    level="session",
                    unit="found per expected",
                    of=(f"n_{rule.id}", f"expected_{rule.id}"),
                )
            )
    for i, one in enumerate(found.rules):
        for j in range(i):
            kappa = found.events[i].agreement(found.events[j])
            if np.isfinite(kappa):
                other = found.rules[j]
                marks = (found.events[k].marks()[["person", "session"]] for k in (i, j))
                out.append(
                    Estimate(
                        f"kappa_{other.id}_{one.id}",
                        f"Agreement: {other.words}; {one.words}",
                        kappa,
                        n=len(pd.merge(*marks)),
                        level="session",
                        unit="kappa",
                    )
                )
    return out


def outcome_rows(found: Found, sessions: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """One row per client with two outcome scores: ``end_change, intake, alliance, trend, rate`` and its parts, ``events, repaired``.

    ``rate`` is the number of ruptures in ten ratings; ``repaired`` the share of the ruptures that were repaired.
    """
    from alliance_longitudinal.timing import split_by_therapist

    scored = sessions[sessions[outcome].notna()].sort_values(["client", "session"], kind="stable")
    ends = scored.groupby("client")[outcome].agg(["first", "last", "size"])
    ends = ends[ends["size"] > 1]
    per = found.per_client()
    rows = per[per["judged"] > 0].join(ends, how="inner")
    rows = rows.assign(
        end_change=rows["last"] - rows["first"],
        intake=rows["first"] - rows["first"].mean(),
        rate=10 * rows["events"] / rows["judged"],
        repaired=rows["repaired"] / rows["events"].where(rows["events"] > 0),
        therapist=found.therapist_of().reindex(rows.index),
    )
    rows["alliance"] -= rows["alliance"].mean()
    rows["trend"] -= rows["trend"].mean()
    out = together(rows.rename_axis("client").reset_index())
    return neutral(split_by_therapist(out, "rate")) if len(out) else out
