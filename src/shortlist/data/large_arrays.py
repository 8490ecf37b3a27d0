"""Large arrays in ordinary pages of memory."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

LARGE = 1 << 22  # bytes from which on NumPy asks Linux for huge pages


def empty(n: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return an array [n] of `dtype` with any content, for columns that are written once, in order or not.

    NumPy asks for huge pages for large arrays. On a virtual machine, where the host may have to find the memory first,
    touching those took two to three times as long as touching ordinary ones, and most of the time of an import.
    """
    size = n * np.dtype(dtype).itemsize
    if size < LARGE or not hasattr(mmap, "MAP_PRIVATE"):
        return np.empty(n, dtype)
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(pages, dtype)
