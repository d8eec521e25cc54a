"""The compiled loops and the top level against the same equations on NumPy: values, gradients, Hessians."""

import numpy as np
import pytest

from inside.engine_linalg import compiled, kernels, threads, top_level


def directions(*sizes):
    """Entries of block-diagonal symmetric matrices."""
    out, at, total = [], 0, sum(sizes)
    for size in sizes:
        for i, j in zip(*np.tril_indices(size), strict=True):
            entry = np.zeros((total, total))
            entry[at + i, at + j] = entry[at + j, at + i] = 1.0
            out.append(entry)
        at += size
    return np.stack(out)


def level(groups, parents, sizes, k, rank=None, seed=0):
    """Cross-products of random groups, a covariance (of low rank if wanted), and their pieces."""
    rng = np.random.default_rng(seed)
    q = sum(sizes)
    rows = rng.normal(size=(groups, 4, k))
    s = np.einsum("jra,jrb->jab", rows, rows)
    c = np.linalg.qr(rng.normal(size=(k, q)))[0]
    starts = np.sort(np.append([0, groups], rng.choice(np.arange(1, groups), parents - 1, replace=False)))
    root = rng.normal(size=(q, q if rank is None else rank))
    w = c.T @ s
    return w, w @ c, np.add.reduceat(s, starts[:-1]), starts, root @ root.T, directions(*sizes), s, c


def assert_same(ours, reference):
    for a, b in zip(ours, reference, strict=True):
        assert np.shape(a) == np.shape(b)
        # Sums in another order: rounding, relative to the largest entry.
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12 * np.max(np.abs(b), initial=1.0))


CASES = [
    ((1,), 4, None),
    ((2,), 5, None),
    ((2,), 5, 1),
    ((2,), 5, 0),
    ((1, 1), 5, None),
    ((3,), 6, 2),
    ((2, 2), 7, None),
]


@pytest.mark.parametrize(("sizes", "k", "rank"), CASES)
@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("parents", [1, 9])
def test_innermost_groups(sizes, k, rank, order, parents):
    *arguments, _, _ = level(150, parents, sizes, k, rank)
    ours = kernels.leaf_level(*arguments, order, compiled=True)
    assert_same(ours, kernels.leaf_level(*arguments, order, compiled=False))


@pytest.mark.parametrize(("sizes", "k", "rank"), CASES)
@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("lower", [0, 1, 3])
def test_upper_groups(sizes, k, rank, order, lower):
    *_, d, e, s, c = level(70, 2, sizes, k, rank)
    rng = np.random.default_rng(1)
    ds = rng.normal(size=(70, lower, k, k))
    dds = rng.normal(size=(70, lower * (lower + 1) // 2, k, k))
    ds, dds = (x + x.swapaxes(-1, -2) for x in (ds, dds))
    ours = kernels.upper_level(s, ds, dds, c, d, e, order, compiled=True)
    assert_same(ours, kernels.upper_level(s, ds, dds, c, d, e, order, compiled=False))


@pytest.mark.parametrize(("sizes", "k", "rank"), CASES)
@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize(("groups", "lower"), [(1, 1), (30, 0), (30, 1), (30, 3)])
def test_the_top_level_is_the_sum_over_its_groups(sizes, k, rank, order, groups, lower):
    *_, d, e, s, c = level(groups, 1, sizes, k, rank)
    rng = np.random.default_rng(1)
    ds = rng.normal(size=(groups, lower, k, k))
    dds = rng.normal(size=(groups, lower * (lower + 1) // 2, k, k))
    ds, dds = (x + x.swapaxes(-1, -2) for x in (ds, dds))
    each = kernels.upper_level(s, ds, dds, c, d, e, order, compiled=False)
    sums = (x.sum(axis=0, keepdims=True) for x in each[3:])
    assert_same(top_level(s, ds, dds, c, d, e, order), (*each[:3], *sums))


def test_many_groups_under_one_parent_are_cut_into_pieces():
    *arguments, _, _ = level(2 * compiled.PIECE + 17, 1, (2,), 3)
    assert_same(kernels.leaf_level(*arguments, 2), kernels.leaf_level(*arguments, 2, compiled=False))


def test_each_parent_gets_the_pieces_of_its_own_groups():
    """A parent of few groups, one of more than a piece, one of exactly a piece, and one of more than two."""
    ends = np.cumsum([0, 11, compiled.PIECE + 5, compiled.PIECE, 2 * compiled.PIECE + 3])
    *arguments, s, _ = level(int(ends[-1]), 1, (1,), 3)
    arguments[2:4] = np.add.reduceat(s, ends[:-1]), ends
    assert_same(kernels.leaf_level(*arguments, 2), kernels.leaf_level(*arguments, 2, compiled=False))


def test_the_number_of_threads_does_not_change_a_bit(monkeypatch):
    *arguments, _, _ = level(3 * compiled.PIECE, 40, (2,), 4)
    results = []
    for count in (1, 2, 5):
        monkeypatch.setattr(threads, "threads", lambda count=count: count)
        results.append(kernels.leaf_level(*arguments, 2))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("limit", "most"), [("1", 1), ("2", 2), ("", 1000), ("all", 1000)])
def test_threads_heed_the_usual_limit(monkeypatch, limit, most):
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert 1 <= threads.threads() <= most


@pytest.mark.parametrize("count", [1, 2, 5])
def test_results_of_several_at_a_time_come_in_order(monkeypatch, count):
    monkeypatch.setattr(threads, "threads", lambda: count)
    taken = []

    def items():
        for i in range(40):
            taken.append(i)
            yield i

    made = threads.in_order(lambda i: i * i, items(), several=True)
    assert next(made) == 0
    assert len(taken) <= 2 * count + 1  # only a few ahead, so that samples do not fill the memory
    assert list(made) == [i * i for i in range(1, 40)]


def test_trouble_of_one_of_several_is_told(monkeypatch):
    monkeypatch.setattr(threads, "threads", lambda: 2)
    with pytest.raises(ZeroDivisionError):
        list(threads.in_order(lambda i: 1 / (i - 7), range(20), several=True))


def test_without_a_folder_for_machine_code_the_numbers_are_the_same(monkeypatch):
    import numba

    def refuse(*_, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return plain(**options)

    plain = numba.njit
    monkeypatch.setattr(compiled.numba, "njit", refuse)
    doubled = compiled.jit(lambda x: 2.0 * x)
    assert doubled(4.0) == 8.0
