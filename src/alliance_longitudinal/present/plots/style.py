"""The look that all figures share. matplotlib is loaded when something is drawn, pyplot never."""

import textwrap
from typing import TYPE_CHECKING, Any

from alliance_longitudinal.language import ENGLISH, decimal_mark, language

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from alliance_longitudinal.present.plots.drawn import Drawn

#: Colour-blind safe (Okabe & Ito), and paler tones of three of them.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6b6b6b"
PURPLE, YELLOW = "#AA4499", "#B58900"
PALE_BLUE, PALE_ORANGE, PALE_GREEN, PALE_GREY = "#9ccbe8", "#f0a878", "#8fd3bd", "#d0d0d0"
DARK = "#444444"
#: One after the other, for series; each has its own marker and line style too.
SERIES = (
    *((BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", "-."), (GREY, "D", ":")),
    *((PURPLE, "v", "--"), (YELLOW, "P", "-.")),
)
#: Groups from low to high.
ORDERED = ((ORANGE, "o", "--"), (GREY, "s", "-."), (BLUE, "^", "-"))
#: Inches. On a telephone (390 points) the text of a figure of this width is still 9 points high.
WIDTH = 5.4
#: Letters of a line of a label beside a mark; longer labels are broken.
_LABEL_LETTERS = 28

_RC: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "text.color": "#262626",
    "axes.labelcolor": "#262626",
    "xtick.color": "#262626",
    "ytick.color": "#262626",
    "axes.edgecolor": DARK,
    "axes.linewidth": 1.2,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.95,
    "lines.solid_capstyle": "round",
    "xtick.bottom": False,
    "ytick.left": False,
    "xtick.major.pad": 3.5,
}


def new(height: float, columns: int = 1, rows: int = 1, width: float = WIDTH) -> "tuple[Drawn, list[Axes]]":
    """A figure on white, in the house style; pyplot does not know of it, so it is never shown twice."""
    import matplotlib as mpl

    from alliance_longitudinal.present.plots.drawn import Drawn, Ticks

    with mpl.rc_context(_RC):
        figure = Drawn(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
    if language() != ENGLISH:
        for axis in (axis for ax in axes.flat for axis in (ax.xaxis, ax.yaxis)):
            axis.set_major_formatter(Ticks())
    return figure, list(axes.flat)


def text(value: object) -> str:
    """Text from data, safe from matplotlib's mathtext."""
    return str(value).replace("$", r"\$")


def lines_of(value: object, letters: int = _LABEL_LETTERS) -> list[str]:
    """A label in lines of at most so many letters; words are kept whole."""
    return [
        text(line)
        for line in textwrap.wrap(str(value), letters, break_long_words=False, break_on_hyphens=False)
    ] or [""]


def percent(value: float, _: object = None) -> str:
    """A tick of an axis of shares."""
    return decimal_mark(f"{100 * value:.4g}\u00a0%")


def legend(figure: "Drawn", columns: int) -> None:
    """The names of the marks, above the picture; a name that several panels share is there once."""
    found: dict[str, Any] = {}
    for ax in figure.axes:
        found |= {
            name: mark
            for mark, name in zip(*ax.get_legend_handles_labels(), strict=True)
            if name not in found
        }
    figure.legend(
        list(found.values()),
        list(found),
        loc="outside upper left",
        ncols=min(columns, len(found)),
        frameon=False,
        columnspacing=1.2,
        handletextpad=0.5,
        fontsize=9.5,
    )


def ink_on(colour: str) -> str:
    """Black or white, whichever is easier to read on ``colour`` (relative luminance of WCAG 2.1)."""
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "black"
