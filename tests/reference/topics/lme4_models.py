"""The models of ``lme4.json``."""

from typing import Any

import alliance_longitudinal as al
from reference import catalogue
from reference.figures import Figure, Table, Topic, where_at_hand

TOLERANCE = (
    f"Figures agree when they differ by less than what the reference is uncertain about: {catalogue.CRITERION:g} in the "
    f"criterion, {catalogue.OF_A_STANDARD_ERROR:g} of a standard error in an estimate, {catalogue.RELATIVE_SE:g} of a "
    f"standard error's value, {catalogue.RELATIVE_VARIANCE:g} of a variance, {catalogue.RELATIVE_DF:g} of the degrees of "
    "freedom (lmerTest differentiates numerically). At a boundary, df are not compared."
)


def certificate(result: al.MixedModelResults) -> str:
    """What kind of optimum, without the numbers of the search, which differ between machines."""
    return result.convergence.partition(" (")[0] + "."


def described(model: dict[str, Any], result: al.MixedModelResults) -> str:
    """A model in a line."""
    method = "REML" if model["reml"] else "ML"
    return f"`{model['formula']}`, {method}, {model['nobs']} rows. {certificate(result)}"


def topic() -> Topic:
    """Every model whose rows are here."""
    known = catalogue.reference()
    versions = known["versions"]
    program = f"lme4 {versions['lme4']}, lmerTest {versions['lmerTest']}"

    def table(model: dict[str, Any]) -> Table:
        data = catalogue.DATA[model["data"]]()
        result = al.MixedModel.from_formula(model["formula"], data).fit(reml=model["reml"])
        found = catalogue.figures(model, result)
        exact = catalogue.exact().get(model["name"])
        if exact is not None:
            # Known to ten digits at least.
            found.append(
                Figure("criterion, exact", exact, result.deviance, 3e-12 * exact, "independent Newton search")
            )
        return Table(model["name"], described(model, result), program, tuple(found))

    tables, absent = where_at_hand(known["models"], lambda model: str(model["name"]), table)
    return Topic(
        "Linear mixed models",
        f"lme4 on R {versions['R']}, each optimum polished by several optimisers, with lmerTest's degrees of freedom "
        "(`make_reference.R`).",
        TOLERANCE,
        tables,
        absent,
    )
