"""``al.plot``: the picture of whatever can tell what to draw - a fit, marginal means, an analysis, a study.

The objects are asked by their public methods; nothing here knows their classes.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from alliance_longitudinal.errors import FitError

if TYPE_CHECKING:
    from alliance_longitudinal.present.plots.drawn import Drawn


def plot(thing: Any, kind: str | None = None, **options: Any) -> "Drawn":
    """Draw a result.

    Parameters
    ----------
    thing : object
        A fitted mixed model, marginal means or slopes, an `AnalysisResult`, or a `Study`.
    kind : str, optional
        Of a fit ``"effects"`` (default; options ``term``, ``by``, ``at``), ``"caterpillar"`` (``group``), ``"residuals"`` or
        ``"profile"`` (``which``). Of an analysis the name of one of its figures. Of a study ``"courses"`` (``client``,
        ``measures``).
    **options
        Options of the kind.

    Returns
    -------
    matplotlib Figure
        Not known to pyplot; a notebook shows it when it is the last value of a cell.

    Raises
    ------
    FitError
        If there is no such kind, or the object has nothing to draw.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> rows = al.simulate_clinic(1, clients=40, therapists=5, items=False).sessions
    >>> fit = al.MixedModel.from_formula("phq9 ~ week + (1 | client)", rows).fit()
    >>> al.plot(fit, "effects", term="week").axes[0].get_xlabel()
    'week'
    """
    kinds = _kinds(thing)
    chosen = next(iter(kinds), "") if kind is None else kind
    if chosen not in kinds:
        what = type(thing).__name__
        if not kinds:
            raise FitError(f"There is nothing to draw of this {what}.")
        raise FitError(f"There is no picture {kind!r} of this {what}. There are: {', '.join(kinds)}.")
    return kinds[chosen](thing, **options)


def _kinds(thing: Any) -> Mapping[str, Callable[..., "Drawn"]]:
    """What can be drawn of an object, the default first."""
    from alliance_longitudinal.present import fits, studies

    if hasattr(thing, "figure_specs"):
        return {spec.name: _figure_of(spec) for spec in thing.figure_specs}
    if hasattr(thing, "measures") and hasattr(thing, "sessions"):
        return {"courses": studies.courses}
    if hasattr(thing, "specs") and hasattr(thing, "frame"):
        return {"means": fits.means}
    if hasattr(thing, "params") and hasattr(thing, "random_effects"):
        return {
            "effects": fits.effects,
            "caterpillar": fits.modes,
            "residuals": fits.residuals,
            "profile": fits.profiles,
        }
    return {}


def _figure_of(spec: Any) -> Callable[..., "Drawn"]:
    def draw(_: Any) -> "Drawn":
        drawn: Drawn = spec.figure()
        return drawn

    return draw
