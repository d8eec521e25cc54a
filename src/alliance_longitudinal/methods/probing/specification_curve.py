"""One question answered under every defensible choice, and all answers judged together."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import (
    Codes,
    Floats,
    check_columns,
    groups,
    is_number,
    names_of,
)
from alliance_longitudinal.methods.probing.curve import (
    ADDED,
    FIGURES,
    SpecificationCurve,
    choices_of,
    curve_of,
)

Run = Callable[[pd.DataFrame, Any], Any]
Permute = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]
Permuted = Callable[[pd.DataFrame, Any], Any]


def specification_curve(
    frame: pd.DataFrame,
    specifications: "Sequence[Any] | pd.DataFrame",
    run: Run,
    permute: Permute | None = None,
    n_perm: int = 500,
    seed: int = 0,
    permuted: Permuted | None = None,
) -> SpecificationCurve:
    """Estimate an effect under every specification, and test all of them together by permutation.

    Simonsohn, Simmons & Nelson (2020, doi 10.1038/s41562-020-0912-z). The same specifications are run on
    permuted data, which have no effect but keep everything that the specifications share. The curve of the data
    is compared with these curves.

    Parameters
    ----------
    frame : DataFrame
        Not changed.
    specifications : sequence or DataFrame
        What ``run`` receives, one after the other. Mappings of choices (or the rows of a frame) become columns
        of the table; anything else becomes the column ``specification``.
    run : callable
        ``run(frame, specification)`` returns ``estimate, se, df, n``: a tuple in this order, a mapping, or an object with these
        names. Where a specification cannot be estimated, its estimate is NaN.
    permute : callable, optional
        ``permute(frame, rng)`` returns a frame without the effect; `permuter` makes one. Without it there is no joint test.
    n_perm : int
        Number of permutations.
    seed : int
    permuted : callable, optional
        Instead of ``permute``, if all permutations of a specification can be computed at once, which is much
        quicker. ``permuted(frame, specification)`` returns the four numbers of ``run`` for each permutation,
        shape (permutations, 4), or None if the specification cannot be estimated. The same row must belong to
        the same permutation for every specification. `shuffles` makes such permutations; `permuted_slopes` and
        `held_slopes` compute such numbers.

    Returns
    -------
    SpecificationCurve

    Raises
    ------
    DataError
        If there is no specification, ``run`` or ``permuted`` does not return the required numbers, no
        specification can be estimated, or ``n_perm`` is not a valid number of permutations.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> rng = np.random.default_rng(1)
    >>> data = pd.DataFrame({"a": rng.normal(size=60), "g": np.repeat(range(6), 10)})
    >>> data["y"] = -0.5 * data["a"] + rng.normal(size=60)
    >>> def run(rows, choice):
    ...     rows = rows[rows["a"].abs() < choice["within"]]
    ...     return methods.clustered_slope(rows["y"], np.column_stack([np.ones(len(rows)), rows["a"]]), rows["g"])
    >>> choices = [{"within": limit} for limit in (1.5, 2.0, 9.0)]
    >>> curve = methods.specification_curve(data, choices, run, methods.permuter("a", within="g"), n_perm=99)
    >>> curve.n_significant, curve.p_median
    (3, 0.02)
    """
    given = _specifications(specifications)
    if isinstance(n_perm, bool) or not is_number(n_perm) or n_perm < 1 or n_perm != int(n_perm):
        raise DataError(f"n_perm is {n_perm!r}; it is the number of permutations, 1 or more.")
    if permute is not None and permuted is not None:
        raise DataError("Give permute or permuted, not both.")
    cells = np.array([_figures(run(frame, one), one) for one in given])
    draws = np.empty((0, len(given), 4))
    if permute is not None:
        rng = np.random.default_rng(seed)
        rows = (permute(frame, rng) for _ in range(int(n_perm)))
        draws = np.array([[_figures(run(moved, one), one) for one in given] for moved in rows])
    elif permuted is not None:
        draws = np.stack([_all_figures(permuted(frame, one), one, int(n_perm)) for one in given], axis=1)
    return curve_of(choices_of(given), cells, draws)


def permuter(columns: str | Sequence[str], within: str | None = None) -> Permute:
    """Make a function for `specification_curve` that shuffles columns together across rows, within groups if these are given.

    The columns of a row stay together, so that all specifications see the same person's history. What the
    columns share with the groups is kept.

    Parameters
    ----------
    columns : str or sequence of str
    within : str, optional
        Column of the groups.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> rows = pd.DataFrame({"early": [1, 2, 3, 4], "late": [1, 2, 3, 4], "therapist": list("aabb")})
    >>> methods.permuter(["early", "late"], within="therapist")(rows, np.random.default_rng(2))["early"].tolist()
    [1, 2, 4, 3]
    """
    names = names_of(columns)

    def permute(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        check_columns(frame, names if within is None else (*names, within))
        codes = np.zeros(len(frame), dtype=np.int64) if within is None else _codes(frame, within)
        places = np.argsort(codes, kind="stable")
        source = np.empty(len(frame), dtype=np.int64)
        source[places] = np.lexsort((rng.random(len(frame)), codes))
        return frame.assign(**{name: frame[name].array[source] for name in names})

    return permute


def _codes(frame: pd.DataFrame, within: str) -> Codes:
    """Codes of the groups: quickly, since it is done for each permutation; ids that need care are read with it."""
    codes = pd.factorize(frame[within])[0]
    return groups(frame, within)[0] if (codes < 0).any() else codes.astype(np.int64)


def _specifications(given: Any) -> list[Any]:
    found = given.to_dict("records") if isinstance(given, pd.DataFrame) else list(given)
    if not found:
        raise DataError("There is no specification. Give at least one.")
    taken = sorted({str(k) for one in found if isinstance(one, Mapping) for k in one if k in ADDED})
    if taken:
        raise DataError(f"A choice is called {taken[0]!r}, which is a column of the table. Rename it.")
    return found


def _all_figures(cells: Any, specification: Any, n_perm: int) -> Floats:
    """The figures of one specification in all permutations, shape (n_perm, 4); missing where there are none."""
    if cells is None:
        return np.full((n_perm, 4), np.nan)
    found = np.asarray(cells, dtype=float)
    if found.shape != (n_perm, 4):
        raise DataError(
            f"permuted has to return estimate, se, df and n of each of {n_perm} permutations; for {specification!r} it "
            f"returned the shape {found.shape}."
        )
    return found


def _figures(cell: Any, specification: Any) -> Floats:
    """The four numbers of one specification, shape (4,)."""
    if isinstance(cell, Mapping):
        found = [cell.get(name) for name in FIGURES]
    elif all(hasattr(cell, name) for name in FIGURES):
        found = [getattr(cell, name) for name in FIGURES]
    else:
        found = list(cell) if isinstance(cell, tuple | list | np.ndarray) else []
    if len(found) != 4 or not all(is_number(value) for value in found):
        raise DataError(
            f"run has to return estimate, se, df and n; for {specification!r} it returned {cell!r}."
        )
    return np.asarray(found, dtype=float)
