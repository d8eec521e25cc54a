"""Cases and their members: couples and families, or clients with somebody who rates beside them."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from alliance_longitudinal.analyses.kit import Count, Draft, Number, say
from alliance_longitudinal.analyses.kit.covariates import declared
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.timing import TimeWindow

Missing = Literal["error", "drop", "fiml"]
#: Fewest cases.
MIN_CASES = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What is analysed.

    Attributes
    ----------
    alliance, outcome : Measure
        Of the (first) member.
    other_alliance, other_outcome : Measure or None
        Of the other rater, where one client is a case with two raters.
    role : str or None
        Covariate of clients that gives the roles in a couple or family.
    system : Measure or None
        Alliance of the members with one another.
    window : TimeWindow
    first : bool
        Whether models adjust for the own first score.
    missing : {"error", "drop", "fiml"}
    """

    alliance: Measure
    outcome: Measure
    other_alliance: Measure | None
    other_outcome: Measure | None
    role: str | None
    system: Measure | None
    window: TimeWindow
    first: bool
    missing: Missing

    @property
    def same_alliance(self) -> bool:
        """Whether both members' alliances are on one scale, so that they can be compared."""
        return self.other_alliance is None or self.other_alliance.instrument.id == self.alliance.instrument.id

    @property
    def same_outcome(self) -> bool:
        """Whether both members' outcomes are on one scale."""
        return self.other_outcome is None or self.other_outcome.instrument.id == self.outcome.instrument.id

    def labels(self, member: int) -> tuple[str, str]:
        """Instruments of alliance and outcome of the first (0) or second member."""
        one = self.alliance.instrument.label, self.outcome.instrument.label
        if member == 0 or self.other_alliance is None or self.other_outcome is None:
            return one
        return self.other_alliance.instrument.label, self.other_outcome.instrument.label

    @property
    def raters(self) -> bool:
        """Whether the members of a case are two raters of one treatment."""
        return self.other_alliance is not None


@dataclass(frozen=True, slots=True)
class Cases:
    """Members of cases.

    Attributes
    ----------
    people : DataFrame
        One row per member: ``case, person, client, therapist, role``; ``x`` (mean alliance in the window), ``partner`` (mean of
        the other members' ``x``), ``intake`` (first score), ``y`` (last score after the window).
    roles : tuple of str
        Empty where members have none.
    """

    people: pd.DataFrame
    roles: tuple[str, ...]

    @property
    def n(self) -> int:
        """How many cases."""
        return int(self.people["case"].nunique())


def members(draft: Draft, asked: Asked) -> Cases:
    """The members of every case that is left, with their scores, and what that costs in the sample flow.

    Raises
    ------
    StudyError
        If members are missing and ``missing`` is ``"error"``, or the request does not fit the study.
    """
    roles = _two_raters(draft, asked) if asked.raters else _families(draft, asked)
    last = draft.sessions.groupby("case")["session"].transform("max")
    draft.keep(
        last >= asked.window.last,
        "Cases in treatment at the end of the early window",
        f"ended treatment before session {asked.window.last}",
    )
    people = _scores(draft.sessions, asked, roles)
    whole = _complete(people, asked, roles)
    if asked.missing == "error" and not whole.all():
        raise StudyError(
            say(
                "In {n} of {all:noun} a member or a score of a member is missing. Choose what happens to them: missing='drop' leaves these "
                "cases out, missing='fiml' uses the scores that are there.",
                n=Count(int((~whole).sum()), "case"),
                all=Count(len(whole), "case"),
            )
        )
    if asked.missing == "fiml":
        some = people[["x", "y"]].notna().any(axis=1).groupby(people["case"]).any()
        _keep_cases(
            draft, some, "Cases with some score", "no alliance in the window and no later outcome score"
        )
    else:
        _keep_cases(
            draft,
            whole,
            "Cases in which every member has all scores",
            "a member or a score of a member is missing",
        )
    people = people[people["case"].isin(draft.sessions["case"].unique())].reset_index(drop=True)
    return Cases(people, roles)


def _keep_cases(draft: Draft, kept: "pd.Series[bool]", step: str, reason: str) -> None:
    draft.keep(draft.sessions["case"].map(kept).fillna(False).astype(bool), step, reason)


def _two_raters(draft: Draft, asked: Asked) -> tuple[str, ...]:
    """Each client is a case; the raters of the two alliance measures are its members."""
    assert asked.other_alliance is not None
    one, two = asked.alliance.rater, asked.other_alliance.rater
    if one == two:
        raise StudyError(
            f"Parameter 'partner_alliance': {asked.alliance.name} and {asked.other_alliance.name} are both rated by the {one}. Name a "
            "measure by another rater."
        )
    if asked.role is not None:
        raise StudyError(
            "Parameter 'role': where one client has two raters, the raters are the roles. Take it out."
        )
    draft.sessions = draft.sessions.assign(case=draft.sessions["client"])
    return (one, two)


def _families(draft: Draft, asked: Asked) -> tuple[str, ...]:
    """Couples and families of the study file; with a role, those with one member of each of two roles."""
    if "family" not in draft.sessions or draft.sessions["family"].isna().all():
        raise draft.too_little(
            "The study names no couples or families. Name the column 'family' in the study file; or, if a carer or somebody else "
            "rates as well as the client, give partner_alliance and partner_outcome.",
            "no_families",
        )
    sessions = draft.sessions
    draft.sessions = sessions.assign(case=sessions["family"])
    draft.keep(
        draft.sessions["case"].notna(), "Clients in a couple or family", "no couple or family recorded"
    )
    if asked.role is None:
        return ()
    known = {n: c for n, c in declared(draft.study).items() if c.level == "client"}
    found = known.get(asked.role)
    if found is None or len(found.categories) != 2:
        usable = ", ".join(n for n, c in known.items() if len(c.categories) == 2)
        raise StudyError(
            f"Parameter 'role': {asked.role!r} is not a covariate of clients with two categories. "
            f"{'Choose one of: ' + usable + '.' if usable else 'The study file names none.'}"
        )
    own = draft.sessions["client"].map(found.values(draft.study))
    draft.sessions = draft.sessions.assign(role=own)
    draft.keep(own.notna(), f"Clients whose {asked.role} is known", f"{asked.role} is not known")
    each = draft.sessions.drop_duplicates("client")
    twice = each.duplicated(["case", "role"], keep=False)
    alike = set(each.loc[twice, "case"])
    draft.keep(
        ~draft.sessions["case"].isin(alike),
        f"Cases whose members differ in {asked.role}",
        f"two members with the same {asked.role}",
    )
    return tuple(found.categories)


def _scores(sessions: pd.DataFrame, asked: Asked, roles: tuple[str, ...]) -> pd.DataFrame:
    """One row per member; partners' ratings beside."""
    if asked.raters:
        assert asked.other_alliance is not None
        assert asked.other_outcome is not None
        pairs = ((asked.alliance, asked.outcome), (asked.other_alliance, asked.other_outcome))
        parts = [
            _of_people(sessions, a.name, y.name, asked).assign(
                role=role, person=lambda f, r=role: f["client"] + " " + r
            )
            for role, (a, y) in zip(roles, pairs, strict=True)
        ]
        people = pd.concat(parts, ignore_index=True)
    else:
        people = _of_people(sessions, asked.alliance.name, asked.outcome.name, asked)
        people = people.assign(person=people["client"])
        if roles:
            people["role"] = people["client"].map(sessions.groupby("client")["role"].first())
    total = people["x"].groupby(people["case"]).transform("sum")
    known = people["x"].notna().groupby(people["case"]).transform("sum")
    others = total - people["x"].fillna(0.0)
    n = known - people["x"].notna()
    people["partner"] = (others / n.where(n > 0)).astype(float)
    return people.sort_values(["case", "person"], ignore_index=True)


def _of_people(sessions: pd.DataFrame, alliance: str, outcome: str, asked: Asked) -> pd.DataFrame:
    """Early alliance, first and last outcome score of each client, and the case's therapist."""
    ordered = sessions.sort_values(["client", "session"])
    inside = ordered["session"].between(asked.window.first, asked.window.last)
    scored = ordered[ordered[outcome].notna()]
    until = scored[scored["session"] <= asked.window.last].groupby("client")[outcome]
    after = scored[scored["session"] > asked.window.last].groupby("client")[outcome]
    clients = pd.Index(ordered["client"].unique())
    first = ordered.drop_duplicates("client").set_index("client")
    therapist = ordered.groupby("case")["therapist"].first()
    return pd.DataFrame(
        {
            "client": clients,
            "case": first["case"].reindex(clients).to_numpy(),
            "therapist": first["case"].reindex(clients).map(therapist).to_numpy(),
            "x": ordered[inside].groupby("client")[alliance].mean().reindex(clients).to_numpy(float),
            "intake": until.first().reindex(clients).to_numpy(float),
            "y": after.last().reindex(clients).to_numpy(float),
        }
    )


def _complete(people: pd.DataFrame, asked: Asked, roles: tuple[str, ...]) -> "pd.Series[bool]":
    """Whether every member of a case is there with all scores, by case."""
    needed = ["x", "y", *(["intake"] if asked.first else [])]
    whole = people[needed].notna().all(axis=1).groupby(people["case"]).all()
    size = people.groupby("case").size()
    return whole & (size.eq(len(roles)) if roles else size.ge(2))


def check_enough(draft: Draft, cases: Cases, asked: Asked) -> None:
    """Go on only with enough cases whose scores differ."""
    people = cases.people
    both = people["y"].notna().groupby(people["case"]).sum().ge(2)
    n = int(both.sum())
    if n < MIN_CASES:
        raise draft.too_little(
            "{n:noun} {n:has|have} outcome scores of two members, and the analysis of couples and families needs at least {needed}.",
            n=Count(n, "case"),
            needed=Number(MIN_CASES, "integer"),
        )
    for column, words in (
        ("x", f"ratings of {asked.alliance.instrument.label}"),
        ("y", f"scores of {asked.outcome.instrument.label}"),
    ):
        if not people[column].max() - people[column].min() > 0:
            raise draft.too_little("The {what} do not differ, so nothing can be related to them.", what=words)
    if asked.first and not (people["y"] - people["intake"]).abs().max() > 0:
        raise draft.too_little(
            "No member's score of {what} changes, so there is no change to relate to anything. Check that the study file names the right "
            "columns.",
            what=asked.outcome.instrument.label,
        )
