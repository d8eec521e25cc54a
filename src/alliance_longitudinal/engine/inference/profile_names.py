"""The variance parameters of a fit by name, each with the coordinates in which it is profiled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from itertools import combinations

import numpy as np

from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.fitted.residual_names import names_of
from alliance_longitudinal.engine.inference import charts
from alliance_longitudinal.engine.inference.family import Family, extra_of
from alliance_longitudinal.engine.search.theta import Face
from alliance_longitudinal.errors import FitError


@dataclass(frozen=True, slots=True)
class Named:
    """A parameter.

    Attributes
    ----------
    kind : {"sd", "cor", "sigma", "phi", "ratio"}
    chart : callable
        Makes its chart.
    undefined : bool
        A correlation of effects of which one does not vary.
    """

    kind: str
    chart: Callable[[], charts.Chart]
    undefined: bool = False


def full_face(fit: MixedFit) -> Face:
    """The whole cone of covariances of a fit, with the coordinates of its residual structure."""
    return replace(fit.record.best.face.full(), extra=len(extra_of(fit)))


def variance_parameters(fit: MixedFit) -> dict[str, Named]:
    """All variance parameters by the names of bootstrap intervals, in the order of ``varcorr``; the structure's last."""
    face, y = full_face(fit), fit.basis.y_scale
    out: dict[str, Named] = {}
    for t, term in enumerate(fit.design.terms):
        effects, psi = np.asarray(np.linalg.inv(fit.basis.b[t])), fit.psi[t]
        for i, name in enumerate(term.names):
            out[f"sd({name})|{term.group}"] = Named(
                "sd", partial(charts.standard_deviation, face, t, effects, i, y)
            )
        for i, j in combinations(range(len(term.names)), 2):
            none = bool(psi[i, i] * psi[j, j] <= 1e-16 * fit.scale**2)
            chart = partial(charts.correlation, face, t, effects, i, j)
            out[f"cor({term.names[i]},{term.names[j]})|{term.group}"] = Named("cor", chart, none)
    out["sigma"] = Named("sigma", partial(charts.residual_deviation, face, y))
    return out | _structure(fit, face)


def _structure(fit: MixedFit, face: Face) -> dict[str, Named]:
    if fit.residual is None:
        return {}
    family = Family(fit.residual.full)
    out = {}
    for k, name in enumerate(names_of(fit.residual)):
        if name == "phi":
            low, high = (0.0, 1.0) if family.rooted else (-np.inf, np.inf)
            out[name] = Named("phi", partial(charts.structure_parameter, face, k, family.phi, low, high))
        else:
            out[name] = Named(
                "ratio", partial(charts.structure_parameter, face, k, charts.exponential, -np.inf, np.inf)
            )
    return out


def parameters(fit: MixedFit, which: str | Sequence[str] | None) -> list[str]:
    """Names asked for, checked; all of them without any.

    Raises
    ------
    FitError
        A name that the fit does not have.
    """
    names = [*fit.design.names, *variance_parameters(fit)]
    if which is None:
        return names
    asked = [which] if isinstance(which, str) else list(which)
    for name in asked:
        if name not in names:
            near = get_close_matches(str(name), names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise FitError(f"The fit has no parameter {name!r}; it has {', '.join(names)}.{hint}")
    return asked
