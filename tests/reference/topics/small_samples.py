"""Kenward-Roger, CR0 and CR2 on synthetic data with boundaries, crossed factors and weights (``kr_cr2.json``)."""

import json
from typing import Any

from engine import small_reference
from reference.figures import Figure, Table, Topic, beside

#: lme4's polished optima are good to about 1e-5 of a standard error in the variances.
KENWARD_ROGER, JOINT, ROBUST = 5e-5, 1e-4, 2e-6


def _known() -> dict[str, Any]:
    path = small_reference.REFERENCE / "kr_cr2.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _test(ours: Any, theirs: dict[str, Any], label: str, rtol: float, program: str) -> list[Figure]:
    mine = {
        "f": ours.statistic,
        "df_num": ours.df_num,
        "df_den": ours.df_den,
        "p": ours.p,
        "scale": ours.scale,
    }
    names = [f"joint test, {label}: {key}" for key in theirs]
    return beside(names, theirs.values(), [mine[key] for key in theirs], rtol=rtol, program=program)


def _table(model: dict[str, Any], versions: dict[str, str]) -> Table:
    program = f"pbkrtest {versions['pbkrtest']}"
    result = small_reference.fit(model, df="kenward-roger")
    terms = small_reference.in_order(result, model)
    theirs = model["kenward_roger"]
    found = [Figure("criterion", model["criterion"], result.deviance, 1e-8, f"lme4 {versions['lme4']}")]
    found += beside(
        [f"{t}: estimate" for t in terms],
        model["params"],
        result.params[terms],
        1e-4,
        1e-6,
        f"lme4 {versions['lme4']}",
    )
    found += beside([f"{t}: KR SE" for t in terms], theirs["se"], result.bse[terms], 1e-5)
    found += beside([f"{t}: KR df" for t in terms], theirs["df"], result.df[terms], KENWARD_ROGER)
    found += _test(small_reference.joint(result, model), theirs["joint"], "Kenward-Roger", JOINT, "")
    for column, kinds in (model["robust"] or {}).items():
        for kind, them in kinds.items():
            robust = small_reference.fit(model, cov_type=kind, cov_groups=column)
            sandwich, label = f"clubSandwich {versions['clubSandwich']}", f"{kind} by {column}"
            found += beside(
                [f"{t}: {label} SE" for t in terms], them["se"], robust.bse[terms], ROBUST, 0, sandwich
            )
            found += beside(
                [f"{t}: {label} df" for t in terms], them["df"], robust.df[terms], ROBUST, 0, sandwich
            )
            found += _test(small_reference.joint(robust, model), them["joint"], label, 2 * ROBUST, sandwich)
    text = f"`{model['formula']}`, REML{', weighted' if model['weights'] else ''}{', at a boundary' if model['singular'] else ''}."
    return Table(f"{model['data']} (made)", text, program, tuple(found))


def topic() -> Topic:
    """All models; their rows are committed."""
    known = _known()
    return Topic(
        "Kenward-Roger and CR2 in difficult designs",
        f"pbkrtest and clubSandwich on R {known['versions']['R']} at lme4's polished optimum, on synthetic rows "
        "(`make_kr_cr2.R`): three levels, boundaries of rank 0 and 1, crossed, three correlated effects, prior weights.",
        f"Relative: {KENWARD_ROGER:g} in Kenward-Roger's df, 1e-05 in its standard errors, {JOINT:g} in its joint test, "
        f"{ROBUST:g} in robust figures, twice that in their joint test: lme4's variances are good to 1e-5 of a standard "
        "error.",
        tuple(_table(model, known["versions"]) for model in known["models"]),
    )
