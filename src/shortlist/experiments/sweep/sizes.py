"""Sizes: how many candidates each step of a sweep retrieves, checked before any work."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from shortlist.errors import ParameterError
from shortlist.parameters import whole

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZES = (20, 50, 100, 200, 500, 1000)


def require_sizes(retrieve: Sequence[int], k: int) -> tuple[int, ...]:
    """Return the sizes: whole numbers, ascending, each once, none below `k`. Raises `ParameterError` otherwise.

    >>> require_sizes([20, 50], k=10)
    (20, 50)
    """
    whole("k", k, least=1)
    if isinstance(retrieve, str | int) or not len(retrieve):
        raise ParameterError(f"retrieve={retrieve!r}: give the sizes as a list, say {list(SIZES)}")
    sizes = tuple(whole("each size of retrieve", size, least=1) for size in retrieve)
    for before, after in pairwise(sizes):
        if before == after:
            raise ParameterError(f"retrieve has the size {after} twice; give each once")
        if before > after:
            raise ParameterError(f"retrieve must ascend, and {after} comes after {before}")
    if sizes[0] < k:
        raise ParameterError(
            f"a list of k={k} items cannot be made of {sizes[0]} candidates: leave out sizes below {k}, or lower k"
        )
    return sizes


def within_catalogue(sizes: Sequence[int], n_items: int) -> tuple[tuple[int, ...], list[str]]:
    """Return the sizes, none above `n_items`, and a note where one was.

    >>> within_catalogue([20, 50, 100], 30)
    ((20, 30), ['the catalogue has 30 items: of the sizes 50, 100 one is measured, of 30 candidates'])
    """
    above = [size for size in sizes if size > n_items]
    if not above:
        return tuple(sizes), []
    kept = (*(size for size in sizes if size < n_items), n_items)
    said = f"of the sizes {', '.join(map(str, above))} one is measured"
    return kept, [f"the catalogue has {n_items:,} items: {said}, of {n_items} candidates"]
