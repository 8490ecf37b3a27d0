"""What accuracy does not see: how much of the catalogue is shown, how evenly, how novel and how varied.

The lists are padded arrays (`shortlist.metrics.lists`); cut them with `recommended[:, :k]`. Coverage and Gini
are of all the lists together; novelty and diversity are one value a list.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from shortlist.errors import ParameterError
from shortlist.metrics.lists import checked_items, list_lengths

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# An item that no training user has counts as half a user: one bit more novel than an item with one user.
_USERS_OF_AN_UNSEEN_ITEM = 0.5

_BLOCK_FLOATS = 1 << 22  # 32 MiB of list sums at a time


def catalogue_coverage(recommended: ArrayLike, eligible: ArrayLike) -> float:
    """Return the share of eligible items that stand in at least one list, in [0, 1].

    `recommended` int[n_lists, width], padded with -1; `eligible` bool[n_items], true for an item that may be
    shown to anybody. No list, or only empty ones, gives 0. O(lists × width + n_items).

    Raises `ParameterError` for malformed lists, no eligible item, or a list that shows an ineligible one.

    >>> catalogue_coverage([[0, 1], [1, -1]], eligible=[True, True, True, True, False])  # {0, 1} of 4
    0.5
    """
    shown = _times_shown(recommended, eligible)
    return float(np.count_nonzero(shown) / shown.size)


def gini(recommended: ArrayLike, eligible: ArrayLike) -> float:
    """Return how unevenly the places in the lists fall on the eligible items, those never shown included.

    G = Σ_j (2j − n − 1) x_j / (n Σ_j x_j), with x_1 <= … <= x_n the number of lists that show each of the n
    eligible items: 0 when all are shown alike, (n − 1)/n when one item takes every place. Arguments as for
    `catalogue_coverage`. O(lists × width + n log n).

    Raises `ParameterError` as `catalogue_coverage` does, and when no list shows an item (0/0).

    >>> gini([[0, 1], [1, -1]], eligible=[True, True, True])  # x = 0, 1, 2: (−2·0 + 0·1 + 2·2) / (3·3) = 4/9
    0.4444444444444444
    """
    shown = _times_shown(recommended, eligible)
    if not shown.any():
        raise ParameterError("no list shows an item, so the Gini coefficient is undefined")
    return gini_of(shown)


def gini_of(amounts: ArrayLike, n_zero: int = 0) -> float:
    """Return how unevenly `amounts` fall on those that they belong to: the exposure of items or makers, say.

    `amounts` float[m] >= 0 in any order, and `n_zero` more of 0. With x_1 <= … <= x_n all of them:
    G = Σ_j (2j − n − 1) x_j / (n Σ_j x_j), in [0, (n − 1)/n]. O(m log m).

    Raises `ParameterError` for an amount below 0, NaN or infinite, and where all are 0 (0/0).

    >>> gini_of([1.0, 2.0], n_zero=1)  # x = 0, 1, 2: (−2·0 + 0·1 + 2·2) / (3·3) = 4/9
    0.4444444444444444
    """
    ordered = np.sort(np.asarray(amounts, np.float64))
    if ordered.ndim != 1 or not np.isfinite(ordered).all() or (ordered < 0).any():
        raise ParameterError("amounts must be one row of finite numbers of at least 0")
    total, n = float(ordered.sum()), ordered.size + n_zero
    if total == 0:
        raise ParameterError("all amounts are 0, so the Gini coefficient is undefined")
    place = np.arange(n_zero + 1, n + 1)
    return float(np.sum((2 * place - n - 1) * ordered) / (n * total))


def novelty(recommended: ArrayLike, item_users: ArrayLike, n_users: int) -> Floats:
    """Return the mean over each list's items of −log2(share of training users who have the item), in bits.

    `recommended` int[n_lists, width], padded with -1; `item_users` int[n_items] is the number of training users
    who have the item, out of `n_users` >= 1. An item nobody has would be infinitely novel: it counts as half a
    user, log2(n_users) + 1 bits; every other item is exact. The mean is over the items shown, not over the
    width. float64[n_lists], in [0, log2(n_users) + 1]; no list gives an empty array. O(lists × width).

    The mean self-information of Zhou et al. (2010), Solving the apparent diversity-accuracy dilemma of
    recommender systems, PNAS 107(10), "surprisal/novelty"; half a user for an unseen item is ours.

    Raises `ParameterError` for malformed lists, an empty list (`select_lists(recommended, 1)` drops and counts
    them), or counts that are not integers in [0, n_users].

    >>> novelty([[0, 1], [2, -1]], item_users=[8, 2, 0], n_users=8).tolist()
    ... # (−log2 8/8 − log2 2/8)/2, −log2 0.5/8
    [1.0, 4.0]
    """
    counts = _checked_counts(item_users, n_users)
    lists = checked_items(recommended, counts.size)
    lengths = _lengths(lists, 1, "novelty")
    users = np.where(counts > 0, counts, _USERS_OF_AN_UNSEEN_ITEM)
    bits = np.append(math.log2(n_users) - np.log2(users), 0.0)  # the last place answers for the pad, -1
    total: Floats = bits[lists].sum(axis=1)
    return total / lengths


def intra_list_diversity(recommended: ArrayLike, vectors: Any) -> Floats:
    """Return 1 − the mean cosine similarity over the pairs of items in each list.

    `recommended` int[n_lists, width], padded with -1, at least 2 items a list; `vectors` [n_items, d] describes
    the items: a dense array, or any SciPy sparse matrix (multi-hot genres). Say which vectors when you report
    the figure: it means nothing without. A zero vector has similarity 0 to every other item, another zero
    vector included: nothing is known in common. float64[n_lists] in [0, 2], in [0, 1] for non-negative vectors.

    With unit vectors û the sum over pairs i < j is (‖Σ û‖² − Σ ‖û‖²) / 2: O(lists × width × d), no pair is
    formed. The intra-list similarity of Ziegler et al. (2005), Improving recommendation lists through topic
    diversification, with the cosine, as a mean over pairs instead of a sum and taken from 1.

    Raises `ParameterError` for malformed lists, a list of fewer than 2 items (`select_lists(recommended, 2)`
    drops and counts them), an item without a row in `vectors`, or vectors that are not finite.

    >>> genres = [[1, 0], [1, 0], [0, 1], [1, 1], [0, 0]]
    >>> intra_list_diversity([[0, 1, 2], [0, 3, -1], [0, 4, -1]], genres).round(4).tolist()
    ... # 1 − (1 + 0 + 0)/3, 1 − 1/√2, 1 − 0
    [0.6667, 0.2929, 1.0]
    """
    unit = _unit_rows(vectors)
    lists = checked_items(recommended, unit.shape[0])
    lengths = _lengths(lists, 2, "intra-list diversity")
    total = np.empty(lengths.size)
    rows = max(1, _BLOCK_FLOATS // max(1, unit.shape[1]))
    for start in range(0, lengths.size, rows):
        block = slice(start, start + rows)
        total[block] = _cosine_over_ordered_pairs(lists[block], lengths[block], unit)
    # The mean cosine cannot exceed 1; rounding can make it do so by a few ulps.
    diversity: Floats = np.maximum(0.0, 1 - total / (lengths * (lengths - 1)))
    return diversity


def _times_shown(recommended: ArrayLike, eligible: ArrayLike) -> NDArray[np.intp]:
    """Return how many lists show each eligible item, int64[n_eligible]."""
    mask = np.asarray(eligible)
    if mask.ndim != 1 or mask.dtype != np.bool_ or not mask.any():
        raise ParameterError("eligible must be a boolean array [n_items] with at least one true entry")
    lists = checked_items(recommended, mask.size)
    counts: NDArray[np.intp] = np.bincount(lists[lists >= 0], minlength=mask.size)
    wrong = np.flatnonzero((counts > 0) & ~mask)
    if wrong.size:
        raise ParameterError(
            f"item {wrong[0]} stands in a list but is not eligible ({wrong.size} such items)"
        )
    shown: NDArray[np.intp] = counts[mask]
    return shown


def _lengths(lists: NDArray[Any], min_items: int, metric: str) -> NDArray[np.int64]:
    lengths = list_lengths(lists)
    short = np.flatnonzero(lengths < min_items)
    if short.size:
        raise ParameterError(
            f"{metric} needs lists of at least {min_items} items; row {short[0]} has {lengths[short[0]]} "
            f"({short.size} such rows): keep the rows that select_lists(recommended, {min_items}) selects"
        )
    return lengths


def _checked_counts(item_users: ArrayLike, n_users: int) -> NDArray[Any]:
    counts = np.asarray(item_users)
    if n_users < 1:
        raise ParameterError(f"n_users must be at least 1, got {n_users}")
    if counts.ndim != 1 or counts.dtype.kind not in "iu":
        raise ParameterError(f"item_users must be integer counts [n_items], got {counts.dtype}{counts.shape}")
    wrong = np.flatnonzero((counts < 0) | (counts > n_users))
    if wrong.size:
        raise ParameterError(
            f"item_users[{wrong[0]}] is {counts[wrong[0]]}, outside 0 to n_users = {n_users}: "
            "count users, not interactions"
        )
    return counts


def _unit_rows(vectors: Any) -> Any:
    """Return the rows scaled to length 1, float64; a zero row stays zero. Sparse gives CSR, else dense."""
    is_sparse = _is_sparse(vectors)
    table: Any = sparse.csr_array(vectors, dtype=np.float64) if is_sparse else np.asarray(vectors, np.float64)
    if table.ndim != 2:
        raise ParameterError(f"vectors must have shape [n_items, d], got {table.shape}")
    squares = _row_squares(table)
    if not np.isfinite(squares).all():
        row = np.flatnonzero(~np.isfinite(squares))[0]
        raise ParameterError(f"the vector of item {row} holds NaN or infinity, or its square overflows")
    norms = np.sqrt(squares)
    inverse = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    return sparse.diags_array(inverse) @ table if is_sparse else table * inverse[:, None]


def _is_sparse(table: Any) -> bool:
    return bool(
        sparse.issparse(table)
    )  # a plain bool: the stubs would narrow `table` to a type without methods


def _row_squares(table: Any) -> Floats:
    """Return the squared length of each row of a dense or sparse table."""
    if _is_sparse(table):
        return np.asarray(table.power(2).sum(axis=1), dtype=np.float64)
    return np.asarray(np.einsum("id,id->i", table, table), dtype=np.float64)


def _cosine_over_ordered_pairs(lists: NDArray[Any], lengths: NDArray[np.int64], unit: Any) -> Floats:
    """Return Σ_{i≠j} û_i·û_j = ‖Σ û‖² − Σ ‖û‖² for each list."""
    shown = lists[lists >= 0]
    ptr = np.concatenate([[0], np.cumsum(lengths)])
    member: Any = sparse.csr_array((np.ones(shown.size), shown, ptr), shape=(lists.shape[0], unit.shape[0]))
    pairs: Floats = _row_squares(member @ unit) - member @ _row_squares(unit)
    return pairs
