"""The factor models of an alliance questionnaire: one factor, correlated factors, bifactor; and over occasions or raters."""

from collections.abc import Mapping, Sequence

from alliance_longitudinal.methods.fiml.patterns import Patterns
from alliance_longitudinal.methods.fiml.structure import Builder, Structure

Groups = Mapping[str, Sequence[str]]
LEVELS = ("configural", "metric", "scalar")


def correlated_factors(groups: Groups, items: Sequence[str], data: Patterns) -> Structure:
    """Each item loads on its own factor, and factors are correlated; one factor is the case of one group.

    The first item of each factor has loading 1 (as lavaan's default).

    Parameters
    ----------
    groups : mapping of factor to its items
    items : sequence of str
        In the order of the data's columns.
    data : Patterns
        For starting values.
    """
    builder = Builder(tuple(items), tuple(groups))
    place = {item: k for k, item in enumerate(items)}
    sd = data.variance**0.5
    for j, own in enumerate(groups.values()):
        marker = place[own[0]]
        builder.fix("loading", marker, j, 1.0)
        for item in own[1:]:
            builder.free("loading", place[item], j, float(sd[place[item]] / sd[marker]))
        builder.free("factor_cov", j, j, float(0.5 * data.variance[marker]))
        for k, other in enumerate(list(groups.values())[:j]):
            builder.free("factor_cov", j, k, float(0.25 * sd[marker] * sd[place[other[0]]]))
    _rest(builder, data)
    return builder.build()


def bifactor(groups: Groups, items: Sequence[str], data: Patterns) -> Structure:
    """One general factor and one specific factor a group, all uncorrelated with variance 1 (Holzinger & Swineford 1937)."""
    builder = Builder(tuple(items), ("general", *groups))
    place = {item: k for k, item in enumerate(items)}
    sd = data.variance**0.5
    for j in range(len(groups) + 1):
        builder.fix("factor_cov", j, j, 1.0)
    for j, own in enumerate(groups.values(), start=1):
        for item in own:
            i = place[item]
            builder.free("loading", i, 0, float(0.6 * sd[i]))
            builder.free("loading", i, j, float(0.3 * sd[i]))
    _rest(builder, data)
    return builder.build()


def repeated(
    groups: Groups, occasions: Sequence[str], level: str, data: Patterns, scalar_free: Sequence[str] = ()
) -> Structure:
    """The same factors at several occasions, or as several raters see them.

    ``configural``: the same pattern; ``metric``: equal loadings; ``scalar``: equal loadings and intercepts, with factor
    means that are free but at the first occasion. Residuals of the same item are correlated over occasions, and all
    factors with each other. The first item of each factor has loading 1.

    Parameters
    ----------
    groups : mapping of factor to its items
    occasions : sequence of str
        The data's columns are all items of the first occasion, then all of the second, ...
    level : {"configural", "metric", "scalar"}
    data : Patterns
    scalar_free : sequence of str
        Items whose intercepts stay free at each occasion (partial invariance).
    """
    names = [item for own in groups.values() for item in own]
    columns = tuple(f"{item} ({o})" for o in occasions for item in names)
    factors = tuple(f"{factor} ({o})" for o in occasions for factor in groups)
    builder = Builder(columns, factors)
    sd = data.variance**0.5
    n_items, n_factors = len(names), len(groups)
    for t in range(len(occasions)):
        for f, (factor, own) in enumerate(groups.items()):
            j, first = t * n_factors + f, t * n_items + names.index(own[0])
            builder.fix("loading", first, j, 1.0)
            for item in own[1:]:
                i = t * n_items + names.index(item)
                shared = "" if level == "configural" else f"loading of {item}"
                builder.free("loading", i, j, float(sd[i] / sd[first]), shared)
            builder.free("factor_cov", j, j, float(0.5 * data.variance[first]), f"variance of {factors[j]}")
            for k in range(j):
                builder.free("factor_cov", j, k, 0.1 * float(data.variance[first]))
            if level == "scalar" and t > 0:
                builder.free("factor_mean", j, 0, 0.0, f"mean of {factor} at {occasions[t]}")
    for i in range(len(columns)):
        item = names[i % n_items]
        shared = f"intercept of {item}" if level == "scalar" and item not in scalar_free else ""
        builder.free("intercept", i, 0, float(data.mean[i]), shared)
        builder.free("residual", i, i, float(0.5 * data.variance[i]))
        for earlier in range(i - n_items, -1, -n_items):
            builder.free("residual", i, earlier, 0.0)
    return builder.build()


def _rest(builder: Builder, data: Patterns) -> None:
    """Free intercepts and residual variances."""
    for i in range(data.p):
        builder.free("intercept", i, 0, float(data.mean[i]))
        builder.free("residual", i, i, float(0.5 * data.variance[i]))
