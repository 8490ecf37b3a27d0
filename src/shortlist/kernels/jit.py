"""The two decorators that every kernel uses, typed so that callers keep their signatures.

Kernels release the GIL and cache their machine code beside the package, or in the user's cache folder when the
installation is read-only (NUMBA_CACHE_DIR names another folder). Where none of them can be written in, each process
compiles for itself. They run serially over a block of rows; `shortlist.threads` runs the blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

# Sums may be reordered and fused, but NaN and infinity keep their meaning: kernels detect them.
_FAST = {"contract", "reassoc", "nsz", "arcp"}


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` compiled on first call, with strict IEEE arithmetic in the order written."""
    return _compiled(function)


def fast_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` compiled on first call, free to reorder floating-point sums (SIMD)."""
    return _compiled(function, fastmath=_FAST)


def _compiled(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    compiled: Callable[P, R]
    try:
        compiled = numba.njit(nogil=True, cache=True, **options)(function)
    except RuntimeError:  # numba found no folder to cache in
        compiled = numba.njit(nogil=True, **options)(function)
    return compiled
