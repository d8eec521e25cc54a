"""Models of level, of course and of the end, and the shares of their variances."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from alliance_longitudinal.analyses.kit import (
    ENDPOINT,
    GROWTH,
    LEVEL,
    Count,
    Draft,
    Estimate,
    Fitted,
    Number,
    Structure,
    slug,
)
from alliance_longitudinal.analyses.kit.shares import (
    Shares,
    share_estimates,
    variance_shares,
    with_failures,
)
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.sentences import say
from alliance_longitudinal.timing import split_by_therapist

MIN_CLIENTS = 20
#: Fewest clinics for a level of their own: a variance of fewer has no estimate worth the name.
MIN_CLINICS = 5
#: Below this, values are all the same.
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Divided:
    """One model whose variance is divided.

    Attributes
    ----------
    kind : {"level", "change", "end"}
    measure : Measure
    words : str
        What is divided, such as ``"PHQ-9 level"``.
    fitted : Fitted
    rows : DataFrame
        What it was fitted to.
    shares : tuple of Estimate
        One a level, if more than one level has this variance.
    """

    kind: str
    measure: Measure
    words: str
    fitted: Fitted
    rows: pd.DataFrame
    shares: tuple[Estimate, ...]

    @property
    def name(self) -> str:
        """Its part of the estimates' ids."""
        return f"{self.kind}_{self.measure.name}"

    @property
    def effect(self) -> str:
        """The random effect that is divided."""
        return "weeks" if self.kind == "change" else "Intercept"

    @property
    def of_therapists(self) -> bool:
        """Whether the therapists' share of this variance is estimated."""
        return any(e.level == "therapist" for e in self.shares)

    @property
    def clients(self) -> "pd.Series[int]":
        """Analysed clients of each therapist."""
        return self.rows.groupby("therapist")["client"].nunique()


def clients_with(sessions: pd.DataFrame, measure: Measure) -> int:
    """Clients with a score."""
    return int(sessions.loc[sessions[measure.name].notna(), "client"].nunique())


def with_clinics(draft: Draft) -> bool:
    """Give every row its therapist's clinic, if there are enough clinics for a level; whether there are."""
    sessions = draft.sessions
    if draft.clinic is not None or "clinic" not in sessions or sessions["clinic"].isna().any():
        return False
    counts = sessions.groupby(["therapist", "clinic"])["client"].nunique().reset_index()
    several = int(counts["therapist"].duplicated().sum())
    most = counts.sort_values("client", kind="stable").drop_duplicates("therapist", keep="last")
    clinic = sessions["therapist"].map(most.set_index("therapist")["clinic"])
    if clinic.nunique() < MIN_CLINICS:
        return False
    draft.sessions = sessions.assign(clinic=clinic)
    if several:
        draft.find(
            "therapists_in_several_clinics",
            "info",
            "{n:noun} {n:works|work} in more than one clinic. The analysis assigns {n:this therapist|each of them} to the clinic "
            "with most of their clients.",
            "clinics",
            n=Number(several, "integer", "therapist"),
        )
    return True


def structures(kind: str, clinics: bool) -> tuple[Structure, ...]:
    """The random parts to try, the fullest first; with clinics as a level of their own where there are enough."""
    plain = {"level": LEVEL, "change": GROWTH, "end": ENDPOINT}[kind]
    if not clinics:
        return plain
    own = []
    for s in plain:
        if s.therapist:
            terms = (
                "(1 + weeks || clinic)" if s.terms.startswith("(1 + weeks | therapist") else "(1 | clinic)"
            )
            what = "level and rate of change differ" if "weeks" in terms else "level differs"
            own.append(replace(s, terms=f"{terms} + {s.terms}", words=f"{what} between clinics; {s.words}"))
    return (*own, *(s for s in plain if not s.therapist))


def divide(
    draft: Draft,
    measure: Measure,
    sessions: pd.DataFrame,
    n_boot: int,
    seed: int,
    group: str = "",
    clinics: bool = False,
) -> list[Divided]:
    """Shares of level, of rate of change and, for symptoms, of the last score given the first."""
    rated = sessions[sessions[measure.name].notna()]
    columns = ["client", "therapist", "session", *["clinic"] * clinics]
    rows = rated[columns].assign(y=rated[measure.name], weeks=rated["week"])
    rows, adjusted = draft.adjusters(rows)
    change = " + ".join(["y ~ weeks", *(f"weeks * {a}" for a in adjusted)])
    asked = [
        ("level", " + ".join(["y ~ weeks", *adjusted]), rows),
        ("change", change, rows),
    ]
    if measure.construct == "symptoms":
        end, given = ends(draft, rated, measure, columns)
        if len(end) >= MIN_CLIENTS:
            asked.append(("end", given, end))
        elif not group:
            draft.find(
                "no_end",
                "info",
                "{n:noun} {n:has|have} two {label} scores; a model of the last score needs at least {needed} clients with two.",
                measure.name,
                n=Count(len(end), "client"),
                label=measure.instrument.label,
                needed=Number(MIN_CLIENTS, "integer"),
            )
    return [
        _one(draft, measure, kind, formula, of, n_boot, seed + k, group, clinics)
        for k, (kind, formula, of) in enumerate(asked)
    ]


def _one(
    draft: Draft,
    measure: Measure,
    kind: str,
    formula: str,
    rows: pd.DataFrame,
    n_boot: int,
    seed: int,
    group: str,
    clinics: bool,
) -> Divided:
    of, title = (f"_{slug(group)}", f" ({group})") if group else ("", "")
    label = measure.instrument.label
    named = {
        "level": say("{label} level", label=label),
        "change": say("{label} course", label=label),
        "end": say("{label} at the end, given intake", label=label),
        "rate": say("{label} rate of change", label=label),
    }
    fitted = draft.fit(
        f"{kind}_{measure.name}{of}", f"{named[kind]}{title}", formula, rows, structures(kind, clinics)
    )
    what = named["rate" if kind == "change" else kind]
    shares = _shares(fitted, kind, n_boot, seed)
    draft.uses(with_failures(fitted, shares))
    n = {level: int(rows[level].nunique()) for level in ("clinic", "therapist", "client") if level in rows}
    found = (
        share_estimates(shares, f"{kind}_{measure.name}", what, n | {"session": len(rows)}) if shares else []
    )
    return Divided(kind, measure, what, fitted, rows, tuple(found))


def _shares(fitted: Fitted, kind: str, n_boot: int, seed: int) -> Shares | None:
    if not fitted.mixed:
        return None
    shares = variance_shares(fitted, "weeks" if kind == "change" else "Intercept", n_boot=n_boot, seed=seed)
    if shares is None or kind != "end":
        return shares
    # One row a client: the residual is what differs between clients.
    parts = {k: getattr(shares, k).rename({"session": "client"}) for k in ("estimate", "low", "high")}
    return replace(shares, **parts)


def ends(
    draft: Draft, rated: pd.DataFrame, measure: Measure, columns: Sequence[str]
) -> tuple[pd.DataFrame, str]:
    """First and last score of every client with two, one row each, and the model of the last one given the first."""
    ordered = rated.sort_values(["client", "session"], kind="stable")
    first, last = ordered.groupby("client").first(), ordered.groupby("client").last()
    two = last["session"] > first["session"]
    kept = [c for c in columns if c not in ("client", "session")]
    rows = first.loc[two, kept].assign(y=last.loc[two, measure.name], intake=first.loc[two, measure.name])
    rows = split_by_therapist(rows.reset_index(), "intake")
    rows, adjusted = draft.adjusters(rows)
    given = [c for c in ("intake_client", "intake_therapist") if rows[c].max() - rows[c].min() > _SAME]
    return rows, "y ~ " + " + ".join([*given, *adjusted] or ["1"])
