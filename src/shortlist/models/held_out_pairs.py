"""Pairs of people and items that are held back, so that a fit can watch its loss on them."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from shortlist.errors import ParameterError
from shortlist.stages import offsets


def held_out_pairs(
    liked: sparse.csr_array, fraction: float, rng: np.random.Generator
) -> tuple[sparse.csr_array, sparse.csr_array | None]:
    """Return the pairs to learn from and those held back, each row keeping one at least to learn from."""
    if fraction == 0:
        return liked, None
    draw = rng.random(liked.nnz)
    largest = np.maximum.reduceat(draw, liked.indptr[:-1])
    row = np.repeat(np.arange(liked.shape[0]), np.diff(liked.indptr))
    held_back = (draw < fraction) & (draw < largest[row])
    if not held_back.any():
        raise ParameterError(
            f"validation_share={fraction:g} holds none of {liked.nnz} pairs back (everybody keeps one): raise it, "
            "or set it to 0"
        )
    learn, check = (
        sparse.csr_array(
            (liked.data[at], liked.indices[at], offsets(np.bincount(row[at], minlength=liked.shape[0]))),
            liked.shape,
        )
        for at in (~held_back, held_back)
    )
    return learn, check
