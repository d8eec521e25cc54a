"""Checks that every analysis makes, and the tables that list them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit.fits import Fitted
from alliance_longitudinal.analyses.kit.references import short
from alliance_longitudinal.counts import Count, Number
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.present import Column, Table
from alliance_longitudinal.sentences import joined, say

#: Fewer therapists than this are too few to estimate how therapists differ; with fewer than ENOUGH it is rough.
#: With 20 therapists of 10 clients and a true share of 5 % the estimate is zero in 14 % of samples and the power is 38 %.
FEW, ENOUGH = 20, 50
_FEW_REFERENCES = ("schiefele2017", "maas2005")


def therapist_findings(n_therapists: int, caseloads: "pd.Series[int]") -> list[Finding]:
    """What the number of therapists and their caseloads allow to be said."""
    out = []
    therapists, source = Number(n_therapists, "integer", "therapist"), short(*_FEW_REFERENCES)
    if n_therapists < FEW:
        message = say(
            "{n:noun} {n:is|are} too few to estimate how therapists differ. Do not use differences "
            "between therapists, nor effects of a therapist's mean alliance: they are too "
            "uncertain. A variance of zero here does not mean that therapists are alike.",
            n=therapists,
        )
        out.append(Finding("few_therapists", "underpowered", message, "therapists", source))
    elif n_therapists < ENOUGH:
        message = say(
            "With {n:noun}, estimates of therapist effects are imprecise. Read their intervals, "
            "not the single numbers.",
            n=therapists,
        )
        out.append(Finding("moderate_therapists", "caution", message, "therapists", source))
    single = int((caseloads == 1).sum())
    if single:
        # As many clients as therapists: a count of people that outsiders must not see when it is small.
        message = say(
            "{n} of the therapists {n:has|have} only one client in the analysis. "
            "{n:This client gives|These clients give} no information about differences between "
            "clients of the same therapist.",
            n=Count(single, "therapist"),
        )
        out.append(Finding("single_client_therapists", "info", message, "therapists"))
    return out


def clinic_findings(sessions: pd.DataFrame, clinic: str | None) -> list[Finding]:
    """Several clinics in one analysis: differences between therapists and between clinics are not separated."""
    if clinic is not None or "clinic" not in sessions or sessions["clinic"].nunique() < 2:
        return []
    message = say(
        "{n} clinics are analysed together. Differences between clinics count as differences "
        "between therapists.",
        n=Number(int(sessions["clinic"].nunique()), "integer"),
    )
    return [Finding("clinics_pooled", "info", message, "clinics")]


def model_findings(models: Sequence[Fitted]) -> list[Finding]:
    """The models' own findings; what several models say alike is said once, with the models that say it."""
    said: dict[Finding, list[str]] = {}
    for fitted in models:
        for f in fitted.findings:
            own = "" if f.where == fitted.title else f.where
            said.setdefault(Finding(f.code, f.severity, f.message, own, f.reference), []).append(fitted.title)
    return [replace(f, where=_where(f.where, titles)) for f, titles in said.items()]


def _where(own: str, titles: list[str]) -> str:
    models = "; ".join(dict.fromkeys(titles))
    return f"{models}: {own}" if own else models


def models_table(models: Sequence[Fitted], *, reml: bool = True) -> Table:
    """Every fitted model with its formula, size, criterion and certificate."""
    rows = []
    for fitted in models:
        result = fitted.result
        rows.append(
            {
                "title": fitted.title,
                "formula": fitted.formula,
                "nobs": int(result.nobs),
                "deviance": float(result.deviance) if fitted.mixed else -2 * float(result.llf),
                "optimum": _optimum(fitted),
                "skipped": joined(fitted.skipped) or "none",
            }
        )
    columns = [
        Column("title", "Model"),
        Column("formula", "Formula"),
        Column("nobs", "Rows", "count"),
        Column("deviance", "\u22122 log-likelihood" + " (REML)" * reml, "number", of="nobs"),
        Column("optimum", "Optimum"),
        Column("skipped", "Fuller models not used"),
    ]
    note = (
        "Each model has the fullest random structure that the design allows; a variance estimated "
        "as zero stays in the model. Verified: slope and curvature of the likelihood were checked "
        "at the optimum."
    )
    return Table.from_rows("models", "Every model that was fitted", "models", rows, columns, note)


def _optimum(fitted: Fitted) -> str:
    if not fitted.mixed:
        return "converged" if hasattr(fitted.result, "mle_retvals") else "exact (least squares)"
    return "verified, a variance at its boundary" if fitted.result.singular else "verified"


def coefficient_table(fitted: Fitted, robust: Fitted | None = None) -> Table:
    """All fixed-effect coefficients of one model; with its robust errors beside the model's where the main results have those."""
    robust = robust or fitted.robust
    rows: list[dict[str, Any]] = []
    for term in map(str, fitted.result.params.index):
        other = robust.combination({term: 1.0}) if robust is not None else {}
        rows.append(
            {"term": term} | fitted.combination({term: 1.0}) | {f"robust_{k}": v for k, v in other.items()}
        )
    beside = [
        Column("robust_se", "Robust SE", "number"),
        Column("robust_df", "Robust df", "df"),
        Column("robust_ci_low", "Robust 95 % low", "number"),
        Column("robust_ci_high", "Robust 95 % high", "number"),
    ]
    columns = [
        Column("term", "Term"),
        Column("estimate", "Estimate", "number"),
        Column("se", "SE", "number"),
        Column("df", "df", "df"),
        Column("ci_low", "95 % low", "number"),
        Column("ci_high", "95 % high", "number"),
        Column("p", "p", "p"),
        *(beside if robust is not None else []),
    ]
    finite = any(np.isfinite(row["df"]) for row in rows)
    note = f"Model: {fitted.formula}." + (
        " Satterthwaite degrees of freedom." if fitted.mixed and finite else ""
    )
    if robust is not None:
        note += (
            " SE, df, interval and p are the model's and hold if effects are the same for all therapists. Robust: cluster-robust (CR2) by "
            "therapist, as in the main results of effects within therapists."
        )
    return Table.from_frame(
        f"coefficients_{fitted.name}",
        f"{fitted.title}: all coefficients",
        "models",
        pd.DataFrame(rows),
        columns,
        note,
    )


def variance_table(models: Sequence[Fitted]) -> Table | None:
    """Variances, standard deviations and correlations of every mixed model."""
    frames = [m.result.varcorr.assign(model=m.title) for m in models if m.mixed]
    if not frames:
        return None
    frame = pd.concat(frames, ignore_index=True)
    frame["what"] = [
        "residual" if g == "Residual" else (t1 if pd.isna(t2) else f"{t1} with {t2}")
        for g, t1, t2 in zip(frame["group"], frame["term1"], frame["term2"], strict=True)
    ]
    columns = [
        Column("model", "Model"),
        Column("group", "Level"),
        Column("what", "Of"),
        Column("vcov", "Variance or covariance", "number"),
        Column("sdcor", "SD or correlation", "number"),
    ]
    note = (
        "Variances have no p values, because a variance cannot be below zero and the usual test is "
        "wrong at this boundary."
    )
    return Table.from_frame("variances", "Variances and correlations", "models", frame, columns, note)
