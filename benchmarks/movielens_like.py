"""A synthetic data set of the size and shape of MovieLens-20M, for benchmarks of speed.

    python benchmarks/movielens_like.py        # prints what it makes

Each user has 20 + a log-normal number of distinct items (20, 68 and 135 at the least, in the median and in the mean,
as there). Items are popular by a shifted Zipf law, w_r = (r + 300)^-1.8 at rank r, in an order drawn at random.
Structure of low rank is planted: an item suits each of 32 topics by w · exp(1.2 z), z normal, a user is a Dirichlet
mixture of topics (most of it two or three), and an item is drawn by topic. All values are 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from pathlib import Path

N_USERS, N_ITEMS = 138_493, 26_744
LEAST, LOG_MEAN, LOG_STD = 20, 3.885, 1.32
ZIPF_SHIFT, ZIPF_EXPONENT = 300, 1.8
N_TOPICS, TOPIC_STD, CONCENTRATION = 32, 1.2, 0.1
ROUNDS = 8
"""How often draws that repeat an item of their user are replaced; what repeats after that is left out."""


def movielens_like(
    cache: Path | None = None, *, n_users: int = N_USERS, n_items: int = N_ITEMS, seed: int = 0
) -> sparse.csr_matrix:
    """Return the float32 CSR [n_users, n_items] of ones, indices ascending in a row; the same for the same seed.

    `cache` is an .npz file that it is read from if it is there and of this size and seed, and written to otherwise.
    """
    key = np.array([n_users, n_items, seed])
    if cache is not None and cache.is_file():
        with np.load(cache) as stored:
            if np.array_equal(stored["key"], key):
                return _matrix(stored["ptr"], stored["item_idx"], n_items)
    ptr, item_idx = _pairs(n_users, n_items, np.random.default_rng(seed))
    if cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, key=key, ptr=ptr, item_idx=item_idx)
    return _matrix(ptr, item_idx, n_items)


def describe(matrix: sparse.csr_matrix) -> dict[str, Any]:
    """Return the counts that say what was made."""
    activity, likes = np.diff(matrix.indptr), np.bincount(matrix.indices, minlength=matrix.shape[1])
    by_likes = np.sort(likes)[::-1]
    return {
        "users": matrix.shape[0],
        "items": matrix.shape[1],
        "pairs": matrix.nnz,
        "events of a user: least, median, mean, most": [
            int(activity.min()),
            float(np.median(activity)),
            float(activity.mean()),
            int(activity.max()),
        ],
        "users of an item: least, median, most": [
            int(likes.min()),
            float(np.median(likes)),
            int(likes.max()),
        ],
        "share of the pairs that the most popular tenth of the items has": float(
            by_likes[: by_likes.size // 10].sum() / max(matrix.nnz, 1)
        ),
    }


def _pairs(n_users: int, n_items: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    wanted = LEAST + np.exp(rng.normal(LOG_MEAN, LOG_STD, n_users))
    wanted = np.minimum(wanted, n_items // 3).astype(np.int64)
    topics = rng.dirichlet(np.full(N_TOPICS, CONCENTRATION), n_users)
    by_user, by_topic = _running_sums(topics), _running_sums(_topic_items(n_items, rng))
    pairs, missing = np.zeros(0, np.int64), wanted
    for _ in range(ROUNDS):
        user = np.repeat(np.arange(n_users), missing)
        topic = _drawn(by_user, user, N_TOPICS, rng)
        item = _drawn(by_topic, topic, n_items, rng)
        pairs = _distinct(np.concatenate([pairs, user * n_items + item]))
        missing = wanted - np.bincount(pairs // n_items, minlength=n_users)
    ptr = np.concatenate([[0], np.cumsum(np.bincount(pairs // n_items, minlength=n_users))])
    return ptr, (pairs % n_items).astype(np.int32)


def _distinct(keys: np.ndarray) -> np.ndarray:
    ordered = np.sort(keys)  # np.unique hashes, which takes many times longer
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])]


def _topic_items(n_items: int, rng: np.random.Generator) -> np.ndarray:
    """Return float64[N_TOPICS, n_items], how likely each item is within a topic."""
    popularity = (np.arange(n_items) + ZIPF_SHIFT) ** -ZIPF_EXPONENT
    weight = rng.permutation(popularity) * np.exp(TOPIC_STD * rng.standard_normal((N_TOPICS, n_items)))
    return weight / weight.sum(axis=1, keepdims=True)


def _running_sums(rows: np.ndarray) -> np.ndarray:
    """Return the running sums of each row, which ends at its number + 1, one after the other: ascending."""
    sums = np.cumsum(rows, axis=1)
    sums /= sums[:, -1:]
    return (sums + np.arange(len(rows))[:, None]).ravel()


def _drawn(sums: np.ndarray, row: np.ndarray, width: int, rng: np.random.Generator) -> np.ndarray:
    at = np.searchsorted(sums, row + rng.random(row.size), side="right")
    return np.clip(at - row * width, 0, width - 1)


def _matrix(ptr: np.ndarray, item_idx: np.ndarray, n_items: int) -> sparse.csr_matrix:
    ones = np.ones(item_idx.size, np.float32)
    matrix = sparse.csr_matrix((ones, item_idx, ptr.astype(np.int32)), shape=(ptr.size - 1, n_items))
    matrix.has_sorted_indices = True
    return matrix


if __name__ == "__main__":
    for what, count in describe(movielens_like()).items():
        print(f"{what}: {count}")
