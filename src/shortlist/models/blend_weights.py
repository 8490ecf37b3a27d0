"""The weights of a blend, by validation: the share of each model that gives the best lists of events held back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shortlist.data.memory import Limits
from shortlist.errors import DataError
from shortlist.models.blended_lists import Voice, pool_of
from shortlist.stages import offsets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    from shortlist.data.dataset import Dataset
    from shortlist.data.interactions import Interactions
    from shortlist.models.blended_lists import Pool
    from shortlist.models.model import Model

# Shares that are tried of one model, the others keeping their proportions: first coarse, then around the best.
_STEPS = (0.1, 0.02)
_REACH = 5
_MAX_ROUNDS = 10
_BLOCK_USERS = 1024


@dataclass(frozen=True)
class Search:
    """How weights are found; `Blend` has the meanings."""

    share: float
    k: int
    n_users: int
    n_candidates: int


@dataclass(frozen=True, eq=False)
class Judged:
    """Candidates of people with what each model gives them, and which of them were held back.

    row int64[m], item_idx int32[m], scaled float32[m, M], relevant bool[m]; n_relevant int64[n], those that are no
    candidates included.
    """

    row: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    scaled: NDArray[np.float32]
    relevant: NDArray[np.bool_]
    n_relevant: NDArray[np.int64]

    def ndcg(self, weights: NDArray[np.float64], k: int) -> float:
        """Return the mean NDCG of the k best candidates by Σ weight · scaled, gain 1, ideal lists cut at k."""
        blended = self.scaled @ weights.astype(np.float32)
        hits = np.flatnonzero(self.relevant)
        ptr = offsets(np.bincount(self.row, minlength=self.n_relevant.size))
        order = np.lexsort((-blended, self.row))
        rank = np.empty(self.row.size, np.int64)
        rank[order] = np.arange(self.row.size)
        rank = rank[hits] - ptr[self.row[hits]] + 1
        gain = np.where(rank <= k, 1 / np.log2(1.0 + rank), 0.0)
        found = np.bincount(self.row[hits], gain, minlength=self.n_relevant.size)
        ideal = np.cumsum(1 / np.log2(np.arange(2, k + 2)))[np.minimum(self.n_relevant, k) - 1]
        return float(np.mean(found / ideal))


def weights_by_validation(
    models: Mapping[str, Model], dataset: Dataset, search: Search, rng: np.random.Generator
) -> dict[str, float]:
    """Return the weights, of sum 1, whose blend has the largest NDCG on a part of each user's events held back.

    `models` are not changed: clones are fitted on the other events. Raises `DataError` where nobody has an event that
    can be held back.
    """
    train, held_back = parts(dataset, search.share, rng)
    seeds = rng.integers(2**63, size=len(models)).tolist()
    fitted = [model.clone().fit(train, rng=seed) for model, seed in zip(models.values(), seeds, strict=True)]
    judged = judged_candidates(fitted, train, held_back, search, rng)
    return dict(zip(models, best_shares(judged, search.k).tolist(), strict=True))


def parts(dataset: Dataset, share: float, rng: np.random.Generator) -> tuple[Dataset, Interactions]:
    """Return the data without ⌊share · n_u⌋ of each user's n_u events, and those: the last ones, else random ones."""
    log = dataset.interactions
    time = rng.random(len(log)) if log.timestamp is None else np.arange(len(log))
    order = np.lexsort((time, log.user_idx))
    length = np.bincount(log.user_idx, minlength=log.n_users)
    from_end = np.repeat(np.cumsum(length), length) - np.arange(len(log))
    held_back = np.empty(len(log), bool)
    held_back[order] = from_end <= np.repeat(np.floor(share * length + 1e-9), length)
    return dataset.with_interactions(log.where(~held_back)), log.where(held_back)


def judged_candidates(
    models: Sequence[Model], train: Dataset, held_back: Interactions, search: Search, rng: np.random.Generator
) -> Judged:
    """Return the candidates of people with something to find, as the fitted `models` score them."""
    with_seen = any(model.only_past for model in models)
    truth = _truth(train, held_back, with_seen)
    known = np.any([model.known_users_ for model in models], axis=0)
    people = np.flatnonzero(known & (np.diff(truth.indptr) > 0))
    if people.size == 0:
        raise DataError(
            "weights cannot be found: nobody has enough events to hold some back and know the rest; give weights="
        )
    people = np.sort(rng.permutation(people)[: search.n_users])
    blocks = [
        people[start : start + _BLOCK_USERS].astype(np.int32) for start in range(0, people.size, _BLOCK_USERS)
    ]
    pools = [_pool(models, block, search, with_seen) for block in blocks]
    start = np.repeat(np.arange(0, people.size, _BLOCK_USERS), [pool.row.size for pool in pools])
    row = np.concatenate([pool.row for pool in pools]) + start
    item_idx = np.concatenate([pool.item_idx for pool in pools])
    scaled = np.concatenate([pool.scaled.astype(np.float32) for pool in pools])
    relevant = _holds(truth, people[row], item_idx)
    return Judged(row, item_idx, scaled, relevant, np.diff(truth.indptr)[people])


def best_shares(judged: Judged, k: int) -> NDArray[np.float64]:
    """Return the weights float64[M], of sum 1, that a search along each model's share ends at.

    It begins with the best single model and moves to what is better, so it is never below that one. The search is
    deterministic; a maximum that no change of one share improves need not be the greatest of all.
    """
    n = judged.scaled.shape[1]
    best, value = max(
        ((one, judged.ndcg(one, k)) for one in np.eye(n)), key=lambda pair: pair[1]
    )  # the first of equals
    for step in _STEPS:
        for _ in range(_MAX_ROUNDS):
            before = value
            for m in range(n):
                for share in _shares_near(best[m], step):
                    tried = _with_share(best, m, share)
                    if (found := judged.ndcg(tried, k)) > value:
                        best, value = tried, found
            if value == before:
                break
    return best


def _shares_near(share: float, step: float) -> NDArray[np.float64]:
    """Return the shares to try: all multiples of a coarse step, the ones near `share` of a fine one."""
    if step == _STEPS[0]:
        return np.linspace(0, 1, round(1 / step) + 1)
    near = np.asarray(share + step * np.arange(-_REACH, _REACH + 1), np.float64)
    return near[(near >= 0) & (near <= 1)]


def _with_share(weights: NDArray[np.float64], m: int, share: float) -> NDArray[np.float64]:
    """Return weights of which m has `share` and the others the rest, in their proportions (alike if they had none)."""
    is_other = np.arange(weights.size) != m
    others = np.where(is_other, weights, 0)
    if not others.any():
        others = is_other.astype(np.float64)
    if not others.any():
        return np.ones(1)
    out: NDArray[np.float64] = others * ((1 - share) / others.sum())
    out[m] = share
    return out


def _pool(models: Sequence[Model], people: NDArray[np.int32], search: Search, with_seen: bool) -> Pool:
    limits = Limits(exclude_seen=not with_seen)
    request = models[0].memory_.request(people, search.k, limits)
    voices = [Voice(model, 1.0, request) for model in models]
    rows, units = np.arange(people.size), np.empty((people.size, len(models)))
    return pool_of(voices, request, rows, max(search.n_candidates, search.k), units)


def _truth(train: Dataset, held_back: Interactions, with_seen: bool) -> sparse.csr_array:
    """Return which pairs are to be found: held back and positive, and new to the user unless `with_seen`."""
    truth = held_back.where(held_back.positive).matrix("count")
    truth.data[:] = 1
    if not with_seen:
        row = np.repeat(np.arange(truth.shape[0]), np.diff(truth.indptr))
        truth.data[_holds(train.interactions.matrix("count"), row, truth.indices)] = 0
        truth.eliminate_zeros()
    truth.sort_indices()
    return truth


def _holds(
    matrix: sparse.csr_array, row: NDArray[np.integer], column: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """Return bool[m]: whether each (row, column) is stored in `matrix`."""
    n = matrix.shape[1]
    stored = np.sort(np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)) * n + matrix.indices)
    wanted = row.astype(np.int64) * n + column
    at = np.searchsorted(stored, wanted)
    found: NDArray[np.bool_] = np.append(stored, -1)[at] == wanted
    return found
