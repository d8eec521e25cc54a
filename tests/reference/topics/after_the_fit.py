"""Influence, marginal means and pooling (``after.json``)."""

from typing import Any

import numpy as np
import pandas as pd

import alliance_longitudinal as al
from engine import after_reference
from engine.test_influence import FIRST
from engine.test_means import ASKED, ask
from reference.figures import Figure, Table, Topic, beside, flat, matrix_names

VERSIONS = after_reference.FIGURES["versions"]


def _influence(group: str) -> Table:
    known = after_reference.FIGURES["influence"]
    data = after_reference.rows("three_level")
    data = data if group == "outer" else data[data["outer"].isin(FIRST)]
    found = after_reference.fit(known["formula"], data).influence(group, "refit")
    theirs = [known[group][level] for level in found.frame.index]
    levels = [f"without {level}" for level in found.frame.index]
    figures: list[Figure] = []
    for column, ours, rtol, atol in (
        ("params", found.params, 0, 1e-6),
        ("dfbetas", found.dfbetas, 0, 1e-5),
        ("cook", found.frame[["cook"]], 1e-4, 0),
        ("covratio", found.frame[["covratio"]], 1e-4, 0),
    ):
        label = {"params": "", "dfbetas": "DFBETAS "}.get(column, "")
        names = matrix_names(levels, [label + str(c) for c in ours.columns])
        figures += beside(names, flat([e[column] for e in theirs]), flat(ours), rtol, atol)
    ours = np.sort(found.varcorr.to_numpy(), axis=1)  # lme4 orders the terms by their number of levels
    names = matrix_names(
        levels, [f"component {k + 1} of the variances, sorted" for k in range(ours.shape[1])]
    )
    figures += beside(names, flat(np.sort([e["vcov"] for e in theirs], axis=1)), flat(ours), 0, 5e-5)
    text = f"`{known['formula']}`, each group left out and the model fitted again."
    return Table(f"Influence of each {group}", text, f"lme4 {VERSIONS['lme4']}", tuple(figures))


def _means(model: dict[str, Any], method: str) -> Table:
    df = "kenward-roger" if method == "kr" else "satterthwaite"
    result = after_reference.fit(model["formula"], after_reference.rows(model["data"]), df=df)
    columns = {"estimate": "estimate", "se": "SE", "df": "df", "lower": "lower.CL", "upper": "upper.CL"}
    figures: list[Figure] = []
    for name, known in model["figures"][method].items():
        asked, variable = ASKED[model["data"], name]
        means = ask(result, asked, variable)
        pairs = means.pairs("none")
        for frame, theirs, wanted, rtol in (
            (means.frame, known["means"], columns, 1e-5),
            (pairs, known["pairs"], columns | {"p": "p.value"}, 2e-5),
        ):
            labels = [f"{name}, {label}" for label in theirs["label"]]
            for mine, column in wanted.items():
                names = [f"{label}: {mine}" for label in labels]
                figures += beside(names, theirs[column], frame[mine], rtol, 1e-7)
        for adjust, p in known["p"].items():
            names = [f"{name}, {label}: p, {adjust}" for label in known["pairs"]["label"]]
            figures += beside(names, np.atleast_1d(p), means.pairs(adjust)["p"], 1e-4, 1e-7)
    text = f"`{model['formula']}`, {df} degrees of freedom."
    return Table(
        f"{model['data']}: means, slopes and pairs", text, f"emmeans {VERSIONS['emmeans']}", tuple(figures)
    )


def _pooled() -> Table:
    known = after_reference.FIGURES["pooling"]
    sets = after_reference.rows("imputed").groupby("imputation")
    pooled = al.pool([after_reference.fit(known["formula"], rows, df="kenward-roger") for _, rows in sets])
    each = pd.DataFrame(known["each"])
    figures: list[Figure] = []
    for ours, column in (
        (pooled.params, "estimate"),
        (pooled.bse, "se"),
        (pooled.df, "df"),
        (pooled.riv, "riv"),
        (pooled.lambda_, "lambda"),
        (pooled.fmi, "fmi"),
    ):
        figures += beside([f"{term}: {column}" for term in pooled.params.index], each[column], ours, 2e-5)
    test, d1 = pooled.f_test([{name: 1.0} for name in known["joint"]]), known["d1"]
    figures += beside(
        ["joint test: F", "joint test: df_num", "joint test: df_den"],
        [d1["f"], d1["df_num"], d1["df_den"]],
        [test.statistic, test.df_num, test.df_den],
        2e-5,
        0,
        f"mitml {VERSIONS['mitml']}",
    )
    figures += beside(
        [f"component {k + 1} of the variances, sorted" for k in range(len(known["vcov"]))],
        sorted(known["vcov"]),
        sorted(pooled.varcorr["vcov"]),
        1e-4,
        0,
        f"lme4 {VERSIONS['lme4']}, averaged",
    )
    text = f"`{known['formula']}`, {len(sets)} imputed data sets, Kenward-Roger in each."
    return Table("Pooling", text, f"mice {VERSIONS['mice']}, pbkrtest {VERSIONS['pbkrtest']}", tuple(figures))


def topic() -> Topic:
    """All of it; the rows are committed."""
    means = [
        _means(model, method)
        for model in after_reference.FIGURES["marginal"]
        for method in ("kr", "satterthwaite")
    ]
    return Topic(
        "After the fit: influence, marginal means, pooling",
        f"Refits of lme4, emmeans, mice's `pool.scalar` and mitml's D1 on R {VERSIONS['R']} (`make_after.R`).",
        "lme4's polished optimum is good to 1e-6 in the coefficients: as much there, 1e-5 in what is scaled by a standard "
        "error, 1e-4 in Cook's distances; 1e-5 of a mean's figure, 2e-5 of a difference's or a pooled one, 1e-4 of an "
        "adjusted p.",
        (*(_influence(group) for group in ("outer", "unit")), *means, _pooled()),
    )
