"""A fit as text, as HTML, and as plain data."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.inference.residual_estimates import in_summary

if TYPE_CHECKING:
    from alliance_longitudinal.engine.results.generalised import GeneralisedResults
    from alliance_longitudinal.engine.results.linear import MixedModelResults

    AnyResults: TypeAlias = MixedModelResults | GeneralisedResults


class Text(str):
    """A text that a notebook shows as it is, without quotation marks and escapes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Unfitted:
    """How a model shows itself before its fit: its sizes, never its data."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def formula(self) -> str:
            """Formula of the model."""

        @property
        def design(self) -> Any:
            """What it will be fitted to."""

    def __repr__(self) -> str:
        lost = f" ({self.design.lost} left out for missing values)" if self.design.lost else ""
        groups = ", ".join(f"{f.name} {f.size}" for f in self.design.factors)
        return f"<{type(self).__name__}: {self.formula}; {self.design.n} rows{lost}; groups: {groups}; not fitted yet, use .fit()>"


def as_text(res: MixedModelResults) -> str:
    """The whole fit on one screen."""
    head = [
        _title(res),
        f"Formula: {res.formula}{_offset(res)}",
        size_line(res.nobs, res.n_dropped, res.n_groups),
        f"{_criterion(res)}: {res.deviance:.4f}   AIC: {res.aic:.2f}   BIC: {res.bic:.2f}",
    ]
    return text_of(res, head, _coefficients(res), _residual_lines(res))


def as_html(res: MixedModelResults) -> str:
    """The same for a notebook."""
    head = [
        f"<b>{_title(res)}</b>",
        f"<code>{html.escape(res.formula + _offset(res))}</code>",
        html.escape(size_line(res.nobs, res.n_dropped, res.n_groups)),
        f"{_criterion(res)} {res.deviance:.4f}, AIC {res.aic:.2f}, BIC {res.bic:.2f}",
    ]
    return html_of(res, head, _coefficients(res), _residual_html(res))


def glance_row(res: MixedModelResults) -> dict[str, Any]:
    """One row about the fit."""
    return row_of(res, {"reml": res.reml}, {"scale": res.scale})


def as_plain_data(res: MixedModelResults) -> dict[str, Any]:
    """Numbers, text, lists and dictionaries only."""
    options = res.options
    own = {"df_method": options.df, "cov_type": options.cov_type, "cov_groups": options.cov_groups}
    more = {"residual_parameters": res.residual_parameters.to_dict(orient="records")}
    return data_of(res, glance_row(res) | own, more)


def text_of(
    res: AnyResults, head: list[str], coefficients: pd.DataFrame, residual: Sequence[str] = ()
) -> Text:
    """A fit as text, under the lines of its head."""
    parts = [
        *head,
        "",
        "Random effects",
        varcorr_table(res.varcorr).to_string(index=False),
        *residual,
        "",
        f"Fixed effects ({res.inference.words})",
        coefficients.to_string(),
        "",
        res.convergence,
        *(f"[{finding.severity}] {finding.message}" for finding in res.findings),
    ]
    return Text("\n".join(parts))


def html_of(res: AnyResults, head: list[str], coefficients: pd.DataFrame, residual: str = "") -> str:
    """A fit for a notebook, under the lines of its head."""
    notes = "".join(f"<li><b>{f.severity}</b>: {html.escape(f.message)}</li>" for f in res.findings)
    return (
        f"<div><p>{'<br>'.join(head)}</p>"
        f"{coefficients.to_html(border=0)}{varcorr_table(res.varcorr).to_html(border=0, index=False)}{residual}"
        f"<p>{html.escape(res.inference.words)} {html.escape(res.convergence)}</p>{f'<ul>{notes}</ul>' if notes else ''}</div>"
    )


def row_of(res: AnyResults, kind: dict[str, Any], spread: dict[str, Any]) -> dict[str, Any]:
    """One row about a fit: its formula and ``kind``, sizes and likelihood, its ``spread``, and its convergence."""
    return {
        "formula": res.formula,
        **kind,
        "nobs": res.nobs,
        "n_dropped": res.n_dropped,
        "deviance": res.deviance,
        "llf": res.llf,
        "aic": res.aic,
        "bic": res.bic,
        **spread,
        "converged": res.converged,
        "singular": res.singular,
    }


def data_of(res: AnyResults, own: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """A fit as plain data: its ``own`` first, then what every fit has, with ``more`` after the variances."""
    best = res.optimization.best.certificate
    data = own | {
        "n_groups": res.n_groups,
        "coefficients": res.tidy().to_dict(orient="records"),
        "cov_params": res.cov_params().to_numpy().tolist(),
        "varcorr": res.varcorr.to_dict(orient="records"),
        **more,
        "convergence": res.convergence,
        "certificate": {
            "decrement": best.decrement,
            "curvature": best.curvature,
            "descent": best.descent,
            "complementarity": best.complementarity,
        },
        "evaluations": res.optimization.evaluations,
        "findings": [finding.to_dict() for finding in res.findings],
    }
    out: dict[str, Any] = plain(data)
    return out


def formatted(table: pd.DataFrame, formats: dict[str, str]) -> pd.DataFrame:
    """A table of numbers as text; five digits where ``formats`` has no other."""
    text = {name: table[name].map(formats.get(name, "{:.5g}").format) for name in table.columns}
    return pd.DataFrame(text).rename_axis(None)


def plain(value: Any) -> Any:
    """Numbers, text, lists and dictionaries only; missing and infinite numbers are None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def size_line(nobs: int, n_dropped: int, n_groups: dict[str, int]) -> str:
    """Rows and groups in one line."""
    groups = ", ".join(f"{name} {size}" for name, size in n_groups.items())
    dropped = f" ({n_dropped} left out for missing values)" if n_dropped else ""
    return f"Rows: {nobs}{dropped}   Groups: {groups}"


def varcorr_table(table: pd.DataFrame) -> pd.DataFrame:
    """Variances with standard deviations; covariances with correlations."""
    pair = table["term2"].notna()
    effect = (
        table["term1"]
        .where(~pair, table["term1"].astype(str) + " ~ " + table["term2"].astype(str))
        .fillna("")
    )
    return pd.DataFrame(
        {
            "Group": table["group"],
            "Effect": effect,
            "Variance": [f"{v:.6g}" for v in table["vcov"]],
            "SD": ["" if p else f"{v:.6g}" for p, v in zip(pair, table["sdcor"], strict=True)],
            "Correlation": [f"{v:.3f}" if p else "" for p, v in zip(pair, table["sdcor"], strict=True)],
        }
    )


def _residual_lines(res: MixedModelResults) -> list[str]:
    """The residual structure; nothing for independent residuals of one variance."""
    if res.fit.residual is None:
        return []
    return ["", f"Residuals: {in_summary(res.fit)}", _residual_table(res).to_string(index=False)]


def _residual_html(res: MixedModelResults) -> str:
    if res.fit.residual is None:
        return ""
    table = _residual_table(res).to_html(border=0, index=False)
    return f"<p>Residuals: {html.escape(in_summary(res.fit))}</p>{table}"


def _residual_table(res: MixedModelResults) -> pd.DataFrame:
    table = res.residual_parameters
    table.columns = pd.Index(["Parameter", "Estimate", "SE", "2.5 %", "97.5 %"])
    for name in table.columns[1:]:
        table[name] = ["" if np.isnan(value) else f"{value:.5g}" for value in table[name]]
    return table


def _coefficients(res: MixedModelResults) -> pd.DataFrame:
    limits = res.conf_int()
    columns = {"Estimate": res.params, "SE": res.bse, "df": res.df, "t": res.tvalues, "p": res.pvalues}
    table = pd.DataFrame(columns | {"2.5 %": limits["lower"], "97.5 %": limits["upper"]})
    return formatted(table, {"df": "{:.2f}", "t": "{:.3f}", "p": "{:.4f}"})


def _title(res: MixedModelResults) -> str:
    return f"Linear mixed model by {'REML' if res.reml else 'maximum likelihood'}"


def _criterion(res: MixedModelResults) -> str:
    return "REML criterion" if res.reml else "Deviance"


def _offset(res: MixedModelResults) -> str:
    return f"   Offset: {res.spec.offset}" if res.spec.offset else ""
