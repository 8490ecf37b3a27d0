"""One fit of Surprise's SVD on given ratings, in a process (and if need be an environment) of its own.

`python peer_surprise_svd.py RATINGS.npz N_FACTORS` prints JSON: seconds of `fit`, RMSE on the test rows clipped to the
scale, most memory. Imports nothing of ours. RATINGS.npz holds user, item, rating, and which rows are for testing, in
the order of users. The training set is made here, since only `fit` is timed: of what Surprise's own constructor makes,
the ratings by item are left out, which SVD never looks at and which would double the memory.
"""

import json
import resource
import sys
import time

import numpy as np
import surprise

SCALE = (0.5, 5.0)


def trainset(user: np.ndarray, item: np.ndarray, rating: np.ndarray, shape: tuple[int, int]):
    bounds = np.searchsorted(user, np.arange(shape[0] + 1)).tolist()
    pairs = list(zip(item.tolist(), rating.tolist(), strict=True))
    by_user = {u: pairs[bounds[u] : bounds[u + 1]] for u in range(shape[0])}
    raw_users, raw_items = ({n: n for n in range(size)} for size in shape)
    return surprise.Trainset(by_user, {}, *shape, len(pairs), SCALE, raw_users, raw_items)


def main(path: str, n_factors: int) -> None:
    with np.load(path) as file:
        user, item, rating, test = (file[name] for name in ("user", "item", "rating", "test"))
    shape = int(user.max()) + 1, int(item.max()) + 1
    surprise.SVD(n_factors, n_epochs=1, random_state=0).fit(
        trainset(user[:1000], item[:1000], rating[:1000], shape)
    )
    train = trainset(*(column[~test] for column in (user, item, rating)), shape)
    begun = time.perf_counter()
    model = surprise.SVD(n_factors, random_state=0).fit(train)
    seconds = time.perf_counter() - begun
    u, i = user[test], item[test]
    # What `estimate` returns, for all test rows at once; each was met in training or has zeros.
    predicted = (
        train.global_mean + model.bu[u] + model.bi[i] + np.einsum("rf,rf->r", model.pu[u], model.qi[i])
    )
    rmse = float(np.sqrt(np.mean((np.clip(predicted, *SCALE) - rating[test]) ** 2)))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "rmse": rmse, "gib": memory, "version": surprise.__version__}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
