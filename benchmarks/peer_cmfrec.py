"""One fit of cmfrec's implicit model, in a process (and if need be an environment) of its own.

`python peer_cmfrec.py MATRIX.npz DIM REG ALPHA ITERATIONS FACTORS.npz` prints JSON: seconds of `fit`, peak memory and
the version, and writes the factors. Imports nothing of ours. Two threads, conjugate gradients of three steps.
"""

import importlib.metadata
import json
import resource
import sys
import time

import cmfrec
import numpy as np
from scipy import sparse


def main(path: str, dim: int, reg: float, alpha: float, iterations: int, factors: str) -> None:
    with np.load(path) as file:
        ptr, item_idx, n_items = file["ptr"], file["item_idx"], int(file["key"][1])
    user_idx = np.repeat(np.arange(ptr.size - 1, dtype=np.int32), np.diff(ptr))
    ones = np.ones(item_idx.size, np.float32)
    pairs = sparse.coo_matrix((ones, (user_idx, item_idx)), shape=(ptr.size - 1, n_items))
    model = cmfrec.CMF_implicit(
        k=dim,
        lambda_=reg,
        alpha=alpha,
        niter=iterations,
        use_cg=True,
        max_cg_steps=3,
        finalize_chol=False,
        use_float=True,
        precompute_for_predictions=False,
        random_state=0,
        verbose=False,
        nthreads=2,
    )
    begun = time.perf_counter()
    model.fit(pairs)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    np.savez(factors, users=model.A_, items=model.B_)
    print(json.dumps({"seconds": seconds, "peak_mib": peak, "version": importlib.metadata.version("cmfrec")}))


if __name__ == "__main__":
    name, *numbers, target = sys.argv[1:]
    main(name, int(numbers[0]), float(numbers[1]), float(numbers[2]), int(numbers[3]), target)
