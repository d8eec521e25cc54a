"""The effect between therapists, corrected for the chance in a mean of a few clients, and the rule that chooses."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Draft, Estimate, Fitted, therapist_df, with_one
from alliance_longitudinal.analyses.kit.checks import FEW
from alliance_longitudinal.analyses.within_between.design import Pairs
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.methods.basics.inference import t_inference

#: Share of a therapist's caseload in the analysis above which the observed mean is the therapist's alliance.
NEARLY_ALL = 0.5
Method = Literal["ml", "moment"]
_WAYS: dict[Method, str] = {"ml": "latent means", "moment": "corrected by the reliability"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which therapist-level row is the main one, and why.

    Attributes
    ----------
    main : str
        Its id.
    ratio : float
        Median over therapists of the share of their caseload that is analysed; missing if no caseload is known.
    """

    main: str
    ratio: float


def analysed_share(study: Study, rows: pd.DataFrame) -> float:
    """Median over therapists of the analysed share of their clients; missing without ``caseload``."""
    rows = rows[with_one(rows["therapist"])]
    own = rows.drop_duplicates("client")["therapist"].value_counts()
    therapists = study.therapists
    if "caseload" in therapists:
        load = therapists.set_index("therapist")["caseload"].reindex(own.index).astype(float)
    elif study.caseload is not None:
        load = pd.Series(float(study.caseload), index=own.index)
    else:
        return float("nan")
    return float((own / load).median())


def clients_of(pairs: Pairs, fitted: Fitted) -> pd.DataFrame:
    """One row per client: mean alliance, mean outcome less the common course, means of first score and session."""
    rows = pairs.rows[with_one(pairs.rows["therapist"])]
    course = rows["course"].map(lambda c: float(fitted.result.params.get(f"course[T.{c}]", 0.0)))
    wanted = {
        "therapist": rows["therapist"],
        "y": rows["y"] - course,
        "alliance": rows["alliance"],
        "intake": rows["intake"],
        "session": rows["session"].astype(float),
        **{c: rows[c] for c in pairs.adjusted},
    }
    frame = pd.DataFrame(wanted).groupby(rows["client"])
    clients = frame.agg({k: "first" if k == "therapist" else "mean" for k in wanted}).reset_index()
    for name in ("intake", "session"):
        mean = clients.groupby("therapist")[name].transform("mean")
        clients = clients.assign(**{f"{name}_client": clients[name] - mean, f"{name}_therapist": mean})
    return clients


def latent_estimates(pairs: Pairs, fitted: Fitted, unit: str) -> list[Estimate]:
    """``therapist_latent_ml``, ``therapist_latent_moment`` and ``lambda``, as far as they can be computed.

    Two-level model of clients in therapists (Ludtke et al. 2008). Intervals are of t with the df of the effect between therapists.
    """
    from alliance_longitudinal.methods import latent_contextual

    clients = clients_of(pairs, fitted)
    names = ("intake", "session") if pairs.intake else ("session",)
    within = [c for n in names if _varies(clients[c := f"{n}_client"])]
    within += [c for c in pairs.adjusted if _varies(clients[c])]
    between = [c for n in names if _varies(clients[c := f"{n}_therapist"])]
    df = therapist_df(pairs.n_therapists, pairs.therapist_terms("common"))
    n = pairs.n_therapists
    out: list[Estimate] = []
    for method, words in _WAYS.items():
        try:
            found = latent_contextual(clients, "y", "alliance", "therapist", within, between, method=method)
        except AllianceError:
            continue
        if not (found.converged and np.isfinite(found.params["between"])):
            continue
        row = t_inference(float(found.params["between"]), float(found.bse["between"]), df)
        numbers = {k: row[k] for k in ("estimate", "se", "df", "ci_low", "ci_high", "p")}
        identity, label = f"therapist_latent_{method}", f"Between therapists, {words}"
        out.append(Estimate(identity, label, n=n, level="therapist", unit=unit, **numbers))
        if method == "ml":
            label = "Reliability of a therapist's mean alliance"
            reliability = Estimate(
                "lambda", label, found.reliability, n=n, level="therapist", unit="reliability"
            )
    return [*out, reliability] if out and out[0].id == "therapist_latent_ml" else out


def _varies(values: "pd.Series[float]") -> bool:
    return bool(values.max() - values.min() > 1e-9)


def therapist_level(draft: Draft, pairs: Pairs, fitted: Fitted, unit: str) -> Choice | None:
    """Latent means beside the observed ones, and which of them is the main row; None without an effect between therapists."""
    if draft["therapist"] is None:
        return None
    ratio = analysed_share(draft.study, pairs.rows)
    if pairs.n_therapists < FEW:
        return Choice("therapist", ratio)
    found = latent_estimates(pairs, fitted, unit)
    draft.estimate(*found)
    latent = next((e for e in found if e.id == "therapist_latent_ml"), None)
    if latent is None:
        draft.find(
            "no_latent_means",
            "info",
            "The effect between therapists cannot be corrected for the chance in therapists' means: therapists' means do not "
            "differ beyond chance, or the model with latent means did not converge.",
            "effect between therapists",
        )
        return Choice("therapist", ratio)
    if np.isnan(ratio):
        draft.find(
            "caseload_unknown",
            "info",
            "The study file gives no caseload, so the analysed clients count as a sample of the clients whom a therapist sees, and "
            "the main effect between therapists is the one with latent means. Give 'caseload' if nearly all clients are in the data.",
            "effect between therapists",
        )
    return Choice("therapist" if ratio > NEARLY_ALL else "therapist_latent_ml", ratio)


def mark_main(draft: Draft, choice: Choice | None) -> None:
    """Say in its label which effect between therapists is the main one."""
    if choice is not None:
        draft.estimates = [
            replace(e, label=f"{e.label} (main)") if e.id == choice.main else e for e in draft.estimates
        ]
