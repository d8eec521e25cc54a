"""Coding of groups and columns of plain numbers: quick ways that give what pandas and formulaic give."""

import subprocess
import sys
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from formulaic import Formula
from formulaic.transforms import TRANSFORMS

from inside.engine_design import design, groups, plain

TOP = np.iinfo(np.int64).max
IDS = {
    "close": [3, 1, 2, 3, 7, 1],
    "negative": [-5, 0, -5, 4, 3, 3],
    "sparse": [10**12, 5, 10**12, -(10**15), 5, 6],
    "at the upper end": [TOP, TOP - 1, TOP - 3, TOP, TOP - 1, TOP - 2],
    "at the lower end": [-TOP - 1, -TOP, -TOP - 1, -TOP + 2, -TOP, -TOP],
    "at both ends": [-TOP - 1, TOP, 0, TOP, -TOP - 1, 1],
}


@pytest.mark.parametrize("name", IDS)
def test_whole_numbers_are_coded_as_pandas_does(name):
    assert_coded_as_pandas_does(pd.Series(IDS[name], name="id"))


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8", "uint16", "int32", "uint32", "uint64"])
def test_every_width_of_whole_numbers(dtype):
    info = np.iinfo(dtype)
    assert_coded_as_pandas_does(
        pd.Series([info.max, info.min, info.max - 1, info.min, 3, 4], dtype=dtype, name="id")
    )
    assert_coded_as_pandas_does(
        pd.Series([info.max, info.max - 2, info.max - 1, info.max], dtype=dtype, name="id")
    )


@pytest.mark.parametrize("ordered", [False, True])
def test_categories_are_coded_as_pandas_does(ordered):
    kind = pd.CategoricalDtype(["z", "unused", "b", "a"], ordered=ordered)
    assert_coded_as_pandas_does(pd.Series(["a", "z", "a", "b"], dtype=kind, name="id"))


@pytest.mark.parametrize(
    "dtype", ["object", "str", "string[pyarrow]", "Int64", "float64", "bool", "datetime64[ns]"]
)
def test_other_labels_are_coded_as_pandas_does(dtype):
    text = ["2", "1", "2", "3"]
    labels = text if dtype in ("object", "str", "string[pyarrow]") else [2, 1, 2, 3]
    assert_coded_as_pandas_does(pd.Series(labels, dtype=dtype, name="id"))


def assert_coded_as_pandas_does(column):
    codes, levels = groups.code_column(column)
    expected, labels = pd.factorize(column, sort=True)
    np.testing.assert_array_equal(codes, expected)
    pd.testing.assert_index_equal(levels, pd.Index(labels, name="id"))


@pytest.mark.parametrize("low", [0, 10**14])
def test_combinations_that_occur_are_sorted_and_labelled(low):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": low + rng.integers(0, 40, 300) ** 2, "b": rng.choice(list("xyz"), 300)})
    made = groups.factor(frame, ("a", "b"))
    pairs = sorted(set(zip(frame["a"], frame["b"], strict=True)))
    assert list(made.levels) == pairs
    assert [made.levels[c] for c in made.codes] == list(zip(frame["a"], frame["b"], strict=True))


def test_what_holds_what_is_remembered_for_these_codes_only(monkeypatch):
    monkeypatch.setattr(groups, "MANY_ROWS", 1)
    fine, coarse = np.array([0, 1, 2, 2]), np.array([0, 0, 1, 1])
    first = groups.parents(fine, coarse, 3)
    assert groups.parents(fine, coarse, 3) is first
    assert groups.parents(fine, np.array([0, 1, 1, 0]), 3) is None
    for seed in range(40):
        other = np.random.default_rng(seed).permutation(4)
        np.testing.assert_array_equal(groups.parents(other, other, 4), np.arange(4))


@pytest.mark.parametrize(
    "text",
    [
        "week * a",
        "1",
        "0 + week",
        "a:week - 1",
        "(week + a + n) ** 2",
        "`my x` + n",
        "week + g",
        "center(a)",
        "n:g",
    ],
)
def test_matrices_are_those_of_formulaic(text):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"week": rng.integers(0, 9, 30), "a": rng.normal(size=30), "n": rng.integers(0, 9, 30).astype("int8")}
    ).assign(g=list("xyz") * 10, **{"my x": rng.normal(size=30)})
    expected = Formula(text).get_model_matrix(frame)
    names, values, spec = design.model_matrix(text, frame, tuple(frame.columns))
    assert list(names) == list(expected.columns)
    np.testing.assert_array_equal(values, np.asarray(expected, dtype=float))
    pd.testing.assert_frame_equal(pd.DataFrame(spec.get_model_matrix(frame)), pd.DataFrame(expected))
    simple = plain.recipe_of(text, frame)
    assert (simple is None) == (text in ("week + g", "center(a)", "n:g"))


def test_plain_sums_are_read_as_formulaic_reads_them():
    pieces = ["a", "b", "a:b", "b:a", "a*b", "b * c", "_d1", "1", "c:a", "a*a"]
    texts = [
        f"{start}{' + '.join(some)}" for start in ("", "0 + ", "1 + ") for some in permutations(pieces, 2)
    ]
    read = [text for text in texts if plain.read_sum(text) is not None]
    assert len(read) > 100
    for text in read:
        expected = Formula(text)
        products = [() if str(term) == "1" else tuple(map(str, term.factors)) for term in expected]
        assert list(plain.read_sum(text)) == products, text
        assert plain.required_of(text) == set(map(str, expected.required_variables)), text


@pytest.mark.parametrize(
    "text", ["a - 1", "log(a)", "a*b*c", "a:a", "a in b", "in", "scale + a", "`a`", "2 * a", "a +", ""]
)
def test_formulas_that_are_no_plain_sums_are_left_to_formulaic(text):
    assert plain.read_sum(text) is None


def test_function_names_are_those_of_formulaic():
    assert set(TRANSFORMS) == plain.FUNCTIONS


def test_a_small_fit_of_numbers_does_not_load_formulaic():
    code = (
        "import sys, pandas as pd; from alliance_longitudinal import MixedModel\n"
        "data = pd.DataFrame({'y': [3.0, 5, 4, 8, 6, 7], 'x': [1, 2, 1, 2, 1, 3], 'g': list('aabbcc')})\n"
        "made = MixedModel.from_formula('y ~ x + (1 | g)', data).fit(require_certificate=False)\n"
        "print([name for name in ('formulaic', 'numba', 'statsmodels', 'scipy.stats', 'dask') if name in sys.modules])\n"
        "print(made.predict(data).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "(6,)"], done.stdout


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_products_are_found(value):
    frame = pd.DataFrame({"y": [1.0, 2, 3], "a": [1.0, value, -value], "g": list("abc")})
    with pytest.raises(
        design.FitError, match=r"'a' has 2 values that are not finite; the first is -?inf in row 1"
    ):
        design.learn("y ~ a + (1 | g)", frame)


def test_finite_values_whose_sum_is_not_are_finite():
    frame = pd.DataFrame({"y": [1e308, 1e308, 1e308, -1e308], "g": list("abca")})
    assert design.learn("y ~ 1 + (1 | g)", frame)[1].y.max() == 1e308
