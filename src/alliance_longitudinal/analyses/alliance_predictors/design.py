"""Which predictors there are, how each is coded, and how those of clients are split within and between therapists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from alliance_longitudinal.analyses.kit import (
    partly,
    slug,
    with_one,
)

#: What the attachment style is called among the predictors.
STYLE = "style"
#: A column that differs by less than this says nothing.
CONSTANT = 1e-9

Part = Literal["within", "between", "client"]
#: How the label of each part of an effect ends.
PART_WORDS: dict[str, str] = {
    "within": "within therapists",
    "between": "between therapists",
    "client": "between clients",
}


@dataclass(frozen=True, slots=True)
class Predictor:
    """What may go with the alliance.

    Attributes
    ----------
    name : str
    level : {"client", "therapist"}
    values : Series
        Indexed by client or by therapist; missing where not known.
    categories : tuple of str
        Empty for a number. The first is the reference.
    rare : frozenset of str
        Categories of too few people to be named.
    words : str
        What it is called in sentences; the name, with spaces, unless something else is said.
    """

    name: str
    level: Literal["client", "therapist"]
    values: pd.Series
    categories: tuple[str, ...] = ()
    rare: frozenset[str] = frozenset()
    words: str = ""

    @property
    def label(self) -> str:
        """What it is called in sentences and tables."""
        return self.words or self.name.replace("_", " ")

    def of(self, rows: pd.DataFrame) -> pd.Series:
        """Its value in each of ``rows``, which have ``client`` and ``therapist``."""
        unit = rows[self.level]
        return pd.Series(self.values.reindex(unit).to_numpy(), index=rows.index)

    def named(self, k: int) -> str:
        """Name of its category number ``k``; a number for a category of too few people."""
        category = self.categories[k]
        return f"category {k + 1}" if category in self.rare else category


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect of a model: a weighted sum of its coefficients.

    Attributes
    ----------
    id, label : str
    predictor : Predictor
    part : {"within", "between", "client"}
    weights : dict of str to float
        Column -> weight. The columns of numbers are in standard deviations.
    sd : float
        The standard deviation that a number was divided by; 1 for categories.
    contrast : str
        For a category, what it is and what it is compared with.
    """

    id: str
    label: str
    predictor: Predictor
    part: Part
    weights: dict[str, float]
    sd: float
    contrast: str = ""

    @property
    def of_therapists(self) -> bool:
        """Whether it differs between therapists only."""
        return self.part == "between"


@dataclass(frozen=True, slots=True)
class Design:
    """The columns of a model and what is asked of them.

    Attributes
    ----------
    columns : DataFrame
        Indexed as the rows that they were made for.
    effects : tuple of Effect
    constant : tuple of str
        Labels of effects whose columns do not differ.
    """

    columns: pd.DataFrame
    effects: tuple[Effect, ...]
    constant: tuple[str, ...]

    @property
    def terms(self) -> list[str]:
        """The columns' names, for a formula."""
        return [str(c) for c in self.columns]

    @property
    def therapist_terms(self) -> int:
        """How many of them differ between therapists only."""
        return sum(str(c).endswith("_between") for c in self.columns)


def build(
    rows: pd.DataFrame,
    predictors: Sequence[Predictor],
    people: pd.DataFrame,
    *,
    split: bool,
    between: bool = True,
) -> Design:
    """The columns of a model for ``rows`` that have one row per client.

    A client's value is the sum of the therapist's mean (between) and the difference from it (within); numbers are divided by
    their standard deviation among the clients (or therapists) of ``people``, so that both parts are in the same unit.

    Parameters
    ----------
    rows : DataFrame
        One row per client in the model: ``client``, ``therapist``.
    people : DataFrame
        The same for everybody in the analysis: standard deviations are over them.
    split : bool
        Whether therapists are known. Otherwise clients are compared with all others.
    between : bool
        Whether therapists are compared, too.
    """
    columns: dict[str, pd.Series] = {}
    effects: list[Effect] = []
    constant: list[str] = []
    stems: set[str] = set()
    for predictor in predictors:
        stem = _free(slug(predictor.name), stems)
        coded, sd = _coded(rows, predictor, people, stem)
        if not len(coded.columns):  # one category only
            constant.append(predictor.label)
            continue
        kinds = split and _differs_by_kind(coded, rows)
        for part in ("client",) if kinds else _parts(predictor, split=split, between=between):
            own = _part(coded, rows, predictor, part)
            seen = own[with_one(rows["therapist"])] if split and part == "between" else own
            flat = [c for c in own if not seen[c].max() - seen[c].min() > CONSTANT]
            if len(flat) == len(own.columns):
                constant.append(f"{predictor.label}, {PART_WORDS[part]}")
                continue
            own = own.drop(columns=flat)
            columns |= {str(c): own[c] for c in own}
            if flat:  # a category that does not vary leaves nothing to compare the others with
                constant.append(f"{predictor.label}, {PART_WORDS[part]}")
            else:
                effects += _effects(predictor, stem, part, list(map(str, own)), sd)
    return Design(pd.DataFrame(columns, index=rows.index), tuple(effects), tuple(constant))


def _parts(predictor: Predictor, *, split: bool, between: bool) -> tuple[Part, ...]:
    if not split:
        return ("client",)
    if predictor.level == "therapist":
        return ("between",) if between else ()
    return ("within", "between") if between else ("within",)


def _differs_by_kind(coded: pd.DataFrame, rows: pd.DataFrame) -> bool:
    """Whether a predictor, such as the arm, differs between clients with and without a therapist, and nowhere else."""
    if not partly(rows):
        return False
    by = coded.groupby(with_one(rows["therapist"]).to_numpy())
    inside = (by.max() - by.min()).to_numpy()
    return bool((inside <= CONSTANT).all() and (coded.max() - coded.min() > CONSTANT).any())


def _free(stem: str, taken: set[str]) -> str:
    """A name for columns that no other predictor has and that a formula reads as one word."""
    stem = stem if stem[0].isalpha() else f"x_{stem}"
    while stem in taken:
        stem += "_"
    taken.add(stem)
    return stem


def _coded(
    rows: pd.DataFrame, predictor: Predictor, people: pd.DataFrame, stem: str
) -> tuple[pd.DataFrame, float]:
    values = predictor.of(rows)
    if not predictor.categories:
        everybody = people if predictor.level == "client" else people.drop_duplicates("therapist")
        sd = float(predictor.of(everybody).astype(float).std())
        sd = sd if sd > CONSTANT else 1.0
        return pd.DataFrame({stem: values.astype(float) / sd}), sd
    names = {k: slug(predictor.named(k)) for k in range(1, len(predictor.categories))}
    return pd.DataFrame(
        {f"{stem}_{name}": values.eq(predictor.categories[k]).astype(float) for k, name in names.items()}
    ), 1.0


def _part(coded: pd.DataFrame, rows: pd.DataFrame, predictor: Predictor, part: Part) -> pd.DataFrame:
    """One part of every column, centred."""
    therapist = rows["therapist"].to_numpy()
    if part == "client":
        own = coded - coded.mean()
    elif predictor.level == "therapist":
        own = coded - coded.groupby(therapist).first().mean()
    else:
        means = coded.groupby(therapist).transform("mean")
        own = coded - means if part == "within" else means - coded.mean()
    if part == "between" and partly(
        rows
    ):  # clients without a therapist have a mean of their own in the models
        own = own.where(with_one(rows["therapist"]).to_numpy()[:, None], 0.0)
    return own.add_suffix(f"_{part}")


def _effects(predictor: Predictor, stem: str, part: Part, columns: list[str], sd: float) -> list[Effect]:
    """A number's effect per standard deviation; of two categories their difference; of more, each from their mean."""
    said = PART_WORDS[part]
    label = predictor.label[:1].upper() + predictor.label[1:]
    if not predictor.categories:
        return [Effect(stem, f"{label}, {said}", predictor, part, {columns[0]: 1.0}, sd)]
    k = len(predictor.categories)
    names = [predictor.named(i) for i in range(k)]
    if k == 2:
        what = f"{names[1]}, compared with {names[0]}"
        return [Effect(stem, f"{label}: {what}, {said}", predictor, part, {columns[0]: 1.0}, 1.0, what)]
    out = []
    for i, name in enumerate(names):
        weights = {c: (1.0 if j == i - 1 else 0.0) - 1 / k for j, c in enumerate(columns)}
        what = f"{name}, compared with the mean of all categories"
        out.append(
            Effect(f"{stem}_{slug(name)}", f"{label}: {what}, {said}", predictor, part, weights, 1.0, what)
        )
    return out
