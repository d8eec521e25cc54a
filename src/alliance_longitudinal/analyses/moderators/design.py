"""Rows and terms of one moderator's model."""

from dataclasses import dataclass, replace

import pandas as pd

from alliance_longitudinal.analyses.kit import (
    MIN_THERAPISTS,
    Draft,
    neutral,
    number_of_therapists,
    slug,
    slugs,
    spread,
    usable_therapists,
    with_one,
)
from alliance_longitudinal.analyses.moderators.asked import MIN_CLIENTS, Asked, Kind, Moderator, Sample
from alliance_longitudinal.timing import split_by_therapist

#: Below this standard deviation a predictor says nothing.
CONSTANT = 1e-9
#: Fewest clients of a category that is compared.
MIN_CATEGORY = 10
#: Fewest therapists for a moderator that differs between therapists only.
MIN_FOR_THERAPISTS = 10


@dataclass(frozen=True, slots=True)
class Moderated:
    """Rows and terms of one moderator's model.

    Attributes
    ----------
    clients, rows : DataFrame
        Of the clients whose moderator is known.
    alliance, terms, adjusters : tuple of str
        Columns: the parts of the alliance, the parts (or categories) of the moderator, what is held constant.
    categories : dict of str to str
        Column of each category but the reference, and its name.
    centre : float
        What was taken from a number.
    reference : str
        The first category.
    """

    asked: Asked
    moderator: Moderator
    clients: pd.DataFrame
    rows: pd.DataFrame
    alliance: tuple[str, ...]
    terms: tuple[str, ...]
    adjusters: tuple[str, ...]
    categories: dict[str, str]
    centre: float = 0.0
    reference: str = ""

    @property
    def codes(self) -> dict[str, str]:
        """Each category as a part of ids."""
        return slugs((self.reference, *self.categories.values()))

    @property
    def n(self) -> int:
        """Clients."""
        return len(self.clients)

    @property
    def n_therapists(self) -> int:
        """Their therapists."""
        return number_of_therapists(self.clients["therapist"])

    @property
    def part(self) -> str:
        """The alliance whose effect is moderated: within therapists where it is split."""
        return self.alliance[0]

    @property
    def along(self) -> str:
        """The column of a number along which the effect within therapists is followed."""
        return self.terms[0]

    @property
    def of_therapists(self) -> bool:
        """Whether clients of one therapist never differ in the moderator."""
        return self.mixed_therapists == 0 and 0 < self.n_therapists < self.n

    @property
    def mixed_therapists(self) -> int:
        """Therapists whose clients differ in the moderator."""
        return mixed(self.clients)

    @property
    def therapist_columns(self) -> int:
        """Predictors of the therapist level, products among them."""
        own = [c for c in (*self.alliance, *self.adjusters) if c.endswith("_therapist")]
        levels = [c for c in self.terms if c.endswith("_therapist") or self.of_therapists]
        return len(own) + len(levels) + len(levels) * ("early_therapist" in self.alliance)

    @property
    def moderating_columns(self) -> int:
        """Columns of the moderator that differ between therapists only."""
        return sum(c.endswith("_therapist") or self.of_therapists for c in self.terms)

    def sd(self, column: str) -> float:
        """Standard deviation over clients; of a therapist's mean over therapists, each once."""
        if column.endswith("_therapist"):
            own = self.clients[with_one(self.clients["therapist"])]
            return float(own.groupby("therapist")[column].first().std())
        return float(self.clients[column].std())

    def formula(self, kind: Kind) -> str:
        """The fixed part: alliance by moderator, and what is held constant."""
        product = f"({' + '.join(self.alliance)}) * ({' + '.join(self.terms)})"
        right = " + ".join([product, *self.adjusters])
        return f"y ~ weeks * ({right})" if kind == "slope" else f"end_change ~ {right}"


def design_for(draft: Draft, sample: Sample, moderator: Moderator) -> Moderated | str:
    """Rows and terms of the moderator's model, or the code of the finding that says why there is none."""
    clients = sample.clients.assign(moderator=sample.clients["client"].map(moderator.values))
    clients = clients[clients["moderator"].notna()]
    kept = _enough(clients, moderator, draft.study.small_cells)
    clients = clients[clients["moderator"].isin(kept)] if moderator.categories else clients
    if len(clients) < MIN_CLIENTS:
        return "moderator_few_clients"
    if clients["moderator"].nunique() < 2:
        return "moderator_constant"
    for column in ("early", *sample.adjust):
        clients = split_by_therapist(clients, column)
    between = usable_therapists(clients) >= MIN_THERAPISTS
    design = _split(sample, replace(moderator, categories=kept), neutral(clients), between)
    if design.of_therapists and design.n_therapists < MIN_FOR_THERAPISTS:
        return "moderator_few_therapists"
    if design.sd(design.part) < CONSTANT:
        return "alliance_constant"
    return _with_rows(draft, sample, design)


def _enough(clients: pd.DataFrame, moderator: Moderator, small_cells: int) -> tuple[str, ...]:
    """Categories with enough clients, in their order."""
    people = clients["moderator"].value_counts()
    return tuple(c for c in moderator.categories if people.get(c, 0) >= max(MIN_CATEGORY, small_cells))


def _split(sample: Sample, moderator: Moderator, clients: pd.DataFrame, between: bool) -> Moderated:
    """Parts of the alliance, of the moderator and of what is held constant."""
    categories: dict[str, str] = {}
    held: list[str] = []
    centre = 0.0
    within = float(clients["early_client"].std()) > CONSTANT
    if moderator.categories:
        for k, category in enumerate(moderator.categories[1:], start=1):
            column = f"is_{slug(category)}"
            column = column if column not in categories else f"{column}_{k}"
            categories[column] = category
            clients = clients.assign(**{column: clients["moderator"].eq(category).astype(float)})
            if (
                between
            ):  # level and change may differ between therapists who treat more or fewer clients of a category
                clients = neutral(split_by_therapist(clients, column))
                held.append(f"{column}_therapist")
        terms = list(categories)
        held = [] if not mixed(clients) else [c for c in held if spread(clients, c) > CONSTANT]
    else:
        centre = float(clients["moderator"].astype(float).mean())
        clients = neutral(
            split_by_therapist(clients.assign(moderator=clients["moderator"].astype(float)), "moderator")
        )
        terms = _parts(clients, "moderator", within, between)
    alliance = _parts(clients, "early", within, between)
    constant = [p for c in sample.adjust if c != moderator.name for p in _parts(clients, c, within, between)]
    reference = moderator.categories[0] if moderator.categories else ""
    return Moderated(
        sample.asked,
        moderator,
        clients,
        sample.rows,
        tuple(alliance),
        tuple(terms),
        (*constant, *held),
        categories,
        centre,
        reference,
    )


def mixed(clients: pd.DataFrame) -> int:
    """Therapists whose clients differ in the moderator."""
    own = clients[with_one(clients["therapist"])]
    return int(own.groupby("therapist")["moderator"].nunique().gt(1).sum())


def _parts(clients: pd.DataFrame, column: str, within: bool, between: bool) -> list[str]:
    """The part within therapists and that between them, where they differ; the total where neither can be separated."""
    wanted = [f"{column}_client"] * within + [f"{column}_therapist"] * between
    found = [c for c in wanted if spread(clients, c) > CONSTANT]
    return found or [c for c in (f"{column}_total",) if clients[c].std() > CONSTANT]


def _with_rows(draft: Draft, sample: Sample, design: Moderated) -> Moderated:
    """The design with the later scores of its clients, and with the study's covariates."""
    own = [column for c in draft.covariates if c.name == design.moderator.name for column in c.columns]
    clients, terms = draft.adjusters(design.clients)
    terms = [t for t in terms if t not in own]
    used = [*design.alliance, *design.terms, *design.adjusters]
    rows = sample.rows.merge(clients[["client", *used]], on="client", how="inner", validate="many_to_one")
    rows, _ = draft.adjusters(rows)
    return replace(design, clients=clients, rows=rows, adjusters=(*design.adjusters, *terms))
