"""Crossed factors and multiple membership beside lme4 with its Z replaced (``crossing.json``)."""

import json
from typing import Any

import numpy as np
import pandas as pd

import alliance_longitudinal as al
from engine.test_membership import REFERENCE, SLOPES, model
from reference.figures import Table, Topic, beside

ORDER = {"unit": 0, "leader": 1, "plate": 0, "sample": 1, "Residual": 2}
LEADER = "y ~ t + (1 | leader)"


def _fits() -> dict[str, tuple[str, al.MixedModelResults]]:
    frame = pd.read_csv(REFERENCE / "small" / "membership.csv")
    first = frame.rename(columns={"l1": "leader"})
    penicillin = pd.read_csv(REFERENCE / "small" / "penicillin.csv")
    plates = "diameter ~ 1 + (1 | plate) + (1 | sample)"
    return {
        "membership": (SLOPES, model(SLOPES, frame).fit()),
        "membership_ml": (SLOPES, model(SLOPES, frame).fit(reml=False)),
        "membership_alone": (LEADER, model(LEADER, frame).fit()),
        "first_leader": (SLOPES, al.MixedModel.from_formula(SLOPES, first, crossed=True).fit()),
        "penicillin": (plates, al.MixedModel.from_formula(plates, penicillin, crossed=True).fit()),
    }


def _table(
    title: str, formula: str, result: al.MixedModelResults, theirs: dict[str, Any], program: str
) -> Table:
    terms = list(result.params.index)
    found = beside(["criterion"], [theirs["criterion"]], [result.deviance], 0, 1e-7)
    found += beside([f"{t}: estimate" for t in terms], np.atleast_1d(theirs["beta"]), result.params, 1e-5)
    found += beside([f"{t}: SE" for t in terms], np.atleast_1d(theirs["se"]), result.bse, 1e-4)
    ours = result.varcorr.assign(rank=result.varcorr["group"].map(ORDER)).sort_values("rank", kind="stable")
    names = [
        " ".join(str(part) for part in (row.group, row.term1, row.term2) if isinstance(part, str))
        + ": variance or covariance"
        for row in ours.itertuples()
    ]
    found += beside(names, theirs["vcov"], ours["vcov"], 1e-3, 1e-5)
    groups = sorted(result.random_effects, key=ORDER.__getitem__)
    modes = [
        (f"{group} {level} {effect}: mode", value)
        for group in groups
        for level, row in result.random_effects[group].iterrows()
        for effect, value in row.items()
    ]
    found += beside([n for n, _ in modes], theirs["modes"], [v for _, v in modes], 0, 2e-3)
    how = "shares of several leaders a row" if title.startswith("membership") else "crossed"
    method = "ML" if title.endswith("_ml") else "REML"
    return Table(title, f"`{formula}`, {method}, {how}.", program, tuple(found))


def topic() -> Topic:
    """All models; their rows are committed."""
    known = json.loads((REFERENCE / "crossing.json").read_text(encoding="utf-8"))
    program = f"lme4 {known['versions']['lme4']}"
    return Topic(
        "Crossed factors and multiple membership",
        f"lme4 on {known['versions']['R']}; for membership the rows of its random-effects matrix are replaced by the "
        "weighted ones before the deviance is made, then polished (`make_crossing.R`).",
        "A search without derivatives knows the criterion to 1e-9 and the variances to the square root of that: 1e-7 in the "
        "criterion, 1e-5 of a coefficient, 1e-4 of its standard error, 1e-3 of a variance, 0.002 in a mode.",
        tuple(_table(name, *fit, known[name], program) for name, fit in _fits().items()),
    )
