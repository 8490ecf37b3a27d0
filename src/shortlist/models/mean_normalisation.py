"""Mean normalisation: each item's mean rating is taken off before the factors are learned, and added back after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray


def item_means(ratings: sparse.csr_array, shrinkage: float) -> NDArray[np.float64]:
    """Return mu_i = (sum of the item's ratings + shrinkage * global mean) / (n_i + shrinkage), float64[n_items].

    `shrinkage` >= 0 counts as that many ratings at the global mean: 0 gives plain means, under which one rating of
    5 makes an item the best of all. An item without ratings takes the global mean; so does every item for an
    infinite `shrinkage`. `ratings` is the CSR [n_users, n_items]; without any rating every mean is 0.
    Cost: O(nnz + n_items).

    The course's example, where Eve rated nothing: the first film's ratings 5, 5, 0, 0 give 2.5.

    >>> films = np.array([[5.0, 5, 0, 0], [5, 2, 4, 1]])
    >>> by_user = sparse.csr_array((films.T.ravel(), (np.repeat(range(4), 2), np.tile([0, 1], 4))), shape=(5, 3))
    >>> item_means(by_user, shrinkage=0.0).tolist()  # the third film has no rating: 22 / 8
    [2.5, 3.0, 2.75]
    >>> item_means(by_user, shrinkage=4.0).tolist()  # (10 + 11) / 8, (12 + 11) / 8
    [2.625, 2.875, 2.75]
    """
    n_items = ratings.shape[1]
    if ratings.nnz == 0:
        return np.zeros(n_items)
    values = ratings.data.astype(np.float64)
    overall = values.mean()
    n = np.bincount(ratings.indices, minlength=n_items)
    # Shrinking the deviations, instead of adding ratings, also holds for an infinite shrinkage.
    deviations = np.bincount(ratings.indices, values - overall, minlength=n_items)
    means: NDArray[np.float64] = overall + deviations / np.maximum(n + shrinkage, 1)
    return means


def item_logits(labels: sparse.csr_array, shrinkage: float) -> tuple[NDArray[np.float64], float]:
    """Return log(m_i / (1 - m_i)) of each item's shrunk mean label, float64[n_items], and that of the overall mean.

    m_i = (ones of the item + shrinkage * m) / (n_i + shrinkage), with m = (all ones + 1) / (n + 2), Laplace's rule: it
    and, for `shrinkage` > 0, every m_i lie strictly between 0 and 1. An item without labels takes m. `labels` is the
    CSR [n_users, n_items] of 0 and 1. Cost: O(nnz + n_items).

    >>> clicks = sparse.csr_array(([1.0, 1.0, 0.0, 0.0], ([0, 1, 2, 3], [0, 0, 0, 0])), shape=(4, 2))
    >>> logits, overall = item_logits(clicks, shrinkage=2.0)  # (2 + 1) / (4 + 2) = 1/2; the other has no label
    >>> logits.tolist(), overall
    ([0.0, 0.0], 0.0)
    """
    n_items = labels.shape[1]
    ones = np.bincount(labels.indices, labels.data, minlength=n_items)
    n = np.bincount(labels.indices, minlength=n_items)
    overall = (ones.sum() + 1) / (labels.nnz + 2)
    mean = np.where(n > 0, (ones + shrinkage * overall) / np.maximum(n + shrinkage, 1e-300), overall)
    logits: NDArray[np.float64] = np.log(mean) - np.log1p(-mean)
    return logits, float(np.log(overall) - np.log1p(-overall))


def centred(
    ratings: sparse.csr_array, means: NDArray[np.floating[Any]], dtype: type[np.float32 | np.float64]
) -> sparse.csr_array:
    """Return the ratings minus the mean of their item, as a CSR of `dtype` and the same structure."""
    data = (ratings.data - means[ratings.indices]).astype(dtype)
    return sparse.csr_array((data, ratings.indices, ratings.indptr), shape=ratings.shape)
