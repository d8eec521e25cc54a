"""Binary, count and ordered responses beside glmmTMB, ordinal and lme4 (``generalised.json``)."""

from typing import Any

from reference import generalised
from reference.figures import Figure, Table, Topic, where_at_hand


def _table(model: dict[str, Any], versions: dict[str, str]) -> Table:
    result = generalised.fit(model)
    found = tuple(
        Figure(f.quantity, f.reference, f.ours, f.tolerance) for f in generalised.figures(model, result)
    )
    method = "Laplace" if model["n_agq"] == 1 else f"{model['n_agq']} nodes"
    link = f", {model['link']}" if model.get("link") else ""
    text = f"`{model['formula']}`, {model['family']}{link}, {method}, {model['nobs']} rows."
    return Table(model["name"], text, f"{model['program']} {versions[model['program']]}", found)


def topic() -> Topic:
    """Every model whose rows are here."""
    known = generalised.reference()
    tables, absent = where_at_hand(
        known["models"], lambda model: str(model["name"]), lambda model: _table(model, known["versions"])
    )
    limits = "; ".join(
        f"{program} {t.deviance:g}, {t.estimate:g}, {t.se:g}, {t.variance:g}"
        for program, t in generalised.TOLERANCES.items()
    )
    return Topic(
        "Generalised mixed models",
        f"glmmTMB, ordinal's clmm and lme4's glmer on R {known['versions']['R']}, polished (`make_generalised.R`).",
        "In the -2 log-likelihood, in shares of a standard error of an estimate, relative in a standard error and in a "
        f"variance: {limits}. glmmTMB has exact gradients; clmm stops at its inner search's tolerance; lme4 is polished "
        "without a gradient.",
        tables,
        absent,
    )
