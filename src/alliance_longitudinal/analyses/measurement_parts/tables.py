"""The tables and figures of the measurement report."""

from functools import partial

import pandas as pd

from alliance_longitudinal.analyses.measurement_parts.compute import Found
from alliance_longitudinal.analyses.result import Estimate, estimate_frame
from alliance_longitudinal.labels import number
from alliance_longitudinal.methods.psychometrics.factors.factor_fit import FactorFit
from alliance_longitudinal.methods.psychometrics.factors.structure import DELTA_CFI, Model, loadings
from alliance_longitudinal.present import Column, FigureSpec, Table, plots

_FIT = [
    Column("chi2", "Chi-square", "number"),
    Column("df", "df", "integer"),
    Column("p", "p", "p"),
    Column("cfi", "CFI", "number"),
    Column("tli", "TLI", "number"),
    Column(
        "rmsea", "RMSEA", "number", of="clients"
    ),  # with chi-square and df, it tells the number of clients
    Column("rmsea_low", "90 % low", "number", of="clients"),
    Column("rmsea_high", "90 % high", "number", of="clients"),
    Column("srmr", "SRMR", "number"),
]
_CLIENTS = Column("clients", "Clients", "count")
_BIC = Column("bic", "BIC", "number", of="clients")
_SHORT = ("chi2", "df", "p", "cfi", "rmsea", "srmr")
_EQUAL = {
    "configural": "pattern (configural)",
    "metric": "loadings (metric)",
    "scalar": "also intercepts (scalar)",
}
_NUMBERS = [
    Column("estimate", "Estimate", "number"),
    Column("ci_low", "95 % low", "number"),
    Column("ci_high", "95 % high", "number"),
]


def measurement_tables(found: Found, estimates: list[Estimate]) -> tuple[Table, ...]:
    """In reading order."""
    frame = estimate_frame(estimates)
    tables = [
        _reliability(frame),
        _correlations(frame),
        _models(found),
        _invariance(found),
        _all_fits(found),
        _loadings(found),
        _components(found),
    ]
    return tuple(t for t in tables if t is not None)


def _reliability(frame: pd.DataFrame) -> Table | None:
    rows = frame[frame["unit"].eq("reliability")]
    if rows.empty:
        return None
    note = (
        "Alpha: Feldt's interval; omega: one-factor model, delta method; RkRn and Rcn: profile likelihood. RkF, R1R, RkR, RkRn: how reliably clients are told apart; "
        "Rc, Rcn: how reliably change within a client is seen, which is what models of sessions need."
    )
    columns = [Column("label", "Coefficient"), *_NUMBERS, Column("n", "n", "integer")]
    return Table.from_frame("reliability", "Reliability", "answer", rows, columns, note)


def _correlations(frame: pd.DataFrame) -> Table | None:
    rows = frame[frame["unit"].eq("correlation")]
    if rows.empty:
        return None
    note = (
        "From variance components: correlations free of the other levels. Between sessions they hold measurement error, and are "
        "lower by it; a correlation is missing where a level has no variance."
    )
    columns = [
        Column("label", "Scales"),
        Column("level", "Level"),
        Column("estimate", "r", "number"),
        Column("n", "Rows", "integer"),
    ]
    return Table.from_frame(
        "level_correlations", "How the subscales go together, by level", "results", rows, columns, note
    )


def _remark(fit: FactorFit) -> str:
    if not fit.converged:
        return "not converged"
    return "impossible values" if fit.improper else ""


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
    note = "Maximum likelihood with all available answers (FIML). The lower BIC, the better a model pays for its parameters."
    return Table.from_frame("factor_models", "Factor models of one form", "results", rows, columns, note)


def _invariance(found: Found) -> Table | None:
    if not found.steps:
        return None
    words = {True: "holds", False: "does not hold", None: "\u2013"}
    rows = pd.DataFrame(
        [
            {
                "what": s.where,
                "level": _EQUAL[s.level],
                "delta_cfi": s.cfi_difference if s.fit.converged else None,
                "delta_p": s.p_difference,
                "verdict": "; ".join(w for w in (words[s.holds], _remark(s.fit)) if w),
            }
            | _fit_row(s.fit)
            for s in found.steps
        ]
    )
    columns = [
        Column("what", "Compared"),
        Column("level", "Equal are"),
        *[c for c in _FIT if c.key in ("chi2", "df", "cfi")],
        Column("delta_cfi", "Change of CFI", "number"),
        Column("delta_p", "p", "p"),
        Column("verdict", "Verdict"),
    ]
    note = (
        f"Holds: CFI falls by {DELTA_CFI:g} at most. p: of the difference of chi-squares. Residuals of the same item are "
        "correlated. Means may be compared where loadings and intercepts are equal."
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
        Column("aic", "AIC", "number"),
        _BIC,
        Column("remark", "Remark"),
    ]
    note = "RMSEA with its 90 % interval. SRMR includes the means."
    return Table.from_frame("factor_fits", "All indices of fit", "models", rows, columns, note)


def _loadings(found: Found) -> Table | None:
    good = [m for m in found.models if m.fit.converged]
    if not good:
        return None
    rows = pd.concat([loadings(m).assign(model=f"{m.name}, {m.where}") for m in good], ignore_index=True)
    columns = [
        Column("model", "Model"),
        Column("item", "Item"),
        Column("factor", "Factor"),
        Column("loading", "Standardised loading", "number"),
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
        }
        for c in found.change
        for part, v in c.components.items()
    ]
    if not rows:
        return None
    columns = [Column("model", "Model"), Column("part", "Between"), Column("variance", "Variance", "number")]
    return Table.from_frame(
        "variance_components", "Variance of the answers", "models", pd.DataFrame(rows), columns
    )


def reliability_figure(estimates: list[Estimate], label: str) -> FigureSpec | None:
    """All reliability coefficients."""
    rows = [e for e in estimates if e.unit == "reliability"]
    if not rows:
        return None
    data = estimate_frame(rows)[["label", "estimate", "ci_low", "ci_high"]]
    return FigureSpec(
        name="reliability",
        title=f"Reliability of {label}",
        caption="Points: estimates; lines: 95 % intervals, where there are some.",
        alt="Reliability coefficients: " + "; ".join(f"{e.label} {number(e.estimate)}" for e in rows) + ".",
        how_to_read="The nearer to 1, the less of the differences is error. Change within clients is usually told less reliably.",
        section="answer",
        data=data,
        columns=(
            Column("label", "Coefficient"),
            Column("estimate", "Estimate", "number"),
            Column("ci_low", "95 % low", "number"),
            Column("ci_high", "95 % high", "number"),
        ),
        draw=partial(plots.forest, reference=None, limits=(None, 1), x_label="Reliability"),
    )


def loadings_figure(models: list[Model]) -> FigureSpec | None:
    """Loadings of the models of the first form that were fitted."""
    good = [m for m in models if m.fit.converged and not m.fit.improper]
    if not good:
        return None
    shown = [m for m in good if m.where == good[0].where]
    data = pd.concat([loadings(m).assign(panel=m.name) for m in shown], ignore_index=True)
    return FigureSpec(
        name="loadings",
        title=f"Standardised loadings, {shown[0].where}",
        caption="How strongly each answer goes with its factor, in each model without impossible values.",
        alt="Standardised loadings. "
        + "; ".join(f"{r.item} on {r.factor} ({r.panel}): {number(r.loading)}" for r in data.itertuples())
        + ".",
        how_to_read="The further right, the more an answer tells about the factor.",
        section="results",
        data=data,
        columns=(
            Column("panel", "Model"),
            Column("item", "Item"),
            Column("factor", "Factor"),
            Column("loading", "Loading", "number"),
        ),
        draw=partial(
            plots.forest,
            value="loading",
            label="item",
            by="factor",
            panel="panel",
            x_label="Standardised loading",
        ),
    )
