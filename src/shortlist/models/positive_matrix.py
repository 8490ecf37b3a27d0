"""The 0/1 matrix of who has a positive event with what, for models that count nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.errors import DataError
from shortlist.models.score_rows import positive_items
from shortlist.stages import Eligible, History, Request

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from shortlist.data.dataset import Dataset


def positive_matrix(dataset: Dataset, model: str) -> sparse.csr_array:
    """Return float32 CSR [n_users, n_items]: a 1 for each pair with a positive event, indices ascending.

    Raises `DataError`, in the name of `model`, where there is none.
    """
    matrix = positive_items(dataset.memory.history, len(dataset.items))
    if matrix.nnz == 0:
        feedback = dataset.feedback
        least = "above 0" if feedback.positive_from is None else f"at least {feedback.positive_from:g}"
        raise DataError(
            f"{model} counts positive events, and none of the {len(dataset.interactions)} {feedback.kind} is one "
            f"(their value would be {least})"
        )
    return matrix


def one_item_each(item_idx: NDArray[np.int32], k: int, n_items: int) -> Request:
    """Return the request of people whose history is one item each and who may be shown every item but that one."""
    n = item_idx.size
    ptr, ones = np.arange(n + 1), np.ones(n, np.float32)
    history = History(ptr, item_idx, ones, np.ones(n, bool), None)
    itself = Eligible(("itself",), np.zeros(n_items, np.int8), ptr, item_idx, np.ones(n, np.int8))
    return Request(np.full(n, -1, np.int32), history, itself, k, None)
