"""The tables and figures of the measurement report."""

import pandas as pd

from alliance_longitudinal.analyses.kit import ESTIMATE, Draft
from alliance_longitudinal.analyses.measurement.compute import Found
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.methods.psychometrics.factors.factor_fit import FactorFit
from alliance_longitudinal.methods.psychometrics.factors.structure import DELTA_CFI, loadings
from alliance_longitudinal.present import Column, Table

_FIT = [
    Column("chi2", "Chi-square", "number", of="clients"),
    Column("df", "df", "integer"),
    Column("p", "p", "p"),
    Column("cfi", "CFI", "number", of="clients"),
    Column("tli", "TLI", "number", of="clients"),
    Column(
        "rmsea", "RMSEA", "number", of="clients"
    ),  # with chi-square and df, it tells the number of clients
    Column("rmsea_low", "90 % low", "number", of="clients"),
    Column("rmsea_high", "90 % high", "number", of="clients"),
    Column("srmr", "SRMR", "number", of="clients"),
]
_CLIENTS = Column("clients", "Clients", "count")
_BIC = Column("bic", "BIC", "number", of="clients")
_SHORT = ("chi2", "df", "p", "cfi", "rmsea", "srmr")
_EQUAL = {
    "configural": "pattern (configural)",
    "metric": "loadings (metric)",
    "scalar": "also intercepts (scalar)",
}


def measurement_tables(draft: Draft, found: Found, rated: pd.DataFrame, measure: Measure) -> None:
    """In reading order; totals alone still have a distribution."""
    _reliability(draft)
    _correlations(draft)
    draft.show(
        _models(found),
        _invariance(found),
        _all_fits(found),
        _loadings(found),
        _components(found),
        None if found.items else _totals(rated, measure),
    )


def _reliability(draft: Draft) -> None:
    rows = [e for e in draft.estimates if e.unit == "reliability"]
    if rows:
        draft.table_of(
            "reliability",
            "Reliability",
            "answer",
            rows,
            [Column("label", "Coefficient"), *ESTIMATE, Column("n", "n", "count")],
            "Intervals: Feldt's for alpha, delta method for omega (one-factor model), profile "
            "likelihood for RkRn and Rcn. RkF, R1R, RkR and RkRn say how reliably the "
            "questionnaire distinguishes clients. Rc and Rcn say how reliably it measures change "
            "within a client, which matters for analyses of sessions.",
        )


def _correlations(draft: Draft) -> None:
    rows = [e for e in draft.estimates if e.unit == "correlation"]
    if rows:
        draft.table_of(
            "level_correlations",
            "Correlations of the subscales, by level",
            "results",
            rows,
            [
                Column("label", "Scales"),
                Column("level", "Level"),
                Column("estimate", "r", "number", of="n"),
                Column("n", "Rows", "count"),
            ],
            "Computed from variance components, so the levels do not mix. Measurement error makes "
            "correlations between sessions lower. Without variance at a level there is no "
            "correlation.",
        )


def _totals(rated: pd.DataFrame, measure: Measure) -> Table | None:
    """What totals alone can tell: their distribution, and how alike a client's scores are from session to session."""
    scores = rated[["client", "session", measure.name]].dropna() if measure.name in rated else rated.iloc[:0]
    if scores.empty:
        return None
    after = scores.assign(session=scores["session"] - 1)
    pairs = scores.merge(after, on=["client", "session"], suffixes=("", "_next"))
    r = float(pairs[measure.name].corr(pairs[f"{measure.name}_next"])) if len(pairs) > 2 else None
    rows = [
        {"what": "Mean (points)", "value": float(scores[measure.name].mean()), "n": len(scores)},
        {"what": "SD (points)", "value": float(scores[measure.name].std()), "n": len(scores)},
        {"what": "Correlation of one session with the next", "value": r, "n": len(pairs)},
    ]
    columns = [
        Column("what", "What"),
        Column("value", "Value", "number", of="n"),
        Column("n", "Forms or pairs of forms", "count"),
    ]
    note = (
        "What can be computed from totals alone. The correlation of consecutive sessions mixes the "
        "reliability of one form with true change in between."
    )
    return Table.from_frame("totals", "Totals", "answer", pd.DataFrame(rows), columns, note)


def _remark(fit: FactorFit) -> str:
    if not fit.converged:
        return "not converged"
    return "improper solution" if fit.improper else ""


def _fit_row(fit: FactorFit) -> dict[str, object]:
    names = ("chi2", "df", "p", "cfi", "tli", "rmsea", "rmsea_low", "rmsea_high", "srmr", "aic", "bic")
    usable = fit.converged
    values: dict[str, object] = {
        name: getattr(fit, name) if usable or name == "df" else None for name in names
    }
    return values | {"clients": fit.n, "remark": _remark(fit)}


def _models(found: Found) -> Table | None:
    if not found.models:
        return None
    rows = pd.DataFrame([{"model": m.name, "where": m.where} | _fit_row(m.fit) for m in found.models])
    columns = [
        Column("model", "Model"),
        Column("where", "Form"),
        _CLIENTS,
        *[c for c in _FIT if c.key in _SHORT],
        _BIC,
        Column("remark", "Remark"),
    ]
    note = (
        "Maximum likelihood with all available answers (FIML). Of two models, the one with the lower "
        "BIC is preferred."
    )
    return Table.from_frame("factor_models", "Factor models of one form", "results", rows, columns, note)


def _invariance(found: Found) -> Table | None:
    if not found.steps:
        return None
    words = {True: "holds", False: "does not hold", None: ""}
    rows = pd.DataFrame(
        [
            {
                "what": s.where,
                "level": _EQUAL[s.level],
                "delta_cfi": s.cfi_difference if s.fit.converged else None,
                "delta_p": s.p_difference,
                "verdict": "; ".join(w for w in (words[s.holds], _remark(s.fit)) if w) or "\u2013",
            }
            | _fit_row(s.fit)
            for s in found.steps
        ]
    )
    columns = [
        Column("what", "Compared"),
        Column("level", "Equal between occasions"),
        _CLIENTS,
        *[c for c in _FIT if c.key in ("chi2", "df", "cfi")],
        Column("delta_cfi", "Change of CFI", "number", of="clients"),
        Column("delta_p", "p", "p"),
        Column("verdict", "Verdict"),
    ]
    note = (
        f"Holds: CFI falls by at most {DELTA_CFI:g}. p: test of the difference of chi-squares. "
        "Residuals of the same item are correlated. If loadings and intercepts are equal, means "
        "may be compared."
    )
    return Table.from_frame(
        "invariance", "Does the questionnaire measure the same?", "results", rows, columns, note
    )


def _all_fits(found: Found) -> Table | None:
    """Every index of every factor model."""
    fits = [(m.name, m.where, m.fit) for m in found.models] + [(s.level, s.where, s.fit) for s in found.steps]
    if not fits:
        return None
    rows = pd.DataFrame([{"model": name, "where": where} | _fit_row(fit) for name, where, fit in fits])
    columns = [
        Column("model", "Model"),
        Column("where", "Of"),
        _CLIENTS,
        *_FIT,
        Column("aic", "AIC", "number", of="clients"),
        _BIC,
        Column("remark", "Remark"),
    ]
    note = "RMSEA with its 90 % interval. SRMR includes the means."
    return Table.from_frame("factor_fits", "All indices of fit", "models", rows, columns, note)


def _loadings(found: Found) -> Table | None:
    good = [m for m in found.models if m.fit.converged]
    if not good:
        return None
    rows = pd.concat(
        [loadings(m).assign(model=f"{m.name}, {m.where}", clients=m.fit.n) for m in good], ignore_index=True
    )
    columns = [
        Column("model", "Model"),
        Column("item", "Item"),
        Column("factor", "Factor"),
        Column("loading", "Standardised loading", "number", of="clients"),
        _CLIENTS,
    ]
    return Table.from_frame("loadings", "Standardised loadings", "models", rows, columns)


def _components(found: Found) -> Table | None:
    rows = [
        {
            "model": "sessions nested in clients"
            if "Rcn" in c.coefficients
            else "sessions crossed with clients",
            "part": part,
            "variance": v,
            "clients": c.clients,
        }
        for c in found.change
        for part, v in c.components.items()
    ]
    if not rows:
        return None
    columns = [
        Column("model", "Model"),
        Column("part", "Between"),
        Column("variance", "Variance", "number", of="clients"),
        _CLIENTS,
    ]
    return Table.from_frame(
        "variance_components", "Variance of the answers", "models", pd.DataFrame(rows), columns
    )
