"""A generalised fit as text, as HTML, and as plain data."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.results.show import Text, plain, size_line, varcorr_table

if TYPE_CHECKING:
    from alliance_longitudinal.engine.results.generalised import GeneralisedResults

_NAMES = {
    "binomial": "Binomial",
    "poisson": "Poisson",
    "negative-binomial": "Negative binomial",
    "ordinal": "Cumulative",
}


def title(res: GeneralisedResults) -> str:
    """Family, link and method."""
    method = "Laplace's method" if res.n_agq == 1 else f"adaptive quadrature, {res.n_agq} nodes"
    return f"{_NAMES[res.family]} mixed model ({res.link} link) by maximum likelihood, {method}"


def as_text(res: GeneralisedResults) -> str:
    """The whole fit on one screen."""
    parts = [
        title(res),
        f"Formula: {res.formula}",
        size_line(res.nobs, res.n_dropped, res.n_groups),
        f"Deviance: {res.deviance:.4f}   AIC: {res.aic:.2f}   BIC: {res.bic:.2f}",
        *_dispersion(res),
        "",
        "Random effects",
        varcorr_table(res.varcorr).to_string(index=False),
        "",
        f"Fixed effects ({res.inference.words})",
        _coefficients(res).to_string(),
        "",
        res.convergence,
        *(f"[{finding.severity}] {finding.message}" for finding in res.findings),
    ]
    return Text("\n".join(parts))


def as_html(res: GeneralisedResults) -> str:
    """The same for a notebook."""
    notes = "".join(f"<li><b>{f.severity}</b>: {html.escape(f.message)}</li>" for f in res.findings)
    head = [
        f"<b>{html.escape(title(res))}</b>",
        f"<code>{html.escape(res.formula)}</code>",
        html.escape(size_line(res.nobs, res.n_dropped, res.n_groups)),
        f"Deviance {res.deviance:.4f}, AIC {res.aic:.2f}, BIC {res.bic:.2f}",
        *_dispersion(res),
    ]
    return (
        f"<div><p>{'<br>'.join(head)}</p>{_coefficients(res).to_html(border=0)}"
        f"{varcorr_table(res.varcorr).to_html(border=0, index=False)}"
        f"<p>{html.escape(res.inference.words)} {html.escape(res.convergence)}</p>{f'<ul>{notes}</ul>' if notes else ''}</div>"
    )


def glance_row(res: GeneralisedResults) -> dict[str, Any]:
    """One row about the fit."""
    return {
        "formula": res.formula,
        "family": res.family,
        "link": res.link,
        "n_agq": res.n_agq,
        "nobs": res.nobs,
        "n_dropped": res.n_dropped,
        "deviance": res.deviance,
        "llf": res.llf,
        "aic": res.aic,
        "bic": res.bic,
        "dispersion": res.dispersion,
        "converged": res.converged,
        "singular": res.singular,
    }


def as_plain_data(res: GeneralisedResults) -> dict[str, Any]:
    """Numbers, text, lists and dictionaries only."""
    certificate = res.optimization.best.certificate
    data = glance_row(res) | {
        "log_dispersion_se": res.log_dispersion_se,
        "categories": [str(c) for c in res.fit.response.categories],
        "n_groups": res.n_groups,
        "coefficients": res.tidy().to_dict(orient="records"),
        "cov_params": res.cov_params().to_numpy().tolist(),
        "varcorr": res.varcorr.to_dict(orient="records"),
        "convergence": res.convergence,
        "certificate": {
            "decrement": certificate.decrement,
            "curvature": certificate.curvature,
            "descent": certificate.descent,
            "complementarity": certificate.complementarity,
        },
        "evaluations": res.optimization.evaluations,
        "findings": [finding.to_dict() for finding in res.findings],
    }
    out: dict[str, Any] = plain(data)
    return out


def _dispersion(res: GeneralisedResults) -> list[str]:
    if res.family != "negative-binomial":
        return []
    return [f"Dispersion theta: {res.dispersion:.5g} (log theta SE {res.log_dispersion_se:.4g})"]


def _coefficients(res: GeneralisedResults) -> pd.DataFrame:
    limits = res.conf_int()
    columns = {"Estimate": res.params, "SE": res.bse, "z": res.zvalues, "p": res.pvalues}
    table = pd.DataFrame(columns | {"2.5 %": limits["lower"], "97.5 %": limits["upper"]})
    if res.ratio_name:
        with np.errstate(over="ignore"):  # of predictors in minute units
            ratios = np.exp(res.params)
        beside = ratios.where(~res.params.index.isin(res.fit.names[: res.n_thresholds]))
        table.insert(1, res.ratio_name, beside)
    formats = {"z": "{:.3f}", "p": "{:.4f}"}
    text = {name: table[name].map(formats.get(name, "{:.5g}").format) for name in table.columns}
    return pd.DataFrame(text).replace("nan", "").rename_axis(None)
