"""Threads of the linear-algebra libraries: one for small matrices, as before afterwards."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import scipy.linalg  # noqa: F401  (its library is loaded with it)
from threadpoolctl import ThreadpoolController, threadpool_limits

import alliance_longitudinal as al
from engine.crossing_designs import crossing_frame
from inside.engine_linalg import FEW_ROWS, one_thread
from inside.engine_statistics import crossing


def now():
    """Threads of each library."""
    return [c.num_threads for c in ThreadpoolController().lib_controllers if c.user_api == "blas"]


@pytest.fixture
def two():
    with threadpool_limits(2, user_api="blas"):
        if set(now()) != {2}:
            pytest.skip("no linear-algebra library whose threads can be set")
        yield


def test_small_matrices_have_one_thread_and_large_ones_all(two):
    with one_thread(FEW_ROWS - 1):
        assert set(now()) == {1}
        with one_thread(FEW_ROWS):
            assert set(now()) == {1}
    assert set(now()) == {2}
    with one_thread(FEW_ROWS):
        assert set(now()) == {2}


def test_the_setting_comes_back_after_an_error(two):
    with pytest.raises(ValueError, match="stop"), one_thread(3):
        raise ValueError("stop")
    assert set(now()) == {2}


def test_other_threads_have_the_main_thread_s_setting_and_do_not_change_it(two):
    def work(_):
        with one_thread(3):
            return set(now())

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, range(4))) == [{2}] * 4
        with one_thread(3):
            assert list(pool.map(work, range(4))) == [{1}] * 4
    assert set(now()) == {2}


def test_a_fit_of_crossed_factors_uses_one_thread(two, monkeypatch):
    seen, plain = [], crossing.eliminate

    def watched(*arguments):
        seen.append(set(now()))
        return plain(*arguments)

    monkeypatch.setattr(crossing, "eliminate", watched)
    al.MixedModel.from_formula("y ~ x + (1 | unit) + (1 | item)", crossing_frame(3), crossed=True).fit()
    assert len(seen) > 3
    assert seen == [{1}] * len(seen)
    assert set(now()) == {2}
