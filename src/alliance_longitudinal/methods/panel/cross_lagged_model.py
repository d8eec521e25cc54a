"""The random-intercept cross-lagged panel model as a structure of means and covariances."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.fiml.patterns import Patterns
from alliance_longitudinal.methods.fiml.structure import Builder, Structure


@dataclass(frozen=True, slots=True)
class Options:
    """What the model holds; see `riclpm`."""

    random_intercepts: bool = True
    random_slopes: bool = False
    equal_lags: bool = True
    equal_variances: bool = False


def build(
    labels: Sequence[str], occasions: int, data: Patterns, options: Options, covariates: Sequence[str] = ()
) -> Structure:
    """The model of the columns x1 y1 x2 y2 ...: person parts, and first-order effects between the rest of two occasions.

    Parameters
    ----------
    labels : sequence of str
        Short names of the k processes, in the order of the columns.
    covariates : sequence of str
        Names of the last columns: constant properties of persons, on which each column before them depends.
    """
    k = len(labels)
    items = tuple(f"{a}{t + 1}" for t in range(occasions) for a in labels)
    n_items = len(items)
    items = (*items, *covariates)
    stable = tuple(f"ri_{a}" for a in labels) if options.random_intercepts else ()
    slopes = tuple(f"rs_{a}" for a in labels) if options.random_slopes else ()
    within = tuple(f"w_{item}" for item in items[:n_items])
    builder = Builder(items, (*stable, *slopes, *within, *(f"f_{c}" for c in covariates)))
    variance = data.variance[:n_items].reshape(occasions, k).mean(axis=0)
    base = len(stable) + len(slopes)
    for t in range(occasions):
        for a in range(k):
            item = t * k + a
            builder.free("intercept", item, 0, float(data.mean[item]), f"mean_{labels[a]}_{t + 1}")
            builder.fix("loading", item, base + item, 1.0)
            if stable:
                builder.fix("loading", item, a, 1.0)
            if slopes:
                builder.fix("loading", item, len(stable) + a, float(t))
    _persons(builder, labels, variance, occasions, options)
    _within(builder, labels, variance, base, occasions, options)
    _covariates(builder, labels, occasions, data, base + n_items, covariates)
    return builder.build()


def _covariates(
    builder: Builder, labels: Sequence[str], occasions: int, data: Patterns, first: int, names: Sequence[str]
) -> None:
    """Free means and covariances of the covariates, and their effects on each process at each occasion."""
    k = len(labels)
    for c, name in enumerate(names):
        item = k * occasions + c
        builder.fix("loading", item, first + c, 1.0)
        builder.free("intercept", item, 0, float(data.mean[item]), f"covariate_mean_{name}")
        for d in range(c + 1):
            start = float(data.variance[item]) if c == d else 0.0
            builder.free("factor_cov", first + c, first + d, start, f"covariate_cov_{name}_{names[d]}")
        for t in range(occasions):
            for a in range(k):
                builder.free("loading", t * k + a, first + c, 0.0, f"{name}_on_{labels[a]}_{t + 1}")


def _persons(
    builder: Builder, labels: Sequence[str], variance: Floats, occasions: int, options: Options
) -> None:
    """Covariances of the random intercepts and slopes."""
    k, kinds = len(labels), []
    if options.random_intercepts:
        kinds.append(("ri", 0.4))
    if options.random_slopes:
        kinds.append(("rs", 0.2 / occasions**2))
    for at, (kind, share) in enumerate(kinds):
        for a in range(k):
            builder.free(
                "factor_cov",
                at * k + a,
                at * k + a,
                share * float(variance[a]),
                f"var_{kind}_{labels[a]}",
            )
        for a, b in combinations(range(k), 2):
            builder.free("factor_cov", at * k + b, at * k + a, 0.0, f"cov_{kind}{_pair(labels, a, b)}")
    if len(kinds) == 2:
        for a in range(k):
            for b in range(k):
                builder.free("factor_cov", k + b, a, 0.0, f"cov_ri_{labels[a]}_rs_{labels[b]}")


def _within(
    builder: Builder, labels: Sequence[str], variance: Floats, base: int, occasions: int, options: Options
) -> None:
    """Effects from one occasion to the next, and the covariances of what they leave."""
    k = len(labels)
    share = 0.6 if options.random_intercepts else 1.0
    for t in range(occasions):
        here, before = base + t * k, base + (t - 1) * k
        first = t == 0
        kind = "first" if first else "innovation"
        suffix = "" if first or options.equal_variances else f"_{t + 1}"
        for a in range(k):
            start = share * float(variance[a]) * (1.0 if first else 0.85)
            builder.free("factor_cov", here + a, here + a, start, f"var_{kind}_{labels[a]}{suffix}")
        for a, b in combinations(range(k), 2):
            builder.free("factor_cov", here + b, here + a, 0.0, f"cov_{kind}{_pair(labels, a, b)}{suffix}")
        if not first:
            for b in range(k):
                for a in range(k):
                    name = effect(labels, a, b) + ("" if options.equal_lags else f"_{t}")
                    builder.free("path", here + b, before + a, 0.2 if a == b else 0.0, name)


def effect(labels: Sequence[str], a: int, b: int) -> str:
    """Name of the effect of process ``a`` on process ``b``."""
    return f"ar_{labels[a]}" if a == b else f"{labels[a]}_to_{labels[b]}"


def _pair(labels: Sequence[str], a: int, b: int) -> str:
    return "" if len(labels) == 2 else f"_{labels[a]}_{labels[b]}"


def order(labels: Sequence[str], occasions: int, options: Options) -> list[str]:
    """Names of what is reported, in order: effects (of each lag, if they differ), then the person parts."""
    k = len(labels)
    pairs = [(a, a) for a in range(k)] + [(a, b) for a in range(k) for b in range(k) if a != b]
    lags = [""] if options.equal_lags else [f"_{t}" for t in range(1, occasions)]
    names = [effect(labels, a, b) + lag for a, b in pairs for lag in lags]
    for kind, there in (("ri", options.random_intercepts), ("rs", options.random_slopes)):
        if there:
            names += [f"var_{kind}_{a}" for a in labels]
            names += [f"cov_{kind}{_pair(labels, a, b)}" for a, b in combinations(range(k), 2)]
    return names
