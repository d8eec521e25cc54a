"""Reliability and factor models beside psych, lavaan and lme4 (``measurement.json``)."""

from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal import rater_agreement
from analyses.test_measurement_factors import GROUPS, INDICES, ITEMS, REFERENCE, WAI, gad, holzinger, indices
from analyses.test_measurement_reliability import shrout_lane
from inside.methods_fiml import Pattern, Patterns, patterns, saturated
from inside.methods_psychometrics import (
    LEVELS,
    FactorFit,
    alpha_from_cov,
    bifactor,
    correlated_factors,
    crossed_reliability,
    fit_factors,
    nested_reliability,
    omega,
    repeated,
)
from reference.catalogue import SHARED
from reference.figures import Figure, Table, Topic, beside, where_at_hand

VERSIONS = REFERENCE["versions"]
LAVAAN, PSYCH = f"lavaan {VERSIONS['lavaan']}", f"psych {VERSIONS['psych']}"


def _fit_indices(fit: FactorFit, theirs: dict[str, Any], atol: float) -> list[Figure]:
    return beside(INDICES, [theirs["fit"][name] for name in INDICES], indices(fit), 1e-5, atol)


def _parameters(fit: FactorFit, theirs: dict[str, Any], factors: list[str]) -> list[Figure]:
    """Estimates and standard errors; with missing values lavaan's errors are numerical, to about four digits."""
    ours = {n: (e, s) for n, e, s in zip(fit.spec.names, fit.free, fit.se, strict=True)}
    found: list[Figure] = []
    for kind in ("loadings", "variances", "intercepts"):
        table = theirs[kind]
        for at, lhs in enumerate(table["lhs"]):
            rhs = table["rhs"][at] if "rhs" in table else ""
            key = _key(kind, lhs, rhs, factors)
            if key not in ours or table["se"][at] <= 0:
                continue
            label = {"loadings": f"{lhs} =~ {rhs}", "variances": f"{lhs} ~~ {rhs}"}.get(kind, f"{lhs} ~ 1")
            values = table["est"][at], table["se"][at]
            found += beside([f"{label}: estimate", f"{label}: SE"], values, ours[key], 2e-4, 2e-5)
    return found


def _key(kind: str, lhs: str, rhs: str, factors: list[str]) -> str:
    if kind == "loadings":
        return f"loading[{ITEMS.index(rhs)},{factors.index(lhs)}]"
    if kind == "intercepts":
        return f"intercept[{ITEMS.index(lhs)},0]" if lhs in ITEMS else ""
    names = ITEMS if lhs in ITEMS else factors
    high, low = sorted((names.index(lhs), names.index(rhs)), reverse=True)
    return f"{'residual' if lhs in ITEMS else 'factor_cov'}[{high},{low}]"


def _holzinger(name: str) -> Table:
    holes = name.endswith("missing")
    data = patterns(holzinger(holes).to_numpy())
    groups = GROUPS if name.startswith("three") else {"g": ITEMS}
    kind = "observed" if holes else "expected"
    fit = fit_factors(data, correlated_factors(groups, ITEMS, data), saturated(data), information=kind)
    theirs = REFERENCE["holzinger"][name]
    found = _fit_indices(fit, theirs, 1e-5) + _parameters(fit, theirs, list(groups))
    text = f"Nine tests of 301 pupils, {len(groups)} factor{'s' * (len(groups) > 1)}{', answers missing' * holes}."
    return Table(f"Holzinger and Swineford: {name}", text, LAVAAN, tuple(found))


def _bifactor() -> Table:
    theirs = REFERENCE["holzinger"]["bifactor"]
    data = patterns(holzinger().to_numpy())
    fit = fit_factors(data, bifactor(GROUPS, ITEMS, data), saturated(data))
    found = [
        Figure("criterion", theirs["fit"]["chisq"], fit.chi2, 1e-3),
        Figure("df", theirs["fit"]["df"], fit.df, 0),
        Figure("cfi", theirs["fit"]["cfi"], fit.cfi, 1e-4),
    ]
    text = "One general factor and three groups. The likelihood is flat along a ridge; the criterion is chi-square."
    return Table("Holzinger and Swineford: bifactor", text, LAVAAN, tuple(found))


def _forms(name: str) -> Table:
    """One session's forms, or one subscale at three sessions, of the anxiety clients."""
    theirs = REFERENCE["gad"][name]
    first, second = name.split("_")
    if first in WAI:
        data = patterns(gad(SHARED, (1, 3, 15), WAI[first]).to_numpy())
        spec = repeated({first: WAI[first]}, ["1", "3", "15"], second, data)
        text, atol = f"Items of {first} at sessions 1, 3 and 15, {second} model.", 1e-3
    else:
        items = [i for own in WAI.values() for i in own]
        data = patterns(gad(SHARED, (int(second[1:]),), items).to_numpy())
        spec = correlated_factors({"g": items} if first == "one" else WAI, items, data)
        text, atol = f"Nine items at session {second[1:]}, {first} factor(s), answers missing.", 2e-4
    fit = fit_factors(data, spec, saturated(data))
    return Table(f"Alliance items: {name}", text, LAVAAN, tuple(_fit_indices(fit, theirs, atol)))


def _consistency() -> Table:
    theirs, items = REFERENCE["bfi"], [f"A{k}" for k in range(1, 6)]
    n, mean, cov = theirs["n"], np.array(theirs["mean"]), np.array(theirs["cov"])
    ours = alpha_from_cov(cov * n / (n - 1), n)
    found = beside(["alpha"], [theirs["alpha"]], [ours.estimate], 0, 1e-10)
    found += beside(
        ["alpha: lower limit", "alpha", "alpha: upper limit"],
        theirs["feldt"],
        [ours.low, ours.estimate, ours.high],
        1e-9,
    )
    data = Patterns((Pattern(np.arange(5), n, mean, cov),), n, 5, mean, np.diag(cov).copy())
    fit = fit_factors(data, correlated_factors({"f": items}, items, data), saturated(data))
    arrays = fit.spec.arrays(fit.free)
    loadings = arrays["loading"][:, 0] * arrays["factor_cov"][0, 0] ** 0.5
    found += beside([f"{i}: loading" for i in items], theirs["loadings"], loadings, 1e-5, 0, LAVAAN)
    residual = np.diag(arrays["residual"])
    found += beside([f"{i}: residual variance" for i in items], theirs["theta"], residual, 1e-5, 0, LAVAAN)
    sums = sum(theirs["loadings"]) ** 2, sum(theirs["theta"])
    found += beside(["omega"], [sums[0] / (sums[0] + sums[1])], [omega(fit).estimate], 0, 1e-6, LAVAAN)
    return Table(
        "bfi: alpha and omega", "Items A1 (reversed) to A5, 2,709 complete forms.", PSYCH, tuple(found)
    )


def _change() -> Table:
    theirs = REFERENCE["shrout_lane"]
    crossed, nested = (
        crossed_reliability(shrout_lane(), sessions=4),
        nested_reliability(shrout_lane(), sessions=4),
    )
    found: list[Figure] = []
    for fit, names in ((crossed, ("RkF", "R1R", "RkR", "Rc")), (nested, ("RkRn", "Rcn"))):
        found += beside(names, [theirs[k] for k in names], [fit.coefficients[k] for k in names], 0, 2e-6)
    parts = ("client", "session", "item", "client:session", "client:item", "session:item", "Residual")
    found += beside(
        [f"{p}: variance" for p in parts],
        theirs["components"],
        [crossed.components[p] for p in parts],
        0,
        2e-5,
    )
    return Table(
        "Shrout and Lane: reliability of change",
        "Five persons, four times, three items.",
        PSYCH,
        tuple(found),
    )


def _raters() -> Table:
    theirs = REFERENCE["shrout_fleiss"]
    ours = rater_agreement(pd.DataFrame(theirs["data"]))
    found: list[Figure] = []
    for column, key, rtol in (("estimate", "icc", 1e-9), ("low", "low", 1e-6), ("high", "high", 1e-6)):
        found += beside([f"{kind}: {column}" for kind in ours["kind"]], theirs[key], ours[column], rtol)
    return Table("Shrout and Fleiss: agreement of raters", "Six targets, four raters.", PSYCH, tuple(found))


def _components(_: str) -> Table:
    wide = pd.read_csv(SHARED / "implement_gad_sessions.csv")
    items = [c for c in wide if c.startswith("wai_")]
    long = wide.melt(["client", "session"], items, var_name="item", value_name="value").dropna()
    ours, theirs = nested_reliability(long, sessions=14).components, REFERENCE["gad_nested"]
    found = beside([f"{k}: variance" for k in theirs], theirs.values(), [ours[k] for k in theirs], 1e-3)
    text = "`value ~ 1 + (1 | client) + (1 | client:session)`; lme4 ends within 1e-4 of the optimum."
    return Table("Alliance items: components", text, f"lme4 {VERSIONS['lme4']}", tuple(found))


def topic() -> Topic:
    """All models; those of the anxiety clients where their rows are beside the checkout."""
    forms = [f"{k}_s{s}" for s in (1, 3, 15) for k in ("three", "one")]
    forms += [f"{subscale}_{level}" for level in LEVELS for subscale in WAI]
    forms = [name for name in forms if REFERENCE["gad"][name]["converged"]]
    makers = dict.fromkeys(forms, _forms) | {"components of alliance items": _components}
    tables, absent = where_at_hand(list(makers), str, lambda name: makers[name](name))
    open_data = [_holzinger(name) for name in ("one", "three", "one_missing", "three_missing")]
    return Topic(
        "Measurement: reliability, agreement, factor models",
        f"psych, lavaan and lme4 on {VERSIONS['r']} (`make_measurement.R`).",
        "lavaan stops where its criterion changes by 1e-13, and its saturated model where EM does by 1e-8: relative 1e-5 "
        "in an index of fit (absolute 1e-5, with missing answers 2e-4, over three sessions 1e-3), 2e-4 in an estimate or "
        "standard error; closed forms 1e-9, an F distribution's limits 1e-6.",
        (*open_data, _bifactor(), _consistency(), _change(), _raters(), *tables),
        absent,
    )
