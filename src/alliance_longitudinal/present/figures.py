"""The figures: functions of plain frames that return a new matplotlib Figure. Nothing is shown or saved here."""

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from alliance_longitudinal.present.drawn import Drawn

#: Colour-blind safe (Okabe & Ito); each group also has its own marker and line style.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6b6b6b"
_GROUP_STYLE = {0: (ORANGE, "o", "--"), 1: (GREY, "s", "-."), 2: (BLUE, "^", "-")}


def _new(width: float, height: float, columns: int = 1) -> "tuple[Drawn, list[Axes]]":
    """A figure on white, in the house style; pyplot does not know of it, so it is never shown twice."""
    import seaborn as sns

    from alliance_longitudinal.present.drawn import Drawn

    style = sns.axes_style("whitegrid") | {"axes.edgecolor": "#444444", "grid.color": "#e6e6e6"}
    with sns.plotting_context("notebook", font_scale=0.95), _rc(style):
        figure = Drawn(figsize=(width, height), layout="constrained")
        axes = figure.subplots(1, columns, squeeze=False)[0]
    for ax in axes:
        sns.despine(ax=ax)
    return figure, list(axes)


def _rc(style: Any) -> Any:
    import matplotlib as mpl

    return mpl.rc_context({**style, "font.family": ["DejaVu Sans"]})


def _text(value: object) -> str:
    """Text from data, safe from matplotlib's mathtext."""
    return str(value).replace("$", r"\$")


def trajectories(data: pd.DataFrame, *, x_label: str, y_label: str) -> "Drawn":
    """Model-implied courses with bands, and observed means behind them.

    Parameters
    ----------
    data : DataFrame
        ``group`` (int 0, 1, 2 from low to high), ``label``, ``kind`` (``model`` or ``observed``), ``weeks``,
        ``value``, ``low``, ``high``, ``n`` (observations behind an observed mean).
    """
    figure, (ax,) = _new(7.2, 4.4)
    for group, part in data.groupby("group"):
        colour, marker, line = _GROUP_STYLE[int(str(group))]
        model = part[part["kind"] == "model"]
        seen = part[part["kind"] == "observed"]
        ax.fill_between(model["weeks"], model["low"], model["high"], color=colour, alpha=0.13, linewidth=0)
        ax.plot(
            model["weeks"],
            model["value"],
            line,
            color=colour,
            label=_text(part["label"].iloc[0]),
            linewidth=2,
        )
        if len(seen):
            size = 12 + 60 * (seen["n"] / data["n"].max()).to_numpy()
            ax.scatter(
                seen["weeks"], seen["value"], s=size, color=colour, marker=marker, alpha=0.55, linewidth=0
            )
    ax.set(xlabel=_text(x_label), ylabel=_text(y_label))
    ax.legend(frameon=False, fontsize=9)
    return figure


def effects(data: pd.DataFrame, *, x_label: str, band: tuple[float, float] | None = None) -> "Drawn":
    """Estimates with intervals, one line each; ``band`` is a published interval to compare with.

    Parameters
    ----------
    data : DataFrame
        ``label, estimate, ci_low, ci_high``.
    """
    figure, (ax,) = _new(7.2, 0.9 + 0.5 * len(data))
    position = list(range(len(data)))[::-1]
    if band:
        ax.axvspan(*band, color=GREEN, alpha=0.18, linewidth=0, label="published meta-analysis")
        ax.legend(frameon=False, fontsize=9, loc="lower right")
    ax.axvline(0, color="#444444", linewidth=1)
    ax.hlines(position, data["ci_low"], data["ci_high"], color=BLUE, linewidth=2)
    ax.scatter(data["estimate"], position, color=BLUE, s=46, zorder=3)
    ax.set_yticks(position, [_text(v) for v in data["label"]])
    ax.set(xlabel=_text(x_label), ylim=(-0.7, len(data) - 0.3))
    ax.grid(visible=False, axis="y")
    return figure


def specifications(data: pd.DataFrame, *, x_label: str) -> "Drawn":
    """The same estimate under other choices; the main choice filled.

    Parameters
    ----------
    data : DataFrame
        ``label, panel, estimate, ci_low, ci_high, main`` (bool). One panel a value of ``panel``.
    """
    panels = list(dict.fromkeys(data["panel"]))
    rows = int(data.groupby("panel").size().max())
    figure, axes = _new(8.2, 1.1 + 0.28 * rows, len(panels))
    for k, (ax, panel) in enumerate(zip(axes, panels, strict=True)):
        part = data[data["panel"] == panel].reset_index(drop=True)
        position = list(range(len(part)))[::-1]
        ax.axvline(0, color="#444444", linewidth=1)
        ax.hlines(position, part["ci_low"], part["ci_high"], color=BLUE, linewidth=1.6)
        face = [BLUE if m else "white" for m in part["main"]]
        ax.scatter(
            part["estimate"], position, facecolors=face, edgecolors=BLUE, s=38, zorder=3, linewidths=1.4
        )
        ax.set_yticks(
            position, [_text(v) for v in part["label"]] if k == 0 else [""] * len(part), fontsize=8.5
        )
        ax.set_title(_text(panel), fontsize=10)
        ax.set_xlabel(_text(x_label), fontsize=9)
        ax.tick_params(axis="x", labelsize=8.5)
        ax.grid(visible=False, axis="y")
    return figure


def shares(data: pd.DataFrame, *, x_label: str) -> "Drawn":
    """Stacked shares of variance, one bar a row, patterns as well as colours.

    Parameters
    ----------
    data : DataFrame
        ``bar`` (what is divided), ``part`` (level), ``share`` (0 to 1).
    """
    bars = list(dict.fromkeys(data["bar"]))
    parts = list(dict.fromkeys(data["part"]))
    look = dict(zip(parts, [(ORANGE, ""), (BLUE, ""), ("#bdbdbd", "")], strict=False))
    figure, (ax,) = _new(7.2, 1.2 + 0.62 * len(bars))
    left = dict.fromkeys(bars, 0.0)
    for part in parts:
        colour, hatch = look[part]
        rows = data[data["part"] == part]
        position = [len(bars) - 1 - bars.index(b) for b in rows["bar"]]
        start = [left[b] for b in rows["bar"]]
        ax.barh(
            position,
            rows["share"],
            left=start,
            height=0.62,
            color=colour,
            hatch=hatch,
            label=_text(part),
            edgecolor="white",
        )
        for b, p, x, w in zip(rows["bar"], position, start, rows["share"], strict=True):
            left[b] += w
            if w >= 0.06:
                ink = "black" if colour == "#bdbdbd" else "white"
                ax.text(x + w / 2, p, f"{100 * w:.0f} %", ha="center", va="center", color=ink, fontsize=9)
    ax.set_yticks(range(len(bars)), [_text(b) for b in bars[::-1]])
    ax.set(xlim=(0, 1), xlabel=_text(x_label))
    ax.xaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f} %")
    ax.grid(visible=False, axis="y")
    ax.legend(frameon=False, fontsize=9, ncols=len(parts), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure
