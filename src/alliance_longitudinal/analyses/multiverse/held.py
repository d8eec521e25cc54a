"""A mixed model among the analyses: its effect, and what it gives in permuted data with its variances held."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import ENDPOINT, GROWTH, Fitted, fit_first
from alliance_longitudinal.analyses.kit.early_cells import Effect, Units
from alliance_longitudinal.analyses.kit.early_design import EarlyDesign
from alliance_longitudinal.analyses.kit.early_models import (
    course_model,
    endpoint_model,
    split_effects,
    variances_of,
)
from alliance_longitudinal.errors import AllianceError

if TYPE_CHECKING:
    from alliance_longitudinal.methods.basics.frames import Floats
    from alliance_longitudinal.methods.probing.held import Held
    from alliance_longitudinal.methods.probing.shuffles import Shuffles


@dataclass(frozen=True, slots=True, eq=False)
class HeldVariances:
    """A mixed model of early alliance and outcome.

    Attributes
    ----------
    found : tuple of float
        ``estimate, se, df, n`` in standard deviations.
    model : Held
        With the variances of the data.
    members : ndarray of bool, shape (units,)
    expected, rest : ndarray, shape (members,)
        What the adjustment variables say of the alliance, and the rest, which is permuted.
    person : ndarray of int, shape (persons,)
        Place among the members of each person of the model: of the client, or of the therapist.
    times : float
    wider : float
        Of errors that let the effect differ between therapists to the model's, held as well; 1 where the model lets it.
    """

    found: "tuple[float, float, float, int]"
    model: "Held"
    members: Any
    expected: "Floats"
    rest: "Floats"
    person: Any
    times: float
    wider: float = 1.0

    def figures(self) -> "tuple[float, float, float, int]":
        """Of the data."""
        return self.found

    def permuted(self, drawn: "Shuffles") -> "Floats":
        """The rest of the alliance permuted, the variances held."""
        versions = self.expected + self.rest[drawn.of(self.members, back=True)]
        estimate, se = self.model.slopes(versions[:, self.person])
        same = np.ones(len(estimate))
        _, _, df, n = self.found
        return np.column_stack(
            [self.times * estimate, abs(self.times) * self.wider * se, df * same, n * same]
        )


def mixed_cell(
    design: EarlyDesign, kind: str, level: str, units: Units, effect: Effect, points: float
) -> "tuple[HeldVariances, Fitted] | None":
    """The model of a design and its cell; None where it cannot be fitted or has no such effect.

    Parameters
    ----------
    kind : {"slope", "end"}
    level : {"three_level", "two_level"}
    points : float
        Multiplies the effect of one standard deviation of alliance.
    """
    if kind == "slope" and not design.course:
        return None
    try:
        fitted = _fit(design, kind, level, own=effect == "within")
    except AllianceError:
        return None
    effects = split_effects(fitted, design, kind)
    if effect not in effects:
        return None
    sd = design.sd("early_client") if effect == "within" else design.sd_of_therapists()
    times = points * sd
    row = effects[effect]
    found = times * row["estimate"], abs(times) * row["se"], row["df"], design.n_clients
    held = _held(design, fitted, kind, units, effect, found, times)
    if fitted.robust is not None and effect == "within":
        usual = split_effects(replace(fitted, robust=None), design, kind)[effect]["se"]
        held = replace(held, wider=row["se"] / usual)
    return held, fitted


def _fit(design: EarlyDesign, kind: str, level: str, *, own: bool) -> Fitted:
    if level == "three_level":
        return (course_model if kind == "slope" else endpoint_model)(design, own=own)
    if kind == "slope":
        return fit_first("two_level", "Two-level", design.growth_formula(), design.rows, GROWTH[-2:])
    return fit_first("two_level", "Two-level", design.endpoint_formula(), design.clients, ENDPOINT[-1:])


def _held(
    design: EarlyDesign,
    fitted: Fitted,
    kind: str,
    units: Units,
    effect: Effect,
    found: "tuple[float, float, float, int]",
    times: float,
) -> HeldVariances:
    from alliance_longitudinal.methods.probing.held import Held, of_persons

    clients = design.clients
    q = 2 if kind == "slope" else 1
    between, within, own, sigma2 = variances_of(fitted, q)
    if kind == "slope":
        rows = design.rows
        persons = pd.Index(clients["client"]).get_indexer(pd.Index(rows["client"]))
        basis = np.column_stack([np.ones(len(rows)), rows["weeks"].to_numpy(float)])
        y = rows["y"].to_numpy(float)
    else:
        persons = np.arange(len(clients))
        basis, y = np.ones((len(clients), 1)), clients["end_change"].to_numpy(float)
    focal = "early_client" if effect == "within" else "early_therapist"
    other = [c for c in (*design.predictors(split=True), *design.covariates) if c != focal]
    columns = np.column_stack([np.ones(len(clients)), clients[other].to_numpy(float)])
    information, score = of_persons(y, basis, persons, within, sigma2)
    groups = pd.factorize(clients["therapist"])[0]
    model = Held(information, score, groups, between, own, columns)
    return HeldVariances(found, model, *_parts(design, focal, units, effect), times)


def _parts(
    design: EarlyDesign, focal: str, units: Units, effect: Effect
) -> "tuple[Any, Floats, Floats, Any]":
    """Members, what the adjustment variables say of the alliance, the rest, and each client's place among the members."""
    clients = design.clients
    part = "_client" if effect == "within" else "_therapist"
    names = [c for c in design.predictors(split=True) if c != focal and c.endswith(part)]
    table = clients[[focal, *names, *design.covariates]].astype(float)
    therapist = clients["therapist"]
    if effect == "within":
        table = table - table.groupby(therapist).transform("mean")
        who = units.places(clients["client"])
    else:
        table = table.groupby(therapist).mean()
        table = table - table.mean()
        who = units.places(table.index.to_series())
    order = np.argsort(who)
    values = table.to_numpy()[order]
    members = np.zeros(len(units.ids), dtype=bool)
    members[who] = True
    x = values[:, 1:]
    expected = x @ np.linalg.lstsq(x, values[:, 0], rcond=None)[0] if x.shape[1] else np.zeros(len(values))
    own = units.places(clients["client"] if effect == "within" else therapist)
    return members, expected, values[:, 0] - expected, (np.cumsum(members) - 1)[own]
