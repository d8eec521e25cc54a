"""The figures of the measurement report."""

from functools import partial

import pandas as pd

from alliance_longitudinal.analyses.kit import COUNT, ESTIMATE, Estimate, estimate_frame
from alliance_longitudinal.labels import number
from alliance_longitudinal.methods.psychometrics.factors.structure import Model, loadings
from alliance_longitudinal.present import Column, FigureSpec, plots


def reliability_figure(estimates: list[Estimate], label: str) -> FigureSpec | None:
    """All reliability coefficients."""
    rows = [e for e in estimates if e.unit == "reliability"]
    if not rows:
        return None
    data = estimate_frame(rows)[["label", "estimate", "ci_low", "ci_high", "n"]]
    return FigureSpec(
        name="reliability",
        title=f"Reliability of {label}",
        caption="Points: estimates; lines: 95 % intervals, where available.",
        alt="Reliability coefficients: " + "; ".join(f"{e.label} {number(e.estimate)}" for e in rows) + ".",
        how_to_read="The closer to 1, the less measurement error. Change within clients is usually measured "
        "less reliably than differences between clients.",
        section="answer",
        data=data,
        columns=(Column("label", "Coefficient"), *ESTIMATE, COUNT),
        draw=partial(plots.forest, reference=None, limits=(None, 1), x_label="Reliability"),
    )


def loadings_figure(models: list[Model]) -> FigureSpec | None:
    """Loadings of the models of the first form that were fitted."""
    good = [m for m in models if m.fit.converged and not m.fit.improper]
    if not good:
        return None
    shown = [m for m in good if m.where == good[0].where]
    data = pd.concat([loadings(m).assign(panel=m.name, clients=m.fit.n) for m in shown], ignore_index=True)
    return FigureSpec(
        name="loadings",
        title=f"Standardised loadings, {shown[0].where}",
        caption="Loading of each item on its factor, in each model with a proper solution.",
        alt="Standardised loadings. "
        + "; ".join(f"{r.item} on {r.factor} ({r.panel}): {number(r.loading)}" for r in data.itertuples())
        + ".",
        how_to_read="The further to the right, the better the item measures the factor.",
        section="results",
        data=data,
        columns=(
            Column("panel", "Model"),
            Column("item", "Item"),
            Column("factor", "Factor"),
            Column("loading", "Loading", "number", of="clients"),
            Column("clients", "Clients", "count"),
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
