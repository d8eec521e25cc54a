"""Models of what is shared: arms with variances of their own, likeness, the rest of the group, multiple membership."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.group_effects.design import FEW_PER_ARM, Shared, with_arms
from alliance_longitudinal.analyses.kit import ENDPOINT, Fitted, Structure, fit_first
from alliance_longitudinal.errors import FitError

#: Fewest groups of an arm whose rates of change may differ between groups.
FOR_CHANGE = 5


@dataclass(frozen=True, slots=True)
class Arms:
    """Comparison of arms.

    Attributes
    ----------
    main, ignoring, same : Fitted
        With groups and variances of each arm; without groups; with groups and the same variances in all arms.
    terms : dict of str to str
        Term of each arm but the reference, by its name.
    shared : tuple of str
        Arms in which clients share groups.
    course : bool
        Whether the effect is a difference of rates of change (else of changes from intake).
    n : int
    """

    main: Fitted
    ignoring: Fitted
    same: Fitted | None
    terms: dict[str, str]
    shared: tuple[str, ...]
    course: bool
    n: int
    kenward: bool


def compare_arms(shared: Shared, covariates: list[str], rows: pd.DataFrame) -> Arms:
    """Partial nesting: only arms with groups have a variance between groups; client and residual variances are those of each arm.

    Bauer, Sterba & Hallfors 2008; Baldwin et al. 2011.

    Raises
    ------
    FitError
        If a model cannot be fitted.
    """
    course = shared.course
    frame, columns = with_arms(shared, rows)
    others = shared.arms[1:]
    with_groups = tuple(a for a in shared.arms if shared.groups_of(a) >= 2)
    few = any(shared.groups_of(a) < FEW_PER_ARM for a in with_groups)
    arms = " + ".join(columns[a] for a in others)
    extra = "".join(f" + {c}" for c in covariates)
    fixed = f"y ~ time * ({arms}{extra})" if course else f"end_change ~ {arms} + intake{extra}"
    groups = "".join(_group_term(shared, a, columns[a], course) for a in with_groups)
    own = (
        "".join(f" + (0 + {columns[a]} + {columns[a]}_time | client)" for a in shared.arms) if course else ""
    )
    alike = " + (1 + time | client)" if course else ""
    df = "kenward-roger" if few else "satterthwaite"
    main = _fit("arms", "Arms, with what clients share", fixed + own + groups, frame, df, own=True)
    ignoring = _fit("arms_ignoring", "Arms, as if clients shared nothing", fixed + own, frame, df, own=True)
    try:
        same: Fitted | None = _fit(
            "arms_same", "Arms, same variances in all", fixed + alike + groups, frame, df, own=False
        )
    except FitError:
        same = None
    prefix = "time:" if course else ""
    terms = {a: prefix + columns[a] for a in others}
    return Arms(main, ignoring, same, terms, with_groups, course, len(frame), few)


def _group_term(shared: Shared, arm: str, column: str, course: bool) -> str:
    """Level (and rate of change, with enough groups) of the groups of one arm."""
    change = course and shared.groups_of(arm) >= FOR_CHANGE
    return f" + (0 + {column}{f' + {column}_time' if change else ''} | unit)"


def _fit(name: str, title: str, formula: str, frame: pd.DataFrame, df: str, *, own: bool) -> Fitted:
    from alliance_longitudinal.engine import MixedModel, VarIdent

    residual = VarIdent("arm") if own else None
    words = "variances of each arm" if own else "the same variances in all arms"
    if "|" not in formula:  # changes from intake, without groups
        structure = Structure("", words, False, False)
        return _least_squares(name, title, formula, frame, structure)
    model = MixedModel.from_formula(formula, frame, residual=residual)
    result = model.fit(df=df)  # type: ignore[arg-type]
    structure = Structure(formula.partition(" + (")[2], words, False, False)
    return Fitted(name, title, formula, structure, result, (), tuple(result.findings))


def _least_squares(name: str, title: str, formula: str, frame: pd.DataFrame, structure: Structure) -> Fitted:
    import statsmodels.formula.api as smf

    return Fitted(name, title, formula, structure, smf.ols(formula, frame).fit(), (), ())


def group_shares(arms: Arms, shared: Shared) -> dict[str, dict[str, float]]:
    """Share of groups in the variance of an arm's level and of its rate of change."""
    table = arms.main.result.varcorr
    out: dict[str, dict[str, float]] = {}
    for arm in arms.shared:
        found = {}
        for what, term in (("level", f"in_{shared.codes[arm]}"), ("change", f"in_{shared.codes[arm]}_time")):
            own = table[table["term1"].eq(term) & table["term2"].isna()].set_index("group")["vcov"]
            group = own.get("unit")
            client = own.drop("unit", errors="ignore").sum()
            if group is not None and group + client > 0 and (what == "change" or arms.course):
                found[what] = float(group / (group + client))
        out[arm] = found
    return out


def likeness(shared: Shared, clients: pd.DataFrame, covariates: list[str]) -> Fitted:
    """Change from intake with an effect of the group: how alike members are.

    Raises
    ------
    FitError
        If the model cannot be fitted.
    """
    frame = clients.rename(columns={"unit": "therapist"})
    arms: list[str] = []
    if shared.arms:  # what an arm has in common is not what a group has in common
        frame, columns = with_arms(shared, frame)
        arms = [columns[a] for a in shared.arms if 0 < frame[columns[a]].mean() < 1][1:]
    fixed = "end_change ~ " + " + ".join(["intake", *arms, *covariates])
    return fit_first("alike", f"Change from intake, by {shared.unit}", fixed, frame, ENDPOINT)


def rest_of_group(members: pd.DataFrame, covariates: list[str]) -> dict[str, Fitted]:
    """Own rating and that of the rest, and deviation and group mean: the same two numbers, cut in two ways.

    Kenny & Garcia 2012 (the rest of the group); Raudenbush & Bryk 2002 (deviation and mean).

    Raises
    ------
    FitError
        If a model cannot be fitted.
    """
    frame = members.rename(columns={"unit": "therapist"})
    rest = "".join(f" + {c}" for c in ["intake", *covariates])
    return {
        "rest": fit_first(
            "rest",
            "Own rating and the rest of the group",
            f"end_change ~ own + others{rest}",
            frame,
            ENDPOINT,
        ),
        "mean": fit_first(
            "group_mean",
            "Deviation and group mean",
            f"end_change ~ deviation + group_mean{rest}",
            frame,
            ENDPOINT,
        ),
    }


@dataclass(frozen=True, slots=True)
class Several:
    """Several therapists (or groups) of a client: the model of multiple membership, and that of the main one."""

    weighted: Any
    first: Any
    n_several: int
    n: int
    units: int

    def variance(self, which: str) -> float:
        """Variance between them in the model ``weighted`` or ``first``."""
        table = (self.weighted if which == "weighted" else self.first).varcorr
        return float(table.loc[table["group"] != "Residual", "vcov"].iloc[0])

    def share(self, which: str) -> float:
        """Its share of the variance of clients with one therapist."""
        table = (self.weighted if which == "weighted" else self.first).varcorr["vcov"].to_numpy(float)
        return float(table[0] / table.sum())


def several_units(clients: pd.DataFrame, attended: pd.DataFrame) -> Several:
    """Change from intake with the effects of all therapists (or groups) of a client, weighted by their share of the sessions.

    ``y = x b + sum_j w_ij u_j + e`` (Browne, Goldstein & Rasbash 2001).

    Raises
    ------
    FitError
        If a model cannot be fitted.
    """
    from alliance_longitudinal.engine import MixedModel, MultipleMembership

    clients = clients[clients["client"].isin(attended["client"])].reset_index(drop=True)
    table = attended[attended["client"].isin(clients["client"])]
    most = table.sort_values(["client", "weight"], ascending=[True, False]).groupby("client")["unit"].first()
    clients = clients.assign(main_unit=clients["client"].map(most))
    members = MultipleMembership.from_long(table, "client", "unit", "weight")
    weighted = MixedModel.from_formula(
        "end_change ~ intake + (1 | team)", clients, membership={"team": members}
    ).fit()
    first = MixedModel.from_formula("end_change ~ intake + (1 | main_unit)", clients).fit()
    several = int((table.groupby("client").size() > 1).sum())
    return Several(weighted, first, several, len(clients), int(table["unit"].nunique()))


def design_effect(icc: float, sizes: "pd.Series[int]") -> float:
    """How many times larger the variance of a mean of clients is than if they shared nothing.

    ``1 + (m - 1) icc`` with ``m`` the mean size weighted by size (Kish 1965; for unequal groups Donner & Klar 2000).
    """
    m = float((sizes**2).sum() / sizes.sum())
    return float(1 + (m - 1) * icc)


def se_ratio(arms: Arms, arm: str) -> float:
    """Standard error with groups over that without."""
    term = arms.terms[arm]
    return float(
        np.divide(arms.main.combination({term: 1.0})["se"], arms.ignoring.combination({term: 1.0})["se"])
    )
