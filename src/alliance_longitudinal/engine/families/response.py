"""A response made fit for its family, or refused with the reason."""

from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np
import pandas as pd
from scipy import special

from alliance_longitudinal.engine.arrays import Array, Mask
from alliance_longitudinal.engine.design.design import Design, DesignSpec, learn
from alliance_longitudinal.engine.design.formula import parse
from alliance_longitudinal.engine.families.distributions import (
    Cloglog,
    Family,
    Logit,
    NegativeBinomial,
    Ordinal,
    Poisson,
)
from alliance_longitudinal.engine.linalg.matrices import independent_columns
from alliance_longitudinal.errors import FitError, FormulaError

#: Links of each family, the default first.
LINKS: dict[str, tuple[str, ...]] = {
    "binomial": ("logit", "cloglog"),
    "poisson": ("log",),
    "negative-binomial": ("log",),
    "ordinal": ("logit",),
}
_WHOLE = 1e-6


@dataclass(frozen=True, slots=True, repr=False)
class Response:
    """The response in the family's own terms.

    Attributes
    ----------
    family : Family
    y : ndarray, shape (n,)
        Successes, counts, or positions of categories.
    size : ndarray, shape (n,)
        Trials; ones for other families.
    categories : tuple
        Labels of an ordered response, lowest first; else empty.
    constant : float
        What -2 log-likelihood has beside what depends on parameters.
    unused : tuple
        Declared categories of an ordered response that no row has; they get no threshold.
    """

    family: Family
    y: Array
    size: Array
    categories: tuple[object, ...]
    constant: float
    unused: tuple[object, ...] = ()


def read(
    formula: str, data: pd.DataFrame, family: str, link: str | None, weights: str | None, offset: str | None
) -> tuple[DesignSpec, Design, Response]:
    """Design and response of a generalised model.

    Raises
    ------
    FormulaError, FitError
        As the linear model's; or the response does not fit the family.
    """
    link = choose_link(family, link)
    if weights is not None and family != "binomial":
        raise FitError(
            f"weights={weights!r} are numbers of trials and belong to family='binomial'. For unequal exposure give "
            "offset='...' with its logarithm."
        )
    name = parse(formula).response
    if family != "ordinal":
        spec, design = learn(formula, data, weights, offset)
        response = (
            _binomial(design, name, link, weights) if family == "binomial" else _counts(design, name, family)
        )
        return spec, design, response
    coded, categories = _coded(data, name)
    spec, design = learn(formula, coded, weights, offset)
    return *_without_intercept(spec, design), _ordinal(design, name, categories)


def choose_link(family: str, link: str | None) -> str:
    """The link, or the family's default.

    Raises
    ------
    FitError
        Unknown family or link.
    """
    if family == "gaussian":
        raise FitError(
            f"link={link!r} is not available for family='gaussian', which has the identity link. Leave it out."
        )
    if family not in LINKS:
        near = get_close_matches(str(family), LINKS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise FitError(
            f"family={family!r} is not available; there is 'gaussian', {_list(tuple(LINKS))}.{hint}"
        )
    if link is None:
        return LINKS[family][0]
    if link not in LINKS[family]:
        raise FitError(
            f"link={link!r} is not available for family={family!r}; there is {_list(LINKS[family])}."
        )
    return link


def _list(names: tuple[str, ...]) -> str:
    *most, last = map(repr, names)
    return f"{', '.join(most)} and {last}" if most else last


def _binomial(design: Design, name: str, link: str, weights: str | None) -> Response:
    y = design.y
    family = Logit() if link == "logit" else Cloglog()
    if weights is None:
        _refuse(
            design,
            (y != 0) & (y != 1),
            f"A binomial response must be 0 or 1; {name!r}",
            "Code it as 0 and 1, or give proportions and weights='...' with the number of trials.",
        )
        size = np.ones(len(y))
    else:
        size = np.asarray(design.weights)
        _refuse_trials(design, size, weights)
        outside = (y < 0) | (y > 1) | (np.abs(y * size - np.round(y * size)) > _WHOLE * np.maximum(size, 1))
        _refuse(
            design,
            outside,
            f"With weights={weights!r} the response is the share of successes; {name!r} times the number of trials",
            "Divide the number of successes by the number of trials.",
            "is not a whole number between 0 and the trials",
        )
    successes = np.round(y * size)
    if successes.sum() in (0, size.sum()):
        raise FitError(
            f"The response {name!r} is {int(successes.sum() > 0)} in every row, so there is nothing "
            "to model. Check its coding."
        )
    choose = (
        special.gammaln(size + 1) - special.gammaln(successes + 1) - special.gammaln(size - successes + 1)
    )
    return Response(family, successes, size, (), float(-2 * choose.sum()))


def _refuse_trials(design: Design, size: Array, weights: str) -> None:
    bad = np.flatnonzero(size != np.round(size))
    if len(bad):
        raise FitError(
            f"The number of trials in {weights!r} must be whole; {len(bad)} are not, the first in row "
            f"{design.index[bad[0]]} ({size[bad[0]]:g})."
        )


def _counts(design: Design, name: str, family: str) -> Response:
    y = design.y
    _refuse(
        design,
        (y < 0) | (y != np.round(y)),
        f"Counts must be whole numbers from 0; {name!r}",
        "For a rate, model the count with offset='...' of its log exposure.",
    )
    if not y.any():
        raise FitError(
            f"The counts {name!r} are 0 in every row; there is nothing to model. Check the column."
        )
    of = Poisson() if family == "poisson" else NegativeBinomial()
    return Response(of, y, np.ones(len(y)), (), float(2 * special.gammaln(y + 1).sum()))


def _refuse(design: Design, bad: Mask, what: str, remedy: str, verb: str = "is not") -> None:
    rows = np.flatnonzero(bad)
    if len(rows):
        where = f"{len(rows)} row{'s' if len(rows) > 1 else ''}, first in row {design.index[rows[0]]}"
        raise FitError(f"{what} {verb} in {where} ({design.y[rows[0]]:g}). {remedy}")


def _coded(data: pd.DataFrame, name: str) -> tuple[pd.DataFrame, tuple[object, ...]]:
    """The data with an ordered response as positions of its categories; those without a row are left out."""
    if (
        not isinstance(data, pd.DataFrame)
        or name not in data.columns
        or data.columns.tolist().count(name) > 1
    ):
        return data, ()  # the reading of the formula says what is wrong
    column = data[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        if not column.cat.ordered:
            raise FormulaError(
                f"The categories of {name!r} have no order ({', '.join(map(str, column.cat.categories))}). Make it an ordered "
                "categorical, or whole numbers."
            )
        codes = column.cat.codes.astype(float)
        return data.assign(**{name: codes.where(codes >= 0)}), tuple(column.cat.categories)
    return data, ()


def _ordinal(design: Design, name: str, categories: tuple[object, ...]) -> Response:
    if not categories:
        _refuse(
            design,
            design.y != np.round(design.y),
            f"An ordered response must be an ordered categorical or whole numbers; {name!r}",
            "Round it, or use a linear model.",
        )
    values, y = np.unique(design.y, return_inverse=True)
    if len(values) < 3:
        raise FitError(
            f"The ordered response {name!r} has {len(values)} categor{'y' if len(values) == 1 else 'ies'} in the data; it "
            "needs at least 3. For two, use family='binomial'."
        )
    labels = tuple(categories[int(v)] if categories else int(v) for v in values)
    unused = tuple(label for label in categories if label not in labels)
    return Response(Ordinal(len(values) - 1), y.astype(float), np.ones(len(y)), labels, 0.0, unused)


def _without_intercept(spec: DesignSpec, design: Design) -> tuple[DesignSpec, Design]:
    """Leave the intercept to the thresholds: drop what they can stand for."""
    n, p = design.x.shape
    kept = [j - 1 for j in independent_columns(np.column_stack([np.ones(n), design.x])) if j > 0]
    names = tuple(design.names[j] for j in kept)
    lost = tuple(design.names[j] for j in range(p) if j not in kept and np.ptp(design.x[:, j]) > 0)
    return replace(spec, names=names), replace(
        design, x=design.x[:, kept], names=names, dropped=design.dropped + lost
    )
