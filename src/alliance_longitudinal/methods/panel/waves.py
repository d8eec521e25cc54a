"""Long frames as waves: one row per person, one column per measure and occasion."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliance_longitudinal.counts import Count, Number
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.frames import (
    Codes,
    Floats,
    check_columns,
    check_once,
    groups,
    names_of,
    numbers,
)
from alliance_longitudinal.sentences import say


@dataclass(frozen=True, slots=True)
class Waves:
    """A panel in wide form.

    Attributes
    ----------
    values : float array, shape (n, T, k)
        Persons by occasions by measures, NaN where a value is missing. Persons without any value are left out.
    columns : tuple of str
        The k measures.
    occasions : float array, shape (T,)
        In order; each has at least one value.
    persons : int array, shape (n,)
        Place of each person in ``ids``.
    ids : list
        Every person of the frame, in order of appearance.
    """

    values: Floats
    columns: tuple[str, ...]
    occasions: Floats
    persons: NDArray[np.int64]
    ids: list[object]

    @property
    def flat(self) -> Floats:
        """Shape (n, T k): all measures of the first occasion, then of the second, ..."""
        return self.values.reshape(len(self.values), -1)


def waves(frame: pd.DataFrame, columns: Sequence[str], person: str, occasion: str) -> Waves:
    """Bring a long frame into wide form.

    Raises
    ------
    DataError
        If a column does not exist or is not numeric, an id or an occasion is missing, or a person has an occasion twice.
    """
    names = names_of(columns, "the measures")
    check_columns(frame, (*names, person, occasion))
    codes, ids = groups(frame, person)
    order = numbers(frame, occasion, missing=False)
    check_once(codes, order, ids, person, occasion)
    long = np.column_stack([numbers(frame, name) for name in names])
    some = ~np.isnan(long).all(axis=1)
    if not some.any():
        raise DataError(f"{' and '.join(repr(n) for n in names)} have no value in any row.")
    kept, at = np.unique(codes[some], return_inverse=True)
    times, place = np.unique(order[some], return_inverse=True)
    values = np.full((len(kept), len(times), len(names)), np.nan)
    values[at, place] = long[some]
    return Waves(values, names, times, kept, ids)


def constants(
    frame: pd.DataFrame,
    panel: Waves,
    person: str,
    names: Sequence[str],
    advice: str = "Give it as exogenous or predetermined.",
) -> Floats:
    """The constant columns of each person of the panel, shape (n, len(names)), NaN where a person has no value.

    Raises
    ------
    DataError
        If one of them has several values for a person.
    """
    check_columns(frame, names)
    codes, _ = groups(frame, person)
    out = np.full((len(panel.persons), len(names)), np.nan)
    for k, name in enumerate(names):
        values = pd.Series(numbers(frame, name)).groupby(codes).agg(["min", "max"])
        if (values["max"] - values["min"] > 1e-12).any():
            raise DataError(f"Column {name!r} changes within a person, so it is not constant. {advice}")
        out[:, k] = values["min"].reindex(panel.persons).to_numpy()
    return out


def check_constants(values: Floats, names: Sequence[str]) -> None:
    """Refuse constant columns that are the same for everybody, or that determine one another.

    Raises
    ------
    DataError
        Naming them.
    """
    for k, name in enumerate(names):
        known = values[~np.isnan(values[:, k]), k]
        if len(known) < 2 or float(np.ptp(known)) == 0:
            raise DataError(
                f"Column {name!r} has the same value for everybody, so it explains nothing. Leave it out."
            )
    whole = values[~np.isnan(values).any(axis=1)]
    scaled = (whole - whole.mean(axis=0)) / np.maximum(whole.std(axis=0), 1e-300) if len(whole) else whole
    if len(whole) <= len(names) or np.linalg.matrix_rank(scaled, tol=1e-8 * len(whole)) < len(names):
        raise DataError(
            f"The columns {', '.join(map(repr, names))} determine one another in these persons. Leave out one of them."
        )


def check_variation(panel: Waves) -> None:
    """Refuse a measure that does not vary within persons, or not at an occasion.

    Raises
    ------
    DataError
        Naming the measure and the occasion.
    """
    for k, name in enumerate(panel.columns):
        own = panel.values[:, :, k]
        several = own[(~np.isnan(own)).sum(axis=1) >= 2]
        if not len(several) or float(np.nanmax(np.nanstd(several, axis=1))) < 1e-12:
            raise DataError(
                f"{name!r} does not change within any person, so nothing can come before or after its changes. It may be a "
                "property of the person: such a column belongs to another model."
            )
        for t, occasion in enumerate(panel.occasions):
            known = own[~np.isnan(own[:, t]), t]
            if len(known) < 2 or float(np.ptp(known)) == 0:
                raise DataError(
                    say(
                        "{name} has {what} at occasion {occasion}. Leave that occasion out.",
                        name=repr(name),
                        what="fewer than two values" if len(known) < 2 else "the same value for everybody",
                        occasion=f"{occasion:g}",
                    )
                )


def spacing(panel: Waves, lags: str) -> list[Finding]:
    """A caution where the occasions do not follow one another in equal steps."""
    steps = np.diff(panel.occasions)
    if len(steps) < 2 or float(np.ptp(steps)) < 1e-9 * float(steps.max()):
        return []
    return [
        Finding(
            "uneven_occasions",
            "caution",
            say(
                "The occasions are between {low} and {high} apart, but {lags} are taken as equal. Choose occasions with equal steps.",
                low=Number(float(steps.min()), "number"),
                high=Number(float(steps.max()), "number"),
                lags=lags,
            ),
        )
    ]


def left_out(panel: Waves) -> list[Finding]:
    """How many persons of the frame have no value at all."""
    absent = len(panel.ids) - len(panel.values)
    if not absent:
        return []
    n = Count(absent, "person")
    return [Finding("without_values", "info", say("{n:noun} without any value {n:is|are} left out.", n=n))]


def clusters(frame: pd.DataFrame, panel: Waves, person: str, cluster: str) -> Codes:
    """Code of each person's cluster, shape (n,).

    Raises
    ------
    DataError
        If a person is in several clusters, or all persons are in one.
    """
    check_columns(frame, (cluster,))
    codes, _ = groups(frame, person)
    of_row, names = groups(frame, cluster)
    pairs = pd.DataFrame({"person": codes, "cluster": of_row}).drop_duplicates()
    if pairs["person"].duplicated().any():
        raise DataError(f"Some {person} ids have several values of {cluster!r}. Each needs exactly one.")
    own = pairs.set_index("person")["cluster"].reindex(panel.persons).to_numpy()
    found = np.unique(own, return_inverse=True)[1].astype(np.int64)
    if found.max() < 1:
        raise DataError(
            f"All persons have the same {cluster!r} ({names[0]}). Errors by cluster need several."
        )
    return found
