"""A matplotlib figure that shows itself in a notebook. Loaded only when something is drawn."""

import io

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from alliance_longitudinal.language import decimal_mark

_DOTS_PER_INCH = 110


class Ticks(ScalarFormatter):
    """Numbers of an axis with the decimal mark of the language in use."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """One number."""
        return decimal_mark(super().__call__(x, pos))


class Drawn(Figure):
    """A figure made without pyplot, which Jupyter would otherwise show as a line of text.

    Attributes
    ----------
    alt : str
        What it shows, for readers who do not see it.
    """

    alt = ""

    def svg(self, salt: str, title: str) -> str:
        """The picture as SVG, letters as paths; the same figure with the same ``salt`` gives the same text.

        The canvas is asked, not ``savefig``, which draws every figure twice.
        """
        picture = io.StringIO()
        with mpl.rc_context({"svg.hashsalt": salt, "svg.fonttype": "path"}):
            FigureCanvasSVG(self).print_svg(picture, metadata={"Date": None, "Title": title})  # type: ignore[no-untyped-call]
        return picture.getvalue()

    def _repr_png_(self) -> tuple[bytes, dict[str, str]]:
        """What Jupyter asks for: the picture, and what is known of it."""
        picture, dots = io.BytesIO(), self.dpi
        self.dpi = _DOTS_PER_INCH
        try:
            FigureCanvasAgg(self).print_png(picture, metadata={"Software": None})  # type: ignore[no-untyped-call]
        finally:
            self.dpi = dots
        return picture.getvalue(), {"alt": self.alt}
