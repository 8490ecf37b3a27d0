"""Rows held back from a training, for its early stopping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def held_out_rows(
    n_rows: int, share: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows to train on and those to validate with, each ascending; drawn at random, `share` of them held.

    With share 0 none are; else at least one, unless there is but one row, which is then trained on. Nothing is drawn
    from `rng` where none are held.
    """
    held = min(max(round(n_rows * share), 1), n_rows - 1) if share > 0 else 0
    if held <= 0:
        return np.arange(n_rows), np.zeros(0, np.int64)
    order = rng.permutation(n_rows)
    return np.sort(order[held:]), np.sort(order[:held])
