"""Encoded rows that a fitted model keeps beside its vectors, to say later what these are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse

from shortlist.models.fm_design import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

USER_ROWS = ("user_ptr_", "user_columns_", "user_values_")
ITEM_ROWS = ("item_ptr_", "item_columns_", "item_values_")


class KeepsRows:
    """Mixed into a `Model` whose `FITTED` has `USER_ROWS` or `ITEM_ROWS`: what was encoded of users and items, as CSR.

    ptr int64[n + 1], columns int32[e], values float32[e]: 8 bytes an entry.
    """

    user_ptr_: NDArray[np.int64]
    user_columns_: NDArray[np.int32]
    user_values_: NDArray[np.float32]
    item_ptr_: NDArray[np.int64]
    item_columns_: NDArray[np.int32]
    item_values_: NDArray[np.float32]

    def _keep_rows(self, side: Literal["user", "item"], rows: sparse.csr_array) -> None:
        for name, part in zip(("ptr", "columns", "values"), Rows.of(rows), strict=True):
            setattr(self, f"{side}_{name}_", part)

    def _kept_rows(
        self, side: Literal["user", "item"], index: NDArray[np.integer], width: int
    ) -> sparse.csr_array:
        """Return float32 CSR [n, width]: the rows at positions `index` int[n], in O(their entries)."""
        kept = Rows(*(getattr(self, f"{side}_{name}_") for name in ("ptr", "columns", "values")))
        return as_csr(kept.at(index), width)


def columns_at(place: NDArray[np.int32], fitted: Mapping[str, Any]) -> dict[str, NDArray[np.int32]]:
    """Return the columns of the rows in `fitted`, each at its new `place` int32[width]."""
    return {name: place[fitted[name]] for name in ("user_columns_", "item_columns_")}


def as_csr(rows: Rows, width: int) -> sparse.csr_array:
    """Return rows as the CSR [n, width] of SciPy."""
    shape = len(rows), width
    return sparse.csr_array((rows.values, rows.columns, rows.ptr.astype(np.int32)), shape=shape)


def no_features(n: int, width: int = 0) -> sparse.csr_array:
    """Return `n` rows without an entry."""
    nothing = np.zeros(0, np.float32), np.zeros(0, np.int32), np.zeros(n + 1, np.int32)
    return sparse.csr_array(nothing, shape=(n, width))
