"""Missing scores drawn from a mixed model: at random, and worse (or better) than that for people who left."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Private
from alliance_longitudinal.engine import MixedModel, MixedModelResults
from alliance_longitudinal.engine.resampling.imputation import impute_responses
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import Floats, check_columns, groups, is_number, numbers
from alliance_longitudinal.sentences import say


def impute(
    model: MixedModelResults | MixedModel, frame: pd.DataFrame, m: int = 50, seed: int | None = 0
) -> list[pd.DataFrame]:
    """Fill in missing values of a model's response, several times, as if they were missing at random.

    For each copy, the model's parameters, each person's own course given the observed scores, and the scatter
    around it are drawn anew. Variances are those estimated in data simulated from the fit. Coefficients and
    random effects come from their joint distribution given these variances. Analyse each copy, then pool the
    results with `alliance_longitudinal.pool` (Rubin 1987). The model must contain everything that the analysis
    examines: imputation pulls an interaction that the model lacks towards zero (Grund, Luedtke & Robitzsch
    2018, doi 10.1177/1094428117703686).

    Parameters
    ----------
    model : MixedModelResults or MixedModel
        A linear mixed model with independent residuals; an unfitted model is fitted by REML.
    frame : DataFrame
        Has a row, with its predictors, for each score to fill in; the response is missing there. Not changed.
    m : int
        Number of copies.
    seed : int, optional

    Returns
    -------
    list of DataFrame
        Copies of the frame in which the response is complete.

    Raises
    ------
    DataError
        If nothing is missing, a predictor is missing where a score is to be filled in, or ``m`` is below 2.

    Examples
    --------
    >>> import pandas as pd
    >>> import alliance_longitudinal as al
    >>> data = pd.DataFrame({"client": list("aaabbbcccddd"), "week": [0, 1, 2] * 4})
    >>> data["phq9"] = [18, 15, 11, 14, 13, None, 20, 18, 17, 12, 9, None]
    >>> model = al.MixedModel.from_formula("phq9 ~ week + (1 | client)", data)
    >>> copies = al.methods.impute(model, data, m=5)
    >>> len(copies), int(copies[0]["phq9"].isna().sum())
    (5, 0)
    >>> al.pool([al.MixedModel.from_formula("phq9 ~ week + (1 | client)", copy).fit() for copy in copies]).n_imputations
    5
    """
    result = _fitted(model)
    draws, made = _draws(result, frame, m, seed)
    return _completed(result.spec.response, frame, made, draws)


def delta_adjusted(
    model: MixedModelResults | MixedModel,
    frame: pd.DataFrame,
    person: str,
    time: str,
    left: str,
    delta: float | Mapping[Any, float],
    horizon: float,
    by: str | None = None,
    m: int = 50,
    seed: int | None = 0,
    copies: Sequence[pd.DataFrame] | None = None,
) -> list[pd.DataFrame]:
    """Fill in missing scores as `impute` does, and shift those of people who left by ``delta`` until the horizon.

    A score at time ``t`` after the person's last at ``t_last`` is shifted by
    ``delta (t - t_last) / (horizon - t_last)``, and by ``delta`` at the horizon and later: the course after
    leaving is worse (or better) than that of people with the same scores who stayed. For people who did not
    leave, scores are filled in as missing at random. The delta at which an answer changes is its tipping point
    (Carpenter, Roger & Kenward 2013, doi 10.1080/10543406.2013.834911).

    Parameters
    ----------
    model, frame, m, seed
        As for `impute`. With the same seed the same scores are drawn, so that copies with several deltas can be compared.
    person, time, left : str
        Columns of the person, of the time, and of whether the person left: 0 or 1 (or truth values), the same in all rows of
        a person.
    delta : float or mapping
        Points of the response, of either sign; with ``by``, a mapping from its values to points.
    horizon : float
        Time at which the full ``delta`` is reached.
    by : str, optional
        A column whose values have separate deltas; it is the same in all rows of a person.
    copies : sequence of DataFrame, optional
        What `impute` returned for this frame. These copies are shifted, and nothing is drawn again. With many
        deltas, this is much quicker.

    Returns
    -------
    list of DataFrame

    Raises
    ------
    DataError
        As for `impute`, and if a column is not the same in all rows of a person, or a delta is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> import alliance_longitudinal as al
    >>> data = pd.DataFrame({"client": list("aaabbbcccddd"), "week": [0, 1, 2] * 4, "left": [0] * 3 + [1] * 3 + [0] * 6})
    >>> data["phq9"] = [18, 15, 11, 14, None, None, 20, 18, 17, 12, 9, None]
    >>> model = al.MixedModel.from_formula("phq9 ~ week + (1 | client)", data)
    >>> as_usual = al.methods.impute(model, data, m=2)[0]["phq9"]
    >>> worse = al.methods.delta_adjusted(model, data, "client", "week", "left", 4.0, horizon=2, m=2)[0]["phq9"]
    >>> (worse - as_usual).round(6).tolist()
    [0.0, 0.0, 0.0, 0.0, 2.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    result = _fitted(model)
    check_columns(frame, [person, time, left, *([by] if by else [])])
    response = result.spec.response
    shift = _shift(response, frame, (person, time, left, by), delta, horizon)
    if copies is not None:
        absent = np.isnan(numbers(frame, response))
        draws = np.array([_drawn(copy, frame, response)[absent] for copy in copies])
        return _completed(response, frame, absent, draws + shift[absent])
    draws, made = _draws(result, frame, m, seed)
    return _completed(result.spec.response, frame, made, draws + shift[made])


def _drawn(copy: pd.DataFrame, frame: pd.DataFrame, response: str) -> Floats:
    """The response of a completed copy, if it is one of this frame."""
    if len(copy) != len(frame) or not copy.index.equals(frame.index) or copy[response].isna().any():
        raise DataError(
            "copies are not those that impute gave for this frame. Leave them out, or impute this frame."
        )
    return numbers(copy, response)


def _fitted(model: Any) -> MixedModelResults:
    if isinstance(model, MixedModel):
        return model.fit()
    if not isinstance(model, MixedModelResults):
        raise DataError(
            f"Scores are drawn from a linear mixed model or its results, not from a {type(model).__name__}."
        )
    return model


def _draws(
    result: MixedModelResults, frame: pd.DataFrame, m: int, seed: int | None
) -> "tuple[Floats, np.ndarray]":
    """Values of the rows without a response, shape (m, r), and which rows these are."""
    if isinstance(m, bool) or not is_number(m) or m < 2 or m != int(m):
        raise DataError(f"m is {m!r}; it is the number of completed copies, 2 or more.")
    response = result.spec.response
    check_columns(frame, [response])
    absent = np.isnan(numbers(frame, response))
    if not absent.any():
        raise DataError(f"Column {response!r} has no missing value; there is nothing to fill in.")
    draws, made = impute_responses(result.fit, result.spec, frame, absent, int(m), seed)
    lost = int((absent & ~made).sum())
    if lost:
        raise DataError(
            f"{lost} row{'' if lost == 1 else 's'} without {response!r} {'has' if lost == 1 else 'have'} no value in a "
            "column that the model needs. Fill these columns first, or leave the rows out."
        )
    return draws, made


def _completed(response: str, frame: pd.DataFrame, made: "np.ndarray", draws: Floats) -> list[pd.DataFrame]:
    observed = numbers(frame, response)
    copies = []
    for drawn in draws:
        values = observed.copy()
        values[made] = drawn
        copies.append(frame.assign(**{response: values}))
    return copies


def _shift(
    response: str, frame: pd.DataFrame, columns: tuple[str, str, str, str | None], delta: Any, horizon: Any
) -> Floats:
    """What is added in each row if its response is missing, shape (N,)."""
    person, time, left, by = columns
    if not is_number(horizon) or not np.isfinite(horizon):
        raise DataError(f"horizon is {horizon!r}; it is the time at which all of delta is reached, a number.")
    codes, ids = groups(frame, person)
    at = numbers(frame, time, missing=False)
    gone = numbers(frame, left, missing=False)
    if not np.isin(gone, (0, 1)).all():
        raise DataError(
            f"Column {left!r} holds {gone[~np.isin(gone, (0, 1))][0]:g}. It says whether a person left: 0 or 1."
        )
    same_within(frame[left], codes, ids, person, left)
    size = _deltas(frame, by, delta, codes, ids, person)
    seen = frame[response].notna().to_numpy()
    last = np.full(len(ids), np.inf)
    np.minimum.at(last, codes, at)  # of people without any score: their first row
    observed = np.full(len(ids), -np.inf)
    np.maximum.at(observed, codes[seen], at[seen])
    last = np.where(np.isfinite(observed), observed, last)[codes]
    span = np.where(horizon > last, horizon - last, 1.0)
    part = np.where(horizon > last, np.clip((at - last) / span, 0.0, 1.0), 0.0)
    return np.asarray(gone * size * part)


def _deltas(
    frame: pd.DataFrame, by: str | None, delta: Any, codes: Any, ids: list[Any], person: str
) -> Floats:
    """Delta of each row, shape (N,)."""
    if by is None:
        if not is_number(delta) or not np.isfinite(delta):
            raise DataError(f"delta is {delta!r}; without by it is one number of points.")
        return np.full(len(frame), float(delta))
    if not isinstance(delta, Mapping):
        raise DataError(f"delta is {delta!r}; with by it is a mapping of the values of {by!r} to points.")
    same_within(frame[by], codes, ids, person, by)
    absent = [value for value in frame[by].drop_duplicates() if value not in delta]
    if absent:
        raise DataError(
            f"delta has no points for {absent[0]!r} in column {by!r}. Give each value some, 0 for none."
        )
    odd = [value for value in delta.values() if not is_number(value) or not np.isfinite(value)]
    if odd:
        raise DataError(f"delta holds {odd[0]!r}; it maps the values of {by!r} to numbers of points.")
    sizes = frame[by].map({key: float(value) for key, value in delta.items()})
    return np.asarray(sizes.to_numpy(dtype=float), dtype=np.float64)


def same_within(column: pd.Series, codes: Any, ids: list[Any], person: str, name: str) -> None:
    """Refuse a column that says different things of one person."""
    pairs = pd.DataFrame({"code": codes, "value": column.to_numpy()}).drop_duplicates()
    several = pairs["code"].duplicated()
    if several.any():
        raise DataError(
            say(
                "Column {name} differs between rows of {person} {id}. It says the same in all rows of a {person}.",
                name=repr(name),
                person=person,
                id=Private(str(ids[int(pairs.loc[several, "code"].iloc[0])]), "(not shown)"),
            )
        )
