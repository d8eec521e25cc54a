"""One analysis among many of early alliance and outcome: least squares on clients, with what it gives in permuted data."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit.early_design import CONSTANT, EarlyDesign
from alliance_longitudinal.analyses.kit.nesting import each_alone

if TYPE_CHECKING:
    from alliance_longitudinal.methods.basics.frames import Floats
    from alliance_longitudinal.methods.probing.curve import SpecificationCurve
    from alliance_longitudinal.methods.probing.shuffles import Shuffles

Effect = Literal["within", "between"]
#: A line through fewer scores than this says little of a client's rate of change.
SCORES_FOR_SLOPE = 3


class Cell(Protocol):
    """One analysis: its ``estimate, se, df, n``, and the same in permuted data."""

    def figures(self) -> "tuple[float, float, float, int]":
        """Of the data."""
        ...

    def permuted(self, drawn: "Shuffles") -> "Floats":
        """Of each permutation, shape (n_perm, 4)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LeastSquares:
    """A least-squares analysis with CR2 errors by therapist.

    Attributes
    ----------
    members : ndarray of bool, shape (units,)
        Which of the permuted units are in it.
    y : ndarray, shape (n,)
    x : ndarray, shape (n, p)
        The alliance first.
    groups : ndarray, shape (n,)
        Therapists.
    times : float
        From the coefficient to standard deviations, positive if better alliance goes with better outcome.
    n : int
        Clients.
    """

    members: Any
    y: "Floats"
    x: "Floats"
    groups: Any
    times: float
    n: int

    def figures(self) -> "tuple[float, float, float, int]":
        """Of the data."""
        from alliance_longitudinal.methods import clustered_slope

        found = clustered_slope(self.y, self.x, self.groups, 0)
        return self.times * found.estimate, abs(self.times) * found.se, found.df, self.n

    def permuted(self, drawn: "Shuffles") -> "Floats":
        """Residuals on the adjustment variables permuted (Freedman & Lane 1983)."""
        from alliance_longitudinal.methods import permuted_slopes

        found = permuted_slopes(self.y, self.x, self.groups, drawn.of(self.members), 0)
        return found * [self.times, abs(self.times), 1, 1]


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """What is permuted: clients within therapists, or therapists.

    Attributes
    ----------
    ids : Index
        Of clients (of therapists).
    groups : ndarray, shape (units,)
    """

    ids: pd.Index
    groups: Any

    @classmethod
    def of(cls, sessions: pd.DataFrame, effect: Effect) -> "Units":
        """The clients of ``sessions`` within their therapists, or the therapists."""
        if effect == "between":
            ids = pd.Index(sessions["therapist"].unique())
            return cls(ids, np.zeros(len(ids), dtype=int))
        of = sessions.groupby("client", sort=False)["therapist"].first()
        return cls(of.index, of.to_numpy())

    def places(self, values: pd.Series) -> Any:
        """Place of each value among the units."""
        return self.ids.get_indexer(pd.Index(values))


def least_squares(
    design: EarlyDesign, outcome: "pd.Series[float]", units: Units, effect: Effect, points: float
) -> LeastSquares | None:
    """The effect of early alliance on a client-level outcome; None where the alliance does not differ.

    Within therapists all variables are centred on the therapist's mean over the clients who have the outcome, which gives the effect of
    a model with therapists as fixed effects. Between therapists the rows are therapists' means.

    Parameters
    ----------
    design : EarlyDesign
    outcome : Series
        One value per row of ``design.clients``, missing where there is none.
    units : Units
    effect : {"within", "between"}
    points : float
        Multiplies the effect of one standard deviation of alliance.
    """
    names = ["early", *design.choices.covariates, *design.covariates]
    known = outcome.notna().to_numpy()
    rows = design.clients.loc[known, ["client", "therapist", *names]].assign(y=outcome[known])
    values = rows[["y", *names]].astype(float)
    if effect == "within":
        values = values - values.groupby(rows["therapist"]).transform("mean")
        who = units.places(rows["client"])
    else:
        values = values.groupby(rows["therapist"]).mean()
        who = units.places(values.index.to_series())
        values = values - values.mean()
    order = np.argsort(who)
    table = values.to_numpy()[order]
    spread = np.ptp(table, axis=0) if len(table) else np.zeros(len(names) + 1)
    if len(table) < 2 or spread[1] < CONSTANT:
        return None
    used = [1, *(k for k in range(2, len(names) + 1) if spread[k] > CONSTANT)]
    x = table[:, used]
    groups = each_alone(rows)["therapist"].to_numpy()[order] if effect == "within" else np.arange(len(table))
    if effect == "between":
        x = np.column_stack([x, np.ones(len(x))])
    members = np.zeros(len(units.ids), dtype=bool)
    members[who] = True
    times = points * float(np.std(table[:, 1], ddof=1))
    return LeastSquares(members, table[:, 0], x, groups, times, len(rows))


def own_slopes(design: EarlyDesign) -> "pd.Series[float]":
    """Rate of change of each client by a line through the scores after the window, in points per unit of time."""
    rows = design.rows
    by = rows.groupby("client")
    centred = rows["weeks"] - by["weeks"].transform("mean")
    sums = pd.DataFrame({"xy": centred * rows["y"], "xx": centred**2, "n": 1.0}).groupby(rows["client"]).sum()
    enough = (sums["n"] >= SCORES_FOR_SLOPE) & (sums["xx"] > CONSTANT)
    slopes = (sums["xy"] / sums["xx"].where(enough)).reindex(design.clients["client"])
    return slopes.set_axis(design.clients.index)


def outcome_of(design: EarlyDesign, outcome: str, horizon: float) -> "tuple[pd.Series[float], float] | None":
    """Each client's ``slope`` or change to the ``last`` score, and what turns points into SDs where better is positive.

    In standard deviations of the intake score, a rate of change over the horizon; None if the intake scores do not differ.
    """
    sd = float(design.clients["intake"].std())
    if not sd > 0:
        return None
    points = design.choices.good_sign / sd
    if outcome == "slope":
        return own_slopes(design), points * horizon
    return design.clients["end_change"], points


def run(
    cells: Mapping[tuple[Any, ...], Cell | None],
    choices: Sequence[Mapping[str, Any]],
    units: Units,
    n_perm: int,
    seed: int,
) -> "SpecificationCurve | None":
    """The curve of all analyses, judged by the same permutations; None where not one has an estimate, as with a single therapist.

    Parameters
    ----------
    cells : mapping
        The values of a row of ``choices`` -> the analysis; None where there is none.
    choices : sequence of mapping
    """
    from alliance_longitudinal.errors import DataError
    from alliance_longitudinal.methods import shuffles, specification_curve

    drawn = shuffles(units.groups, n_perm, seed)
    known: dict[tuple[Any, ...], tuple[float, float, float, int]] = {}
    for key, cell in cells.items():
        if cell is not None:
            with suppress(DataError):  # too few clients or therapists: the table has an empty row
                known[key] = cell.figures()
    if not any(np.isfinite(found[0]) for found in known.values()):
        return None

    def figures(_: pd.DataFrame, choice: Mapping[str, Any]) -> tuple[float, float, float, int]:
        return known.get(tuple(choice.values()), (np.nan, np.nan, np.nan, 0))

    def permuted(_: pd.DataFrame, choice: Mapping[str, Any]) -> "Floats | None":
        key = tuple(choice.values())
        cell = cells[key] if key in known else None
        return None if cell is None else cell.permuted(drawn)

    return specification_curve(pd.DataFrame(), choices, figures, n_perm=n_perm, permuted=permuted)
