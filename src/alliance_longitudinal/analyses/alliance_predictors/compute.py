"""The models of the alliance, early and over the course, and the effects of the predictors in them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.alliance_predictors.design import (
    Design,
    Effect,
    Predictor,
    build,
)
from alliance_longitudinal.analyses.kit import (
    ENDPOINT,
    GROWTH,
    Draft,
    Estimate,
    Fitted,
    fit_first,
    number_of_therapists,
    robust_of,
    slug,
    therapist_df,
    together,
)

if TYPE_CHECKING:
    from alliance_longitudinal.data.study import Measure

Fit = Callable[..., Fitted]
#: Time units over which growth is given.
TEN = 10
#: Part -> what an effect is on.
ON = {"early": "on the early alliance", "level": "on the level", "growth": "on growth"}
#: Name -> what its model is called.
TITLES = {"early": "Early alliance", "course": "Course of the alliance"}


@dataclass(frozen=True, slots=True)
class Ratings:
    """The alliance in rows.

    Attributes
    ----------
    clients : DataFrame
        One row per client: ``client, therapist, early`` (mean over the early window, missing where there is none), ``mean``
        (over all sessions).
    sessions : DataFrame
        One row per rating: ``client, therapist, session, y, weeks`` (less their mean).
    sd_early, sd : float
        Standard deviations between clients of the early mean and of the mean over all sessions.
    split : bool
        Whether therapists are known.
    middle : float
        The mean time of the ratings.
    between : bool
        Whether there are enough therapists to compare them.
    """

    clients: pd.DataFrame
    sessions: pd.DataFrame
    sd_early: float
    sd: float
    split: bool
    middle: float
    between: bool = True

    @property
    def course(self) -> bool:
        """Whether enough clients have several ratings for a model of the course."""
        several = self.sessions.groupby("client")["weeks"].nunique() >= 2
        return bool(several.mean() >= 0.5)

    def of(self, clients: "pd.Series[bool]") -> "Ratings":
        """Those of some of the clients, in the same units."""
        kept = self.clients[clients.to_numpy()]
        inside = self.sessions["client"].isin(kept["client"])
        return replace(self, clients=kept, sessions=self.sessions[inside])


def ratings_of(draft: Draft, a: "Measure", window: tuple[int, int]) -> Ratings:
    """The ratings of the draft's sessions."""
    rated = draft.sessions[draft.sessions[a.name].notna()]
    sessions = together(rated[["client", "therapist", "session"]]).assign(
        y=rated[a.name].astype(float), weeks=rated["week"]
    )
    middle = float(sessions["weeks"].mean())
    sessions["weeks"] -= middle
    grouped = sessions.groupby("client", sort=False)
    clients = pd.DataFrame({"therapist": grouped["therapist"].first(), "mean": grouped["y"].mean()})
    first = sessions[sessions["session"].between(*window)]
    clients["early"] = first.groupby("client")["y"].mean().reindex(clients.index)
    clients = clients.rename_axis("client").reset_index()
    sd_early, sd = float(clients["early"].std()), float(clients["mean"].std())
    return Ratings(clients, sessions, sd_early, sd, draft.therapists_known, middle)


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted model with the effects that are asked of it.

    Attributes
    ----------
    fitted : Fitted
    design : Design
    sd : float
        Of the alliance, by which effects are divided.
    n : int
        Clients.
    therapists : int
        0 where they are not known.
    max_df : float
        Upper bound of the df of effects that differ between therapists only.
    rows : DataFrame
        That it was fitted to.
    robust : Fitted or None
        The same with errors that allow clients' effects to differ between therapists; None without a therapist level.
    """

    fitted: Fitted
    design: Design
    sd: float
    n: int
    therapists: int
    max_df: float
    rows: pd.DataFrame
    robust: Fitted | None = None

    @property
    def same(self) -> "Model":
        """With the errors that hold if an effect of clients is the same for all therapists."""
        return replace(self, robust=None)

    def numbers(self, effect: Effect, *, growth: bool = False) -> dict[str, float] | None:
        """The effect in points of the alliance (over `TEN` time units for growth); None where it is not in the model."""
        weights = {f"weeks:{c}" if growth else c: w for c, w in effect.weights.items()}
        names = set(map(str, self.fitted.result.params.index))
        if not set(weights) <= names:
            return None
        if effect.of_therapists:
            row = self.fitted.combination(weights, self.max_df)
        else:
            row = (self.robust or self.fitted).combination(weights)
        return scaled(row, TEN if growth else 1.0)


def scaled(row: dict[str, float], by: float) -> dict[str, float]:
    """Inference on an estimate times a positive number."""
    out = dict(row)
    for key in ("estimate", "se", "ci_low", "ci_high"):
        out[key] *= by
    return out


def fit_early(
    draft: Draft,
    ratings: Ratings,
    predictors: Sequence[Predictor],
    people: pd.DataFrame,
    tag: str = "",
    fit: Fit = fit_first,
) -> Model:
    """The model of clients' early mean; ``fit`` is ``fit_first`` or a draft's ``fit``, which lists the model."""
    rows = ratings.clients[ratings.clients["early"].notna()].reset_index(drop=True)
    design = build(rows, predictors, people, split=ratings.split, between=ratings.between)
    rows, adjusted = draft.adjusters(pd.concat([rows, design.columns], axis=1))
    fixed = "early ~ " + (" + ".join([*design.terms, *adjusted]) or "1")
    structures = ENDPOINT if ratings.split else ENDPOINT[-1:]
    fitted = fit(*_named("early", tag), fixed, rows, structures)
    return _model(draft, fitted, design, rows, ratings, ratings.sd_early)


def fit_course(
    draft: Draft,
    ratings: Ratings,
    predictors: Sequence[Predictor],
    people: pd.DataFrame,
    tag: str = "",
    fit: Fit = fit_first,
    *,
    growth: bool = True,
) -> Model:
    """The model of all ratings; ``growth``: with slopes that depend on the predictors."""
    clients = ratings.clients.reset_index(drop=True)
    design = build(clients, predictors, people, split=ratings.split, between=ratings.between)
    columns = pd.concat([clients[["client"]], design.columns], axis=1)
    rows = ratings.sessions.merge(columns, on="client", how="inner", validate="many_to_one")
    rows, adjusted = draft.adjusters(rows)
    inside = f"weeks * ({' + '.join(design.terms)})" if growth else " + ".join(["weeks", *design.terms])
    fixed = "y ~ " + " + ".join([inside if design.terms else "weeks", *adjusted])
    structures = GROWTH if ratings.split else tuple(s for s in GROWTH if not s.therapist)
    fitted = fit(*_named("course", tag), fixed, rows, structures)
    return _model(draft, fitted, design, rows, ratings, ratings.sd)


def _named(name: str, tag: str) -> tuple[str, str]:
    return (f"{name}_{slug(tag)}", f"{TITLES[name]}, {tag}") if tag else (name, TITLES[name])


def _model(
    draft: Draft, fitted: Fitted, design: Design, rows: pd.DataFrame, ratings: Ratings, sd: float
) -> Model:
    therapists = number_of_therapists(rows["therapist"]) if ratings.split else 0
    own = sum(c.level == "therapist" for c in draft.covariates)
    bound = therapist_df(therapists, design.therapist_terms + own) if ratings.split else np.inf
    robust = robust_of(fitted)
    return Model(fitted, design, sd, int(rows["client"].nunique()), therapists, bound, rows, robust)


def identity_of(part: str, effect: Effect) -> str:
    """Id of an effect: ``early_x`` and ``r_x`` of clients within therapists, ``early_x_between``; others with their level."""
    plain = part in ("early", "r")
    main = effect.part != "between" or effect.predictor.level == "therapist"
    return f"{part}_{effect.id}" if plain and main else f"{part}_{effect.id}_{effect.part}"


def estimates_of(model: Model, part: str, unit: str, points: str, tail: str = "") -> list[Estimate]:
    """Every effect in standard deviations of the alliance, and in its points per unit of the predictor.

    Parameters
    ----------
    part : {"early", "level", "growth"}
    unit, points : str
        Units of both.
    tail : str
        End of the ids.
    """
    out = []
    for effect in model.design.effects:
        row = model.numbers(effect, growth=part == "growth")
        if row is None:
            continue
        level, n = ("therapist", model.therapists) if effect.of_therapists else ("client", model.n)
        name = identity_of(part, effect) + tail
        for identity, label, by, of in (
            (name, effect.label, 1 / model.sd, unit),
            (f"{name}_points", f"{effect.label}; {ON[part]}", 1 / effect.sd, points),
        ):
            kept = {k: v for k, v in scaled(row, by).items() if k != "t"}
            out.append(Estimate(identity, label, n=n, level=level, unit=of, **kept))
    return out


def correlations_of(model: Model, part: str, tail: str = "") -> dict[str, Estimate]:
    """The effects as correlations with what the model adjusts for held constant: sign(b) sqrt(F / (F + df)).

    By the id of the effect on ``part``; their own ids begin with ``r_``. F and df are those of clients who count as independent, because
    the df of therapists would blow r up; the interval is as much wider as that of the effect, whose errors allow for therapists.
    """
    from alliance_longitudinal.methods.basics.inference import partial_correlation

    out = {}
    for effect in model.design.effects:
        row, same = model.numbers(effect), model.same.numbers(effect)
        if row is None or same is None or not np.isfinite(same["t"]):
            continue
        df = same["df"] if np.isfinite(same["df"]) else float(model.n)
        wider = (row["ci_high"] - row["ci_low"]) / (same["ci_high"] - same["ci_low"])
        r, low, high = partial_correlation(same["t"], df, wider)
        level, n = ("therapist", model.therapists) if effect.of_therapists else ("client", model.n)
        out[identity_of(part, effect) + tail] = Estimate(
            identity_of("r", effect) + tail,
            effect.label,
            r,
            ci_low=low,
            ci_high=high,
            p=row["p"],
            df=df,
            n=n,
            level=level,
            unit="correlation",
        )
    return out


def units(a: "Measure", part: str, time: str) -> tuple[str, str]:
    """Units of an effect in standard deviations, and in points."""
    label = a.instrument.label
    if part == "growth":
        return f"SD over {TEN} {time}s", f"{label} points over {TEN} {time}s"
    return "SD", f"{label} points"
