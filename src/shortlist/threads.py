"""One pool of threads for the whole process, and BLAS kept out of its way.

Kernels are serial over a block of rows and release the GIL; `run_blocks` hands the blocks to the pool. Numba's
own threading layers are not used: they are not safe to call from several threads at once, as a server does.
A BLAS call with its own threads right before a kernel slows both down (its workers spin), so fits hold BLAS at
one thread with `single_blas` and split large products by rows with `run_blocks` instead.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from threadpoolctl import ThreadpoolController

from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

ENVIRONMENT_VARIABLE = "SHORTLIST_NUM_THREADS"

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_n_threads: int | None = None
_blas: ThreadpoolController | None = None
_worker = threading.local()


def num_threads() -> int:
    """Return the number of threads that kernels use: `set_num_threads`, the environment, or the usable cores."""
    if _n_threads is not None:
        return _n_threads
    text = os.environ.get(ENVIRONMENT_VARIABLE)
    if text is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isdecimal() or int(text) < 1:
        raise ParameterError(f"{ENVIRONMENT_VARIABLE}={text!r} is not a whole number of at least 1")
    return int(text)


def set_num_threads(n: int) -> None:
    """Use `n` >= 1 threads from the next call on. Results do not depend on it."""
    global _n_threads, _pool
    if n < 1:
        raise ParameterError(f"the number of threads must be at least 1, got {n}")
    with _lock:
        _n_threads, old, _pool = n, _pool, None
    if old is not None:
        old.shutdown(wait=False)


def run_blocks(function: Callable[[int, int], object], n_rows: int, block: int | None = None) -> None:
    """Call `function(start, stop)` over blocks that cover `range(n_rows)`, in parallel, and wait for all.

    `block` is the number of rows a call (default: so that each thread gets about 16 blocks, which evens out
    rows of unequal cost). The first exception is raised after all running blocks have ended. Calls made from
    inside a block run serially, so that the pool cannot wait for itself.
    """
    if n_rows <= 0:
        return
    if n_rows == 1:  # one user: nothing to share out, nothing to ask the system
        function(0, 1)
        return
    workers = num_threads()
    size = block or max(1, -(-n_rows // (16 * workers)))
    starts = range(0, n_rows, size)
    if workers == 1 or len(starts) == 1 or getattr(_worker, "busy", False):
        for start in starts:
            function(start, min(start + size, n_rows))
        return
    # One task a thread pulls blocks from a shared counter: less overhead than one future a block.
    todo = iter(starts)
    claim = threading.Lock()
    failed = threading.Event()

    def work() -> None:
        _worker.busy = True
        try:
            while not failed.is_set():
                with claim:
                    start = next(todo, None)
                if start is None:
                    return
                function(start, min(start + size, n_rows))
        except BaseException:
            failed.set()
            raise
        finally:
            _worker.busy = False

    futures = [_executor(workers).submit(work) for _ in range(min(workers, len(starts)))]
    try:
        errors = [future.exception() for future in futures]
    except BaseException:
        failed.set()  # Ctrl-C: the running blocks end, no further one starts
        raise
    for error in errors:
        if error is not None:
            raise error


def single_blas() -> AbstractContextManager[object]:
    """Return a context in which BLAS uses one thread; the limit is the whole process's while it lasts."""
    global _blas
    with _lock:
        if _blas is None:
            _blas = ThreadpoolController()
    limited: AbstractContextManager[object] = _blas.limit(limits=1, user_api="blas")
    return limited


def _executor(workers: int) -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(workers, thread_name_prefix="shortlist")
        return _pool
