"""A generalised fit as text, as HTML, and as plain data."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.results.show import data_of, formatted, html_of, row_of, size_line, text_of

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
    head = [
        title(res),
        f"Formula: {res.formula}",
        size_line(res.nobs, res.n_dropped, res.n_groups),
        f"Deviance: {res.deviance:.4f}   AIC: {res.aic:.2f}   BIC: {res.bic:.2f}",
        *_dispersion(res),
    ]
    return text_of(res, head, _coefficients(res))


def as_html(res: GeneralisedResults) -> str:
    """The same for a notebook."""
    head = [
        f"<b>{html.escape(title(res))}</b>",
        f"<code>{html.escape(res.formula)}</code>",
        html.escape(size_line(res.nobs, res.n_dropped, res.n_groups)),
        f"Deviance {res.deviance:.4f}, AIC {res.aic:.2f}, BIC {res.bic:.2f}",
        *_dispersion(res),
    ]
    return html_of(res, head, _coefficients(res))


def glance_row(res: GeneralisedResults) -> dict[str, Any]:
    """One row about the fit."""
    kind = {"family": res.family, "link": res.link, "n_agq": res.n_agq}
    return row_of(res, kind, {"dispersion": res.dispersion})


def as_plain_data(res: GeneralisedResults) -> dict[str, Any]:
    """Numbers, text, lists and dictionaries only."""
    categories = [str(c) for c in res.fit.response.categories]
    own = {"log_dispersion_se": res.log_dispersion_se, "categories": categories}
    return data_of(res, glance_row(res) | own, {})


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
    return formatted(table, {"z": "{:.3f}", "p": "{:.4f}"}).replace("nan", "")
