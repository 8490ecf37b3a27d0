"""One run of a Surprise algorithm on given folds, in a process (and if need be an environment) of its own.

`python peer_surprise.py FOLDS.npz ALGORITHM FOLD...` prints JSON: RMSE and seconds of `fit` for each fold. Imports
nothing of ours. FOLDS.npz holds user, item, rating and the number of the fold that each rating is tested in.
"""

import json
import sys
import time

import numpy as np
import surprise


def main(path: str, algorithm: str, folds: list[int]) -> None:
    with np.load(path) as file:
        user, item, rating, fold = (file[name] for name in ("user", "item", "rating", "fold"))
    rows = list(zip(user.tolist(), item.tolist(), rating.tolist(), [None] * len(user), strict=True))
    data = surprise.Dataset(surprise.Reader(rating_scale=(0.5, 5.0)))
    make = getattr(surprise, algorithm)
    silent = {"verbose": False} if algorithm in ("BaselineOnly", "KNNBaseline") else {"random_state": 0}
    make(**silent).fit(data.construct_trainset(rows[:1000]))
    rmse, seconds = [], []
    for f in folds:
        train = data.construct_trainset([rows[r] for r in np.flatnonzero(fold != f)])
        model = make(**silent)
        begun = time.perf_counter()
        model.fit(train)
        seconds.append(time.perf_counter() - begun)
        # `estimate` through `predict` clips to the scale, as ours does.
        errors = [model.predict(*rows[r][:2]).est - rows[r][2] for r in np.flatnonzero(fold == f)]
        rmse.append(float(np.sqrt(np.mean(np.square(errors)))))
    print(json.dumps({"rmse": rmse, "seconds": seconds, "version": surprise.__version__}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], [int(f) for f in sys.argv[3:]])
