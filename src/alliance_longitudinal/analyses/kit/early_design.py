"""The rows, predictors and formulas of the early-alliance models."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit.fits import MIN_THERAPISTS
from alliance_longitudinal.analyses.kit.nesting import number_of_therapists
from alliance_longitudinal.counts import Count
from alliance_longitudinal.data.flow import SampleFlow
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.timing import Landmark, TimeWindow, landmark, split_by_therapist

if TYPE_CHECKING:
    from alliance_longitudinal.analyses.kit.draft import Draft

#: Below this standard deviation (in its own points) a predictor says nothing and would make the model unsolvable.
CONSTANT = 1e-9
Adjusters = Callable[[pd.DataFrame], tuple[pd.DataFrame, list[str]]]
#: Fewest clients, and fewest of them with two scores after the window for a model of the course.
MIN_CLIENTS = 20


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices of one analysis; the sensitivity analysis varies them.

    ``time`` says what one unit of the time column is: ``week``, or ``session`` where the study has neither dates nor
    weeks.
    """

    alliance: Measure
    outcome: Measure
    window: TimeWindow
    min_rated: int
    adjust_intake: bool
    adjust_early_change: bool
    time: str = "week"

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the adjustment variables."""
        return ("intake",) * self.adjust_intake + ("change",) * self.adjust_early_change

    @property
    def rate(self) -> str:
        """The change in one unit of time, in words."""
        return "weekly change" if self.time == "week" else f"change per {self.time}"

    @property
    def good_sign(self) -> int:
        """+1 if a positive coefficient means that better alliance goes with better outcome, else -1."""
        better_alliance = 1 if self.alliance.instrument.direction == "higher_better" else -1
        better_outcome = 1 if self.outcome.instrument.direction == "higher_better" else -1
        return better_alliance * better_outcome


@dataclass(frozen=True, slots=True)
class EarlyDesign:
    """What the models are fitted to.

    Attributes
    ----------
    choices : Choices
    clients : DataFrame, one row per analysed client
        The landmark's columns and ``early``, ``intake``, ``change`` split by therapist.
    rows : DataFrame, one row per outcome score after the window
        ``y``, ``weeks`` and the client's predictors.
    between : bool
        Whether therapist means can be predictors (enough therapists and different means).
    flow : SampleFlow
    covariates : tuple of str
        Columns of the study's own covariates, on which level and rate of change depend.
    """

    choices: Choices
    clients: pd.DataFrame
    rows: pd.DataFrame
    between: bool
    flow: SampleFlow
    covariates: tuple[str, ...] = ()

    @property
    def n_clients(self) -> int:
        """Analysed clients."""
        return len(self.clients)

    @property
    def n_therapists(self) -> int:
        """Their therapists; 0 where the study names none."""
        return number_of_therapists(self.clients["therapist"])

    @property
    def among(self) -> str:
        """Where the effect of alliance lies that is the main one."""
        return "within therapists" if self.n_therapists else "between clients"

    @property
    def course(self) -> bool:
        """Whether enough clients have two or more scores after the window for a model of its course."""
        return self.n_with_course >= MIN_CLIENTS

    @property
    def n_with_course(self) -> int:
        """Clients with two or more scores after the window."""
        return int((self.clients["n_after"] >= 2).sum())

    @property
    def typical_followup(self) -> float:
        """Whole weeks (or sessions: see ``Choices.time``) that half of the clients were followed after the window, at least one."""
        return float(max(np.floor(self.clients["weeks_followed"].median()), 1))

    def alliance_term(self, *, split: bool) -> str:
        """The predictor whose effect may differ between therapists: alliance within them, or the total."""
        return "early_client" if "early_client" in self.predictors(split=split) else "early_total"

    def sd(self, column: str) -> float:
        """Standard deviation of a client-level column over clients, in its own points."""
        return float(self.clients[column].std())

    def sd_of_therapists(self) -> float:
        """Standard deviation of the therapists' mean early alliance, each therapist once."""
        return float(self.clients.groupby("therapist")["early"].mean().std())

    def predictors(self, *, split: bool) -> list[str]:
        """Predictors of the model: alliance in two parts (``split``) or in one, then the adjustment variables.

        The adjustment variables are divided like the alliance. Without therapist means as predictors, total alliance
        goes with total adjustment variables: their client deviations alone would leave the differences
        between therapists' clients unadjusted. If there is no client deviation either (every client another
        therapist's), all models use totals.
        """
        if not self.between:
            part = "client" if split and self.sd("early_client") > CONSTANT else "total"
            wanted = [f"{name}_{part}" for name in ("early", *self.choices.covariates)]
        else:
            wanted = ["early_client", "early_therapist"] if split else ["early_total"]
            wanted += [f"{n}_{part}" for n in self.choices.covariates for part in ("client", "therapist")]
        return [p for p in wanted if self.sd(p) > CONSTANT]

    def therapist_predictors(self) -> int:
        """How many of the split model's predictors are therapist means."""
        return sum(p.endswith("_therapist") for p in self.predictors(split=True))

    @property
    def n_clinics(self) -> int:
        """Clinics of the analysed clients; 0 where the study names none."""
        return int(self.clients["clinic"].nunique()) if "clinic" in self.clients else 0

    def growth_formula(self, *, split: bool = True, clinics: bool = False) -> str:
        """Fixed part of the model of the course after the window; ``clinics``: each clinic has its own level and change."""
        terms = [*self.predictors(split=split), *self.covariates, *["clinic"] * clinics]
        return f"y ~ weeks * ({' + '.join(terms)})"

    def endpoint_formula(self, *, split: bool = True, clinics: bool = False) -> str:
        """Fixed part of the model of the change from intake to the last score."""
        terms = [*self.predictors(split=split), *self.covariates, *["clinic"] * clinics]
        return f"end_change ~ {' + '.join(terms)}"


def unadjusted(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """No covariates of the study."""
    return frame, []


def differs(values: "pd.Series[float]") -> bool:
    """Whether the values are not all the same, so that they can be related to anything."""
    return bool(values.max() - values.min() >= CONSTANT)


def build_design(
    sessions: pd.DataFrame,
    flow: SampleFlow,
    choices: Choices,
    min_therapists: int,
    adjusters: Adjusters = unadjusted,
) -> EarlyDesign:
    """Select clients and build predictors; therapist means are means over the analysed clients.

    Parameters
    ----------
    sessions : DataFrame
        ``study.sessions``.
    min_therapists : int
        Fewest therapists with two or more clients for therapist means to be predictors.
    adjusters : callable
        Gives a frame the columns of the study's covariates, and their names: a draft's ``adjusters``.
    """
    found = landmark(
        sessions,
        flow,
        alliance=choices.alliance.name,
        outcome=choices.outcome.name,
        window=choices.window,
        min_rated=choices.min_rated,
        need_change=choices.adjust_early_change,
    )
    clinic = None
    if "clinic" in sessions:
        # A client who was seen in two clinics belongs to the first.
        clinic = sessions.groupby("client")["clinic"].first()
    return design_of(found, choices, min_therapists, adjusters, clinic)


def design_of(
    found: Landmark,
    choices: Choices,
    min_therapists: int,
    adjusters: Adjusters = unadjusted,
    clinic: "pd.Series[str] | None" = None,
) -> EarlyDesign:
    """The predictors of selected clients; ``clinic`` is that of each client."""
    clients = found.clients
    for column in ("early", *choices.covariates):
        clients = split_by_therapist(clients, column)
    predictors = [
        c for c in clients if str(c).rpartition("_")[2] in ("total", "therapist", "client") and "_" in str(c)
    ]
    if clinic is not None:
        clients = clients.assign(clinic=clients["client"].map(clinic))
        predictors.append("clinic")
    rows = found.followup.merge(
        clients[["client", *predictors]], on="client", how="left", validate="many_to_one"
    )
    usable = int((clients.groupby("therapist").size() >= 2).sum())
    clients, terms = adjusters(clients)
    rows, _ = adjusters(rows)
    return EarlyDesign(choices, clients, rows, usable >= min_therapists, found.flow, tuple(terms))


def drafted_design(draft: "Draft", choices: Choices) -> EarlyDesign:
    """Rows and predictors of a draft's clients; where early change is known of too few, it is not adjusted for, and the report says so.

    A clinic that measures symptoms before and after treatment only has no change within the early window. The choices
    that were made are those of the design; the draft has its sample flow.
    """
    design = build_design(draft.sessions, draft.flow, choices, MIN_THERAPISTS, draft.adjusters)
    if choices.adjust_early_change and design.n_clients < MIN_CLIENTS:
        simpler = replace(choices, adjust_early_change=False)
        without = build_design(draft.sessions, draft.flow, simpler, MIN_THERAPISTS, draft.adjusters)
        if without.n_clients >= MIN_CLIENTS:
            draft.resolved["adjust_early_change"] = False
            draft.find(
                "no_early_change",
                "caution",
                "The models do not adjust for early change, because only {known} of {n:noun} "
                "{known:has|have} two {outcome} scores up to the end of the window. Improvement "
                "within the window may count as an effect of alliance.",
                "early change",
                known=Count(design.n_clients, "client"),
                n=Count(without.n_clients, "client"),
                outcome=choices.outcome.instrument.label,
            )
            design = without
    draft.flow = design.flow
    draft.analysed = design.clients["client"]
    return design
