"""Values of single users, stored flat by user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.stages import offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pairs_by_user(
    user_idx: NDArray[np.int32], value: NDArray[np.int32], n_users: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return ptr int64[n_users + 1] and the values of each user, ascending; pairs of which one is −1 are left out.

    >>> ptr, value = pairs_by_user(np.array([1, -1, 1]), np.array([5, 2, 4]), 2)
    >>> ptr.tolist(), value.tolist()
    ([0, 0, 2], [4, 5])
    """
    known = (user_idx >= 0) & (value >= 0)
    user, values = user_idx[known], value[known]
    order = np.lexsort((values, user))
    return offsets(np.bincount(user, minlength=n_users)), values[order].astype(np.int32)


def of_users(
    ptr: NDArray[np.int64], user_idx: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (row, position of the value) int64[m] of all values of the users at `user_idx`; −1 has none.

    >>> row, at = of_users(np.array([0, 1, 3]), np.array([1, -1], np.int32))
    >>> row.tolist(), at.tolist()
    ([0, 0], [1, 2])
    """
    known = np.flatnonzero(user_idx >= 0)
    user = user_idx[known]
    length = ptr[user + 1] - ptr[user]
    begin = offsets(length)
    at = np.arange(begin[-1]) + np.repeat(ptr[user] - begin[:-1], length)
    return np.repeat(known, length), at
