"""Pictures of fitted models: expected responses, groups in order, residuals, profiles."""

import re
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import FitError
from alliance_longitudinal.present import plots
from alliance_longitudinal.present.plots import style

if TYPE_CHECKING:
    from alliance_longitudinal.present.plots.drawn import Drawn

#: Points along a curve, marks in a scatter, panels of profiles, values of a numeric moderator.
_POINTS, _MOST_MARKS, _MOST_PANELS = 41, 3000, 9
_ONE_SD = (-1.0, 0.0, 1.0)


def effects(
    fit: Any, term: str | None = None, by: str | None = None, at: Mapping[str, Any] | None = None
) -> "Drawn":
    """Expected responses over a variable, with pointwise 95 % bands; other variables at their means.

    Parameters
    ----------
    fit : MixedModelResults
    term : str, optional
        A variable of the fixed part; by default its first one.
    by : str, optional
        Another one: a line for each category, or for the mean of a number and one standard deviation to either side.
    at : mapping, optional
        Values of further variables.

    Raises
    ------
    FitError
        If the fixed part has no such variable, or the fit does not have its data.
    """
    data = getattr(fit, "data", None)
    if data is None:
        raise FitError("This fit does not have its data, so there is no range to draw. Fit it from a frame.")
    names = _variables(fit.formula, data)
    term = _one_of("variable", term, names)
    grid: dict[str, Any] = dict(at or {})
    if pd.api.types.is_numeric_dtype(data[term]) and term not in grid:
        grid[term] = list(np.linspace(float(data[term].min()), float(data[term].max()), _POINTS))
    specs = [term]
    if by is not None:
        specs.append(_one_of("variable", by, [n for n in names if n != term]))
        if pd.api.types.is_numeric_dtype(data[by]) and by not in grid:
            mean, sd = float(data[by].mean()), float(data[by].std())
            grid[by] = [mean + k * sd for k in _ONE_SD]
    figure = means(fit.means(specs, at=grid), y_label=_response(fit.formula))
    figure.alt = f"Expected {_response(fit.formula)} over {term}, with 95 % bands."
    return figure


def means(found: Any, y_label: str = "estimate") -> "Drawn":
    """Marginal means or slopes: lines with bands over a number, else marks with intervals."""
    term, *others = found.specs
    frame = found.frame.reset_index(drop=True)
    frame = frame.assign(low=frame["lower"], high=frame["upper"])
    if others:
        frame["series"] = [
            "; ".join(f"{n} {_short(v)}" for n, v in zip(others, row, strict=True))
            for row in frame[others].to_numpy(dtype=object)
        ]
    by = "series" if others else ""
    if pd.api.types.is_numeric_dtype(frame[term]) and frame[term].nunique() > 2:
        return plots.lines(frame, x=term, y="estimate", x_label=term, y_label=y_label, by=by, band=True)
    rows = frame.assign(
        label=[f"{term} {_short(v)}" for v in frame[term]], ci_low=frame["lower"], ci_high=frame["upper"]
    )
    return plots.forest(rows, x_label=y_label, by=by, reference=None)


def modes(fit: Any, group: str | None = None) -> "Drawn":
    """The groups of a grouping in order, one panel for each of their effects."""
    groups = [g for g in fit.groups if ":" not in g] + [g for g in fit.groups if ":" in g]
    group = _one_of("grouping", group, groups)
    found = fit.caterpillar(group).frame
    rows = pd.DataFrame(
        {
            "panel": found["effect"],
            "place": found.groupby("effect", sort=False).cumcount() + 1,
            "estimate": found["mode"],
            **{name: found[old] for name, old in (("low", "lower"), ("high", "upper"))},
            "compare_low": found["compare_lower"],
            "compare_high": found["compare_upper"],
        }
    )
    figure = plots.caterpillar(
        rows,
        panel="panel",
        names=("95 % interval", "interval to compare two of them"),
        x_label=f"{group}, in order",
        y_label="difference from the average",
    )
    figure.alt = f"Each {group}, in rising order, with its interval."
    return figure


def residuals(fit: Any) -> "Drawn":
    """Standardised residuals against fitted values, and their quantiles against those of a normal distribution."""
    values = np.asarray(fit.residuals("pearson"), dtype=float)
    fitted = np.asarray(fit.fittedvalues, dtype=float)
    seen = np.isfinite(values) & np.isfinite(fitted)
    values, fitted = values[seen], fitted[seen]
    figure, (left, right) = style.new(3.4, columns=2, width=2 * style.WIDTH * 0.8)
    step = max(1, len(values) // _MOST_MARKS)
    left.axhline(0.0, color=style.DARK, linewidth=1)
    left.scatter(fitted[::step], values[::step], s=9, color=style.BLUE, alpha=0.45, linewidth=0)
    left.set(xlabel="fitted value", ylabel="standardised residual")
    shares = (np.arange(1, min(len(values), _MOST_MARKS) + 1) - 0.5) / min(len(values), _MOST_MARKS)
    normal = [NormalDist().inv_cdf(float(p)) for p in shares]
    right.axline((0.0, 0.0), slope=1.0, color=style.DARK, linewidth=1)
    right.scatter(normal, np.quantile(values, shares), s=9, color=style.BLUE, alpha=0.6, linewidth=0)
    right.set(xlabel="normal quantile", ylabel="quantile of the residuals")
    figure.alt = "Residuals against fitted values, and their quantiles against normal ones."
    return figure


def profiles(fit: Any, which: str | Sequence[str] | None = None) -> "Drawn":
    """The signed root of the rise of the deviance along each parameter; straight lines are normal estimates."""
    paths = fit.profile(which)
    names = list(dict.fromkeys(paths["parameter"]))[:_MOST_PANELS]
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure, axes = style.new(
        0.4 + 2.2 * rows, columns=columns, rows=rows, width=style.WIDTH * columns / 2 + 1
    )
    for ax, name in zip(axes, names, strict=False):
        part = paths[paths["parameter"] == name]
        for z in (-1.96, 1.96):
            ax.axhline(z, color=style.GREY, linewidth=1, linestyle="--")
        ax.plot(part["value"], part["zeta"], color=style.BLUE)
        ax.set_title("\n".join(style.lines_of(name)), fontsize=10)
        ax.locator_params(axis="x", nbins=4)
    for ax in axes[len(names) :]:
        ax.set_visible(False)
    for k in range(0, len(names), columns):
        axes[k].set_ylabel("profile zeta")
    figure.alt = "Profiles of the likelihood; dashed lines are the limits of 95 % intervals."
    return figure


def _one_of(what: str, given: object, known: Sequence[str]) -> str:
    if given is None and known:
        return known[0]
    if given not in known:
        raise FitError(f"There is no {what} {given!r}. There are: {', '.join(map(str, known)) or 'none'}.")
    return str(given)


def _variables(formula: str, data: pd.DataFrame) -> list[str]:
    """Columns that the fixed part names, in its order."""
    fixed = re.sub(r"\([^()]*\|[^()]*\)", " ", formula.partition("~")[2])
    words = re.findall(r"`([^`]+)`|([^\W\d]\w*)", fixed)
    return [n for n in dict.fromkeys(a or b for a, b in words) if n in data.columns]


def _response(formula: str) -> str:
    return formula.partition("~")[0].strip().strip("`")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
