"""A matplotlib figure that shows itself in a notebook. Loaded only when something is drawn."""

import io

from matplotlib.figure import Figure


class Drawn(Figure):
    """A figure made without pyplot, which Jupyter would otherwise show as a line of text.

    Attributes
    ----------
    alt : str
        What it shows, for readers who do not see it.
    """

    alt = ""

    def _repr_png_(self) -> tuple[bytes, dict[str, str]]:
        """What Jupyter asks for: the picture, and what is known of it."""
        picture = io.BytesIO()
        self.savefig(picture, format="png", dpi=110, metadata={"Software": None})
        return picture.getvalue(), {"alt": self.alt}
