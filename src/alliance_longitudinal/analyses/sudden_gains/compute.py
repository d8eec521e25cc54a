"""Everything that the tables, figures and sentences show, from the scores and the rules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Hits
from alliance_longitudinal.analyses.kit.norms import Given, KnownNorms
from alliance_longitudinal.analyses.kit.people import clusters
from alliance_longitudinal.analyses.result import Estimate
from alliance_longitudinal.errors import AllianceError, StudyError
from alliance_longitudinal.methods.psychometrics.gains.events import (
    Intervals,
    Rules,
    around,
    intervals,
    rci_points,
    reversed_later,
    sudden,
)
from alliance_longitudinal.methods.psychometrics.gains.expected import (
    Counts,
    Steady,
    expected_counts,
    steady_change,
)
from alliance_longitudinal.methods.psychometrics.gains.find import marks
from alliance_longitudinal.sentences import told


@dataclass(frozen=True, slots=True)
class Variant:
    """What one set of rules finds, and what it would find in gradual change (None: no model of it)."""

    words: str
    rules: Rules
    gains: int
    gain_clients: int
    losses: int
    loss_clients: int
    expected: Counts | None


@dataclass(frozen=True, slots=True)
class Gains:
    """All that was found.

    Attributes
    ----------
    table : DataFrame
        One row a testable interval: ``client, therapist, session, before, after, gain, loss, reversed, later`` (whether
        there is a score after it).
    ordered, found
        The scores and all their intervals.
    variants : tuple of Variant
        The first is the main one.
    pairs : int
        Pairs of consecutive sessions with a score at both, testable or not.
    fall : bool
        Whether a gain is a fall.
    points_from : str
        Where the points of criterion 1 are from.
    steady : Steady or None
    why_not : str
        Why there is no model of gradual change; empty if there is one.
    """

    table: pd.DataFrame
    ordered: pd.DataFrame
    found: Intervals
    variants: tuple[Variant, ...]
    pairs: int
    fall: bool
    points_from: str
    steady: Steady | None
    why_not: str

    @property
    def main(self) -> Variant:
        """What the study's own rules find."""
        return self.variants[0]

    @property
    def clients(self) -> int:
        """Clients with a testable interval."""
        return int(self.table["client"].nunique())

    def by_client(self, what: str) -> pd.DataFrame:
        """``client, therapist, events`` of the clients with a testable interval."""
        grouped = self.table.groupby("client", sort=True)
        return pd.DataFrame(
            {"therapist": grouped["therapist"].first(), "events": grouped[what].sum().astype(int)}
        ).reset_index()


def points_for(known: KnownNorms, given: Given, sample_sd: float, label: str) -> tuple[float, str]:
    """Points of criterion 1 and where they are from.

    Given points; else reliable change from a given reliability; else the registry's points; else reliable change from
    the registry's reliability. The SD is the given one, the registry's, or ``sample_sd``, which is that of reliable change, too (``kit.norms.sd_before``).

    Raises
    ------
    StudyError
        If neither points nor a reliability are known.
    """
    norms = known.norms
    if given.points is not None:
        return given.points, "given for this analysis"
    if norms.points is not None and given.reliability is None:
        return norms.points, "published points of reliable change"
    if norms.reliability is None:
        raise StudyError(
            f"The instrument file of {label} has neither points of reliable change nor a "
            "reliability. Give one: points=7 (which Tang and DeRubeis used for the BDI), or "
            "reliability=0.85 from the manual."
        )
    sd = norms.sd if norms.sd is not None else sample_sd
    if not sd > 0:
        raise StudyError(
            f"All clients have the same first score in {label}, so no points can be computed from the reliability. Give points=7, or sd=..."
        )
    whose = (
        "of this sample's first scores (intake included, as for reliable change)"
        if norms.sd is None
        else "given or published"
    )
    return rci_points(sd, norms.reliability), (
        f"1.96 SD sqrt(2 (1 - r)) with reliability {norms.reliability:g} and SD {sd:.3g} {whose}"
    )


def variants_of(rules: Rules, others: Sequence[float]) -> list[tuple[str, Rules]]:
    """The main rules first, then each criterion done otherwise, then other points."""
    standard = rules.stability == "adjusted" and rules.share is not None
    out = [("all three criteria" if standard else "as requested", rules)]
    if rules.stability != "adjusted":
        out.append(("the third criterion of Tang and DeRubeis", replace(rules, stability="adjusted")))
    if rules.stability != "fixed":
        out.append(
            (
                "third criterion with a fixed critical value",
                replace(rules, stability="fixed"),
            )
        )
    if rules.stability != "t-test":
        out.append(("a t-test instead of the third criterion", replace(rules, stability="t-test")))
    if rules.stability != "none":
        out.append(("without the third criterion", replace(rules, stability="none")))
    if rules.share is not None:
        out.append(("without the second criterion", replace(rules, share=None)))
    return out + [(f"from {p:.4g} points", replace(rules, points=p)) for p in others if p != rules.points]


def find_all(
    ordered: pd.DataFrame,
    therapist: pd.Series,
    chosen: Sequence[tuple[str, Rules]],
    *,
    fall: bool,
    points_from: str,
    limits: tuple[float, float] | None,
    n: int,
    seed: int,
) -> Gains:
    """Find gains and losses by every set of rules, and what gradual change alone would produce.

    Parameters
    ----------
    ordered : DataFrame
        ``client, session, score`` in order.
    therapist : Series
        By client.
    chosen : sequence of (words, Rules)
        The first is the main one.
    n, seed : int
        Simulated data sets, 0 for none, and the seed of the first.
    """
    found = intervals(ordered)
    table = _table(ordered, found, chosen[0][1], fall)
    table["therapist"] = table["client"].map(therapist)
    steady, why_not, counts = None, "", [None] * len(chosen)
    if n and found.testable.any():
        try:
            steady = steady_change(ordered)
            every = [r for _, r in chosen]
            counts = expected_counts(  # type: ignore[assignment]
                steady, ordered, found, every, fall=fall, limits=limits, n=n, seed=seed
            )
        except AllianceError as error:
            steady, why_not = None, told(error)
    seen = around(found.values(ordered["score"].to_numpy(float)))
    client = ordered["client"].to_numpy()[found.row]
    variants = []
    for (words, rules), expected in zip(chosen, counts, strict=True):
        gain, loss = sudden(seen, rules, fall), sudden(seen, rules, not fall)
        variants.append(
            Variant(
                words,
                rules,
                int(gain.sum()),
                len(set(client[gain])),
                int(loss.sum()),
                len(set(client[loss])),
                expected,
            )
        )
    return Gains(
        table[table["testable"]].reset_index(drop=True),
        ordered,
        found,
        tuple(variants),
        len(table),
        fall,
        points_from,
        steady,
        why_not,
    )


def _table(ordered: pd.DataFrame, found: Intervals, rules: Rules, fall: bool) -> pd.DataFrame:
    rows = ordered.iloc[found.row].reset_index(drop=True)
    out = pd.DataFrame(
        {
            "client": rows["client"],
            "session": rows["session"],
            "before": rows["score"],
            "after": ordered["score"].to_numpy()[found.rows[:, 3]],
            "testable": found.testable,
            "later": reversed_later(ordered, found, fall)[1],
        }
    )
    return out.assign(**marks(ordered, found, rules, not fall))


def gain_hits(gains: Gains) -> list[Hits]:
    """Clients and intervals with a gain or a loss, and gains and losses that were reversed."""
    out = []
    # The intervals of a client go together: with one therapist, clients are the clusters.
    own = gains.table
    together = clusters(own["client"], own["therapist"])
    together = together if len(set(together)) > 1 else own["client"].to_numpy(object)
    for name, word, words in (
        ("gain", "sudden gain", "sudden gains"),
        ("loss", "sudden loss", "sudden losses"),
    ):
        per = gains.by_client(name)
        who, by = per["client"].to_numpy(object), clusters(per["client"], per["therapist"])
        out.append(
            Hits(f"{name}_clients", f"Clients with a {word}", per["events"].gt(0).to_numpy(bool), who, by)
        )
        found, later = (gains.table[k].to_numpy(bool) for k in (name, "later"))
        who, by = gains.table["client"].to_numpy(object), together
        label, unit = f"Intervals with a {word}", "share of intervals"
        out.append(Hits(f"{name}_rate", label, found, who, by, "session", unit))
        label, unit = (
            f"{words.capitalize()} that were reversed, among those with a later score",
            f"share of {words}",
        )
        back = gains.table["reversed"].to_numpy(bool)
        reversed_ = Hits(f"{name}_reversed", label, back, who, by, "session", unit).of(found & later)
        out += [reversed_] if len(reversed_.hits) else []
    return out


def gain_estimates(gains: Gains, hits: Sequence[Hits]) -> list[Estimate]:
    """Shares of clients and of intervals, reversals, and the shares that gradual change alone would produce."""
    out = []
    for h in hits:
        out.append(h.estimate())
        name = h.id.removesuffix("_clients")
        if name != h.id:
            out += _expected(gains, name, f"sudden {name}")
    return out


def _expected(gains: Gains, name: str, word: str) -> list[Estimate]:
    expected = gains.main.expected
    if expected is None:
        return []
    shares = (expected.gain_clients if name == "gain" else expected.loss_clients) / gains.clients
    low, high = np.quantile(shares, [0.025, 0.975])
    return [
        Estimate(
            id=f"{name}_expected",
            label=f"Clients with a {word}, expected from gradual change",
            estimate=float(shares.mean()),
            ci_low=float(low),
            ci_high=float(high),
            n=gains.clients,
            level="client",
            unit="expected share",
        )
    ]
