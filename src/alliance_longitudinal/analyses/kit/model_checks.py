"""Checks of a main model for people who may see the data: its residuals, floor and ceiling, and each therapist left out."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit.fits import Fitted
from alliance_longitudinal.analyses.kit.nesting import ALONE
from alliance_longitudinal.analyses.kit.references import short
from alliance_longitudinal.counts import Number, Share
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.labels import number
from alliance_longitudinal.language import translated
from alliance_longitudinal.present import Column, FigureSpec, Table, plots
from alliance_longitudinal.sentences import Sentence, say, told

#: Share of scores at one end of the scale from which the questionnaire has a floor or a ceiling (Terwee et al. 2007).
AT_END = 0.15
#: Up to this p, the least that the simulated responses can give, the shape of the residuals is named.
CLEAR = 0.01
#: Simulated responses of an envelope; points that a figure of residuals shows, and those of them at each end.
SIMULATED, POINTS, ALL_OF_ENDS = 99, 150, 25


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks of one model found.

    Attributes
    ----------
    fitted : Fitted
    label, unit : str
        Of the number that the model is for.
    whole, low, high : float
        That number, and the lowest and the highest value of it without any one therapist.
    flips : int
        Therapists without whom its sign changes.
    p_shape : float
        Of a normal shape of the residuals.
    at_low, at_high : float
        Shares of scores at the ends of the scale.
    why_not : str
        Why no therapist was left out; empty if each was.
    groups : bool
        Whether therapy groups stand in the place of therapists.
    """

    fitted: Fitted
    label: str
    unit: str
    whole: float
    low: float
    high: float
    flips: int
    p_shape: float
    at_low: float
    at_high: float
    why_not: str = ""
    groups: bool = False


def check_model(
    fitted: Fitted,
    rows: pd.DataFrame,
    measure: Measure,
    label: str,
    unit: str,
    term: str,
    share: str,
    seed: int,
    *,
    groups: bool = False,
) -> tuple[Checked, list[FigureSpec], list[Finding]]:
    """Check one model.

    Parameters
    ----------
    fitted : Fitted
        A mixed model of ``y``.
    rows : DataFrame
        Its rows; ``y`` is a score of ``measure``.
    label, unit : str
        Of the number that is examined.
    term, share : str
        The coefficient that is examined; or, where it is the therapists' share of a variance, the variance's term.
    seed : int
        Of the simulated residuals.
    groups : bool
        Whether what the model calls therapists are therapy groups.
    """
    envelope = fitted.result.envelope(n=SIMULATED, seed=seed)
    value = partial(_share, share) if share else partial(_coefficient, term)
    whole = value(fitted.result.params, _variances(fitted))
    without, why_not = _left_out(fitted, value)
    low, high = (float(without.min()), float(without.max())) if len(without) else (np.nan, np.nan)
    flips = 0 if share else int((np.sign(without) != np.sign(whole)).sum())
    y = rows["y"].dropna().to_numpy(float)
    ends = measure.instrument.total_range
    at_low, at_high = (float(np.mean(y == end)) for end in ends) if ends else (np.nan, np.nan)
    checked = Checked(
        fitted, label, unit, whole, low, high, flips, float(envelope.p), at_low, at_high, why_not, groups
    )
    figures = [_quantiles(checked, envelope.frame), _left_out_figure(checked, without)]
    clear = bool(share) or _is_clear(fitted, term)
    return checked, [f for f in figures if f is not None], _findings(checked, measure, len(y), clear=clear)


def _is_clear(fitted: Fitted, term: str) -> bool:
    """Whether the interval of a coefficient excludes zero."""
    row = fitted.combination({term: 1.0})
    return row["ci_low"] > 0 or row["ci_high"] < 0


def _coefficient(term: str, params: "pd.Series[float]", _: "pd.Series[float]") -> float:
    return float(params[term])


def _share(term: str, _: "pd.Series[float]", variances: "pd.Series[float]") -> float:
    """The therapists' share of the variances of a term; the residual counts for the level."""
    own = {
        group: float(v)
        for (group, first, second), v in variances.items()
        if not second and (first == term or (group == "Residual" and term == "Intercept"))
    }
    return own["therapist"] / sum(own.values())


def _variances(fitted: Fitted) -> "pd.Series[float]":
    table = fitted.result.varcorr.fillna({"term1": "", "term2": ""})
    index = list(zip(table["group"], table["term1"], table["term2"], strict=True))
    return pd.Series(table["vcov"].to_numpy(), index=pd.Index(index, tupleize_cols=False))


def _left_out(fitted: Fitted, value: Callable[[Any, Any], float]) -> "tuple[pd.Series[float], str]":
    """The number without each therapist, indexed by therapist; why not, as a sentence."""
    nothing = pd.Series(dtype=float)
    if not fitted.structure.therapist:
        return nothing, "The model has no therapist level."
    try:
        found = fitted.result.influence("therapist")
    except FitError as error:
        return nothing, told(error)
    varcorr = found.varcorr
    columns = pd.Index([tuple(c) for c in varcorr.columns], tupleize_cols=False)
    therapists = [who for who in found.params.index if who != ALONE]
    values = [
        value(found.params.loc[who], pd.Series(varcorr.loc[who].to_numpy(), index=columns))
        for who in therapists
    ]
    return pd.Series(values, index=therapists), ""


def _findings(checked: Checked, measure: Measure, n: int, *, clear: bool) -> list[Finding]:
    out: list[Finding] = []
    title = checked.fitted.title
    if checked.flips:
        message = say(
            "Without {n} of the therapists the sign of the estimate changes ({label}: {low} to {high} without any one of them). {so}",
            so="The answer depends on single therapists."
            if clear
            else "With all therapists the sign is not clear either.",
            n=Number(checked.flips, "integer"),
            label=checked.label,
            low=Number(checked.low),
            high=Number(checked.high),
        )
        out.append(Finding("one_therapist_decides", "caution" if clear else "info", message, title))
    for end, share, what in (("lowest", checked.at_low, "floor"), ("highest", checked.at_high, "ceiling")):
        if share >= AT_END:
            message = say(
                "{share} of the scores of {label} are the {end} possible one ({what}): changes beyond it are not seen, and the "
                "model's intervals are only roughly right.",
                share=Share.of(share, n),
                label=measure.label,
                end=end,
                what=what,
            )
            out.append(Finding(f"{what}_of_scores", "caution", message, title, short("terwee2007")))
    if checked.p_shape <= CLEAR:
        message = say(
            "The residuals are not normal in shape (p {p}). With many clients this matters little for "
            "averages and differences, and more for variances and for statements about single clients.",
            p=number(checked.p_shape, "p"),
        )
        out.append(Finding("residual_shape", "info", message, title))
    return out


def checks_table(every: list[Checked]) -> Table | None:
    """One row per checked model; it tells of single therapists, so it is for internal readers."""
    if not every:
        return None
    rows = [
        {
            "title": c.fitted.title,
            "label": c.label,
            "whole": _shown(c.whole, c.unit),
            "range": Sentence(c.why_not)
            or say("{low} to {high}", low=_shown(c.low, c.unit), high=_shown(c.high, c.unit)),
            "p_shape": c.p_shape,
            "at_low": c.at_low,
            "at_high": c.at_high,
        }
        for c in every
    ]
    some = any(c.fitted.structure.therapist for c in every)
    groups = any(c.groups for c in every)
    columns = [
        Column("title", "Model"),
        Column("label", "Number"),
        Column("whole", ("With all groups" if groups else "With all therapists") if some else "Estimate"),
        *([Column("range", f"Without any one {'group' if groups else 'therapist'}")] if some else []),
        Column("p_shape", "Residuals normal: p", "p"),
        Column("at_low", "Scores at the lowest", "percent", modelled=True),
        Column("at_high", "Scores at the highest", "percent", modelled=True),
    ]
    note = (
        "Each group was left out in turn. Shape of the residuals: Kolmogorov's distance from the normal against simulated responses of "
        "the model. For internal readers only."
        if some and groups
        else "Each therapist was left out in turn. Shape of the residuals: Kolmogorov's distance from the normal against simulated "
        "responses of the model. For internal readers only."
        if some
        else "Shape of the residuals: Kolmogorov's distance from the normal against simulated responses of the model. For internal readers "
        "only."
    )
    return Table.from_rows(
        "model_checks",
        "Would it hold? Checks of the main models",
        "checks",
        rows,
        columns,
        note,
        single_people=True,
    )


def _shown(value: float, unit: str) -> Sentence:
    return say("{v}", v=Number(value, "percent" if unit == "share" else "number"))


def _quantiles(checked: Checked, frame: pd.DataFrame) -> FigureSpec:
    """Residuals in rising order against those that the model would give; each point is a row."""
    n = len(frame)
    middle = np.linspace(0, n - 1, min(POINTS, n)).round().astype(int)
    ends = min(ALL_OF_ENDS, n)
    keep = np.unique(np.r_[middle, np.arange(ends), np.arange(n - ends, n)])
    shown = frame.iloc[keep]
    band = pd.DataFrame(
        {
            "kind": "model",
            "x": shown["theoretical"],
            "y": shown["median"],
            "low": shown["lower"],
            "high": shown["upper"],
        }
    )
    own = pd.DataFrame({"kind": "observed", "x": shown["theoretical"], "y": shown["observed"], "n": 1})
    return FigureSpec(
        name=f"residuals_{checked.fitted.name}",
        title=say("Residuals: {model}", model=checked.fitted.title),
        caption="Points: residuals of the model in rising order (at most two hundred of them). Band: middle 95 % of residuals "
        "that the model itself would give.",
        alt=say(
            "Quantile plot of the residuals of the model '{model}'; p of a normal shape {p}.",
            model=checked.fitted.title,
            p=number(checked.p_shape, "p"),
        ),
        how_to_read="Points within the band are as the model expects; an S-shape at the ends means that some scores jump more than "
        "the model allows.",
        section="checks",
        data=pd.concat([band, own], ignore_index=True),
        columns=(
            Column("kind", "What"),
            Column("x", "Expected", "number"),
            Column("y", "Residual", "number"),
            Column("low", "Band low", "number"),
            Column("high", "Band high", "number"),
            Column("n", "Rows", "count"),
        ),
        draw=partial(
            plots.lines,
            x="x",
            y="y",
            band=True,
            x_label=translated("Normal quantile"),
            y_label=translated("Standardised residual"),
        ),
        single_people=True,
    )


def _left_out_figure(checked: Checked, without: "pd.Series[float]") -> FigureSpec | None:
    """The number without each therapist in turn, in order; each mark is a therapist, without a name."""
    if len(without) < 2:
        return None
    ordered = np.sort(without.to_numpy(float))
    data = pd.DataFrame({"place": np.arange(1, len(ordered) + 1), "value": ordered, "all": checked.whole})
    share, groups = checked.unit == "share", checked.groups
    kind = "percent" if share else "number"
    return FigureSpec(
        name=f"without_{checked.fitted.name}",
        title=say(
            "{label}, without each group in turn" if groups else "{label}, without each therapist in turn",
            label=checked.label,
        ),
        caption="Each mark: the estimate without one group, in order. Groups are not named."
        if groups
        else "Each mark: the estimate without one therapist, in order. Therapists are not named.",
        alt=say(
            "{label}: {whole} with all groups; without any one of them between {low} and {high}."
            if groups
            else "{label}: {whole} with all therapists; without any one of them between {low} and {high}.",
            label=checked.label,
            whole=number(checked.whole, kind),
            low=number(checked.low, kind),
            high=number(checked.high, kind),
        ),
        how_to_read="A mark far from the others is a group on which the estimate depends."
        if groups
        else "A mark far from the others is a therapist on whom the estimate depends.",
        section="checks",
        data=data,
        columns=(
            Column("place", "Place", "integer"),
            Column(
                "value",
                f"Without this {'group' if groups else 'therapist'}",
                "percent" if share else "number",
                modelled=True,
            ),
            Column("all", "With all", "percent" if share else "number", modelled=True),
        ),
        draw=partial(
            plots.lines,
            x="place",
            y="value",
            x_label=translated("Group left out, in order" if groups else "Therapist left out, in order"),
            y_label=translated("Estimate"),
            percent=share,
        ),
        single_people=True,
    )
