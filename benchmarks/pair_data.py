"""Splits that come as two files of pairs, train.parquet and test.parquet (user_id, item_id), and how they are measured.

The protocol of the leaderboards on the LightGCN splits: full ranking over all items, train items left out; recall
divides by all test items of a user, NDCG's ideal list is cut at min(k, |test|); means over test users.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
import results

import shortlist as sl
from shortlist import metrics
from shortlist.data.interactions import Interactions

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset

K = 20


class Pairs(NamedTuple):
    """Both parts of a split over the vocabularies of both, and the hash of its files."""

    train: Dataset
    test: Dataset
    data_hash: str


def read(folder: Path) -> Pairs:
    """Return the split in `folder`; end the benchmark, saying so, where it is not there."""
    files = [folder / f"{name}.parquet" for name in ("train", "test")]
    if not all(file.is_file() for file in files):
        results.leave_out(f"no train.parquet and test.parquet in {folder}; give --data")
    frames = [pl.read_parquet(file) for file in files]
    users = sl.Vocabulary.of(*(frame["user_id"] for frame in frames))
    items = sl.Vocabulary.of(*(frame["item_id"] for frame in frames))
    train, test = (
        part(frame, users, items, name) for frame, name in zip(frames, ("train", "test"), strict=True)
    )
    return Pairs(train, test, results.hash_files(*files))


def part(frame: pl.DataFrame, users: sl.Vocabulary, items: sl.Vocabulary, name: str) -> Dataset:
    """Return a dataset of one of the files over the vocabularies of both."""
    log = Interactions.of(
        users.index_of(frame["user_id"]),
        items.index_of(frame["item_id"]),
        np.ones(frame.height, np.float32),
        None,
        len(users),
        len(items),
        sl.Feedback.events(),
    )
    return sl.Dataset(log, users, items, name=name)


def held_out(train: Dataset, rng: np.random.Generator) -> tuple[Dataset, Dataset]:
    """Return a random four fifths of each user's events, and the rest (none of a user with fewer than five)."""
    log = train.interactions
    order = np.lexsort((rng.random(len(log)), log.user_idx))
    count = np.bincount(log.user_idx, minlength=log.n_users)
    rank = np.arange(len(log)) - np.repeat(np.cumsum(count) - count, count)
    last = np.zeros(len(log), bool)
    last[order] = rank < (count // 5)[log.user_idx[order]]
    return train.with_interactions(log.where(~last)), train.with_interactions(log.where(last))


def of_some_users(dataset: Dataset, n: int, rng: np.random.Generator) -> Dataset:
    """Return the events of `n` users drawn from those who have any."""
    log = dataset.interactions
    drawn = np.zeros(log.n_users, bool)
    drawn[rng.permutation(np.unique(log.user_idx))[:n]] = True
    return dataset.with_interactions(log.where(drawn[log.user_idx]))


def quality(model: sl.Model, test: Dataset) -> tuple[float, float]:
    """Return mean Recall@20 and NDCG@20 over the users of `test`."""
    truth = test.interactions.matrix("count")
    users: NDArray[np.int64] = np.flatnonzero(np.diff(truth.indptr))
    shown = model.recommend(test.users.ids.gather(users), K, on_unknown="fallback").lists.padded(K)
    ptr = np.concatenate([[0], np.cumsum(np.diff(truth.indptr)[users])])
    hits = metrics.find_hits(shown, ptr, truth.indices.astype(np.int32))
    return float(metrics.recall(hits).mean()), float(metrics.ndcg(hits).mean())
