"""The dynamic panel model with person effects as a structure of means and covariances (Allison et al. 2017)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.fiml.structure import Builder, Structure


@dataclass(frozen=True, slots=True)
class Columns:
    """The roles of a panel's columns, by name."""

    y: str
    predetermined: tuple[str, ...] = ()
    lagged_exogenous: tuple[str, ...] = ()
    exogenous: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()
    lags: int = 1

    @property
    def varying(self) -> tuple[str, ...]:
        """The time-varying predictors."""
        return (*self.predetermined, *self.lagged_exogenous, *self.exogenous)

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        lagged = [f"{self.y}_lag{'' if k == 1 else k}" for k in range(1, self.lags + 1)]
        before = [f"{x}_lag" for x in (*self.predetermined, *self.lagged_exogenous)]
        return (*lagged, *before, *self.exogenous, *self.constant)


@dataclass(frozen=True, slots=True)
class Freedom:
    """What the model allows beyond R's dpm; see `dynamic_panel`."""

    contemporaneous: bool = False
    person_trends: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """One column of the wide data: which measure, and at which occasion (-1: constant)."""

    name: str
    time: int


def variables(columns: Columns, occasions: int) -> list[Variable]:
    """The columns that the model has: all y, lagged predictors until the last but one, others where an equation has them."""
    first = columns.lags
    found = [Variable(columns.y, t) for t in range(occasions)]
    for x in (*columns.predetermined, *columns.lagged_exogenous):
        found += [Variable(x, t) for t in range(first - 1, occasions - 1)]
    for x in columns.exogenous:
        found += [Variable(x, t) for t in range(first, occasions)]
    return found + [Variable(c, -1) for c in columns.constant]


def build(columns: Columns, found: list[Variable], mean: Floats, cov: Floats, options: Freedom) -> Structure:
    """The model of ``found``, with starting values from their unrestricted ``mean`` (p,) and ``cov`` (p, p)."""
    items = tuple(v.name if v.time < 0 else f"{v.name}_{v.time + 1}" for v in found)
    builder = Builder(items, (*items, "person", *(("trend",) if options.person_trends else ())))
    place = {(v.name, v.time): k for k, v in enumerate(found)}
    occasions = max(v.time for v in found if v.name == columns.y) + 1
    alpha, y = len(items), columns.y
    equations = range(columns.lags, occasions)
    explained = {place[y, t] for t in equations}
    outside = np.array([k for k in range(len(items)) if k not in explained], dtype=np.intp)
    spread = float(np.mean([cov[k, k] for k in explained]))
    for k in range(len(items)):
        builder.fix("loading", k, k, 1.0)
        builder.free(
            "factor_mean",
            k,
            0,
            float(mean[k]),
            f"mean_{items[k]}" if k in outside else f"intercept_{items[k]}",
        )
    for t in equations:
        here = place[y, t]
        builder.fix("path", here, alpha, 1.0)
        if options.person_trends:
            builder.fix("path", here, alpha + 1, float(t - columns.lags))
        for name, source in zip(columns.terms, _sources(columns, place, t), strict=True):
            builder.free("path", here, source, 0.3 if name == f"{y}_lag" else 0.0, name)
        builder.free("factor_cov", here, here, 0.5 * spread, "var_error")
        for x in columns.predetermined:
            for s in range(t if options.contemporaneous else t + 1, occasions - 1):
                later = place[x, s]
                builder.free("factor_cov", here, later, 0.0, f"cov_error_{t + 1}_{items[later]}")
    _outside(builder, found, outside, cov, alpha, spread)
    return builder.build()


def _sources(columns: Columns, place: dict[tuple[str, int], int], t: int) -> list[int]:
    """Where the predictors of y at ``t`` are, in the order of the terms."""
    before = [place[columns.y, t - k] for k in range(1, columns.lags + 1)]
    lagged = [place[x, t - 1] for x in (*columns.predetermined, *columns.lagged_exogenous)]
    return [
        *before,
        *lagged,
        *(place[x, t] for x in columns.exogenous),
        *(place[c, -1] for c in columns.constant),
    ]


def _outside(
    builder: Builder,
    found: list[Variable],
    outside: NDArray[np.intp],
    cov: Floats,
    alpha: int,
    spread: float,
) -> None:
    """Free covariances of what no equation explains, and of the person effects with all of it that varies over time."""
    effects = range(alpha, len(builder.factors))
    for at, k in enumerate(outside):
        for j in outside[: at + 1]:
            builder.free(
                "factor_cov", int(k), int(j), float(cov[k, j]), f"cov_{builder.items[k]}_{builder.items[j]}"
            )
        for effect in effects if found[k].time >= 0 else ():
            builder.free(
                "factor_cov", effect, int(k), 0.0, f"cov_{builder.factors[effect]}_{builder.items[k]}"
            )
    for effect, share in zip(effects, (0.3, 0.02), strict=False):
        builder.free("factor_cov", effect, effect, share * spread, f"var_{builder.factors[effect]}")
    if len(effects) == 2:
        builder.free("factor_cov", alpha + 1, alpha, 0.0, "cov_person_trend")
