"""One fit of implicit's BayesianPersonalizedRanking, in a process of its own that imports nothing of ours.

`python peer_implicit_bpr.py MATRIX.npz DIM EPOCHS RATE REG FACTORS.npz` prints the seconds of `fit` as JSON and writes
the factors: users and items, the item's bias last.
"""

import json
import sys
import time

import numpy as np
from implicit.bpr import BayesianPersonalizedRanking
from scipy import sparse


def main(path: str, dim: int, epochs: int, rate: float, reg: float, factors: str) -> None:
    matrix = sparse.load_npz(path)
    options = {"learning_rate": rate, "regularization": reg, "num_threads": 2, "use_gpu": False}
    BayesianPersonalizedRanking(dim, iterations=1, random_state=0, **options).fit(
        matrix[:50], show_progress=False
    )
    model = BayesianPersonalizedRanking(dim, iterations=epochs, random_state=0, **options)
    begun = time.perf_counter()
    model.fit(matrix, show_progress=False)
    seconds = time.perf_counter() - begun
    # implicit keeps the bias as the last coordinate of an item, which the users meet with a 1.
    np.savez(factors, users=model.user_factors, items=model.item_factors)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    name, dim, epochs, rate, reg, target = sys.argv[1:]
    main(name, int(dim), int(epochs), float(rate), float(reg), target)
