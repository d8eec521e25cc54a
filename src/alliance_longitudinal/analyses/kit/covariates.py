"""What the study file declares of clients, therapists and sessions: found by name, and coded for a model."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from alliance_longitudinal.data.study import Study
from alliance_longitudinal.errors import StudyError

Level = Literal["client", "therapist", "session"]
ARM = "arm"
#: What identifies one unit of each level in a frame.
KEYS: dict[Level, list[str]] = {
    "client": ["client"],
    "therapist": ["therapist"],
    "session": ["client", "session"],
}


@dataclass(frozen=True, slots=True)
class Covariate:
    """A covariate as the study file declares it.

    Attributes
    ----------
    name : str
    level : {"client", "therapist", "session"}
    categories : tuple of str
        Empty for a number. The first is the reference.
    rare : frozenset of str
        Categories of too few people to be named to outsiders; columns of a model carry their number instead.
    """

    name: str
    level: Level
    categories: tuple[str, ...] = ()
    rare: frozenset[str] = frozenset()

    @property
    def words(self) -> str:
        """The name, and for a category what it is compared with."""
        if not self.categories:
            return self.name
        first = self.categories[0]
        return f"{self.name} (compared with {'the first category' if first in self.rare else first})"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its columns in a model: one for a number, one per category but the reference."""
        if not self.categories:
            return (f"cov_{self.name}",)
        seen: list[str] = []
        for k, category in enumerate(self.categories[1:], start=1):
            plain = "" if category in self.rare else re.sub("[^A-Za-z0-9]+", "_", category).strip("_")
            plain = plain or f"category_{k}"
            column = f"cov_{self.name}_{plain}"
            seen.append(column if column not in seen else f"{column}_{k}")
        return tuple(seen)

    @property
    def labels(self) -> dict[str, str]:
        """Words for each of its columns."""
        if not self.categories:
            return {self.columns[0]: self.name}
        return {
            column: f"{self.name}: {category}, compared with {self.categories[0]}"
            for column, category in zip(self.columns, self.categories[1:], strict=True)
        }

    def values(self, study: Study) -> "pd.Series[float] | pd.Series[str]":
        """Its values, indexed by the client, the therapist, or client and session; missing where not known."""
        found = _frame(study, self.level).set_index(KEYS[self.level])[self.name]
        return found.astype(object).where(found.notna(), None) if self.categories else found

    def coded(self, values: "pd.Series[float] | pd.Series[str]") -> pd.DataFrame:
        """Columns for a model: numbers less their mean, categories as 0 or 1; missing where the value is."""
        if not self.categories:
            numbers = values.astype(float)
            return pd.DataFrame({self.columns[0]: numbers - numbers.mean()})
        known = values.notna()
        return pd.DataFrame(
            {
                column: values.eq(category).astype(float).where(known)
                for column, category in zip(self.columns, self.categories[1:], strict=True)
            }
        )


def declared(study: Study) -> dict[str, Covariate]:
    """Every covariate of the study by its name, the treatment arm first."""
    found: dict[str, Covariate] = {}
    clients = study.clients
    own: tuple[tuple[Level, tuple[str, ...]], ...] = (
        ("client", (*((ARM,) if ARM in clients else ()), *study.covariates)),
        ("therapist", study.therapist_covariates),
        ("session", study.session_covariates),
    )
    for level, names in own:
        if names:
            frame = clients if level == "client" else _frame(study, level)
            unit = "therapist" if level == "therapist" else "client"
            for name in names:
                if name in frame:
                    categories = _categories(frame[name])
                    people = frame.groupby(frame[name].astype(str))[unit].nunique() if categories else {}
                    rare = frozenset(c for c in categories if people[c] < study.small_cells)
                    found[name] = Covariate(name, level, categories, rare)
    return found


def _frame(study: Study, level: Level) -> pd.DataFrame:
    """The study's frame of a level; each is a copy, so only the one that is needed is asked for."""
    if level == "session":
        return study.sessions
    return study.therapists if level == "therapist" else study.clients


def _categories(values: pd.Series) -> tuple[str, ...]:
    """Categories that occur: in the declared order, else by the alphabet; empty for numbers."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        present = set(values.dropna())
        return tuple(str(c) for c in values.cat.categories if c in present)
    if pd.api.types.is_numeric_dtype(values):
        return ()
    return tuple(sorted(str(v) for v in values.dropna().unique()))


def find_covariates(
    study: Study, names: Sequence[str], parameter: str = "covariates"
) -> tuple[Covariate, ...]:
    """The covariates called ``names``, each once; ``parameter`` is where the user gave them.

    Raises
    ------
    StudyError
        If the study has none of that name.
    """
    known = declared(study)
    for name in names:
        if name not in known:
            raise StudyError(f"Parameter {parameter!r}: {unknown_covariate(name, known)}")
    return tuple(known[name] for name in dict.fromkeys(names))


def find_group(study: Study, by: str) -> tuple[Covariate, str | None]:
    """The covariate whose groups ``by`` compares, and the one group that it asks for, as in ``"arm=CBT"``.

    Raises
    ------
    StudyError
        If the study has no such covariate of clients, it is a number, or no client is in that group.
    """
    name, equals, group = (part.strip() for part in by.partition("="))
    known = {n: c for n, c in declared(study).items() if c.level == "client"}
    groups = {n: c for n, c in known.items() if c.categories}
    if name not in known:
        raise StudyError(f"Parameter 'by': {unknown_covariate(name, groups, 'category of clients')}")
    if name not in groups:
        choices = f"Choose one of: {', '.join(groups)}." if groups else "The study file names no category."
        raise StudyError(
            f"Parameter 'by': {name} is a number, and groups need a category. {choices} To make a "
            "number a category, give 'reference' or 'order' in the study file."
        )
    found = groups[name]
    if equals and group not in found.categories:
        raise StudyError(
            f"Parameter 'by': no client has {name} {group!r}.{_near(group, found.categories)} There are: "
            f"{', '.join(found.categories)}."
        )
    return found, group if equals else None


def unknown_covariate(
    name: str, known: "Sequence[str] | dict[str, Covariate]", what: str = "covariate"
) -> str:
    """What an error says of a name that the study does not have, with the nearest one that it has."""
    if not known:
        return (
            f"the study file names no {what}, so there is no {name!r}. Name columns under 'covariates' "
            "in the study file."
        )
    return f"the study has no {what} {name!r}.{_near(name, known)} It has: {', '.join(known)}."


def _near(name: str, known: "Sequence[str] | dict[str, Covariate]") -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""
