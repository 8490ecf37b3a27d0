"""One fit of implicit's AlternatingLeastSquares, in a process of its own that imports nothing of ours.

`python peer_implicit_als.py MATRIX.npz DIM REG CONFIDENCE ITERATIONS START FACTORS.npz` prints JSON: seconds, processor
seconds and the seconds of each iteration of `fit`, the peak memory of the process and what it held before, and writes
the factors. START is "csr", where fit gets a ready matrix, or "events", where columns of users, items and values are
held throughout, as a log is, and the matrix is made of them first, within the measured part.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy import sparse


def status(key: str) -> float:
    """Return one of the sizes of /proc/self/status in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def main(
    path: str, dim: int, reg: float, confidence: float, iterations: int, start: str, factors: str
) -> None:
    with np.load(path) as file:
        ptr, item_idx, n_items = file["ptr"].astype(np.int32), file["item_idx"], int(file["key"][1])
    shape = ptr.size - 1, n_items
    value = np.full(item_idx.size, confidence, np.float32)
    options = {"regularization": reg, "alpha": 1.0, "num_threads": 2, "use_gpu": False}
    few = sparse.csr_matrix((value[: ptr[200]], item_idx[: ptr[200]], ptr[:201]), shape=(200, n_items))
    AlternatingLeastSquares(dim, iterations=1, **options).fit(few, show_progress=False)
    model = AlternatingLeastSquares(dim, iterations=iterations, random_state=0, **options)
    matrix = user_idx = None
    if start == "csr":
        matrix = sparse.csr_matrix((value, item_idx, ptr), shape=shape)
    else:
        user_idx = np.repeat(np.arange(shape[0], dtype=np.int32), np.diff(ptr))
    held = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    ends: list[float] = []
    begun, used = time.perf_counter(), time.process_time()
    if matrix is None:
        matrix = sparse.csr_matrix((value, (user_idx, item_idx)), shape=shape)
    model.fit(matrix, show_progress=False, callback=lambda *_: ends.append(time.perf_counter()))
    found = {
        "seconds": time.perf_counter() - begun,
        "cpu": time.process_time() - used,
        "epochs": np.diff(ends).tolist(),
        "peak_mib": status("VmHWM"),
        "held_mib": held,
    }
    np.savez(factors, users=model.user_factors, items=model.item_factors)
    print(json.dumps(found))


if __name__ == "__main__":
    name, dim, reg, confidence, iterations, start, target = sys.argv[1:]
    main(name, int(dim), float(reg), float(confidence), int(iterations), start, target)
