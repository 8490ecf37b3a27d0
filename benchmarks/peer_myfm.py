"""One run of myFM on given folds, in a process (and if need be an environment) of its own.

`python peer_myfm.py FOLDS.npz SEED RANK SWEEPS BURN_IN FOLD...` prints JSON: RMSE and seconds of `fit` for each fold.
Imports nothing of ours. FOLDS.npz holds user, item, rating and the number of the fold that each rating is tested in.
Ids alone, one-hot, the groups being users and items; predictions are clipped to the scale.
"""

import json
import os
import sys
import time
from importlib.metadata import version

os.environ["TQDM_DISABLE"] = "1"  # read when myfm is imported: no bar of its progress

import myfm
import numpy as np
from sklearn.preprocessing import OneHotEncoder


def main(path: str, seed: int, rank: int, sweeps: int, burn_in: int, folds: list[int]) -> None:
    with np.load(path) as file:
        user, item, rating, fold = (file[name] for name in ("user", "item", "rating", "fold"))
    ids = np.column_stack([user, item])
    rmse, seconds = [], []
    for f in folds:
        train, test = fold != f, fold == f
        encoder = OneHotEncoder(handle_unknown="ignore")
        rows, asked = encoder.fit_transform(ids[train]), encoder.transform(ids[test])
        shapes = [len(found) for found in encoder.categories_]
        model = myfm.MyFMRegressor(rank=rank, random_seed=seed)
        begun = time.perf_counter()
        model.fit(rows, rating[train], n_iter=sweeps, n_kept_samples=sweeps - burn_in, group_shapes=shapes)
        seconds.append(time.perf_counter() - begun)
        error = np.clip(model.predict(asked), 0.5, 5.0) - rating[test]
        rmse.append(float(np.sqrt(np.mean(error**2))))
    print(json.dumps({"rmse": rmse, "seconds": seconds, "version": version("myfm")}))


if __name__ == "__main__":
    path, *numbers = sys.argv[1:]
    seed, rank, sweeps, burn_in, *folds = map(int, numbers)
    main(path, seed, rank, sweeps, burn_in, folds)
