"""Counting by adding bits, against counting."""

import numpy as np
import pytest

from shortlist.kernels import best_keys
from shortlist.kernels.shared_users import CHUNK, WORDS, WORK, _add_users, _at_least


def words_of(has):
    """Return the words of users from bool[n_users, CHUNK], and of one more who has nothing."""
    weights = np.left_shift(np.int64(1), np.arange(64, dtype=np.int64))
    bits = np.where(has.reshape(-1, WORDS, 64), weights, 0).sum(axis=2)
    return np.append(bits, np.zeros((1, WORDS), np.int64), axis=0).ravel()


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 16, 100, 255, 256, 1000])
def test_planes_hold_the_counts(n):
    rng = np.random.default_rng(n)
    has = rng.random((1200, CHUNK)) < rng.random(CHUNK)
    has[:, :3] = True
    users = np.sort(rng.choice(1200, n, replace=False)).astype(np.int32)
    work, n_planes = np.full(WORK, -1, np.int64), max(3, n.bit_length())
    _add_users(work, words_of(has), users, n_planes)
    planes = work[: n_planes * WORDS].reshape(n_planes, WORDS, 1)
    digits = (planes >> np.arange(64)) & 1
    counts = (digits << np.arange(n_planes)[:, None, None]).sum(axis=0).ravel()
    assert np.array_equal(counts, has[users].sum(axis=0))
    for least in {1, 2, max(n // 2, 1), max(n, 1)}:
        found = [_at_least(work, w, n_planes, least) >> b & 1 for w in range(WORDS) for b in range(64)]
        assert np.array_equal(np.array(found, bool), counts >= least)


def test_keys_order_as_values_then_smaller_indices():
    rng = np.random.default_rng(0)
    values = rng.choice(np.array([1e-30, 0.1, 0.5, 1.0, 3e20], np.float32), 300)
    index = rng.permutation(300).astype(np.int64)
    keys = np.array([best_keys.key_of(v, i) for v, i in zip(values, index, strict=True)])
    assert [best_keys.value_of(k) for k in keys.tolist()] == values.tolist()
    assert [best_keys.index_of(k) for k in keys.tolist()] == index.tolist()
    assert np.array_equal(np.argsort(-keys), np.lexsort((index, -values)))


@pytest.mark.parametrize("n", [0, 1, 5, 299, 300, 400])
def test_the_largest_keys_are_kept(n):
    for keys in (np.random.default_rng(n).permutation(300), np.arange(300), np.arange(300)[::-1].copy()):
        keys = keys.astype(np.int64)
        size = best_keys.keep_largest(keys, 300, n)
        assert size == min(n, 300)
        assert sorted(keys[:size].tolist()) == list(range(300 - size, 300))
