import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist import threads
from shortlist.models.strata import MOST_PARTS, parts_for, stratify


def pairs(seed=0, n=5000, n_rows=300, n_columns=200):
    """Pairs as they come in a CSR, with columns of very unequal popularity."""
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.integers(n_rows, size=n)).astype(np.int32)
    return rows, (n_columns * rng.random(n) ** 3).astype(np.int32), n_rows, n_columns


def blocks_of(strata):
    return [(b, strata.order[strata.ptr[b] : strata.ptr[b + 1]]) for b in range(strata.n_parts**2)]


@given(st.integers(0, 60), st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_every_pair_lies_once_in_the_block_of_its_parts(n, n_parts, n_rows, n_columns, seed):
    rng = np.random.default_rng(seed)
    rows, columns = (rng.integers(size, size=n).astype(np.int32) for size in (n_rows, n_columns))
    strata = stratify(rows, columns, n_rows, n_columns, rng, n_parts=n_parts)
    assert sorted(strata.order.tolist()) == list(range(n))
    assert strata.row_part.max() < n_parts
    for block, held in blocks_of(strata):
        assert (strata.row_part[rows[held]] == block // n_parts).all()
        assert (strata.column_part[columns[held]] == block % n_parts).all()


def test_parts_have_about_equally_many_pairs():
    rows, columns, *shape = pairs(n=50_000)
    strata = stratify(rows, columns, *shape, np.random.default_rng(0), n_parts=8)
    of_rows = np.bincount(strata.row_part[rows], minlength=8)
    of_columns = np.bincount(strata.column_part[columns], minlength=8)
    assert np.abs(of_rows - 6250).max() <= np.bincount(rows).max()
    assert np.abs(of_columns - 6250).max() <= np.bincount(columns).max()


def test_blocks_of_a_diagonal_share_no_row_and_no_column_and_diagonals_do_not_overlap():
    rows, columns, *shape = pairs()
    strata = stratify(rows, columns, *shape, np.random.default_rng(1), n_parts=4)
    busy, clashes, visited, guard = [], [], [], threading.Lock()

    def step(start, stop, block):
        held = strata.order[start:stop]
        mine = (set(rows[held].tolist()), set(columns[held].tolist()), block)
        with guard:
            clashes.extend(b for b in busy if b[0] & mine[0] or b[1] & mine[1])
            busy.append(mine)
        threading.Event().wait(0.002)
        with guard:
            busy.remove(mine)
            visited.append(block)

    before = threads.num_threads()
    try:
        threads.set_num_threads(4)
        strata.sweep(step, np.random.default_rng(0))
    finally:
        threads.set_num_threads(before)
    assert not clashes
    assert sorted(visited) == list(range(16))
    diagonals = [(b % 4 - b // 4) % 4 for b in visited]
    assert all(len(set(diagonals[n : n + 4])) == 1 for n in range(0, 16, 4))


def test_diagonals_follow_in_another_order_every_time():
    rows, columns, *shape = pairs()
    strata = stratify(rows, columns, *shape, np.random.default_rng(1), n_parts=8)
    rng, orders = np.random.default_rng(0), []
    for _ in range(3):
        seen = []
        strata.sweep(lambda start, stop, block, seen=seen: seen.append((block % 8 - block // 8) % 8), rng)
        orders.append(tuple(seen[::8]))
        assert sorted(seen[::8]) == list(range(8))
    assert len(set(orders)) == 3


def test_the_order_depends_on_the_seed_alone_and_not_on_the_number_of_threads():
    rows, columns, *shape = pairs(n=40_000)
    before, found = threads.num_threads(), []
    try:
        for n in (1, 3):
            threads.set_num_threads(n)
            found.append(stratify(rows, columns, *shape, np.random.default_rng(5), n_parts=6))
    finally:
        threads.set_num_threads(before)
    np.testing.assert_array_equal(found[0].order, found[1].order)
    other = stratify(rows, columns, *shape, np.random.default_rng(6), n_parts=6)
    assert not np.array_equal(other.order, found[0].order)


def test_a_block_is_shuffled_evenly():
    # Every element of a single block of six should come to every place equally often.
    rows = columns = np.arange(6, dtype=np.int32)
    rng, n = np.random.default_rng(0), 2000
    orders = np.array([stratify(rows, columns, 6, 6, rng, n_parts=1).order for _ in range(n)])
    counts = np.array([np.bincount(orders[:, place], minlength=6) for place in range(6)])
    chi_squared = ((counts - n / 6) ** 2 / (n / 6)).sum()
    assert chi_squared < 60  # 25 degrees of freedom: one in ten thousand is above


def test_arranged_values_lie_in_the_order_of_the_blocks():
    rows, columns, *shape = pairs()
    strata = stratify(rows, columns, *shape, np.random.default_rng(1), n_parts=3)
    values = np.random.default_rng(2).random(rows.size)
    np.testing.assert_array_equal(strata.arranged(values), values[strata.order])
    ptr, by_part = strata.columns_by_part()
    for part in range(3):
        np.testing.assert_array_equal(
            by_part[ptr[part] : ptr[part + 1]], np.flatnonzero(strata.column_part == part)
        )
    assert by_part.size == 200


@pytest.mark.parametrize(("n_pairs", "n_parts"), [(0, 1), (8192 * 4, 2), (10**9, MOST_PARTS)])
def test_the_number_of_parts_follows_from_the_number_of_pairs(n_pairs, n_parts):
    assert parts_for(n_pairs) == n_parts
