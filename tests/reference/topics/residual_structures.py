"""Correlated residuals and unequal residual variances beside nlme (``residuals.json``)."""

import json
from typing import Any

import numpy as np
import pandas as pd

import alliance_longitudinal as al
from engine.test_profile_structures import NLME
from engine.test_profile_structures import fitted as profiled
from engine.test_residuals_nlme import REFERENCE, fitted, name, structure
from reference.catalogue import by_term, term_of
from reference.figures import Figure, Table, Topic, beside, matrix_names


def _covariances(model: dict[str, Any], result: al.MixedModelResults) -> list[Figure]:
    groups: dict[str, dict[tuple[str, str], float]] = {}
    for group, first, second, value, _ in result.varcorr.itertuples(index=False):
        if group != "Residual":
            groups.setdefault(group, {})[first, second if isinstance(second, str) else first] = value
    found = []
    for (group, entries), theirs in zip(groups.items(), model["covariances"], strict=True):
        theirs = np.array(theirs)
        names = list(dict.fromkeys(a for a, _ in entries))
        ours = [entries.get((a, b), entries.get((b, a), 0.0)) for a in names for b in names]
        lower = [i * len(names) + j for i in range(len(names)) for j in range(i + 1)]
        labels = [f"{group} {names[k // len(names)]} {names[k % len(names)]} covariance" for k in lower]
        scale = 1e-4 * float(np.diag(theirs).max())
        found += beside(labels, theirs.ravel()[lower], np.array(ours)[lower], 1e-3, scale)
    return found


def _residual(model: dict[str, Any], result: al.MixedModelResults) -> list[Figure]:
    table = result.residual_parameters.set_index("name")
    theirs = {"phi": model["phi"]} if "phi" in model else {}
    for ratio in model.get("ratios", []):
        theirs[next(n for n in table.index if n.startswith(f"sd({ratio['stratum']})/"))] = ratio
    near_zero = model["data"] == "orthodont_series" and "phi" in model
    found = [
        Figure(
            "sigma",
            model["sigma"]["estimate"],
            float(np.sqrt(result.scale)),
            1e-4 * model["sigma"]["estimate"],
        )
    ]
    for key, values in theirs.items():
        ours = table.loc[key]
        found += beside([f"{key}: estimate"], [values["estimate"]], [ours["estimate"]], 1e-3, 1e-4)
        found += beside([f"{key}: SE"], [values["se"]], [ours["se"]], 0.08 if near_zero else 0.02)
    return found


def _robust(model: dict[str, Any], program: str) -> list[Figure]:
    frame = pd.read_csv(REFERENCE / "small" / f"{model['data']}.csv")
    made = al.MixedModel.from_formula(model["formula"], frame, residual=structure(model))
    found = []
    for kind, theirs in model["robust"].items():
        ours = made.fit(cov_type=kind, cov_groups="outer")
        columns = ["se", "df"] if kind == "CR2" else ["se"]
        for column in columns:
            values = ours.bse if column == "se" else ours.df
            names = matrix_names(values.index, [f"{kind} {'SE' if column == 'se' else 'df'}"])
            found += beside(names, theirs[column], values, 2e-4, 0, program)
    return found


def _table(at: int, robust: str) -> tuple[str, list[Figure], dict[str, Any]]:
    model, result = fitted(at)
    terms = by_term(result)
    order = [terms[term_of(t)] for t in model["terms"]]
    # nlme stops when a step changes the deviance by a relative 1e-10 or so; ours may be lower.
    found = [Figure("criterion", model["deviance"], result.deviance, 1e-8)]
    found += beside([f"{t}: estimate" for t in order], model["beta"], result.params[order], 2e-4, 2e-5)
    found += beside([f"{t}: SE" for t in order], model["se"], result.bse[order], 2e-4)
    found += _covariances(model, result) + _residual(model, result)
    if model.get("robust"):
        found += _robust(model, robust)
    return name(model), found, model


def _profiles() -> list[Table]:
    tables = []
    for case in NLME["profiles"]:
        row = profiled(case).conf_int(method="profile", which=case["parameter"]).iloc[0]
        limits = [float(row["lower"]), float(row["upper"])]
        names = [f"{case['parameter']}: lower limit", f"{case['parameter']}: upper limit"]
        found = beside(names, [case["lower"], case["upper"]], limits, 1e-6)
        kind = ", ".join(case["residual"].values())
        text = f"`{case['formula']}`, {'REML' if case['reml'] else 'ML'}, residuals {kind}."
        program = f"nlme {NLME['versions']['nlme']}, refitted"
        tables.append(Table(f"{case['data']}: profile of {case['parameter']}", text, program, tuple(found)))
    return tables


def topic() -> Topic:
    """All models; their rows are committed."""
    known = json.loads((REFERENCE / "residuals.json").read_text(encoding="utf-8"))
    versions = known.get("versions", {})
    program = f"nlme {known['nlme']}"
    robust = f"clubSandwich {versions['clubSandwich']}" if "clubSandwich" in versions else "clubSandwich"
    tables = []
    for at in range(len(known["models"])):
        title, found, model = _table(at, robust)
        kind = {k: v for k, v in model["residual"].items() if v is not None}
        text = f"`{model['formula']}`, {'REML' if model['reml'] else 'ML'}, residuals {kind}."
        tables.append(Table(title, text.replace("{", "").replace("}", ""), program, tuple(found)))
    return Topic(
        "Residuals: autocorrelation and unequal variances",
        f"nlme on {known['r']}, the best of three optimisers (`make_residuals.R`); profile limits by refitting with the parameter "
        "held (`make_residuals_profile.R`).",
        "nlme's optimum is flat to 1e-8 of the deviance, so that its parameters have four digits: 2e-4 of a coefficient and "
        "its standard error, 1e-3 of a covariance, correlation or ratio. Standard errors of the latter are finite differences in nlme: "
        "2 %, where a correlation is near zero 8 %. 1e-6 of a profile limit.",
        (*tables, *_profiles()),
    )
