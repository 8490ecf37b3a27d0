"""A small shop with two tastes, and what is tuned on it."""

import numpy as np
from experiments.hand_data import dataset

import shortlist as sl

N_USERS, N_ITEMS = 60, 24
REG = {"reg": {"low": 1e-4, "high": 1.0, "log": True}}
SPACE = REG | {"unobserved_weight": {"low": 0.01, "high": 1.0, "log": True}, "dim": [2, 4]}


def shop(seed=3, **keywords):
    """Return ratings of 60 people who mostly like items of their own parity, 12 each."""
    rng = np.random.default_rng(seed)
    events = []
    for user in range(N_USERS):
        for at, item in enumerate(rng.permutation(N_ITEMS)[:12]):
            likes = (item % 2 == user % 2) != (rng.random() < 0.15)
            events.append((user, item, 5 if likes else 2, at + user / 100))
    return dataset(events, N_USERS, N_ITEMS, **keywords)


def wals(**keywords):
    return sl.WALS(**{"dim": 2, "n_epochs": 5} | keywords)


def pipeline(model=None):
    model = model or wals()
    return sl.Pipeline([sl.Nearest(model, k=8), sl.Popular(k=5)], sl.ModelScorer(model))


def untimed(tuning):
    """Return the trials without what the clock decides."""
    return tuning.trials.drop("seconds")
