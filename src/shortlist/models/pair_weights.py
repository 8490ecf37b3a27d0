"""What an observed pair weighs: by its value, by how often its user and its item occur, or by a function of all three.

| symbol | meaning |
|---|---|
| n_u, n_i | how many items the user, how many users the item has a positive pair with, in the training data |
| a, b | exponents of the damping by item and by user |
| s | the scale at which the training pairs' n_i^-a n_u^-b have the mean 1 |

The weight is w_ui = (1 + alpha value_ui) s n_i^-a n_u^-b. The scale is found in training and kept, so that a pair that
is folded in weighs what it would have weighed there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from shortlist.data.vocabulary import Ids

# (n_user int64[m], n_item int64[m], value float32[m]) → weights [m], finite and above 0.
PairWeights = Callable[[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]], ArrayLike]


@dataclass(frozen=True)
class Weighting:
    """How pairs are weighed: alpha, the exponents a of items and b of users, or a `function` in place of all three."""

    alpha: float
    item_weight_exponent: float
    user_weight_exponent: float
    function: PairWeights | None = None

    def __post_init__(self) -> None:
        if self.function is None:
            return
        if not callable(self.function):
            raise ParameterError(f"pair_weights must be a function or None, got {self.function!r}")
        for name in ("alpha", "item_weight_exponent", "user_weight_exponent"):
            if getattr(self, name) != 0:
                raise ParameterError(
                    f"pair_weights gives the whole weight of a pair: leave {name} at 0, or put it in the function"
                )

    @property
    def damps(self) -> bool:
        """Return whether frequencies matter."""
        return self.item_weight_exponent != 0 or self.user_weight_exponent != 0

    def scale(self, n_user: NDArray[np.int64], n_item: NDArray[np.int64], pairs: sparse.csr_array) -> float:
        """Return s for the training `pairs`; 1 where nothing is damped. Cost: O(nnz)."""
        if not self.damps or pairs.nnz == 0:
            return 1.0
        by_user, by_item = self._damping(n_user, n_item)
        return float(pairs.nnz / (by_user @ (_ones_like(pairs) @ by_item)))

    def weights(
        self, values: sparse.csr_array, n_user: NDArray[np.int64], n_item: NDArray[np.int64], scale: float
    ) -> sparse.csr_array:
        """Return w of the pairs stored in `values` CSR [n_users, n_items], float32, in the same places.

        `n_user` int64[n_users] and `n_item` int64[n_items] are the frequencies. A function is called once, with the
        pairs by user and then by item. Nothing is checked but the size of what it returns; `require_usable` does.
        """
        length = np.diff(values.indptr)
        if self.function is not None:
            users, items = np.repeat(n_user, length), n_item[values.indices]
            of_pair = users.astype(np.int64), items.astype(np.int64), values.data.copy()
            data = _as_weights(self.function(*of_pair), values.nnz)
        else:
            with np.errstate(over="ignore"):  # what is infinite is found by `require_usable`
                data = np.float32(self.alpha) * values.data
                data += 1
                if self.damps:
                    by_user, by_item = self._damping(n_user, n_item)
                    data *= np.repeat(by_user.astype(np.float32), length)
                    data *= (scale * by_item).astype(np.float32)[values.indices]
        return sparse.csr_array((data, values.indices, values.indptr), values.shape)

    def _damping(
        self, n_user: NDArray[np.int64], n_item: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        # Nobody asks for the weight of a pair of frequency 0.
        return (
            np.maximum(n_user, 1).astype(np.float64) ** -self.user_weight_exponent,
            np.maximum(n_item, 1).astype(np.float64) ** -self.item_weight_exponent,
        )


def require_usable(weights: sparse.csr_array, users: Ids, items: Ids) -> None:
    """Raise `ParameterError` naming the first pair whose weight is zero, negative or not finite in float32."""
    usable = np.isfinite(weights.data) & (weights.data > 0)
    if usable.all():
        return
    at = int(np.argmin(usable))
    user = int(np.searchsorted(weights.indptr, at, side="right")) - 1
    raise ParameterError(
        f"the weight of user {users[user]!r} and item {items[int(weights.indices[at])]!r} is {weights.data[at]:g}; "
        "weights must be finite and above 0: look at pair_weights, alpha and the weight exponents"
    )


def _as_weights(returned: ArrayLike, n_pairs: int) -> NDArray[np.float32]:
    found: NDArray[Any] = np.asarray(returned)
    if found.shape != (n_pairs,) or found.dtype.kind not in "biuf":
        raise ParameterError(
            f"pair_weights must return one number for each of its {n_pairs} pairs, got an array of "
            f"{found.dtype} {list(found.shape)}"
        )
    with np.errstate(over="ignore"):
        return np.array(found, np.float32)


def _ones_like(pairs: sparse.csr_array) -> sparse.csr_array:
    return sparse.csr_array((np.ones(pairs.nnz, np.float32), pairs.indices, pairs.indptr), pairs.shape)
