"""Joint tests of every term of the fixed part, as SAS's type III: they do not depend on how categories are coded.

The hypothesis of a term is that its coefficients are zero when all categories are coded by deviations from their mean
(sum to zero). An effect is then tested on average over the categories of the others it interacts with; numbers that it
interacts with are at zero, so centre them.
"""

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.columns import readable
from alliance_longitudinal.engine.design.design import DesignSpec, matrix_of
from alliance_longitudinal.engine.inference.contrasts import terms_of
from alliance_longitudinal.engine.inference.protocol import FTest
from alliance_longitudinal.errors import FitError

_CODED = re.compile(r"C\(\s*([^,()]+|`[^`]+`)\s*[,)].*")


def joint_tests(spec: DesignSpec, data: pd.DataFrame, test: Callable[[Array], FTest]) -> pd.DataFrame:
    """One row per term but the intercept: ``term, F, df_num, df_den, p``.

    Parameters
    ----------
    data : DataFrame
        Rows of the fit.
    test : callable
        Contrast rows to their joint test, by the fit's method of inference.

    Raises
    ------
    FitError
        Columns were left out of the fixed part: then the tests of a term are not unique.
    """
    if spec.unseen is not None:
        raise FitError(
            "anova() needs a fixed part of which no column was left out: with empty combinations of categories the test of a "
            "term is not unique. Leave out an interaction, or ask f_test()."
        )
    rows = _hypotheses(spec, data)
    found = {term: test(each) for term, each in rows.items()}
    table = [[t, f.statistic, f.df_num, f.df_den, f.p] for t, f in found.items()]
    return pd.DataFrame(table, columns=["term", "F", "df_num", "df_den", "p"])


def _hypotheses(spec: DesignSpec, data: pd.DataFrame) -> dict[str, Array]:
    """Contrast rows of each term: its coefficients under deviation coding, as combinations of those of the fit."""
    places = {term: [spec.names.index(c) for c in columns] for term, columns in terms_of(spec).items()}
    categories = {
        str(f) for f, (kind, _) in spec.fixed.encoder_state.items() if "categorical" in str(kind.value)
    }
    if not categories:
        eye = np.eye(len(spec.names))
        return {term: eye[at] for term, at in places.items() if at and term != "Intercept"}
    here = matrix_of(spec.fixed, data)[list(spec.names)].to_numpy(dtype=float)
    coded, slices = _by_deviations(spec, data, categories)
    change, *_ = np.linalg.lstsq(
        coded, here, rcond=None
    )  # coefficients by deviations = change @ those of the fit
    assert np.allclose(coded @ change, here, atol=1e-8 * np.abs(here).max())  # both codings span one space
    return {  # with orthonormal rows, so that the degrees of freedom do not depend on the basis either
        term: np.linalg.qr(change[at].T)[0].T
        for term, at in slices.items()
        if at and term in places and term != "Intercept"  # a category of one level has no coefficient
    }


def _by_deviations(
    spec: DesignSpec, data: pd.DataFrame, categories: set[str]
) -> tuple[Array, dict[str, list[int]]]:
    """The fixed part's matrix with categories coded by deviations, and the columns of each term."""
    from formulaic import Formula

    def coded(factor: Any) -> str:
        name = str(factor)
        if name not in categories:
            return name
        plain = _CODED.fullmatch(name)
        return f"C({plain.group(1) if plain else name}, contr.sum)"

    terms = list(spec.fixed.term_indices)
    texts = ["1" if str(t) == "1" else ":".join(coded(f) for f in t.factors) for t in terms]
    has_intercept = "1" in texts
    formula = Formula([*([] if has_intercept else ["0"]), *texts])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = readable(data, tuple(map(str, data.columns)))
        matrix: Any = formula.get_model_matrix(rows, na_action="raise")
    made = list(matrix.model_spec.term_indices.values())
    names = ["Intercept" if str(t) == "1" else str(t) for t in terms]
    values = pd.DataFrame(matrix).to_numpy(dtype=float)
    return values, dict(zip(names, map(list, made), strict=True))
